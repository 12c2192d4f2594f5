//! What an operator sees at a glance: counts, ages and the rate limit, and nothing that belongs to anybody.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::tx::{Params, Scope as _};
use super::{DbError, SystemTx};
use crate::strava::budget::{Terms, Usage};

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
    /// Since when the oldest job or announcement is due that nobody works on; `None` where none waits.
    pub oldest_due: Option<Timestamp>,
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
               (SELECT count(*) FROM pending_revocations),
               least((SELECT min(not_before) FROM sync_jobs WHERE status IN ('pending', 'in_progress') AND not_before <= $1
                         AND (lease_expires_at IS NULL OR lease_expires_at <= $1)),
                     (SELECT min(not_before) FROM strava_events WHERE handled_at IS NULL AND not_before <= $1
                         AND (lease_expires_at IS NULL OR lease_expires_at <= $1)))";
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
        oldest_due: row.try_get(8)?,
    })
}

/// What Strava allows and what of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The quarter hour; `None` before Strava has named its limits.
    pub short: Option<Usage>,
    /// The day.
    pub day: Option<Usage>,
    /// Nobody calls Strava before this; in the past while there is no pause.
    pub not_before: Timestamp,
}

/// Reads the shared budget as it stands in the windows of `terms`, and counts nothing.
///
/// # Errors
/// See [`DbError`].
pub async fn budget(tx: &SystemTx, terms: &Terms) -> Result<Budget, DbError> {
    let sql = "
        SELECT short_limit, CASE WHEN short_window < $1 THEN 0 ELSE short_used END,
               day_limit, CASE WHEN day_window < $2 THEN 0 ELSE day_used END, not_before FROM strava_rate_budget";
    let params: Params<'_> = &[(&terms.short_window, Type::INT8), (&terms.day_window, Type::INT8)];
    let row = tx.tx().query_opt(sql, params).await?.ok_or(DbError::Unexpected("strava_rate_budget"))?;
    let usage = |limit: Option<i32>, used: i32| limit.map(|limit| Usage { limit, used });
    Ok(Budget { short: usage(row.try_get(0)?, row.try_get(1)?), day: usage(row.try_get(2)?, row.try_get(3)?), not_before: row.try_get(4)? })
}
