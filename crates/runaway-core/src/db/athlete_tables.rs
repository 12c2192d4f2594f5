//! Every table that holds something of an athlete's, in one list: erasing and exporting walk it, and a test over the
//! catalogue fails where a table is missing from it.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::tx::{Params, Scope, Tx};
use super::{AthleteTx, DbError, WorkerTx};

/// How a row says whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// By `athlete_id`.
    Athlete,
    /// By `auth_user_id`: the row may be older than the athlete.
    User,
}

/// Where a table's rows come from, which decides when they are erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Strava's, or made of Strava's: erased after the connection has ended, and when it is older than the retention.
    Strava,
    /// The athlete's own: erased with the account.
    Own,
    /// Outlives the account for a limited time, for a stated reason.
    Kept(&'static str),
}

/// One table.
#[derive(Debug, Clone, Copy)]
pub struct AthleteTable {
    /// Its name.
    pub name: &'static str,
    /// How a row says whose it is.
    pub key: Key,
    /// Where the rows come from.
    pub origin: Origin,
    /// The column that says since when a row is held; `None` where it goes with another table's row.
    pub held_since: Option<&'static str>,
}

impl AthleteTable {
    /// Whether an export holds it: all but what is not confirmed, which may be another's and no worker may read.
    pub fn is_exported(&self) -> bool {
        self.origin != Origin::Kept(UNCONFIRMED)
    }

    /// The condition under which a row is the athlete's whose id is `$1`.
    pub(super) const fn whose(&self) -> &'static str {
        match self.key {
            Key::Athlete => "athlete_id = $1",
            Key::User => "auth_user_id = (SELECT auth_user_id FROM athletes WHERE id = $1)",
        }
    }
}

const fn strava(name: &'static str, held_since: Option<&'static str>) -> AthleteTable {
    AthleteTable { name, key: Key::Athlete, origin: Origin::Strava, held_since }
}

const fn own(name: &'static str, key: Key) -> AthleteTable {
    AthleteTable { name, key, origin: Origin::Own, held_since: None }
}

const UNCONFIRMED: &str =
    "nobody's yet, and not readable but by confirming it; ends after ten minutes, and the next nightly cleanup revokes the grant";
const REVOKED_LATER: &str = "the sealed token is needed to revoke it at Strava; dropped after thirty days at the latest";

/// The tables beside `athletes` itself, those first that others do not refer to, and of them the one first that whoever
/// stores details locks first. What the coach wrote tells of Strava's data and goes with it.
pub const ATHLETE_TABLES: &[AthleteTable] = &[
    strava("detail_runs", None),
    strava("best_efforts", None),
    strava("activity_streams", None),
    strava("vanished_candidates", None),
    strava("activity_details", None),
    strava("activity_raw", None),
    strava("activities", Some("created_at")),
    strava("unreadable_activities", Some("created_at")),
    strava("athlete_days", None),
    strava("journal_weeks", None),
    strava("training_journal", Some("generation_timestamp")),
    strava("chat_conversations", Some("\"timestamp\"")),
    strava("coach_conversations", Some("updated_at")),
    strava("sync_jobs", None),
    strava("strava_events", None),
    strava("strava_tokens", None),
    own("athlete_ai_profiles", Key::Athlete),
    own("coach_facts", Key::Athlete),
    own("request_limits", Key::Athlete),
    own("oauth_states", Key::User),
    AthleteTable { name: "oauth_tickets", key: Key::Athlete, origin: Origin::Kept(UNCONFIRMED), held_since: None },
    AthleteTable { name: "oauth_tickets", key: Key::User, origin: Origin::Kept(UNCONFIRMED), held_since: None },
    AthleteTable { name: "pending_revocations", key: Key::Athlete, origin: Origin::Kept(REVOKED_LATER), held_since: None },
];

/// Erases everything of the athlete's but the row in `athletes`; returns the number of rows.
///
/// # Errors
/// See [`DbError`].
pub async fn erase_all(tx: &WorkerTx) -> Result<i64, DbError> {
    let mut rows = 0;
    for table in ATHLETE_TABLES.iter().filter(|table| !matches!(table.origin, Origin::Kept(_))) {
        let sql = format!("DELETE FROM {} WHERE {}", table.name, table.whose());
        rows += delete(tx.tx(), &sql, &[(&tx.athlete_id(), Type::INT8)]).await?;
    }
    Ok(rows)
}

/// Erases what is held of a user without an athlete; returns the number of rows.
///
/// # Errors
/// See [`DbError`].
pub async fn erase_user(tx: &AthleteTx) -> Result<i64, DbError> {
    let mut rows = 0;
    for table in ATHLETE_TABLES.iter().filter(|table| table.key == Key::User && table.origin == Origin::Own) {
        rows += delete(tx.tx(), &format!("DELETE FROM {} WHERE auth_user_id = $1", table.name), &[(&tx.user_id(), Type::UUID)]).await?;
    }
    Ok(rows)
}

/// Erases up to `rows_max` rows of what came from Strava; 0 means that nothing is left.
///
/// # Errors
/// See [`DbError`].
pub async fn erase_strava_batch(tx: &WorkerTx, rows_max: i64) -> Result<i64, DbError> {
    let mut rows = 0;
    for table in ATHLETE_TABLES.iter().filter(|table| table.origin == Origin::Strava) {
        let sql = format!(
            "DELETE FROM {name} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {name} WHERE athlete_id = $1 LIMIT $2))",
            name = table.name
        );
        rows += delete(tx.tx(), &sql, &[(&tx.athlete_id(), Type::INT8), (&(rows_max - rows), Type::INT8)]).await?;
        if rows >= rows_max {
            break;
        }
    }
    Ok(rows)
}

/// Erases up to `rows_max` rows of what came from Strava and is held since before then; 0 means that nothing is left.
///
/// # Errors
/// See [`DbError`].
pub async fn erase_old_batch(tx: &WorkerTx, before: Timestamp, rows_max: i64) -> Result<i64, DbError> {
    let mut rows = 0;
    for table in ATHLETE_TABLES.iter().filter(|table| table.origin == Origin::Strava) {
        let Some(since) = table.held_since else { continue };
        let sql = format!(
            "DELETE FROM {name} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {name} WHERE athlete_id = $1 AND {since} < $3 LIMIT $2))",
            name = table.name
        );
        let params: Params<'_> = &[(&tx.athlete_id(), Type::INT8), (&(rows_max - rows), Type::INT8), (&before, Type::TIMESTAMPTZ)];
        rows += delete(tx.tx(), &sql, params).await?;
        if rows >= rows_max {
            break;
        }
    }
    Ok(rows)
}

/// Runs a deletion and counts its rows on the server.
async fn delete(tx: &Tx, sql: &str, params: Params<'_>) -> Result<i64, DbError> {
    let counted = format!("WITH gone AS ({sql} RETURNING 1) SELECT count(*) FROM gone");
    let row = tx.query_opt(&counted, params).await?;
    row.map_or(Ok(0), |row| Ok(row.try_get(0)?))
}
