//! The table `oauth_states`.

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::tx::Scope as _;
use super::{AthleteTx, DbError, SystemTx};

/// How long a used state is kept for the callback that used it: longer than a function may take.
const USED_KEPT: SignedDuration = SignedDuration::from_mins(5);

/// Who began an authorisation, and where it leads back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The user whose token began it.
    pub user_id: Uuid,
    /// The app's address, where one was named.
    pub redirect: Option<String>,
    /// Whether it is to be confirmed before anything is linked.
    pub confirm: bool,
}

/// Stores the hash of a state until `expires_at`.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(
    tx: &AthleteTx,
    state_hash: &[u8],
    redirect: Option<&str>,
    confirm: bool,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), DbError> {
    let sql =
        "INSERT INTO oauth_states (state_hash, auth_user_id, redirect, confirm, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)";
    let params: super::tx::Params<'_> = &[
        (&state_hash, Type::BYTEA),
        (&tx.user_id(), Type::UUID),
        (&redirect, Type::TEXT),
        (&confirm, Type::BOOL),
        (&now, Type::TIMESTAMPTZ),
        (&expires_at, Type::TIMESTAMPTZ),
    ];
    tx.tx().query(sql, params).await?;
    Ok(())
}

/// Marks the state as used, so that no second caller finds it; `None` where unknown, used or expired. Sweeps out what
/// has expired on the way.
///
/// # Errors
/// See [`DbError`].
pub async fn take(tx: &SystemTx, state_hash: &[u8], now: Timestamp) -> Result<Option<Begun>, DbError> {
    let sql = "
        WITH gone AS (DELETE FROM oauth_states WHERE expires_at <= $2)
        UPDATE oauth_states SET used_at = $2, expires_at = $3
         WHERE state_hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING auth_user_id, redirect, confirm";
    let params: super::tx::Params<'_> = &[(&state_hash, Type::BYTEA), (&now, Type::TIMESTAMPTZ), (&(now + USED_KEPT), Type::TIMESTAMPTZ)];
    let row = tx.tx().query_opt(sql, params).await?;
    row.map(|row| Ok(Begun { user_id: row.try_get(0)?, redirect: row.try_get(1)?, confirm: row.try_get(2)? })).transpose()
}

/// Deletes the used state, in the transaction that makes something of it. `false` where it is not there any more: its
/// user has been erased meanwhile, and nothing may be made. An erasure at the same moment waits for the end of this
/// transaction.
///
/// # Errors
/// See [`DbError`].
pub async fn spend(tx: &SystemTx, state_hash: &[u8]) -> Result<bool, DbError> {
    let sql = "DELETE FROM oauth_states WHERE state_hash = $1 AND used_at IS NOT NULL RETURNING 1";
    Ok(tx.tx().query_opt(sql, &[(&state_hash, Type::BYTEA)]).await?.is_some())
}

/// Deletes what has expired; returns how many.
///
/// # Errors
/// See [`DbError`].
pub async fn delete_expired(tx: &SystemTx, now: Timestamp) -> Result<usize, DbError> {
    let sql = "DELETE FROM oauth_states WHERE expires_at <= $1 RETURNING 1";
    Ok(tx.tx().query(sql, &[(&now, Type::TIMESTAMPTZ)]).await?.len())
}
