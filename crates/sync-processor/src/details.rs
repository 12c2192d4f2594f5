//! Details, activity by activity and newest first, with what backfills may use of the rate limit. Row by row they are
//! `detail_runs`, one per athlete, begun when a sync ends; `process-pending` wakes them when no sync waits, so that
//! a history always comes before the details of another.

use jiff::Timestamp;
use runaway_core::db::activities::{self, Unreadable};
use runaway_core::db::details::{self, Missing};
use runaway_core::db::sync_jobs::Lease;
use runaway_core::db::{DbError, WorkerTx, detail_runs, rate_budget};
use runaway_core::domain::Lane;
use runaway_core::strava::{FetchedActivity, StravaError, read_activity};
use runaway_core::telemetry;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::App;
use crate::access::{Access, CallError};
use crate::budget::Refusal;
use crate::failure::{self, Consequence, Work, WorkError, consequence, jitter};
use crate::grant;
use crate::job::{Deadline, LEASE, Stop};

/// Activities whose details one message brings; then it is another athlete's turn.
const ACTIVITIES_MAX: i64 = 100;

/// Works on an athlete's details as long as there is time and budget. A run that is asleep or somebody else's is left
/// alone.
pub(crate) async fn work(app: &App, run_id: Uuid, deadline: Deadline) -> Result<(), WorkError> {
    let now = app.clock.now();
    let lease = Lease { job_id: run_id, token: Uuid::new_v4() };
    let Some(athlete_id) = detail_runs::claim(app.db.system().await?, &lease, now, now + LEASE).await? else {
        telemetry::note("outcome", "left_alone");
        tracing::info!(job.id = %run_id, "Job {run_id} is finished, asleep, or worked on by another");
        return Ok(());
    };
    match fetch(app, athlete_id, &lease, deadline).await {
        Ok(stop) => conclude(app, athlete_id, &lease, stop).await,
        Err(error) => {
            detail_runs::give_back(app.db.worker(athlete_id).await?, &lease, app.clock.now()).await?;
            Err(error)
        }
    }
}

async fn fetch(app: &App, athlete_id: i64, lease: &Lease, deadline: Deadline) -> Result<Stop, WorkError> {
    let tx = app.db.worker(athlete_id).await?;
    let missing = details::missing(&tx, ACTIVITIES_MAX, app.clock.now()).await?;
    tx.commit().await?;
    let mut access = Access::new(app, athlete_id, Lane::Backfill);
    for activity in &missing {
        if !deadline.allows_another_page() {
            return Ok(Stop::OutOfTime);
        }
        match fetch_one(app, lease, &mut access, activity).await {
            Ok(true) => {}
            Ok(false) => return Ok(Stop::LeaseLost),
            Err(error) => return Stop::of(error),
        }
    }
    let count = missing.len();
    tracing::info!(job.id = %lease.job_id, athlete.id = athlete_id, activities = count, "Fetched the details of {count} activities");
    Ok(if i64::try_from(count).is_ok_and(|count| count < ACTIVITIES_MAX) { Stop::Finished { note: None } } else { Stop::OutOfTime })
}

/// What came of asking for a part of the details.
enum Found<T> {
    Part(T),
    Nothing,
    /// What came instead; it is kept.
    Unreadable(Unreadable),
}

/// Both parts of one activity, each stored by itself; `false` where the lease is lost.
async fn fetch_one(app: &App, lease: &Lease, access: &mut Access<'_>, activity: &Missing) -> Result<bool, CallError> {
    let id = activity.activity_id;
    if activity.detail {
        let found = found(access.call(async |token| app.strava.activity(token, id).await).await)?;
        let tx = match step(app, lease, access.athlete_id(), id, Some(activity.updated_at)).await? {
            Step::Taken(tx) => tx,
            Step::Overtaken => return Ok(true),
            Step::LeaseLost => return Ok(false),
        };
        let is_there = store_detail(app, &tx, id, found).await?;
        tx.commit().await?;
        if !is_there {
            return Ok(true);
        }
    }
    if activity.streams {
        let found = match activity.is_manual {
            true => Found::Nothing,
            false => found(access.call(async |token| app.strava.streams(token, id).await).await)?,
        };
        let tx = match step(app, lease, access.athlete_id(), id, None).await? {
            Step::Taken(tx) => tx,
            Step::Overtaken => return Ok(true),
            Step::LeaseLost => return Ok(false),
        };
        let now = app.clock.now();
        match found {
            Found::Part(streams) => details::save_streams(&tx, id, &streams, now).await?,
            Found::Nothing => details::mark_streams_absent(&tx, id, now).await?,
            Found::Unreadable(object) => put_off(app, &tx, id, Some(object)).await?,
        }
        tx.commit().await?;
    }
    Ok(true)
}

