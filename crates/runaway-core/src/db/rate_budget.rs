//! The one row of `strava_rate_budget`. Every transaction here is a single statement that travels with its COMMIT: all
//! workers pass through this row, so nobody may hold it for a round trip.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::tx::{Params, Scope as _};
use super::{DbError, SystemTx};
use crate::strava::budget::{PROBE_CALLS_MAX, Rates, Standing, Terms};

/// Counts one call of Strava where the lane's share of both windows still has one, and says how things stand. The
/// lock of the row makes parallel workers take turns: together they never reserve more than there is.
///
/// # Errors
/// See [`DbError`].
pub async fn reserve(tx: SystemTx, terms: &Terms, now: Timestamp) -> Result<Standing, DbError> {
    // A worker whose clock is behind counts in the window that another has already begun.
    let sql = "
        WITH budget AS (
            SELECT not_before, short_limit, day_limit, greatest(short_window, $1) AS short_window, greatest(day_window, $2) AS day_window,
                   CASE WHEN short_window < $1 THEN 0 ELSE short_used END AS short_used,
                   CASE WHEN short_window < $1 THEN 0 ELSE short_refused END AS short_refused,
                   CASE WHEN day_window < $2 THEN 0 ELSE day_used END AS day_used
              FROM strava_rate_budget FOR UPDATE),
        verdict AS (
            SELECT *, not_before <= $6 AND short_used < coalesce(short_limit::bigint * $3 / 100, $5)
                      AND day_used < coalesce(day_limit::bigint * $4 / 100, $5) AS granted FROM budget),
        counted AS (
            UPDATE strava_rate_budget SET short_window = v.short_window, day_window = v.day_window, short_used = v.short_used + v.granted::int,
                   day_used = v.day_used + v.granted::int, short_refused = v.short_refused + (NOT v.granted)::int
              FROM verdict v WHERE v.not_before <= $6)
        SELECT granted, short_limit, short_used + granted::int, day_limit, day_used + granted::int, not_before,
               short_refused + (NOT granted)::int FROM verdict";
    let params: Params<'_> = &[
        (&terms.short_window, Type::INT8),
        (&terms.day_window, Type::INT8),
        (&terms.short_percent, Type::INT4),
        (&terms.day_percent, Type::INT4),
        (&PROBE_CALLS_MAX, Type::INT4),
        (&now, Type::TIMESTAMPTZ),
    ];
    let rows = tx.finish_with(sql, params).await?;
    let row = rows.first().ok_or(DbError::Unexpected("strava_rate_budget"))?;
    Ok(Standing {
        is_granted: row.try_get(0)?,
        short: (row.try_get(1)?, row.try_get(2)?),
        day: (row.try_get(3)?, row.try_get(4)?),
        not_before: row.try_get(5)?,
        refused: row.try_get(6)?,
    })
}

/// How many calls a lane has left now; `None` before Strava has named its limits.
///
/// # Errors
/// See [`DbError`].
pub async fn room(tx: &SystemTx, terms: &Terms) -> Result<Option<i64>, DbError> {
    let sql = "
        SELECT greatest(least(short_limit::bigint * $3 / 100 - CASE WHEN short_window < $1 THEN 0 ELSE short_used END,
                              day_limit::bigint * $4 / 100 - CASE WHEN day_window < $2 THEN 0 ELSE day_used END), 0)
          FROM strava_rate_budget WHERE short_limit IS NOT NULL AND day_limit IS NOT NULL";
    let params: Params<'_> = &[
        (&terms.short_window, Type::INT8),
        (&terms.day_window, Type::INT8),
        (&terms.short_percent, Type::INT4),
        (&terms.day_percent, Type::INT4),
    ];
    Ok(tx.tx().query_opt(sql, params).await?.map(|row| row.try_get(0)).transpose()?)
}

/// Calls that are left: for everybody together in both windows, and of the lane's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Of the quarter hour.
    pub short: i64,
    /// Of the day.
    pub day: i64,
    /// Of the day, in the lane's share of it.
    pub day_share: i64,
}

/// How many calls are left; `None` before Strava has named its limits.
///
/// # Errors
/// See [`DbError`].
pub async fn left(tx: &SystemTx, terms: &Terms) -> Result<Option<Left>, DbError> {
    let sql = "
        SELECT greatest(short_limit::bigint - CASE WHEN short_window < $1 THEN 0 ELSE short_used END, 0),
               greatest(day_limit::bigint - CASE WHEN day_window < $2 THEN 0 ELSE day_used END, 0),
               greatest(day_limit::bigint * $3 / 100 - CASE WHEN day_window < $2 THEN 0 ELSE day_used END, 0)
          FROM strava_rate_budget WHERE short_limit IS NOT NULL AND day_limit IS NOT NULL";
    let params: Params<'_> = &[(&terms.short_window, Type::INT8), (&terms.day_window, Type::INT8), (&terms.day_percent, Type::INT4)];
    let row = tx.tx().query_opt(sql, params).await?;
    row.map(|row| Ok(Left { short: row.try_get(0)?, day: row.try_get(1)?, day_share: row.try_get(2)? })).transpose()
}

/// Takes over what Strava's headers say. Usage lags behind at Strava, so the greater of its count and ours stands; and
/// it is believed only for the windows in which the call was reserved.
///
/// # Errors
/// See [`DbError`].
pub async fn correct(tx: SystemTx, terms: &Terms, rates: &Rates) -> Result<(), DbError> {
    let sql = "
        UPDATE strava_rate_budget SET short_limit = coalesce($3, short_limit), day_limit = coalesce($5, day_limit),
               short_used = CASE WHEN short_window = $1 THEN greatest(short_used, $4) ELSE short_used END,
               day_used = CASE WHEN day_window = $2 THEN greatest(day_used, $6) ELSE day_used END";
    let (short, day) = (rates.short, rates.day);
    let params: Params<'_> = &[
        (&terms.short_window, Type::INT8),
        (&terms.day_window, Type::INT8),
        (&short.map(|usage| usage.limit), Type::INT4),
        (&short.map(|usage| usage.used), Type::INT4),
        (&day.map(|usage| usage.limit), Type::INT4),
        (&day.map(|usage| usage.used), Type::INT4),
    ];
    tx.finish_with(sql, params).await?;
    Ok(())
}

/// Keeps everybody from calling Strava before `until`; never shortens an earlier pause.
///
/// # Errors
/// See [`DbError`].
pub async fn pause(tx: SystemTx, until: Timestamp) -> Result<(), DbError> {
    let sql = "UPDATE strava_rate_budget SET not_before = greatest(not_before, $1)";
    tx.finish_with(sql, &[(&until, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}

/// Until when nobody calls Strava; in the past while there is no pause.
///
/// # Errors
/// See [`DbError`].
pub async fn paused_until(tx: &SystemTx) -> Result<Timestamp, DbError> {
    let row = tx.tx().query_opt("SELECT not_before FROM strava_rate_budget", &[]).await?;
    Ok(row.ok_or(DbError::Unexpected("strava_rate_budget"))?.try_get(0)?)
}
