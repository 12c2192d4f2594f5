//! The table `oauth_tickets`: what Strava gave for authorisations that wait to be confirmed. What it holds is sealed;
//! this room never opens it.

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::pending_revocations::PendingRevocation;
use super::tx::{Params, Scope as _};
use super::{DbError, SystemTx};

/// One row.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Id of the row, for which the exchange is sealed.
    pub id: Uuid,
    /// Who began the authorisation.
    pub user_id: Uuid,
    /// Who finished it at Strava.
    pub athlete_id: i64,
    /// Sealed tokens, permissions and profile.
    pub exchange: Vec<u8>,
    /// The refresh token, sealed as it is for a revocation.
    pub refresh_token: Vec<u8>,
    /// When the exchange was made.
    pub created_at: Timestamp,
}

/// Stores a ticket by its hash until `expires_at`.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(tx: &SystemTx, ticket: &Ticket, ticket_hash: &[u8], expires_at: Timestamp) -> Result<(), DbError> {
    let sql = "
        INSERT INTO oauth_tickets (id, ticket_hash, auth_user_id, athlete_id, exchange, refresh_token, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let params: Params<'_> = &[
        (&ticket.id, Type::UUID),
        (&ticket_hash, Type::BYTEA),
        (&ticket.user_id, Type::UUID),
        (&ticket.athlete_id, Type::INT8),
        (&ticket.exchange, Type::BYTEA),
        (&ticket.refresh_token, Type::BYTEA),
        (&ticket.created_at, Type::TIMESTAMPTZ),
        (&expires_at, Type::TIMESTAMPTZ),
    ];
    tx.tx().query(sql, params).await?;
    Ok(())
}

/// The ticket, with its row locked: whoever presents it a second time waits, and then finds it spent. `None` where
/// unknown, spent or expired.
///
/// # Errors
/// See [`DbError`].
pub async fn lock(tx: &SystemTx, ticket_hash: &[u8], now: Timestamp) -> Result<Option<Ticket>, DbError> {
    let sql = "
        SELECT id, auth_user_id, athlete_id, exchange, refresh_token, created_at FROM oauth_tickets
         WHERE ticket_hash = $1 AND expires_at > $2 FOR UPDATE";
    let row = tx.tx().query_opt(sql, &[(&ticket_hash, Type::BYTEA), (&now, Type::TIMESTAMPTZ)]).await?;
    row.map(|row| {
        Ok(Ticket {
            id: row.try_get(0)?,
            user_id: row.try_get(1)?,
            athlete_id: row.try_get(2)?,
            exchange: row.try_get(3)?,
            refresh_token: row.try_get(4)?,
            created_at: row.try_get(5)?,
        })
    })
    .transpose()
}

/// Deletes the ticket that has led to a connection.
///
/// # Errors
/// See [`DbError`].
pub async fn delete(tx: &SystemTx, id: Uuid) -> Result<(), DbError> {
    tx.tx().query("DELETE FROM oauth_tickets WHERE id = $1", &[(&id, Type::UUID)]).await?;
    Ok(())
}

/// Deletes an athlete's tickets without revoking anything: for a newer exchange, whose token stands for the same grant.
///
/// # Errors
/// See [`DbError`].
pub async fn supersede(tx: &SystemTx, athlete_id: i64) -> Result<(), DbError> {
    tx.tx().query("DELETE FROM oauth_tickets WHERE athlete_id = $1", &[(&athlete_id, Type::INT8)]).await?;
    Ok(())
}

/// Deletes tickets and moves their refresh tokens to the revocations; but for those of connected athletes, whose
/// connection a revocation would end.
fn give_up_where(which: &str) -> String {
    format!(
        "WITH gone AS (DELETE FROM oauth_tickets WHERE {which} RETURNING id, athlete_id, refresh_token),
              moved AS (INSERT INTO pending_revocations (id, athlete_id, refresh_token, requested_at)
                        SELECT id, athlete_id, refresh_token, $1 FROM gone
                         WHERE NOT EXISTS (SELECT 1 FROM athletes WHERE athletes.id = gone.athlete_id AND strava_connected)
                        RETURNING id, athlete_id, refresh_token)"
    )
}

fn pending(row: &Row) -> Result<PendingRevocation, DbError> {
    Ok(PendingRevocation { id: row.try_get(0)?, athlete_id: row.try_get(1)?, refresh_token: row.try_get(2)? })
}

/// Spends a ticket that leads to no connection; what is to be revoked for it.
///
/// # Errors
/// See [`DbError`].
pub async fn give_up(tx: &SystemTx, id: Uuid, now: Timestamp) -> Result<Option<PendingRevocation>, DbError> {
    let sql = format!("{} SELECT id, athlete_id, refresh_token FROM moved", give_up_where("id = $2"));
    let row = tx.tx().query_opt(&sql, &[(&now, Type::TIMESTAMPTZ), (&id, Type::UUID)]).await?;
    row.as_ref().map(pending).transpose()
}

/// Gives up all tickets that a user began or that are of the user's athlete; what is to be revoked for them.
///
/// # Errors
/// See [`DbError`].
pub async fn give_up_all_of(
    tx: &SystemTx,
    user_id: Uuid,
    athlete_id: Option<i64>,
    now: Timestamp,
) -> Result<Vec<PendingRevocation>, DbError> {
    let which = give_up_where("auth_user_id = $2 OR athlete_id = $3");
    let sql = format!("{which} SELECT id, athlete_id, refresh_token FROM moved");
    let params: Params<'_> = &[(&now, Type::TIMESTAMPTZ), (&user_id, Type::UUID), (&athlete_id, Type::INT8)];
    tx.tx().query(&sql, params).await?.iter().map(pending).collect()
}

/// Gives up a batch of expired tickets; returns how many.
///
/// # Errors
/// See [`DbError`].
pub async fn give_up_expired(tx: &SystemTx, rows_max: i64, now: Timestamp) -> Result<usize, DbError> {
    let which = give_up_where("id IN (SELECT id FROM oauth_tickets WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)");
    let sql = format!("{which} SELECT 1 FROM gone");
    Ok(tx.tx().query(&sql, &[(&now, Type::TIMESTAMPTZ), (&rows_max, Type::INT8)]).await?.len())
}
