//! Beginning a sync: the row first, the message second.

use jiff::Timestamp;
use uuid::Uuid;

use crate::db::sync_jobs::{self, SyncJob};
use crate::db::{DbError, JobAccess};
use crate::domain::{Lane, SyncBounds};

/// The job that answers a request.
#[derive(Debug)]
pub struct Started {
    /// The job.
    pub job: SyncJob,
    /// Whether it was written for this request.
    pub is_new: bool,
    /// Whether it stood already and was widened for this request.
    pub is_widened: bool,
    /// Whether a message must be sent after the commit.
    pub needs_message: bool,
}

/// Finds the unfinished job that covers the request, widens the one that stands in its place, or writes a new one.
/// The caller commits and then sends the message; should that fail, `process-pending` sends it.
///
/// # Errors
/// See [`DbError`].
pub async fn start_sync(
    tx: &impl JobAccess,
    athlete_id: i64,
    request: &SyncBounds,
    job_id: Uuid,
    now: Timestamp,
) -> Result<Started, DbError> {
    // A second look is needed only where another request wrote the same kind of job between look and insert.
    for _ in 0..2 {
        let unfinished = sync_jobs::unfinished(tx, athlete_id).await?;
        if let Some(job) = unfinished.iter().find(|job| job.bounds.covers(request)) {
            let lane = Lane::of_request(request, now);
            if lane >= job.lane {
                return Ok(Started { job: job.clone(), is_new: false, is_widened: false, needs_message: false });
            }
            // An incremental catch-up need not wait for its turn in the daily comparison, a whole history's turn stays its own.
            let needs_message = job.bounds.sync_type == request.sync_type;
            let job = if needs_message { sync_jobs::hasten(tx, job.id, lane, now).await? } else { job.clone() };
            return Ok(Started { job, is_new: false, is_widened: false, needs_message });
        }
        if let Some(job) = unfinished.iter().find(|job| job.bounds.sync_type == request.sync_type) {
            let job = sync_jobs::widen(tx, job.id, &job.bounds.widened_by(request), now).await?;
            return Ok(Started { job, is_new: false, is_widened: true, needs_message: true });
        }
        if let Some(job) = sync_jobs::insert(tx, job_id, athlete_id, request, now).await? {
            return Ok(Started { job, is_new: true, is_widened: false, needs_message: true });
        }
    }
    Err(DbError::Unavailable("other requests for the same athlete keep coming", None))
}
