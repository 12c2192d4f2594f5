//! Many athletes at once: eight processors share Strava's rate limit on the test's own clock. What counts is calls and
//! windows, never seconds.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use jiff::Timestamp;
use runaway_core::domain::{SyncBounds, SyncType};
use runaway_core::flows;
use serde_json::json;
use sync_processor::App;
use testkit::World;
use testkit::activity::{ActivityBuilder, slim_runs};
use testkit::call::{checked, request};
use testkit::fake_strava::event;
use testkit::logs::LogCapture;
use testkit::queue::batch;
use uuid::Uuid;

const PROCESSORS: usize = 8;
const ATHLETES: i64 = 200;
/// Fewer where webhooks come in between: enough for several windows.
const ATHLETES_BESIDE_WEBHOOKS: i64 = 100;
/// Ids of what is uploaded meanwhile.
const TOLD_FIRST_ID: i64 = 90_000_000;
const ACTIVITIES: i64 = 500;
/// Reads that Strava allows in a quarter hour and in a day.
const LIMITS: (i64, i64) = (100, 10_000);
/// What a backfill may use of a window in the end: its share, and what is left in the last minute.
const USABLE: usize = 100;
const WINDOW_S: i64 = 15 * 60;
const TICK_S: i64 = 60;
const TOKEN_TTL_S: i64 = 30 * 24 * 3600;
const WHOLE_HISTORY: SyncBounds = SyncBounds { sync_type: SyncType::Full, after_s: None, before_s: None, max_activities: None };

struct Simulation {
    world: World,
    athletes: i64,
    processors: Vec<App>,
    webhook: strava_webhook::App,
}

impl Simulation {
    async fn start(athletes: i64) -> Self {
        let world = World::with_logs(LogCapture::start_at(tracing::Level::INFO)).await;
        let start: Timestamp = "2026-03-02T06:00:20Z".parse().unwrap();
        world.clock.stop_at(start);
        world.strava.set_limits(LIMITS.0, LIMITS.1);
        let db = world.db();
        for athlete in 1..=athletes {
            world.connected_athlete(athlete, Uuid::new_v4(), slim_runs(athlete, athlete * 10_000, ACTIVITIES, start), TOKEN_TTL_S).await;
            let tx = db.system().await.unwrap();
            flows::start_sync(&tx, athlete, &WHOLE_HISTORY, Uuid::now_v7(), start).await.unwrap();
            tx.commit().await.unwrap();
        }
        let settings = world.settings();
        let mut processors = Vec::new();
        for _ in 0..PROCESSORS {
            let mut app = App::new(&settings).await.unwrap();
            app.clock = world.clock.production();
            processors.push(app);
        }
        let mut webhook = strava_webhook::App::new(&settings).await.unwrap();
        webhook.clock = world.clock.production();
        Self { world, athletes, processors, webhook }
    }

    /// An athlete uploads an activity, and Strava tells of it.
    async fn upload(&self, athlete: i64, id: i64) {
        let start = self.world.clock.production().now();
        self.world.strava.add_activity(athlete, ActivityBuilder::run(athlete, id, start).build());
        let mut told = event("activity", id, "create", athlete, &json!({}));
        told["event_time"] = json!(start.as_second());
        let path = format!("/strava-webhook/{}", self.world.webhook_path);
        let answer = strava_webhook::handle(&self.webhook, request("POST", &path, None, &told.to_string())).await;
        assert_eq!(checked(&answer).0, 200);
    }

    /// One run of the schedule, and all that comes of it and of the messages sent before.
    async fn tick(&self, sent_before: usize) {
        let event = json!({ "task": "process-pending" });
        let answer = sync_processor::handle(&self.processors[0], event, in_fifteen_minutes()).await.unwrap();
        let sent = sent_before + usize::try_from(answer["done"].as_u64().unwrap()).unwrap();
        let waiting = RefCell::new(Vec::new());
        while waiting.borrow().len() < sent {
            let records = self.world.queue.take().await.records;
            waiting.borrow_mut().extend(records.into_iter().filter_map(|record| record.body));
        }
        let work = self.processors.iter().map(async |processor| {
            loop {
                let Some(body) = waiting.borrow_mut().pop() else { return };
                let answer = sync_processor::handle(processor, batch(&[body]), in_fifteen_minutes()).await.unwrap();
                assert_eq!(answer, json!({ "batchItemFailures": [] }));
            }
        });
        join_all(work).await;
    }

