//! Sealing anew, under the key ring's first key, whatever another key sealed: after it the other keys may go.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::db::sealed_values::{self, Holds, Replacement, SEALED_TABLES, SealedRow, SealedTable};
use crate::db::{Db, DbError};
use crate::vault::{Purpose, Vault, VaultError};

/// Rows that are read and written in one transaction.
const ROWS_MAX: i64 = 200;

/// Why sealed values do not open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unopened {
    /// The key they name, where they name one.
    pub key_id: Option<String>,
    /// A sentence; never the value.
    pub cause: String,
}

impl From<&VaultError> for Unopened {
    fn from(error: &VaultError) -> Self {
        Self { key_id: error.key_id().map(str::to_owned), cause: error.to_string() }
    }
}

/// What came of a run, in rows. One with a value that opens and one that does not may count twice.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Sealed anew.
    pub resealed: usize,
    /// Sealed with the first key already.
    pub current: usize,
    /// Being changed at that moment, and left alone: whoever changes them seals them.
    pub busy: usize,
    /// With a value that does not open.
    pub unopened: BTreeMap<Unopened, usize>,
    /// Whether every row was looked at; otherwise time ran out, and the next run goes on.
    pub is_complete: bool,
}

impl Resealed {
    /// Whether nothing that opens is left under another key than the first.
    pub fn is_settled(&self) -> bool {
        self.is_complete && self.busy == 0
    }
}

/// Walks all that is sealed, in batches that each stand for themselves, as long as `may_go_on` says so. A value that
/// does not open is counted and left as it is: its key may come back. One that was changed since it was read is not
/// touched: a refresh meanwhile is never undone.
///
/// # Errors
/// See [`DbError`]; what was sealed anew before stays so.
pub async fn reseal(db: &Db, vault: &Vault, may_go_on: impl Fn() -> bool) -> Result<Resealed, DbError> {
    let mut done = Resealed::default();
    for table in SEALED_TABLES {
        let mut after: Option<String> = None;
        loop {
            if !may_go_on() {
                return Ok(done);
            }
            let tx = db.system().await?;
            let rows = sealed_values::batch(&tx, table, after.as_deref(), ROWS_MAX).await?;
            let is_last = i64::try_from(rows.len()).is_ok_and(|count| count < ROWS_MAX);
            after = rows.last().map(|row| row.key.clone());
            let replacements = replacements(vault, table, rows, &mut done)?;
            if !replacements.is_empty() {
                let replaced = sealed_values::replace(&tx, table, &replacements).await?;
                done.resealed += replaced;
                done.busy += replacements.len() - replaced;
            }
            tx.commit().await?;
            if is_last {
                break;
            }
        }
    }
    done.is_complete = true;
    Ok(done)
}

/// What is to be written of a batch; what is not is counted here.
fn replacements(vault: &Vault, table: &SealedTable, rows: Vec<SealedRow>, done: &mut Resealed) -> Result<Vec<Replacement>, DbError> {
    let mut replacements = Vec::new();
    for old in rows {
        let (mut new, mut is_changed, mut unopened) = (Vec::new(), false, Vec::new());
        for ((_, holds), value) in table.columns.iter().zip(&old.values) {
            match vault.reseal(purpose(*holds, &old.key)?, old.athlete_id, value) {
                Ok(Some(resealed)) => {
                    new.push(resealed);
                    is_changed = true;
                }
                Ok(None) => new.push(value.clone()),
                Err(error) => {
                    new.push(value.clone());
                    unopened.push(Unopened::from(&error));
                }
            }
        }
        unopened.dedup();
        if !is_changed && unopened.is_empty() {
            done.current += 1;
        }
        for why in unopened {
            *done.unopened.entry(why).or_default() += 1;
        }
        if is_changed {
            replacements.push(Replacement { old, new });
        }
    }
    Ok(replacements)
}

fn purpose(holds: Holds, key: &str) -> Result<Purpose, DbError> {
    Ok(match holds {
        Holds::AccessToken => Purpose::StravaAccessToken,
        Holds::RefreshToken => Purpose::StravaRefreshToken,
        Holds::Exchange => Purpose::StravaExchange(Uuid::try_parse(key).map_err(|_| DbError::Unexpected("oauth_tickets.id"))?),
    })
}
