//! Migrates the database in `DATABASE_ADMIN_URL`: once as a command, or per invocation as a Lambda at deploy, which with
//! `{"dry_run": true}` only says what is pending.

use lambda_runtime::{LambdaEvent, run, service_fn};
use migrate::{Report, Request, causes, pending_with_ca, run_with_ca};
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

/// Migrates, or says what is pending. Whoever deploys reads the error's text, so that it tells every cause.
async fn answer(database: &DatabaseConfig, request: Request) -> Result<Report, lambda_runtime::Error> {
    let (url, ca_pem) = (database.url.expose_secret(), database.ca_pem.as_deref());
    let outcome = if request.dry_run { pending_with_ca(url, ca_pem).await } else { run_with_ca(url, ca_pem).await };
    match outcome {
        Ok(report) => {
            if !request.dry_run {
                tracing::info!(applied = ?report.applied, "The database is up to date");
            }
            Ok(report)
        }
        Err(error) => {
            let cause = causes(&error);
            tracing::error!(cause, "The database was not migrated");
            Err(cause.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_cause_is_told_and_not_only_where_it_happened() {
        let nowhere = DatabaseConfig { url: "postgres://owner:hunter2@127.0.0.1:1/runaway".into(), ca_pem: None };
        for dry_run in [true, false] {
            let error = answer(&nowhere, Request { dry_run }).await.unwrap_err().to_string();
            assert!(error.starts_with("connecting to the database: ") && error.contains("refused"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_statements_cause_is_told_without_the_values_it_quotes() {
        let database = testkit::TestDatabase::empty().await;
        let url = database.admin_url();
        let failing = [("0001_broken", "CREATE TABLE t (c text UNIQUE); INSERT INTO t VALUES ('somebody'), ('somebody')")];
        let error = causes(&migrate::run_files(&url, &failing).await.unwrap_err());
        assert!(error.contains("broken") && error.contains("ERROR 23505 duplicate key value"), "{error}");
        let failing = [("0001_broken", "SELECT 'somebody'::integer")];
        let other = causes(&migrate::run_files(&url, &failing).await.unwrap_err());
        assert!(other.contains("ERROR 22P02"), "{other}");
        assert!(!error.contains("somebody") && !other.contains("somebody"), "{error}\n{other}");
    }
}
