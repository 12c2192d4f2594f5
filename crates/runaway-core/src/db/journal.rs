//! The tables `training_journal` and `journal_weeks`: entries, what they are made from, and who writes them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::tx::{Params, Scope as _};
use super::{DbError, OneAthleteTx, SystemTx};
use crate::domain::{Family, Session};

/// How far back the schedule looks for stale entries, weeks.
pub const REISSUED_WEEKS: i32 = 12;
/// How many messages one statement of the schedule hands out.
pub const DUE_WEEKS_MAX: i64 = 500;
/// How long a message may be under way before another is sent, seconds; less than the schedule's hour.
const UNSENT_AFTER_S: f64 = 3000.0;
/// The most activities that are read at once.
pub const SESSIONS_MAX: i64 = 20_000;

/// What the journal needs to know of its athlete.
#[derive(Debug, Clone)]
pub struct Subject {
    /// IANA name; decides what "today" is.
    pub timezone: String,
    /// As Strava says it.
    pub sex: Option<String>,
}

/// A stored entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Id, for good.
    pub id: Uuid,
    /// Monday.
    pub week_start: Date,
    /// Sunday.
    pub week_end: Date,
    /// The text.
    pub narrative: String,
    /// The contract's figures.
    pub week_stats: Value,
    /// Array of `{"type", "text"}`.
    pub insights: Value,
    /// The model's id, or `facts-only`.
    pub generation_model: String,
    /// When the text was written.
    pub generated_at: Timestamp,
    /// When anything of it was last written.
    pub updated_at: Timestamp,
}

/// What is known of a week's writing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WeekState {
    /// Writes to the activities the entry is made from.
    pub changes: i32,
    /// That count when the entry was written; `None` without an entry.
    pub written_changes: Option<i32>,
    /// Of the facts it was written from.
    pub inputs_hash: Option<Vec<u8>>,
    /// Whether another try with the model is worth it.
    pub is_provisional: bool,
    /// How often it was written.
    pub writes: i32,
}

impl WeekState {
    /// Whether the entry's activities changed since it was written.
    pub fn is_stale(&self) -> bool {
        self.written_changes != Some(self.changes)
    }
}

/// A new content for an entry.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The text.
    pub narrative: &'a str,
    /// The contract's figures.
    pub week_stats: &'a Value,
    /// Array of `{"type", "text"}`.
    pub insights: &'a Value,
    /// The model's id, or `facts-only`.
    pub generation_model: &'a str,
    /// SHA-256 of the facts.
    pub inputs_hash: &'a [u8],
    /// [`WeekState::changes`] before the activities were read.
    pub changes: i32,
    /// Whether the week is over.
    pub is_complete: bool,
    /// Whether another try with the model is worth it.
    pub is_provisional: bool,
}

/// The athlete; `None` for one who is gone.
///
/// # Errors
/// See [`DbError`].
pub async fn subject(tx: &OneAthleteTx, athlete_id: i64) -> Result<Option<Subject>, DbError> {
    let row = tx.tx().query_opt("SELECT timezone, sex FROM athletes WHERE id = $1", &[(&athlete_id, Type::INT8)]).await?;
    row.map(|row| Ok(Subject { timezone: row.try_get(0)?, sex: row.try_get(1)? })).transpose()
}

/// The activities of the days from `first` to `last`, oldest first.
///
/// # Errors
/// See [`DbError`].
pub async fn sessions(tx: &OneAthleteTx, athlete_id: i64, first: Date, last: Date) -> Result<Vec<Session>, DbError> {
    let sql = "
        SELECT id, local_date, start_date_local, utc_offset_s, type, distance, moving_time, elevation_gain, average_heart_rate,
               max_heart_rate, workout_type, trainer, flagged, source
          FROM activities WHERE athlete_id = $1 AND local_date BETWEEN $2 AND $3
         ORDER BY local_date DESC, id DESC LIMIT $4";
    let params: Params<'_> = &[(&athlete_id, Type::INT8), (&first, Type::DATE), (&last, Type::DATE), (&SESSIONS_MAX, Type::INT8)];
    let mut sessions: Vec<Session> = tx.tx().query(sql, params).await?.iter().map(session).collect::<Result<_, _>>()?;
    sessions.reverse();
    Ok(sessions)
}

