//! Stories of the key ring: rotated while syncs run, and a key that is lost.

use runaway_core::vault::Vault;
use testkit::activity::daily_runs;
use testkit::fake_strava::{Fault, Gate, On};
use testkit::world::new_token_key;

use crate::story::*;

const LOST: &str = "cannot be opened";

fn vault(ring: &str) -> Vault {
    Vault::from_ring(&ring.to_owned().into()).unwrap()
}

/// Rows of tokens by the first letters of the keys that sealed them, without anything being opened.
async fn sealed_with(story: &Story, key_id: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM strava_tokens WHERE substr(access_token, 3, {}) = '{key_id}'", key_id.len());
    story.world.database.count(&sql).await
}

#[tokio::test]
async fn the_ring_is_rotated_while_a_history_arrives() {
    let mut story = Story::with_runs(430).await;
    let (old, new) = (story.world.token_keys.clone(), new_token_key("new"));
    let gate = Gate::default();
    story.world.strava.fail(On::List(2), Fault::Held(gate.clone()));
    // First every function gets the new key behind the old one.
    story.app.vault = vault(&format!("{old},{new}"));
    let mut newer = processor(&story.world).await;
    newer.vault = vault(&format!("{new},{old}"));
    let job_id = story.start(WHOLE_HISTORY).await;
    let rotate = async {
        gate.arrival().await;
        // Then it seals, in functions that are deployed while others still run.
        let done = sync_processor::handle(&newer, serde_json::json!({"task": "reseal"}), in_fifteen_minutes()).await.unwrap();
        assert_eq!((done["done"].as_i64(), sealed_with(&story, "new").await), (Some(1), 1));
        gate.open();
    };
    let (answer, ()) = tokio::join!(story.deliver(job_id), rotate);
    assert_eq!(answer, nothing_failed());
    assert_eq!((story.job(job_id).await.status.as_str(), story.stored().await), ("completed", 430));
    // At last the old key goes, and nobody misses it.
    story.app.vault = vault(&new);
    assert_eq!(story.task("reseal").await, 0);
    let second = story.start(WHOLE_HISTORY).await;
    story.deliver(second).await;
    assert_eq!(story.job(second).await.status, "completed");
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_refresh_under_way_is_neither_waited_for_nor_undone() {
    let mut story = Story::with_token(daily_runs(ATHLETE, 1000, 30, jiff::Timestamp::now()), 600).await;
    story.world.connected_athlete(ATHLETE + 1, uuid::Uuid::new_v4(), vec![], TOKEN_TTL_S).await;
    let (old, new) = (story.world.token_keys.clone(), new_token_key("new"));
    let gate = Gate::default();
    story.world.strava.fail(On::Refresh(1), Fault::Held(gate.clone()));
    let mut newer = processor(&story.world).await;
    newer.vault = vault(&format!("{new},{old}"));
    let reseal = async || {
        let done = sync_processor::handle(&newer, serde_json::json!({"task": "reseal"}), in_fifteen_minutes()).await.unwrap();
        done["done"].as_i64().unwrap()
    };
    let job_id = story.start(WHOLE_HISTORY).await;
    let rotate = async {
        gate.arrival().await;
        assert_eq!((reseal().await, sealed_with(&story, "new").await, sealed_with(&story, "test").await), (1, 1, 1));
        gate.open();
    };
    tokio::join!(story.deliver(job_id), rotate);
    assert_eq!((story.job(job_id).await.status.as_str(), story.world.strava.count("refresh")), ("completed", 1));
    // What the refresh brought, sealed by a function of before, comes next time.
    assert_eq!((reseal().await, sealed_with(&story, "new").await), (1, 2));
    story.app.vault = vault(&new);
    let second = story.start(WHOLE_HISTORY).await;
    story.deliver(second).await;
    assert_eq!((story.job(second).await.status.as_str(), story.world.strava.count("refresh")), ("completed", 1));
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_lost_key_is_the_operators_to_find_and_the_athletes_to_know() {
    let mut story = Story::with_runs(30).await;
    story.world.connected_athlete(ATHLETE + 1, uuid::Uuid::new_v4(), vec![], TOKEN_TTL_S).await;
    let right = std::mem::replace(&mut story.app.vault, vault(&new_token_key("other")));
    let job_id = story.start(WHOLE_HISTORY).await;
    assert_eq!(story.deliver(job_id).await, nothing_failed(), "no dead letter for what another delivery does not mend");
    let waits = story.job(job_id).await;
    assert_eq!((waits.status.as_str(), waits.failing_since.is_some(), story.world.strava.count("list")), ("in_progress", true, 0));
    let named = [format!(r#""job.id":"{job_id}""#), format!(r#""athlete.id":{ATHLETE}"#), r#""key.id":"test""#.to_owned()];
    let lines = story.world.logs.lines();
    let line = lines.iter().find(|line| line.contains(r#""level":"ERROR""#)).unwrap();
    assert!(named.iter().all(|part| line.contains(part.as_str())), "{line}");

    // The nightly task says how many are concerned, in one line.
    assert_eq!(story.task("reseal").await, 0);
    let summary = r#""key.id":"test","rows":2"#;
    assert_eq!(story.world.logs.lines().iter().filter(|line| line.contains(summary)).count(), 1, "{:#?}", story.world.logs.lines().last());

    // The key is found within three days: the job goes on by itself.
    let lost = std::mem::replace(&mut story.app.vault, right);
    story.world.clock.advance(2 * DAY_S);
    assert_eq!(story.task("process-pending").await, 1);
    story.world.queue.take().await;
    story.deliver(job_id).await;
    assert_eq!((story.job(job_id).await.status.as_str(), story.stored().await), ("completed", 30));

    // It is not found: the athlete is told what to do.
    story.app.vault = lost;
    let second = story.start(WHOLE_HISTORY).await;
    story.deliver(second).await;
    story.world.clock.advance(3 * DAY_S);
    story.deliver(second).await;
    let ended = story.job(second).await;
    assert_eq!(
        (ended.status.as_str(), ended.error_message.as_deref()),
        ("failed", Some("We could not use your connection to Strava for three days. Please connect Strava again."))
    );
    story.ends(&[LOST]).await;
}

#[tokio::test]
async fn a_token_that_is_another_athletes_ends_the_job_at_once() {
    let story = Story::with_runs(30).await;
    story.world.connected_athlete(ATHLETE + 1, uuid::Uuid::new_v4(), vec![], TOKEN_TTL_S).await;
    let sql = format!(
        "UPDATE strava_tokens t SET access_token = s.access_token, refresh_token = s.refresh_token FROM strava_tokens s
          WHERE t.athlete_id = {ATHLETE} AND s.athlete_id = {ATHLETE} + 1"
    );
    story.world.database.owner().await.batch_execute(&sql).await.unwrap();
    let job_id = story.start(WHOLE_HISTORY).await;
    assert_eq!(story.deliver(job_id).await, nothing_failed());
    let ended = story.job(job_id).await;
    assert_eq!(
        (ended.status.as_str(), ended.error_message.as_deref()),
        ("failed", Some("We can no longer use your connection to Strava. Please connect Strava again."))
    );
    assert_eq!((story.stored().await, story.world.strava.count("list")), (0, 0));
    // The athlete does, and all is well.
    story.world.connect(ATHLETE, story.world.user_id, TOKEN_TTL_S).await;
    let again = story.start(WHOLE_HISTORY).await;
    story.deliver(again).await;
    assert_eq!((story.job(again).await.status.as_str(), story.stored().await), ("completed", 30));
    story.ends(&[LOST]).await;
}
