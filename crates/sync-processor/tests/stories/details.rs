//! Stories of what is fetched activity by activity, after the history.

use jiff::Timestamp;
use runaway_core::db::best_efforts;
use runaway_core::domain::DateRange;
use runaway_core::queue::SyncMessage;
use serde_json::{Value, json};
use testkit::activity::{ActivityBuilder, daily_runs};
use testkit::fake_strava::{Fault, Gate, On};
use testkit::queue::batch;

use crate::story::*;

const FIRST_ID: i64 = 1000;

async fn synced(activities: Vec<Value>) -> Story {
    let story = Story::with(activities).await;
    story.world.strava.set_limits(1000, 10_000);
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    story
}

fn runs(count: i64) -> Vec<Value> {
    daily_runs(ATHLETE, FIRST_ID, count, Timestamp::now())
}

/// Lets `process-pending` wake whatever is due and works on it; how many messages that were.
async fn work_off(story: &Story) -> usize {
    story.task("process-pending").await;
    let event = story.world.queue.take().await;
    let bodies: Vec<String> = event.records.iter().filter_map(|record| record.body.clone()).collect();
    let answer = sync_processor::handle(&story.app, batch(&bodies), in_fifteen_minutes()).await.unwrap();
    assert_eq!(answer, nothing_failed());
    bodies.len()
}

async fn states(story: &Story, state: &str, streams: &str) -> i64 {
    story.world.database.count(&format!("SELECT count(*) FROM activity_details WHERE state = '{state}' AND streams = '{streams}'")).await
}

