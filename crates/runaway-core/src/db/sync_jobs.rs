//! The table `sync_jobs`: beginning, claiming, checkpointing and ending a sync.

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::tx::{Params, Scope};
use super::{AthleteTx, DbError, JobAccess, SystemTx, WorkerTx};
use crate::domain::{Lane, SyncBounds, SyncType, Walk, WalkStep};

/// How often a lease may run out before the job is given up.
pub const STRIKES_MAX: i32 = 3;
/// How far an incremental sync reaches back behind the newest activity, for what was uploaded late.
pub const INCREMENTAL_OVERLAP_S: i64 = 7 * 24 * 60 * 60;
/// How long a message may be under way before another is sent, seconds.
pub(super) const UNSENT_AFTER_S: f64 = 120.0;
/// How many jobs one run of `process-pending` wakes.
const DUE_JOBS_MAX: i64 = 500;
/// What the athlete reads when a job is given up after its strikes.
const STRUCK_OUT: &str = "The sync was interrupted several times and has been stopped. Please start it again.";

const COLUMNS: &str = "id, athlete_id, sync_type, status, after_s, before_s, max_activities, progress, pages_done, \
     activities_processed, activities_failed, error_message, created_at, started_at, updated_at, completed_at, \
     walk_before_s, walk_oldest_s, walk_ids, walk_step, \
     (SELECT extract(epoch FROM member_since)::bigint FROM athletes WHERE athletes.id = athlete_id), lane, failing_since, saw_private";

/// One row.
#[derive(Debug, Clone)]
pub struct SyncJob {
    /// Id, also in the queue's message.
    pub id: Uuid,
    /// Whose activities.
    pub athlete_id: i64,
    /// What was asked for.
    pub bounds: SyncBounds,
    /// `pending`, `in_progress`, `completed` or `failed`.
    pub status: String,
    /// Percent; 100 only when completed.
    pub progress: i32,
    /// Pages saved.
    pub pages_done: i32,
    /// Activities saved.
    pub processed: i32,
    /// Objects kept aside because they could not be read.
    pub failed: i32,
    /// A sentence for the athlete.
    pub error_message: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was first claimed.
    pub started_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// How far it has come.
    pub walk: Walk,
    /// When the athlete joined Strava, epoch seconds, where known.
    pub member_since_s: Option<i64>,
    /// Whose turn it is at Strava.
    pub lane: Lane,
    /// Since when no page has come, for reasons other than the rate limit.
    pub failing_since: Option<Timestamp>,
    /// Whether the walk met a private activity.
    pub saw_private: bool,
}

fn from_row(row: &Row) -> Result<SyncJob, DbError> {
    let sync_type: &str = row.try_get(2)?;
    let (step, lane): (&str, &str) = (row.try_get(19)?, row.try_get(21)?);
    Ok(SyncJob {
        id: row.try_get(0)?,
        athlete_id: row.try_get(1)?,
        bounds: SyncBounds {
            sync_type: SyncType::parse(sync_type).ok_or(DbError::Unexpected("sync_jobs.sync_type"))?,
            after_s: row.try_get(4)?,
            before_s: row.try_get(5)?,
            max_activities: row.try_get(6)?,
        },
        status: row.try_get(3)?,
        progress: row.try_get(7)?,
        pages_done: row.try_get(8)?,
        processed: row.try_get(9)?,
        failed: row.try_get(10)?,
        error_message: row.try_get(11)?,
        created_at: row.try_get(12)?,
        started_at: row.try_get(13)?,
        updated_at: row.try_get(14)?,
        completed_at: row.try_get(15)?,
        walk: Walk {
            before_s: row.try_get(16)?,
            oldest_s: row.try_get(17)?,
            seen: row.try_get(18)?,
            step: WalkStep::parse(step).ok_or(DbError::Unexpected("sync_jobs.walk_step"))?,
        },
        member_since_s: row.try_get(20)?,
        lane: Lane::parse(lane).ok_or(DbError::Unexpected("sync_jobs.lane"))?,
        failing_since: row.try_get(22)?,
        saw_private: row.try_get(23)?,
    })
}

