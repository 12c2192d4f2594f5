//! The table `athletes`.

use jiff::Timestamp;
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
#[derive(Debug, Clone, Default)]
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
            strava_disconnected_at = NULL, updated_at = excluded.updated_at
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

/// Marks the athlete as no longer connected, because Strava refuses the tokens.
///
/// # Errors
/// See [`DbError`].
pub async fn mark_disconnected(tx: &WorkerTx, now: Timestamp) -> Result<(), DbError> {
    let sql =
        "UPDATE athletes SET strava_connected = false, strava_disconnected_at = $2, updated_at = $2 WHERE id = $1 AND strava_connected";
    tx.tx().query(sql, &[(&tx.athlete_id(), Type::INT8), (&now, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}
