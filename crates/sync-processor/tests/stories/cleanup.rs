//! Stories of what ends: disconnections, their revocation at Strava, and what the night erases.

use runaway_core::config::CleanupConfig;
use serde_json::Value;
use testkit::call::{checked, request};
use testkit::fake_strava::{Fault, Gate, On, deauthorisation};
use testkit::world::ALL_SCOPES;

use crate::story::*;
use crate::told::Told;

/// Tables of what came from Strava, and what was made of it.
const STRAVA_TABLES: [&str; 6] = ["activities", "activity_raw", "athlete_days", "sync_jobs", "strava_events", "strava_tokens"];

impl Told {
    async fn disconnect(&self) {
        let mut app = disconnect::App::new(&self.story.world.settings()).unwrap();
        app.clock = self.story.world.clock.production();
        let token = self.story.world.token();
        let (status, body): (u16, Value) = checked(&disconnect::handle(&app, request("POST", "/disconnect", Some(&token), "")).await);
        assert_eq!((status, body["athlete_id"].as_i64()), (200, Some(ATHLETE)));
    }

    /// The night comes with the days set.
    async fn cleanup(&mut self, erase_after_disconnect_days: i64, retention_days: Option<i64>) -> i64 {
        self.story.app.keep = CleanupConfig { erase_after_disconnect_days, retention_days };
        self.story.task("cleanup").await
    }

    async fn left(&self) -> i64 {
        let mut rows = 0;
        for table in STRAVA_TABLES {
            rows += self.count(&format!("SELECT count(*) FROM {table}")).await;
        }
        rows
    }
}