/// The caller's own job.
///
/// # Errors
/// See [`DbError`].
pub async fn find(tx: &AthleteTx, id: Uuid) -> Result<Option<SyncJob>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM sync_jobs WHERE id = $1");
    tx.tx().query_opt(&sql, &[(&id, Type::UUID)]).await?.as_ref().map(from_row).transpose()
}

/// The athlete's unfinished jobs, locked: two requests at once take turns.
///
/// # Errors
/// See [`DbError`].
pub async fn unfinished(tx: &impl JobAccess, athlete_id: i64) -> Result<Vec<SyncJob>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM sync_jobs WHERE athlete_id = $1 AND status IN ('pending', 'in_progress') ORDER BY created_at, id FOR UPDATE"
    );
    tx.tx().query(&sql, &[(&athlete_id, Type::INT8)]).await?.iter().map(from_row).collect()
}

/// Where an incremental sync without a bound of its own begins: seven days before the newest activity.
///
/// # Errors
/// See [`DbError`].
pub async fn incremental_after_s(tx: &AthleteTx, athlete_id: i64) -> Result<Option<i64>, DbError> {
    let sql = "SELECT activity_date FROM activities WHERE athlete_id = $1 ORDER BY activity_date DESC LIMIT 1";
    let row = tx.tx().query_opt(sql, &[(&athlete_id, Type::INT8)]).await?;
    let newest: Option<Timestamp> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(newest.map(|newest| newest.as_second() - INCREMENTAL_OVERLAP_S))
}

/// Writes a new job; `None` where another request was faster.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(
    tx: &impl JobAccess,
    id: Uuid,
    athlete_id: i64,
    bounds: &SyncBounds,
    now: Timestamp,
) -> Result<Option<SyncJob>, DbError> {
    let sql = format!(
        "INSERT INTO sync_jobs (id, athlete_id, sync_type, after_s, before_s, max_activities, lane, not_before, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $8, $7, $7, $7)
         ON CONFLICT (athlete_id, sync_type) WHERE status IN ('pending', 'in_progress') DO NOTHING
         RETURNING {COLUMNS}"
    );
    let (sync_type, lane) = (bounds.sync_type.as_str(), Lane::of_request(bounds, now).as_str());
    let params: Params<'_> = &[
        (&id, Type::UUID),
        (&athlete_id, Type::INT8),
        (&sync_type, Type::TEXT),
        (&bounds.after_s, Type::INT8),
        (&bounds.before_s, Type::INT8),
        (&bounds.max_activities, Type::INT4),
        (&now, Type::TIMESTAMPTZ),
        (&lane, Type::TEXT),
    ];
    tx.tx().query_opt(&sql, params).await?.as_ref().map(from_row).transpose()
}

