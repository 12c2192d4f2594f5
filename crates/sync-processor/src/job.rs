//! The life of one job in one invocation: claim, fetch and save pages, and end, sleep or hand over.

use std::time::{Duration, Instant, SystemTime};

use jiff::{SignedDuration, Timestamp};
use runaway_core::db::sync_jobs::{self, Ending, Lease, SyncJob};
use runaway_core::db::{DbError, activities, athletes, strava_tokens};
use runaway_core::flows::{AccessError, fresh_token};
use runaway_core::queue::SEND_DELAY_S_MAX;
use runaway_core::strava::StravaError;
use runaway_core::telemetry;
use secrecy::SecretString;
use uuid::Uuid;

use crate::App;
use crate::failure::{Consequence, WorkError, consequence};
use crate::page::{self, Page};

/// How long a claim lasts without a checkpoint: longer than one page with all its tries.
const LEASE: SignedDuration = SignedDuration::from_mins(3);
/// Another page is begun only while so much time is left; a slow one with its three tries may need it.
const HANDOVER_MARGIN: Duration = Duration::from_secs(75);
/// Jobs that wait for the same window start within so many seconds of it.
const JITTER_S_MAX: i64 = 20;

/// When the invocation must be over.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// From the wall-clock time that Lambda gives.
    pub fn at(time: SystemTime) -> Self {
        Self(Instant::now() + time.duration_since(SystemTime::now()).unwrap_or_default())
    }

    pub(crate) fn allows_another_page(self) -> bool {
        self.0.saturating_duration_since(Instant::now()) > HANDOVER_MARGIN
    }
}

/// Why the walk stopped.
enum Stop {
    Finished,
    LeaseLost,
    OutOfTime,
    Refused(StravaError),
    NotConnected,
}

/// Works on a job as long as there is time. A job that is finished, asleep or somebody else's is left alone.
pub(crate) async fn work(app: &App, job_id: Uuid, deadline: Deadline) -> Result<(), WorkError> {
    let now = app.clock.now();
    let lease = Lease { job_id, token: Uuid::new_v4() };
    let tx = app.db.system().await?;
    let claimed = sync_jobs::claim(&tx, &lease, now, now + LEASE).await?;
    tx.commit().await?;
    let Some(mut job) = claimed else {
        tracing::info!(job.id = %job_id, "Job {job_id} is finished, asleep, or worked on by another");
        return Ok(());
    };
    tracing::info!(job.id = %job_id, athlete.id = job.athlete_id, pages = job.pages_done, "Claimed job {job_id}");
    let stop = match walk(app, &mut job, &lease, deadline).await {
        Ok(stop) => stop,
        Err(error) => {
            // The next delivery need not wait for the lease to run out.
            hand_back(app, &job, &lease, app.clock.now()).await?;
            return Err(error);
        }
    };
    conclude(app, &job, &lease, stop).await
}

async fn walk(app: &App, job: &mut SyncJob, lease: &Lease, deadline: Deadline) -> Result<Stop, WorkError> {
    let mut token: Option<SecretString> = None;
    let mut rejected: Option<SecretString> = None;
    // The first page is fetched however little time is left: a job that only ever handed itself over would go round
    // for ever. Should the time run out over it, the lease does too, and that is counted.
    let mut is_first = true;
    while is_first || deadline.allows_another_page() {
        let now = app.clock.now();
        // Asked for with every page, for a walk may outlive its token; without need for a refresh it is one read.
        let usable = match fresh_token(&app.db, &app.vault, &app.strava, job.athlete_id, now, rejected.as_ref()).await {
            Ok(fresh) => token.insert(fresh),
            Err(AccessError::NotConnected) => return Ok(Stop::NotConnected),
            Err(AccessError::Strava(error)) => return Ok(Stop::Refused(error)),
            Err(error) => return Err(WorkError::Token(error)),
        };
        let page = match page::fetch(app, job, usable, now).await {
            Ok(page) => page,
            // Once: a token that looked valid may have been replaced or taken back. Twice, and it is refused for good.
            Err(StravaError::TokenRejected) if rejected.is_none() => {
                rejected = token.take();
                continue;
            }
            Err(error) => return Ok(Stop::Refused(error)),
        };
        if !save(app, job, lease, &page).await? {
            return Ok(Stop::LeaseLost);
        }
        is_first = false;
        let ends = page.is_last;
        job.walk = page.checkpoint.walk;
        job.processed += page.checkpoint.processed;
        job.failed += page.checkpoint.failed;
        job.pages_done += 1;
        if ends {
            return Ok(Stop::Finished);
        }
    }
    Ok(Stop::OutOfTime)
}

