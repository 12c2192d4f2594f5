//! The table `athletes`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::tx::Scope as _;
use super::{AthleteTx, DbError, SystemTx, WorkerTx};

/// The caller's athlete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnAthlete {
    /// Strava's id.
    pub id: i64,
    /// Whether tokens are held.
    pub connected: bool,
}

/// What Strava says of an athlete when they connect.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Profile {
    /// Strava's id.
    pub id: i64,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Address of the picture.
    pub picture: Option<String>,
    /// City.
    pub city: Option<String>,
    /// State or region.
    pub state: Option<String>,
    /// Country.
    pub country: Option<String>,
    /// `M`, `F` or what else Strava says.
    pub sex: Option<String>,
    /// Kilograms.
    pub weight_kg: Option<f64>,
    /// Whether the athlete pays Strava.
    pub premium: Option<bool>,
    /// When the account was made.
    pub member_since: Option<Timestamp>,
}

/// The athlete of the token's user, if there is one.
///
/// # Errors
/// See [`DbError`].
pub async fn own(tx: &AthleteTx) -> Result<Option<OwnAthlete>, DbError> {
    let sql = "SELECT id, strava_connected FROM athletes WHERE auth_user_id = $1";
    let row = tx.tx().query_opt(sql, &[(&tx.user_id(), Type::UUID)]).await?;
    row.map(|row| Ok(OwnAthlete { id: row.try_get(0)?, connected: row.try_get(1)? })).transpose()
}

/// Connects the athlete to the user. `false`, and nothing written, where the athlete is another user's or the user
/// has another athlete.
///
/// # Errors
/// See [`DbError`].
pub async fn connect(tx: &SystemTx, user_id: Uuid, profile: &Profile, now: Timestamp) -> Result<bool, DbError> {
    let sql = "
        INSERT INTO athletes AS a (id, auth_user_id, first_name, last_name, profile, city, state, country, sex, weight, premium,
                                   member_since, strava_connected, strava_connected_at, created_at, updated_at)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, true, $13, $13, $13
         WHERE NOT EXISTS (SELECT 1 FROM athletes o WHERE o.auth_user_id = $2 AND o.id <> $1)
        ON CONFLICT (id) DO UPDATE SET
            auth_user_id = excluded.auth_user_id, first_name = excluded.first_name, last_name = excluded.last_name,
            profile = excluded.profile, city = excluded.city, state = excluded.state, country = excluded.country,
            sex = excluded.sex, weight = coalesce(excluded.weight, a.weight), premium = excluded.premium,
            member_since = excluded.member_since, strava_connected = true, strava_connected_at = excluded.strava_connected_at,
            strava_disconnected_at = NULL, strava_erased_at = NULL, updated_at = excluded.updated_at
         WHERE a.auth_user_id IS NULL OR a.auth_user_id = excluded.auth_user_id
        RETURNING a.id";
    let params: super::tx::Params<'_> = &[
        (&profile.id, Type::INT8),
        (&user_id, Type::UUID),
        (&profile.first_name, Type::TEXT),
        (&profile.last_name, Type::TEXT),
        (&profile.picture, Type::TEXT),
        (&profile.city, Type::TEXT),
        (&profile.state, Type::TEXT),
        (&profile.country, Type::TEXT),
        (&profile.sex, Type::TEXT),
        (&profile.weight_kg, Type::FLOAT8),
        (&profile.premium, Type::BOOL),
        (&profile.member_since, Type::TIMESTAMPTZ),
        (&now, Type::TIMESTAMPTZ),
    ];
    match tx.tx().query_opt(sql, params).await {
        Ok(row) => Ok(row.is_some()),
        // Two callbacks of one user at the same moment, with two athletes: the later one is refused.
        Err(DbError::Constraint(name, _)) if name == "athletes_auth_user_id_key" => Ok(false),
        Err(error) => Err(error),
    }
}

/// Stores the zone that decides what "today" is for the athlete.
///
/// # Errors
/// See [`DbError`].
pub async fn set_timezone(tx: &WorkerTx, iana_name: &str) -> Result<(), DbError> {
    let sql = "UPDATE athletes SET timezone = $2, updated_at = now() WHERE id = $1 AND timezone <> $2";
    tx.tx().query(sql, &[(&tx.athlete_id(), Type::INT8), (&iana_name, Type::TEXT)]).await?;
    Ok(())
}

