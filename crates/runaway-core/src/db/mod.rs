//! PostgreSQL: transactions that are bound to one athlete, and every SQL statement, one file per table.
//!
//! The login role has no rights. A transaction chooses one of three roles for its own length:
//! [`AthleteTx`] sees the rows of the token's user, [`WorkerTx`] those of one athlete named by its number, and
//! [`SystemTx`] what the few statements across athletes need (they are listed in `docs/security.md`). There is no
//! other way to send a statement: the connection itself is not reachable from outside this room.

pub mod activities;
pub mod activity_lists;
pub mod athlete_days;
pub mod athlete_tables;
pub mod athletes;
pub mod best_efforts;
pub mod coach_memory;
pub mod conversations;
pub mod detail_runs;
pub mod details;
pub mod erasure_receipts;
pub mod export;
pub mod journal;
pub mod oauth_states;
pub mod oauth_tickets;
pub mod pending_revocations;
mod pool;
pub mod rate_budget;
pub mod request_limits;
pub mod sealed_values;
pub mod status;
pub mod strava_events;
pub mod strava_tokens;
pub mod sweep;
pub mod sync_jobs;
pub mod sync_lag;
mod tx;
pub mod vanished;

pub use pool::{Db, authorities, connector};
pub use tx::{AthleteTx, EventAccess, JobAccess, LimitAccess, OneAthleteTx, SystemTx, WorkerTx};

/// What went wrong in the database, by what the caller may do about it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection could be had, or the server did not answer in time: try again later.
    #[error("the database is not available: {0}")]
    Unavailable(&'static str, #[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// A constraint refused the write.
    #[error("constraint {0} refused the write")]
    Constraint(String, #[source] Said),
    /// Everything else: a fault of ours.
    #[error("a statement failed")]
    Statement(#[source] Said),
    /// A column did not hold what the code expects.
    #[error("{0} holds an unexpected value")]
    Unexpected(&'static str),
}

/// What PostgreSQL said, [without what it quotes](Unquoted). It has no source and no other form, for whoever logs an error
/// writes its whole chain.
pub struct Said(tokio_postgres::Error);

/// What PostgreSQL said, without what it quotes of the data: no detail, and no message of a data exception.
pub struct Unquoted<'a>(pub &'a tokio_postgres::error::DbError);

/// SQLSTATEs that begin with this are data exceptions: their messages quote values.
const DATA_EXCEPTION: &str = "22";

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_db_error() {
            Some(said) => Unquoted(said).fmt(f),
            None => f.write_str("no error of the server's"),
        }
    }
}

impl std::fmt::Display for Unquoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = self.0;
        write!(f, "{} {}", said.severity(), said.code().code())?;
        if !said.code().code().starts_with(DATA_EXCEPTION) {
            write!(f, " {}", said.message())?;
        }
        for (kind, name) in [("table", said.table()), ("column", said.column()), ("type", said.datatype()), ("routine", said.routine())] {
            if let Some(name) = name {
                write!(f, ", {kind} {name}")?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Said {}

impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> Self {
        if error.is_closed() {
            return Self::Unavailable("the connection was closed", Some(error.into()));
        }
        match error.as_db_error() {
            Some(db) if db.constraint().is_some() => Self::Constraint(db.constraint().unwrap_or_default().to_owned(), Said(error)),
            // Class 57: shut down or cancelled; 53: out of connections or memory; 08: connection; 55P03: lock not to be had;
            // 40: given way to another transaction.
            Some(db) if ["57", "53", "08", "55", "40"].contains(&&db.code().code()[..2]) => {
                Self::Unavailable("it refused for now", Some(Said(error).into()))
            }
            Some(_) => Self::Statement(Said(error)),
            None => Self::Unavailable("the connection failed", Some(error.into())),
        }
    }
}
