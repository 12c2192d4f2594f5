//! Stories in which activities disappear, or seem to.

use jiff::Timestamp;
use runaway_core::domain::{SyncBounds, SyncType};
use serde_json::json;
use testkit::activity::{ActivityBuilder, daily_runs};
use testkit::fake_strava::{Fault, Gate, On};
use uuid::Uuid;

use crate::story::*;

/// Ids of [`Story::with_runs`] begin here; the newest activity has the highest.
const FIRST_ID: i64 = 1000;

async fn synced(count: i64) -> Story {
    let story = Story::with_runs(count).await;
    sync(&story).await;
    story
}

async fn sync(story: &Story) -> Uuid {
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    job_id
}

#[tokio::test]
async fn what_is_gone_at_strava_is_asked_for_by_itself_and_removed() {
    let story = synced(430).await;
    for id in [FIRST_ID, FIRST_ID + 200, FIRST_ID + 429] {
        story.world.strava.delete_activity(ATHLETE, id);
    }
    let job_id = sync(&story).await;
    let job = story.job(job_id).await;
    assert_eq!((job.status.as_str(), job.error_message.as_deref(), job.processed), ("completed", None, 427));
    assert_eq!((story.stored().await, story.world.strava.count("detail")), (427, 3));
    assert_eq!(story.world.database.count("SELECT count(*) FROM vanished_candidates").await, 0);
    story.ends(&[]).await;
}

#[tokio::test]
async fn more_than_twenty_gone_at_once_are_not_believed() {
    let story = synced(60).await;
    for n in 0..21 {
        story.world.strava.delete_activity(ATHLETE, FIRST_ID + 2 * n);
    }
    let job_id = sync(&story).await;
    let job = story.job(job_id).await;
    assert_eq!((job.status.as_str(), job.processed), ("completed", 39));
    assert!(job.error_message.unwrap().contains("Nothing was removed"));
    assert_eq!((story.stored().await, story.world.strava.count("detail")), (60, 0));

    story
        .world
        .strava
        .add_activity(ATHLETE, ActivityBuilder::run(ATHLETE, FIRST_ID, story.now() - jiff::SignedDuration::from_hours(24 * 59)).build());
    let job_id = sync(&story).await;
    assert_eq!((story.job(job_id).await.error_message, story.stored().await), (None, 40));
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_empty_list_that_is_wrong_removes_nothing() {
    let story = synced(10).await;
    let before = story.world.strava.count("list");
    for n in 1..=2 {
        story.world.strava.fail(On::List(before + n), Fault::Empty);
    }
    let job_id = sync(&story).await;
    assert_eq!((story.job(job_id).await.processed, story.stored().await), (0, 10));
    assert_eq!(story.world.strava.count("detail"), 10, "each was asked for");
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_empty_page_in_the_middle_is_forgotten_when_the_rest_comes() {
    let story = synced(430).await;
    story.world.strava.fail(On::List(story.world.strava.count("list") + 2), Fault::Empty);
    let job_id = sync(&story).await;
    assert_eq!((story.job(job_id).await.processed, story.stored().await, story.world.strava.count("detail")), (430, 430, 0));
    story.ends(&[]).await;
}

#[tokio::test]
async fn what_cannot_be_read_any_more_is_still_there() {
    let story = synced(30).await;
    story.world.strava.edit_activity(ATHLETE, FIRST_ID + 7, &[("distance", json!("a long way"))]);
    let job_id = sync(&story).await;
    assert_eq!((story.job(job_id).await.failed, story.stored().await, story.world.strava.count("detail")), (1, 30, 0));
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_sync_that_does_not_list_everything_removes_only_what_it_can_know() {
    let story = synced(60).await;
    for id in [FIRST_ID, FIRST_ID + 58] {
        story.world.strava.delete_activity(ATHLETE, id);
    }
    let newest = SyncBounds { max_activities: Some(40), ..WHOLE_HISTORY };
    let past = SyncBounds { before_s: Some(story.now().as_second() - DAY_S / 2), ..WHOLE_HISTORY };
    for bounds in [newest, past] {
        let job_id = story.start(bounds).await;
        story.deliver(job_id).await;
        assert_eq!((story.job(job_id).await.status.as_str(), story.stored().await), ("completed", 60), "{bounds:?}");
    }
    let after_s = Some(story.now().as_second() - 7 * DAY_S);
    let recent = story.start(SyncBounds { sync_type: SyncType::Incremental, after_s, ..WHOLE_HISTORY }).await;
    story.deliver(recent).await;
    assert_eq!(story.stored().await, 59, "the last week is listed completely, the first run lies outside of it");
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_narrower_permission_hides_and_does_not_delete() {
    let mut runs = daily_runs(ATHLETE, FIRST_ID, 30, Timestamp::now());
    for n in [3, 4] {
        runs[n]["private"] = json!(true);
    }
    let story = Story::with(runs).await;
    sync(&story).await;
    story.world.strava.set_scope(ATHLETE, "read,activity:read");
    sync(&story).await;
    assert_eq!((story.stored().await, story.world.strava.count("detail")), (30, 0));

    // With one still listed the other is known to be gone.
    story.world.strava.set_scope(ATHLETE, testkit::world::ALL_SCOPES);
    story.world.strava.delete_activity(ATHLETE, FIRST_ID + 3);
    sync(&story).await;
    assert_eq!((story.stored().await, story.world.strava.count("detail")), (29, 1));
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_processor_killed_while_asking_is_followed_by_another() {
    let story = synced(30).await;
    for id in [FIRST_ID + 3, FIRST_ID + 4] {
        story.world.strava.delete_activity(ATHLETE, id);
    }
    let gate = Gate::default();
    story.world.strava.fail(On::Detail(2), Fault::Held(gate.clone()));
    let job_id = story.start(WHOLE_HISTORY).await;
    tokio::select! {
        _ = story.deliver(job_id) => panic!("it should have been killed"),
        () = gate.arrival() => {}
    }
    assert_eq!((story.stored().await, story.job(job_id).await.status.as_str()), (29, "in_progress"));
    story.world.clock.advance(5 * 60);
    story.deliver(job_id).await;
    assert_eq!((story.stored().await, story.job(job_id).await.status.as_str()), (28, "completed"));
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_activity_that_moves_to_where_the_walk_has_been_is_kept_with_its_new_time() {
    let story = synced(430).await;
    let gate = Gate::default();
    story.world.strava.fail(On::List(story.world.strava.count("list") + 2), Fault::Held(gate.clone()));
    let job_id = story.start(WHOLE_HISTORY).await;
    let moved_to = (story.now() - jiff::SignedDuration::from_hours(1)).to_string();
    let edit = async {
        gate.arrival().await;
        let time = json!(moved_to);
        story.world.strava.edit_activity(ATHLETE, FIRST_ID + 100, &[("start_date", time.clone()), ("start_date_local", time)]);
        gate.open();
    };
    tokio::join!(story.deliver(job_id), edit);
    assert_eq!((story.job(job_id).await.processed, story.stored().await), (429, 430));
    let sql = format!("SELECT count(*) FROM activities WHERE id = {} AND activity_date = '{moved_to}'", FIRST_ID + 100);
    assert_eq!((story.world.database.count(&sql).await, story.world.strava.count("detail")), (1, 1));
    story.ends(&[]).await;
}
