//! Stories in which something breaks.

use jiff::Timestamp;
use runaway_core::db::sync_jobs::{self};
use runaway_core::domain::{SyncBounds, SyncType};
use runaway_core::queue::SyncMessage;
use serde_json::json;
use testkit::activity::daily_runs;
use testkit::fake_strava::{Fault, Gate, On};
use testkit::queue::batch;
use uuid::Uuid;

use crate::story::*;

#[tokio::test]
async fn strava_answers_429_on_page_two_and_the_job_goes_on_in_the_next_window() {
    let story = Story::with_runs(430).await;
    story.world.strava.fail(On::List(2), Fault::RateLimitedShort);
    let job_id = story.start(WHOLE_HISTORY).await;
    assert_eq!(story.deliver(job_id).await, nothing_failed());

    let asleep = story.job(job_id).await;
    assert_eq!((asleep.status.as_str(), asleep.processed), ("in_progress", 200));
    assert_eq!(story.stored().await, 200);
    // Neither an early message nor the schedule wakes it.
    story.deliver(job_id).await;
    assert_eq!((story.task("process-pending").await, story.world.strava.count("list")), (0, 2));

    story.world.clock.advance(15 * 60 + 30);
    assert_eq!(story.task("process-pending").await, 1);
    let event = story.world.queue.take().await;
    let bodies: Vec<_> = event.records.iter().filter_map(|record| record.body.clone()).collect();
    assert_eq!(bodies, [SyncMessage::Job { job_id }.to_body()]);
    story.deliver(job_id).await;
    let done = story.job(job_id).await;
    assert_eq!((done.status.as_str(), done.processed), ("completed", 430));
    assert_eq!(story.stored().await, 430);
    story.ends(&[]).await;
}

