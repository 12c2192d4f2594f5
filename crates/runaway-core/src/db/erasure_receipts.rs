//! The table `erasure_receipts`: that something was erased, and nothing of what it was.

use jiff::Timestamp;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::tx::{Params, Scope as _};
use super::{DbError, WorkerTx};

/// Why something was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The athlete deleted the account.
    AccountDeleted,
    /// The connection to Strava had ended.
    Disconnected,
}

/// Writes a receipt, in the transaction that erases.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(tx: &WorkerTx, id: Uuid, reason: Reason, rows_erased: i64, now: Timestamp) -> Result<(), DbError> {
    let reason = match reason {
        Reason::AccountDeleted => "account_deleted",
        Reason::Disconnected => "disconnected",
    };
    let sql = "INSERT INTO erasure_receipts (id, reason, rows_erased, erased_at) VALUES ($1, $2, $3, $4)";
    let params: Params<'_> = &[(&id, Type::UUID), (&reason, Type::TEXT), (&rows_erased, Type::INT8), (&now, Type::TIMESTAMPTZ)];
    tx.tx().query(sql, params).await?;
    Ok(())
}
