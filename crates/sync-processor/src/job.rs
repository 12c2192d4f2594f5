//! The life of one job in one invocation: claim, fetch and save pages, and end, sleep or hand over.

use std::time::{Duration, Instant, SystemTime};

use jiff::{SignedDuration, Timestamp};
use runaway_core::db::sync_jobs::{self, Ending, Lease, Rest, SyncJob};
use runaway_core::db::{DbError, activities, athletes, detail_runs, rate_budget, vanished};
use runaway_core::domain::{Lane, next_quarter_hour};
use runaway_core::queue::SEND_DELAY_S_MAX;
use runaway_core::telemetry::{self, ACTIVITIES_STORED, Line};
use uuid::Uuid;

use crate::App;
use crate::access::{Access, CallError};
use crate::budget::Refusal;
use crate::details;
use crate::failure::{self, Consequence, Work, WorkError, consequence, jitter};
use crate::grant;
use crate::page::{self, Page};
use crate::vanished::settle;

/// How long a claim lasts without a checkpoint: longer than one page with all its tries.
pub(crate) const LEASE: SignedDuration = SignedDuration::from_mins(3);
/// Another page is begun only while so much time is left; a slow one with its three tries may need it.
const HANDOVER_MARGIN: Duration = Duration::from_secs(75);

/// What the athlete reads where no token is held.
const NOT_CONNECTED: &str = "Strava is not connected. Please connect it and start the sync again.";

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

/// Why the work on a job stopped.
pub(crate) enum Stop {
    /// All is done.
    Finished {
        /// What the athlete shall know about it.
        note: Option<&'static str>,
    },
    LeaseLost,
    OutOfTime,
    Refused(Refusal),
    NotConnected,
}

impl Stop {
    /// What became of the work, for the log.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Finished { .. } => "finished",
            Self::LeaseLost => "lease_lost",
            Self::OutOfTime => "handed_over",
            Self::Refused(_) => "refused",
            Self::NotConnected => "not_connected",
        }
    }

    /// What a call that failed means for the work; `Err` for faults of ours.
    pub(crate) fn of(error: CallError) -> Result<Self, WorkError> {
        match error {
            CallError::Refused(refusal) => Ok(Self::Refused(refusal)),
            CallError::NotConnected => Ok(Self::NotConnected),
            CallError::Db(error) => Err(error.into()),
            CallError::Token(error) => Err(WorkError::Token(error)),
        }
    }
}

/// Works on a job as long as there is time. A job that is finished, asleep or somebody else's is left alone.
pub(crate) async fn work(app: &App, job_id: Uuid, deadline: Deadline) -> Result<(), WorkError> {
    let now = app.clock.now();
    let lease = Lease { job_id, token: Uuid::new_v4() };
    let tx = app.db.system().await?;
    let (claimed, paused_until) = tokio::join!(biased; sync_jobs::claim(&tx, &lease, now, now + LEASE), rate_budget::paused_until(&tx));
    let (claimed, opens_at) = (claimed?, paused_until?);
    tx.commit().await?;
    // Details have rows of their own; what is neither is finished, asleep, or worked on by another.
    let Some(mut job) = claimed else { return Box::pin(details::work(app, job_id, deadline)).await };
    tracing::info!(job.id = %job_id, athlete.id = job.athlete_id, pages = job.pages_done, "Claimed job {job_id}");
    if opens_at > now {
        return conclude(app, &job, &lease, Stop::Refused(Refusal::NoBudget { opens_at })).await;
    }
    let mut access = Access::new(app, job.athlete_id, job.lane);
    let stop = match walk(app, &mut job, &lease, &mut access, deadline).await {
        Ok(stop) => stop,
        Err(error) => {
            // The next delivery need not wait for the lease to run out.
            hand_back(app, &job, &lease, Rest { not_before: app.clock.now(), is_failing: false }).await?;
            return Err(error);
        }
    };
    conclude(app, &job, &lease, stop).await
}

