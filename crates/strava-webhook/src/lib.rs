//! `/strava-webhook/{secret}`: Strava checks the subscription by GET and tells by POST what changed.
//!
//! What is told is a hint and nothing more. A row is written, a message wakes the processor, and only the processor
//! asks Strava. The function itself calls nobody but the database and the queue: it has two seconds.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lambda_http::http::{Method, StatusCode};
use lambda_http::{Body, Request, Response};
use runaway_core::clock::Clock;
use runaway_core::config::{DatabaseConfig, QueueConfig, Settings, WebhookConfig};
use runaway_core::db::strava_events::{self, Announced, Aspect, Received, Subject};
use runaway_core::db::{Db, DbError, athletes};
use runaway_core::http::{ApiError, Call, Reply, answer};
use runaway_core::queue::{SEND_DELAY_S_MAX, SyncQueue};
use runaway_core::strava::{SIGNATURE_HEADER, Signature, StravaEvent, read_event, verify_signature};
use runaway_core::telemetry;
use runaway_core::vault::is_same_secret;
use secrecy::ExposeSecret as _;
use serde_json::json;
use uuid::Uuid;

/// One request at a time is all an environment gets.
const CONNECTIONS_MAX: usize = 2;
/// How long writing the row may take. Strava waits two seconds: better an answer that makes it tell again than none.
const WRITE_TIMEOUT: Duration = Duration::from_millis(1400);
/// How long the message may take: the row is written already.
const SEND_TIMEOUT: Duration = Duration::from_millis(500);
/// The longest challenge that is echoed, bytes.
const CHALLENGE_BYTES_MAX: usize = 512;
/// How far an event may lie in the future: clocks differ.
const FUTURE_MAX: SignedDuration = SignedDuration::from_hours(24);
const NOT_STRAVA: ApiError = ApiError::Refused("The verification token is not the right one.");
const NOT_SIGNED: ApiError = ApiError::Refused("The signature is not the right one.");

/// What the function holds between calls.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub db: Db,
    /// Where events are announced.
    pub queue: SyncQueue,
    /// The secrets that Strava shares with us.
    pub webhook: WebhookConfig,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// Builds everything from the settings; nothing is connected yet.
    ///
    /// # Errors
    /// Names every setting that is missing or senseless.
    pub async fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (database, queue, webhook) = settings.read(|s| (DatabaseConfig::read(s), QueueConfig::read(s), WebhookConfig::read(s)))?;
        Ok(Self { db: Db::new(&database, CONNECTIONS_MAX)?, queue: SyncQueue::connect(&queue).await, webhook, clock: Clock::system() })
    }
}

/// Answers one request.
pub async fn handle(app: &App, request: Request) -> Response<Body> {
    answer("strava-webhook", request, |call| listen(app, call)).await
}

async fn listen(app: &App, call: Call) -> Result<Reply, ApiError> {
    let segment = call.path.strip_prefix('/').unwrap_or_default();
    if !is_same_secret(segment, app.webhook.path.expose_secret()) {
        // Whoever tries tokens at the bare path learns that they are wrong, and from a right one nothing.
        let is_verification = call.method == Method::GET && call.path.is_empty() && call.query.keys().any(|name| name.starts_with("hub."));
        return Err(if is_verification && !is_strava(app, &call) { NOT_STRAVA } else { ApiError::no_such_path() });
    }
    match call.method {
        Method::GET => verify_subscription(app, &call),
        Method::POST => receive_event(app, &call).await,
        _ => Err(ApiError::MethodNotAllowed),
    }
}

fn is_strava(app: &App, call: &Call) -> bool {
    call.query.get("hub.verify_token").is_some_and(|token| is_same_secret(token, app.webhook.verify_token.expose_secret()))
}

