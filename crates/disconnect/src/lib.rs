//! `POST /disconnect`: ends the athlete's connection to Strava.

use lambda_http::http::{Method, StatusCode};
use lambda_http::{Body, Request, Response};
use runaway_core::clock::Clock;
use runaway_core::config::{AuthConfig, DatabaseConfig, Settings, StravaConfig, VaultConfig};
use runaway_core::db::{Db, DbError, athletes};
use runaway_core::flows;
use runaway_core::http::{ApiError, Call, Reply, Verifier, answer, refuse_foreign};
use runaway_core::strava::StravaClient;
use runaway_core::vault::Vault;
use serde_json::json;
use uuid::Uuid;

/// One request at a time is all an environment gets.
const CONNECTIONS_MAX: usize = 2;
/// What stands for the athlete's id where the caller never had an athlete: the app reads a number in every answer.
const NO_ATHLETE_ID: i64 = 0;

/// What the function holds between calls.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub db: Db,
    /// Who calls.
    pub verifier: Verifier,
    /// Strava.
    pub strava: StravaClient,
    /// Opens the token that is revoked.
    pub vault: Vault,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// Builds everything from the settings; nothing is connected yet.
    ///
    /// # Errors
    /// Names every setting that is missing or senseless.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (database, auth, strava, vault) =
            settings.read(|s| (DatabaseConfig::read(s), AuthConfig::read(s), StravaConfig::read(s), VaultConfig::read(s)))?;
        Ok(Self {
            db: Db::new(&database, CONNECTIONS_MAX)?,
            verifier: Verifier::new(auth)?,
            strava: StravaClient::new(strava)?,
            vault: Vault::from_ring(&vault.token_keys)?,
            clock: Clock::system(),
        })
    }
}

/// Answers one request.
pub async fn handle(app: &App, request: Request) -> Response<Body> {
    answer("disconnect", request, |call| end_connection(app, call)).await
}

async fn end_connection(app: &App, call: Call) -> Result<Reply, ApiError> {
    let caller = app.verifier.caller(&call.headers).await?;
    if !call.path.is_empty() {
        return Err(ApiError::no_such_path());
    }
    call.require_method(&Method::POST)?;
    let fields = call.fields()?;
    let named = call.named(&fields)?;

    let tx = app.db.athlete(caller.user_id).await?;
    let athlete = athletes::own(&tx).await?;
    tx.commit().await?;
    refuse_foreign(athlete, &named)?;
    let Some(athlete) = athlete else {
        give_up_tickets(app, caller.user_id, None).await?;
        return Ok(reply(NO_ATHLETE_ID, "Strava was not connected."));
    };
    // Also where the athlete seems to be disconnected: a second call finishes what a first one may have left.
    let tx = app.db.worker(athlete.id).await?;
    let pending = flows::disconnect(&tx, Uuid::now_v7(), app.clock.now()).await?;
    tx.commit().await?;
    if let Some(pending) = pending {
        tracing::info!(athlete.id = athlete.id, revocation.id = %pending.id, "Athlete {} disconnected Strava", athlete.id);
        // The connection has ended here, whatever Strava answers.
        flows::revoke(&app.db, &app.vault, &app.strava, &pending).await;
    }
    give_up_tickets(app, caller.user_id, Some(athlete.id)).await?;
    Ok(reply(athlete.id, "Strava is disconnected. What came from Strava will be erased unless you connect it again."))
}

/// What was never confirmed ends too, or whoever disconnects could be connected by it afterwards.
async fn give_up_tickets(app: &App, user_id: Uuid, athlete_id: Option<i64>) -> Result<(), DbError> {
    let (tx, revoking) = (app.db.system().await?, (&app.db, &app.vault, &app.strava));
    flows::give_up_tickets(tx, revoking, user_id, athlete_id, app.clock.now()).await
}

fn reply(athlete_id: i64, message: &str) -> Reply {
    Reply::json(StatusCode::OK, &json!({ "success": true, "message": message, "athlete_id": athlete_id }))
}