fn session(row: &Row) -> Result<Session, DbError> {
    /// Strava's code of a race among the runs.
    const RACE: i32 = 1;
    let (start_local, utc_offset_s): (DateTime, Option<i32>) = (row.try_get(2)?, row.try_get(3)?);
    let sport: String = row.try_get(4)?;
    let recorded = |column: usize| -> Result<Option<f64>, DbError> { Ok(row.try_get::<_, Option<f64>>(column)?) };
    Ok(Session {
        id: row.try_get(0)?,
        local_date: row.try_get(1)?,
        hour: utc_offset_s.map(|_| start_local.hour()),
        utc_offset_s,
        family: Family::of(&sport),
        sport,
        distance_m: recorded(5)?.unwrap_or_default(),
        moving_s: row.try_get::<_, Option<i32>>(6)?.unwrap_or_default().into(),
        elevation_m: recorded(7)?,
        mean_bpm: recorded(8)?.filter(|bpm| *bpm > 0.0),
        max_bpm: recorded(9)?.filter(|bpm| *bpm > 0.0),
        is_race: row.try_get::<_, Option<i32>>(10)? == Some(RACE),
        is_indoor: row.try_get::<_, Option<bool>>(11)?.unwrap_or_default(),
        is_flagged: row.try_get::<_, Option<bool>>(12)?.unwrap_or_default(),
        source: row.try_get(13)?,
    })
}

const ENTRY: &str = "e.id, e.week_start_date, e.week_end_date, e.narrative, e.week_stats, e.insights, e.generation_model, \
     e.generation_timestamp, e.updated_at";

fn entry_of(row: &Row) -> Result<Entry, DbError> {
    Ok(Entry {
        id: row.try_get(0)?,
        week_start: row.try_get(1)?,
        week_end: row.try_get(2)?,
        narrative: row.try_get(3)?,
        week_stats: row.try_get(4)?,
        insights: row.try_get(5)?,
        generation_model: row.try_get(6)?,
        generated_at: row.try_get(7)?,
        updated_at: row.try_get(8)?,
    })
}

const STATE: &str = "coalesce(w.changes, 0), w.written_changes, w.inputs_hash, coalesce(w.is_provisional, false), coalesce(w.writes, 0)";

fn state_of(row: &Row, first: usize) -> Result<WeekState, DbError> {
    Ok(WeekState {
        changes: row.try_get(first)?,
        written_changes: row.try_get(first + 1)?,
        inputs_hash: row.try_get(first + 2)?,
        is_provisional: row.try_get(first + 3)?,
        writes: row.try_get(first + 4)?,
    })
}

/// The newest entries with the states of their weeks.
///
/// # Errors
/// See [`DbError`].
pub async fn newest(tx: &OneAthleteTx, athlete_id: i64, limit: i64) -> Result<Vec<(Entry, WeekState)>, DbError> {
    let sql = format!(
        "SELECT {ENTRY}, {STATE} FROM training_journal e LEFT JOIN journal_weeks w USING (athlete_id, week_start_date)
          WHERE e.athlete_id = $1 ORDER BY e.week_start_date DESC LIMIT $2"
    );
    let rows = tx.tx().query(&sql, &[(&athlete_id, Type::INT8), (&limit, Type::INT8)]).await?;
    rows.iter().map(|row| Ok((entry_of(row)?, state_of(row, 9)?))).collect()
}

/// A week's entry.
///
/// # Errors
/// See [`DbError`].
pub async fn entry(tx: &OneAthleteTx, athlete_id: i64, week: Date) -> Result<Option<Entry>, DbError> {
    let sql = format!("SELECT {ENTRY} FROM training_journal e WHERE e.athlete_id = $1 AND e.week_start_date = $2");
    tx.tx().query_opt(&sql, &[(&athlete_id, Type::INT8), (&week, Type::DATE)]).await?.as_ref().map(entry_of).transpose()
}

/// The state of a week's writing, read before its activities are.
///
/// # Errors
/// See [`DbError`].
pub async fn state(tx: &OneAthleteTx, athlete_id: i64, week: Date) -> Result<WeekState, DbError> {
    let sql = format!("SELECT {STATE} FROM journal_weeks w WHERE w.athlete_id = $1 AND w.week_start_date = $2");
    let row = tx.tx().query_opt(&sql, &[(&athlete_id, Type::INT8), (&week, Type::DATE)]).await?;
    row.map_or_else(|| Ok(WeekState::default()), |row| state_of(&row, 0))
}

/// The right to write a week, as long as its lease lasts.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// Whose week.
    pub athlete_id: i64,
    /// Monday.
    pub week: Date,
    /// Token of this claim.
    pub token: Uuid,
}

