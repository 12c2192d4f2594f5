//! What the app calls: `/journal` and below.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Span;
use jiff::civil::Date;
use lambda_http::http::{Method, StatusCode};
use lambda_http::{Body, Request, Response};
use runaway_core::claude::ModelGate;
use runaway_core::clock::Clock;
use runaway_core::config::{AuthConfig, DailyLimit, DatabaseConfig, ModelConfig, Settings};
use runaway_core::db::journal::{self, Entry, Subject};
use runaway_core::db::{Db, OneAthleteTx, athletes};
use runaway_core::domain::{Sex, monday_of};
use runaway_core::http::{ApiError, Call, Caller, Reply, Verifier, answer, own_athlete};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::chart::{self, CHART_WEEKS};
use crate::entry;
use crate::facts::{first_day_read, physiology, sunday_of, weeks_before};
use crate::statistics::Week;
use crate::story::{self, Order, Outcome, StoryError, Writer};

/// Several weeks are written at once.
const CONNECTIONS_MAX: usize = 4;
/// How long the model may answer: the gateway gives up after 29 s.
const MODEL_BUDGET: Duration = Duration::from_secs(23);
/// Entries of a list: the most, and where the caller says nothing.
const LIMIT_MAX: i64 = 100;
const LIMIT_DEFAULT: i64 = 10;
/// Weeks that are written at once: the most, and where the caller says nothing.
const WEEKS_MAX: i64 = 12;
const WEEKS_DEFAULT: i64 = 4;
/// When to ask again for a week that somebody else writes, seconds.
const BUSY_RETRY_S: i64 = 5;
const LIMIT_REACHED: &str = "The journal has been written anew often enough today. Please try again tomorrow.";
const NO_ACTIVITIES: ApiError = ApiError::NotFound { code: "NO_ACTIVITIES", message: "There are no activities in this week." };

/// What the function holds between calls.
#[derive(Debug)]
pub struct App {
    /// What writing needs.
    pub writer: Writer,
    /// Who calls.
    pub verifier: Verifier,
}

impl App {
    /// Builds everything from the settings; nothing is connected yet.
    ///
    /// # Errors
    /// Names every setting that is missing or senseless.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (database, auth, model, limit) =
            settings.read(|s| (DatabaseConfig::read(s), AuthConfig::read(s), ModelConfig::read(s), DailyLimit::read_journal(s)))?;
        let writer = Writer { db: Db::new(&database, CONNECTIONS_MAX)?, gate: ModelGate::new(model)?, limit, clock: Clock::system() };
        Ok(Self { writer, verifier: Verifier::new(auth)? })
    }
}

/// Answers one request.
pub async fn handle(app: &App, request: Request) -> Response<Body> {
    answer("journal", request, |call| route(app, call)).await
}

async fn route(app: &App, call: Call) -> Result<Reply, ApiError> {
    let model_until = Instant::now() + MODEL_BUDGET;
    let caller = app.verifier.caller(&call.headers).await?;
    let parts: Vec<&str> = call.path.split('/').skip(1).collect();
    match *parts {
        [] => list(app, caller, &call, None).await,
        ["generate"] => generate(app, caller, &call, model_until).await,
        ["generate-recent"] => generate_recent(app, caller, &call, model_until).await,
        ["weeks", day, "chart.svg"] => draw(app, caller, &call, day).await,
        [id] if !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) => list(app, caller, &call, Some(id)).await,
        _ => Err(ApiError::no_such_path()),
    }
}

/// The caller's athlete in an open transaction, after every id named was compared with it.
async fn subject(app: &App, caller: Caller, named: &[i64]) -> Result<(OneAthleteTx, i64, Subject), ApiError> {
    let tx = app.writer.db.athlete(caller.user_id).await?;
    let athlete = own_athlete(athletes::own(&tx).await?, named)?;
    let tx = OneAthleteTx::Caller(tx);
    let subject = journal::subject(&tx, athlete.id).await?.ok_or_else(ApiError::no_athlete)?;
    Ok((tx, athlete.id, subject))
}

async fn generate(app: &App, caller: Caller, call: &Call, model_until: Instant) -> Result<Reply, ApiError> {
    call.require_method(&Method::POST)?;
    let fields = call.fields()?;
    let day = fields.text("week_start_date")?.map(|text| day("week_start_date", text)).transpose()?;
    let is_forced = fields.boolean("force")?.unwrap_or_default();
    let (tx, athlete_id, subject) = subject(app, caller, &call.named(&fields)?).await?;
    tx.commit().await?;
    let today = story::today(&subject, app.writer.clock.now());
    let week = monday("week_start_date", day.unwrap_or(today))?;
    let order = Order { user_id: Some(caller.user_id), athlete_id, week, is_forced, model_until };
    match story::write_week(&app.writer, &order).await {
        Ok(Outcome::Written(entry) | Outcome::Stood(entry)) => {
            Ok(Reply::json(StatusCode::OK, &json!({ "success": true, "journal": entry::journal(athlete_id, &entry) })))
        }
        Ok(Outcome::Empty) => Err(NO_ACTIVITIES),
        Err(error) => Err(refusal(app, error)),
    }
}

