//! The transactions. One statement at its start sets role, claims and athlete for the length of the transaction;
//! it travels together with BEGIN and the first real statement in one flight.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::Object;
use futures_util::TryStreamExt as _;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, RowStream};
use uuid::Uuid;

use super::DbError;
use crate::telemetry;

/// How long one statement may take before its connection is thrown away.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the server works on one statement; shorter than ours, so that its answer comes first.
const SERVER_STATEMENT_TIMEOUT_MS: &str = "15000";
/// The same where rows are handed out as somebody far away takes them: until they are all sent, the statement is at work.
const SERVER_SNAPSHOT_TIMEOUT_MS: &str = "300000";
const BEGIN: &str = "BEGIN";
/// Every statement sees what was committed before the first one, and none writes.
const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// One statement that turns the login role, which may do nothing, into the transaction's role. Statements here are about
/// one athlete or a few rows: none shall read a table from end to end, however large the planner believes an athlete's
/// share to be, nor be compiled for longer than it runs.
const SETUP: &str = "SELECT set_config('role', $1, true), set_config('request.jwt.claims', $2, true), \
     set_config('runaway.athlete_id', $3, true), set_config('statement_timeout', $4, true), \
     set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)";

/// A statement's parameters with their types: nothing is prepared, nothing stays on the server.
pub(crate) type Params<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// An open transaction. Dropped without [`Tx::commit`], its connection is closed rather than reused, so that no
/// other athlete's call can inherit the role or the claims.
pub(crate) struct Tx {
    connection: Option<Object>,
    begin: &'static str,
    server_timeout_ms: &'static str,
    role: &'static str,
    claims: String,
    athlete: String,
    begun: AtomicBool,
    failed: AtomicBool,
    /// The last flight that has left, counted from 1.
    flight_sent: AtomicUsize,
    /// The last of which an answer has come back.
    flight_answered: AtomicUsize,
}

impl Tx {
    fn new(connection: Object, role: &'static str, claims: String, athlete: String) -> Self {
        let (begun, failed) = (AtomicBool::new(false), AtomicBool::new(false));
        let (begin, server_timeout_ms) = (BEGIN, SERVER_STATEMENT_TIMEOUT_MS);
        let (flight_sent, flight_answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { connection: Some(connection), begin, server_timeout_ms, role, claims, athlete, begun, failed, flight_sent, flight_answered }
    }

    /// Runs one statement and returns its rows.
    pub(crate) async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        let flight = self.depart();
        let outcome = tokio::time::timeout(STATEMENT_TIMEOUT, self.send(sql, params)).await;
        self.flight_answered.fetch_max(flight, Ordering::Relaxed);
        let outcome = outcome.unwrap_or(Err(DbError::Unavailable("a statement took too long", None)));
        if outcome.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        outcome
    }

    /// Runs one statement that returns one row or none.
    pub(crate) async fn query_opt(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, DbError> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// The flight of what is sent next. What is sent while nothing has come back travels in one flight with what was sent
    /// before; each flight is a round trip of the work that is being done.
    fn depart(&self) -> usize {
        let flight = self.flight_answered.load(Ordering::Relaxed) + 1;
        if self.flight_sent.fetch_max(flight, Ordering::Relaxed) < flight {
            telemetry::count_round_trip();
        }
        flight
    }

    /// Runs one statement without parameters and hands its rows out one by one; those that nobody has taken yet wait at
    /// the server. A statement must have run before: it is what begins the transaction.
    pub(crate) async fn rows(&self, sql: &str) -> Result<Rows<'_>, DbError> {
        let nothing: Params<'_> = &[];
        let sent = self.client()?.query_typed_raw(sql, nothing.iter().map(|(value, kind)| (*value, kind.clone())));
        let flight = self.depart();
        let outcome = tokio::time::timeout(STATEMENT_TIMEOUT, sent).await;
        self.flight_answered.fetch_max(flight, Ordering::Relaxed);
        match outcome.map_err(|_| DbError::Unavailable("a statement took too long", None)).and_then(|sent| Ok(sent?)) {
            Ok(stream) => Ok(Rows { tx: self, stream: Box::pin(stream) }),
            Err(error) => {
                self.failed.store(true, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    fn client(&self) -> Result<&Client, DbError> {
        let connection = self.connection.as_ref().ok_or(DbError::Unavailable("the transaction is over", None))?;
        Ok(connection)
    }

    async fn send(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        let client = self.client()?;
        if self.begun.swap(true, Ordering::Relaxed) {
            return Ok(client.query_typed(sql, params).await?);
        }
        // Polled in this order, so the three travel in this order. Should BEGIN fail, the rest runs as the login
        // role, which has no rights.
        let setup_params: Params<'_> =
            &[(&self.role, Type::TEXT), (&self.claims, Type::TEXT), (&self.athlete, Type::TEXT), (&self.server_timeout_ms, Type::TEXT)];
        let (begin, setup, rows) = tokio::join!(
            biased;
            client.batch_execute(self.begin),
            client.query_typed(SETUP, setup_params),
            client.query_typed(sql, params),
        );
        begin?;
        setup?;
        Ok(rows?)
    }

    /// Runs the last statement and commits, all in one flight. The statement's own result is looked at first: COMMIT
    /// after a failed one answers "done" too.
    async fn finish_with(mut self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(DbError::Unavailable("a statement of the transaction failed", None));
        }
        let both = async {
            tokio::join!(biased; self.send(sql, params), async { self.client()?.batch_execute("COMMIT").await.map_err(DbError::from) })
        };
        self.depart();
        let (rows, committed) =
            tokio::time::timeout(STATEMENT_TIMEOUT, both).await.map_err(|_| DbError::Unavailable("a statement took too long", None))?;
        let rows = rows?;
        committed?;
        drop(self.connection.take());
        Ok(rows)
    }

    /// Commits. COMMIT answers "done" even where the server rolls back, so every statement must have been looked at.
    async fn commit(mut self) -> Result<(), DbError> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(DbError::Unavailable("a statement of the transaction failed", None));
        }
        if self.begun.load(Ordering::Relaxed) {
            self.depart();
            tokio::time::timeout(STATEMENT_TIMEOUT, self.client()?.batch_execute("COMMIT"))
                .await
                .map_err(|_| DbError::Unavailable("COMMIT took too long", None))??;
        }
        drop(self.connection.take());
        Ok(())
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.begun.load(Ordering::Relaxed)
        {
            drop(Object::take(connection));
        }
    }
}

/// Rows of a statement, handed out one by one.
pub(crate) struct Rows<'a> {
    tx: &'a Tx,
    stream: Pin<Box<RowStream>>,
}

