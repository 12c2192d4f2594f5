//! Stories in which Strava answers: pages, doubles, bounds.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use runaway_core::domain::{SyncBounds, SyncType};
use runaway_core::queue::SyncMessage;
use serde_json::{Value, json};
use testkit::activity::{ActivityBuilder, daily_runs, shapes};
use testkit::fake_strava::{Fault, Gate, On};
use testkit::queue::batch;

use crate::story::*;

#[tokio::test]
async fn a_history_of_several_pages_arrives_and_a_second_sync_changes_nothing() {
    let story = Story::with_runs(430).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    assert_eq!(story.deliver(job_id).await, nothing_failed());

    let job = story.job(job_id).await;
    assert_eq!((job.status.as_str(), job.progress, job.processed, job.failed), ("completed", 100, 430, 0));
    assert_eq!(story.stored().await, 430);
    // Three pages with something new, one without, and two empty ones before the end is believed.
    assert_eq!(story.world.strava.count("list"), 6);

    let versions = "SELECT sum(xmin::text::bigint)::bigint FROM activities";
    let before = story.world.database.count(versions).await;
    let again = story.start(WHOLE_HISTORY).await;
    assert_ne!(again, job_id);
    story.deliver(again).await;
    assert_eq!(story.job(again).await.processed, 430);
    assert_eq!(story.world.database.count(versions).await, before, "unchanged rows are not written again");
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_message_delivered_three_times_is_worked_on_once() {
    let story = Story::with_runs(30).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    let body = SyncMessage::Job { job_id }.to_body();
    let event = batch(&[body.clone(), body.clone(), body]);
    assert_eq!(sync_processor::handle(&story.app, event, in_fifteen_minutes()).await.unwrap(), nothing_failed());
    assert_eq!((story.stored().await, story.job(job_id).await.processed), (30, 30));
    assert_eq!(story.world.strava.count("list"), 4, "one walk");
    story.ends(&[]).await;
}

#[tokio::test]
async fn two_processors_on_one_job_leave_one_walk() {
    let story = Story::with_runs(430).await;
    let gate = Gate::default();
    story.world.strava.fail(On::List(1), Fault::Held(gate.clone()));
    let job_id = story.start(WHOLE_HISTORY).await;
    let other = processor(&story.world).await;
    let second = async {
        gate.arrival().await;
        let answer = deliver(&other, job_id).await;
        gate.open();
        answer
    };
    let (first, second) = tokio::join!(story.deliver(job_id), second);
    assert_eq!((first, second), (nothing_failed(), nothing_failed()));
    assert_eq!((story.stored().await, story.job(job_id).await.processed), (430, 430));
    assert_eq!(story.world.strava.count("list"), 6);
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_unreadable_object_is_kept_aside_and_the_rest_goes_in() {
    let mut activities = daily_runs(ATHLETE, 1000, 30, Timestamp::now());
    activities[7]["distance"] = json!("a long way");
    let unreadable = activities[7].clone();
    let story = Story::with(activities).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    let job = story.job(job_id).await;
    assert_eq!((job.status.as_str(), job.processed, job.failed, story.stored().await), ("completed", 29, 1, 29));
    let kept = story.world.database.owner().await.query_one("SELECT object FROM unreadable_activities", &[]).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(kept.get(0)).unwrap(), unreadable);
    story.ends(&[]).await;
}

#[tokio::test]
async fn every_shape_strava_sends_is_stored_and_read_back_equal() {
    let shapes = shapes(ATHLETE);
    let story = Story::with(shapes.iter().map(|(_, activity)| activity.clone()).collect()).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    assert_eq!(story.job(job_id).await.failed, 0);
    let owner = story.world.database.owner().await;
    for (name, sent) in &shapes {
        let id = sent["id"].as_i64().unwrap();
        let sql = "SELECT r.summary::text, a.type FROM activity_raw r JOIN activities a ON a.id = r.activity_id WHERE a.id = $1";
        let row = owner.query_opt(sql, &[&id]).await.unwrap().unwrap_or_else(|| panic!("{name} was not stored"));
        assert_eq!(serde_json::from_str::<Value>(row.get(0)).unwrap(), *sent, "{name}");
        assert_eq!(row.get::<_, &str>(1), sent["sport_type"].as_str().or(sent["type"].as_str()).unwrap(), "{name}");
    }
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_activity_uploaded_during_the_walk_doubles_and_loses_nothing() {
    let story = Story::with_runs(430).await;
    let gate = Gate::default();
    story.world.strava.fail(On::List(2), Fault::Held(gate.clone()));
    let job_id = story.start(WHOLE_HISTORY).await;
    let upload = async {
        gate.arrival().await;
        let newest = ActivityBuilder::run(ATHLETE, 999_999, story.now() - jiff::SignedDuration::from_secs(60)).build();
        story.world.strava.add_activity(ATHLETE, newest);
        gate.open();
    };
    tokio::join!(story.deliver(job_id), upload);
    assert_eq!((story.job(job_id).await.processed, story.stored().await), (430, 430));
    let after_s = Some(story.now().as_second() - 7 * DAY_S);
    let catch_up = story.start(SyncBounds { sync_type: SyncType::Incremental, after_s, ..WHOLE_HISTORY }).await;
    story.deliver(catch_up).await;
    assert_eq!(story.stored().await, 431);
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_processor_out_of_time_saves_one_page_and_hands_over() {
    let story = Story::with_runs(430).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    let event = batch(&[SyncMessage::Job { job_id }.to_body()]);
    let answer = sync_processor::handle(&story.app, event, SystemTime::now() + Duration::from_secs(10)).await.unwrap();
    assert_eq!(answer, nothing_failed());
    assert_eq!((story.job(job_id).await.status.as_str(), story.stored().await), ("in_progress", 200));
    let continuation = story.world.queue.take().await;
    assert_eq!(continuation.records.len(), 1, "it sent itself a continuation");
    story.deliver(job_id).await;
    assert_eq!((story.job(job_id).await.status.as_str(), story.stored().await), ("completed", 430));
    story.ends(&[]).await;
}

#[tokio::test]
async fn bounds_and_a_number_limit_what_arrives() {
    let story = Story::with_runs(430).await;
    let newest_300 = SyncBounds { max_activities: Some(300), ..WHOLE_HISTORY };
    let job_id = story.start(newest_300).await;
    story.deliver(job_id).await;
    assert_eq!((story.job(job_id).await.processed, story.stored().await), (300, 300));
    let oldest = "SELECT count(*) FROM activities WHERE id = 1000 + 430 - 300";
    assert_eq!(story.world.database.count(oldest).await, 1, "the newest 300");
    story.ends(&[]).await;
}