#[tokio::test]
async fn the_daily_limit_puts_the_job_to_sleep_until_midnight() {
    let story = Story::with_runs(30).await;
    story.world.strava.fail(On::List(1), Fault::RateLimitedDaily);
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    let sql = "SELECT (extract(epoch FROM not_before)::bigint % 86400) FROM sync_jobs";
    assert!(story.world.database.count(sql).await < 60, "it wakes within a minute of midnight");
    story.world.clock.advance(DAY_S + 60);
    story.deliver(job_id).await;
    assert_eq!(story.job(job_id).await.status, "completed");
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_processor_killed_between_pages_is_followed_by_another() {
    let story = Story::with_runs(430).await;
    let gate = Gate::default();
    story.world.strava.fail(On::List(2), Fault::Held(gate.clone()));
    let job_id = story.start(WHOLE_HISTORY).await;
    tokio::select! {
        answer = story.deliver(job_id) => panic!("it should have been killed: {answer}"),
        () = gate.arrival() => {}
    }
    assert_eq!(story.stored().await, 200);
    // The lease still stands: nobody takes the job up, the message is not an error.
    assert_eq!(story.deliver(job_id).await, nothing_failed());
    assert_eq!(story.job(job_id).await.status, "in_progress");

    story.world.clock.advance(5 * 60);
    assert_eq!((story.task("reset-stuck").await, story.task("process-pending").await), (1, 1));
    story.deliver(job_id).await;
    let done = story.job(job_id).await;
    assert_eq!((done.status.as_str(), done.processed, story.stored().await), ("completed", 430, 430));
    assert_eq!(story.world.database.count("SELECT strikes::bigint FROM sync_jobs").await, 1);
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_processor_whose_lease_was_taken_writes_nothing_more() {
    let story = Story::with_runs(430).await;
    let gate = Gate::default();
    story.world.strava.fail(On::List(2), Fault::Held(gate.clone()));
    let job_id = story.start(WHOLE_HISTORY).await;
    let other = processor(&story.world).await;
    let overtake = async {
        gate.arrival().await;
        story.world.clock.advance(5 * 60);
        deliver(&other, job_id).await;
        gate.open();
    };
    tokio::join!(story.deliver(job_id), overtake);
    let done = story.job(job_id).await;
    assert_eq!((done.status.as_str(), done.processed, story.stored().await), ("completed", 430, 430));
    story.ends(&[]).await;
}

#[tokio::test]
async fn three_lost_leases_end_the_job_with_a_sentence() {
    let story = Story::with_runs(30).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    for n in 1..=3 {
        let gate = Gate::default();
        story.world.strava.fail(On::List(n), Fault::Held(gate.clone()));
        tokio::select! {
            _ = story.deliver(job_id) => panic!("it should have been killed"),
            () = gate.arrival() => {}
        }
        story.world.clock.advance(5 * 60);
        story.task("reset-stuck").await;
    }
    let job = story.job(job_id).await;
    assert_eq!(job.status, "failed");
    assert!(job.error_message.unwrap().ends_with("Please start it again."));
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_token_that_expires_in_the_middle_is_refreshed_once() {
    let story = Story::with_runs(430).await;
    story.world.strava.fail(On::List(2), Fault::TokenExpires);
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    let job = story.job(job_id).await;
    assert_eq!((job.status.as_str(), job.processed, story.stored().await), ("completed", 430, 430));
    assert_eq!(story.world.strava.count("refresh"), 1);
    story.ends(&[]).await;
}

#[tokio::test]
async fn two_workers_with_an_old_token_refresh_it_once() {
    let story = Story::with_token(daily_runs(ATHLETE, 1000, 30, Timestamp::now()), 600).await;
    let full = story.start(WHOLE_HISTORY).await;
    let after_s = Some(story.now().as_second() - 10 * DAY_S);
    let second = {
        let tx = story.world.db().system().await.unwrap();
        let bounds = SyncBounds { sync_type: SyncType::Incremental, after_s, ..WHOLE_HISTORY };
        let job = sync_jobs::insert(&tx, Uuid::now_v7(), ATHLETE, &bounds, story.now()).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        job.id
    };
    let other = processor(&story.world).await;
    tokio::join!(story.deliver(full), deliver(&other, second));
    assert_eq!((story.job(full).await.status.as_str(), story.job(second).await.status.as_str()), ("completed", "completed"));
    assert_eq!((story.stored().await, story.world.strava.count("refresh")), (30, 1));
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_short_outage_is_bridged_and_a_long_one_put_off() {
    for (fault, name) in [(Fault::Status(503), "503"), (Fault::Truncated, "cut short"), (Fault::Html, "a page of HTML")] {
        let story = Story::with_runs(30).await;
        for n in 1..=2 {
            story.world.strava.fail(On::List(n), fault.clone());
        }
        let job_id = story.start(WHOLE_HISTORY).await;
        story.deliver(job_id).await;
        assert_eq!((story.job(job_id).await.status.as_str(), story.stored().await), ("completed", 30), "{name}");
        story.ends(&[]).await;
    }
    let story = Story::with_runs(30).await;
    for n in 1..=3 {
        story.world.strava.fail(On::List(n), Fault::Status(500));
    }
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    assert_eq!((story.job(job_id).await.status.as_str(), story.world.strava.count("list")), ("in_progress", 3));
    story.world.clock.advance(6 * 60);
    story.deliver(job_id).await;
    assert_eq!((story.job(job_id).await.status.as_str(), story.stored().await), ("completed", 30));
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_empty_page_in_the_middle_is_not_taken_for_the_end() {
    let story = Story::with_runs(430).await;
    story.world.strava.fail(On::List(2), Fault::Empty);
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    assert_eq!((story.job(job_id).await.processed, story.stored().await), (430, 430));
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_revoked_connection_ends_the_job_and_tells_the_athlete() {
    let story = Story::with_runs(30).await;
    story.world.strava.revoke(ATHLETE);
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    let job = story.job(job_id).await;
    assert_eq!(job.status, "failed");
    assert_eq!(job.error_message.as_deref(), Some("Strava no longer accepts the connection. Please connect Strava again."));
    assert_eq!(story.world.database.count("SELECT count(*) FROM strava_tokens").await, 0);
    assert_eq!(story.world.database.count("SELECT count(*) FROM athletes WHERE strava_connected").await, 0);
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_inactive_application_alarms_and_keeps_the_connection() {
    let story = Story::with_runs(30).await;
    story.world.strava.fail(On::List(1), Fault::Inactive);
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    assert_eq!(story.job(job_id).await.status, "in_progress");
    assert_eq!(story.world.database.count("SELECT count(*) FROM athletes WHERE strava_connected").await, 1);
    story.ends(&["Strava refuses this application"]).await;
}

#[tokio::test]
async fn one_bad_record_does_not_fail_its_neighbours() {
    let story = Story::with_runs(30).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    let unknown = SyncMessage::Job { job_id: Uuid::new_v4() }.to_body();
    let event = batch(&["nonsense".to_owned(), SyncMessage::Job { job_id }.to_body(), unknown]);
    let answer = sync_processor::handle(&story.app, event, in_fifteen_minutes()).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m0" }] }));
    assert_eq!(story.job(job_id).await.status, "completed");
    for event in [json!({}), json!({ "task": "dance" }), json!(null)] {
        assert!(sync_processor::handle(&story.app, event, in_fifteen_minutes()).await.is_err());
    }
    story.ends(&["A message cannot be read"]).await;
}
