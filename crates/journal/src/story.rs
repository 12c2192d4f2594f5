//! How a week is written: look, claim, compute, word, store. Whoever comes meanwhile waits for the same entry; what has
//! not changed is not written, or paid for, again.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use runaway_core::claude::ModelGate;
use runaway_core::clock::Clock;
use runaway_core::config::DailyLimit;
use runaway_core::db::journal::{self, Claim, Draft, Entry, Subject, WeekState};
use runaway_core::db::request_limits::{self, Kind};
use runaway_core::db::{Db, DbError, OneAthleteTx};
use runaway_core::domain::Sex;
use runaway_core::queue::Undone;
use runaway_core::telemetry::{self, JOURNAL_ENTRIES, Line};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use crate::entry;
use crate::facts::{Facts, first_day_read, sunday_of};
use crate::model::{self, Answered};
use crate::prompt::Texts;

/// The word for an entry without a model.
pub const FACTS_ONLY: &str = "facts-only";
/// The word for one that is to be written again by the model.
const PROVISIONAL: &str = "provisional";
/// How long one waits for another who writes the same week.
pub const WAIT_MAX: Duration = Duration::from_secs(20);
/// How often one looks whether the other is done.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// How long a claim lasts: longer than any function writes.
const LEASE: SignedDuration = SignedDuration::from_secs(150);
/// With less time left than this the model is not asked.
const MODEL_TIME_MIN: Duration = Duration::from_secs(3);

/// What writing needs.
#[derive(Debug)]
pub struct Writer {
    /// The database.
    pub db: Db,
    /// Stands before the model.
    pub gate: ModelGate,
    /// What the model may write for one athlete in a day.
    pub limit: DailyLimit,
    /// The time.
    pub clock: Clock,
}

/// A week to write.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// Who calls; `None` for a worker.
    pub user_id: Option<Uuid>,
    /// Whose week.
    pub athlete_id: i64,
    /// Its Monday.
    pub week: Date,
    /// Whether to write what has not changed.
    pub is_forced: bool,
    /// Until when the model may answer.
    pub model_until: Instant,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Written now.
    Written(Entry),
    /// It stood there already, or another wrote it meanwhile.
    Stood(Entry),
    /// The week has no activities, and no entry.
    Empty,
}

/// Why a week was not written.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    /// See [`DbError`].
    #[error(transparent)]
    Db(#[from] DbError),
    /// Somebody else has been writing it all the time.
    #[error("another writer holds the week")]
    Busy,
    /// The day's texts are used up.
    #[error("the athlete's texts of the day are used up")]
    LimitReached,
}

impl From<StoryError> for Undone {
    fn from(error: StoryError) -> Self {
        let class = match error {
            StoryError::Db(_) => "database",
            StoryError::Busy => "busy",
            StoryError::LimitReached => "limit_reached",
        };
        Self::Failed { class, source: error.into() }
    }
}

/// What is there before anything is written.
struct Look {
    state: WeekState,
    entry: Option<Entry>,
    facts: Option<Facts>,
}

impl Look {
    /// Whether the stored entry was made from exactly these facts.
    fn is_true(&self, hash: &[u8]) -> bool {
        self.entry.is_some() && self.state.inputs_hash.as_deref() == Some(hash)
    }
}

/// The day it is for the athlete.
pub fn today(subject: &Subject, now: Timestamp) -> Date {
    now.to_zoned(TimeZone::get(&subject.timezone).unwrap_or(TimeZone::UTC)).date()
}

/// Writes a week, unless it stands there unchanged.
///
/// # Errors
/// See [`StoryError`].
pub async fn write_week(writer: &Writer, order: &Order) -> Result<Outcome, StoryError> {
    let outcome = write_in_turn(writer, order).await;
    if let Err(error) = &outcome {
        Line::warn("A week was not written")
            .field("athlete.id", order.athlete_id)
            .field("week", order.week.to_string())
            .field("cause", telemetry::chain(error))
            .metric_by(JOURNAL_ENTRIES, "not_written", 1)
            .write();
    }
    outcome
}

