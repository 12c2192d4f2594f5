//! `GET /oauth-callback`: Strava sends the athlete's browser here; the athlete is connected and a first sync begins.

mod outcome;
mod page;

use jiff::Timestamp;
use lambda_http::http::{HeaderValue, Method, header};
use lambda_http::{Body, Request, Response};
use outcome::Outcome;
use runaway_core::clock::Clock;
use runaway_core::config::{AuthorizeConfig, DatabaseConfig, QueueConfig, Settings, StravaConfig, VaultConfig};
use runaway_core::db::Db;
use runaway_core::db::oauth_states::{self, Begun};
use runaway_core::flows::{self, Granted};
use runaway_core::http::{ApiError, Call, Reply, answer, log_failure};
use runaway_core::queue::SyncQueue;
use runaway_core::strava::{REQUIRED_SCOPE, StravaClient};
use runaway_core::telemetry;
use runaway_core::vault::{Vault, fingerprint};

/// One request at a time is all an environment gets.
const CONNECTIONS_MAX: usize = 2;
/// The longest state or code that is looked at.
const PARAMETER_BYTES_MAX: usize = 512;

/// What the function holds between calls.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub db: Db,
    /// Strava.
    pub strava: StravaClient,
    /// Seals tokens.
    pub vault: Vault,
    /// Where jobs are announced.
    pub queue: SyncQueue,
    /// The app's addresses.
    pub authorize: AuthorizeConfig,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// Builds everything from the settings; nothing is connected yet.
    ///
    /// # Errors
    /// Names every setting that is missing or senseless.
    pub async fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (database, strava, vault, queue, authorize) = settings.read(|s| {
            (DatabaseConfig::read(s), StravaConfig::read(s), VaultConfig::read(s), QueueConfig::read(s), AuthorizeConfig::read(s))
        })?;
        Ok(Self {
            db: Db::new(&database, CONNECTIONS_MAX)?,
            strava: StravaClient::new(strava)?,
            vault: Vault::from_ring(&vault.token_keys)?,
            queue: SyncQueue::connect(&queue).await,
            authorize,
            clock: Clock::system(),
        })
    }
}

/// Answers one request.
pub async fn handle(app: &App, request: Request) -> Response<Body> {
    let mut response = answer("oauth-callback", request, |call| finish_authorization(app, call)).await;
    // Errors too: the address in the browser holds code and state.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

async fn finish_authorization(app: &App, call: Call) -> Result<Reply, ApiError> {
    if !call.path.is_empty() {
        return Err(ApiError::no_such_path());
    }
    call.require_method(&Method::GET)?;
    let now = app.clock.now();
    let state_hash = fingerprint(parameter(&call, "state").unwrap_or_default().as_bytes());
    let (outcome, redirect) = match use_state(app, &state_hash, now).await? {
        Some(begun) => {
            let ended = authorize(app, &call, &begun, &state_hash, now).await;
            (ended.unwrap_or_else(|error| failed(&call, &error)), begun.redirect)
        }
        None => (Outcome::StateInvalid, None),
    };
    tracing::info!(outcome = ?outcome, "A Strava authorisation ended");
    let reply = match redirect {
        Some(address) => outcome.redirect(&address).and_then(|url| Reply::redirect(url.as_str())),
        None => Some(page::page(&outcome, app.authorize.app_redirects.first())?),
    };
    reply.ok_or_else(|| ApiError::Internal("APP_REDIRECTS holds an address that cannot be redirected to".into()))
}

/// A fault of ours, or the database's, after the state was used: the athlete is told to begin again, where they wait.
fn failed(call: &Call, error: &ApiError) -> Outcome {
    log_failure("oauth-callback", &call.request_id, error);
    Outcome::UpstreamUnavailable
}

fn parameter<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.query.get(name).map(String::as_str).filter(|value| !value.is_empty() && value.len() <= PARAMETER_BYTES_MAX)
}