/// Lets a job go on at once in a more urgent lane: an athlete now waits for what was planned for later.
///
/// # Errors
/// See [`DbError`].
pub async fn hasten(tx: &impl JobAccess, id: Uuid, lane: Lane, now: Timestamp) -> Result<SyncJob, DbError> {
    let sql =
        format!("UPDATE sync_jobs SET lane = $2, not_before = least(not_before, $3), updated_at = $3 WHERE id = $1 RETURNING {COLUMNS}");
    let row = tx.tx().query_opt(&sql, &[(&id, Type::UUID), (&lane.as_str(), Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await?;
    row.as_ref().map(from_row).transpose()?.ok_or(DbError::Unexpected("sync_jobs.id"))
}

/// Gives an unfinished job wider bounds. Its walk begins anew and whoever holds it loses the lease: what it has not
/// looked for yet may lie behind it.
///
/// # Errors
/// See [`DbError`].
pub async fn widen(tx: &impl JobAccess, id: Uuid, bounds: &SyncBounds, now: Timestamp) -> Result<SyncJob, DbError> {
    let lane = Lane::of_request(bounds, now).as_str();
    let sql = format!(
        "UPDATE sync_jobs SET after_s = $2, before_s = $3, max_activities = $4, updated_at = $5, not_before = least(not_before, $5), lane = $6,
                walk_before_s = NULL, walk_oldest_s = NULL,
                walk_ids = '{{}}', walk_step = 'page', activities_processed = 0, activities_failed = 0, lease_token = NULL, lease_expires_at = NULL
          WHERE id = $1 RETURNING {COLUMNS}"
    );
    let params: Params<'_> = &[
        (&id, Type::UUID),
        (&bounds.after_s, Type::INT8),
        (&bounds.before_s, Type::INT8),
        (&bounds.max_activities, Type::INT4),
        (&now, Type::TIMESTAMPTZ),
        (&lane, Type::TEXT),
    ];
    let row = tx.tx().query_opt(&sql, params).await?;
    row.as_ref().map(from_row).transpose()?.ok_or(DbError::Unexpected("sync_jobs.id"))
}

/// Notes that a message for the jobs is under way.
///
/// # Errors
/// See [`DbError`].
pub async fn mark_sent(tx: &impl JobAccess, ids: &[Uuid], now: Timestamp) -> Result<(), DbError> {
    let sql = "UPDATE sync_jobs SET sent_at = $2 WHERE id = ANY ($1)";
    tx.tx().query(sql, &[(&ids, Type::UUID_ARRAY), (&now, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}

/// A claimed job, with the lease by which its checkpoints are recognised.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The job.
    pub job_id: Uuid,
    /// Token of this claim.
    pub token: Uuid,
}

/// Claims a job that is due and not held by anybody; `None` for every other. A lease that ran out counts a strike,
/// and the last strike ends the job. Waits for whoever has the row at this moment: passing it over would lose the
/// message to a request that only looks at the job, or notes that the message was sent.
///
/// # Errors
/// See [`DbError`].
pub async fn claim(tx: &SystemTx, lease: &Lease, now: Timestamp, expires_at: Timestamp) -> Result<Option<SyncJob>, DbError> {
    let sql = format!(
        "WITH due AS (
            SELECT id AS due_id, strikes + (lease_token IS NOT NULL)::int AS struck FROM sync_jobs
             WHERE id = $1 AND status IN ('pending', 'in_progress') AND not_before <= $3 AND (lease_expires_at IS NULL OR lease_expires_at <= $3)
               FOR UPDATE)
         UPDATE sync_jobs SET strikes = struck, updated_at = $3, started_at = coalesce(started_at, $3),
                status        = CASE WHEN struck < $5 THEN 'in_progress' ELSE 'failed' END,
                error_message = CASE WHEN struck < $5 THEN error_message ELSE $6 END,
                completed_at  = CASE WHEN struck < $5 THEN NULL ELSE $3 END,
                lease_token      = CASE WHEN struck < $5 THEN $2 END,
                lease_expires_at = CASE WHEN struck < $5 THEN $4 END
           FROM due WHERE id = due_id
         RETURNING {COLUMNS}"
    );
    let params: Params<'_> = &[
        (&lease.job_id, Type::UUID),
        (&lease.token, Type::UUID),
        (&now, Type::TIMESTAMPTZ),
        (&expires_at, Type::TIMESTAMPTZ),
        (&STRIKES_MAX, Type::INT4),
        (&STRUCK_OUT, Type::TEXT),
    ];
    let job = tx.tx().query_opt(&sql, params).await?.as_ref().map(from_row).transpose()?;
    Ok(job.filter(|job| job.status == "in_progress"))
}

/// What a saved page adds to its job.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Where the next page begins.
    pub walk: Walk,
    /// Activities seen for the first time in this walk.
    pub processed: i32,
    /// Objects kept aside.
    pub failed: i32,
    /// Percent; never lowers what is stored.
    pub progress: i32,
    /// Whether a private activity is among them.
    pub saw_private: bool,
}

/// Records a page, in the transaction that saves it. `false` means the lease is somebody else's by now: nothing of
/// the page may be kept.
///
/// # Errors
/// See [`DbError`].
pub async fn checkpoint(tx: &WorkerTx, lease: &Lease, page: &Checkpoint, now: Timestamp, expires_at: Timestamp) -> Result<bool, DbError> {
    let sql = "
        UPDATE sync_jobs SET walk_before_s = $3, walk_oldest_s = $4, walk_ids = $5, walk_step = $6, pages_done = pages_done + 1,
               activities_processed = activities_processed + $7, activities_failed = activities_failed + $8,
               progress = greatest(progress, least($9, 99)), updated_at = $10, lease_expires_at = $11, failing_since = NULL,
               saw_private = saw_private OR $12
         WHERE id = $1 AND lease_token = $2 AND status = 'in_progress' RETURNING 1";
    let step = page.walk.step.as_str();
    let params: Params<'_> = &[
        (&lease.job_id, Type::UUID),
        (&lease.token, Type::UUID),
        (&page.walk.before_s, Type::INT8),
        (&page.walk.oldest_s, Type::INT8),
        (&page.walk.seen, Type::INT8_ARRAY),
        (&step, Type::TEXT),
        (&page.processed, Type::INT4),
        (&page.failed, Type::INT4),
        (&page.progress, Type::INT4),
        (&now, Type::TIMESTAMPTZ),
        (&expires_at, Type::TIMESTAMPTZ),
        (&page.saw_private, Type::BOOL),
    ];
    Ok(tx.tx().query_opt(sql, params).await?.is_some())
}

