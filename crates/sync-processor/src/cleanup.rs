//! What happens at night: what has served its time is deleted, in batches that each stand for themselves. A run that
//! is interrupted, or runs out of time, is gone on with by the next.

use jiff::{SignedDuration, Timestamp};
use runaway_core::db::erasure_receipts::{self, Reason};
use runaway_core::db::{
    DbError, SystemTx, athlete_tables, athletes, oauth_states, oauth_tickets, pending_revocations, request_limits, strava_events, sync_jobs,
};
use runaway_core::flows::{self, Revocation};
use runaway_core::telemetry;
use uuid::Uuid;

use crate::failure::WorkError;
use crate::{App, Deadline};

/// How long a finished job is shown.
const JOBS_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a handled event is kept: longer than its object's quiet is measured.
const EVENTS_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long it is known what an athlete has used of a day's allowance: for questions, as only today's counts.
const LIMITS_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a revocation is tried.
const REVOCATIONS_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Revocations tried in one run.
const REVOCATIONS_MAX: i64 = 50;
/// Rows deleted by one statement.
const ROWS_MAX: i64 = 1_000;
/// Athletes looked up at once.
const ATHLETES_MAX: i64 = 100;
/// An athlete whose retention ran within this time is not looked at again.
const RETENTION_INTERVAL: SignedDuration = SignedDuration::from_hours(12);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Cleans up; returns how many rows went.
pub(crate) async fn run(app: &App, deadline: Deadline) -> Result<usize, WorkError> {
    let now = app.clock.now();
    let jobs = in_batches(app, deadline, async |tx| sync_jobs::delete_finished(tx, now - JOBS_KEPT, ROWS_MAX).await).await?;
    let events = in_batches(app, deadline, async |tx| strava_events::delete_handled(tx, now - EVENTS_KEPT, ROWS_MAX).await).await?;
    let states = delete_states(app, now).await?;
    let limits = in_batches(app, deadline, async |tx| request_limits::delete_old(tx, now - LIMITS_KEPT, ROWS_MAX).await).await?;
    // Before the revocations, to which their tokens go.
    let tickets = in_batches(app, deadline, async |tx| oauth_tickets::give_up_expired(tx, ROWS_MAX, now).await).await?;
    let revocations = revoke(app, deadline, now).await?;
    let retained = keep_retention(app, deadline, now).await?;
    let erased = erase_disconnected(app, deadline, now).await?;
    tracing::info!(jobs, events, states, limits, tickets, revocations, erased, retained, "Cleaned up");
    Ok(jobs + events + states + limits + tickets + revocations + erased + retained)
}

/// Repeats a deletion, each time in a transaction of its own, until it finds less than a batch.
async fn in_batches(app: &App, deadline: Deadline, delete: impl AsyncFn(&SystemTx) -> Result<usize, DbError>) -> Result<usize, DbError> {
    let mut rows = 0;
    while deadline.allows_another_page() {
        let tx = app.db.system().await?;
        let batch = delete(&tx).await?;
        tx.commit().await?;
        rows += batch;
        if batch < usize::try_from(ROWS_MAX).unwrap_or(usize::MAX) {
            break;
        }
    }
    Ok(rows)
}

async fn delete_states(app: &App, now: Timestamp) -> Result<usize, DbError> {
    let tx = app.db.system().await?;
    let rows = oauth_states::delete_expired(&tx, now).await?;
    tx.commit().await?;
    Ok(rows)
}

/// Tries what could not be revoked when a connection ended, and drops what could not be for too long.
async fn revoke(app: &App, deadline: Deadline, now: Timestamp) -> Result<usize, DbError> {
    let tx = app.db.system().await?;
    let dropped = pending_revocations::drop_old(&tx, now - REVOCATIONS_KEPT).await?;
    let due = pending_revocations::take_due(&tx, REVOCATIONS_MAX, now).await?;
    tx.commit().await?;
    if dropped > 0 {
        tracing::error!(dropped, "Strava did not revoke {dropped} tokens for thirty days; they were dropped");
    }
    let mut done = dropped;
    for pending in &due {
        if !deadline.allows_another_page() {
            break;
        }
        match flows::revoke(&app.db, &app.vault, &app.strava, pending).await {
            Revocation::Done => done += 1,
            Revocation::Kept => {}
            Revocation::StravaIsOut => break,
        }
    }
    Ok(done)
}

