//! The table `strava_events`: what the webhook was told, and how it is worked off.

use jiff::Timestamp;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::sync_jobs::UNSENT_AFTER_S;
use super::tx::{Params, Scope};
use super::{DbError, EventAccess, SystemTx, WorkerTx};

/// Unhandled events of one athlete that are kept one by one.
pub const UNHANDLED_MAX: i64 = 30;
/// How often a lease may run out before an event is given up.
pub const STRIKES_MAX: i32 = 3;
/// How many events one run of `process-pending` wakes.
const DUE_EVENTS_MAX: i64 = 500;
/// How long an object that was just asked for is left alone; doubled with each time it is asked for within a day.
const QUIET_S: f64 = 60.0;
/// How long it is left alone at most, and how long a history is.
const QUIET_S_MAX: f64 = 3600.0;
/// How far back an object's quiet is measured.
const QUIET_WINDOW_S: f64 = 86_400.0;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The activity with this id.
    Activity(i64),
    /// The athlete's permission.
    Athlete,
    /// Everything of the last days: more changed than is kept one by one.
    History,
}

impl Subject {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Activity(_) => "activity",
            Self::Athlete => "athlete",
            Self::History => "history",
        }
    }

    fn parse(word: &str, object_id: i64) -> Option<Self> {
        Some(match word {
            "activity" => Self::Activity(object_id),
            "athlete" => Self::Athlete,
            "history" => Self::History,
            _ => return None,
        })
    }

    const fn object_id(self, athlete_id: i64) -> i64 {
        match self {
            Self::Activity(id) => id,
            Self::Athlete | Self::History => athlete_id,
        }
    }
}

/// What is said to have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    /// It is new, or visible again.
    Create,
    /// Title, type, visibility or permission changed.
    Update,
    /// It is gone, or no longer visible.
    Delete,
}

impl Aspect {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The activity was fetched and stored.
    Saved,
    /// Strava confirmed that it is gone, and so it is here.
    Deleted,
    /// Strava never knew the object.
    Unknown,
    /// The activity is another athlete's; nothing was stored.
    Foreign,
    /// It was kept aside.
    Unreadable,
    /// No token is held: there is nothing to ask with.
    NotConnected,
    /// The permission to read activities is missing.
    ScopeMissing,
    /// Strava confirmed that the permission was taken back.
    Disconnected,
    /// Strava still accepts the token: the event was forged or has been overtaken.
    StillConnected,
    /// A sync over the last days was begun.
    SyncBegun,
    /// Left to a listing of the last days.
    LeftToHistory,
    /// Strava could not be reached for too long.
    Unreachable,
    /// Its workers were interrupted too often.
    Interrupted,
}

impl Outcome {
    /// The word in the table and the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Saved => "saved",
            Self::Deleted => "deleted",
            Self::Unknown => "unknown",
            Self::Foreign => "foreign",
            Self::Unreadable => "unreadable",
            Self::NotConnected => "not_connected",
            Self::ScopeMissing => "scope_missing",
            Self::Disconnected => "disconnected",
            Self::StillConnected => "still_connected",
            Self::SyncBegun => "sync_begun",
            Self::LeftToHistory => "left_to_history",
            Self::Unreachable => "unreachable",
            Self::Interrupted => "interrupted",
        }
    }
}

/// An event to be written.
#[derive(Debug, Clone, Copy)]
pub struct Announced {
    /// Whose.
    pub athlete_id: i64,
    /// About what.
    pub subject: Subject,
    /// What happened.
    pub aspect: Aspect,
    /// When, as Strava says.
    pub event_time: Timestamp,
}

/// What became of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// A row was written; a message shall wake it at that time.
    New(Uuid, Timestamp),
    /// An unhandled row says the same already.
    Known,
    /// The athlete has too many unhandled events.
    Full,
}

