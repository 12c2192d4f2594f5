//! Stories of the daily comparison.

use jiff::SignedDuration;
use runaway_core::domain::{Lane, SyncBounds, SyncType};
use serde_json::json;
use testkit::activity::{ActivityBuilder, daily_runs};
use uuid::Uuid;

use crate::story::*;

const FIRST_ID: i64 = 1000;

async fn synced(runs: i64) -> Story {
    let story = Story::with_runs(runs).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    story
}

async fn planned(story: &Story) -> (Uuid, i64) {
    let sql = "SELECT id, extract(epoch FROM not_before)::bigint FROM sync_jobs WHERE lane = 'incremental' AND status = 'pending'";
    let row = story.world.database.owner().await.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn a_lost_announcement_costs_a_day_and_not_an_activity() {
    let story = synced(60).await;
    let strava = &story.world.strava;
    strava.add_activity(ATHLETE, ActivityBuilder::run(ATHLETE, 5000, story.now() - SignedDuration::from_hours(5)).build());
    strava.add_activity(ATHLETE, ActivityBuilder::run(ATHLETE, 5001, story.now() - SignedDuration::from_hours(24 * 9 + 1)).build());
    strava.delete_activity(ATHLETE, FIRST_ID + 55);
    strava.edit_activity(ATHLETE, FIRST_ID + 57, &[("name", json!("Renamed"))]);

    assert_eq!(story.task("sweep").await, 1);
    assert_eq!(story.task("sweep").await, 0, "one is planned already");
    let (job_id, due_s) = planned(&story).await;
    let wait_s = due_s - story.now().as_second();
    assert!((0..23 * 3600).contains(&wait_s), "within the day: {wait_s} s");
    story.world.clock.advance(wait_s + 1);
    assert_eq!(story.task("process-pending").await, 2, "the comparison, and the details of the first sync");
    story.deliver(job_id).await;
    let renamed = "SELECT count(*) FROM activities WHERE name = 'Renamed'";
    assert_eq!((story.stored().await, story.world.database.count(renamed).await), (61, 1));
    let last_days =
        "SELECT count(*) FROM sync_jobs WHERE lane = 'incremental' AND status = 'completed' AND activities_processed BETWEEN 13 AND 16";
    assert_eq!(story.world.database.count(last_days).await, 1, "only the last days were listed");
    story.ends(&[]).await;
}

#[tokio::test]
async fn athletes_are_spread_over_the_day_and_only_the_idle_connected_ones_are_planned() {
    let story = synced(3).await;
    for n in 1..=20 {
        story.world.connected_athlete(ATHLETE + n, Uuid::new_v4(), daily_runs(ATHLETE + n, n * 10_000, 1, story.now()), TOKEN_TTL_S).await;
    }
    let sql = format!("UPDATE athletes SET strava_connected = false WHERE id = {}", ATHLETE + 1);
    story.world.database.owner().await.batch_execute(&sql).await.unwrap();
    story.start(WHOLE_HISTORY).await;
    assert_eq!(story.task("sweep").await, 19, "one is not connected, one has a sync under way");
    let hours = "SELECT count(DISTINCT extract(hour FROM not_before)) FROM sync_jobs WHERE lane = 'incremental'";
    assert!(story.world.database.count(hours).await >= 8);
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_athlete_who_asks_gets_the_planned_job_at_once() {
    let story = synced(60).await;
    story.task("sweep").await;
    let (job_id, _) = planned(&story).await;
    let after_s = Some(story.now().as_second() - 7 * DAY_S);
    let started = story.start(SyncBounds { sync_type: SyncType::Incremental, after_s, ..WHOLE_HISTORY }).await;
    assert_eq!((started, story.job(job_id).await.lane), (job_id, Lane::Interactive));
    story.deliver(job_id).await;
    assert_eq!(story.job(job_id).await.status, "completed");
    story.ends(&[]).await;
}
