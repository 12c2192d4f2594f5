//! What the flows have in common: the world, everything that was answered and sent, and the search at the end.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use lambda_http::{Body, Response};
use runaway_core::telemetry;
use serde_json::{Value, json};
use testkit::World;
use testkit::call::request;
use testkit::fake_strava::{Fault, On};
use testkit::logs::LogCapture;
use testkit::marks::{EMAIL, FIRST_NAME, Marks, add_athlete};
use testkit::queue::batch;
use tracing::Level;

use crate::functions::{ATHLETE, Functions};

/// Marked activities at Strava.
pub(super) const RUNS: i64 = 12;
/// Longer than any pause of a job or an event, seconds.
pub(super) const PAUSE_S: i64 = 16 * 60;
/// Rounds of delivery after which the queue is empty.
const ROUNDS_MAX: usize = 100;
/// What an operator reads of jobs, events and objects that could not be read.
const OPERATORS_COLUMNS: &str = "
    SELECT coalesce(error_message, '') FROM sync_jobs UNION ALL SELECT coalesce(outcome, '') FROM strava_events
    UNION ALL SELECT reason FROM unreadable_activities UNION ALL SELECT r::text FROM erasure_receipts r
    UNION ALL SELECT r::text FROM request_limits r UNION ALL SELECT r::text FROM strava_rate_budget r";

pub(super) struct Story {
    pub(super) functions: Functions,
    token: String,
    marks: RefCell<Marks>,
    /// Headers of all answers, bodies of all errors, and what workers answered.
    answers: RefCell<Vec<String>>,
    messages: RefCell<Vec<String>>,
}

/// A token with what a sign-in puts into it.
fn token(world: &World) -> String {
    let mut claims = world.issuer.claims(world.user_id);
    claims["email"] = json!(EMAIL);
    claims["user_metadata"] = json!({"name": FIRST_NAME});
    world.issuer.sign(&world.issuer.header(), &claims)
}

impl Story {
    /// The marked athlete is at Strava and not connected yet.
    pub(super) async fn begin() -> Self {
        let world = World::with_logs(LogCapture::start_with(&telemetry::levels(Level::TRACE))).await.with_claude().await;
        add_athlete(&world.strava, ATHLETE, RUNS, world.clock.production().now());
        let functions = Functions::of(world).await;
        let token = token(&functions.world);
        let story = Self { functions, token, marks: RefCell::default(), answers: RefCell::default(), messages: RefCell::default() };
        story.mark("the bearer token", &story.token);
        story.mark("the bearer token's signature", story.token.rsplit('.').next().unwrap());
        story
    }

    pub(super) fn world(&self) -> &World {
        &self.functions.world
    }

    /// Looks for this too.
    pub(super) fn mark(&self, what: &str, mark: &str) {
        self.marks.borrow_mut().add(what, mark);
    }

    /// The athlete's bearer token.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Calls a function as the athlete.
    pub(super) async fn call(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        self.call_as(Some(&self.token), method, path, body).await
    }

    /// Calls a function with any token.
    pub(super) async fn call_as(&self, token: Option<&str>, method: &str, path: &str, body: &str) -> (u16, String) {
        self.send(request(method, path, token, body)).await
    }

    /// Sends a request; notes what the answer says, where it is not the athlete's own data.
    pub(super) async fn send(&self, request: lambda_http::Request) -> (u16, String) {
        let response: Response<Body> = self.functions.call(request).await;
        let text = if let Body::Text(text) = response.body() { text.clone() } else { String::new() };
        let status = response.status().as_u16();
        self.answers.borrow_mut().push(format!("{:?}", response.headers()));
        if status >= 400 {
            self.answers.borrow_mut().push(text.clone());
        }
        (status, text)
    }