async fn generate_recent(app: &App, caller: Caller, call: &Call, model_until: Instant) -> Result<Reply, ApiError> {
    call.require_method(&Method::POST)?;
    let fields = call.fields()?;
    let weeks = fields.integer("weeks")?.unwrap_or(WEEKS_DEFAULT);
    if !(1..=WEEKS_MAX).contains(&weeks) {
        return Err(ApiError::InvalidRequest(format!("weeks is not between 1 and {WEEKS_MAX}.")));
    }
    let (tx, athlete_id, subject) = subject(app, caller, &call.named(&fields)?).await?;
    tx.commit().await?;
    let current = monday("weeks", story::today(&subject, app.writer.clock.now()))?;
    let mondays = (0..weeks).filter_map(|n| current.checked_sub(Span::new().days(7 * n)).ok());
    let orders: Vec<Order> =
        mondays.map(|week| Order { user_id: Some(caller.user_id), athlete_id, week, is_forced: false, model_until }).collect();
    let outcomes = join_all(orders.iter().map(|order| Box::pin(story::write_week(&app.writer, order)))).await;
    let (mut entries, mut generated): (Vec<Value>, usize) = (Vec::new(), 0);
    for outcome in outcomes {
        match outcome.map_err(|error| refusal(app, error))? {
            Outcome::Written(entry) => {
                generated += 1;
                entries.push(entry::journal(athlete_id, &entry));
            }
            Outcome::Stood(entry) => entries.push(entry::journal(athlete_id, &entry)),
            Outcome::Empty => {}
        }
    }
    Ok(Reply::json(StatusCode::OK, &json!({ "success": true, "entries": entries, "generated": generated })))
}

async fn list(app: &App, caller: Caller, call: &Call, in_path: Option<&str>) -> Result<Reply, ApiError> {
    call.require_method(&Method::GET)?;
    let limit = match call.query.get("limit").filter(|text| !text.is_empty()) {
        None => LIMIT_DEFAULT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .ok_or_else(|| ApiError::InvalidRequest(format!("limit is not between 1 and {LIMIT_MAX}.")))?,
    };
    let mut named = call.named_in_query()?;
    // More digits than an id has is nobody's athlete.
    named.extend(in_path.map(|id| id.parse().unwrap_or(-1)));
    let (tx, athlete_id, _) = subject(app, caller, &named).await?;
    let entries: Vec<Entry> = story::newest(&app.writer, &tx, athlete_id, limit).await?;
    tx.commit().await?;
    let entries: Vec<Value> = entries.iter().map(|entry| entry::journal(athlete_id, entry)).collect();
    Ok(Reply::json(StatusCode::OK, &json!({ "success": true, "entries": entries, "count": entries.len() })))
}

async fn draw(app: &App, caller: Caller, call: &Call, text: &str) -> Result<Reply, ApiError> {
    call.require_method(&Method::GET)?;
    let week = monday("The week", day("The week", text)?)?;
    let (first, last) =
        first_day_read(week).zip(sunday_of(week)).ok_or_else(|| ApiError::field("The week", "lies outside the calendar"))?;
    let (tx, athlete_id, subject) = subject(app, caller, &call.named_in_query()?).await?;
    let sessions = journal::sessions(&tx, athlete_id, first, last).await?;
    tx.commit().await?;
    let body = physiology(&sessions, subject.sex.as_deref().and_then(Sex::parse));
    let before = weeks_before(week, i32::try_from(CHART_WEEKS).unwrap_or_default() - 1, &sessions, &body);
    Ok(Reply::svg(chart::svg(&Week::of(week, &sessions, &body), &before)))
}

/// A date as the contract writes it, and no other form.
fn day(field: &str, text: &str) -> Result<Date, ApiError> {
    let is_plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    text.parse().ok().filter(|_| is_plain).ok_or_else(|| ApiError::field(field, "is not a date YYYY-MM-DD"))
}

/// The Monday of a day's week, where the whole week and what it looks back on lie within the calendar.
fn monday(field: &str, day: Date) -> Result<Date, ApiError> {
    let monday = monday_of(day).filter(|monday| sunday_of(*monday).is_some() && first_day_read(*monday).is_some());
    monday.ok_or_else(|| ApiError::field(field, "lies outside the calendar"))
}

fn refusal(app: &App, error: StoryError) -> ApiError {
    match error {
        StoryError::Db(error) => error.into(),
        StoryError::Busy => ApiError::Busy { retry_after_s: BUSY_RETRY_S },
        StoryError::LimitReached => ApiError::used_up(LIMIT_REACHED, app.writer.clock.now()),
    }
}
