//! The table `detail_runs`: athletes whose details are still to be fetched, with a lease as a sync job has it. There are
//! no strikes: an activity whose details cannot be had is put off by itself.

use jiff::Timestamp;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::sync_jobs::{Lease, UNSENT_AFTER_S};
use super::tx::{Params, Scope as _};
use super::{DbError, SystemTx, WorkerTx};

/// How many athletes' details one run of `process-pending` wakes.
const DUE_RUNS_MAX: i64 = 8;

/// Makes sure that the athlete's details are looked after.
///
/// # Errors
/// See [`DbError`].
pub async fn ensure(tx: &WorkerTx, now: Timestamp) -> Result<(), DbError> {
    let sql = "
        INSERT INTO detail_runs AS d (athlete_id, not_before) VALUES ($1, $2)
        ON CONFLICT (athlete_id) DO UPDATE SET not_before = least(d.not_before, excluded.not_before)";
    tx.tx().query(sql, &[(&tx.athlete_id(), Type::INT8), (&now, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}

/// Claims a run that is due and not held by anybody; the athlete it is about, `None` for every other.
///
/// # Errors
/// See [`DbError`].
pub async fn claim(tx: SystemTx, lease: &Lease, now: Timestamp, expires_at: Timestamp) -> Result<Option<i64>, DbError> {
    let sql = "
        UPDATE detail_runs SET lease_token = $2, lease_expires_at = $4
         WHERE id = $1 AND not_before <= $3 AND (lease_expires_at IS NULL OR lease_expires_at <= $3) RETURNING athlete_id";
    let params: Params<'_> =
        &[(&lease.job_id, Type::UUID), (&lease.token, Type::UUID), (&now, Type::TIMESTAMPTZ), (&expires_at, Type::TIMESTAMPTZ)];
    Ok(tx.finish_with(sql, params).await?.first().map(|row| row.try_get(0)).transpose()?)
}

/// Prolongs the lease, in the transaction of a step. `false` where it is somebody else's by now.
///
/// # Errors
/// See [`DbError`].
pub async fn extend(tx: &WorkerTx, lease: &Lease, expires_at: Timestamp) -> Result<bool, DbError> {
    let sql = "UPDATE detail_runs SET lease_expires_at = $3 WHERE id = $1 AND lease_token = $2 RETURNING 1";
    let params: Params<'_> = &[(&lease.job_id, Type::UUID), (&lease.token, Type::UUID), (&expires_at, Type::TIMESTAMPTZ)];
    Ok(tx.tx().query_opt(sql, params).await?.is_some())
}

/// Gives the lease back, so that the run is taken up again at `not_before`.
///
/// # Errors
/// See [`DbError`].
pub async fn give_back(tx: WorkerTx, lease: &Lease, not_before: Timestamp) -> Result<(), DbError> {
    let sql = "
        UPDATE detail_runs SET not_before = $3, sent_at = NULL, lease_token = NULL, lease_expires_at = NULL WHERE id = $1 AND lease_token = $2";
    tx.finish_with(sql, &[(&lease.job_id, Type::UUID), (&lease.token, Type::UUID), (&not_before, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}

/// Ends the athlete's run, whoever holds it: the connection has ended.
///
/// # Errors
/// See [`DbError`].
pub async fn abandon(tx: &WorkerTx) -> Result<(), DbError> {
    tx.tx().query("DELETE FROM detail_runs WHERE athlete_id = $1", &[(&tx.athlete_id(), Type::INT8)]).await?;
    Ok(())
}

/// Ends the run: there is nothing left to fetch.
///
/// # Errors
/// See [`DbError`].
pub async fn end(tx: WorkerTx, lease: &Lease) -> Result<(), DbError> {
    let sql = "DELETE FROM detail_runs WHERE id = $1 AND lease_token = $2";
    tx.finish_with(sql, &[(&lease.job_id, Type::UUID), (&lease.token, Type::UUID)]).await?;
    Ok(())
}

/// A few runs that should be worked on and are not, those that waited longest first. They count as sent from here on.
///
/// # Errors
/// See [`DbError`].
pub async fn take_due(tx: &SystemTx, now: Timestamp) -> Result<Vec<Uuid>, DbError> {
    let sql = "
        UPDATE detail_runs SET sent_at = $1
         WHERE id IN (SELECT id FROM detail_runs
                       WHERE not_before <= $1 AND (lease_expires_at IS NULL OR lease_expires_at <= $1)
                         AND (sent_at IS NULL OR sent_at <= $1 - make_interval(secs => $2))
                       ORDER BY not_before, athlete_id LIMIT $3 FOR UPDATE SKIP LOCKED)
        RETURNING id";
    let params: Params<'_> = &[(&now, Type::TIMESTAMPTZ), (&UNSENT_AFTER_S, Type::FLOAT8), (&DUE_RUNS_MAX, Type::INT8)];
    tx.tx().query(sql, params).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
