//! `POST /strava-auth`: where the athlete's browser goes to connect Strava.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use lambda_http::http::{Method, StatusCode};
use lambda_http::{Body, Request, Response};
use runaway_core::clock::Clock;
use runaway_core::config::{AuthConfig, AuthorizeConfig, DatabaseConfig, Settings};
use runaway_core::db::{Db, athletes, oauth_states};
use runaway_core::http::{ApiError, Call, Reply, Verifier, answer, refuse_foreign};
use runaway_core::{strava, vault};
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
    /// The time.
    pub clock: Clock,
}

impl App {
    /// Builds everything from the settings; nothing is connected yet.
    ///
    /// # Errors
    /// Names every setting that is missing or senseless.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (database, auth, authorize) = settings.read(|s| (DatabaseConfig::read(s), AuthConfig::read(s), AuthorizeConfig::read(s)))?;
        let (db, verifier) = (Db::new(&database, CONNECTIONS_MAX)?, Verifier::new(auth)?);
        Ok(Self { db, verifier, authorize, clock: Clock::system() })
    }
}

/// Answers one request.
pub async fn handle(app: &App, request: Request) -> Response<Body> {
    answer("strava-auth", request, |call| begin_authorization(app, call)).await
}

async fn begin_authorization(app: &App, call: Call) -> Result<Reply, ApiError> {
    let caller = app.verifier.caller(&call.headers).await?;
    if !call.path.is_empty() {
        return Err(ApiError::no_such_path());
    }
    call.require_method(&Method::POST)?;
    let fields = call.fields()?;
    let redirect = fields.text("redirect")?;
    // Compared as a whole: a prefix would let an address like `runaway://app.evil` through.
    if redirect.is_some_and(|wanted| !app.authorize.app_redirects.iter().any(|allowed| allowed == wanted)) {
        return Err(ApiError::field("redirect", "is not one of the app's addresses"));
    }
    if fields.boolean("confirm")?.unwrap_or(false) {
        return Err(ApiError::field("confirm", "is not supported yet"));
    }
    let mut named = call.query_ids(&["athlete_id", "user_id"])?;
    named.extend([fields.id("user_id")?, fields.id("athlete_id")?].into_iter().flatten());
    let state = URL_SAFE_NO_PAD.encode(vault::random_bytes::<STATE_BYTES>()?);
    let url = strava::authorize_url(&app.authorize, &state).ok_or_else(|| ApiError::Internal("STRAVA_OAUTH_BASE is no address".into()))?;
    let now = app.clock.now();
    let tx = app.db.athlete(caller.user_id).await?;
    refuse_foreign(athletes::own(&tx).await?, &named)?;
    oauth_states::insert(&tx, &vault::fingerprint(state.as_bytes()), redirect, now, now + STATE_TTL).await?;
    tx.commit().await?;
    Ok(Reply::json(StatusCode::OK, &json!({ "success": true, "authorization_url": url.as_str() })))
}
