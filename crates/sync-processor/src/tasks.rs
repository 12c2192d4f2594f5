//! What the schedules ask for.

use runaway_core::db::{detail_runs, rate_budget, strava_events, sweep, sync_jobs};
use runaway_core::domain::Lane;
use runaway_core::queue::SyncMessage;
use runaway_core::strava::budget::Terms;
use serde_json::Value;

use crate::failure::WorkError;
use crate::{App, Deadline, cleanup};

/// A scheduled task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Send a message for every job and event that should be worked on and is not.
    ProcessPending,
    /// Take back leases that ran out.
    ResetStuck,
    /// Plan a comparison of the last days for every athlete.
    Sweep,
    /// Erase what is due to be erased.
    Cleanup,
}

/// An event that is neither a batch nor a known task.
#[derive(Debug, thiserror::Error)]
#[error("the event is neither a batch of records nor a known task")]
pub(crate) struct UnknownEvent;

impl Task {
    /// The task an event names.
    pub(crate) fn of(event: &Value) -> Result<Self, UnknownEvent> {
        match event.get("task").and_then(Value::as_str) {
            Some("process-pending") => Ok(Self::ProcessPending),
            Some("reset-stuck") => Ok(Self::ResetStuck),
            Some("sweep") => Ok(Self::Sweep),
            Some("cleanup") => Ok(Self::Cleanup),
            _ => Err(UnknownEvent),
        }
    }
}

/// Does the task and returns how many rows it touched.
pub(crate) async fn run(app: &App, task: Task, deadline: Deadline) -> Result<usize, WorkError> {
    let done = match task {
        Task::ProcessPending => process_pending(app).await?,
        Task::ResetStuck => reset_stuck(app).await?,
        Task::Sweep => plan_sweep(app).await?,
        Task::Cleanup => cleanup::run(app, deadline).await?,
    };
    tracing::info!(task = ?task, rows = done, "Task {task:?} touched {done} rows");
    Ok(done)
}

/// The rows count as sent before the messages are: a send that fails is made up for two minutes later, while the
/// other order could send the same job with every run.
async fn process_pending(app: &App) -> Result<usize, WorkError> {
    let now = app.clock.now();
    let tx = app.db.system().await?;
    let room = rate_budget::room(&tx, &Terms::of(Lane::Backfill, now)).await?;
    let events = strava_events::take_due(&tx, now).await?;
    let mut jobs = sync_jobs::take_due(&tx, room, now).await?;
    if !jobs.has_backfills && room != Some(0) {
        // Details come when no history waits.
        jobs.job_ids.extend(detail_runs::take_due(&tx, now).await?);
    }
    tx.commit().await?;
    // Events first: they are what changed a moment ago.
    let events = events.into_iter().map(|event_id| SyncMessage::Event { event_id });
    let due: Vec<SyncMessage> = events.chain(jobs.job_ids.into_iter().map(|job_id| SyncMessage::Job { job_id })).collect();
    app.queue.send_all(&due).await?;
    Ok(due.len())
}

async fn reset_stuck(app: &App) -> Result<usize, WorkError> {
    let tx = app.db.system().await?;
    let reset = sync_jobs::reset_stuck(&tx, app.clock.now()).await?;
    tx.commit().await?;
    Ok(reset)
}

/// No message is sent: each job is due at its own time of the coming day, and `process-pending` finds it then.
async fn plan_sweep(app: &App) -> Result<usize, WorkError> {
    let tx = app.db.system().await?;
    let planned = sweep::plan(&tx, app.clock.now()).await?;
    tx.commit().await?;
    Ok(planned)
}