#[tokio::test]
async fn details_come_newest_first_when_no_sync_waits() {
    let mut activities = runs(5);
    activities.push(ActivityBuilder::run(ATHLETE, 77, Timestamp::now()).with("manual", true).build());
    let story = Story::with(activities).await;
    story.world.strava.set_detail(FIRST_ID + 4, json!({"description": "Felt strong.\r\nWind from behind"}));
    story.start(WHOLE_HISTORY).await;
    assert_eq!(work_off(&story).await, 1, "the sync");
    assert_eq!(story.world.strava.count("detail"), 0);
    assert_eq!(work_off(&story).await, 1, "the details");
    assert_eq!((story.world.strava.count("detail"), story.world.strava.count("streams")), (6, 5), "what is entered by hand has no streams");
    assert_eq!((states(&story, "fetched", "fetched").await, states(&story, "fetched", "absent").await), (5, 1));

    let owner = story.world.database.owner().await;
    let sql = "SELECT description, (SELECT detail -> 'splits_metric' -> 9 ->> 'split' FROM activity_raw WHERE activity_id = id) FROM activities WHERE id = $1";
    let row = owner.query_one(sql, &[&(FIRST_ID + 4)]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), (Some("Felt strong.\r\nWind from behind"), Some("10")));
    let efforts = "SELECT array_agg(distance_m ORDER BY distance_m) FROM best_efforts WHERE activity_id = $1";
    let distances: Vec<i32> = owner.query_one(efforts, &[&FIRST_ID]).await.unwrap().get(0);
    assert_eq!(distances, [400, 805, 1000, 1610, 3219, 5000, 10_000]);
    let heart_rate = "SELECT points, minimum, maximum FROM activity_streams WHERE activity_id = $1 AND kind = 'heartrate'";
    let row = owner.query_one(heart_rate, &[&FIRST_ID]).await.unwrap();
    assert_eq!((row.get(0), row.get(1), row.get(2)), (61, 100.0, 160.0));
    assert_eq!(work_off(&story).await, 0, "nothing is left");
    assert_eq!(story.world.database.count("SELECT count(*) FROM detail_runs").await, 0);
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_record_by_a_whole_run_gives_way_to_the_stretch_inside_it() {
    let run = ActivityBuilder::run(ATHLETE, FIRST_ID, Timestamp::now()).with("distance", 10_200.0).with("moving_time", 3000).build();
    let story = synced(vec![run]).await;
    let records = async || {
        let tx = story.app.db.athlete(story.world.user_id).await.unwrap();
        let records = best_efforts::records(&tx, ATHLETE, &[5000, 10_000], DateRange::EVER, 1).await.unwrap();
        let records: Vec<_> = records.into_iter().map(|record| (record.distance_m, record.record_s, record.is_whole)).collect();
        records
    };
    assert_eq!(records().await, [(10_000, 3000, true)]);
    work_off(&story).await;
    let stretches = [(5000, 1471, false), (10_000, 2941, false)];
    assert_eq!(records().await, stretches);

    story.world.strava.edit_activity(ATHLETE, FIRST_ID, &[("name", json!("Another name"))]);
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    assert_eq!(records().await, stretches, "the summary brings no whole run back");
    story.world.strava.set_detail(FIRST_ID, json!({"best_efforts": []}));
    story.world.strava.edit_activity(ATHLETE, FIRST_ID, &[("distance", json!(10_300.0))]);
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    work_off(&story).await;
    assert_eq!(records().await, [(10_000, 3000, true)], "without a stretch the whole run is the record again");
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_summary_leaves_details_alone_until_something_changes() {
    let story = synced(runs(3)).await;
    story.world.strava.set_detail(FIRST_ID, json!({"description": "Kept"}));
    work_off(&story).await;
    let described = "SELECT count(*) FROM activities a JOIN activity_raw r ON r.activity_id = a.id WHERE a.description = 'Kept' AND r.detail IS NOT NULL";
    assert_eq!(story.world.database.count(described).await, 1);
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    work_off(&story).await;
    assert_eq!((story.world.database.count(described).await, story.world.strava.count("detail")), (1, 3), "nothing is fetched twice");

    story.world.strava.edit_activity(ATHLETE, FIRST_ID, &[("distance", json!(9000.0))]);
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    assert_eq!((story.world.database.count(described).await, states(&story, "missing", "missing").await), (1, 1));
    work_off(&story).await;
    assert_eq!((states(&story, "fetched", "fetched").await, story.world.strava.count("detail")), (3, 4));
    assert_eq!(story.world.database.count("SELECT count(*) FROM best_efforts WHERE activity_id = 1000 AND distance_m = 10000").await, 0);
    story.ends(&[]).await;
}

#[tokio::test]
async fn details_that_are_not_to_be_had_are_put_off_and_then_absent() {
    let story = synced(runs(2)).await;
    for n in [1, 3, 4] {
        story.world.strava.fail(On::Detail(n), Fault::NotFound);
    }
    work_off(&story).await;
    assert_eq!((states(&story, "missing", "missing").await, states(&story, "fetched", "fetched").await), (1, 1));
    assert_eq!(work_off(&story).await, 0, "it is not asked for at once");
    for _ in 0..2 {
        story.world.clock.advance(6 * 3600 + 60);
        work_off(&story).await;
    }
    assert_eq!((states(&story, "absent", "absent").await, story.world.strava.count("detail")), (1, 4));
    assert_eq!(story.stored().await, 2, "the activity stays");
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_unreadable_detail_is_kept_and_does_not_stop_the_others() {
    let story = synced(runs(2)).await;
    story.world.strava.set_detail(FIRST_ID + 1, json!({"best_efforts": "none"}));
    for n in 1..=3 {
        story.world.strava.fail(On::Streams(n), Fault::Html);
    }
    work_off(&story).await;
    assert_eq!((states(&story, "missing", "missing").await, states(&story, "fetched", "missing").await), (1, 1));
    let kept = "SELECT count(*) FROM unreadable_activities WHERE reason LIKE 'the answer is%'";
    assert_eq!(story.world.database.count(kept).await, 2);
    story.ends(&[]).await;
}

#[tokio::test]
async fn details_stop_where_the_budget_for_backfills_ends() {
    let story = synced(runs(30)).await;
    story.world.strava.set_limits(20, 10_000);
    story.world.clock.advance(15 * 60 - story.now().as_second() % (15 * 60) + 60);
    work_off(&story).await;
    let first = story.world.strava.count("detail") + story.world.strava.count("streams");
    assert!((15..=16).contains(&first), "80 % of 20, as soon as the limit is known: {first}");
    assert_eq!(work_off(&story).await, 0, "it sleeps");
    story.world.clock.advance(15 * 60);
    work_off(&story).await;
    let second = story.world.strava.count("detail") + story.world.strava.count("streams");
    assert_eq!(second, first + 16);
    assert_eq!(story.world.strava.calls().iter().filter(|call| call.status == 429).count(), 0);
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_activity_deleted_while_its_details_are_fetched_is_passed_over() {
    for held in [On::Detail(2), On::Streams(2)] {
        let story = synced(runs(3)).await;
        let gate = Gate::default();
        story.world.strava.fail(held, Fault::HeldBody(gate.clone()));
        let deleted = async {
            gate.arrival().await;
            let owner = story.world.database.owner().await;
            assert_eq!(owner.execute("DELETE FROM activities WHERE id = $1", &[&(FIRST_ID + 1)]).await.unwrap(), 1);
            gate.open();
        };
        tokio::join!(work_off(&story), deleted);
        assert_eq!((story.stored().await, states(&story, "fetched", "fetched").await), (2, 2), "the others have theirs");
        assert_eq!(story.world.database.count("SELECT count(*) FROM detail_runs").await, 0);
        story.ends(&[]).await;
    }
}

#[tokio::test]
async fn a_detail_overtaken_by_a_change_is_fetched_again() {
    let story = synced(runs(1)).await;
    story.world.strava.set_detail(FIRST_ID, json!({"description": "Old"}));
    let gate = Gate::default();
    story.world.strava.fail(On::Detail(1), Fault::HeldBody(gate.clone()));
    let changed = async {
        gate.arrival().await;
        story.world.strava.set_detail(FIRST_ID, json!({"description": "New"}));
        story.world.strava.edit_activity(ATHLETE, FIRST_ID, &[("distance", json!(9000.0))]);
        // The day of a change is told to the second.
        story.world.clock.advance(2);
        let job_id = story.start(WHOLE_HISTORY).await;
        story.deliver(job_id).await;
        gate.open();
    };
    tokio::join!(work_off(&story), changed);
    let described =
        async |text: &str| story.world.database.count(&format!("SELECT count(*) FROM activities WHERE description = '{text}'")).await;
    assert_eq!((described("Old").await, states(&story, "fetched", "fetched").await), (0, 0), "what came is of before");
    work_off(&story).await;
    assert_eq!((described("New").await, states(&story, "fetched", "fetched").await), (1, 1));
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_processor_killed_over_details_is_followed_by_another() {
    let story = synced(runs(5)).await;
    let gate = Gate::default();
    story.world.strava.fail(On::Streams(3), Fault::HeldBody(gate.clone()));
    story.task("process-pending").await;
    let event = story.world.queue.take().await;
    let body = event.records[0].body.clone().unwrap();
    let message = SyncMessage::parse(&body).unwrap();
    tokio::select! {
        _ = story.deliver(message.id()) => panic!("it should have been killed"),
        () = gate.arrival() => {}
    }
    assert_eq!((states(&story, "fetched", "fetched").await, states(&story, "fetched", "missing").await), (2, 1));
    assert_eq!(story.deliver(message.id()).await, nothing_failed());
    assert_eq!(story.world.strava.count("streams"), 3, "the lease still stands");
    story.world.clock.advance(5 * 60);
    work_off(&story).await;
    assert_eq!((states(&story, "fetched", "fetched").await, story.world.strava.count("detail")), (5, 5));
    story.ends(&[]).await;
}