/// The page and the mark that it is saved, in one transaction; `false` where the lease is lost, and then nothing.
async fn save(app: &App, job: &SyncJob, lease: &Lease, page: &Page) -> Result<bool, DbError> {
    let now = app.clock.now();
    let tx = app.db.worker(job.athlete_id).await?;
    if !sync_jobs::checkpoint(&tx, lease, &page.checkpoint, now, now + LEASE).await? {
        return Ok(false);
    }
    activities::save_page(&tx, &page.summaries, &page.unreadable, now).await?;
    tx.commit().await?;
    let (saved, failed) = (page.summaries.len(), page.unreadable.len());
    tracing::info!(job.id = %job.id, athlete.id = job.athlete_id, page = job.pages_done + 1, saved, failed, "Saved a page");
    Ok(true)
}

async fn conclude(app: &App, job: &SyncJob, lease: &Lease, stop: Stop) -> Result<(), WorkError> {
    let (now, job_id) = (app.clock.now(), job.id);
    match stop {
        Stop::Finished => finish(app, job, lease, now).await,
        Stop::LeaseLost => {
            tracing::warn!(job.id = %job_id, athlete.id = job.athlete_id, "Job {job_id} is worked on by another; this page was dropped");
            Ok(())
        }
        Stop::OutOfTime => {
            hand_back(app, job, lease, now).await?;
            Ok(app.queue.send(job_id, 0).await?)
        }
        Stop::NotConnected => {
            let sentence = "Strava is not connected. Please connect it and start the sync again.";
            fail(app, job, lease, sentence, false, now).await
        }
        Stop::Refused(error) => {
            let jitter_s = i64::from(lease.token.as_bytes()[0]) % JITTER_S_MAX;
            let next = consequence(&error, job.created_at, now, jitter_s);
            log_refusal(job, &error, next);
            match next {
                Consequence::Sleep(until) => sleep(app, job, lease, until, now).await,
                Consequence::End { sentence, disconnects } => fail(app, job, lease, sentence, disconnects, now).await,
            }
        }
    }
}

fn log_refusal(job: &SyncJob, error: &StravaError, next: Consequence) {
    let (job_id, cause) = (job.id, telemetry::chain(error));
    let next = match next {
        Consequence::Sleep(until) => format!("it goes on at {until}"),
        Consequence::End { .. } => "it ends".to_owned(),
    };
    if matches!(error, StravaError::ApplicationRefused(_)) {
        tracing::error!(job.id = %job_id, athlete.id = job.athlete_id, cause, next, "Strava refuses this application; job {job_id} waits");
    } else {
        tracing::warn!(job.id = %job_id, athlete.id = job.athlete_id, cause, next, "Strava refused a call for job {job_id}");
    }
}

async fn finish(app: &App, job: &SyncJob, lease: &Lease, now: Timestamp) -> Result<(), WorkError> {
    let tx = app.db.worker(job.athlete_id).await?;
    let zones = activities::newest_zones(&tx).await?;
    if let Some(name) = zones.iter().find_map(|zone| known_zone(zone)) {
        athletes::set_timezone(&tx, &name).await?;
    }
    if sync_jobs::end(&tx, lease, Ending::Completed, now).await? {
        tx.commit().await?;
        tracing::info!(job.id = %job.id, athlete.id = job.athlete_id, activities = job.processed, failed = job.failed, "Completed job {}", job.id);
    }
    Ok(())
}

/// The IANA name in Strava's wording of a zone, where the time zone database knows it.
fn known_zone(zone: &str) -> Option<String> {
    let name = zone.rsplit_once(") ").map_or(zone, |(_, name)| name).trim();
    jiff::tz::TimeZone::get(name).ok()?.iana_name().map(str::to_owned)
}

async fn fail(app: &App, job: &SyncJob, lease: &Lease, sentence: &str, disconnects: bool, now: Timestamp) -> Result<(), WorkError> {
    let tx = app.db.worker(job.athlete_id).await?;
    if sync_jobs::end(&tx, lease, Ending::Failed(sentence), now).await? {
        if disconnects {
            strava_tokens::delete(&tx).await?;
            athletes::mark_disconnected(&tx, now).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn hand_back(app: &App, job: &SyncJob, lease: &Lease, not_before: Timestamp) -> Result<(), DbError> {
    let tx = app.db.worker(job.athlete_id).await?;
    sync_jobs::give_back(&tx, lease, not_before, app.clock.now()).await?;
    tx.commit().await
}

/// Gives the job back until then. A delayed message wakes it where SQS can wait that long, `process-pending` otherwise.
async fn sleep(app: &App, job: &SyncJob, lease: &Lease, until: Timestamp, now: Timestamp) -> Result<(), WorkError> {
    hand_back(app, job, lease, until).await?;
    let delay_s = until.duration_since(now).as_secs();
    if delay_s <= SEND_DELAY_S_MAX {
        app.queue.send(job.id, delay_s).await?;
    }
    Ok(())
}
