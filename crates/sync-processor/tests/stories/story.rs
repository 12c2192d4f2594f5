//! What every story begins and ends with.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use runaway_core::db::sync_jobs::{self, SyncJob};
use runaway_core::domain::{SyncBounds, SyncType};
use runaway_core::flows;
use runaway_core::queue::SyncMessage;
use serde_json::{Value, json};
use sync_processor::App;
use testkit::World;
use testkit::activity::daily_runs;
use testkit::queue::batch;
use uuid::Uuid;

pub(crate) const ATHLETE: i64 = 4711;
pub(crate) const DAY_S: i64 = 86_400;
pub(crate) const TOKEN_TTL_S: i64 = 6 * 3600;
pub(crate) const WHOLE_HISTORY: SyncBounds = SyncBounds { sync_type: SyncType::Full, after_s: None, before_s: None, max_activities: None };

/// A connected athlete and a processor.
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) app: App,
}

impl Story {
    pub(crate) async fn with(activities: Vec<Value>) -> Self {
        Self::with_token(activities, TOKEN_TTL_S).await
    }

    pub(crate) async fn with_token(activities: Vec<Value>, ttl_s: i64) -> Self {
        let world = World::new().await;
        world.connected_athlete(ATHLETE, world.user_id, activities, ttl_s).await;
        let app = processor(&world).await;
        Self { world, app }
    }

    pub(crate) async fn with_runs(count: i64) -> Self {
        Self::with(daily_runs(ATHLETE, 1000, count, Timestamp::now())).await
    }

    pub(crate) async fn start(&self, bounds: SyncBounds) -> Uuid {
        let tx = self.world.db().athlete(self.world.user_id).await.unwrap();
        let started = flows::start_sync(&tx, ATHLETE, &bounds, Uuid::now_v7(), self.now()).await.unwrap();
        tx.commit().await.unwrap();
        started.job.id
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.world.clock.production().now()
    }

    pub(crate) async fn deliver(&self, job_id: Uuid) -> Value {
        deliver(&self.app, job_id).await
    }

    pub(crate) async fn task(&self, task: &str) -> i64 {
        let answer = sync_processor::handle(&self.app, json!({ "task": task }), in_fifteen_minutes()).await.unwrap();
        answer["done"].as_i64().unwrap()
    }

    pub(crate) async fn job(&self, job_id: Uuid) -> SyncJob {
        let tx = self.world.db().athlete(self.world.user_id).await.unwrap();
        let job = sync_jobs::find(&tx, job_id).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        job
    }

    pub(crate) async fn stored(&self) -> i64 {
        self.world.database.count("SELECT count(*) FROM activities").await
    }

    /// What holds at the end of every story.
    pub(crate) async fn ends(self, expected_errors: &[&str]) {
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

pub(crate) async fn processor(world: &World) -> App {
    let mut app = App::new(&world.settings()).await.unwrap();
    app.clock = world.clock.production();
    app
}

pub(crate) async fn deliver(app: &App, job_id: Uuid) -> Value {
    sync_processor::handle(app, batch(&[SyncMessage::Job { job_id }.to_body()]), in_fifteen_minutes()).await.unwrap()
}

pub(crate) fn in_fifteen_minutes() -> SystemTime {
    SystemTime::now() + Duration::from_secs(900)
}

pub(crate) fn nothing_failed() -> Value {
    json!({ "batchItemFailures": [] })
}
