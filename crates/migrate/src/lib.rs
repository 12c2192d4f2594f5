//! Applies `migrations/` to a database: roles first, then every numbered file that has not been applied yet.

pub mod move_over;

use anyhow::Context as _;
use refinery::{Migration, Runner};
use runaway_core::db::connector;
use tokio_postgres::Client;

/// Roles and the sign-in schema; runs every time.
pub const BOOTSTRAP: &str = include_str!("../../../migrations/bootstrap.sql");
/// The numbered files, in order.
pub const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_athletes", include_str!("../../../migrations/0001_athletes.sql")),
    ("0002_connection", include_str!("../../../migrations/0002_connection.sql")),
    ("0003_activities", include_str!("../../../migrations/0003_activities.sql")),
    ("0004_sync_jobs", include_str!("../../../migrations/0004_sync_jobs.sql")),
    ("0005_coach", include_str!("../../../migrations/0005_coach.sql")),
    ("0006_training_facts", include_str!("../../../migrations/0006_training_facts.sql")),
    ("0007_coach_memory", include_str!("../../../migrations/0007_coach_memory.sql")),
    ("0008_journal_weeks", include_str!("../../../migrations/0008_journal_weeks.sql")),
    ("0009_rate_budget", include_str!("../../../migrations/0009_rate_budget.sql")),
    ("0010_vanished", include_str!("../../../migrations/0010_vanished.sql")),
    ("0011_details", include_str!("../../../migrations/0011_details.sql")),
    ("0012_endings", include_str!("../../../migrations/0012_endings.sql")),
    ("0013_oauth_tickets", include_str!("../../../migrations/0013_oauth_tickets.sql")),
    ("0014_export", include_str!("../../../migrations/0014_export.sql")),
];
/// Two migrations of one database at once take turns: the key of the advisory lock, `runaway` in ASCII.
const LOCK_KEY: i64 = 0x72_75_6e_61_77_61_79;

/// What a run did.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Report {
    /// Names of the files applied now; empty when the database was up to date.
    pub applied: Vec<String>,
}

/// Migrates the database in `admin_url`, whose login owns it and may create roles.
///
/// # Errors
/// When the database cannot be reached or a statement fails; the failing file is undone as a whole.
pub async fn run(admin_url: &str) -> anyhow::Result<Report> {
    run_with_ca(admin_url, None).await
}

/// [`run`] with certificate authorities beside the public ones, PEM.
///
/// # Errors
/// As [`run`].
pub async fn run_with_ca(admin_url: &str, ca_pem: Option<&str>) -> anyhow::Result<Report> {
    apply(admin_url, ca_pem, MIGRATIONS).await
}

/// [`run`] with other files than this release's: what an earlier one applied, or a later one will.
///
/// # Errors
/// As [`run`].
pub async fn run_files(admin_url: &str, files: &[(&str, &str)]) -> anyhow::Result<Report> {
    apply(admin_url, None, files).await
}

async fn apply(admin_url: &str, ca_pem: Option<&str>, files: &[(&str, &str)]) -> anyhow::Result<Report> {
    let config: tokio_postgres::Config = admin_url.parse().context("DATABASE_ADMIN_URL is not a PostgreSQL address")?;
    let (mut client, connection) = config.connect(connector(ca_pem)).await.context("connecting to the database")?;
    let driver = tokio::spawn(connection);
    let outcome = migrate(&mut client, files).await;
    drop(client);
    driver.await.ok();
    outcome
}

async fn migrate(client: &mut Client, files: &[(&str, &str)]) -> anyhow::Result<Report> {
    // Held by the session and so released even when this process is killed.
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK_KEY]).await.context("waiting for another migration")?;
    client.batch_execute(BOOTSTRAP).await.context("migrations/bootstrap.sql")?;
    // Without it, row-level security hides rows from a migration silently; with it, such a statement fails.
    client.batch_execute("SET ROLE runaway_owner; SET row_security = off").await.context("becoming the owner of the tables")?;
    let migrations = files.iter().map(|(name, sql)| numbered(name, sql)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut runner = Runner::new(&migrations);
    runner.set_migration_table_name("runaway_migrations");
    let report = runner.run_async(client).await.context("applying a migration")?;
    Ok(Report { applied: report.applied_migrations().iter().map(ToString::to_string).collect() })
}

/// `0001_athletes` in the form the runner reads, `V1__athletes`.
fn numbered(name: &str, sql: &str) -> anyhow::Result<Migration> {
    let (number, words) = name.split_once('_').context("a migration's name is NNNN_name")?;
    let number: u32 = number.parse().context("a migration's name begins with its number")?;
    Ok(Migration::unapplied(&format!("V{number}__{words}"), sql)?)
}
