//! What the journal's queue and the hourly schedule call.

use std::time::{Duration, SystemTime};

use jiff::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use lambda_runtime::Error;
use runaway_core::claude::ModelGate;
use runaway_core::clock::Clock;
use runaway_core::config::{DailyLimit, DatabaseConfig, JournalQueueConfig, ModelConfig, Settings};
use runaway_core::db::journal::{self, DUE_WEEKS_MAX};
use runaway_core::db::{Db, DbError};
use runaway_core::domain::monday_of;
use runaway_core::queue::{JournalMessage, JournalQueue, QueueError, Record, Undone, dispatch};
use runaway_core::telemetry;
use serde_json::Value;
use tokio::time::Instant;

use crate::story::{self, Order, Writer};

/// One week at a time.
const CONNECTIONS_MAX: usize = 2;
/// Time that is kept back from the model to store what was written.
const STORE_MARGIN: Duration = Duration::from_secs(15);
/// Statements of one run of `due-weeks`; what is left, also for want of time, comes up an hour later.
const DUE_ROUNDS_MAX: usize = 40;

/// What the function holds between calls.
#[derive(Debug)]
pub struct App {
    /// What writing needs.
    pub writer: Writer,
    /// Where weeks are announced.
    pub queue: JournalQueue,
}

/// Why due weeks could not be announced.
#[derive(Debug, thiserror::Error)]
enum DueError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl From<DueError> for Undone {
    fn from(error: DueError) -> Self {
        let class = match error {
            DueError::Db(_) => "database",
            DueError::Queue(_) => "queue",
        };
        Self::Failed { class, source: error.into() }
    }
}

impl App {
    /// Builds everything from the settings; nothing is connected yet.
    ///
    /// # Errors
    /// Names every setting that is missing or senseless.
    pub async fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (database, model, limit, queue) =
            settings.read(|s| (DatabaseConfig::read(s), ModelConfig::read(s), DailyLimit::read_journal(s), JournalQueueConfig::read(s)))?;
        let writer = Writer { db: Db::new(&database, CONNECTIONS_MAX)?, gate: ModelGate::new(model)?, limit, clock: Clock::system() };
        Ok(Self { writer, queue: JournalQueue::connect(&queue).await })
    }
}

/// Works on one event: an SQS batch, answered with its partial failures, or the schedule's task.
///
/// # Errors
/// For an event of another kind, and for a task that could not be done; Lambda tries both again.
pub async fn handle(app: &App, event: Value, deadline: SystemTime) -> Result<Value, Error> {
    let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
    let model_until = Instant::now() + left.saturating_sub(STORE_MARGIN);
    let record = async |record: Record<'_>| work_on(app, record, model_until).await;
    let task = async |()| Ok(due_weeks(app, model_until).await?);
    dispatch("journal-worker", event, |name| (name == "due-weeks").then_some(()), record, task).await
}

async fn work_on(app: &App, record: Record<'_>, model_until: Instant) -> Result<(), Undone> {
    let message = JournalMessage::parse(record.body).map_err(|_| Undone::Unreadable)?;
    let week = monday_of(message.week_start_date).ok_or(Undone::Unreadable)?;
    let order = Order { user_id: None, athlete_id: message.athlete_id, week, is_forced: false, model_until };
    telemetry::note("kind", "week");
    telemetry::note("week", week.to_string());
    telemetry::note_athlete(order.athlete_id);
    story::write_week(&app.writer, &order).await?;
    Ok(())
}

/// Sends a message for every week that has ended where its athlete is, and is not written or no longer true. The rows
/// count as sent before the messages are: a send that fails is made up for by the next run.
async fn due_weeks(app: &App, until: Instant) -> Result<usize, DueError> {
    let now = app.writer.clock.now();
    let tx = app.writer.db.system().await?;
    let zones = journal::zones(&tx).await?;
    tx.commit().await?;
    let ended = |zone: String| {
        let today = now.to_zoned(TimeZone::get(&zone).unwrap_or(TimeZone::UTC)).date();
        Some((zone, last_ended_week(today)?))
    };
    let ended: Vec<(String, Date)> = zones.into_iter().filter_map(ended).collect();
    let mut sent = 0;
    for _ in 0..DUE_ROUNDS_MAX {
        let tx = app.writer.db.system().await?;
        let due = journal::take_due(&tx, &ended, now).await?;
        tx.commit().await?;
        let message =
            |(athlete_id, week_start_date): &(i64, Date)| JournalMessage { athlete_id: *athlete_id, week_start_date: *week_start_date };
        app.queue.send_all(&due.iter().map(message).collect::<Vec<_>>()).await?;
        sent += due.len();
        let are_left = i64::try_from(due.len()).is_ok_and(|count| count >= DUE_WEEKS_MAX);
        if !are_left || Instant::now() >= until {
            break;
        }
    }
    Ok(sent)
}

/// The Monday of the last week that is over on `today`.
fn last_ended_week(today: Date) -> Option<Date> {
    monday_of(today)?.checked_sub(Span::new().days(7)).ok()
}
