//! What one request, record or task comes to: its one line is written when the last of its work is over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Map, Value};

use super::line::Line;
use super::metric::{DATABASE_ROUND_TRIPS, FAILURES, REQUEST_DURATION, REQUESTS};

tokio::task_local! {
    static CURRENT: Tally;
    static INVOCATION: String;
}

/// The account of one request, record or task. Everything that works on it holds it; with the last one it is closed and
/// its line is written, also where the work panicked or was given up.
#[derive(Debug, Clone)]
pub struct Tally(Arc<Account>);

/// What is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    Record,
    Task,
}

#[derive(Debug)]
struct Account {
    function: &'static str,
    kind: Kind,
    begun: Instant,
    round_trips: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    notes: Map<String, Value>,
    athlete: Athlete,
    /// What the line says; nothing before the end.
    message: Option<String>,
}

/// Whose rows were worked on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Athlete {
    #[default]
    Unknown,
    One(i64),
    /// Those of several, or of one who has just been erased.
    Unnamed,
}

/// What every line of this invocation's tallies names.
///
/// `request_id` is Lambda's own, for functions that are not called by HTTP.
pub async fn invocation<T>(request_id: String, work: impl Future<Output = T>) -> T {
    INVOCATION.scope(request_id, Box::pin(work)).await
}

/// Takes the current work along to where it goes on by itself.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let tally = CURRENT.try_with(Clone::clone).ok();
    async move {
        match tally {
            Some(tally) => tally.during(work).await,
            None => work.await,
        }
    }
}

/// Notes a field for the line of what is being done; the last one stands.
pub fn note(name: &str, value: impl Into<Value>) {
    let _ = CURRENT.try_with(|tally| tally.note(name, value));
}

/// Notes whose rows are worked on.
pub fn note_athlete(athlete_id: i64) {
    let _ = CURRENT.try_with(|tally| {
        let mut state = tally.0.state();
        state.athlete = match state.athlete {
            Athlete::Unknown => Athlete::One(athlete_id),
            known if known == Athlete::One(athlete_id) => known,
            _ => Athlete::Unnamed,
        };
    });
}

/// Keeps the line from naming an athlete of whom everything is erased.
pub fn forget_athlete() {
    let _ = CURRENT.try_with(|tally| tally.0.state().athlete = Athlete::Unnamed);
}

/// Counts one wait for the database.
pub(crate) fn count_round_trip() {
    let _ = CURRENT.try_with(|tally| tally.0.round_trips.fetch_add(1, Ordering::Relaxed));
}

/// Adds to a line which work it belongs to.
pub(super) fn sign(fields: &mut Map<String, Value>) {
    let _ = CURRENT.try_with(|tally| {
        let state = tally.0.state();
        fields.entry("function").or_insert_with(|| tally.0.function.into());
        for name in ["request_id", "message.id"] {
            if let Some(value) = state.notes.get(name) {
                fields.entry(name).or_insert_with(|| value.clone());
            }
        }
    });
}

impl Tally {
    /// A request of the API.
    pub fn of_request(function: &'static str, request_id: &str) -> Self {
        Self::begin(function, Kind::Request, &[("request_id", request_id)])
    }

    /// A record of a queue.
    pub fn of_record(function: &'static str, message_id: &str) -> Self {
        Self::begin(function, Kind::Record, &[("message.id", message_id)])
    }

    /// A task of a schedule's.
    pub fn of_task(function: &'static str, task: &str) -> Self {
        Self::begin(function, Kind::Task, &[("task", task)])
    }

    fn begin(function: &'static str, kind: Kind, notes: &[(&str, &str)]) -> Self {
        let mut state = State::default();
        if let Ok(request_id) = INVOCATION.try_with(Clone::clone) {
            state.notes.insert("request_id".to_owned(), request_id.into());
        }
        state.notes.extend(notes.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
        Self(Arc::new(Account { function, kind, begun: Instant::now(), round_trips: AtomicU64::new(0), state: Mutex::new(state) }))
    }

    /// Does work on this account. A whole story is a large future: it lives on the heap.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), Box::pin(work)).await
    }

    /// Notes a field for the line; the last one stands.
    pub fn note(&self, name: &str, value: impl Into<Value>) {
        self.0.state().notes.insert(name.to_owned(), value.into());
    }

    /// Notes a field where nothing more exact was noted.
    pub fn note_default(&self, name: &str, value: impl Into<Value>) {
        self.0.state().notes.entry(name).or_insert_with(|| value.into());
    }

    /// Says how it went. Without it, the line says that the work was given up.
    pub fn ends(&self, message: impl Into<String>) {
        self.0.state().message = Some(message.into());
    }
}

impl Account {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let duration_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let round_trips = self.round_trips.load(Ordering::Relaxed);
        let state = std::mem::take(self.state.get_mut().unwrap_or_else(PoisonError::into_inner));
        let is_given_up = state.message.is_none();
        let mut line = match state.message {
            Some(message) => Line::info(message),
            None => Line::warn("The work was given up before its end").metric_by(FAILURES, "given_up", 1),
        };
        line = line.field("function", self.function);
        for (name, value) in state.notes {
            line = line.field(&name, value);
        }
        if is_given_up {
            line = line.field("outcome", "given_up");
        }
        if let Athlete::One(athlete_id) = state.athlete {
            line = line.field("athlete.id", athlete_id);
        }
        line = line.field("duration_ms", duration_ms).field("round_trips", round_trips);
        line = line.metric(REQUESTS, 1).metric(REQUEST_DURATION, duration_ms).metric(DATABASE_ROUND_TRIPS, round_trips);
        if self.kind != Kind::Request {
            line = line.by_function_only();
        }
        // Nothing is asked of the scope, which may be going this moment.
        line.write_as_it_is();
    }
}