/// Claims a week that nobody writes. `None` while somebody does.
///
/// # Errors
/// See [`DbError`].
pub async fn claim(tx: &OneAthleteTx, claim: &Claim, now: Timestamp, expires_at: Timestamp) -> Result<Option<WeekState>, DbError> {
    let sql = format!(
        "INSERT INTO journal_weeks AS w (athlete_id, week_start_date, lease_token, lease_expires_at) VALUES ($1, $2, $3, $5)
         ON CONFLICT (athlete_id, week_start_date) DO UPDATE SET lease_token = $3, lease_expires_at = $5
          WHERE w.lease_token IS NULL OR w.lease_expires_at <= $4
         RETURNING {STATE}"
    );
    let params: Params<'_> = &[
        (&claim.athlete_id, Type::INT8),
        (&claim.week, Type::DATE),
        (&claim.token, Type::UUID),
        (&now, Type::TIMESTAMPTZ),
        (&expires_at, Type::TIMESTAMPTZ),
    ];
    tx.tx().query_opt(&sql, params).await?.map(|row| state_of(&row, 0)).transpose()
}

/// Whether somebody writes the week.
///
/// # Errors
/// See [`DbError`].
pub async fn is_claimed(tx: &OneAthleteTx, athlete_id: i64, week: Date, now: Timestamp) -> Result<bool, DbError> {
    let sql = "SELECT 1 FROM journal_weeks WHERE athlete_id = $1 AND week_start_date = $2 AND lease_expires_at > $3";
    let params: Params<'_> = &[(&athlete_id, Type::INT8), (&week, Type::DATE), (&now, Type::TIMESTAMPTZ)];
    Ok(tx.tx().query_opt(sql, params).await?.is_some())
}

/// Gives a claim back with nothing written.
///
/// # Errors
/// See [`DbError`].
pub async fn give_back(tx: &OneAthleteTx, claim: &Claim) -> Result<(), DbError> {
    let sql = "
        UPDATE journal_weeks SET lease_token = NULL, lease_expires_at = NULL
         WHERE athlete_id = $1 AND week_start_date = $2 AND lease_token = $3";
    let params: Params<'_> = &[(&claim.athlete_id, Type::INT8), (&claim.week, Type::DATE), (&claim.token, Type::UUID)];
    tx.tx().query(sql, params).await?;
    Ok(())
}

/// Stores what was written under a claim and gives the claim back. `None`, and nothing stored, where it was lost.
///
/// # Errors
/// See [`DbError`].
pub async fn put(tx: &OneAthleteTx, claim: &Claim, draft: &Draft<'_>, now: Timestamp) -> Result<Option<Entry>, DbError> {
    let sql = "
        UPDATE journal_weeks SET written_changes = $4, inputs_hash = $5, is_complete = $6, is_provisional = $7, writes = writes + 1,
               lease_token = NULL, lease_expires_at = NULL
         WHERE athlete_id = $1 AND week_start_date = $2 AND lease_token = $3 RETURNING 1";
    let params: Params<'_> = &[
        (&claim.athlete_id, Type::INT8),
        (&claim.week, Type::DATE),
        (&claim.token, Type::UUID),
        (&draft.changes, Type::INT4),
        (&draft.inputs_hash, Type::BYTEA),
        (&draft.is_complete, Type::BOOL),
        (&draft.is_provisional, Type::BOOL),
    ];
    if tx.tx().query_opt(sql, params).await?.is_none() {
        return Ok(None);
    }
    upsert(tx, claim.athlete_id, claim.week, draft, now).await.map(Some)
}

async fn upsert(tx: &OneAthleteTx, athlete_id: i64, week: Date, draft: &Draft<'_>, now: Timestamp) -> Result<Entry, DbError> {
    let sql = format!(
        "INSERT INTO training_journal AS e (id, athlete_id, week_start_date, narrative, week_stats, insights, generation_model,
                                            generation_timestamp, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         ON CONFLICT (athlete_id, week_start_date) DO UPDATE SET narrative = excluded.narrative, week_stats = excluded.week_stats,
                insights = excluded.insights, generation_model = excluded.generation_model,
                generation_timestamp = excluded.generation_timestamp, updated_at = excluded.updated_at
         RETURNING {ENTRY}"
    );
    let params: Params<'_> = &[
        (&Uuid::now_v7(), Type::UUID),
        (&athlete_id, Type::INT8),
        (&week, Type::DATE),
        (&draft.narrative, Type::TEXT),
        (draft.week_stats, Type::JSONB),
        (draft.insights, Type::JSONB),
        (&draft.generation_model, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    let row = tx.tx().query_opt(&sql, params).await?;
    row.as_ref().map(entry_of).transpose()?.ok_or(DbError::Unexpected("training_journal.id"))
}

/// Notes under no claim that an entry was looked at anew: `draft` is its new content, or `None` where its facts are
/// what they were. Nothing happens while somebody writes the week, or when its activities changed again.
///
/// # Errors
/// See [`DbError`].
pub async fn refresh(
    tx: &OneAthleteTx,
    athlete_id: i64,
    week: Date,
    changes: i32,
    draft: Option<&Draft<'_>>,
    now: Timestamp,
) -> Result<Option<Entry>, DbError> {
    let sql = "
        UPDATE journal_weeks SET written_changes = $3, inputs_hash = coalesce($5, inputs_hash),
               is_complete = coalesce($6, is_complete), is_provisional = coalesce($7, is_provisional)
         WHERE athlete_id = $1 AND week_start_date = $2 AND changes = $3 AND (lease_expires_at IS NULL OR lease_expires_at <= $4)
        RETURNING 1";
    let params: Params<'_> = &[
        (&athlete_id, Type::INT8),
        (&week, Type::DATE),
        (&changes, Type::INT4),
        (&now, Type::TIMESTAMPTZ),
        (&draft.map(|draft| draft.inputs_hash), Type::BYTEA),
        (&draft.map(|draft| draft.is_complete), Type::BOOL),
        (&draft.map(|draft| draft.is_provisional), Type::BOOL),
    ];
    let may_write = tx.tx().query_opt(sql, params).await?.is_some();
    match draft {
        Some(draft) if may_write => upsert(tx, athlete_id, week, draft, now).await.map(Some),
        _ => Ok(None),
    }
}

