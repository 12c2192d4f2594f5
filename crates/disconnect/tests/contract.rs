//! `POST /disconnect` as the app reads it, and what holds afterwards.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use jiff::Timestamp;
use runaway_core::domain::{SyncBounds, SyncType};
use runaway_core::flows::{self, AccessError, fresh_token};
use serde_json::{Value, json};
use testkit::World;
use testkit::activity::daily_runs;
use testkit::call::{checked, request};
use testkit::fake_strava::{Fault, Gate, On};
use uuid::Uuid;

const ATHLETE: i64 = 94_451_852;
const OTHER_ATHLETE: i64 = 5;
const TOKEN_TTL_S: i64 = 6 * 3600;

struct Story {
    world: World,
    app: disconnect::App,
}

impl Story {
    async fn begin() -> Self {
        Self::with_token(TOKEN_TTL_S).await
    }

    async fn with_token(ttl_s: i64) -> Self {
        let world = World::new().await;
        world.connected_athlete(ATHLETE, world.user_id, daily_runs(ATHLETE, 1, 3, Timestamp::now()), ttl_s).await;
        world.connected_athlete(OTHER_ATHLETE, Uuid::new_v4(), vec![], ttl_s).await;
        let mut app = disconnect::App::new(&world.settings()).unwrap();
        app.clock = world.clock.production();
        Self { world, app }
    }

    async fn call(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, Value) {
        checked(&disconnect::handle(&self.app, request(method, path, token, body)).await)
    }

    async fn disconnect(&self) -> (u16, Value) {
        self.call("POST", "/disconnect", Some(&self.world.token()), "").await
    }

    async fn count(&self, sql: &str) -> i64 {
        self.world.database.count(sql).await
    }