/// Erases what came from Strava of athletes whose connection ended long enough ago.
async fn erase_disconnected(app: &App, deadline: Deadline, now: Timestamp) -> Result<usize, DbError> {
    let disconnected_until = days_before(now, app.keep.erase_after_disconnect_days);
    let mut rows = 0;
    while deadline.allows_another_page() {
        let tx = app.db.system().await?;
        let due = athletes::to_erase(&tx, disconnected_until, ATHLETES_MAX).await?;
        tx.commit().await?;
        if due.is_empty() {
            break;
        }
        // One athlete who cannot be erased must not keep those behind from it.
        let mut failure = None;
        for athlete_id in due {
            match erase(app, athlete_id, deadline, now).await {
                Ok(erased) => rows += erased,
                Err(error) => {
                    tracing::error!(
                        athlete.id = athlete_id,
                        cause = telemetry::chain(&error),
                        "An athlete could not be erased; tried again tomorrow"
                    );
                    failure = Some(error);
                }
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
    }
    Ok(rows)
}

/// Each batch looks first whether the athlete has connected again meanwhile: a new connection fetches everything anew.
async fn erase(app: &App, athlete_id: i64, deadline: Deadline, now: Timestamp) -> Result<usize, DbError> {
    let mut rows = 0;
    while deadline.allows_another_page() {
        let tx = app.db.worker(athlete_id).await?;
        if !athletes::lock_disconnected(&tx).await? {
            tx.commit().await?;
            break;
        }
        let batch = athlete_tables::erase_strava_batch(&tx, ROWS_MAX).await?;
        if batch == 0 {
            athletes::forget_profile(&tx, now).await?;
            let receipt_id = Uuid::new_v4();
            erasure_receipts::insert(&tx, receipt_id, Reason::Disconnected, rows, now).await?;
            tx.commit().await?;
            telemetry::forget_athlete();
            tracing::info!(receipt.id = %receipt_id, rows, "What came from Strava of a disconnected athlete was erased");
            break;
        }
        tx.commit().await?;
        rows += batch;
    }
    Ok(usize::try_from(rows).unwrap_or_default())
}

/// Erases what came from Strava and is held for longer than the retention, where one is set.
async fn keep_retention(app: &App, deadline: Deadline, now: Timestamp) -> Result<usize, DbError> {
    let Some(days) = app.keep.retention_days else { return Ok(0) };
    let held_before = days_before(now, days);
    let mut rows = 0;
    while deadline.allows_another_page() {
        let tx = app.db.system().await?;
        let due = athletes::to_retain(&tx, now - RETENTION_INTERVAL, ATHLETES_MAX).await?;
        tx.commit().await?;
        if due.is_empty() {
            break;
        }
        for athlete_id in due {
            rows += retain(app, athlete_id, held_before, deadline, now).await?;
        }
    }
    Ok(rows)
}

async fn retain(app: &App, athlete_id: i64, held_before: Timestamp, deadline: Deadline, now: Timestamp) -> Result<usize, DbError> {
    let mut rows = 0;
    while deadline.allows_another_page() {
        let tx = app.db.worker(athlete_id).await?;
        let batch = athlete_tables::erase_old_batch(&tx, held_before, ROWS_MAX).await?;
        if batch == 0 {
            athletes::mark_retained(&tx, now).await?;
        }
        tx.commit().await?;
        if batch == 0 {
            break;
        }
        rows += batch;
    }
    Ok(usize::try_from(rows).unwrap_or_default())
}

/// That many days before now, and not before 1970.
fn days_before(now: Timestamp, days: i64) -> Timestamp {
    i32::try_from(days).ok().and_then(|days| now.checked_sub(DAY * days).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}
