//! How far behind the processor is.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::tx::{Params, Scope as _};
use super::{DbError, SystemTx};

/// For how many seconds the oldest job or event that is due has waited for somebody who works on it; 0 where none waits.
/// Whole histories are left out: they are many at times, and wait for their turn at Strava.
///
/// # Errors
/// See [`DbError`].
pub async fn seconds(tx: &SystemTx, now: Timestamp) -> Result<u64, DbError> {
    let sql = "
        SELECT floor(extract(epoch FROM $1 - least(
            (SELECT not_before FROM sync_jobs
              WHERE status IN ('pending', 'in_progress') AND not_before <= $1 AND (lease_expires_at IS NULL OR lease_expires_at <= $1)
                AND lane <> 'backfill'
              ORDER BY not_before LIMIT 1),
            (SELECT not_before FROM strava_events
              WHERE handled_at IS NULL AND not_before <= $1 AND (lease_expires_at IS NULL OR lease_expires_at <= $1)
              ORDER BY not_before LIMIT 1))))::bigint";
    let params: Params<'_> = &[(&now, Type::TIMESTAMPTZ)];
    let row = tx.tx().query_opt(sql, params).await?.ok_or(DbError::Unexpected("sync_jobs"))?;
    Ok(row.try_get::<_, Option<i64>>(0)?.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0))
}
