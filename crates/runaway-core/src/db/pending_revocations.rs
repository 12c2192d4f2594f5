//! The table `pending_revocations`: tokens of ended connections that Strava has not revoked yet. They are sealed and
//! no flow reads them but the one that revokes.

use jiff::Timestamp;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::tx::{Params, Scope as _};
use super::{DbError, SystemTx, WorkerTx};

/// A token to be revoked.
#[derive(Debug, Clone)]
pub struct PendingRevocation {
    /// Id of the row.
    pub id: Uuid,
    /// For whom the token was sealed.
    pub athlete_id: i64,
    /// Sealed refresh token: an access token may have ended, and revoking that would leave the grant alive.
    pub refresh_token: Vec<u8>,
}

/// Moves the athlete's refresh token here, out of every other flow's sight; `None` where no token is held. Waits for a
/// refresh under way, whose token it then takes.
///
/// # Errors
/// See [`DbError`].
pub async fn take_over(tx: &WorkerTx, id: Uuid, now: Timestamp) -> Result<Option<PendingRevocation>, DbError> {
    let sql = "
        WITH gone AS (DELETE FROM strava_tokens WHERE athlete_id = $2 RETURNING refresh_token)
        INSERT INTO pending_revocations (id, athlete_id, refresh_token, requested_at) SELECT $1, $2, refresh_token, $3 FROM gone
        RETURNING refresh_token";
    let params: Params<'_> = &[(&id, Type::UUID), (&tx.athlete_id(), Type::INT8), (&now, Type::TIMESTAMPTZ)];
    let row = tx.tx().query_opt(sql, params).await?;
    row.map(|row| Ok(PendingRevocation { id, athlete_id: tx.athlete_id(), refresh_token: row.try_get(0)? })).transpose()
}

/// Stores a token that no connection was made of; `false`, and nothing stored, where the athlete is connected:
/// revoking it would end that connection.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(tx: &SystemTx, pending: &PendingRevocation, now: Timestamp) -> Result<bool, DbError> {
    let sql = "
        INSERT INTO pending_revocations (id, athlete_id, refresh_token, requested_at)
        SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM athletes WHERE id = $2 AND strava_connected) RETURNING 1";
    let params: Params<'_> =
        &[(&pending.id, Type::UUID), (&pending.athlete_id, Type::INT8), (&pending.refresh_token, Type::BYTEA), (&now, Type::TIMESTAMPTZ)];
    Ok(tx.tx().query_opt(sql, params).await?.is_some())
}

/// Whether a token is still to be revoked. It is dropped where the athlete is connected: revoking it would end that
/// connection.
///
/// # Errors
/// See [`DbError`].
pub async fn is_wanted(tx: &WorkerTx, id: Uuid) -> Result<bool, DbError> {
    let sql = "
        WITH dropped AS (DELETE FROM pending_revocations WHERE athlete_id = $1 AND id = $2
                            AND EXISTS (SELECT 1 FROM athletes a WHERE a.id = $1 AND a.strava_connected) RETURNING 1)
        SELECT 1 FROM pending_revocations WHERE athlete_id = $1 AND id = $2 AND NOT EXISTS (SELECT 1 FROM dropped)";
    Ok(tx.tx().query_opt(sql, &[(&tx.athlete_id(), Type::INT8), (&id, Type::UUID)]).await?.is_some())
}

/// Forgets a token that Strava has revoked.
///
/// # Errors
/// See [`DbError`].
pub async fn delete(tx: &WorkerTx, id: Uuid) -> Result<(), DbError> {
    let sql = "DELETE FROM pending_revocations WHERE athlete_id = $1 AND id = $2";
    tx.tx().query(sql, &[(&tx.athlete_id(), Type::INT8), (&id, Type::UUID)]).await?;
    Ok(())
}

/// Forgets the tokens of an athlete who has connected again: revoking an old one would end the new connection.
///
/// # Errors
/// See [`DbError`].
pub async fn forget(tx: &SystemTx, athlete_id: i64) -> Result<(), DbError> {
    tx.tx().query("DELETE FROM pending_revocations WHERE athlete_id = $1", &[(&athlete_id, Type::INT8)]).await?;
    Ok(())
}

/// Tokens to be tried now, those first that were not tried for longest. They count as tried from here on.
///
/// # Errors
/// See [`DbError`].
pub async fn take_due(tx: &SystemTx, rows_max: i64, now: Timestamp) -> Result<Vec<PendingRevocation>, DbError> {
    let sql = "
        UPDATE pending_revocations SET tried_at = $2
         WHERE id IN (SELECT id FROM pending_revocations ORDER BY tried_at NULLS FIRST, id LIMIT $1 FOR UPDATE SKIP LOCKED)
        RETURNING id, athlete_id, refresh_token";
    let rows = tx.tx().query(sql, &[(&rows_max, Type::INT8), (&now, Type::TIMESTAMPTZ)]).await?;
    rows.iter()
        .map(|row| Ok(PendingRevocation { id: row.try_get(0)?, athlete_id: row.try_get(1)?, refresh_token: row.try_get(2)? }))
        .collect()
}

/// Drops tokens that were to be revoked before then and could not be; returns how many.
///
/// # Errors
/// See [`DbError`].
pub async fn drop_old(tx: &SystemTx, before: Timestamp) -> Result<usize, DbError> {
    let sql = "DELETE FROM pending_revocations WHERE requested_at < $1 RETURNING 1";
    Ok(tx.tx().query(sql, &[(&before, Type::TIMESTAMPTZ)]).await?.len())
}
