//! `POST` and `DELETE /delete-account` as the app reads them, and what is left afterwards.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::World;
use testkit::activity::daily_runs;
use testkit::call::{checked, request};
use testkit::fake_strava::{Fault, On};
use uuid::Uuid;

const ATHLETE: i64 = 94_451_852;
const OTHER_ATHLETE: i64 = 5;
const TOKEN_TTL_S: i64 = 6 * 3600;

struct Story {
    world: World,
    app: delete_account::App,
}

impl Story {
    async fn begin() -> Self {
        let world = World::new().await;
        for (id, user) in [(ATHLETE, world.user_id), (OTHER_ATHLETE, Uuid::new_v4())] {
            world.connected_athlete(id, user, daily_runs(id, id * 100, 1, Timestamp::now()), TOKEN_TTL_S).await;
        }
        let sql = "
            INSERT INTO activities (id, athlete_id, name, type, activity_date, start_date_local)
                SELECT a.id * 1000 + n, a.id, 'x', 'Run', now(), now()::timestamp - make_interval(days => n) FROM athletes a, generate_series(1, 300) n;
            INSERT INTO activity_raw (activity_id, athlete_id, summary) SELECT id, athlete_id, '{}' FROM activities;
            INSERT INTO sync_jobs (id, athlete_id, sync_type) SELECT gen_random_uuid(), id, 'full' FROM athletes;
            INSERT INTO oauth_states (state_hash, auth_user_id, expires_at) SELECT sha256(id::text::bytea), auth_user_id, now() FROM athletes";
        world.database.owner().await.batch_execute(sql).await.unwrap();
        let mut app = delete_account::App::new(&world.settings()).unwrap();
        app.clock = world.clock.production();
        Self { world, app }
    }

    async fn call(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, Value) {
        checked(&delete_account::handle(&self.app, request(method, path, token, body)).await)
    }

    async fn count(&self, sql: &str) -> i64 {
        self.world.database.count(sql).await
    }

    /// Rows of a table per athlete or user, the remaining ones.
    async fn rows(&self, table: &str) -> i64 {
        self.count(&format!("SELECT count(*) FROM {table}")).await
    }
}

