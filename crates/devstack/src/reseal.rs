//! Everything sealed is sealed anew under the key ring's first key: the schedule's task by hand, for the day on which
//! the ring is rotated. Works on the database of the person's environment where that has a key ring, else on that of the
//! running world.

use anyhow::{Context as _, ensure};
use runaway_core::config::{DatabaseConfig, VaultConfig};
use runaway_core::db::Db;
use runaway_core::flows;
use runaway_core::vault::Vault;

use crate::console::say;
use crate::operator::settings;

/// One batch after the other.
const CONNECTIONS_MAX: usize = 1;

/// Seals anew and says what came of it.
pub(crate) async fn run() -> anyhow::Result<()> {
    let settings = settings(&["TOKEN_KEYS", "RUNAWAY_SECRET_ARN"]).await?;
    let (database, vault) = settings.read(|s| (DatabaseConfig::read(s), VaultConfig::read(s)))?;
    let (db, vault) = (Db::new(&database, CONNECTIONS_MAX)?, Vault::from_ring(&vault.token_keys)?);
    let keys: Vec<String> = vault.key_ids().map(|id| format!("{id:?}")).collect();
    say(&format!("TOKEN_KEYS holds {}; the first seals.", keys.join(", ")));

    let done = flows::reseal(&db, &vault, || true).await.context("sealing anew")?;
    say(&format!("{} rows sealed anew, {} current", done.resealed, done.current));
    for (why, rows) in &done.unopened {
        say(&format!("{rows} rows cannot be opened: {}", why.cause));
    }
    if !done.is_settled() {
        say(&format!("{} rows were being changed meanwhile: run this again.", done.busy));
    } else if keys.len() > 1 {
        say("Nothing that opens is sealed with another key than the first.");
    }
    ensure!(done.unopened.is_empty(), "some rows cannot be opened; docs/runbook.md says what that means");
    Ok(())
}