impl Rows<'_> {
    /// The next row; `None` when there are no more.
    pub(crate) async fn next(&mut self) -> Result<Option<Row>, DbError> {
        let outcome = tokio::time::timeout(STATEMENT_TIMEOUT, self.stream.try_next()).await;
        let outcome = outcome.map_err(|_| DbError::Unavailable("a row took too long", None)).and_then(|row| Ok(row?));
        if outcome.is_err() {
            self.tx.failed.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

/// The caller's own transaction: row-level security shows what belongs to the token's user.
pub struct AthleteTx(Tx, Uuid);

/// A worker's transaction: row-level security shows one athlete's rows.
pub struct WorkerTx(Tx, i64);

/// A transaction across athletes, for the statements listed in `docs/security.md`.
pub struct SystemTx(Tx);

impl AthleteTx {
    pub(super) fn new(connection: Object, user_id: Uuid) -> Self {
        // Built from a UUID: nothing in it needs escaping.
        let claims = format!(r#"{{"sub":"{user_id}","role":"authenticated"}}"#);
        Self(Tx::new(connection, "runaway_athlete", claims, String::new()), user_id)
    }

    /// The user whose rows are visible.
    pub fn user_id(&self) -> Uuid {
        self.1
    }
}

impl WorkerTx {
    pub(super) fn new(connection: Object, athlete_id: i64) -> Self {
        telemetry::note_athlete(athlete_id);
        Self(Tx::new(connection, "runaway_worker", String::new(), athlete_id.to_string()), athlete_id)
    }

    pub(super) fn snapshot(connection: Object, athlete_id: i64) -> Self {
        let mut own = Self::new(connection, athlete_id);
        (own.0.begin, own.0.server_timeout_ms) = (BEGIN_SNAPSHOT, SERVER_SNAPSHOT_TIMEOUT_MS);
        own
    }

    /// The athlete whose rows are visible.
    pub fn athlete_id(&self) -> i64 {
        self.1
    }

    /// Runs the transaction's last statement and commits, in one flight.
    pub(super) async fn finish_with(self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        self.0.finish_with(sql, params).await
    }
}

impl SystemTx {
    pub(super) fn new(connection: Object) -> Self {
        Self(Tx::new(connection, "runaway_system", String::new(), String::new()))
    }

    /// Runs the transaction's last statement and commits, in one flight.
    pub(super) async fn finish_with(self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        self.0.finish_with(sql, params).await
    }
}

/// A transaction that sees one athlete's rows, whoever acts: the caller, or a worker for that athlete.
#[derive(Debug)]
pub enum OneAthleteTx {
    /// The token's user.
    Caller(AthleteTx),
    /// A worker.
    Worker(WorkerTx),
}

impl OneAthleteTx {
    /// Makes everything written lasting. Without it, everything is undone.
    ///
    /// # Errors
    /// As [`AthleteTx::commit`].
    pub async fn commit(self) -> Result<(), DbError> {
        match self {
            Self::Caller(tx) => tx.commit().await,
            Self::Worker(tx) => tx.commit().await,
        }
    }
}

mod sealed {
    /// Gives this room's statements their transaction.
    pub trait Scope {
        /// The transaction inside.
        #[expect(private_interfaces, reason = "no other room can name the transaction inside")]
        fn tx(&self) -> &super::Tx;
    }
}
pub(crate) use sealed::Scope;

/// A transaction that may begin a sync job: the caller's own or the system's.
pub trait JobAccess: Scope {}
impl JobAccess for AthleteTx {}
impl JobAccess for SystemTx {}

/// A transaction that works an event off: the athlete's worker or the system.
pub trait EventAccess: Scope {}
impl EventAccess for WorkerTx {}
impl EventAccess for SystemTx {}

/// A transaction that acts for one athlete, whose allowance it may take from.
pub trait LimitAccess: Scope {}
impl LimitAccess for AthleteTx {}
impl LimitAccess for WorkerTx {}
impl LimitAccess for OneAthleteTx {}

impl Scope for OneAthleteTx {
    #[expect(private_interfaces, reason = "no other room can name the transaction inside")]
    fn tx(&self) -> &Tx {
        match self {
            Self::Caller(tx) => tx.tx(),
            Self::Worker(tx) => tx.tx(),
        }
    }
}

macro_rules! scope {
    ($name:ident) => {
        impl sealed::Scope for $name {
            #[expect(private_interfaces, reason = "no other room can name the transaction inside")]
            fn tx(&self) -> &Tx {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl $name {
            /// Makes everything written lasting. Without it, everything is undone.
            ///
            /// # Errors
            /// Any error means that nothing was written, but for a connection lost during the commit itself.
            pub async fn commit(self) -> Result<(), DbError> {
                self.0.commit().await
            }
        }
    };
}
scope!(AthleteTx);
scope!(WorkerTx);
scope!(SystemTx);
