//! Moving over from the predecessor, the functions on Supabase whose tables bear the same names as ours.
//!
//! Its objects are set aside from `public` into the schema [`OLD`], the migrations run, and what has a home here is copied
//! in batches, each of which commits together with the mark of how far it came. Nothing of the predecessor's is altered
//! or deleted: what cannot be moved is counted by its reason and stays where it is. [`run`] may be repeated and
//! interrupted at any time; [`check()`] compares both sides.

mod aside;
mod check;
mod copy;
mod report;
mod shape;
mod sources;
mod tokens;

use anyhow::Context as _;
pub use check::Comparison;
pub use report::Line;
use runaway_core::db::connector;
use runaway_core::vault::Vault;
use shape::Shape;
use tokio_postgres::Client;

/// The schema that keeps the predecessor's tables. Only the login of the migration and `runaway_owner` may enter it.
pub const OLD: &str = "predecessor";
/// Two moves of one database at once take turns: the key of the advisory lock, `moveover` in ASCII.
const LOCK_KEY: i64 = 0x6d_6f_76_65_6f_76_65_72;

/// Where the database is and what seals tokens.
#[derive(Debug)]
pub struct Move<'a> {
    /// The database, with the login that owns it and the predecessor's tables.
    pub admin_url: &'a str,
    /// Certificate authorities beside the public ones, PEM.
    pub ca_pem: Option<&'a str>,
    /// The functions' key ring.
    pub vault: &'a Vault,
}

/// What a move did.
#[derive(Debug)]
pub struct Moved {
    /// Objects of the predecessor's that were set aside now.
    pub set_aside: usize,
    /// Rows written now, by step.
    pub written: Vec<(&'static str, u64)>,
    /// What of the predecessor's was moved and what was kept, with reasons.
    pub report: Vec<Line>,
}

/// Sets the predecessor's tables aside, migrates, and copies. `say` hears of every step as it begins.
///
/// # Errors
/// When the database cannot be reached, holds no predecessor, or refuses a statement. What was committed before stays,
/// and the next run goes on from there.
pub async fn run(move_over: &Move<'_>, say: impl Fn(&str)) -> anyhow::Result<Moved> {
    let mut session = Session::open(move_over).await?;
    say("Setting the predecessor's tables aside …");
    let set_aside = aside::set_aside(&mut session.client).await?;
    say("Migrating …");
    crate::run_with_ca(move_over.admin_url, move_over.ca_pem).await?;
    aside::open_to_the_owner(&mut session.client).await?;
    session.client.batch_execute("SET ROLE runaway_owner").await.context("becoming the owner of the tables")?;
    let mut shape = Shape::read(&session.client).await?;
    let sources = sources::Sources::of(&mut shape)?;
    sources.prepare(&session.client).await?;
    let written = copy::all(&mut session.client, &sources, move_over.vault, &say).await?;
    let report = report::lines(&session.client, &shape, &sources).await?;
    session.close().await;
    Ok(Moved { set_aside, written, report })
}

/// How many objects [`run`] will set aside; `None` where that was done before. Changes nothing.
///
/// # Errors
/// When the database cannot be reached, or holds no predecessor.
pub async fn ahead(move_over: &Move<'_>) -> anyhow::Result<Option<usize>> {
    let session = Session::open(move_over).await?;
    let ahead = aside::ahead(&session.client).await?;
    session.close().await;
    Ok(ahead)
}

/// Compares the predecessor's rows with ours. Changes nothing.
///
/// # Errors
/// When the database cannot be reached, or nothing was moved.
pub async fn check(move_over: &Move<'_>) -> anyhow::Result<Vec<Comparison>> {
    let session = Session::open(move_over).await?;
    session.client.batch_execute("SET ROLE runaway_owner").await.context("becoming the owner of the tables")?;
    let mut shape = Shape::read(&session.client).await?;
    let sources = sources::Sources::of(&mut shape).context("nothing was moved here yet")?;
    sources.prepare(&session.client).await?;
    let comparisons = check::all(&session.client, &sources, move_over.vault).await?;
    session.close().await;
    Ok(comparisons)
}

/// A connection that holds the lock; both end together, however that comes.
struct Session {
    client: Client,
    driver: tokio::task::JoinHandle<Result<(), tokio_postgres::Error>>,
}

impl Session {
    async fn open(move_over: &Move<'_>) -> anyhow::Result<Self> {
        let config: tokio_postgres::Config = move_over.admin_url.parse().context("DATABASE_ADMIN_URL is not a PostgreSQL address")?;
        let (client, connection) = config.connect(connector(move_over.ca_pem)).await.context("connecting to the database")?;
        let driver = tokio::spawn(connection);
        client.execute("SELECT pg_advisory_lock($1)", &[&LOCK_KEY]).await.context("waiting for another move")?;
        Ok(Self { client, driver })
    }

    async fn close(self) {
        drop(self.client);
        self.driver.await.ok();
    }
}