/// Removes the entry of a week whose activities are gone.
///
/// # Errors
/// See [`DbError`].
pub async fn remove(tx: &OneAthleteTx, athlete_id: i64, week: Date, changes: i32) -> Result<(), DbError> {
    let params: Params<'_> = &[(&athlete_id, Type::INT8), (&week, Type::DATE), (&changes, Type::INT4)];
    let forgotten = "
        UPDATE journal_weeks SET written_changes = $3, inputs_hash = NULL, is_provisional = false, is_complete = true
         WHERE athlete_id = $1 AND week_start_date = $2 AND changes = $3 RETURNING 1";
    if tx.tx().query_opt(forgotten, params).await?.is_some() {
        let sql = "DELETE FROM training_journal WHERE athlete_id = $1 AND week_start_date = $2";
        tx.tx().query(sql, &[(&athlete_id, Type::INT8), (&week, Type::DATE)]).await?;
    }
    Ok(())
}

/// The time zones athletes are in.
///
/// # Errors
/// See [`DbError`].
pub async fn zones(tx: &SystemTx) -> Result<Vec<String>, DbError> {
    let rows = tx.tx().query("SELECT DISTINCT timezone FROM athletes WHERE strava_connected", &[]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Weeks that should be written and are not: each zone's last week that has ended, where its entry is missing, stale,
/// provisional or older than the week's end, and stale entries of the weeks before it. They count as sent from here on.
///
/// # Errors
/// See [`DbError`].
pub async fn take_due(tx: &SystemTx, ended: &[(String, Date)], now: Timestamp) -> Result<Vec<(i64, Date)>, DbError> {
    let sql = "
        UPDATE journal_weeks SET sent_at = $3
         WHERE (athlete_id, week_start_date) IN (
            SELECT w.athlete_id, w.week_start_date
              FROM unnest($1::text[], $2::date[]) z (timezone, last_week)
              JOIN athletes a ON a.timezone = z.timezone AND a.strava_connected
              JOIN journal_weeks w ON w.athlete_id = a.id
               AND w.week_start_date BETWEEN z.last_week - 7 * ($4 - 1) AND z.last_week
             WHERE (CASE WHEN w.written_changes IS NULL THEN w.week_start_date = z.last_week AND w.changes > 0
                    ELSE w.written_changes <> w.changes OR w.is_provisional OR NOT w.is_complete END)
               AND (w.lease_expires_at IS NULL OR w.lease_expires_at <= $3)
               AND (w.sent_at IS NULL OR w.sent_at <= $3 - make_interval(secs => $5))
             ORDER BY w.week_start_date DESC, w.athlete_id LIMIT $6 FOR UPDATE OF w SKIP LOCKED)
        RETURNING athlete_id, week_start_date";
    let (zones, weeks): (Vec<&str>, Vec<Date>) = ended.iter().map(|(zone, week)| (zone.as_str(), *week)).unzip();
    let params: Params<'_> = &[
        (&zones, Type::TEXT_ARRAY),
        (&weeks, Type::DATE_ARRAY),
        (&now, Type::TIMESTAMPTZ),
        (&REISSUED_WEEKS, Type::INT4),
        (&UNSENT_AFTER_S, Type::FLOAT8),
        (&DUE_WEEKS_MAX, Type::INT8),
    ];
    tx.tx().query(sql, params).await?.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
