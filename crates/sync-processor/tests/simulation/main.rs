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
use testkit::activity::slim_runs;
use testkit::logs::LogCapture;
use testkit::queue::batch;
use uuid::Uuid;

const PROCESSORS: usize = 8;
const ATHLETES: i64 = 200;
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
    processors: Vec<App>,
}

impl Simulation {
    async fn start() -> Self {
        let world = World::with_logs(LogCapture::start_at(tracing::Level::INFO)).await;
        let start: Timestamp = "2026-03-02T06:00:20Z".parse().unwrap();
        world.clock.stop_at(start);
        world.strava.set_limits(LIMITS.0, LIMITS.1);
        let db = world.db();
        for athlete in 1..=ATHLETES {
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
        Self { world, processors }
    }

    /// One run of the schedule, and all that comes of it.
    async fn tick(&self) {
        let event = json!({ "task": "process-pending" });
        let answer = sync_processor::handle(&self.processors[0], event, in_fifteen_minutes()).await.unwrap();
        let sent = usize::try_from(answer["done"].as_u64().unwrap()).unwrap();
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
    let simulation = Simulation::start().await;
    let first_window = simulation.world.clock.now_s() / WINDOW_S;
    while simulation.unfinished().await > 0 {
        simulation.tick().await;
        simulation.world.clock.advance(TICK_S);
        assert!(simulation.world.clock.now_s() / WINDOW_S - first_window < 100, "the import does not end: {:?}", simulation.windows());
    }
    let windows = simulation.windows();
    let calls: usize = windows.values().map(|(calls, _)| calls).sum();
    let database = &simulation.world.database;
    assert_eq!(database.count("SELECT count(*) FROM activities").await, ATHLETES * ACTIVITIES);
    let whole = format!("SELECT count(*) FROM (SELECT FROM activities GROUP BY athlete_id HAVING count(*) = {ACTIVITIES}) z");
    assert_eq!(database.count(&whole).await, ATHLETES, "every athlete has all of them");

    assert!(windows.values().all(|(_, refused)| *refused <= 1), "{windows:?}");
    let worked = usize::try_from(windows.keys().max().unwrap() - first_window + 1).unwrap();
    assert!(worked <= calls.div_ceil(USABLE) + 1, "{calls} calls took {worked} windows: {windows:?}");
    for (window, (calls, _)) in windows.iter().take(worked - 1) {
        assert!(calls * 100 >= USABLE * 95, "window {window} has {calls} calls while work waits: {windows:?}");
    }
    simulation.world.strava.assert_nothing_unexpected();
    simulation.world.logs.assert_clean(&[], &[]);
}