    /// Whether another flow can still have a token.
    async fn token_is_had(&self) -> bool {
        let now = self.world.clock.production().now();
        match fresh_token(&self.world.db(), &self.world.vault(), &self.world.strava_client(), ATHLETE, now, None).await {
            Ok(_) => true,
            Err(AccessError::NotConnected) => false,
            Err(error) => panic!("{error}"),
        }
    }
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_disconnected_athlete_has_no_token_and_no_running_sync() {
    let story = Story::begin().await;
    let tx = story.world.db().athlete(story.world.user_id).await.unwrap();
    let whole = SyncBounds { sync_type: SyncType::Full, after_s: None, before_s: None, max_activities: None };
    flows::start_sync(&tx, ATHLETE, &whole, Uuid::now_v7(), Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    let (status, body) = story.disconnect().await;
    assert_eq!((status, &body["success"], &body["athlete_id"]), (200, &json!(true), &json!(ATHLETE)));
    assert!(body["message"].as_str().is_some_and(|message| message.ends_with('.')));

    assert!(!story.token_is_had().await && !story.world.strava.is_granted(ATHLETE));
    let gone =
        format!("SELECT count(*) FROM athletes WHERE id = {ATHLETE} AND NOT strava_connected AND strava_disconnected_at IS NOT NULL");
    assert_eq!(story.count(&gone).await, 1);
    let failed = "SELECT count(*) FROM sync_jobs WHERE status = 'failed' AND error_message LIKE 'Strava was disconnected.%' AND completed_at IS NOT NULL";
    assert_eq!((story.count(failed).await, story.count("SELECT count(*) FROM sync_jobs").await), (1, 1));
    assert_eq!(story.count("SELECT count(*) FROM pending_revocations").await, 0);
    // The athlete stays linked, and the other one is not touched.
    assert_eq!(story.count("SELECT count(*) FROM athletes WHERE auth_user_id IS NOT NULL").await, 2);
    assert_eq!(story.count(&format!("SELECT count(*) FROM strava_tokens WHERE athlete_id = {OTHER_ATHLETE}")).await, 1);
    assert!(story.world.strava.is_granted(OTHER_ATHLETE));

    let at = format!("SELECT extract(epoch FROM strava_disconnected_at)::bigint FROM athletes WHERE id = {ATHLETE}");
    let first = story.count(&at).await;
    story.world.clock.advance(60);
    assert_eq!((story.disconnect().await.0, story.count(&at).await), (200, first), "a second call changes nothing");
    assert_eq!(story.world.strava.count("revoke"), 1);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn strava_s_silence_is_no_reason_to_keep_the_connection() {
    let story = Story::begin().await;
    story.world.strava.fail(On::Revoke(1), Fault::Status(503));
    assert_eq!(story.disconnect().await.0, 200);
    assert!(!story.token_is_had().await, "the kept token is nobody's to use");
    assert_eq!(story.count(&format!("SELECT count(*) FROM pending_revocations WHERE athlete_id = {ATHLETE}")).await, 1);
    assert!(story.world.strava.is_granted(ATHLETE));
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn a_refresh_under_way_is_waited_for_and_its_token_revoked() {
    let story = Story::with_token(60).await;
    let gate = Gate::default();
    story.world.strava.fail(On::Refresh(1), Fault::Held(gate.clone()));
    let (db, vault, strava) = (story.world.db(), story.world.vault(), story.world.strava_client());
    let refresh = async { fresh_token(&db, &vault, &strava, ATHLETE, Timestamp::now(), None).await.is_ok() };
    let ended = async {
        gate.arrival().await;
        let opened = async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            gate.open();
        };
        tokio::join!(story.disconnect(), opened).0
    };
    let (refreshed, (status, _)) = tokio::join!(refresh, ended);
    assert_eq!((refreshed, status), (true, 200));
    assert!(!story.token_is_had().await && !story.world.strava.is_granted(ATHLETE), "the rotated token was the one revoked");
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn callers_are_told_apart() {
    let story = Story::begin().await;
    let token = story.world.token();
    assert_eq!(code(&story.call("POST", "/disconnect", None, "").await), (401, "UNAUTHORIZED"));
    for (method, path, body, expected) in [
        ("GET", "/disconnect", "", (405, "METHOD_NOT_ALLOWED")),
        ("DELETE", "/disconnect", "", (405, "METHOD_NOT_ALLOWED")),
        ("POST", "/disconnect/", "", (404, "NOT_FOUND")),
        ("POST", "/disconnect/94451852", "", (404, "NOT_FOUND")),
        ("POST", "/disconnect", "[]", (400, "INVALID_REQUEST")),
        ("POST", "/disconnect", r#"{"athlete_id":"x"}"#, (400, "INVALID_REQUEST")),
        ("POST", "/disconnect?athlete_id=x", "", (400, "INVALID_REQUEST")),
        ("POST", "/disconnect", r#"{"athlete_id":5}"#, (403, "FORBIDDEN")),
        ("POST", "/disconnect", r#"{"user_id":"17"}"#, (403, "FORBIDDEN")),
        ("POST", "/disconnect?athlete_id=5", "", (403, "FORBIDDEN")),
    ] {
        assert_eq!(code(&story.call(method, path, Some(&token), body).await), expected, "{method} {path} {body}");
    }
    let nobody = story.world.issuer.token(Uuid::new_v4());
    assert_eq!(code(&story.call("POST", "/disconnect", Some(&nobody), r#"{"athlete_id":5}"#).await), (403, "FORBIDDEN"));
    let (status, body) = story.call("POST", "/disconnect", Some(&nobody), "").await;
    assert_eq!((status, &body["success"], &body["athlete_id"]), (200, &json!(true), &json!(0)));
    assert_eq!(story.call("OPTIONS", "/disconnect", None, "").await.0, 204);
    assert_eq!(story.count("SELECT count(*) FROM strava_tokens").await, 2);
    assert_eq!(story.world.strava.count("revoke"), 0);
    assert_eq!(story.call("POST", "/disconnect", Some(&token), r#"{"athlete_id":"94451852"}"#).await.0, 200);
    story.world.assert_in_order(&[]).await;
}