/// Prolongs the lease, in the transaction of a step that is no page. `false` where it is somebody else's by now.
///
/// # Errors
/// See [`DbError`].
pub async fn extend(tx: &WorkerTx, lease: &Lease, now: Timestamp, expires_at: Timestamp) -> Result<bool, DbError> {
    let sql = "
        UPDATE sync_jobs SET updated_at = $3, lease_expires_at = $4, failing_since = NULL
         WHERE id = $1 AND lease_token = $2 AND status = 'in_progress' RETURNING 1";
    let params: Params<'_> =
        &[(&lease.job_id, Type::UUID), (&lease.token, Type::UUID), (&now, Type::TIMESTAMPTZ), (&expires_at, Type::TIMESTAMPTZ)];
    Ok(tx.tx().query_opt(sql, params).await?.is_some())
}

/// Why and until when a job is laid aside.
#[derive(Debug, Clone, Copy)]
pub struct Rest {
    /// It is taken up again then.
    pub not_before: Timestamp,
    /// Whether something is wrong, rather than time or the rate limit used up.
    pub is_failing: bool,
}

/// Gives the lease back, so that the job is taken up again later.
///
/// # Errors
/// See [`DbError`].
pub async fn give_back(tx: WorkerTx, lease: &Lease, rest: Rest, now: Timestamp) -> Result<(), DbError> {
    let sql = "
        UPDATE sync_jobs SET not_before = $3, updated_at = $4, sent_at = NULL, lease_token = NULL, lease_expires_at = NULL,
               failing_since = CASE WHEN $5 THEN coalesce(failing_since, $4) ELSE failing_since END
         WHERE id = $1 AND lease_token = $2 AND status = 'in_progress'";
    let params: Params<'_> = &[
        (&lease.job_id, Type::UUID),
        (&lease.token, Type::UUID),
        (&rest.not_before, Type::TIMESTAMPTZ),
        (&now, Type::TIMESTAMPTZ),
        (&rest.is_failing, Type::BOOL),
    ];
    tx.finish_with(sql, params).await?;
    Ok(())
}

