//! What an operator sees at a glance: how much there is of what, and nothing that belongs to anybody.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::tx::{Params, Scope as _};
use super::{DbError, SystemTx};

/// How far "lately" reaches back, seconds.
const LATELY_S: f64 = 86_400.0;

/// How much there is of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Athletes whose rows are held.
    pub athletes: i64,
    /// Those who are connected to Strava.
    pub connected: i64,
    /// Sync jobs that nobody has begun.
    pub jobs_pending: i64,
    /// Sync jobs that were begun and have not ended.
    pub jobs_in_progress: i64,
    /// Sync jobs that ended well lately.
    pub jobs_completed: i64,
    /// Sync jobs that ended badly lately.
    pub jobs_failed: i64,
    /// Announcements of Strava's not worked off.
    pub events_unhandled: i64,
    /// Tokens of ended connections that Strava has not revoked.
    pub revocations_pending: i64,
}

/// Counts everything at once.
///
/// # Errors
/// See [`DbError`].
pub async fn counts(tx: &SystemTx, now: Timestamp) -> Result<Counts, DbError> {
    let sql = "
        SELECT (SELECT count(*) FROM athletes), (SELECT count(*) FROM athletes WHERE strava_connected),
               (SELECT count(*) FROM sync_jobs WHERE status = 'pending'),
               (SELECT count(*) FROM sync_jobs WHERE status = 'in_progress'),
               (SELECT count(*) FROM sync_jobs WHERE status = 'completed' AND completed_at > $1 - make_interval(secs => $2)),
               (SELECT count(*) FROM sync_jobs WHERE status = 'failed' AND completed_at > $1 - make_interval(secs => $2)),
               (SELECT count(*) FROM strava_events WHERE handled_at IS NULL),
               (SELECT count(*) FROM pending_revocations)";
    let params: Params<'_> = &[(&now, Type::TIMESTAMPTZ), (&LATELY_S, Type::FLOAT8)];
    let row = tx.tx().query_opt(sql, params).await?.ok_or(DbError::Unexpected("a row of counts"))?;
    Ok(Counts {
        athletes: row.try_get(0)?,
        connected: row.try_get(1)?,
        jobs_pending: row.try_get(2)?,
        jobs_in_progress: row.try_get(3)?,
        jobs_completed: row.try_get(4)?,
        jobs_failed: row.try_get(5)?,
        events_unhandled: row.try_get(6)?,
        revocations_pending: row.try_get(7)?,
    })
}
