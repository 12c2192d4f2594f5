//! What the schedules ask for.

use runaway_core::db::rate_budget::Left;
use runaway_core::db::{detail_runs, rate_budget, strava_events, sweep, sync_jobs, sync_lag};
use runaway_core::domain::Lane;
use runaway_core::flows;
use runaway_core::queue::SyncMessage;
use runaway_core::strava::budget::Terms;
use runaway_core::telemetry::{Line, STRAVA_CALLS_LEFT_15_MIN, STRAVA_CALLS_LEFT_FOR_HISTORIES, STRAVA_CALLS_LEFT_TODAY, SYNC_LAG};

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
    /// Seal anew what another key than the first sealed.
    Reseal,
}

impl Task {
    /// The task of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "process-pending" => Some(Self::ProcessPending),
            "reset-stuck" => Some(Self::ResetStuck),
            "sweep" => Some(Self::Sweep),
            "cleanup" => Some(Self::Cleanup),
            "reseal" => Some(Self::Reseal),
            _ => None,
        }
    }
}

/// Does the task and returns how many rows it touched.
pub(crate) async fn run(app: &App, task: Task, deadline: Deadline) -> Result<usize, WorkError> {
    match task {
        Task::ProcessPending => process_pending(app).await,
        Task::ResetStuck => reset_stuck(app).await,
        Task::Sweep => plan_sweep(app).await,
        Task::Cleanup => cleanup::run(app, deadline).await,
        Task::Reseal => reseal(app, deadline).await,
    }
}

/// The rows count as sent before the messages are: a send that fails is made up for two minutes later, while the
/// other order could send the same job with every run.
async fn process_pending(app: &App) -> Result<usize, WorkError> {
    let now = app.clock.now();
    let tx = app.db.system().await?;
    let terms = Terms::of(Lane::Backfill, now);
    let (room, left, lag_s) =
        tokio::join!(biased; rate_budget::room(&tx, &terms), rate_budget::left(&tx, &terms), sync_lag::seconds(&tx, now));
    let (room, left, lag_s) = (room?, left?, lag_s?);
    let events = strava_events::take_due(&tx, now).await?;
    let mut jobs = sync_jobs::take_due(&tx, room, now).await?;
    if !jobs.has_backfills && room != Some(0) {
        // Details come when no history waits.
        jobs.job_ids.extend(detail_runs::take_due(&tx, now).await?);
    }
    tx.commit().await?;
    measured(lag_s, left);
    // Events first: they are what changed a moment ago.
    let events = events.into_iter().map(|event_id| SyncMessage::Event { event_id });
    let due: Vec<SyncMessage> = events.chain(jobs.job_ids.into_iter().map(|job_id| SyncMessage::Job { job_id })).collect();
    app.queue.send_all(&due).await?;
    Ok(due.len())
}

/// How far behind the processor was, and what Strava allows for now, where it has said; `left` is that of backfills.
fn measured(lag_s: u64, left: Option<Left>) {
    let mut line = Line::info("Looked at what is due").metric(SYNC_LAG, lag_s);
    if let Some(left) = left {
        line = line
            .metric(STRAVA_CALLS_LEFT_15_MIN, u64::try_from(left.short).unwrap_or(0))
            .metric(STRAVA_CALLS_LEFT_TODAY, u64::try_from(left.day).unwrap_or(0))
            .metric(STRAVA_CALLS_LEFT_FOR_HISTORIES, u64::try_from(left.day_share).unwrap_or(0));
    }
    line.write();
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

/// One line per reason that something does not open: the rest is sealed anew all the same.
async fn reseal(app: &App, deadline: Deadline) -> Result<usize, WorkError> {
    let done = flows::reseal(&app.db, &app.vault, || deadline.allows_another_page()).await?;
    for (why, rows) in &done.unopened {
        // The runbook tells the operator to look for this sentence.
        tracing::error!(key.id = why.key_id, rows, cause = why.cause, "{rows} rows hold something sealed that cannot be opened");
    }
    let (resealed, current, busy, is_complete) = (done.resealed, done.current, done.busy, done.is_complete);
    tracing::info!(resealed, current, busy, is_complete, "Sealed {resealed} rows anew");
    Ok(resealed)
}
