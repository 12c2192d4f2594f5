//! `POST` or `DELETE /delete-account`: erases everything that is held of the caller.

use lambda_http::http::{Method, StatusCode};
use lambda_http::{Body, Request, Response};
use runaway_core::clock::Clock;
use runaway_core::config::{AuthConfig, DatabaseConfig, Settings, StravaConfig, VaultConfig};
use runaway_core::db::athletes::OwnAthlete;
use runaway_core::db::erasure_receipts::{self, Reason};
use runaway_core::db::pending_revocations::PendingRevocation;
use runaway_core::db::{Db, DbError, athlete_tables, athletes};
use runaway_core::flows;
use runaway_core::http::{ApiError, Call, Reply, Verifier, answer, refuse_foreign};
use runaway_core::strava::StravaClient;
use runaway_core::telemetry;
use runaway_core::vault::Vault;
use serde_json::json;
use uuid::Uuid;

/// One request at a time is all an environment gets.
const CONNECTIONS_MAX: usize = 2;
/// How often a user is erased at most: what was being connected beside the first time is found by the second.
const ERASURES_MAX: usize = 3;

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
    answer("delete-account", request, |call| delete_account(app, call)).await
}

async fn delete_account(app: &App, call: Call) -> Result<Reply, ApiError> {
    let caller = app.verifier.caller(&call.headers).await?;
    if !call.path.is_empty() {
        return Err(ApiError::no_such_path());
    }
    if ![Method::POST, Method::DELETE].contains(&call.method) {
        return Err(ApiError::MethodNotAllowed);
    }
    let fields = call.fields()?;
    let named = call.named(&fields)?;

    let mut athlete = erase_user(app, caller.user_id, &named).await?;
    for _ in 0..ERASURES_MAX {
        if let Some(athlete) = athlete
            && let Some(pending) = erase(app, athlete.id).await?
        {
            // Everything is erased here, whatever Strava answers.
            flows::revoke(&app.db, &app.vault, &app.strava, &pending).await;
        }
        give_up_tickets(app, caller.user_id, athlete.map(|athlete| athlete.id)).await?;
        // An athlete may have been connected beside this: the states and tickets that could do so are gone only now.
        athlete = erase_user(app, caller.user_id, &[]).await?;
        if athlete.is_none() {
            return Ok(Reply::json(StatusCode::OK, &json!({ "success": true, "message": "Everything about you has been erased." })));
        }
    }
    Err(ApiError::UpstreamUnavailable("the user keeps being connected while being erased".into()))
}

/// Erases what is held of the user, also of one without an athlete: an authorisation under way must not make one after
/// this. The user's athlete, which is erased next.
async fn erase_user(app: &App, user_id: Uuid, named: &[i64]) -> Result<Option<OwnAthlete>, ApiError> {
    let tx = app.db.athlete(user_id).await?;
    let athlete = athletes::own(&tx).await?;
    refuse_foreign(athlete, named)?;
    athlete_tables::erase_user(&tx).await?;
    tx.commit().await?;
    Ok(athlete)
}

/// What was never confirmed ends too, after the erasure.
async fn give_up_tickets(app: &App, user_id: Uuid, athlete_id: Option<i64>) -> Result<(), DbError> {
    let (tx, revoking) = (app.db.system().await?, (&app.db, &app.vault, &app.strava));
    flows::give_up_tickets(tx, revoking, user_id, athlete_id, app.clock.now()).await
}

/// Erases the athlete in one transaction; the token that is left over is to be revoked. Only the call that erased
/// writes a receipt.
async fn erase(app: &App, athlete_id: i64) -> Result<Option<PendingRevocation>, DbError> {
    let now = app.clock.now();
    let tx = app.db.worker(athlete_id).await?;
    let pending = flows::disconnect(&tx, Uuid::now_v7(), now).await?;
    let rows = athlete_tables::erase_all(&tx).await?;
    let receipt_id = Uuid::new_v4();
    let is_erased = athletes::delete(&tx).await?;
    if is_erased {
        erasure_receipts::insert(&tx, receipt_id, Reason::AccountDeleted, rows + 1, now).await?;
    }
    tx.commit().await?;
    telemetry::forget_athlete();
    if is_erased {
        tracing::info!(receipt.id = %receipt_id, rows, "An account was erased");
    }
    Ok(pending)
}
