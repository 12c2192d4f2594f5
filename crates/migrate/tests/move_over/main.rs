//! Moving over from the predecessor: nothing is lost, nothing is doubled, and a second time changes nothing.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod by_migrations;
mod live;

use std::collections::BTreeMap;

use migrate::move_over::{self, Comparison, Move, Moved};
use runaway_core::vault::Vault;
use testkit::TestDatabase;

async fn run(database: &TestDatabase, vault: &Vault, say: impl Fn(&str)) -> Moved {
    move_over::run(&Move { admin_url: &database.admin_url(), ca_pem: None, vault }, say).await.unwrap_or_else(|error| panic!("{error:#}"))
}

async fn check(database: &TestDatabase, vault: &Vault) -> Vec<Comparison> {
    let what = Move { admin_url: &database.admin_url(), ca_pem: None, vault };
    move_over::check(&what).await.unwrap_or_else(|error| panic!("{error:#}"))
}

/// What became of a table's rows, by reason.
fn fates(moved: &Moved, table: &str) -> BTreeMap<String, i64> {
    moved.report.iter().filter(|line| line.table == table).map(|line| (line.fate.clone(), line.number)).collect()
}

fn expected(pairs: &[(&str, i64)]) -> BTreeMap<String, i64> {
    pairs.iter().map(|(fate, number)| ((*fate).to_owned(), *number)).collect()
}

/// A checksum of every table of both sides.
async fn checksums(database: &TestDatabase) -> BTreeMap<String, String> {
    let admin = database.admin().await;
    admin.batch_execute("SET ROLE runaway_owner").await.unwrap();
    let sql = "SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
                WHERE nspname IN ('public', 'predecessor') AND relkind = 'r' AND has_table_privilege(c.oid, 'SELECT')";
    let mut sums = BTreeMap::new();
    for row in admin.query(sql, &[]).await.unwrap() {
        let table: String = row.get(0);
        let sql = format!("SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t");
        sums.insert(table, admin.query_one(&sql, &[]).await.unwrap().get(0));
    }
    sums
}
