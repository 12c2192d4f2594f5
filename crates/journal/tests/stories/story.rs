//! What every story begins with.

use std::time::{Duration, SystemTime};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use runaway_core::db::athletes;
use runaway_core::domain::monday_of;
use runaway_core::queue::JournalMessage;
use serde_json::{Value, json};
use testkit::World;
use testkit::call::{checked, request};
use testkit::fake_claude::Reply;
use testkit::queue::batch;

pub(crate) const ATHLETE: i64 = 94_451_852;
const TOKEN_TTL_S: i64 = 6 * 3600;

/// A connected athlete, the function and the worker.
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) api: journal::api::App,
    pub(crate) worker: journal::worker::App,
}

impl Story {
    /// Without a model.
    pub(crate) async fn with(activities: &[Value]) -> Self {
        Self::begin(World::new().await, activities).await
    }

    /// With Claude, who may see what came from Strava.
    pub(crate) async fn with_claude(activities: &[Value]) -> Self {
        let world = World::new().await.with_claude().await;
        world.claude().respond_with(|request| Reply::json(&truthful(request)));
        Self::begin(world, activities).await
    }

    async fn begin(world: World, activities: &[Value]) -> Self {
        world.connected_athlete(ATHLETE, world.user_id, vec![], TOKEN_TTL_S).await;
        let mut api = journal::api::App::new(&world.settings()).unwrap();
        let mut worker = journal::worker::App::new(&world.settings()).await.unwrap();
        api.writer.clock = world.clock.production();
        worker.writer.clock = world.clock.production();
        let story = Self { world, api, worker };
        story.store(activities).await;
        story
    }

    /// Activities arrive as a page of a sync does.
    pub(crate) async fn store(&self, objects: &[Value]) {
        store(&self.world, ATHLETE, objects).await;
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let request = request(method, &format!("/journal{path}"), Some(&self.world.token()), body);
        checked(&journal::api::handle(&self.api, request).await)
    }

    pub(crate) async fn generate(&self, week: Date) -> Value {
        let (status, answer) = self.call("POST", "/generate", &json!({ "week_start_date": week }).to_string()).await;
        assert_eq!(status, 200, "{answer}");
        answer["journal"].clone()
    }

    pub(crate) async fn entries(&self) -> Vec<Value> {
        let (status, answer) = self.call("GET", "?limit=100", "").await;
        assert_eq!((status, answer["count"].as_u64()), (200, answer["entries"].as_array().map(|entries| entries.len() as u64)));
        answer["entries"].as_array().unwrap().clone()
    }

    pub(crate) async fn deliver(&self, athlete_id: i64, week: Date) -> Value {
        let body = JournalMessage { athlete_id, week_start_date: week }.to_body();
        journal::worker::handle(&self.worker, batch(&[body]), in_two_minutes()).await.unwrap()
    }

    /// What the schedule does, and then the queue: the weeks that were announced and written.
    pub(crate) async fn schedule(&self) -> Vec<(i64, Date)> {
        let answer = journal::worker::handle(&self.worker, json!({ "task": "due-weeks" }), in_two_minutes()).await.unwrap();
        let mut weeks = Vec::new();
        while weeks.len() < answer["done"].as_u64().unwrap() as usize {
            for record in self.world.journal_queue.take().await.records {
                let message = JournalMessage::parse(&record.body.unwrap()).unwrap();
                assert_eq!(self.deliver(message.athlete_id, message.week_start_date).await, nothing_failed());
                weeks.push((message.athlete_id, message.week_start_date));
            }
        }
        weeks.sort_unstable();
        weeks
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.world.clock.production().now()
    }

    /// The Monday `weeks` before the current one, in UTC, which is where this athlete is.
    pub(crate) fn monday(&self, weeks: i64) -> Date {
        monday(self.now(), weeks)
    }

    pub(crate) fn model_calls(&self) -> usize {
        self.world.claude().requests().len()
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.world.database.owner().await.batch_execute(sql).await.unwrap();
    }

    pub(crate) async fn ends(self, expected_errors: &[&str]) {
        let doubled = "SELECT count(*) FROM (SELECT 1 FROM training_journal GROUP BY athlete_id, week_start_date HAVING count(*) > 1) d";
        assert_eq!(self.world.database.count(doubled).await, 0);
        assert_eq!(
            self.world.database.count("SELECT count(*) FROM journal_weeks WHERE lease_token IS NOT NULL").await,
            0,
            "claims are given back"
        );
        self.world.assert_in_order(expected_errors).await;
    }
}

/// Stores activities as this athlete's own.
pub(crate) async fn store(world: &World, athlete_id: i64, objects: &[Value]) {
    let mut own = objects.to_vec();
    own.iter_mut().for_each(|object| object["athlete"]["id"] = json!(athlete_id));
    world.import(athlete_id, &own, world.clock.production().now()).await;
}

pub(crate) async fn move_to(world: &World, athlete_id: i64, zone: &str) {
    let tx = world.db().worker(athlete_id).await.unwrap();
    athletes::set_timezone(&tx, zone).await.unwrap();
    tx.commit().await.unwrap();
}

pub(crate) fn monday(now: Timestamp, weeks: i64) -> Date {
    let today = now.to_zoned(TimeZone::UTC).date();
    monday_of(today.checked_sub(Span::new().days(7 * weeks)).unwrap()).unwrap()
}

pub(crate) fn in_two_minutes() -> SystemTime {
    SystemTime::now() + Duration::from_secs(120)
}

pub(crate) fn nothing_failed() -> Value {
    json!({ "batchItemFailures": [] })
}

/// Runs of ten kilometres at six in the morning, on days counted from a Monday.
pub(crate) fn runs(first_id: i64, monday: Date, days: &[i64]) -> Vec<Value> {
    let start = |day: i64| monday.checked_add(Span::new().days(day)).unwrap().at(6, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
    days.iter().enumerate().map(|(n, day)| testkit::ActivityBuilder::run(ATHLETE, first_id + n as i64, start(*day)).build()).collect()
}

/// The facts of a request.
pub(crate) fn facts(request: &Value) -> Value {
    serde_json::from_str(request["messages"][0]["content"][0]["text"].as_str().unwrap()).unwrap()
}

/// What an honest model says.
pub(crate) fn truthful(request: &Value) -> Value {
    let facts = facts(request);
    let text = |name: &str| facts["runs"][name].as_str().unwrap_or_default();
    let narrative = format!("A good week: {} in {}, {} in all. Keep going.", text("distance"), text("runs"), text("time"));
    let insights: Vec<Value> = facts["insights"].as_array().unwrap().iter().map(|i| json!({"id": i["id"], "text": i["text"]})).collect();
    json!({ "narrative": narrative, "insights": insights })
}