/// Writes it, or waits for another who does.
async fn write_in_turn(writer: &Writer, order: &Order) -> Result<Outcome, StoryError> {
    let patience = Instant::now() + WAIT_MAX;
    let mut writes_before = None;
    loop {
        let look = look(writer, order).await?;
        let writes_before = *writes_before.get_or_insert(look.state.writes);
        if let Some(outcome) = settle(writer, order, look, writes_before).await? {
            return Ok(outcome);
        }
        let claim = Claim { athlete_id: order.athlete_id, week: order.week, token: Uuid::new_v4() };
        if let Some(state) = take(writer, order, &claim).await? {
            let outcome = write_claimed(writer, order, &claim, state.changes, writes_before).await;
            if !matches!(outcome, Ok(Outcome::Written(_))) {
                give_back(writer, order, &claim).await;
            }
            return outcome;
        }
        wait(writer, order, patience).await?;
    }
}

/// The outcome, where nothing needs to be written: an empty week, or an entry that is what was asked for.
async fn settle(writer: &Writer, order: &Order, look: Look, writes_before: i32) -> Result<Option<Outcome>, StoryError> {
    let Some(facts) = &look.facts else {
        if look.entry.is_some() || look.state.is_stale() {
            let tx = open(writer, order).await?;
            journal::remove(&tx, order.athlete_id, order.week, look.state.changes).await?;
            tx.commit().await?;
        }
        return Ok(Some(Outcome::Empty));
    };
    let is_true = look.is_true(&facts.hash());
    let was_written_meanwhile = look.state.writes > writes_before;
    let will_do = was_written_meanwhile || (!order.is_forced && !look.state.is_provisional);
    if !(is_true && will_do) {
        return Ok(None);
    }
    if look.state.is_stale() {
        let tx = open(writer, order).await?;
        journal::refresh(&tx, order.athlete_id, order.week, look.state.changes, None, writer.clock.now()).await?;
        tx.commit().await?;
    }
    Ok(look.entry.map(Outcome::Stood))
}

async fn write_claimed(writer: &Writer, order: &Order, claim: &Claim, changes: i32, writes_before: i32) -> Result<Outcome, StoryError> {
    // Anew, under the claim: another may have written between the first look and the claim, or an upload have come.
    let look = look(writer, order).await?;
    let Some(facts) = look.facts.clone() else {
        return settle(writer, order, look, writes_before).await.map(|outcome| outcome.unwrap_or(Outcome::Empty));
    };
    if let Some(outcome) = settle(writer, order, look, writes_before).await? {
        return Ok(outcome);
    }
    let Words { texts, model, is_provisional, found } = words(writer, order, &facts).await?;
    let (week_stats, insights) = (entry::week_stats(&facts), entry::insights(&facts, &texts.insights));
    let draft = Draft {
        narrative: &texts.narrative,
        week_stats: &week_stats,
        insights: &insights,
        generation_model: &model,
        inputs_hash: &facts.hash(),
        changes,
        is_complete: facts.is_complete,
        is_provisional,
    };
    let tx = open(writer, order).await?;
    let stored = journal::put(&tx, claim, &draft, writer.clock.now()).await?.ok_or(StoryError::Busy)?;
    tx.commit().await?;
    Line::info("Wrote a week")
        .field("athlete.id", order.athlete_id)
        .field("week", order.week.to_string())
        .field("model", model)
        .metric_by(JOURNAL_ENTRIES, found, 1)
        .write();
    Ok(Outcome::Written(stored))
}

/// A week's words.
struct Words {
    texts: Texts,
    /// Who found them.
    model: String,
    /// Whether another try is worth it.
    is_provisional: bool,
    /// How they were found, for the metrics.
    found: &'static str,
}

