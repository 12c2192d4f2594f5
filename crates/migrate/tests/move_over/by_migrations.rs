//! The shape of its own migrations, with ugly rows, interruptions, and Strava's listing afterwards.

use std::time::Duration;

use jiff::Timestamp;
use migrate::move_over::{self, Comparison, Move};
use runaway_core::queue::SyncMessage;
use serde_json::Value;
use testkit::activity::daily_runs;
use testkit::queue::batch;
use testkit::{TestDatabase, World};
use uuid::Uuid;

use crate::{check, checksums, expected, fates, run};

const ADA: i64 = 4711;
const BO: i64 = 4712;
/// What Strava knows of Ada; the predecessor has the newest [`THERE`] of them.
const AT_STRAVA: i64 = 1_260;
const THERE: usize = 1_200;
const FIRST_ID: i64 = 1_000;

const ACTIVITIES: &str = "
    INSERT INTO activities (id, athlete_id, name, distance, moving_time, elapsed_time, elevation_gain, type, activity_date, start_date_local,
           timezone, start_latlng, average_speed, average_heart_rate, external_id, map_summary_polyline)
    SELECT (o ->> 'id')::bigint, (o #>> '{athlete,id}')::bigint, o ->> 'name', (o ->> 'distance')::numeric, (o ->> 'moving_time')::integer,
           (o ->> 'elapsed_time')::integer, (o ->> 'total_elevation_gain')::numeric, o ->> 'type', (o ->> 'start_date')::timestamptz,
           (o ->> 'start_date_local')::timestamptz, o ->> 'timezone', ARRAY[(o #>> '{start_latlng,0}')::numeric, (o #>> '{start_latlng,1}')::numeric],
           (o ->> 'average_speed')::numeric, round((o ->> 'average_heartrate')::numeric), o ->> 'external_id', o #>> '{map,summary_polyline}'
      FROM json_array_elements($1::text::json) o";

/// Users 1 to 3 can sign in. Ada and Bo are in order; 4713 has no user, 4714 has Ada's, 4715 one that is gone.
const ATHLETES: &str = "
    INSERT INTO auth.users SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid FROM generate_series(1, 3) n;
    INSERT INTO athletes (id, first_name, weight, auth_user_id, updated_at) VALUES
      (4711, 'Ada', 61.5, '00000000-0000-4000-8000-000000000001', '2026-02-01'), (4711, 'Adda', 0, NULL, '2026-01-01'),
      (4712, 'Bo', 0, '00000000-0000-4000-8000-000000000002', now()), (4713, 'Cy', 70, NULL, now()),
      (4714, 'Ada again', 61, '00000000-0000-4000-8000-000000000001', now()), (4715, 'Eve', 55, '00000000-0000-4000-8000-000000000009', now()),
      (NULL, 'Nobody', 1, '00000000-0000-4000-8000-000000000003', now()), (-3, 'Less', 1, NULL, now());";

const UGLY_ACTIVITIES: &str = "
    INSERT INTO activities (id, athlete_id, name, type, distance, moving_time, activity_date, start_date_local, auth_user_id, source, updated_at) VALUES
      (2259, 4711, 'an older copy', 'Run', 1, 1, now(), now(), NULL, 'strava', '2020-01-01'),
      (NULL, 4711, 'no id', 'Run', 1, 1, now(), now(), NULL, 'strava', now()), (-5, 4711, 'no id', 'Run', 1, 1, now(), now(), NULL, 'strava', now()),
      (90001, 9999, 'nobody''s', 'Run', 1, 1, now(), now(), NULL, 'strava', now()),
      (90002, 4712, 'of another user', 'Run', 1, 1, now(), now(), '00000000-0000-4000-8000-000000000001', 'strava', now()),
      (90003, 4712, 'no sport', '', 1, 1, now(), now(), NULL, 'strava', now()), (90004, 4712, 'no start', 'Run', 1, 1, NULL, now(), NULL, 'strava', now()),
      (90005, 4712, 'no local start', 'Run', 1, 1, now(), NULL, NULL, 'strava', now()),
      (90006, 4712, 'backwards', 'Run', 1, -1, now(), now(), NULL, 'strava', now()),
      (90007, 4712, 'endless', 'Run', 1e12, 1, now(), now(), NULL, 'strava', now()),
      (90008, 4712, 'long ago', 'Run', 1, 1, '0001-01-01 BC', '0001-01-01 BC', NULL, 'strava', now()),
      (90009, 4712, 'no figures', 'Run', 'NaN', NULL, '2026-01-04 23:30+00', '2026-01-05 00:30+00', '00000000-0000-4000-8000-000000000002', NULL, now()),
      (90010, 4712, NULL, 'Ride', 20000.5, 3600, '2026-01-04 06:00+00', '2026-01-04 07:00+00', NULL, 'garmin', now()),
      (90011, 4713, 'hidden start', 'Run', 5000, 1500, '2026-01-04 00:00:01+00', '2026-01-04 00:00:01+00', NULL, 'strava', now());
    INSERT INTO activities (id, athlete_id, name, type, distance, activity_date, timezone)
    VALUES (90012, 4713, 'by its zone', 'Run', 5000, '2026-06-30 22:30+00', '(GMT+01:00) Europe/Madrid');";

const OTHERS: &str = r#"
    INSERT INTO chat_conversations (athlete_id, conversation_id, role, message, "timestamp") VALUES
      (4711, 'aaaaaaaa-0000-4000-8000-000000000001', 'user', 'How far did I run?', '2026-01-10 10:00'),
      (4711, 'aaaaaaaa-0000-4000-8000-000000000001', 'assistant', 'Far.', '2026-01-10 10:01'),
      (4712, 'aaaaaaaa-0000-4000-8000-000000000001', 'user', 'in Ada''s conversation', '2026-01-10 10:02'),
      (4712, 'an old name', 'user', 'And I?', now()), (4712, 'an old name', 'system', 'said by nobody', now()),
      (4712, 'an old name', 'user', '', now()), (9999, 'x', 'user', 'nobody''s', now()), (4711, NULL, 'user', 'nowhere', now());
    INSERT INTO athlete_ai_profiles (athlete_id, core_memory) VALUES
      (4711, '{"goals": {"primary": "a marathon"}, "personal": {"preferred_name": "Ada", "age": 30}, "adlerian_profile": {"why_i_run": "x"}}'),
      (4712, '["not", "a memory"]'), (9999, '{}');
    INSERT INTO training_journal (athlete_id, week_start_date, narrative, week_stats, insights, generation_timestamp)
    SELECT 4711, week::date, text, '{"total_distance_miles": "31.42", "total_time_hours": "4.6", "activities_count": 5, "avg_pace": "8:47",
           "longest_run_miles": "12.05", "elevation_gain_feet": 1204, "avg_heart_rate": null}', '[{"type": "pattern", "text": "steady"}]', at::timestamptz
      FROM (VALUES ('2025-12-29', 'first', '2026-01-05'), ('2025-12-29', 'again', '2026-01-06'), ('2026-01-06', 'of a Tuesday', '2026-01-12')) v (week, text, at);
    INSERT INTO training_journal (athlete_id, week_start_date, narrative, week_stats, insights) VALUES
      (4711, '2026-01-12', 'numbers', '{"total_distance_miles": 31.42}', '[]');
    INSERT INTO sync_jobs (athlete_id, sync_type, status, processed_activities, completed_at, error_message) VALUES
      (4711, 'full', 'completed', 100, now(), NULL), (4711, 'incremental', 'failed', 0, now(), 'Strava API error: 401 - {"message": "secret"}'),
      (4711, 'full', 'pending', 0, NULL, NULL), (4712, 'incremental', 'in_progress', 3, NULL, NULL);
    INSERT INTO research_articles (title) VALUES ('one'), ('two');"#;

/// The predecessor as it was left, and a Strava that knows Ada and Bo.
async fn left_behind() -> World {
    let mut world = World::new().await;
    world.database = TestDatabase::empty().await;
    let admin = world.database.admin().await;
    admin.batch_execute(include_str!("by_migrations.sql")).await.unwrap();
    admin.batch_execute(ATHLETES).await.unwrap();
    let ada: Vec<Value> = daily_runs(ADA, FIRST_ID, AT_STRAVA, Timestamp::now());
    let newest = Value::Array(ada[ada.len() - THERE..].to_vec()).to_string();
    admin.execute(ACTIVITIES, &[&newest]).await.unwrap();
    admin.batch_execute(UGLY_ACTIVITIES).await.unwrap();
    admin.batch_execute(OTHERS).await.unwrap();
    world.strava.add_athlete(ADA, "Ada", ada);
    world.strava.add_athlete(BO, "Bo", []);
    let tokens =
        "INSERT INTO strava_tokens (athlete_id, access_token, refresh_token, expires_at) VALUES ($1, $2, $3, to_timestamp($4::bigint))";
    for (id, ttl_s) in [(ADA, -60_i64), (BO, 3600)] {
        let pair = world.strava.connect(id, testkit::world::ALL_SCOPES, ttl_s);
        admin.execute(tokens, &[&id, &pair.access, &pair.refresh, &pair.expires_at]).await.unwrap();
    }
    world
}

/// Runs until `until` comes true, and then no further.
async fn run_until(world: &World, until: impl Future<Output = ()>) {
    let (vault, url) = (world.vault(), world.database.admin_url());
    let what = Move { admin_url: &url, ca_pem: None, vault: &vault };
    tokio::select! {
        moved = move_over::run(&what, |_| ()) => panic!("it ended before it was interrupted: {moved:?}"),
        () = until => {}
    }
}

/// Interrupts twice: once the athletes are moved, and once a batch of activities is.
async fn interrupted_between_batches(world: &World) {
    let admin = world.database.admin().await;
    for step in ["athletes", "activities"] {
        let sql = format!("SELECT 1 FROM predecessor.move_over_progress WHERE step = '{step}' AND last > 0");
        // Until the tables are set aside there is no progress to ask for.
        let begun = async {
            while !matches!(admin.query_opt(&sql, &[]).await, Ok(Some(_))) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        run_until(world, begun).await;
    }
    // The server ends what was under way, and nothing of it is kept but whole batches.
    let ended = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while world.database.count(ended).await > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let kept = world.database.count("SELECT count(*) FROM activities").await;
    assert!(kept > 0 && kept % 500 == 0, "{kept}");
}

fn assert_equal(comparisons: &[Comparison]) {
    assert!(comparisons.iter().all(Comparison::is_equal), "{comparisons:#?}");
    assert!(comparisons.len() > 9 && comparisons.iter().all(|c| c.there > 0), "everything is compared: {comparisons:#?}");
}

#[tokio::test]
async fn nothing_is_lost_nothing_is_doubled_and_a_second_time_changes_nothing() {
    let world = left_behind().await;
    interrupted_between_batches(&world).await;
    let moved = run(&world.database, &world.vault(), |_| ()).await;
    assert_eq!(moved.set_aside, 0, "the interrupted run did that");
    reasons_are_named(&moved);
    assert_equal(&check(&world.database, &world.vault()).await);
    rows_read_right(&world).await;

    let before = checksums(&world.database).await;
    assert!(before.len() > 30, "{}", before.len());
    let again = run(&world.database, &world.vault(), |_| ()).await;
    assert_eq!(again.written.iter().map(|(_, rows)| rows).sum::<u64>(), 0, "{:?}", again.written);
    assert_eq!(checksums(&world.database).await, before);
    assert_eq!(again.report, moved.report);

    strava_completes_and_doubles_nothing(&world).await;
    differences_are_found(&world).await;
    world.assert_in_order(&[]).await;
}

fn reasons_are_named(moved: &move_over::Moved) {
    let is = |table: &str, pairs: &[(&str, i64)]| {
        let mut found = fates(moved, table);
        found.retain(|fate, _| !fate.starts_with("columns"));
        assert_eq!(found, expected(pairs), "{table}");
    };
    is(
        "athletes",
        &[
            ("moved", 5),
            ("kept: no id", 2),
            ("kept: the same id again", 1),
            ("  of these moved without a user: there is none", 1),
            ("  of these moved without a user: it has another athlete", 1),
            ("  of these moved without a user: the sign-in does not know it", 1),
        ],
    );
    is(
        "activities",
        &[
            ("moved", 1_204),
            ("kept: the same id again", 1),
            ("kept: no id", 2),
            ("kept: of an athlete who is not moved", 1),
            ("kept: linked to another user than its athlete is", 1),
            ("kept: no sport", 1),
            ("kept: no start", 1),
            ("kept: no local start", 1),
            ("kept: start out of range", 1),
            ("kept: a figure out of range", 2),
        ],
    );
    is(
        "chat_conversations",
        &[
            ("moved", 3),
            ("kept: in the conversation of another athlete", 1),
            ("kept: said by nobody", 1),
            ("kept: empty", 1),
            ("kept: of an athlete who is not moved", 1),
            ("kept: no id", 1),
        ],
    );
    is(
        "athlete_ai_profiles",
        &[
            ("moved", 1),
            ("  of these moved, but for keys the coach does not know", 1),
            ("kept: no memory", 1),
            ("kept: of an athlete who is not moved", 1),
        ],
    );
    is(
        "training_journal",
        &[
            ("moved", 1),
            ("kept: an older one of the same week", 1),
            ("kept: of a week that begins on another day than Monday", 1),
            ("kept: figures that the app cannot read", 1),
        ],
    );
    is("sync_jobs", &[("moved", 2), ("kept: unfinished: a full sync takes its place", 2)]);
    is("research_articles", &[("kept: no home for this table", 2)]);
    let columns = fates(moved, "activities").into_keys().find(|fate| fate.starts_with("columns"));
    assert_eq!(columns, None, "every column of this shape has a home or was looked into");
}

/// Rows whose meaning is easily lost.
async fn rows_read_right(world: &World) {
    let is = async |sql: &str| assert_eq!(world.database.count(&format!("SELECT count(*) FROM {sql}")).await, 1, "{sql}");
    is("activities WHERE id = 2259 AND name = 'Morning Run' AND start_latlng = '{38.5,-120.2}' AND source = 'strava'").await;
    is("activities WHERE id = 90009 AND distance IS NULL AND local_date = '2026-01-05' AND utc_offset_s = 3600 AND source = 'strava'")
        .await;
    is("activities WHERE id = 90010 AND name = '' AND source = 'garmin' AND week_start = '2025-12-29'").await;
    is("activities WHERE id = 90011 AND utc_offset_s IS NULL").await;
    is("activities WHERE id = 90012 AND start_date_local = '2026-07-01 00:30' AND utc_offset_s = 7200").await;
    is("athletes WHERE id = 4711 AND first_name = 'Ada' AND weight = 61.5 AND strava_connected AND auth_user_id IS NOT NULL").await;
    is("athletes WHERE id = 4712 AND weight IS NULL AND strava_connected").await;
    is("athletes WHERE id = 4714 AND auth_user_id IS NULL AND NOT strava_connected").await;
    is("training_journal WHERE narrative = 'again' AND week_end_date = '2026-01-04'").await;
    is("sync_jobs WHERE status = 'failed' AND error_message NOT LIKE '%secret%'").await;
    is("(SELECT 1 FROM sync_jobs WHERE status = 'pending' AND sync_type = 'full' HAVING count(*) = 2) s").await;
    is("athlete_ai_profiles WHERE core_memory = '{\"goals\": {\"primary\": \"a marathon\"}, \"personal\": {\"preferred_name\": \"Ada\"}, \"physical_profile\": {}}'").await;
    is("coach_conversations WHERE preview = 'How far did I run?'").await;
}

/// The full sync that the move has begun, with the token that was moved.
async fn strava_completes_and_doubles_nothing(world: &World) {
    let mut app = sync_processor::App::new(&world.settings()).await.unwrap();
    app.clock = world.clock.production();
    let owner = world.database.owner().await;
    let sql = "SELECT id FROM sync_jobs WHERE athlete_id = $1 AND status = 'pending'";
    let job_id: Uuid = owner.query_one(sql, &[&ADA]).await.unwrap().get(0);
    let deadline = std::time::SystemTime::now() + Duration::from_secs(900);
    let answer = sync_processor::handle(&app, batch(&[SyncMessage::Job { job_id }.to_body()]), deadline).await.unwrap();
    assert_eq!(answer["batchItemFailures"], serde_json::json!([]));
    let count = async |sql: &str| world.database.count(sql).await;
    assert_eq!(count("SELECT count(*) FROM sync_jobs WHERE athlete_id = 4711 AND status = 'completed' AND sync_type = 'full'").await, 2);
    assert_eq!(count("SELECT count(*) FROM activities WHERE athlete_id = 4711").await, AT_STRAVA);
    assert_eq!(count("SELECT count(summary) FROM activity_raw WHERE athlete_id = 4711").await, AT_STRAVA);
    assert_eq!(count("SELECT sum(n)::bigint FROM athlete_days WHERE athlete_id = 4711").await, AT_STRAVA);
    assert_eq!(
        count("SELECT count(*) FROM activities WHERE athlete_id = 4711 AND average_heart_rate = 142.3").await,
        AT_STRAVA,
        "rounded no longer"
    );
    assert_equal(&check(&world.database, &world.vault()).await);
}

async fn differences_are_found(world: &World) {
    let owner = world.database.owner().await;
    owner
        .batch_execute(
            "UPDATE activities SET distance = distance + 1 WHERE id = 90010; UPDATE strava_tokens SET access_token = refresh_token",
        )
        .await
        .unwrap();
    owner
        .batch_execute("UPDATE athletes SET auth_user_id = NULL WHERE id = 4712; DELETE FROM chat_conversations WHERE role = 'assistant'")
        .await
        .unwrap();
    let different: Vec<_> =
        check(&world.database, &world.vault()).await.into_iter().filter(|c| !c.is_equal()).map(|c| (c.what, c.there - c.here)).collect();
    let expected = [
        ("links of athletes to users", 1),
        ("sums of each athlete", 1),
        ("sums of each athlete's weeks", 1),
        ("messages of the coach", 1),
        ("tokens that open", 2),
    ];
    assert_eq!(different, expected);
}