#[tokio::test]
async fn after_a_real_deauthorisation_the_night_leaves_no_row() {
    let mut told = Told::with_runs(30).await;
    told.story.world.strava.revoke(ATHLETE);
    told.tell(&deauthorisation(ATHLETE)).await;
    told.deliver_all().await;
    told.cleanup(1, None).await;
    assert_eq!(told.story.stored().await, 30, "the days are not over");
    told.cleanup(0, None).await;
    assert_eq!(told.left().await, 0);
    let forgotten = "SELECT count(*) FROM athletes WHERE auth_user_id IS NOT NULL AND first_name IS NULL AND strava_erased_at IS NOT NULL";
    assert_eq!(told.count(forgotten).await, 1, "the athlete stays linked");
    assert_eq!(told.count("SELECT count(*) FROM erasure_receipts WHERE reason = 'disconnected' AND rows_erased > 30").await, 1);
    assert_eq!(told.cleanup(0, None).await, 0, "once is enough");
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn our_own_revocation_coming_back_changes_nothing() {
    let told = Told::with_runs(30).await;
    told.disconnect().await;
    assert!(!told.story.world.strava.is_granted(ATHLETE), "revoked at Strava");
    assert_eq!(told.count("SELECT count(*) FROM pending_revocations").await, 0);
    let at = "SELECT extract(epoch FROM strava_disconnected_at)::bigint FROM athletes";
    let before = told.count(at).await;
    told.story.world.clock.advance(60);
    told.tell(&deauthorisation(ATHLETE)).await;
    told.deliver_all().await;
    assert_eq!((told.count(at).await, told.count("SELECT count(*) FROM strava_events").await), (before, 0));
    assert_eq!(told.story.stored().await, 30);
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn a_revocation_that_strava_did_not_answer_is_made_up_for() {
    let mut told = Told::with_runs(3).await;
    told.story.world.strava.fail(On::Revoke(1), Fault::Status(503));
    told.story.world.strava.fail(On::Revoke(2), Fault::Status(503));
    told.disconnect().await;
    assert_eq!(
        (told.count("SELECT count(*) FROM pending_revocations").await, told.count("SELECT count(*) FROM strava_tokens").await),
        (1, 0)
    );
    told.cleanup(30, None).await;
    assert!(told.story.world.strava.is_granted(ATHLETE));
    told.cleanup(30, None).await;
    assert!(!told.story.world.strava.is_granted(ATHLETE));
    assert_eq!(told.count("SELECT count(*) FROM pending_revocations").await, 0);
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn a_token_that_cannot_be_revoked_is_dropped_after_thirty_days() {
    let mut told = Told::with_runs(3).await;
    told.story.world.strava.fail(On::Revoke(1), Fault::Status(500));
    told.disconnect().await;
    told.story.world.clock.advance(31 * DAY_S);
    told.cleanup(400, None).await;
    assert_eq!((told.count("SELECT count(*) FROM pending_revocations").await, told.story.world.strava.count("revoke")), (0, 1));
    told.story.ends(&["did not revoke 1 tokens for thirty days"]).await;
}

#[tokio::test]
async fn who_connects_again_keeps_everything() {
    let mut told = Told::with_runs(30).await;
    told.story.world.strava.fail(On::Revoke(1), Fault::Status(503));
    told.disconnect().await;
    told.story.world.clock.advance(29 * DAY_S);
    told.cleanup(30, None).await;
    // As the callback connects, the old token is forgotten: revoking it later would end the new connection.
    let (db, now) = (told.story.world.db(), told.story.now());
    told.story.world.strava.connect(ATHLETE, ALL_SCOPES, TOKEN_TTL_S);
    let tx = db.system().await.unwrap();
    let profile = runaway_core::db::athletes::Profile { id: ATHLETE, ..Default::default() };
    assert!(runaway_core::db::athletes::connect(&tx, told.story.world.user_id, &profile, now).await.unwrap());
    runaway_core::db::pending_revocations::forget(&tx, ATHLETE).await.unwrap();
    tx.commit().await.unwrap();
    told.story.world.clock.advance(2 * DAY_S);
    told.cleanup(0, None).await;
    assert_eq!(told.story.stored().await, 30);
    assert!(told.story.world.strava.is_granted(ATHLETE));
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn a_long_history_is_erased_in_batches_and_an_interrupted_night_is_gone_on_with() {
    let mut told = Told::with_runs(1200).await;
    told.disconnect().await;
    told.story.app.keep = CleanupConfig { erase_after_disconnect_days: 0, retention_days: None };
    // No time is left at all: the run ends without an error and without a receipt.
    let answer = sync_processor::handle(&told.story.app, serde_json::json!({"task": "cleanup"}), std::time::SystemTime::now()).await;
    assert_eq!(answer.unwrap()["done"], 0);
    assert_eq!((told.story.stored().await, told.count("SELECT count(*) FROM erasure_receipts").await), (1200, 0));
    // A run that was killed in the middle leaves whole batches.
    while told.story.stored().await == 1200 {
        let tx = told.story.world.db().worker(ATHLETE).await.unwrap();
        runaway_core::db::athlete_tables::erase_strava_batch(&tx, 700).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert!((1..1200).contains(&told.story.stored().await));
    told.cleanup(0, None).await;
    assert_eq!((told.left().await, told.count("SELECT count(*) FROM erasure_receipts").await), (0, 1));
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn finished_jobs_handled_events_old_states_and_allowances_go_after_their_time() {
    let mut told = Told::with_runs(3).await;
    told.tell_of(1001, "update").await;
    told.deliver_all().await;
    let sql = "INSERT INTO oauth_states (state_hash, auth_user_id, expires_at) SELECT sha256('x'), gen_random_uuid(), now()";
    told.story.world.database.owner().await.execute(sql, &[]).await.unwrap();
    told.story.world.clock.advance(8 * DAY_S);
    let today = told.story.now().as_second();
    let allowances = format!(
        "INSERT INTO request_limits (athlete_id, day, kind)
         SELECT id, (to_timestamp({today}) AT TIME ZONE 'UTC')::date - days, 'chat' FROM athletes, unnest(ARRAY[0, 7, 8]) days"
    );
    told.story.world.database.owner().await.execute(&allowances, &[]).await.unwrap();
    told.cleanup(30, None).await;
    assert_eq!(told.count("SELECT count(*) FROM request_limits").await, 2);
    let rows = |table: &'static str| format!("SELECT count(*) FROM {table}");
    assert_eq!((told.count(&rows("strava_events")).await, told.count(&rows("oauth_states")).await), (0, 0));
    assert_eq!(told.count(&rows("sync_jobs")).await, 1);
    told.story.world.clock.advance(23 * DAY_S);
    let unfinished = told.story.start(WHOLE_HISTORY).await;
    told.cleanup(30, None).await;
    assert_eq!((told.count(&rows("sync_jobs")).await, told.story.job(unfinished).await.status.as_str()), (1, "pending"));
    assert_eq!(told.story.stored().await, 3);
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn retention_erases_what_is_held_too_long_and_nothing_without_it() {
    let mut told = Told::with_runs(30).await;
    told.story.world.clock.advance(8 * DAY_S);
    let newer = testkit::ActivityBuilder::run(ATHLETE, 5000, told.story.now()).build();
    told.story.world.strava.add_activity(ATHLETE, newer);
    told.tell_of(5000, "create").await;
    told.deliver_all().await;
    assert_eq!((told.cleanup(30, None).await, told.story.stored().await), (0, 31));
    told.cleanup(30, Some(7)).await;
    assert_eq!(told.story.stored().await, 1, "only what was stored within the days is left");
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn a_page_that_comes_after_the_end_is_not_saved() {
    for (method, path) in [("POST", "/disconnect"), ("DELETE", "/delete-account")] {
        let story = Story::with_runs(430).await;
        let gate = Gate::default();
        story.world.strava.fail(On::List(2), Fault::Held(gate.clone()));
        let job_id = story.start(WHOLE_HISTORY).await;
        let token = story.world.token();
        let end = async {
            gate.arrival().await;
            let call = request(method, path, Some(&token), "");
            let answer = if method == "POST" {
                disconnect::handle(&disconnect::App::new(&story.world.settings()).unwrap(), call).await
            } else {
                delete_account::handle(&delete_account::App::new(&story.world.settings()).unwrap(), call).await
            };
            assert_eq!(answer.status(), 200, "{path}");
            gate.open();
        };
        let (answer, ()) = tokio::join!(story.deliver(job_id), end);
        assert_eq!(answer, nothing_failed());
        let kept = if method == "POST" { 200 } else { 0 };
        assert_eq!((story.stored().await, story.world.strava.count("list")), (kept, 2), "{path}");
        let rows = "SELECT count(*) FROM strava_tokens";
        assert_eq!(story.world.database.count(rows).await, 0);
        story.ends(&[]).await;
    }
}
