//! `POST /sync-beta`: begins a sync, or names the unfinished one that covers the request.

use jiff::Timestamp;
use lambda_http::http::{Method, StatusCode};
use lambda_http::{Body, Request, Response};
use runaway_core::clock::Clock;
use runaway_core::config::{AuthConfig, DailyLimit, DatabaseConfig, QueueConfig, Settings};
use runaway_core::db::request_limits::{self, Kind};
use runaway_core::db::sync_jobs::{self, SyncJob};
use runaway_core::db::{Db, athletes};
use runaway_core::domain::{SyncBounds, SyncType};
use runaway_core::flows::{self, Started};
use runaway_core::http::{ApiError, Call, Fields, Reply, Verifier, answer, own_athlete};
use runaway_core::queue::SyncQueue;
use runaway_core::telemetry;
use serde_json::{Value, json};
use uuid::Uuid;

/// One request at a time is all an environment gets.
const CONNECTIONS_MAX: usize = 2;
/// The largest `max_activities`.
const ACTIVITIES_MAX: i64 = 100_000;
/// How far `before` may lie in the future: clocks differ, milliseconds instead of seconds do not pass. `after` may not
/// at all: Strava refuses it.
const FUTURE_S_MAX: i64 = 24 * 60 * 60;
const LIMIT_MESSAGE: &str = "Strava has been synced as often as one day allows. Please try again tomorrow.";
const NOT_CONNECTED: ApiError = ApiError::NotFound { code: "TOKEN_NOT_FOUND", message: "Strava is not connected." };

/// What the function holds between calls.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub db: Db,
    /// Who calls.
    pub verifier: Verifier,
    /// Where jobs are announced.
    pub queue: SyncQueue,
    /// How many syncs an athlete may begin in a day.
    pub limit: DailyLimit,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// Builds everything from the settings; nothing is connected yet.
    ///
    /// # Errors
    /// Names every setting that is missing or senseless.
    pub async fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (database, auth, queue, limit) =
            settings.read(|s| (DatabaseConfig::read(s), AuthConfig::read(s), QueueConfig::read(s), DailyLimit::read_syncs(s)))?;
        let (db, verifier) = (Db::new(&database, CONNECTIONS_MAX)?, Verifier::new(auth)?);
        Ok(Self { db, verifier, queue: SyncQueue::connect(&queue).await, limit, clock: Clock::system() })
    }
}

/// Answers one request.
pub async fn handle(app: &App, request: Request) -> Response<Body> {
    answer("sync-beta", request, |call| begin_sync(app, call)).await
}

async fn begin_sync(app: &App, call: Call) -> Result<Reply, ApiError> {
    let caller = app.verifier.caller(&call.headers).await?;
    if !call.path.is_empty() {
        return Err(ApiError::no_such_path());
    }
    call.require_method(&Method::POST)?;
    let fields = call.fields()?;
    let now = app.clock.now();
    let mut bounds = bounds(&fields, now)?;
    let named = call.named(&fields)?;

    let tx = app.db.athlete(caller.user_id).await?;
    let athlete = own_athlete(athletes::own(&tx).await?, &named)?;
    if !athlete.connected {
        return Err(NOT_CONNECTED);
    }
    if bounds.sync_type == SyncType::Incremental && bounds.after_s.is_none() {
        bounds.after_s = sync_jobs::incremental_after_s(&tx, athlete.id).await?;
    }
    let started = flows::start_sync(&tx, athlete.id, &bounds, Uuid::now_v7(), now).await?;
    // Only what begins or widens a job costs something. Where none is left, what was written is undone with the transaction.
    if (started.is_new || started.is_widened) && !request_limits::take(&tx, Kind::Sync, app.limit, now).await? {
        return Err(ApiError::used_up(LIMIT_MESSAGE, now));
    }
    tx.commit().await?;
    if started.needs_message {
        announce(app, &started, now, caller.user_id).await;
    }
    let status = if started.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Reply::json(status, &body(&started.job)))
}

/// Sends the job's message. The row is committed: a message that cannot be sent only makes the athlete wait for the
/// five-minute schedule, and is no reason to say that the sync was not begun.
async fn announce(app: &App, started: &Started, now: Timestamp, user_id: Uuid) {
    let job_id = started.job.id;
    if let Err(error) = app.queue.send(job_id, 0).await {
        let cause = telemetry::chain(&error);
        tracing::error!(job.id = %job_id, athlete.id = started.job.athlete_id, cause, "The message for job {job_id} was not sent; process-pending will send it");
        return;
    }
    let marked = async {
        let tx = app.db.athlete(user_id).await?;
        sync_jobs::mark_sent(&tx, &[job_id], now).await?;
        tx.commit().await
    };
    if let Err(error) = marked.await {
        // At worst a second message is sent, which finds the job claimed.
        tracing::warn!(job.id = %job_id, cause = telemetry::chain(&error), "Job {job_id} could not be marked as sent");
    }
}

/// What the caller asks for.
fn bounds(fields: &Fields, now: Timestamp) -> Result<SyncBounds, ApiError> {
    let sync_type = match fields.text("sync_type")? {
        None => SyncType::Incremental,
        Some(word) => SyncType::parse(word).ok_or_else(|| ApiError::field("sync_type", "is neither full nor incremental"))?,
    };
    let second = |field: &str, latest_s: i64| match fields.integer(field)? {
        Some(second) if second < 0 => Err(ApiError::field(field, "is negative")),
        Some(second) if second > latest_s => Err(ApiError::field(field, "lies in the future; it is counted in seconds")),
        second => Ok(second),
    };
    let (after_s, before_s) = (second("after", now.as_second())?, second("before", now.as_second() + FUTURE_S_MAX)?);
    if after_s.zip(before_s).is_some_and(|(after, before)| after >= before) {
        return Err(ApiError::field("after", "is not earlier than before"));
    }
    let max_activities = match fields.integer("max_activities")? {
        Some(max) if !(1..=ACTIVITIES_MAX).contains(&max) => {
            return Err(ApiError::InvalidRequest(format!("max_activities is not between 1 and {ACTIVITIES_MAX}.")));
        }
        max => max.and_then(|max| i32::try_from(max).ok()),
    };
    Ok(SyncBounds { sync_type, after_s, before_s, max_activities })
}

/// The contract's shape.
fn body(job: &SyncJob) -> Value {
    let status = if job.status == "in_progress" { "running" } else { &job.status };
    json!({
        "job_id": job.id, "status": status, "sync_type": job.bounds.sync_type.as_str(), "created_at": job.created_at,
        "user_id": job.athlete_id.to_string(), "max_activities": job.bounds.max_activities,
    })
}