fn verify_subscription(app: &App, call: &Call) -> Result<Reply, ApiError> {
    if !is_strava(app, call) {
        return Err(NOT_STRAVA);
    }
    if call.query.get("hub.mode").is_none_or(|mode| mode != "subscribe") {
        return Err(ApiError::field("hub.mode", "is not subscribe"));
    }
    let challenge = call.query.get("hub.challenge").filter(|text| !text.is_empty() && text.len() <= CHALLENGE_BYTES_MAX);
    let challenge = challenge.ok_or_else(|| ApiError::field("hub.challenge", "is missing or too long"))?;
    Ok(Reply::json(StatusCode::OK, &json!({ "hub.challenge": challenge })))
}

async fn receive_event(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let body = call.body()?;
    let header = call.headers.get(SIGNATURE_HEADER).map(|value| value.to_str().unwrap_or_default());
    let signature = verify_signature(header, &app.webhook.client_secret, body);
    tracing::info!(signature = ?signature, "An event of Strava's arrived");
    if signature == Signature::Wrong {
        tracing::warn!("An event with a wrong signature was refused");
        return Err(NOT_SIGNED);
    }
    let event = read_event(body).map_err(|error| ApiError::field(error.field, error.what))?;
    let now = app.clock.now();
    if event.event_time > now + FUTURE_MAX {
        return Err(ApiError::field("event_time", "lies in the future"));
    }
    if let Some((subject, aspect)) = wanted(app, &event) {
        let announced = Announced { athlete_id: event.owner_id, subject, aspect, event_time: event.event_time };
        // Whatever keeps the row from being written, Strava shall tell it again.
        let written = tokio::time::timeout(WRITE_TIMEOUT, write(app, &announced, now)).await;
        let written = written.map_err(|late| ApiError::UpstreamUnavailable(late.into()))?;
        let written = written.map_err(|error| ApiError::UpstreamUnavailable(error.into()))?;
        if let Some((event_id, not_before)) = written {
            announce(app, event_id, not_before, now).await;
        }
    }
    Ok(Reply::json(StatusCode::OK, &json!({ "success": true })))
}

/// What the event says, where it is for us and something follows from it.
fn wanted(app: &App, event: &StravaEvent) -> Option<(Subject, Aspect)> {
    if app.webhook.subscription_id != Some(event.subscription_id) {
        tracing::warn!(subscription.id = event.subscription_id, "An event of another subscription was left alone");
        return None;
    }
    event.change
}

/// Writes the event's row, or that of its athlete's history where there are too many. Returns what is to be woken, and
/// when; nothing for an athlete who is not connected here and for what is known already.
async fn write(app: &App, event: &Announced, now: Timestamp) -> Result<Option<(Uuid, Timestamp)>, DbError> {
    let tx = app.db.system().await?;
    if !athletes::lock(&tx, event.athlete_id).await?.is_some_and(|athlete| athlete.connected) {
        // Committed, for an open transaction would cost the connection.
        tx.commit().await?;
        tracing::info!("An event of an unknown owner was left alone");
        return Ok(None);
    }
    telemetry::note_athlete(event.athlete_id);
    let mut received = strava_events::receive(&tx, Uuid::now_v7(), event, now).await?;
    if received == Received::Full {
        let history = Announced { subject: Subject::History, aspect: Aspect::Update, ..*event };
        received = strava_events::receive(&tx, Uuid::now_v7(), &history, now).await?;
    }
    tx.commit().await?;
    Ok(match received {
        Received::New(id, not_before) => Some((id, not_before)),
        Received::Known | Received::Full => None,
    })
}

/// Sends the event's message. A message that cannot be sent only makes the event wait for the five-minute schedule.
async fn announce(app: &App, event_id: Uuid, not_before: Timestamp, now: Timestamp) {
    let delay_s = not_before.duration_since(now).as_secs();
    if delay_s > SEND_DELAY_S_MAX {
        return;
    }
    match tokio::time::timeout(SEND_TIMEOUT, app.queue.send_event(event_id, delay_s)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let cause = telemetry::chain(&error);
            tracing::warn!(event.id = %event_id, cause, "The message for event {event_id} was not sent; process-pending will send it");
        }
        Err(_) => tracing::warn!(event.id = %event_id, "The message for event {event_id} took too long; process-pending will send it"),
    }
}