/// Once an account is erased, nothing that is written down says whose it was.
fn assert_not_named(story: &Story) {
    for line in story.world.logs.lines() {
        assert!(!line.contains(&ATHLETE.to_string()), "{line}");
    }
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn everything_of_the_caller_goes_and_nothing_of_another() {
    for method in ["POST", "DELETE"] {
        let story = Story::begin().await;
        let token = story.world.token();
        let (status, body) = story.call(method, "/delete-account", Some(&token), "").await;
        assert_eq!((status, &body["success"], body["message"].is_string()), (200, &json!(true), true));
        for (table, left) in [
            ("athletes", 1),
            ("strava_tokens", 1),
            ("activities", 300),
            ("activity_raw", 300),
            ("athlete_days", 300),
            ("sync_jobs", 1),
            ("oauth_states", 1),
            ("pending_revocations", 0),
            ("erasure_receipts", 1),
        ] {
            assert_eq!(story.rows(table).await, left, "{table}");
        }
        assert_eq!(story.count(&format!("SELECT count(*) FROM athletes WHERE id = {OTHER_ATHLETE}")).await, 1);
        assert!(!story.world.strava.is_granted(ATHLETE) && story.world.strava.is_granted(OTHER_ATHLETE));
        assert_not_named(&story);
        // The receipt names nobody.
        let receipt = story.world.database.owner().await.query_one("SELECT r::text FROM erasure_receipts r", &[]).await.unwrap();
        let receipt: &str = receipt.get(0);
        assert!(!receipt.contains(&ATHLETE.to_string()) && !receipt.contains(&story.world.user_id.to_string()), "{receipt}");
        assert_eq!(story.count("SELECT count(*) FROM erasure_receipts WHERE reason = 'account_deleted' AND rows_erased > 600").await, 1);

        // A second call finds nothing and is no error.
        assert_eq!(story.call(method, "/delete-account", Some(&token), "").await.0, 200);
        assert_eq!((story.rows("erasure_receipts").await, story.world.strava.count("revoke")), (1, 1));
        // The athlete is free for another user.
        story.world.connected_athlete(ATHLETE, Uuid::new_v4(), vec![], TOKEN_TTL_S).await;
        story.world.assert_in_order(&[]).await;
    }
}

#[tokio::test]
async fn a_token_that_strava_did_not_revoke_is_all_that_stays() {
    let story = Story::begin().await;
    story.world.strava.fail(On::Revoke(1), Fault::Status(500));
    assert_eq!(story.call("POST", "/delete-account", Some(&story.world.token()), "").await.0, 200);
    assert_eq!((story.rows("athletes").await, story.rows("pending_revocations").await), (1, 1));
    assert!(story.world.strava.is_granted(ATHLETE));
    assert!(story.world.logs.lines().iter().any(|line| line.contains("did not revoke a token")));
    assert_not_named(&story);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn a_user_without_an_athlete_loses_the_authorisation_under_way() {
    let story = Story::begin().await;
    let user = Uuid::new_v4();
    let sql = format!(
        "INSERT INTO oauth_states (state_hash, auth_user_id, expires_at) VALUES (sha256('y'), '{user}', now() + interval '1 hour')"
    );
    story.world.database.owner().await.batch_execute(&sql).await.unwrap();
    let token = story.world.issuer.token(user);
    assert_eq!(story.call("POST", "/delete-account", Some(&token), "").await.0, 200);
    assert_eq!((story.rows("oauth_states").await, story.rows("athletes").await, story.rows("erasure_receipts").await), (2, 2, 0));
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn two_calls_at_once_erase_once() {
    let story = Story::begin().await;
    let token = story.world.token();
    let call = || story.call("POST", "/delete-account", Some(&token), "");
    let ((first, _), (second, _)) = tokio::join!(call(), call());
    assert_eq!((first, second), (200, 200));
    assert_eq!((story.rows("athletes").await, story.rows("erasure_receipts").await), (1, 1));
    assert_eq!((story.rows("pending_revocations").await, story.world.strava.count("revoke")), (0, 1));
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn callers_are_told_apart() {
    let story = Story::begin().await;
    let token = story.world.token();
    assert_eq!(code(&story.call("DELETE", "/delete-account", None, "").await), (401, "UNAUTHORIZED"));
    for (method, path, body, expected) in [
        ("GET", "/delete-account", "", (405, "METHOD_NOT_ALLOWED")),
        ("PUT", "/delete-account", "", (405, "METHOD_NOT_ALLOWED")),
        ("DELETE", "/delete-account/", "", (404, "NOT_FOUND")),
        ("DELETE", "/delete-account/5", "", (404, "NOT_FOUND")),
        ("POST", "/delete-account", "{", (400, "INVALID_REQUEST")),
        ("POST", "/delete-account", r#"{"athlete_id":[]}"#, (400, "INVALID_REQUEST")),
        ("POST", "/delete-account", r#"{"athlete_id":5}"#, (403, "FORBIDDEN")),
        ("DELETE", "/delete-account?athlete_id=5", "", (403, "FORBIDDEN")),
    ] {
        assert_eq!(code(&story.call(method, path, Some(&token), body).await), expected, "{method} {path} {body}");
    }
    let nobody = story.world.issuer.token(Uuid::new_v4());
    assert_eq!(code(&story.call("POST", "/delete-account", Some(&nobody), r#"{"athlete_id":5}"#).await), (403, "FORBIDDEN"));
    assert_eq!(story.call("OPTIONS", "/delete-account", None, "").await.0, 204);
    assert_eq!((story.rows("athletes").await, story.world.strava.count("revoke")), (2, 0));
    story.world.assert_in_order(&[]).await;
}
