//! The daily comparison: rows of `sync_jobs` that nobody asked for.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::tx::{Params, Scope as _};
use super::{DbError, SystemTx};

/// How far the daily comparison reaches back, seconds: a lost announcement is made up for while it lies within.
pub const SWEEP_REACH_S: i64 = 14 * 24 * 60 * 60;
/// The comparisons of a day are spread over so many seconds, each athlete always at the same point.
const SWEEP_SPREAD_S: i64 = 23 * 60 * 60;

/// Plans an incremental sync of the last days for every connected athlete who has no unfinished sync, spread over the
/// day. Returns for how many.
///
/// # Errors
/// See [`DbError`].
pub async fn plan(tx: &SystemTx, now: Timestamp) -> Result<usize, DbError> {
    // hashint8 spreads neighbouring ids; its low 31 bits are taken for a number that is not negative.
    let sql = "
        INSERT INTO sync_jobs (id, athlete_id, sync_type, lane, after_s, not_before, created_at, updated_at)
        SELECT gen_random_uuid(), a.id, 'incremental', 'incremental', $2, $1 + make_interval(secs => (hashint8(a.id) & 2147483647) % $3), $1, $1
          FROM athletes a
         WHERE a.strava_connected AND NOT EXISTS (
               SELECT 1 FROM sync_jobs j WHERE j.athlete_id = a.id AND j.status IN ('pending', 'in_progress'))
        ON CONFLICT (athlete_id, sync_type) WHERE status IN ('pending', 'in_progress') DO NOTHING
        RETURNING 1";
    let after_s = now.as_second() - SWEEP_REACH_S;
    let params: Params<'_> = &[(&now, Type::TIMESTAMPTZ), (&after_s, Type::INT8), (&SWEEP_SPREAD_S, Type::INT8)];
    Ok(tx.tx().query(sql, params).await?.len())
}
