//! What the schedules ask for.

use runaway_core::db::{strava_events, sync_jobs};
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
    /// Erase what is due to be erased.
    Cleanup,
}

/// An event that is neither a batch nor a known task.
#[derive(Debug, thiserror::Error)]
#[error("the event has neither Records nor a known task")]
pub(crate) struct UnknownEvent;

impl Task {
    /// The task an event names.
    pub(crate) fn of(event: &Value) -> Result<Self, UnknownEvent> {
        match event.get("task").and_then(Value::as_str) {
            Some("process-pending") => Ok(Self::ProcessPending),
            Some("reset-stuck") => Ok(Self::ResetStuck),
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
        Task::Cleanup => cleanup::run(app, deadline).await?,
    };
    tracing::info!(task = ?task, rows = done, "Task {task:?} touched {done} rows");
    Ok(done)
}

/// The rows count as sent before the messages are: a send that fails is made up for two minutes later, while the
/// other order could send the same job with every run.
async fn process_pending(app: &App) -> Result<usize, WorkError> {
    let tx = app.db.system().await?;
    let now = app.clock.now();
    // Events first: they are what changed a moment ago.
    let events = strava_events::take_due(&tx, now).await?;
    let jobs = sync_jobs::take_due(&tx, now).await?;
    tx.commit().await?;
    for event_id in &events {
        app.queue.send_event(*event_id, 0).await?;
    }
    for job_id in &jobs {
        app.queue.send(*job_id, 0).await?;
    }
    Ok(events.len() + jobs.len())
}

async fn reset_stuck(app: &App) -> Result<usize, WorkError> {
    let tx = app.db.system().await?;
    let reset = sync_jobs::reset_stuck(&tx, app.clock.now()).await?;
    tx.commit().await?;
    Ok(reset)
}