async fn walk(app: &App, job: &mut SyncJob, lease: &Lease, access: &mut Access<'_>, deadline: Deadline) -> Result<Stop, WorkError> {
    // The first page is fetched however little time is left: a job that only ever handed itself over would go round
    // for ever. Should the time run out over it, the lease does too, and that is counted.
    let mut is_first = true;
    while is_first || deadline.allows_another_page() {
        let page = match page::fetch(app, job, access, app.clock.now()).await {
            Ok(page) => page,
            Err(error) => return Stop::of(error),
        };
        if !save(app, job, lease, &page).await? {
            return Ok(Stop::LeaseLost);
        }
        is_first = false;
        let ends = page.is_last;
        job.walk = page.checkpoint.walk;
        job.processed += page.checkpoint.processed;
        job.failed += page.checkpoint.failed;
        job.saw_private |= page.checkpoint.saw_private;
        job.pages_done += 1;
        if ends {
            return settle(app, job, lease, access, deadline).await;
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
    activities::save_page(&tx, &page.summaries, &page.unreadable, page.asked_at, now).await?;
    vanished::strike_off(&tx, job.id, &page.listed, job.walk.before_s.is_none()).await?;
    if let Some(stretch) = &page.stretch {
        vanished::note(&tx, job.id, stretch, &page.listed).await?;
    }
    tx.commit().await?;
    let (saved, failed) = (page.summaries.len(), page.unreadable.len());
    Line::info("Saved a page")
        .field("job.id", job.id.to_string())
        .field("athlete.id", job.athlete_id)
        .field("page", job.pages_done + 1)
        .field("saved", saved)
        .field("failed", failed)
        .metric(ACTIVITIES_STORED, u64::try_from(page.checkpoint.processed).unwrap_or(0))
        .write();
    Ok(true)
}

async fn conclude(app: &App, job: &SyncJob, lease: &Lease, stop: Stop) -> Result<(), WorkError> {
    let (now, job_id) = (app.clock.now(), job.id);
    telemetry::note("outcome", stop.word());
    match stop {
        Stop::Finished { note } => finish(app, job, lease, note, now).await,
        Stop::LeaseLost => {
            tracing::warn!(job.id = %job_id, athlete.id = job.athlete_id, "Job {job_id} is worked on by another; this page was dropped");
            Ok(())
        }
        Stop::OutOfTime => {
            hand_back(app, job, lease, Rest { not_before: now, is_failing: false }).await?;
            Ok(app.queue.send(job_id, 0).await?)
        }
        Stop::NotConnected => fail(app, job, lease, NOT_CONNECTED, now).await,
        Stop::Refused(refusal) => refused(app, job, lease, refusal).await,
    }
}

/// Sleeps or ends, as the refusal says.
async fn refused(app: &App, job: &SyncJob, lease: &Lease, refusal: Refusal) -> Result<(), WorkError> {
    let Some(refusal) = grant::remaining(app, job.athlete_id, refusal).await? else {
        // With the connection its jobs have ended, this one among them.
        return fail(app, job, lease, NOT_CONNECTED, app.clock.now()).await;
    };
    let now = app.clock.now();
    let next = consequence(&refusal, job.failing_since, now);
    failure::log(Work::Job(job.id), job.athlete_id, &refusal, next);
    failure::keep_answer(app, job.athlete_id, &refusal).await?;
    match next {
        Consequence::Wait(until) => sleep(app, job, lease, Rest { not_before: until, is_failing: false }, now).await,
        Consequence::TryAgain { at, pauses_all } => {
            if pauses_all {
                rate_budget::pause(app.db.system().await?, at).await?;
            }
            sleep(app, job, lease, Rest { not_before: at, is_failing: true }, now).await
        }
        Consequence::End(sentence) => fail(app, job, lease, sentence, now).await,
    }
}

async fn finish(app: &App, job: &SyncJob, lease: &Lease, note: Option<&str>, now: Timestamp) -> Result<(), WorkError> {
    let tx = app.db.worker(job.athlete_id).await?;
    let zones = activities::newest_zones(&tx).await?;
    if let Some(name) = zones.iter().find_map(|zone| known_zone(zone)) {
        athletes::set_timezone(&tx, &name).await?;
    }
    if sync_jobs::end(&tx, lease, Ending::Completed(note), now).await? {
        detail_runs::ensure(&tx, now).await?;
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

async fn fail(app: &App, job: &SyncJob, lease: &Lease, sentence: &str, now: Timestamp) -> Result<(), WorkError> {
    let tx = app.db.worker(job.athlete_id).await?;
    if sync_jobs::end(&tx, lease, Ending::Failed(sentence), now).await? {
        tx.commit().await?;
    }
    Ok(())
}

async fn hand_back(app: &App, job: &SyncJob, lease: &Lease, rest: Rest) -> Result<(), DbError> {
    sync_jobs::give_back(app.db.worker(job.athlete_id).await?, lease, rest, app.clock.now()).await
}

/// Gives the job back until then, and a little later than others that wait for the same moment. A delayed message wakes
/// it where SQS can wait that long, `process-pending` otherwise; and always a backfill that waits for a window to end,
/// for they may be many, and that task wakes as many as there are calls.
async fn sleep(app: &App, job: &SyncJob, lease: &Lease, rest: Rest, now: Timestamp) -> Result<(), WorkError> {
    let not_before = rest.not_before + jitter(job.id);
    hand_back(app, job, lease, Rest { not_before, ..rest }).await?;
    let delay_s = not_before.duration_since(now).as_secs();
    let is_one_of_many = job.lane == Lane::Backfill && rest.not_before == next_quarter_hour(now);
    if delay_s <= SEND_DELAY_S_MAX && !is_one_of_many {
        app.queue.send(job.id, delay_s).await?;
    }
    Ok(())
}