fn found<T>(outcome: Result<T, CallError>) -> Result<Found<T>, CallError> {
    match outcome {
        Ok(part) => Ok(Found::Part(part)),
        Err(CallError::Refused(Refusal::Strava(StravaError::NotFound))) => Ok(Found::Nothing),
        Err(CallError::Refused(Refusal::Strava(StravaError::Unreadable { what, body }))) => {
            Ok(Found::Unreadable(Unreadable::answer(body.as_str(), &format!("the answer is not {what}"))))
        }
        Err(error) => Err(error),
    }
}

/// How a step of the run may go on.
enum Step {
    /// In this transaction, which holds the run and the activity.
    Taken(Box<WorkerTx>),
    /// The activity was deleted or changed while Strava was asked for it: what came is of yesterday.
    Overtaken,
    LeaseLost,
}

/// A transaction for one activity, with the lease prolonged in it.
async fn step(app: &App, lease: &Lease, athlete_id: i64, activity_id: i64, unchanged_since: Option<Timestamp>) -> Result<Step, DbError> {
    let tx = app.db.worker(athlete_id).await?;
    if !detail_runs::extend(&tx, lease, app.clock.now() + LEASE).await? {
        return Ok(Step::LeaseLost);
    }
    Ok(if activities::hold(&tx, activity_id, unchanged_since).await? { Step::Taken(Box::new(tx)) } else { Step::Overtaken })
}

/// Whether the detailed activity was there and could be read.
async fn store_detail(app: &App, tx: &WorkerTx, id: i64, found: Found<Box<RawValue>>) -> Result<bool, DbError> {
    let unreadable = match found {
        Found::Nothing => None,
        Found::Unreadable(object) => Some(object),
        Found::Part(object) => match read_activity(&object, tx.athlete_id()) {
            FetchedActivity::Own(_, detail) => {
                details::save_detail(tx, id, &detail, app.clock.now()).await?;
                return Ok(true);
            }
            FetchedActivity::Foreign => None,
            FetchedActivity::Unreadable(object) => Some(object),
        },
    };
    put_off(app, tx, id, unreadable).await?;
    Ok(false)
}

async fn put_off(app: &App, tx: &WorkerTx, id: i64, unreadable: Option<Unreadable>) -> Result<(), DbError> {
    let now = app.clock.now();
    if let Some(object) = unreadable {
        activities::keep_aside(tx, &[object], now).await?;
    }
    details::put_off(tx, id, now).await
}

async fn conclude(app: &App, athlete_id: i64, lease: &Lease, stop: Stop) -> Result<(), WorkError> {
    let (now, run_id) = (app.clock.now(), lease.job_id);
    telemetry::note("outcome", stop.word());
    let tx = app.db.worker(athlete_id).await?;
    match stop {
        Stop::LeaseLost => {
            tracing::warn!(job.id = %run_id, athlete.id = athlete_id, "Job {run_id} is worked on by another; this step was dropped");
        }
        Stop::OutOfTime => detail_runs::give_back(tx, lease, now).await?,
        Stop::NotConnected => detail_runs::end(tx, lease).await?,
        Stop::Finished { .. } => {
            // Held before looking: an event that brings new work meanwhile waits for the row, and begins it anew.
            detail_runs::extend(&tx, lease, now + LEASE).await?;
            match details::next_try_at(&tx).await? {
                Some(at) => detail_runs::give_back(tx, lease, at).await?,
                None => detail_runs::end(tx, lease).await?,
            }
        }
        Stop::Refused(refusal) => {
            drop(tx);
            refused(app, athlete_id, lease, refusal).await?;
        }
    }
    Ok(())
}

async fn refused(app: &App, athlete_id: i64, lease: &Lease, refusal: Refusal) -> Result<(), WorkError> {
    let run_id = lease.job_id;
    let Some(refusal) = grant::remaining(app, athlete_id, refusal).await? else {
        return Ok(detail_runs::end(app.db.worker(athlete_id).await?, lease).await?);
    };
    let tx = app.db.worker(athlete_id).await?;
    let next = consequence(&refusal, None, app.clock.now());
    failure::log(Work::Job(run_id), athlete_id, &refusal, next);
    match next {
        Consequence::Wait(at) | Consequence::TryAgain { at, pauses_all: false } => {
            detail_runs::give_back(tx, lease, at + jitter(run_id)).await?;
        }
        Consequence::TryAgain { at, pauses_all: true } => {
            rate_budget::pause(app.db.system().await?, at).await?;
            detail_runs::give_back(tx, lease, at + jitter(run_id)).await?;
        }
        Consequence::End(_) => detail_runs::end(tx, lease).await?,
    }
    Ok(())
}