    async fn assert_every_history_is_whole(&self, more: i64) {
        let stored = "SELECT count(*) FROM activities";
        assert_eq!(self.world.database.count(stored).await, self.athletes * ACTIVITIES + more);
        for athlete in 1..=self.athletes {
            let expected = i64::try_from(self.world.strava.activities(athlete).len()).unwrap();
            let own = format!("SELECT count(*) FROM activities WHERE athlete_id = {athlete}");
            assert_eq!(self.world.database.count(&own).await, expected, "athlete {athlete}");
        }
    }

    async fn unfinished(&self) -> i64 {
        self.world.database.count("SELECT count(*) FROM sync_jobs WHERE status <> 'completed'").await
    }

    /// Calls of each quarter hour, and how many of them were refused.
    fn windows(&self) -> BTreeMap<i64, (usize, usize)> {
        let mut windows = BTreeMap::new();
        for call in self.world.strava.calls() {
            let (calls, refused): &mut (usize, usize) = windows.entry(call.at_s / WINDOW_S).or_default();
            *calls += 1;
            *refused += usize::from(call.status == 429);
        }
        windows
    }
}

fn in_fifteen_minutes() -> SystemTime {
    SystemTime::now() + Duration::from_secs(900)
}

#[tokio::test]
async fn two_hundred_athletes_are_imported_with_every_call_that_strava_allows() {
    let simulation = Simulation::start(ATHLETES).await;
    let first_window = simulation.world.clock.now_s() / WINDOW_S;
    while simulation.unfinished().await > 0 {
        simulation.tick(0).await;
        simulation.world.clock.advance(TICK_S);
        assert!(simulation.world.clock.now_s() / WINDOW_S - first_window < 100, "the import does not end: {:?}", simulation.windows());
    }
    let windows = simulation.windows();
    let calls: usize = windows.values().map(|(calls, _)| calls).sum();
    simulation.assert_every_history_is_whole(0).await;

    assert!(windows.values().all(|(_, refused)| *refused <= 1), "{windows:?}");
    let worked = usize::try_from(windows.keys().max().unwrap() - first_window + 1).unwrap();
    assert!(worked <= calls.div_ceil(USABLE) + 1, "{calls} calls took {worked} windows: {windows:?}");
    for (window, (calls, _)) in windows.iter().take(worked - 1) {
        assert!(calls * 100 >= USABLE * 95, "window {window} has {calls} calls while work waits: {windows:?}");
    }
    simulation.world.strava.assert_nothing_unexpected();
    simulation.world.logs.assert_clean(&[], &[]);
}

#[tokio::test]
async fn every_webhook_is_served_in_the_window_it_came_in_while_histories_wait() {
    let simulation = Simulation::start(ATHLETES_BESIDE_WEBHOOKS).await;
    let first_window = simulation.world.clock.now_s() / WINDOW_S;
    let (mut told, mut told_in) = (0, 0);
    while simulation.unfinished().await > 0 {
        let now_s = simulation.world.clock.now_s();
        // Once in each window, early, in the middle and shortly before its last minute.
        let minute = [1, 7, 13][usize::try_from(told).unwrap() % 3];
        let is_time = told_in != now_s / WINDOW_S && now_s % WINDOW_S >= minute * 60;
        if is_time {
            told += 1;
            told_in = now_s / WINDOW_S;
            simulation.upload(told % simulation.athletes + 1, TOLD_FIRST_ID + told).await;
        }
        simulation.tick(usize::from(is_time)).await;
        simulation.world.clock.advance(TICK_S);
        assert!(now_s / WINDOW_S - first_window < 100, "the import does not end: {:?}", simulation.windows());
    }
    let windows = simulation.windows();
    assert!(windows.len() >= 5 && told >= i64::try_from(windows.len()).unwrap() - 1, "{told} in {windows:?}");
    assert!(windows.values().all(|(_, refused)| *refused <= 1), "{windows:?}");
    let busy = windows.values().filter(|(calls, _)| calls * 100 >= USABLE * 95).count();
    assert!(busy + 1 >= windows.len(), "histories waited all the time: {windows:?}");
    let served = "
        SELECT count(*) FROM strava_events
         WHERE outcome = 'saved' AND floor(extract(epoch FROM handled_at) / 900) = floor(extract(epoch FROM received_at) / 900)";
    assert_eq!(simulation.world.database.count(served).await, told);
    simulation.assert_every_history_is_whole(told).await;
    simulation.world.strava.assert_nothing_unexpected();
    simulation.world.logs.assert_clean(&[], &[]);
}