/// How a job ends.
#[derive(Debug, Clone, Copy)]
pub enum Ending<'a> {
    /// Everything asked for is stored; the sentence, if any, is for the athlete.
    Completed(Option<&'a str>),
    /// It will not be; the sentence is for the athlete.
    Failed(&'a str),
}

/// Ends the job. `false` where the lease is somebody else's by now.
///
/// # Errors
/// See [`DbError`].
pub async fn end(tx: &WorkerTx, lease: &Lease, ending: Ending<'_>, now: Timestamp) -> Result<bool, DbError> {
    let (status, message) = match ending {
        Ending::Completed(note) => ("completed", note),
        Ending::Failed(sentence) => ("failed", Some(sentence)),
    };
    let sql = "
        UPDATE sync_jobs SET status = $3, error_message = $4, progress = CASE WHEN $3 = 'completed' THEN 100 ELSE progress END,
               completed_at = $5, updated_at = $5, lease_token = NULL, lease_expires_at = NULL
         WHERE id = $1 AND lease_token = $2 AND status = 'in_progress' RETURNING 1";
    let params: Params<'_> = &[
        (&lease.job_id, Type::UUID),
        (&lease.token, Type::UUID),
        (&status, Type::TEXT),
        (&message, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    Ok(tx.tx().query_opt(sql, params).await?.is_some())
}

/// Jobs to send messages for.
#[derive(Debug)]
pub struct Due {
    /// Their ids.
    pub job_ids: Vec<Uuid>,
    /// Whether whole histories are among them.
    pub has_backfills: bool,
}

/// Jobs that should be worked on and are not: due, not leased, and without a message for two minutes. Backfills are
/// woken for as many calls as they have left, each needing one at least; the others would find nothing. They count as
/// sent from here on.
///
/// # Errors
/// See [`DbError`].
pub async fn take_due(tx: &SystemTx, backfills_max: Option<i64>, now: Timestamp) -> Result<Due, DbError> {
    let sql = "
        UPDATE sync_jobs SET sent_at = $1
         WHERE id IN (SELECT id FROM (
                          SELECT id, lane, row_number() OVER (PARTITION BY lane = 'backfill' ORDER BY not_before, id) AS place FROM sync_jobs
                           WHERE status IN ('pending', 'in_progress') AND not_before <= $1 AND (lease_expires_at IS NULL OR lease_expires_at <= $1)
                             AND (sent_at IS NULL OR sent_at <= $1 - make_interval(secs => $2))) due
                       WHERE lane <> 'backfill' OR place <= coalesce($4, $3) ORDER BY lane = 'backfill', place LIMIT $3)
           AND (sent_at IS NULL OR sent_at <= $1 - make_interval(secs => $2))
        RETURNING id, lane = 'backfill'";
    let params: Params<'_> =
        &[(&now, Type::TIMESTAMPTZ), (&UNSENT_AFTER_S, Type::FLOAT8), (&DUE_JOBS_MAX, Type::INT8), (&backfills_max, Type::INT8)];
    let mut due = Due { job_ids: Vec::new(), has_backfills: false };
    for row in tx.tx().query(sql, params).await? {
        due.job_ids.push(row.try_get(0)?);
        due.has_backfills |= row.try_get::<_, bool>(1)?;
    }
    Ok(due)
}

/// Takes back leases that ran out, each a strike, and fails the jobs that have had their last. Returns how many were
/// taken back.
///
/// # Errors
/// See [`DbError`].
pub async fn reset_stuck(tx: &SystemTx, now: Timestamp) -> Result<usize, DbError> {
    let sql = "
        WITH stuck AS (
            SELECT id AS stuck_id, strikes + 1 AS struck FROM sync_jobs
             WHERE status = 'in_progress' AND lease_expires_at <= $1 FOR UPDATE SKIP LOCKED)
        UPDATE sync_jobs SET strikes = struck, updated_at = $1, lease_token = NULL, lease_expires_at = NULL, sent_at = NULL,
               status        = CASE WHEN struck < $2 THEN status ELSE 'failed' END,
               error_message = CASE WHEN struck < $2 THEN error_message ELSE $3 END,
               completed_at  = CASE WHEN struck < $2 THEN NULL ELSE $1 END
          FROM stuck WHERE id = stuck_id RETURNING 1";
    Ok(tx.tx().query(sql, &[(&now, Type::TIMESTAMPTZ), (&STRIKES_MAX, Type::INT4), (&STRUCK_OUT, Type::TEXT)]).await?.len())
}

/// Fails the athlete's unfinished jobs; whoever works on one finds the lease gone.
///
/// # Errors
/// See [`DbError`].
pub async fn fail_unfinished(tx: &WorkerTx, sentence: &str, now: Timestamp) -> Result<(), DbError> {
    let sql = "
        UPDATE sync_jobs SET status = 'failed', error_message = $2, completed_at = $3, updated_at = $3, lease_token = NULL, lease_expires_at = NULL
         WHERE athlete_id = $1 AND status IN ('pending', 'in_progress')";
    tx.tx().query(sql, &[(&tx.athlete_id(), Type::INT8), (&sentence, Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}

/// Deletes a batch of jobs that ended before then; returns how many.
///
/// # Errors
/// See [`DbError`].
pub async fn delete_finished(tx: &SystemTx, before: Timestamp, rows_max: i64) -> Result<usize, DbError> {
    let sql = "
        DELETE FROM sync_jobs WHERE id IN (SELECT id FROM sync_jobs WHERE status IN ('completed', 'failed') AND completed_at < $1 LIMIT $2)
        RETURNING 1";
    Ok(tx.tx().query(sql, &[(&before, Type::TIMESTAMPTZ), (&rows_max, Type::INT8)]).await?.len())
}
