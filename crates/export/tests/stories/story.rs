//! What every story begins with.

use std::io::{Cursor, Read as _};
use std::sync::Arc;

use export::{App, PIECE_BYTES_MAX};
use futures_util::StreamExt as _;
use lambda_http::{Request, Response};
use runaway_core::http::EventBody;
use serde_json::Value;
use testkit::World;
use testkit::call::{checked, request};
use uuid::Uuid;
use zip::ZipArchive;

pub(crate) const ATHLETE: i64 = 94_451_852;
pub(crate) const BYSTANDER: i64 = 5;
pub(crate) const HALF_A_DAY_S: i64 = 12 * 3600;
/// Stands in every text of the other athlete's.
pub(crate) const FOREIGN_WORD: &str = "bystander";

/// Two athletes with something in every table, at noon.
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) app: Arc<App>,
    pub(crate) bystanders_token: String,
}

impl Story {
    /// The athlete has so many activities, the other one ten.
    pub(crate) async fn with(activities: i64) -> Self {
        Self::with_app(activities, |_| {}).await
    }

    /// The same with settings changed.
    pub(crate) async fn with_app(activities: i64, change: impl FnOnce(&mut App)) -> Self {
        let (world, bystander) = (World::new().await, Uuid::new_v4());
        world.clock.stop_at("2026-11-27T12:00:00Z".parse().unwrap());
        let last = "2026-11-27".parse().unwrap();
        world.athlete_with_many(ATHLETE, world.user_id, activities, last).await;
        world.athlete_with_many(BYSTANDER, bystander, 10, last).await;
        fill(&world).await;
        let mut app = App::new(&world.settings()).unwrap();
        app.clock = world.clock.production();
        change(&mut app);
        let bystanders_token = world.issuer.token(bystander);
        Self { world, app: Arc::new(app), bystanders_token }
    }

    /// The answer to a request, whose body is still under way.
    pub(crate) async fn begin(&self, request: Request) -> Response<EventBody> {
        export::handle(&self.app, request).await
    }

    /// The body of an export by the world's user.
    pub(crate) async fn exported(&self) -> EventBody {
        let answer = self.begin(request("GET", "/export", Some(&self.world.token()), "")).await;
        assert_eq!(answer.status(), 200);
        answer.into_body()
    }

    /// Status and body of an answer that is JSON, after the checks that hold for every answer, and its `Retry-After`.
    pub(crate) async fn call(&self, method: &str, path: &str, token: Option<&str>) -> (u16, Value, Option<i64>) {
        let (parts, body) = self.begin(request(method, path, token, "")).await.into_parts();
        let retry_after = parts.headers.get("retry-after").map(|seconds| seconds.to_str().unwrap().parse().unwrap());
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        let body = match String::from_utf8(bytes) {
            Ok(text) if !text.is_empty() => lambda_http::Body::Text(text),
            _ => lambda_http::Body::Empty,
        };
        let (status, body) = checked(&Response::from_parts(parts, body));
        (status, body, retry_after)
    }

    /// What the function's connections on which a transaction is open have asked for last.
    pub(crate) async fn open_transactions(&self) -> Vec<String> {
        // Only the same login may see it.
        let sql = "
            SELECT query FROM pg_stat_activity
             WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() AND state <> 'idle'";
        self.world.database.app().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }
}

/// A few pieces of a body; the rest stays where it is.
pub(crate) async fn pieces(body: &mut EventBody, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..count {
        bytes.extend_from_slice(&body.next().await.unwrap().unwrap());
    }
    bytes
}

/// Everything that comes, in pieces that are none too large, and whether it came to its end.
pub(crate) async fn rest(mut body: EventBody) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        let Ok(piece) = piece else { return (bytes, false) };
        assert!(piece.len() <= PIECE_BYTES_MAX, "a piece of {} bytes", piece.len());
        bytes.extend_from_slice(&piece);
    }
    (bytes, true)
}

/// The files of an archive with their texts, in their order.
pub(crate) fn files(bytes: Vec<u8>) -> Vec<(String, String)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let count = archive.len();
    let read = |n: usize| {
        let mut file = archive.by_index(n).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        (file.name().unwrap().into_owned(), text)
    };
    (0..count).map(read).collect()
}

