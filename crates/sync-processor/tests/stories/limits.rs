//! Stories about what all jobs share: the rate limit and Strava's outages.

use jiff::SignedDuration;
use runaway_core::domain::{SyncBounds, SyncType, next_daily_window, next_quarter_hour};
use testkit::activity::daily_runs;
use testkit::fake_strava::{Fault, On};
use uuid::Uuid;

use crate::story::*;

const OTHER_ATHLETE: i64 = 4712;

/// A second athlete's full sync, written as the callback does.
async fn other_job(story: &Story, runs: i64) -> Uuid {
    let activities = daily_runs(OTHER_ATHLETE, 500_000, runs, story.now());
    story.world.connected_athlete(OTHER_ATHLETE, Uuid::new_v4(), activities, TOKEN_TTL_S).await;
    let tx = story.world.db().system().await.unwrap();
    let started = runaway_core::flows::start_sync(&tx, OTHER_ATHLETE, &WHOLE_HISTORY, Uuid::now_v7(), story.now()).await.unwrap();
    tx.commit().await.unwrap();
    started.job.id
}

async fn status(story: &Story, job_id: Uuid) -> String {
    let owner = story.world.database.owner().await;
    owner.query_one("SELECT status FROM sync_jobs WHERE id = $1", &[&job_id]).await.unwrap().get(0)
}

#[tokio::test]
async fn one_job_finds_an_outage_out_for_all() {
    let cases = [(Fault::Status(503), 3, 5, &[][..]), (Fault::Inactive, 1, 15, &["Strava refuses this application"][..])];
    for (fault, tries, minutes, errors) in cases {
        let story = Story::with_runs(30).await;
        let (first, second) = (story.start(WHOLE_HISTORY).await, other_job(&story, 10).await);
        for n in 1..=tries {
            story.world.strava.fail(On::List(n), fault.clone());
        }
        story.deliver(first).await;
        story.deliver(second).await;
        assert_eq!(story.world.strava.count("list"), tries, "the second does not even ask");
        story.world.clock.advance(minutes * 60 + 30);
        assert_eq!(story.task("process-pending").await, 2);
        for job_id in [first, second] {
            story.deliver(job_id).await;
            assert_eq!(status(&story, job_id).await, "completed");
        }
        assert_eq!(story.stored().await, 40);
        story.ends(errors).await;
    }
}

#[tokio::test]
async fn a_backfill_leaves_room_for_an_athlete_who_waits() {
    let story = Story::with_runs(30).await;
    story.world.strava.set_limits(20, 1000);
    story.world.clock.stop_at(next_quarter_hour(story.now()) + SignedDuration::from_mins(1));
    let other = other_job(&story, 3000).await;
    for _ in 0..2 {
        story.deliver(other).await;
        assert_eq!((status(&story, other).await.as_str(), story.world.strava.count("list")), ("in_progress", 16), "80 % of 20");
    }
    let after_s = Some(story.now().as_second() - 7 * DAY_S);
    let waiting = story.start(SyncBounds { sync_type: SyncType::Incremental, after_s, ..WHOLE_HISTORY }).await;
    story.deliver(waiting).await;
    assert_eq!((status(&story, waiting).await.as_str(), story.world.strava.count("list")), ("completed", 20));
    story.world.clock.advance(13 * 60 + 30);
    story.deliver(other).await;
    assert_eq!(story.world.strava.count("list"), 20, "the last minute opens what is left, which is nothing");
    story.world.clock.advance(60);
    story.deliver(other).await;
    assert_eq!(status(&story, other).await, "completed");
    let refused = story.world.strava.calls().iter().filter(|call| call.status == 429).count();
    assert_eq!(refused, 0, "nobody asks for more than there is");
    story.ends(&[]).await;
}

#[tokio::test]
async fn the_operator_sees_that_nothing_of_the_day_is_left_to_histories() {
    let story = Story::with_runs(30).await;
    story.world.strava.set_limits(1000, 20);
    story.world.clock.stop_at(next_daily_window(story.now()) + SignedDuration::from_mins(1));
    let other = other_job(&story, 3000).await;
    for _ in 0..2 {
        story.deliver(other).await;
        assert_eq!((status(&story, other).await.as_str(), story.world.strava.count("list")), ("in_progress", 16), "80 % of 20");
    }
    story.task("process-pending").await;
    let last = |name: &str| {
        let metrics = story.world.logs.metrics().into_iter();
        metrics.filter(|sample| sample.name == name && sample.dimensions.is_empty()).map(|sample| sample.value).next_back()
    };
    assert_eq!((last("StravaCallsLeftForHistories"), last("StravaCallsLeftToday")), (Some(0.0), Some(4.0)));
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_unreadable_answer_is_kept_and_only_its_own_job_waits() {
    let story = Story::with_runs(30).await;
    let (first, second) = (story.start(WHOLE_HISTORY).await, other_job(&story, 10).await);
    for n in 1..=3 {
        story.world.strava.fail(On::List(n), Fault::Html);
    }
    story.deliver(first).await;
    story.deliver(second).await;
    assert_eq!((status(&story, first).await.as_str(), status(&story, second).await.as_str()), ("in_progress", "completed"));
    let kept = "SELECT count(*) FROM unreadable_activities WHERE object LIKE '%be back soon%' AND reason = 'the answer is not a list'";
    assert_eq!(story.world.database.count(kept).await, 1);
    story.world.clock.advance(6 * 60);
    story.deliver(first).await;
    assert_eq!((status(&story, first).await.as_str(), story.stored().await), ("completed", 40));
    story.ends(&[]).await;
}
