//! The table `strava_tokens`. What it holds is sealed; this room never opens it.

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::tx::{Params, Scope};
use super::{DbError, SystemTx, WorkerTx};

/// Sealed tokens.
#[derive(Debug, Clone)]
pub struct SealedTokens {
    /// Sealed access token.
    pub access_token: Vec<u8>,
    /// Sealed refresh token.
    pub refresh_token: Vec<u8>,
    /// When the access token ends.
    pub expires_at: Timestamp,
}

fn from_row(row: &Row) -> Result<SealedTokens, DbError> {
    Ok(SealedTokens { access_token: row.try_get(0)?, refresh_token: row.try_get(1)?, expires_at: row.try_get(2)? })
}

/// Stores the tokens that an athlete who connects was given at that time, and the scopes. Tokens that were stored later
/// than that are newer, and stay.
///
/// # Errors
/// See [`DbError`].
pub async fn put(tx: &SystemTx, athlete_id: i64, tokens: &SealedTokens, scopes: &[String], given_at: Timestamp) -> Result<(), DbError> {
    let sql = "
        INSERT INTO strava_tokens AS t (athlete_id, access_token, refresh_token, expires_at, scopes, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6)
        ON CONFLICT (athlete_id) DO UPDATE SET
            access_token = CASE WHEN t.updated_at > excluded.updated_at THEN t.access_token ELSE excluded.access_token END,
            refresh_token = CASE WHEN t.updated_at > excluded.updated_at THEN t.refresh_token ELSE excluded.refresh_token END,
            expires_at = CASE WHEN t.updated_at > excluded.updated_at THEN t.expires_at ELSE excluded.expires_at END,
            scopes = excluded.scopes, updated_at = greatest(t.updated_at, excluded.updated_at)";
    let params: Params<'_> = &[
        (&athlete_id, Type::INT8),
        (&tokens.access_token, Type::BYTEA),
        (&tokens.refresh_token, Type::BYTEA),
        (&tokens.expires_at, Type::TIMESTAMPTZ),
        (&scopes, Type::TEXT_ARRAY),
        (&given_at, Type::TIMESTAMPTZ),
    ];
    tx.tx().query(sql, params).await?;
    Ok(())
}

/// The tokens as they stand.
///
/// # Errors
/// See [`DbError`].
pub async fn get(tx: &WorkerTx) -> Result<Option<SealedTokens>, DbError> {
    let sql = "SELECT access_token, refresh_token, expires_at FROM strava_tokens WHERE athlete_id = $1";
    tx.tx().query_opt(sql, &[(&tx.athlete_id(), Type::INT8)]).await?.as_ref().map(from_row).transpose()
}

/// What the athlete has granted; nothing where no tokens are held.
///
/// # Errors
/// See [`DbError`].
pub async fn scopes(tx: &WorkerTx) -> Result<Vec<String>, DbError> {
    let row = tx.tx().query_opt("SELECT scopes FROM strava_tokens WHERE athlete_id = $1", &[(&tx.athlete_id(), Type::INT8)]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
}

/// The tokens, with their row locked until the transaction ends: whoever waits here sees what the one before wrote.
///
/// # Errors
/// [`DbError::Unavailable`] when another worker holds the row for longer than a statement may take.
pub async fn lock(tx: &WorkerTx) -> Result<Option<SealedTokens>, DbError> {
    let sql = "SELECT access_token, refresh_token, expires_at FROM strava_tokens WHERE athlete_id = $1 FOR UPDATE";
    tx.tx().query_opt(sql, &[(&tx.athlete_id(), Type::INT8)]).await?.as_ref().map(from_row).transpose()
}

/// Stores refreshed tokens in the locked row.
///
/// # Errors
/// See [`DbError`].
pub async fn replace(tx: &WorkerTx, tokens: &SealedTokens, now: Timestamp) -> Result<(), DbError> {
    let sql = "UPDATE strava_tokens SET access_token = $2, refresh_token = $3, expires_at = $4, updated_at = $5 WHERE athlete_id = $1";
    let params: Params<'_> = &[
        (&tx.athlete_id(), Type::INT8),
        (&tokens.access_token, Type::BYTEA),
        (&tokens.refresh_token, Type::BYTEA),
        (&tokens.expires_at, Type::TIMESTAMPTZ),
        (&now, Type::TIMESTAMPTZ),
    ];
    tx.tx().query(sql, params).await?;
    Ok(())
}

/// Removes tokens that Strava no longer accepts.
///
/// # Errors
/// See [`DbError`].
pub async fn delete(tx: &WorkerTx) -> Result<(), DbError> {
    tx.tx().query("DELETE FROM strava_tokens WHERE athlete_id = $1", &[(&tx.athlete_id(), Type::INT8)]).await?;
    Ok(())
}