/// The words: the model's where they can be had and are proven, else the facts' own.
async fn words(writer: &Writer, order: &Order, facts: &Facts) -> Result<Words, StoryError> {
    let alone =
        |found| Words { texts: Texts::facts_only(facts), model: FACTS_ONLY.to_owned(), is_provisional: found == PROVISIONAL, found };
    let permit = match writer.gate.permit(facts.sources.iter().map(String::as_str)) {
        Ok(permit) => permit,
        Err(refusal) => {
            tracing::debug!(%refusal, "The week is written from the facts alone");
            return Ok(alone("facts_only"));
        }
    };
    if order.model_until.saturating_duration_since(Instant::now()) < MODEL_TIME_MIN {
        return Ok(alone(PROVISIONAL));
    }
    let now = writer.clock.now();
    let tx = open(writer, order).await?;
    let may_spend = request_limits::take(&tx, Kind::Journal, writer.limit, now).await?;
    tx.commit().await?;
    if !may_spend {
        return if order.is_forced { Err(StoryError::LimitReached) } else { Ok(alone(PROVISIONAL)) };
    }
    let mut tokens = 0;
    let answered = model::ask(&permit, facts, order.model_until, &mut tokens).await;
    let tx = open(writer, order).await?;
    let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
    request_limits::add_tokens(&tx, Kind::Journal, now, tokens).await?;
    tx.commit().await?;
    Ok(match answered {
        Answered::Proven { texts, model } => Words { texts, model, is_provisional: false, found: "model" },
        Answered::Unproven => alone("unproven"),
        Answered::Unreachable => alone(PROVISIONAL),
    })
}

/// State first, then the activities: what changes between the two makes the state old, never the facts.
async fn look(writer: &Writer, order: &Order) -> Result<Look, StoryError> {
    let tx = open(writer, order).await?;
    let state = journal::state(&tx, order.athlete_id, order.week).await?;
    let entry = journal::entry(&tx, order.athlete_id, order.week).await?;
    let facts = facts(&tx, order.athlete_id, order.week, writer.clock.now()).await?;
    tx.commit().await?;
    Ok(Look { state, entry, facts })
}

async fn facts(tx: &OneAthleteTx, athlete_id: i64, week: Date, now: Timestamp) -> Result<Option<Facts>, DbError> {
    let Some(subject) = journal::subject(tx, athlete_id).await? else { return Ok(None) };
    let Some((first, last)) = first_day_read(week).zip(sunday_of(week)) else { return Ok(None) };
    let sessions = journal::sessions(tx, athlete_id, first, last).await?;
    Ok(Facts::of(week, &sessions, subject.sex.as_deref().and_then(Sex::parse), today(&subject, now)))
}

async fn take(writer: &Writer, order: &Order, claim: &Claim) -> Result<Option<WeekState>, StoryError> {
    let (tx, now) = (open(writer, order).await?, writer.clock.now());
    let state = journal::claim(&tx, claim, now, now + LEASE).await?;
    tx.commit().await?;
    Ok(state)
}

/// What cannot be given back runs out by itself.
async fn give_back(writer: &Writer, order: &Order, claim: &Claim) {
    let given_back = async {
        let tx = open(writer, order).await?;
        journal::give_back(&tx, claim).await?;
        tx.commit().await
    };
    if let Err(error) = given_back.await {
        tracing::warn!(athlete.id = order.athlete_id, week = %order.week, cause = telemetry::chain(&error), "A claim could not be given back");
    }
}

/// Until the other is done.
async fn wait(writer: &Writer, order: &Order, patience: Instant) -> Result<(), StoryError> {
    while Instant::now() < patience {
        tokio::time::sleep(LOOK_INTERVAL).await;
        let tx = open(writer, order).await?;
        let is_claimed = journal::is_claimed(&tx, order.athlete_id, order.week, writer.clock.now()).await?;
        tx.commit().await?;
        if !is_claimed {
            return Ok(());
        }
    }
    Err(StoryError::Busy)
}

