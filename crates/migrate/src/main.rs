//! Migrates the database in `DATABASE_ADMIN_URL`: once as a command, or per invocation as a Lambda at deploy, which with
//! `{"dry_run": true}` only says what is pending.

use lambda_runtime::{LambdaEvent, run, service_fn};
use migrate::{Report, Request, pending_with_ca, run_with_ca};
use runaway_core::config::{DatabaseConfig, Settings, is_lambda};
use runaway_core::telemetry;
use secrecy::ExposeSecret;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let database = Settings::load().await?.read(DatabaseConfig::read_admin)?;
    if is_lambda() {
        return run(service_fn(|event: LambdaEvent<Request>| answer(&database, event.payload))).await;
    }
    answer(&database, Request::default()).await.map(|_| ())
}

async fn answer(database: &DatabaseConfig, request: Request) -> Result<Report, lambda_runtime::Error> {
    let (url, ca_pem) = (database.url.expose_secret(), database.ca_pem.as_deref());
    if request.dry_run {
        return Ok(pending_with_ca(url, ca_pem).await?);
    }
    let report = run_with_ca(url, ca_pem).await?;
    tracing::info!(applied = ?report.applied, "The database is up to date");
    Ok(report)
}