/// The athlete, with the row locked until the transaction ends; rows that refer to it can still be written.
///
/// # Errors
/// See [`DbError`].
pub async fn lock(tx: &SystemTx, athlete_id: i64) -> Result<Option<OwnAthlete>, DbError> {
    let sql = "SELECT id, strava_connected FROM athletes WHERE id = $1 FOR NO KEY UPDATE";
    let row = tx.tx().query_opt(sql, &[(&athlete_id, Type::INT8)]).await?;
    row.map(|row| Ok(OwnAthlete { id: row.try_get(0)?, connected: row.try_get(1)? })).transpose()
}

/// Marks the athlete as no longer connected.
///
/// # Errors
/// See [`DbError`].
pub async fn mark_disconnected(tx: &WorkerTx, now: Timestamp) -> Result<(), DbError> {
    let sql =
        "UPDATE athletes SET strava_connected = false, strava_disconnected_at = $2, updated_at = $2 WHERE id = $1 AND strava_connected";
    tx.tx().query(sql, &[(&tx.athlete_id(), Type::INT8), (&now, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}

/// Deletes the athlete, and with it whatever still refers to it. `false` where another call was faster.
///
/// # Errors
/// See [`DbError`].
pub async fn delete(tx: &WorkerTx) -> Result<bool, DbError> {
    let sql = "DELETE FROM athletes WHERE id = $1 RETURNING 1";
    Ok(tx.tx().query_opt(sql, &[(&tx.athlete_id(), Type::INT8)]).await?.is_some())
}

/// Athletes whose connection ended before then and of whom something of Strava's is still held, longest ago first.
///
/// # Errors
/// See [`DbError`].
pub async fn to_erase(tx: &SystemTx, disconnected_until: Timestamp, rows_max: i64) -> Result<Vec<i64>, DbError> {
    let sql = "
        SELECT id FROM athletes WHERE NOT strava_connected AND strava_erased_at IS NULL AND strava_disconnected_at <= $1
         ORDER BY strava_disconnected_at, id LIMIT $2";
    let rows = tx.tx().query(sql, &[(&disconnected_until, Type::TIMESTAMPTZ), (&rows_max, Type::INT8)]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Locks the athlete against connecting again until the transaction ends; `false` where that has happened already.
///
/// # Errors
/// See [`DbError`].
pub async fn lock_disconnected(tx: &WorkerTx) -> Result<bool, DbError> {
    let sql = "SELECT 1 FROM athletes WHERE id = $1 AND NOT strava_connected AND strava_erased_at IS NULL FOR NO KEY UPDATE";
    Ok(tx.tx().query_opt(sql, &[(&tx.athlete_id(), Type::INT8)]).await?.is_some())
}

/// Empties what Strava said of the athlete and notes that nothing of Strava's is left.
///
/// # Errors
/// See [`DbError`].
pub async fn forget_profile(tx: &WorkerTx, now: Timestamp) -> Result<(), DbError> {
    let sql = "
        UPDATE athletes SET first_name = NULL, last_name = NULL, profile = NULL, city = NULL, state = NULL, country = NULL, sex = NULL,
               weight = NULL, premium = NULL, timezone = 'UTC', member_since = NULL, strava_erased_at = $2, updated_at = $2
         WHERE id = $1";
    tx.tx().query(sql, &[(&tx.athlete_id(), Type::INT8), (&now, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}

/// Athletes whose retention was not looked after since then, those first that wait for longest.
///
/// # Errors
/// See [`DbError`].
pub async fn to_retain(tx: &SystemTx, ran_before: Timestamp, rows_max: i64) -> Result<Vec<i64>, DbError> {
    let sql = "
        SELECT id FROM athletes WHERE retention_ran_at IS NULL OR retention_ran_at < $1 ORDER BY retention_ran_at NULLS FIRST, id LIMIT $2";
    let rows = tx.tx().query(sql, &[(&ran_before, Type::TIMESTAMPTZ), (&rows_max, Type::INT8)]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Notes that nothing of the athlete's is older than the retention.
///
/// # Errors
/// See [`DbError`].
pub async fn mark_retained(tx: &WorkerTx, now: Timestamp) -> Result<(), DbError> {
    let sql = "UPDATE athletes SET retention_ran_at = $2 WHERE id = $1";
    tx.tx().query(sql, &[(&tx.athlete_id(), Type::INT8), (&now, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}