/// Writes an event, or counts it where an unhandled row says the same. The caller holds the athlete's row
/// ([`super::athletes::lock`]), so that the limit holds between arrivals at the same moment.
///
/// # Errors
/// See [`DbError`].
pub async fn receive(tx: &SystemTx, id: Uuid, event: &Announced, now: Timestamp) -> Result<Received, DbError> {
    let sql = "
        INSERT INTO strava_events AS e (id, athlete_id, object_type, object_id, aspect_type, event_time, received_at, not_before, sent_at)
        SELECT $1, $2, $3, $4, $5, $6, $7,
               greatest($7, (SELECT max(handled_at) + make_interval(secs => least($9 * 2 ^ (count(DISTINCT handled_at) - 1), $10))
                               FROM strava_events WHERE athlete_id = $2 AND object_type = $3 AND object_id = $4
                                                    AND handled_at > $7 - make_interval(secs => $11))), $7
         WHERE $3 <> 'activity'
            OR (SELECT count(*) FROM strava_events WHERE athlete_id = $2 AND object_type = 'activity' AND handled_at IS NULL) < $8
            OR EXISTS (SELECT 1 FROM strava_events WHERE athlete_id = $2 AND object_type = $3 AND object_id = $4 AND aspect_type = $5
                                                     AND handled_at IS NULL)
        ON CONFLICT (athlete_id, object_type, object_id, aspect_type) WHERE handled_at IS NULL
        DO UPDATE SET arrivals = e.arrivals + 1, event_time = greatest(e.event_time, excluded.event_time)
        RETURNING e.id, e.not_before";
    let (object_type, object_id, aspect) = (event.subject.as_str(), event.subject.object_id(event.athlete_id), event.aspect.as_str());
    let quiet_s = if event.subject == Subject::History { QUIET_S_MAX } else { QUIET_S };
    let params: Params<'_> = &[
        (&id, Type::UUID),
        (&event.athlete_id, Type::INT8),
        (&object_type, Type::TEXT),
        (&object_id, Type::INT8),
        (&aspect, Type::TEXT),
        (&event.event_time, Type::TIMESTAMPTZ),
        (&now, Type::TIMESTAMPTZ),
        (&UNHANDLED_MAX, Type::INT8),
        (&quiet_s, Type::FLOAT8),
        (&QUIET_S_MAX, Type::FLOAT8),
        (&QUIET_WINDOW_S, Type::FLOAT8),
    ];
    let Some(row) = tx.tx().query_opt(sql, params).await? else { return Ok(Received::Full) };
    let written: Uuid = row.try_get(0)?;
    Ok(if written == id { Received::New(id, row.try_get(1)?) } else { Received::Known })
}

/// The lease of one claim.
#[derive(Debug, Clone, Copy)]
pub struct EventLease {
    /// The event that a message named.
    pub event_id: Uuid,
    /// Token of this claim.
    pub token: Uuid,
}

/// The unhandled events of one object, claimed together: one answer of Strava's serves them all.
#[derive(Debug, Clone, Copy)]
pub struct ClaimedEvents {
    /// Whose.
    pub athlete_id: i64,
    /// About what.
    pub subject: Subject,
    /// Whether one of them says that the object is gone.
    pub says_deleted: bool,
    /// How often Strava did not know the object.
    pub not_found: i32,
    /// Leases that ran out.
    pub strikes: i32,
    /// When the first arrived.
    pub received_at: Timestamp,
}

