//! Stories of a sync: whatever happens on the way, every activity arrives once.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use runaway_core::db::sync_jobs::{self, SyncJob};
use runaway_core::domain::{SyncBounds, SyncType};
use runaway_core::flows;
use runaway_core::queue::SyncMessage;
use serde_json::{Value, json};
use sync_processor::App;
use testkit::World;
use testkit::activity::{ActivityBuilder, daily_runs, shapes};
use testkit::fake_strava::{Fault, Gate, On};
use testkit::queue::batch;
use uuid::Uuid;

const ATHLETE: i64 = 4711;
const DAY_S: i64 = 86_400;
const TOKEN_TTL_S: i64 = 6 * 3600;
const WHOLE_HISTORY: SyncBounds = SyncBounds { sync_type: SyncType::Full, after_s: None, before_s: None, max_activities: None };

/// A connected athlete and a processor.
struct Story {
    world: World,
    app: App,
}

impl Story {
    async fn with(activities: Vec<Value>) -> Self {
        Self::with_token(activities, TOKEN_TTL_S).await
    }

    async fn with_token(activities: Vec<Value>, ttl_s: i64) -> Self {
        let world = World::new().await;
        world.connected_athlete(ATHLETE, world.user_id, activities, ttl_s).await;
        let app = processor(&world).await;
        Self { world, app }
    }

    async fn with_runs(count: i64) -> Self {
        Self::with(daily_runs(ATHLETE, 1000, count, Timestamp::now())).await
    }

    async fn start(&self, bounds: SyncBounds) -> Uuid {
        let tx = self.world.db().athlete(self.world.user_id).await.unwrap();
        let started = flows::start_sync(&tx, ATHLETE, &bounds, Uuid::now_v7(), self.now()).await.unwrap();
        tx.commit().await.unwrap();
        started.job.id
    }

    fn now(&self) -> Timestamp {
        self.world.clock.production().now()
    }

    async fn deliver(&self, job_id: Uuid) -> Value {
        deliver(&self.app, job_id).await
    }

    async fn task(&self, task: &str) -> i64 {
        let answer = sync_processor::handle(&self.app, json!({ "task": task }), in_fifteen_minutes()).await.unwrap();
        answer["done"].as_i64().unwrap()
    }

    async fn job(&self, job_id: Uuid) -> SyncJob {
        let tx = self.world.db().athlete(self.world.user_id).await.unwrap();
        let job = sync_jobs::find(&tx, job_id).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        job
    }

    async fn stored(&self) -> i64 {
        self.world.database.count("SELECT count(*) FROM activities").await
    }

    /// What holds at the end of every story.
    async fn ends(self, expected_errors: &[&str]) {
        let rows = "SELECT count(*) FROM activities a FULL JOIN activity_raw r ON r.activity_id = a.id WHERE a.id IS NULL OR r.activity_id IS NULL";
        assert_eq!(self.world.database.count(rows).await, 0, "every activity has its verbatim object");
        let drifted = "
            SELECT count(*) FROM athlete_days d FULL JOIN (
                SELECT athlete_id, local_date, type AS sport, count(*) AS n, coalesce(sum(distance), 0) AS distance_m,
                       coalesce(sum(moving_time), 0) AS moving_s, coalesce(max(distance), 0) AS longest_m
                  FROM activities GROUP BY 1, 2, 3) a USING (athlete_id, local_date, sport)
             WHERE (d.n, d.distance_m, d.moving_s, d.longest_m) IS DISTINCT FROM (a.n, a.distance_m, a.moving_s, a.longest_m)";
        assert_eq!(self.world.database.count(drifted).await, 0, "the sums of the days follow the activities");
        self.world.assert_in_order(expected_errors).await;
    }
}

async fn processor(world: &World) -> App {
    let mut app = App::new(&world.settings()).await.unwrap();
    app.clock = world.clock.production();
    app
}

async fn deliver(app: &App, job_id: Uuid) -> Value {
    sync_processor::handle(app, batch(&[SyncMessage { job_id }.to_body()]), in_fifteen_minutes()).await.unwrap()
}

fn in_fifteen_minutes() -> SystemTime {
    SystemTime::now() + Duration::from_secs(900)
}

fn nothing_failed() -> Value {
    json!({ "batchItemFailures": [] })
}

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
    assert_eq!(bodies, [SyncMessage { job_id }.to_body()]);
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
async fn a_message_delivered_three_times_is_worked_on_once() {
    let story = Story::with_runs(30).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    let body = SyncMessage { job_id }.to_body();
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
    let event = batch(&[SyncMessage { job_id }.to_body()]);
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
    let unknown = SyncMessage { job_id: Uuid::new_v4() }.to_body();
    let event = batch(&["nonsense".to_owned(), SyncMessage { job_id }.to_body(), unknown]);
    let answer = sync_processor::handle(&story.app, event, in_fifteen_minutes()).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m0" }] }));
    assert_eq!(story.job(job_id).await.status, "completed");
    for event in [json!({}), json!({ "task": "dance" }), json!(null)] {
        assert!(sync_processor::handle(&story.app, event, in_fifteen_minutes()).await.is_err());
    }
    story.ends(&["A message cannot be read"]).await;
}
