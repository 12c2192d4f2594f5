//! Migrates the database in `DATABASE_ADMIN_URL`: once as a command, or per invocation as a Lambda at deploy.

use lambda_runtime::{LambdaEvent, run, service_fn};
use migrate::{Report, run_with_ca};
use runaway_core::config::{DatabaseConfig, Settings, is_lambda};
use runaway_core::telemetry;
use secrecy::ExposeSecret;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let database = Settings::load().await?.read(DatabaseConfig::read_admin)?;
    if is_lambda() {
        return run(service_fn(|_: LambdaEvent<Value>| apply(&database))).await;
    }
    apply(&database).await.map(|_| ())
}

async fn apply(database: &DatabaseConfig) -> Result<Report, lambda_runtime::Error> {
    let report = run_with_ca(database.url.expose_secret(), database.ca_pem.as_deref()).await?;
    tracing::info!(applied = ?report.applied, "The database is up to date");
    Ok(report)
}
