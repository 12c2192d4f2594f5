//! Moving over from the predecessor's tables, and comparing both sides. Works on the database of `DATABASE_ADMIN_URL`
//! with the keys in `TOKEN_KEYS`, both from the person's environment or the document named by `RUNAWAY_SECRET_ARN`;
//! without either on that of the running world.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use migrate::move_over::{self, Comparison, Move, Moved};
use runaway_core::config::{DatabaseConfig, VaultConfig};
use runaway_core::vault::Vault;
use secrecy::ExposeSecret as _;
use tokio_postgres::config::Host;

use crate::console::{confirmed, patiently, say};
use crate::operator::settings;

/// Moves what is not moved yet, says what became of every table, and compares. Fails where something differs.
pub(crate) async fn run(is_check: bool) -> anyhow::Result<ExitCode> {
    let (database, keys) = settings(&["DATABASE_ADMIN_URL"]).await?.read(|s| (DatabaseConfig::read_admin(s), VaultConfig::read(s)))?;
    let vault = Vault::from_ring(&keys.token_keys)?;
    let what = Move { admin_url: database.url.expose_secret(), ca_pem: database.ca_pem.as_deref(), vault: &vault };
    if !is_check {
        let objects = match move_over::ahead(&what).await? {
            Some(objects) => format!("{objects} objects of the predecessor's leave public for the schema {}", move_over::OLD),
            None => format!("the predecessor's objects are in the schema {} already", move_over::OLD),
        };
        say(&format!("This moves over in {}: {objects}, the migrations run, and what is not moved yet is copied.", place(what.admin_url)?));
        if !confirmed("Is its predecessor stopped, and is there a backup?").await? {
            bail!("nothing was moved");
        }
        tell(&patiently("moving", move_over::run(&what, say)).await?);
    }
    let comparisons = patiently("comparing", move_over::check(&what)).await?;
    say("\nCompared, of what could be moved:");
    for comparison in &comparisons {
        let Comparison { what, there, here } = comparison;
        let verdict = if comparison.is_equal() { "equal" } else { "DIFFERENT" };
        say(&format!("  {what:<32} {there:>9} there {here:>9} here the same   {verdict}"));
    }
    let is_equal = comparisons.iter().all(Comparison::is_equal);
    say(if is_equal { "\nBoth sides are equal." } else { "\nBoth sides DIFFER: see above." });
    Ok(if is_equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The database and where it is, of an address with more in it.
fn place(address: &str) -> anyhow::Result<String> {
    let config: tokio_postgres::Config = address.parse().context("DATABASE_ADMIN_URL is not a PostgreSQL address")?;
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    Ok(format!("the database {} on {}", config.get_dbname().or(config.get_user()).unwrap_or_default(), hosts.join(", ")))
}

fn tell(moved: &Moved) {
    say(&format!("\n{} objects were set aside into the schema {} now.", moved.set_aside, move_over::OLD));
    say("Rows written now:");
    for (step, rows) in &moved.written {
        say(&format!("  {step:<32} {rows:>9}"));
    }
    say("What became of the predecessor's rows, in all runs together:");
    for line in &moved.report {
        say(&format!("  {:<46} {:>9}  {}", line.table, line.number, line.fate));
    }
}
