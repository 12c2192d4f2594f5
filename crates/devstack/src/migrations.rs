//! Migrations, on an operator's word: of the database in `DATABASE_ADMIN_URL`, or by the deployed function.

use anyhow::{Context as _, bail};
use migrate::{Report, Request};
use runaway_core::config::{DatabaseConfig, Settings};
use secrecy::ExposeSecret as _;

use crate::console::{confirmed, say};
use crate::operator::Stack;
use crate::world::own;

/// Shows what is pending and applies it after a yes.
pub(crate) async fn run() -> anyhow::Result<()> {
    if own("DATABASE_ADMIN_URL").is_none() {
        let stack = Stack::named().await.context("neither DATABASE_ADMIN_URL nor a stack is named")?;
        return deployed(&stack).await;
    }
    let database = Settings::load().await?.read(DatabaseConfig::read_admin)?;
    let (url, ca_pem) = (database.url.expose_secret(), database.ca_pem.as_deref());
    let report = migrate::pending_with_ca(url, ca_pem).await?;
    if agreed(&report, "the database of DATABASE_ADMIN_URL").await? {
        applied(&migrate::run_with_ca(url, ca_pem).await?);
    }
    Ok(())
}

/// The same by the function `migrate` of a stack, which alone reaches the database with its owner's login.
pub(crate) async fn deployed(stack: &Stack) -> anyhow::Result<()> {
    let ask = async |request: Request| -> anyhow::Result<Report> {
        let event = serde_json::to_value(request).context("composing the event")?;
        serde_json::from_value(stack.invoke("migrate", &event).await?).context("reading the function's report")
    };
    let report = ask(Request { dry_run: true }).await?;
    if agreed(&report, &format!("the database of {}", stack.describe())).await? {
        applied(&ask(Request { dry_run: false }).await?);
    }
    Ok(())
}

async fn agreed(report: &Report, database: &str) -> anyhow::Result<bool> {
    if report.pending.is_empty() {
        say(&format!("Nothing is pending: {database} is up to date."));
        return Ok(false);
    }
    say(&format!("Pending in {database}:"));
    for name in &report.pending {
        say(&format!("  {name}"));
    }
    if !confirmed("Apply them?").await? {
        bail!("nothing was applied");
    }
    Ok(true)
}

fn applied(report: &Report) {
    say(&format!("Applied {} migrations; the database is up to date.", report.applied.len()));
}
