//! How many syncs an athlete may begin in a day.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use futures_util::future::join_all;
use runaway_core::config::DailyLimit;
use runaway_core::domain::{SyncBounds, SyncType};
use runaway_core::flows;
use serde_json::Value;
use testkit::World;
use testkit::call::{checked, request};
use uuid::Uuid;

const ATHLETE: i64 = 94_451_852;
const OTHER_ATHLETE: i64 = 5;
const HALF_A_DAY_S: i64 = 12 * 3600;

struct Story {
    world: World,
    app: sync_beta::App,
    token: String,
    other_token: String,
}

impl Story {
    /// At noon.
    async fn with_limit(requests_max: i32) -> Self {
        let (world, other_user) = (World::new().await, Uuid::new_v4());
        world.clock.stop_at("2026-11-27T12:00:00Z".parse().unwrap());
        world.connected_athlete(ATHLETE, world.user_id, vec![], HALF_A_DAY_S).await;
        world.connected_athlete(OTHER_ATHLETE, other_user, vec![], HALF_A_DAY_S).await;
        let mut app = sync_beta::App::new(&world.settings()).await.unwrap();
        app.clock = world.clock.production();
        app.limit = DailyLimit { requests_max, ..app.limit };
        let (token, other_token) = (world.token(), world.issuer.token(other_user));
        Self { world, app, token, other_token }
    }

    /// Status, body and `Retry-After`.
    async fn sync(&self, token: &str, body: &str) -> (u16, Value, Option<i64>) {
        let answer = sync_beta::handle(&self.app, request("POST", "/sync-beta", Some(token), body)).await;
        let retry_after = answer.headers().get("retry-after").map(|seconds| seconds.to_str().unwrap().parse().unwrap());
        let (status, body) = checked(&answer);
        (status, body, retry_after)
    }

    async fn count(&self, sql: &str) -> i64 {
        self.world.database.count(sql).await
    }

    async fn finish_jobs(&self) {
        let sql = "UPDATE sync_jobs SET status = 'completed', progress = 100 WHERE status = 'pending'";
        self.world.database.owner().await.batch_execute(sql).await.unwrap();
    }
}

#[tokio::test]
async fn the_days_syncs_end_and_begin_anew_at_midnight() {
    let story = Story::with_limit(3).await;
    for _ in 0..3 {
        assert_eq!(story.sync(&story.token, "{}").await.0, 201);
        assert_eq!(story.sync(&story.token, "{}").await.0, 200, "what is covered costs nothing");
        story.finish_jobs().await;
    }
    let (status, error, retry_after) = story.sync(&story.token, "{}").await;
    assert_eq!((status, error["error"]["code"].as_str()), (429, Some("RATE_LIMITED")));
    assert!(error["error"]["message"].as_str().unwrap().starts_with("Strava has been synced"), "{error}");
    assert_eq!(retry_after, Some(HALF_A_DAY_S));
    assert_eq!(story.count("SELECT count(*) FROM sync_jobs").await, 3, "the refused job is not there");
    assert_eq!(story.sync(&story.other_token, "{}").await.0, 201, "the allowance is each athlete's own");

    story.world.clock.advance(HALF_A_DAY_S);
    assert_eq!(story.sync(&story.token, "{}").await.0, 201);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn widening_a_job_costs_as_much_as_beginning_one() {
    let story = Story::with_limit(2).await;
    let first_s = "SELECT after_s FROM sync_jobs";
    assert_eq!(story.sync(&story.token, r#"{"after":1700000000}"#).await.0, 201);
    assert_eq!(story.sync(&story.token, r#"{"after":1600000000}"#).await.0, 200);
    assert_eq!(story.count("SELECT requests::bigint FROM request_limits WHERE kind = 'sync'").await, 2);
    assert_eq!(story.sync(&story.token, r#"{"after":1600000000}"#).await.0, 200, "what is covered costs nothing");
    let (status, error, _) = story.sync(&story.token, r#"{"after":1500000000}"#).await;
    assert_eq!((status, error["error"]["code"].as_str()), (429, Some("RATE_LIMITED")));
    assert_eq!(story.count(first_s).await, 1_600_000_000, "the job is not widened");
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn a_job_begun_for_the_athlete_costs_nothing_and_is_found_when_none_is_left() {
    let story = Story::with_limit(0).await;
    assert_eq!(story.sync(&story.token, "{}").await.0, 429);
    let tx = story.world.db().system().await.unwrap();
    let whole = SyncBounds { sync_type: SyncType::Full, after_s: None, before_s: None, max_activities: None };
    let begun = flows::start_sync(&tx, ATHLETE, &whole, Uuid::now_v7(), story.world.clock.production().now()).await.unwrap();
    tx.commit().await.unwrap();
    let (status, job, _) = story.sync(&story.token, "{}").await;
    assert_eq!((status, job["job_id"].as_str()), (200, Some(begun.job.id.to_string().as_str())));
    assert_eq!(story.count("SELECT count(*) FROM request_limits").await, 0);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn twenty_requests_at_once_stay_within_the_limit() {
    let story = Story::with_limit(4).await;
    // Jobs end while requests come: every request may meet none and begin one.
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let kinds = ["{}", r#"{"sync_type":"full"}"#];
        let round = join_all((0..20).map(|n| story.sync(&story.token, kinds[n % 2]))).await;
        statuses.extend(round.into_iter().map(|(status, _, _)| status));
        story.finish_jobs().await;
    }
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 4);
    assert!(statuses.iter().all(|status| [200, 201, 429].contains(status)), "{statuses:?}");
    assert_eq!(statuses[80..], [429; 20], "the last round meets no job and begins none");
    assert_eq!(story.count("SELECT count(*) FROM sync_jobs").await, 4);
    assert_eq!(story.count("SELECT requests::bigint FROM request_limits WHERE kind = 'sync'").await, 4);
    story.world.assert_in_order(&[]).await;
}
