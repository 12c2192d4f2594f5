//! `POST /strava-auth`: where the athlete's browser goes to connect Strava; and `POST /strava-auth/confirm`.

mod confirm;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use lambda_http::http::{Method, StatusCode};
use lambda_http::{Body, Request, Response};
use runaway_core::clock::Clock;
use runaway_core::config::{AuthConfig, AuthorizeConfig, DatabaseConfig, QueueConfig, Settings, StravaConfig, VaultConfig};
use runaway_core::db::{Db, athletes, oauth_states};
use runaway_core::http::{ApiError, Call, Caller, Reply, Verifier, answer, refuse_foreign};
use runaway_core::queue::SyncQueue;
use runaway_core::strava::{StravaClient, authorize_url};
use runaway_core::vault::{Vault, fingerprint, random_bytes};
use serde_json::json;

/// How long an athlete may take at Strava's page.
const STATE_TTL: SignedDuration = SignedDuration::from_mins(10);
/// Random bytes of a state.
const STATE_BYTES: usize = 32;
/// One request at a time is all an environment gets.
const CONNECTIONS_MAX: usize = 2;

/// What the function holds between calls.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub db: Db,
    /// Who calls.
    pub verifier: Verifier,
    /// Strava's page and our addresses.
    pub authorize: AuthorizeConfig,
    /// Where a grant that leads to nothing is revoked.
    pub strava: StravaClient,
    /// Opens what a ticket stands for, and seals its tokens.
    pub vault: Vault,
    /// Where the first sync is announced.
    pub queue: SyncQueue,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// Builds everything from the settings; nothing is connected yet.
    ///
    /// # Errors
    /// Names every setting that is missing or senseless.
    pub async fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (database, auth, authorize) = settings.read(|s| (DatabaseConfig::read(s), AuthConfig::read(s), AuthorizeConfig::read(s)))?;
        let (strava, vault, queue) = settings.read(|s| (StravaConfig::read(s), VaultConfig::read(s), QueueConfig::read(s)))?;
        Ok(Self {
            db: Db::new(&database, CONNECTIONS_MAX)?,
            verifier: Verifier::new(auth)?,
            authorize,
            strava: StravaClient::new(strava)?,
            vault: Vault::from_ring(&vault.token_keys)?,
            queue: SyncQueue::connect(&queue).await,
            clock: Clock::system(),
        })
    }
}

/// Answers one request.
pub async fn handle(app: &App, request: Request) -> Response<Body> {
    answer("strava-auth", request, |call| route(app, call)).await
}

async fn route(app: &App, call: Call) -> Result<Reply, ApiError> {
    let caller = app.verifier.caller(&call.headers).await?;
    if !["", "/confirm"].contains(&call.path.as_str()) {
        return Err(ApiError::no_such_path());
    }
    call.require_method(&Method::POST)?;
    if call.path.is_empty() { begin_authorization(app, &call, caller).await } else { confirm::confirm(app, &call, caller).await }
}

async fn begin_authorization(app: &App, call: &Call, caller: Caller) -> Result<Reply, ApiError> {
    let fields = call.fields()?;
    let redirect = fields.text("redirect")?;
    // Compared as a whole: a prefix would let an address like `runaway://app.evil` through.
    if redirect.is_some_and(|wanted| !app.authorize.app_redirects.iter().any(|allowed| allowed == wanted)) {
        return Err(ApiError::field("redirect", "is not one of the app's addresses"));
    }
    // Where it is required, an app that does not ask for it gets a ticket all the same: nothing is linked without.
    let confirm = fields.boolean("confirm")?.unwrap_or(false) || app.authorize.is_confirm_required;
    let named = call.named(&fields)?;
    let state = URL_SAFE_NO_PAD.encode(random_bytes::<STATE_BYTES>()?);
    let url = authorize_url(&app.authorize, &state).ok_or_else(|| ApiError::Internal("STRAVA_OAUTH_BASE is no address".into()))?;
    let now = app.clock.now();
    let tx = app.db.athlete(caller.user_id).await?;
    refuse_foreign(athletes::own(&tx).await?, &named)?;
    oauth_states::insert(&tx, &fingerprint(state.as_bytes()), redirect, confirm, now, now + STATE_TTL).await?;
    tx.commit().await?;
    Ok(Reply::json(StatusCode::OK, &json!({ "success": true, "authorization_url": url.as_str(), "confirm": confirm })))
}
