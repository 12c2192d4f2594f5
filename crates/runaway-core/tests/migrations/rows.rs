//! What two athletes have left in the tables of a version. A migration that makes a table adds its rows here.

/// From which version on a statement fits, and the statement. They run in this order; all that could differ is fixed.
const ROWS: &[(usize, &str)] = &[
    (
        1,
        "INSERT INTO athletes (id, auth_user_id, first_name, timezone, strava_connected) VALUES
           (1, md5('ada')::uuid, 'Ada', 'Europe/Madrid', true), (2, md5('bo')::uuid, 'Bo', 'UTC', true)",
    ),
    (
        2,
        "INSERT INTO strava_tokens (athlete_id, access_token, refresh_token, expires_at, scopes)
           SELECT id, '\\x01', '\\x02', '2026-01-04T06:00:00Z', '{read}' FROM athletes;
         INSERT INTO oauth_states (state_hash, auth_user_id, expires_at)
           SELECT sha256(id::text::bytea), auth_user_id, '2026-01-04T06:00:00Z' FROM athletes",
    ),
    // Two weeks: a race with a heart rate, a second run on its day, a ride without a moving time, a flagged run.
    (
        3,
        "INSERT INTO activities (id, athlete_id, name, type, distance, moving_time, elapsed_time, elevation_gain, average_heart_rate,
                                 max_heart_rate, workout_type, flagged, activity_date, start_date_local)
           SELECT a.id * 100 + n, a.id, name, type, distance, moving, elapsed, climb, heart, heart + 20, kind, flagged, day, day::timestamp
             FROM athletes a, (VALUES
               (1, 'Río race', 'Run', 10100, 3000, 3010, 80, 161, 1, false, '2026-01-06T08:00:00Z'::timestamptz),
               (2, 'Evening run', 'TrailRun', 5100, 1800, 1900, 20, NULL, NULL, false, '2026-01-06T18:00:00Z'),
               (3, 'Ride', 'Ride', 40000, NULL, NULL, 300, NULL, NULL, false, '2026-01-11T10:00:00Z'),
               (4, 'Car', 'Run', 10000, 600, 600, 0, NULL, NULL, true, '2026-01-12T10:00:00Z'))
             AS x (n, name, type, distance, moving, elapsed, climb, heart, kind, flagged, day);
         INSERT INTO activity_raw (activity_id, athlete_id, summary) SELECT id, athlete_id, '{\"a\":  1}' FROM activities;
         INSERT INTO unreadable_activities (athlete_id, content_hash, object, reason) SELECT id, sha256('x'), '{', 'x' FROM athletes;
         INSERT INTO activity_details (activity_id, athlete_id, state, fetched_at)
           SELECT id, athlete_id, 'fetched', '2026-01-07T00:00:00Z' FROM activities WHERE id % 100 = 1;
         INSERT INTO best_efforts (activity_id, athlete_id, distance_m, elapsed_time)
           SELECT id, athlete_id, 1000, 250 FROM activities WHERE id % 100 = 1",
    ),
    (
        4,
        "INSERT INTO sync_jobs (id, athlete_id, sync_type, walk_before_s, walk_ids, progress, activities_processed)
           SELECT md5('job' || id)::uuid, id, 'full', 1700000000, ARRAY[id], 40, 200 FROM athletes",
    ),
    (
        7,
        "INSERT INTO coach_conversations (id, athlete_id, preview, created_at, updated_at)
           SELECT md5('talk' || id)::uuid, id, 'How far?', '2026-01-07T10:00:00Z', '2026-01-07T10:00:05Z' FROM athletes",
    ),
    (
        5,
        "INSERT INTO chat_conversations (id, athlete_id, conversation_id, role, message, \"timestamp\")
           SELECT md5(role || id)::uuid, id, md5('talk' || id)::uuid, role, message, at FROM athletes,
             (VALUES ('user', 'How far?', '2026-01-07T10:00:00Z'::timestamptz), ('assistant', '10.1 km.', '2026-01-07T10:00:05Z'))
             AS x (role, message, at);
         INSERT INTO athlete_ai_profiles (athlete_id, core_memory) SELECT id, '{\"goals\": {\"primary\": \"a marathon\"}}' FROM athletes;
         INSERT INTO training_journal (id, athlete_id, week_start_date, narrative, week_stats, generation_model)
           SELECT md5('week' || id)::uuid, id, '2026-01-05', 'You ran.', '{\"activities_count\": 3}', 'x' FROM athletes",
    ),
    (
        7,
        "INSERT INTO coach_facts (id, athlete_id, kind, fact) SELECT md5('fact' || id)::uuid, id, 'goal', 'a marathon' FROM athletes;
         INSERT INTO request_limits (athlete_id, day, kind, requests, tokens) SELECT id, '2026-01-07', 'chat', 3, 4000 FROM athletes",
    ),
    (8, "UPDATE journal_weeks SET written_changes = changes, inputs_hash = sha256('x'), writes = 1"),
    (9, "UPDATE strava_rate_budget SET short_limit = 200, short_used = 17, day_limit = 2000, day_used = 170"),
    (
        10,
        "INSERT INTO vanished_candidates (job_id, activity_id, athlete_id) SELECT md5('job' || id)::uuid, id * 100 + 3, id FROM athletes",
    ),
    (
        11,
        "INSERT INTO activity_streams (activity_id, athlete_id, kind, points, mean) SELECT id * 100 + 1, id, 'heartrate', 3000, 161 FROM athletes;
         INSERT INTO detail_runs (athlete_id, id, not_before) SELECT id, md5('run' || id)::uuid, '2026-01-07T00:00:00Z' FROM athletes",
    ),
    (
        12,
        "INSERT INTO strava_events (id, athlete_id, object_type, object_id, aspect_type, event_time)
           SELECT md5('event' || id)::uuid, id, 'activity', id * 100 + 1, 'update', '2026-01-07T00:00:00Z' FROM athletes;
         INSERT INTO pending_revocations (id, athlete_id, refresh_token) SELECT md5('old' || id)::uuid, id, '\\x03' FROM athletes;
         INSERT INTO erasure_receipts (id, reason, rows_erased, erased_at) VALUES (md5('x')::uuid, 'account_deleted', 5, '2026-01-07T00:00:00Z')",
    ),
    (
        13,
        "INSERT INTO oauth_tickets (id, ticket_hash, auth_user_id, athlete_id, exchange, refresh_token, expires_at)
           SELECT md5('ticket' || id)::uuid, sha256(id::text::bytea), auth_user_id, id, '\\x04', '\\x05', '2026-01-07T00:10:00Z' FROM athletes",
    ),
];

/// The statements for a database of this version.
pub(crate) fn of_version(version: usize) -> impl Iterator<Item = &'static str> {
    ROWS.iter().filter(move |(from, _)| *from <= version).map(|(_, sql)| *sql)
}