/// Whose an unhandled event is.
///
/// # Errors
/// See [`DbError`].
pub async fn owner(tx: &SystemTx, event_id: Uuid) -> Result<Option<i64>, DbError> {
    let sql = "SELECT athlete_id FROM strava_events WHERE id = $1 AND handled_at IS NULL";
    let row = tx.tx().query_opt(sql, &[(&event_id, Type::UUID)]).await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// Claims the event with all that are unhandled of the same object; `None` where it is handled, asleep, or one of
/// them is held by another.
///
/// # Errors
/// See [`DbError`].
pub async fn claim(tx: &SystemTx, lease: &EventLease, now: Timestamp, expires_at: Timestamp) -> Result<Option<ClaimedEvents>, DbError> {
    let sql = "
        WITH named AS (
            SELECT athlete_id, object_type, object_id FROM strava_events WHERE id = $1 AND handled_at IS NULL AND not_before <= $3),
        taken AS (
            SELECT e.id AS taken_id, e.lease_expires_at > $3 AS is_held FROM strava_events e
              JOIN named n ON n.athlete_id = e.athlete_id AND n.object_type = e.object_type AND n.object_id = e.object_id
             WHERE e.handled_at IS NULL ORDER BY e.id FOR UPDATE OF e)
        UPDATE strava_events SET strikes = strikes + (lease_token IS NOT NULL)::int, lease_token = $2, lease_expires_at = $4,
               claimed_arrivals = arrivals
          FROM taken WHERE id = taken_id AND NOT EXISTS (SELECT 1 FROM taken WHERE is_held)
        RETURNING athlete_id, object_type, object_id, aspect_type = 'delete', not_found, strikes, received_at";
    let params: Params<'_> =
        &[(&lease.event_id, Type::UUID), (&lease.token, Type::UUID), (&now, Type::TIMESTAMPTZ), (&expires_at, Type::TIMESTAMPTZ)];
    let mut claimed: Option<ClaimedEvents> = None;
    for row in tx.tx().query(sql, params).await? {
        let (word, object_id): (&str, i64) = (row.try_get(1)?, row.try_get(2)?);
        let subject = Subject::parse(word, object_id).ok_or(DbError::Unexpected("strava_events.object_type"))?;
        let (says_deleted, not_found, strikes, received_at) = (row.try_get(3)?, row.try_get(4)?, row.try_get(5)?, row.try_get(6)?);
        claimed = Some(match claimed {
            None => ClaimedEvents { athlete_id: row.try_get(0)?, subject, says_deleted, not_found, strikes, received_at },
            Some(all) => ClaimedEvents {
                says_deleted: all.says_deleted || says_deleted,
                not_found: all.not_found.max(not_found),
                strikes: all.strikes.max(strikes),
                received_at: all.received_at.min(received_at),
                ..all
            },
        });
    }
    Ok(claimed)
}

/// Calls that events of the athlete's activities have cost since then.
///
/// # Errors
/// See [`DbError`].
pub async fn calls_since(tx: &SystemTx, athlete_id: i64, since: Timestamp) -> Result<i64, DbError> {
    let sql =
        "SELECT coalesce(sum(calls), 0)::bigint FROM strava_events WHERE athlete_id = $1 AND object_type = 'activity' AND called_at > $2";
    let row = tx.tx().query_opt(sql, &[(&athlete_id, Type::INT8), (&since, Type::TIMESTAMPTZ)]).await?;
    row.map_or(Ok(0), |row| Ok(row.try_get(0)?))
}

/// Notes that a call is about to be made for the claimed event: before it, so that an interrupted one counts too.
///
/// # Errors
/// See [`DbError`].
pub async fn count_call(tx: &SystemTx, event_id: Uuid, now: Timestamp) -> Result<(), DbError> {
    let sql = "UPDATE strava_events SET calls = calls + 1, called_at = $2 WHERE id = $1";
    tx.tx().query(sql, &[(&event_id, Type::UUID), (&now, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}

/// Marks the claimed events as handled, in the transaction that has the effect. Those that were told again since the
/// claim are asked for once more, later. `false` means that the lease is somebody else's by now: nothing may be kept.
///
/// # Errors
/// See [`DbError`].
pub async fn settle(tx: &impl EventAccess, lease: &EventLease, outcome: Outcome, now: Timestamp) -> Result<bool, DbError> {
    let sql = "
        UPDATE strava_events SET lease_token = NULL, lease_expires_at = NULL, sent_at = NULL,
               handled_at = CASE WHEN arrivals = claimed_arrivals THEN $3 END,
               outcome    = CASE WHEN arrivals = claimed_arrivals THEN $2 END,
               not_before = CASE WHEN arrivals = claimed_arrivals THEN not_before
                                 ELSE $3 + make_interval(secs => least($4 * 2 ^ least(calls, 20), $5)) END
         WHERE lease_token = $1 AND handled_at IS NULL RETURNING 1";
    let word = outcome.as_str();
    let params: Params<'_> = &[
        (&lease.token, Type::UUID),
        (&word, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
        (&QUIET_S, Type::FLOAT8),
        (&QUIET_S_MAX, Type::FLOAT8),
    ];
    Ok(!tx.tx().query(sql, params).await?.is_empty())
}

/// Why events are put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delay {
    /// Strava does not know the object.
    NotFound,
    /// Strava was not asked: the call that was counted did not take place.
    NotAsked,
    /// Strava was asked in vain, or something else comes first.
    Failed,
}

/// Gives the lease back, so that the events are taken up again at `not_before`.
///
/// # Errors
/// See [`DbError`].
pub async fn put_off(tx: &WorkerTx, lease: &EventLease, not_before: Timestamp, why: Delay) -> Result<(), DbError> {
    let sql = "
        UPDATE strava_events SET not_before = $2, not_found = not_found + $3::int, sent_at = NULL, lease_token = NULL, lease_expires_at = NULL,
               calls = greatest(calls - (id = $5 AND $4)::int, 0)
         WHERE lease_token = $1 AND handled_at IS NULL";
    let (misses, was_not_asked) = (i32::from(why == Delay::NotFound), why == Delay::NotAsked);
    let params: Params<'_> = &[
        (&lease.token, Type::UUID),
        (&not_before, Type::TIMESTAMPTZ),
        (&misses, Type::INT4),
        (&was_not_asked, Type::BOOL),
        (&lease.event_id, Type::UUID),
    ];
    tx.tx().query(sql, params).await?;
    Ok(())
}

/// Settles everything that is unhandled of the athlete: the connection has ended.
///
/// # Errors
/// See [`DbError`].
pub async fn settle_all(tx: &WorkerTx, outcome: Outcome, now: Timestamp) -> Result<(), DbError> {
    let sql = "
        UPDATE strava_events SET handled_at = $3, outcome = $2, lease_token = NULL, lease_expires_at = NULL
         WHERE athlete_id = $1 AND handled_at IS NULL";
    let word = outcome.as_str();
    tx.tx().query(sql, &[(&tx.athlete_id(), Type::INT8), (&word, Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}

/// Events that should be worked on and are not: due, not leased, and without a message for two minutes. They count as
/// sent from here on.
///
/// # Errors
/// See [`DbError`].
pub async fn take_due(tx: &SystemTx, now: Timestamp) -> Result<Vec<Uuid>, DbError> {
    let sql = "
        UPDATE strava_events SET sent_at = $1
         WHERE id IN (SELECT id FROM strava_events
                       WHERE handled_at IS NULL AND not_before <= $1 AND (lease_expires_at IS NULL OR lease_expires_at <= $1)
                         AND (sent_at IS NULL OR sent_at <= $1 - make_interval(secs => $2))
                       ORDER BY not_before, id LIMIT $3 FOR UPDATE SKIP LOCKED)
        RETURNING id";
    let params: Params<'_> = &[(&now, Type::TIMESTAMPTZ), (&UNSENT_AFTER_S, Type::FLOAT8), (&DUE_EVENTS_MAX, Type::INT8)];
    tx.tx().query(sql, params).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Deletes a batch of events that were handled before then; returns how many.
///
/// # Errors
/// See [`DbError`].
pub async fn delete_handled(tx: &SystemTx, before: Timestamp, rows_max: i64) -> Result<usize, DbError> {
    let sql = "DELETE FROM strava_events WHERE id IN (SELECT id FROM strava_events WHERE handled_at < $1 LIMIT $2) RETURNING 1";
    Ok(tx.tx().query(sql, &[(&before, Type::TIMESTAMPTZ), (&rows_max, Type::INT8)]).await?.len())
}
