//! Applies `migrations/` to a database: roles first, then every numbered file that has not been applied yet.

pub mod move_over;

use anyhow::Context as _;
use refinery::{Migration, Runner};
use runaway_core::db::{Unquoted, connector};
use tokio_postgres::Client;
use tokio_postgres::error::DbError;

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
    ("0015_export_states", include_str!("../../../migrations/0015_export_states.sql")),
    ("0016_ends_meet", include_str!("../../../migrations/0016_ends_meet.sql")),
];
/// Two migrations of one database at once take turns: the key of the advisory lock, `runaway` in ASCII.
const LOCK_KEY: i64 = 0x72_75_6e_61_77_61_79;

/// Where refinery keeps what was applied.
const HISTORY: &str = "runaway_migrations";

/// What the Lambda is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Only say what is pending.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a run found or did.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// Names of the files not applied yet, after a dry run.
    pub pending: Vec<String>,
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
    connected(admin_url, ca_pem, async |client| migrate(client, MIGRATIONS).await).await
}

/// [`run`] with other files than this release's: what an earlier one applied, or a later one will.
///
/// # Errors
/// As [`run`].
pub async fn run_files(admin_url: &str, files: &[(&str, &str)]) -> anyhow::Result<Report> {
    connected(admin_url, None, async |client| migrate(client, files).await).await
}

/// What [`run_with_ca`] would apply. Writes nothing, takes no lock, and needs no role that is not there yet.
///
/// # Errors
/// When the database cannot be reached or its history cannot be read.
pub async fn pending_with_ca(admin_url: &str, ca_pem: Option<&str>) -> anyhow::Result<Report> {
    connected(admin_url, ca_pem, pending).await
}

/// An error with all its causes on one line; of what PostgreSQL said [nothing that quotes rows](Unquoted).
pub fn causes(error: &anyhow::Error) -> String {
    let cause = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref::<DbError>() {
        Some(said) => Unquoted(said).to_string(),
        None => cause.to_string(),
    };
    error.chain().map(cause).collect::<Vec<_>>().join(": ")
}

async fn connected(
    admin_url: &str,
    ca_pem: Option<&str>,
    work: impl AsyncFnOnce(&mut Client) -> anyhow::Result<Report>,
) -> anyhow::Result<Report> {
    let config: tokio_postgres::Config = admin_url.parse().context("DATABASE_ADMIN_URL is not a PostgreSQL address")?;
    let (mut client, connection) = config.connect(connector(ca_pem)).await.context("connecting to the database")?;
    let driver = tokio::spawn(connection);
    let outcome = work(&mut client).await;
    drop(client);
    driver.await.ok();
    outcome
}

async fn pending(client: &mut Client) -> anyhow::Result<Report> {
    let is_new = client.query_one("SELECT to_regclass($1) IS NULL", &[&HISTORY]).await.context("looking for the history")?.get(0);
    let applied: Vec<i32> = if is_new {
        Vec::new()
    } else {
        client.batch_execute("SET ROLE runaway_owner").await.context("becoming the owner of the tables")?;
        let rows = client.query(&format!("SELECT version::int4 FROM {HISTORY}"), &[]).await.context("reading the history")?;
        rows.iter().map(|row| row.get(0)).collect()
    };
    let is_pending = |name: &&str| number(name).is_ok_and(|number| !applied.contains(&number));
    let pending = MIGRATIONS.iter().map(|(name, _)| *name).filter(is_pending).map(str::to_owned).collect();
    Ok(Report { pending, applied: Vec::new() })
}

async fn migrate(client: &mut Client, files: &[(&str, &str)]) -> anyhow::Result<Report> {
    // Held by the session and so released even when this process is killed.
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK_KEY]).await.context("waiting for another migration")?;
    client.batch_execute(BOOTSTRAP).await.context("migrations/bootstrap.sql")?;
    // Without it, row-level security hides rows from a migration silently; with it, such a statement fails.
    client.batch_execute("SET ROLE runaway_owner; SET row_security = off").await.context("becoming the owner of the tables")?;
    let migrations = files.iter().map(|(name, sql)| numbered(name, sql)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut runner = Runner::new(&migrations);
    runner.set_migration_table_name(HISTORY);
    let report = runner.run_async(client).await.context("applying a migration")?;
    Ok(Report { pending: Vec::new(), applied: report.applied_migrations().iter().map(ToString::to_string).collect() })
}

/// `0001_athletes` in the form the runner reads, `V1__athletes`.
fn numbered(name: &str, sql: &str) -> anyhow::Result<Migration> {
    let (_, words) = name.split_once('_').context("a migration's name is NNNN_name")?;
    Ok(Migration::unapplied(&format!("V{}__{words}", number(name)?), sql)?)
}

fn number(name: &str) -> anyhow::Result<i32> {
    let digits = name.split('_').next().unwrap_or_default();
    digits.parse().context("a migration's name begins with its number")
}
