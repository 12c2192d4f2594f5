//! `GET /export`: everything held about the athlete, as one zip archive that is sent while it is read.

mod archive;
mod contents;

use std::sync::Arc;
use std::time::Duration;

pub use archive::PIECE_BYTES_MAX;
use archive::{Archive, ArchiveError};
use jiff::Timestamp;
use lambda_http::http::Method;
use lambda_http::{Request, Response};
use lambda_runtime::streaming::{Sender, channel};
use runaway_core::clock::Clock;
use runaway_core::config::{AuthConfig, DailyLimit, DatabaseConfig, Settings};
use runaway_core::db::export::{self, ExportedTable};
use runaway_core::db::request_limits::{self, Kind};
use runaway_core::db::{Db, DbError, WorkerTx, athletes};
use runaway_core::domain::utc_day;
use runaway_core::http::{ApiError, Call, EventBody, Streamed, Verifier, answer_streaming, log_failure, own_athlete};
use runaway_core::telemetry;

/// One request at a time is all an environment gets: what it reads from, and what it counts in.
const CONNECTIONS_MAX: usize = 2;
/// How long the reader may take for one piece of the archive before it counts as gone.
pub const READER_PATIENCE: Duration = Duration::from_secs(30);
/// What is kept of the function's time for ending the archive visibly and giving the connection back.
const ENDING_TIME: Duration = Duration::from_secs(5);
const LIMIT_MESSAGE: &str = "Your data has been exported as often as one day allows. Please try again tomorrow.";

/// What the function holds between calls.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub db: Db,
    /// Who calls.
    pub verifier: Verifier,
    /// How many exports an athlete may begin in a day.
    pub limit: DailyLimit,
    /// How long the reader is waited for, [`READER_PATIENCE`].
    pub reader_patience: Duration,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// Builds everything from the settings; nothing is connected yet.
    ///
    /// # Errors
    /// Names every setting that is missing or senseless.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (database, auth, limit) = settings.read(|s| (DatabaseConfig::read(s), AuthConfig::read(s), DailyLimit::read_exports(s)))?;
        let (db, verifier) = (Db::new(&database, CONNECTIONS_MAX)?, Verifier::new(auth)?);
        Ok(Self { db, verifier, limit, reader_patience: READER_PATIENCE, clock: Clock::system() })
    }
}

/// Why an archive was not sent to its end.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    /// See [`DbError`].
    #[error(transparent)]
    Db(#[from] DbError),
    /// The reader has left, or the archive cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The function's time is over.
    #[error("the export took longer than the function may")]
    Late,
}

/// Answers one request.
pub async fn handle(app: &Arc<App>, request: Request) -> Response<EventBody> {
    answer_streaming("export", request, |call| begin(app, call)).await
}

async fn begin(app: &Arc<App>, call: Call) -> Result<Streamed, ApiError> {
    let caller = app.verifier.caller(&call.headers).await?;
    if !call.path.is_empty() {
        return Err(ApiError::no_such_path());
    }
    call.require_method(&Method::GET)?;
    let named = call.named_in_query()?;
    let now = app.clock.now();

    let tx = app.db.athlete(caller.user_id).await?;
    let athlete = own_athlete(athletes::own(&tx).await?, &named)?;
    tx.commit().await?;
    // The snapshot is taken before the head is sent: without a database the answer is an error, not half an archive. It
    // is taken before the allowance, too: what cannot begin costs nothing.
    let snapshot = app.db.snapshot(athlete.id).await?;
    let tables = export::tables(&snapshot).await?;
    let tx = app.db.athlete(caller.user_id).await?;
    if !request_limits::take(&tx, Kind::Export, app.limit, now).await? {
        return Err(ApiError::used_up(LIMIT_MESSAGE, now));
    }
    tx.commit().await?;
    let (sender, body) = channel();
    let time_left = call.time_left.saturating_sub(ENDING_TIME);
    // The request's line is written before the line to the reader is closed, after which the environment may be frozen.
    let sent = telemetry::carried(send(call.request_id, sender, snapshot, tables, now, app.reader_patience, time_left));
    tokio::spawn(async move {
        if let Sent::InPart(sender) = sent.await {
            sender.abort();
        }
    });
    Ok(Streamed::Archive { file_name: format!("runaway-export-{}.zip", utc_day(now)), body })
}

/// How much of an archive was sent, with the line to the reader still open.
enum Sent {
    Whole { _line: Sender },
    InPart(Sender),
}

/// Sends the archive. One that breaks off ends without its table of contents, so that nobody takes it for a whole one:
/// the error in which its stream ends does not reach the caller through every gateway.
async fn send(
    request_id: String,
    mut sender: Sender,
    tx: WorkerTx,
    tables: Vec<ExportedTable>,
    now: Timestamp,
    reader_patience: Duration,
    time_left: Duration,
) -> Sent {
    let athlete_id = tx.athlete_id();
    let archive = Archive::begin(&mut sender, reader_patience, now);
    let written = tokio::time::timeout(time_left, Box::pin(write(archive, tx, &tables, now))).await;
    match written.unwrap_or(Err(ExportError::Late)) {
        Ok(rows) => {
            telemetry::note("rows", rows);
            return Sent::Whole { _line: sender };
        }
        Err(ExportError::Archive(ArchiveError::Gone)) => {
            tracing::info!(athlete.id = athlete_id, request_id, "The reader of an export left before its end");
        }
        Err(error) => log_failure("export", &request_id, &error.into()),
    }
    Sent::InPart(sender)
}

/// Writes one file for each table, and what explains them; returns the number of rows.
async fn write(mut archive: Archive<'_>, tx: WorkerTx, tables: &[ExportedTable], now: Timestamp) -> Result<u64, ExportError> {
    archive.file(contents::README)?;
    archive.write(contents::readme(tables, now).as_bytes()).await?;
    let mut rows_of = Vec::new();
    for table in tables {
        archive.file(&contents::file_name(table))?;
        let mut lines = export::lines(&tx, table).await?;
        let mut rows: u64 = 0;
        while let Some(mut line) = lines.next().await? {
            line.push('\n');
            archive.write(line.as_bytes()).await?;
            rows += 1;
        }
        rows_of.push(rows);
    }
    let athlete_id = tx.athlete_id();
    tx.commit().await?;
    archive.file(contents::MANIFEST)?;
    archive.write(contents::manifest(tables, &rows_of, athlete_id, now).as_bytes()).await?;
    archive.finish().await?;
    Ok(rows_of.iter().sum())
}

impl From<ExportError> for ApiError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Db(error) => error.into(),
            ExportError::Archive(error) => Self::Internal(error.into()),
            ExportError::Late => Self::UpstreamUnavailable(error.into()),
        }
    }
}