/// The state works once. It stays, marked, until something is made of it: an erasure of the user meanwhile deletes it.
async fn use_state(app: &App, state_hash: &[u8], now: Timestamp) -> Result<Option<Begun>, ApiError> {
    let tx = app.db.system().await?;
    let begun = oauth_states::take(&tx, state_hash, now).await?;
    tx.commit().await?;
    // An address taken off the list since the authorisation began is no longer trusted.
    Ok(begun.filter(|begun| begun.redirect.as_ref().is_none_or(|address| app.authorize.app_redirects.contains(address))))
}

async fn authorize(app: &App, call: &Call, begun: &Begun, state_hash: &[u8], now: Timestamp) -> Result<Outcome, ApiError> {
    if parameter(call, "error").is_some() {
        return Ok(Outcome::AccessDenied);
    }
    let Some(code) = parameter(call, "code") else {
        return Ok(Outcome::ExchangeFailed);
    };
    if parameter(call, "scope").is_some_and(|granted| !scopes(granted).any(|scope| scope == REQUIRED_SCOPE)) {
        return Ok(Outcome::MissingScope);
    }
    let exchanged = match app.strava.exchange_code(&code.to_owned().into()).await {
        Ok(exchanged) => exchanged,
        Err(error) => {
            let cause = telemetry::chain(&error);
            tracing::warn!(cause, "Strava refused to exchange a code; the athlete may try again");
            return Ok(Outcome::of_exchange(&error));
        }
    };
    // What Strava answers is believed before what the browser carried.
    let scopes: Vec<String> =
        scopes(exchanged.scope.as_deref().or(parameter(call, "scope")).unwrap_or_default()).map(str::to_owned).collect();
    let granted = Granted { tokens: exchanged.tokens, athlete: exchanged.athlete, scopes, at: app.clock.now() };
    let outcome = if !granted.scopes.iter().any(|scope| scope == REQUIRED_SCOPE) {
        Outcome::MissingScope
    } else if begun.confirm || app.authorize.is_confirm_required {
        // Also for what was begun before it was required.
        keep(app, begun, &granted, state_hash).await?
    } else {
        link(app, begun, &granted, state_hash, now).await?
    };
    if !matches!(outcome, Outcome::Connected { .. } | Outcome::ToConfirm { .. })
        && let Err(error) = flows::give_back(&app.db, &app.vault, &app.strava, &granted, now).await
    {
        log_failure("oauth-callback", &call.request_id, &error.into());
    }
    Ok(outcome)
}

/// Links nothing: whoever finished need not be who began. The ticket goes with the browser to the app.
async fn keep(app: &App, begun: &Begun, granted: &Granted, state_hash: &[u8]) -> Result<Outcome, ApiError> {
    let tx = app.db.system().await?;
    let ticket = flows::keep_exchange(&tx, &app.vault, begun.user_id, granted).await?;
    if !oauth_states::spend(&tx, state_hash).await? {
        return Ok(Outcome::StateInvalid);
    }
    tx.commit().await?;
    Ok(Outcome::ToConfirm { athlete_id: granted.athlete.id, ticket })
}

/// Athlete, tokens and the first sync's row in one transaction; the message after it.
async fn link(app: &App, begun: &Begun, granted: &Granted, state_hash: &[u8], now: Timestamp) -> Result<Outcome, ApiError> {
    let tx = app.db.system().await?;
    let Some(started) = flows::link(&tx, &app.vault, begun.user_id, granted, now).await? else {
        return Ok(Outcome::AlreadyLinked);
    };
    // After the athlete's row, as where an athlete is erased: two that wait for each other would both lose.
    if !oauth_states::spend(&tx, state_hash).await? {
        return Ok(Outcome::StateInvalid);
    }
    tx.commit().await?;
    telemetry::note_athlete(granted.athlete.id);
    flows::announce_first_sync(&app.queue, &started).await;
    Ok(Outcome::Connected { athlete_id: granted.athlete.id })
}

fn scopes(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', ' ']).map(str::trim).filter(|scope| !scope.is_empty())
}
