//! What an athlete may use of something paid for in one day: the table `request_limits`.

use jiff::civil::Date;
use tokio_postgres::types::Type;

use super::tx::{Params, Scope as _};
use super::{AthleteTx, DbError, OneAthleteTx};

/// A day's allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// What it is for; the word in the table.
    pub kind: &'static str,
    /// Requests a day.
    pub requests_max: i32,
    /// Model tokens a day, read and written.
    pub tokens_max: i64,
}

/// Takes one request out of the caller's allowance; `false`, and nothing taken, where it is used up.
///
/// # Errors
/// See [`DbError`].
pub async fn take(tx: &AthleteTx, allowance: Allowance, day: Date) -> Result<bool, DbError> {
    let sql = "
        INSERT INTO request_limits AS l (athlete_id, day, kind, requests)
        SELECT a, $1, $2, 1 FROM (SELECT current_athlete_id() AS a) c WHERE a IS NOT NULL AND $3 > 0
        ON CONFLICT (athlete_id, day, kind) DO UPDATE SET requests = l.requests + 1 WHERE l.requests < $3 AND l.tokens < $4
        RETURNING 1";
    let params: Params<'_> =
        &[(&day, Type::DATE), (&allowance.kind, Type::TEXT), (&allowance.requests_max, Type::INT4), (&allowance.tokens_max, Type::INT8)];
    Ok(tx.tx().query_opt(sql, params).await?.is_some())
}

/// Notes the model tokens that a request has used.
///
/// # Errors
/// See [`DbError`].
pub async fn add_tokens(tx: &AthleteTx, kind: &str, day: Date, tokens: i64) -> Result<(), DbError> {
    let sql = "
        UPDATE request_limits SET tokens = tokens + $3 WHERE athlete_id = (SELECT current_athlete_id()) AND day = $1 AND kind = $2";
    tx.tx().query(sql, &[(&day, Type::DATE), (&kind, Type::TEXT), (&tokens, Type::INT8)]).await?;
    Ok(())
}

/// [`take`] for whoever acts for the athlete: the caller, or a worker.
///
/// # Errors
/// See [`DbError`].
pub async fn take_for(tx: &OneAthleteTx, athlete_id: i64, allowance: Allowance, day: Date) -> Result<bool, DbError> {
    let sql = "
        INSERT INTO request_limits AS l (athlete_id, day, kind, requests) SELECT $1, $2, $3, 1 WHERE $4 > 0
        ON CONFLICT (athlete_id, day, kind) DO UPDATE SET requests = l.requests + 1 WHERE l.requests < $4 AND l.tokens < $5
        RETURNING 1";
    let params: Params<'_> = &[
        (&athlete_id, Type::INT8),
        (&day, Type::DATE),
        (&allowance.kind, Type::TEXT),
        (&allowance.requests_max, Type::INT4),
        (&allowance.tokens_max, Type::INT8),
    ];
    Ok(tx.tx().query_opt(sql, params).await?.is_some())
}

/// [`add_tokens`] for whoever acts for the athlete.
///
/// # Errors
/// See [`DbError`].
pub async fn add_tokens_for(tx: &OneAthleteTx, athlete_id: i64, kind: &str, day: Date, tokens: i64) -> Result<(), DbError> {
    let sql = "UPDATE request_limits SET tokens = tokens + $4 WHERE athlete_id = $1 AND day = $2 AND kind = $3";
    tx.tx().query(sql, &[(&athlete_id, Type::INT8), (&day, Type::DATE), (&kind, Type::TEXT), (&tokens, Type::INT8)]).await?;
    Ok(())
}
