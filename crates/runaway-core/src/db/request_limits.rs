//! What an athlete has used of a day's allowance: the table `request_limits`.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::tx::{Params, Scope as _};
use super::{DbError, LimitAccess, SystemTx};
use crate::config::DailyLimit;
use crate::domain::utc_day;

/// What an allowance is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Messages to the coach.
    Chat,
    /// Texts of the journal that a model is asked for.
    Journal,
    /// Syncs that the athlete asks for.
    Sync,
    /// Exports of everything held.
    Export,
}

impl Kind {
    /// The word in the table.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Journal => "journal",
            Self::Sync => "sync",
            Self::Export => "export",
        }
    }
}

/// Takes one request out of the athlete's allowance of the day; `false`, and nothing taken, where it is used up. The
/// row stays locked until the transaction ends: of requests at the same moment none takes what another has taken.
///
/// # Errors
/// See [`DbError`].
pub async fn take(tx: &impl LimitAccess, kind: Kind, limit: DailyLimit, now: Timestamp) -> Result<bool, DbError> {
    let sql = "
        INSERT INTO request_limits AS l (athlete_id, day, kind, requests)
        SELECT a, $1, $2, 1 FROM (SELECT coalesce(worker_athlete_id(), current_athlete_id()) AS a) c WHERE a IS NOT NULL AND $3 > 0 AND $4 > 0
        ON CONFLICT (athlete_id, day, kind) DO UPDATE SET requests = l.requests + 1 WHERE l.requests < $3 AND l.tokens < $4
        RETURNING 1";
    let (day, kind) = (utc_day(now), kind.as_str());
    let params: Params<'_> = &[(&day, Type::DATE), (&kind, Type::TEXT), (&limit.requests_max, Type::INT4), (&limit.tokens_max, Type::INT8)];
    Ok(tx.tx().query_opt(sql, params).await?.is_some())
}

/// Deletes a batch of allowances of days before that moment's; returns how many.
///
/// # Errors
/// See [`DbError`].
pub async fn delete_old(tx: &SystemTx, before: Timestamp, rows_max: i64) -> Result<usize, DbError> {
    let sql = "
        DELETE FROM request_limits WHERE ctid = ANY (ARRAY(SELECT ctid FROM request_limits WHERE day < $1 LIMIT $2)) RETURNING 1";
    let params: Params<'_> = &[(&utc_day(before), Type::DATE), (&rows_max, Type::INT8)];
    Ok(tx.tx().query(sql, params).await?.len())
}

/// Notes the model tokens that a request has used; `now` is when the request was taken, whose day pays.
///
/// # Errors
/// See [`DbError`].
pub async fn add_tokens(tx: &impl LimitAccess, kind: Kind, now: Timestamp, tokens: i64) -> Result<(), DbError> {
    let sql = "
        UPDATE request_limits SET tokens = tokens + $3
         WHERE athlete_id = (SELECT coalesce(worker_athlete_id(), current_athlete_id())) AND day = $1 AND kind = $2";
    let (day, kind) = (utc_day(now), kind.as_str());
    tx.tx().query(sql, &[(&day, Type::DATE), (&kind, Type::TEXT), (&tokens, Type::INT8)]).await?;
    Ok(())
}