/// Gives both athletes something in every table; what stands in one of Strava's objects cannot be compressed much.
async fn fill(world: &World) {
    let word = format!("(CASE a.id WHEN {BYSTANDER} THEN '{FOREIGN_WORD}' ELSE 'own' END)");
    let sql = format!(
        r#"
        UPDATE athletes a SET first_name = {word}, city = {word};
        UPDATE activities x SET name = {word} || ' round' FROM athletes a WHERE a.id = x.athlete_id;
        INSERT INTO oauth_states (state_hash, auth_user_id, redirect, expires_at) SELECT sha256(id::text::bytea), auth_user_id, {word}, now() FROM athletes a;
        INSERT INTO activity_raw (activity_id, athlete_id, summary)
            SELECT x.id, a.id, ('{{"id": ' || x.id || E',\n "b":1,  "a": "' || {word} || '", "b": 2, "odd": "'
                || (SELECT string_agg(md5(x.id::text || n), '') FROM generate_series(1, 12) n) || '"}}')::json
              FROM activities x JOIN athletes a ON a.id = x.athlete_id;
        UPDATE activity_raw r SET detail = ('{{"splits": "' || repeat({word} || ' \n ', 20000) || '"}}')::json
          FROM athletes a WHERE a.id = r.athlete_id AND r.activity_id % 1000 = 0;
        INSERT INTO unreadable_activities (athlete_id, content_hash, object, reason) SELECT id, sha256({word}::bytea), {word}, {word} FROM athletes a;
        INSERT INTO activity_details (activity_id, athlete_id) SELECT id, athlete_id FROM activities;
        INSERT INTO best_efforts (activity_id, athlete_id, distance_m, elapsed_time) SELECT id, athlete_id, 400, 90 FROM activities;
        INSERT INTO activity_streams (activity_id, athlete_id, kind, points) SELECT id, athlete_id, 'time', 1 FROM activities;
        INSERT INTO detail_runs (athlete_id, not_before, lease_token, lease_expires_at) SELECT id, now(), gen_random_uuid(), now() FROM athletes;
        INSERT INTO sync_jobs (id, athlete_id, sync_type, error_message) SELECT gen_random_uuid(), id, 'full', {word} FROM athletes a;
        INSERT INTO vanished_candidates (job_id, activity_id, athlete_id) SELECT j.id, x.id, x.athlete_id FROM sync_jobs j JOIN activities x USING (athlete_id);
        INSERT INTO coach_conversations (id, athlete_id, preview) SELECT gen_random_uuid(), id, {word} FROM athletes a;
        INSERT INTO chat_conversations (id, athlete_id, conversation_id, role, message)
            SELECT gen_random_uuid(), a.id, c.id, 'user', {word} || E' says:\n"Läuft 🏃"' FROM coach_conversations c JOIN athletes a ON a.id = c.athlete_id;
        INSERT INTO coach_facts (id, athlete_id, kind, fact) SELECT gen_random_uuid(), id, 'goal', {word} FROM athletes a;
        INSERT INTO athlete_ai_profiles (athlete_id, core_memory) SELECT id, jsonb_build_object('x', {word}) FROM athletes a;
        INSERT INTO request_limits (athlete_id, day, kind) SELECT id, '2026-01-05', 'chat' FROM athletes;
        INSERT INTO training_journal (id, athlete_id, week_start_date, narrative, week_stats, generation_model)
            SELECT gen_random_uuid(), id, '2026-01-05', {word}, '{{}}', 'x' FROM athletes a;
        UPDATE journal_weeks SET inputs_hash = sha256(athlete_id::text::bytea);
        INSERT INTO strava_events (id, athlete_id, object_type, object_id, aspect_type, event_time)
            SELECT gen_random_uuid(), id, 'activity', 1, 'update', now() FROM athletes;
        INSERT INTO pending_revocations (id, athlete_id, refresh_token) SELECT gen_random_uuid(), id, sha256('sealed') FROM athletes;"#
    );
    world.database.owner().await.batch_execute(&sql).await.unwrap();
}