async fn open(writer: &Writer, order: &Order) -> Result<OneAthleteTx, DbError> {
    writer.db.one_athlete(order.user_id, order.athlete_id).await
}

/// The newest entries, each true: a stale one is made anew from its facts while it is read. The schedule gives those
/// of the last twelve weeks the model's words again; older ones stay as they are then.
///
/// # Errors
/// See [`DbError`].
pub async fn newest(writer: &Writer, tx: &OneAthleteTx, athlete_id: i64, limit: i64) -> Result<Vec<Entry>, DbError> {
    let listed = journal::newest(tx, athlete_id, limit).await?;
    let stale: Vec<Date> = listed.iter().filter(|(_, state)| state.is_stale()).map(|(entry, _)| entry.week_start).collect();
    let range = stale.iter().min().copied().and_then(first_day_read).zip(stale.iter().max().copied().and_then(sunday_of));
    let Some(((first, last), subject)) = range.zip(journal::subject(tx, athlete_id).await?) else {
        return Ok(listed.into_iter().map(|(entry, _)| entry).collect());
    };
    let sessions = journal::sessions(tx, athlete_id, first, last).await?;
    // Where not every row could be read, what is missing would look like an empty week.
    if i64::try_from(sessions.len()).is_ok_and(|rows| rows >= journal::SESSIONS_MAX) {
        return Ok(listed.into_iter().map(|(entry, _)| entry).collect());
    }
    let (sex, now) = (subject.sex.as_deref().and_then(Sex::parse), writer.clock.now());
    let today = today(&subject, now);
    let mut entries = Vec::new();
    for (entry, state) in listed {
        if !state.is_stale() {
            entries.push(entry);
            continue;
        }
        match Facts::of(entry.week_start, &sessions, sex, today) {
            Some(facts) => entries.push(reread(writer, tx, athlete_id, entry, &state, &facts, today).await?),
            None => journal::remove(tx, athlete_id, entry.week_start, state.changes).await?,
        }
    }
    Ok(entries)
}

/// A stale entry with its new facts.
async fn reread(
    writer: &Writer,
    tx: &OneAthleteTx,
    athlete_id: i64,
    entry: Entry,
    state: &WeekState,
    facts: &Facts,
    today: Date,
) -> Result<Entry, DbError> {
    let (hash, now) = (facts.hash(), writer.clock.now());
    if state.inputs_hash.as_deref() == Some(&hash) {
        journal::refresh(tx, athlete_id, entry.week_start, state.changes, None, now).await?;
        return Ok(entry);
    }
    let texts = Texts::facts_only(facts);
    let (week_stats, insights): (Value, Value) = (entry::week_stats(facts), entry::insights(facts, &texts.insights));
    let is_reissued = (today - entry.week_start).get_days() < 7 * (journal::REISSUED_WEEKS + 1);
    let draft = Draft {
        narrative: &texts.narrative,
        week_stats: &week_stats,
        insights: &insights,
        generation_model: FACTS_ONLY,
        inputs_hash: &hash,
        changes: state.changes,
        is_complete: facts.is_complete,
        is_provisional: is_reissued && writer.gate.permit(facts.sources.iter().map(String::as_str)).is_ok(),
    };
    let stored = journal::refresh(tx, athlete_id, entry.week_start, state.changes, Some(&draft), now).await?;
    if stored.is_some() {
        Line::info("Made a stale week true").field("week", entry.week_start.to_string()).metric_by(JOURNAL_ENTRIES, "refreshed", 1).write();
    }
    // Not stored where somebody writes the week this moment; what is answered is true all the same.
    Ok(stored.unwrap_or(Entry {
        narrative: texts.narrative,
        week_stats,
        insights,
        generation_model: FACTS_ONLY.to_owned(),
        generated_at: now,
        updated_at: now,
        ..entry
    }))
}
