//! `GET /job-status/{job_id}`: how far one of the caller's syncs has come.

use lambda_http::http::{Method, StatusCode};
use lambda_http::{Body, Request, Response};
use runaway_core::config::{AuthConfig, DatabaseConfig, Settings};
use runaway_core::db::sync_jobs::{self, SyncJob};
use runaway_core::db::{Db, athletes};
use runaway_core::http::{ApiError, Call, Reply, Verifier, answer, own_athlete};
use serde_json::{Value, json};
use uuid::Uuid;

/// One request at a time is all an environment gets.
const CONNECTIONS_MAX: usize = 2;
const NO_JOB: ApiError = ApiError::NotFound { code: "JOB_NOT_FOUND", message: "There is no such sync of yours." };

/// What the function holds between calls.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub db: Db,
    /// Who calls.
    pub verifier: Verifier,
}

impl App {
    /// Builds everything from the settings; nothing is connected yet.
    ///
    /// # Errors
    /// Names every setting that is missing or senseless.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (database, auth) = settings.read(|s| (DatabaseConfig::read(s), AuthConfig::read(s)))?;
        Ok(Self { db: Db::new(&database, CONNECTIONS_MAX)?, verifier: Verifier::new(auth)? })
    }
}

/// Answers one request.
pub async fn handle(app: &App, request: Request) -> Response<Body> {
    answer("job-status", request, |call| show_job(app, call)).await
}

async fn show_job(app: &App, call: Call) -> Result<Reply, ApiError> {
    let caller = app.verifier.caller(&call.headers).await?;
    // `/job-status` itself and deeper paths do not exist; anything directly below is a job's id, if not a valid one.
    let id = call.path.strip_prefix('/').filter(|id| !id.is_empty() && !id.contains('/')).ok_or_else(ApiError::no_such_path)?;
    call.require_method(&Method::GET)?;
    let named = call.named_in_query()?;
    let tx = app.db.athlete(caller.user_id).await?;
    let athlete = athletes::own(&tx).await?;
    own_athlete(athlete, &named)?;
    let job = match Uuid::try_parse(id).ok() {
        Some(id) => sync_jobs::find(&tx, id).await?,
        None => None,
    };
    tx.commit().await?;
    Ok(Reply::json(StatusCode::OK, &body(&job.ok_or(NO_JOB)?)))
}

/// The contract's shape. The table's `in_progress` is the app's `running`.
fn body(job: &SyncJob) -> Value {
    let status = if job.status == "in_progress" { "running" } else { &job.status };
    json!({
        "id": job.id, "job_id": job.id, "user_id": job.athlete_id.to_string(), "status": status,
        "sync_type": job.bounds.sync_type.as_str(), "progress": job.progress,
        "activities_processed": job.processed, "activities_failed": job.failed, "error": job.error_message,
        "created_at": job.created_at, "started_at": job.started_at, "updated_at": job.updated_at, "completed_at": job.completed_at,
    })
}
