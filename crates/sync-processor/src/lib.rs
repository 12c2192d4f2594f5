//! The worker: takes batches of the sync queue and the schedules' tasks, and works jobs off page by page.
//!
//! `job.rs` tells the life of one job, `page.rs` that of one page, `details.rs` what follows when no job waits, `event.rs`
//! the life of an event of Strava's; `cleanup.rs` is what happens at night. Every call of Strava passes `access.rs` and
//! `budget.rs`, `failure.rs` says what a refusal means, and `grant.rs` asks whether a permission stands.

mod access;
mod budget;
mod cleanup;
mod details;
mod event;
mod failure;
mod grant;
mod job;
mod page;
mod tasks;
mod vanished;

use std::time::SystemTime;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::Error;
use runaway_core::clock::Clock;
use runaway_core::config::{CleanupConfig, DatabaseConfig, QueueConfig, Settings, StravaConfig, VaultConfig};
use runaway_core::db::Db;
use runaway_core::queue::{Record, SyncMessage, SyncQueue, partial_failures};
use runaway_core::strava::StravaClient;
use runaway_core::telemetry;
use runaway_core::vault::Vault;
use serde_json::{Value, json};
use tasks::{Task, UnknownEvent};

pub use job::Deadline;

/// One for the page, one for the token's refresh.
const CONNECTIONS_MAX: usize = 2;

/// What the function holds between calls.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub db: Db,
    /// Strava.
    pub strava: StravaClient,
    /// Opens tokens.
    pub vault: Vault,
    /// For continuations and wake-ups.
    pub queue: SyncQueue,
    /// How long data are kept.
    pub keep: CleanupConfig,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// Builds everything from the settings; nothing is connected yet.
    ///
    /// # Errors
    /// Names every setting that is missing or senseless.
    pub async fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (database, strava, vault, queue, keep) = settings.read(|s| {
            (DatabaseConfig::read(s), StravaConfig::read(s), VaultConfig::read(s), QueueConfig::read(s), CleanupConfig::read(s))
        })?;
        Ok(Self {
            db: Db::new(&database, CONNECTIONS_MAX)?,
            strava: StravaClient::new(strava)?,
            vault: Vault::from_ring(&vault.token_keys)?,
            queue: SyncQueue::connect(&queue).await,
            keep,
            clock: Clock::system(),
        })
    }
}

/// Works on one event: an SQS batch, answered with its partial failures, or a schedule's task.
///
/// # Errors
/// For an event of another kind, and for a task that could not be done; Lambda tries both again.
pub async fn handle(app: &App, event: Value, deadline: SystemTime) -> Result<Value, Error> {
    let deadline = Deadline::at(deadline);
    if event.get("Records").is_some() {
        // The parser's message would quote the event.
        let batch: SqsEvent = serde_json::from_value(event).map_err(|_| UnknownEvent)?;
        let response = partial_failures(&batch, async |record| work_on(app, record, deadline).await).await;
        return Ok(serde_json::to_value(response)?);
    }
    let done = tasks::run(app, Task::of(&event)?, deadline).await?;
    Ok(json!({ "done": done }))
}

/// Whether the record is dealt with. What SQS delivers again too often ends in the dead-letter queue.
async fn work_on(app: &App, record: Record<'_>, deadline: Deadline) -> bool {
    let outcome = match SyncMessage::parse(record.body) {
        Ok(SyncMessage::Job { job_id }) => Box::pin(job::work(app, job_id, deadline)).await,
        Ok(SyncMessage::Event { event_id }) => Box::pin(event::work(app, event_id)).await,
        Err(error) => {
            tracing::error!(message.id = record.message_id, cause = %error, "A message cannot be read; it goes to the dead letters");
            return false;
        }
    };
    if let Err(error) = &outcome {
        let cause = telemetry::chain(error);
        tracing::error!(
            message.id = record.message_id,
            cause,
            "A message could not be dealt with; it will come again, and after five times go to the dead letters"
        );
    }
    outcome.is_ok()
}