    /// Makes the next call of a kind fail.
    pub(super) fn fail_next(&self, what: &str, fault: Fault) {
        let strava = &self.world().strava;
        let n = strava.count(what) + 1;
        let on = match what {
            "list" => On::List(n),
            "detail" => On::Detail(n),
            "streams" => On::Streams(n),
            "refresh" => On::Refresh(n),
            "exchange" => On::Exchange(n),
            _ => On::Revoke(n),
        };
        strava.fail(on, fault);
    }

    /// Hands an event to the processor.
    pub(super) async fn process(&self, event: Value) {
        let deadline = SystemTime::now() + Duration::from_secs(900);
        let outcome = Box::pin(sync_processor::handle(&self.functions.processor, event, deadline)).await;
        self.note_outcome(outcome);
    }

    /// Hands an event to the journal's worker.
    pub(super) async fn write_weeks(&self, event: Value) {
        let deadline = SystemTime::now() + Duration::from_secs(120);
        let outcome = Box::pin(journal::worker::handle(&self.functions.journal_worker, event, deadline)).await;
        self.note_outcome(outcome);
    }

    /// What a worker answers; of an error both forms, for the runtime writes the longer one.
    fn note_outcome(&self, outcome: Result<Value, lambda_http::Error>) {
        self.answers.borrow_mut().push(match outcome {
            Ok(answer) => answer.to_string(),
            Err(error) => format!("{error} {error:?}"),
        });
    }

    /// Delivers what lies in the queues, until they are empty.
    pub(super) async fn deliver_all(&self) {
        for _ in 0..ROUNDS_MAX {
            let taken = [self.world().queue.take().await, self.world().journal_queue.take().await];
            let [sync, weeks] = taken.map(|event| event.records.into_iter().filter_map(|record| record.body).collect::<Vec<String>>());
            if sync.is_empty() && weeks.is_empty() {
                return;
            }
            self.messages.borrow_mut().extend(sync.iter().chain(&weeks).cloned());
            self.process(batch(&sync)).await;
            self.write_weeks(batch(&weeks)).await;
        }
        panic!("the queues do not run empty");
    }

    /// Time passes, and the schedules look after everything.
    pub(super) async fn later(&self, seconds: i64) {
        self.world().clock.advance(seconds);
        for task in ["reset-stuck", "process-pending"] {
            self.process(json!({ "task": task })).await;
        }
        self.deliver_all().await;
    }

    /// Whether a statement of the owner's counts at least one row.
    pub(super) async fn happened(&self, sql: &str) {
        assert!(self.world().database.count(sql).await > 0, "it did not happen: {sql}");
    }

    /// The search.
    pub(super) async fn ends(&self) {
        let world = self.world();
        for (n, secret) in world.strava.secrets().iter().enumerate() {
            self.mark(&format!("Strava's secret {n}"), secret);
        }
        for (what, secret) in [("the webhook's path", &world.webhook_path), ("the verify token", &world.verify_token)] {
            self.mark(what, secret);
        }
        self.mark("the model's key", world.claude().api_key());
        let marks = self.marks.borrow().clone();
        for line in world.logs.lines() {
            marks.assert_absent("the log", &line);
        }
        for (place, texts) in [("an answer", &self.answers), ("a message", &self.messages)] {
            texts.borrow().iter().for_each(|text| marks.assert_absent(place, text));
        }
        for row in world.database.owner().await.query(OPERATORS_COLUMNS, &[]).await.unwrap() {
            marks.assert_absent("a column that operators read", row.get(0));
        }
        assert!(world.logs.lines().len() > 20 && marks.count() > 20, "nothing was written, or nothing is looked for");
        // The control: what is written is found.
        tracing::info!(name = FIRST_NAME, "A planted leak");
        tracing::trace!(target: "runaway_core::planted", "Another, of {EMAIL}");
        let found: Vec<String> = world.logs.lines().iter().flat_map(|line| marks.found_in(line)).collect();
        assert_eq!(found, ["the first name", "the mail address"], "the search finds what was planted");
    }
}
