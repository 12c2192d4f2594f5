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

use lambda_runtime::Error;
use runaway_core::clock::Clock;
use runaway_core::config::{CleanupConfig, DatabaseConfig, QueueConfig, Settings, StravaConfig, VaultConfig};
use runaway_core::db::Db;
use runaway_core::queue::{Record, SyncMessage, SyncQueue, Undone, dispatch};
use runaway_core::strava::StravaClient;
use runaway_core::telemetry;
use runaway_core::vault::Vault;
use serde_json::Value;
use tasks::Task;

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
    let record = async |record: Record<'_>| work_on(app, record, deadline).await;
    let task = async |task| Ok(tasks::run(app, task, deadline).await?);
    dispatch("sync-processor", event, Task::named, record, task).await
}

async fn work_on(app: &App, record: Record<'_>, deadline: Deadline) -> Result<(), Undone> {
    match SyncMessage::parse(record.body).map_err(|_| Undone::Unreadable)? {
        SyncMessage::Job { job_id } => {
            telemetry::note("kind", "job");
            telemetry::note("job.id", job_id.to_string());
            Box::pin(job::work(app, job_id, deadline)).await?;
        }
        SyncMessage::Event { event_id } => {
            telemetry::note("kind", "event");
            telemetry::note("event.id", event_id.to_string());
            Box::pin(event::work(app, event_id)).await?;
        }
    }
    Ok(())
}
