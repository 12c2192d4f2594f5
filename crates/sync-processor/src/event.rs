//! Working off an event of Strava's. What it says is a hint: Strava is asked before anything is written or erased, and
//! one answer serves all unhandled events of the same object.

use jiff::{SignedDuration, Timestamp};
use runaway_core::db::strava_events::{self, Announced, Aspect, ClaimedEvents, Delay, EventLease, Outcome, Received, Subject};
use runaway_core::db::sweep::SWEEP_REACH_S;
use runaway_core::db::{DbError, SystemTx, WorkerTx, activities, athletes, detail_runs, details, rate_budget, sync_jobs};
use runaway_core::domain::{Lane, SyncBounds, SyncType};
use runaway_core::flows;
use runaway_core::queue::SEND_DELAY_S_MAX;
use runaway_core::strava::{FetchedActivity, StravaError, read_activity};
use runaway_core::telemetry::{self, ACTIVITIES_STORED, Line};
use uuid::Uuid;

use crate::App;
use crate::access::{Access, CallError};
use crate::budget::Refusal;
use crate::failure::{self, Consequence, Work, WorkError, consequence, jitter};
use crate::grant::{self, Standing};
use crate::job::LEASE;

/// Calls that the events of one athlete's activities may cost within [`CALLS_WINDOW`]; what is beyond is left to one
/// listing of the last days.
const CALLS_MAX: i64 = 30;
const CALLS_WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// Pauses after Strava did not know an activity, which it may have told of before it serves it. After the last one the
/// event is given up.
const NOT_FOUND_PAUSES: [SignedDuration; 4] =
    [SignedDuration::from_secs(30), SignedDuration::from_mins(2), SignedDuration::from_mins(5), SignedDuration::from_mins(10)];
/// How long an event waits for the end of a sync that is under way.
const SYNC_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// What a claim leads to.
enum Claim {
    /// Handled, asleep, worked on by another, or settled with the claim.
    Nothing,
    /// Other work takes its place: this event is to be woken.
    Wake(Uuid),
    /// To be worked on.
    Work(ClaimedEvents),
}

/// Works an event off.
pub(crate) async fn work(app: &App, event_id: Uuid) -> Result<(), WorkError> {
    let lease = EventLease { event_id, token: Uuid::new_v4() };
    let claimed = match claim(app, &lease).await? {
        Claim::Nothing => return Ok(()),
        Claim::Wake(other) => return Ok(app.queue.send_event(other, 0).await?),
        Claim::Work(claimed) => claimed,
    };
    let done = match claimed.subject {
        Subject::Activity(id) => follow_activity(app, &claimed, &lease, id).await,
        Subject::Athlete => follow_permission(app, &claimed, &lease, None).await,
        Subject::History => begin_sync(app, &claimed, &lease).await,
    };
    if done.is_err() {
        // The next delivery need not wait for the lease to run out.
        put_off(app, &claimed, &lease, app.clock.now(), Delay::Failed).await?;
    }
    done
}

/// Claims the event, and decides in the same transaction whether it may cost a call.
async fn claim(app: &App, lease: &EventLease) -> Result<Claim, DbError> {
    let (now, event_id) = (app.clock.now(), lease.event_id);
    let tx = app.db.system().await?;
    // The athlete's row first, as the webhook does it, and held to the end: the number of calls is right even where many
    // work for one athlete.
    let athlete = match strava_events::owner(&tx, event_id).await? {
        Some(athlete_id) => athletes::lock(&tx, athlete_id).await?,
        None => None,
    };
    let Some(claimed) = strava_events::claim(&tx, lease, now, now + LEASE).await? else {
        tx.commit().await?;
        telemetry::note("outcome", "left_alone");
        tracing::info!(event.id = %event_id, "Event {event_id} is handled, asleep, or worked on by another");
        return Ok(Claim::Nothing);
    };
    let outcome = if !athlete.is_some_and(|athlete| athlete.connected) {
        Some(Outcome::NotConnected)
    } else if claimed.strikes >= strava_events::STRIKES_MAX {
        tracing::error!(event.id = %event_id, athlete.id = claimed.athlete_id, "Event {event_id} was interrupted too often and is given up");
        Some(Outcome::Interrupted)
    } else if !matches!(claimed.subject, Subject::Activity(_)) {
        None
    } else if strava_events::calls_since(&tx, claimed.athlete_id, now - CALLS_WINDOW).await? >= CALLS_MAX {
        Some(Outcome::LeftToHistory)
    } else {
        strava_events::count_call(&tx, event_id, now).await?;
        None
    };
    let Some(outcome) = outcome else {
        tx.commit().await?;
        return Ok(Claim::Work(claimed));
    };
    strava_events::settle(&tx, lease, outcome, now).await?;
    let woken = match (claimed.subject, outcome) {
        (Subject::Activity(_), Outcome::LeftToHistory | Outcome::Interrupted) => leave_to_history(&tx, &claimed, now).await?,
        _ => None,
    };
    tx.commit().await?;
    log_outcome(&claimed, lease, outcome);
    Ok(woken.map_or(Claim::Nothing, Claim::Wake))
}

/// Notes that the athlete's last days are to be listed; the event of it, where it is new and due.
async fn leave_to_history(tx: &SystemTx, claimed: &ClaimedEvents, now: Timestamp) -> Result<Option<Uuid>, DbError> {
    let history =
        Announced { athlete_id: claimed.athlete_id, subject: Subject::History, aspect: Aspect::Update, event_time: claimed.received_at };
    Ok(match strava_events::receive(tx, Uuid::now_v7(), &history, now).await? {
        Received::New(id, not_before) if not_before <= now => Some(id),
        _ => None,
    })
}

/// Asks for the activity and stores what comes; where Strava does not know it and it was said to be gone, it goes.
async fn follow_activity(app: &App, claimed: &ClaimedEvents, lease: &EventLease, id: i64) -> Result<(), WorkError> {
    let mut access = Access::new(app, claimed.athlete_id, Lane::Webhook);
    let object = match access.call(async |token| app.strava.activity(token, id).await).await {
        Ok(object) => object,
        Err(CallError::NotConnected) => return Ok(settle(app, claimed, lease, Outcome::NotConnected).await?),
        Err(CallError::Refused(Refusal::Strava(StravaError::NotFound))) => return Ok(miss(app, claimed, lease, id).await?),
        Err(CallError::Refused(refusal)) if refusal.is_of_token() => return follow_permission(app, claimed, lease, Some(refusal)).await,
        Err(CallError::Refused(refusal)) => return Ok(refused(app, claimed, lease, &refusal).await?),
        Err(CallError::Db(error)) => return Err(error.into()),
        Err(CallError::Token(error)) => return Err(WorkError::Token(error)),
    };
    let now = app.clock.now();
    let fetched = read_activity(&object, claimed.athlete_id);
    let tx = app.db.worker(claimed.athlete_id).await?;
    let outcome = match &fetched {
        FetchedActivity::Own(..) => Outcome::Saved,
        FetchedActivity::Foreign => Outcome::Foreign,
        FetchedActivity::Unreadable(_) => Outcome::Unreadable,
    };
    if !settle_first(&tx, lease, outcome, now).await? {
        return Ok(());
    }
    match fetched {
        FetchedActivity::Own(activity, detail) => {
            // Its streams are still missing.
            detail_runs::ensure(&tx, now).await?;
            details::save_activity(&tx, &activity, &detail, now).await?;
        }
        FetchedActivity::Foreign => {}
        FetchedActivity::Unreadable(object) => activities::keep_aside(&tx, &[object], now).await?,
    }
    tx.commit().await?;
    log_outcome(claimed, lease, outcome);
    Ok(())
}

/// Strava does not know the activity.
async fn miss(app: &App, claimed: &ClaimedEvents, lease: &EventLease, id: i64) -> Result<(), DbError> {
    let now = app.clock.now();
    if claimed.says_deleted {
        let tx = app.db.worker(claimed.athlete_id).await?;
        if settle_first(&tx, lease, Outcome::Deleted, now).await? {
            activities::delete(&tx, id).await?;
            tx.commit().await?;
            log_outcome(claimed, lease, Outcome::Deleted);
        }
        return Ok(());
    }
    let pause = usize::try_from(claimed.not_found).ok().and_then(|n| NOT_FOUND_PAUSES.get(n));
    match pause {
        Some(pause) => put_off(app, claimed, lease, now + *pause, Delay::NotFound).await,
        None => settle(app, claimed, lease, Outcome::Unknown).await,
    }
}

/// Asks Strava whether the permission stands, because an event or a refused call says that it does not. Only where
/// Strava refuses the refresh token too does the connection end; where none is held any more, it has ended already,
/// by the athlete's wish.
async fn follow_permission(app: &App, claimed: &ClaimedEvents, lease: &EventLease, refusal: Option<Refusal>) -> Result<(), WorkError> {
    match (grant::ask(app, claimed.athlete_id).await?, refusal) {
        // The event was settled with the connection.
        (Standing::Ended, _) => log_outcome(claimed, lease, Outcome::Disconnected),
        (Standing::NotHeld, _) => settle(app, claimed, lease, Outcome::NotConnected).await?,
        (Standing::Stands, None) => settle(app, claimed, lease, Outcome::StillConnected).await?,
        (Standing::Unanswered(refusal), _) | (Standing::Stands, Some(refusal)) => refused(app, claimed, lease, &refusal).await?,
    }
    Ok(())
}

/// Begins an incremental sync over the last days. One that is under way may have passed what is to be found: then this
/// waits for its end.
async fn begin_sync(app: &App, claimed: &ClaimedEvents, lease: &EventLease) -> Result<(), WorkError> {
    let now = app.clock.now();
    let after_s = Some(now.as_second() - SWEEP_REACH_S);
    let bounds = SyncBounds { sync_type: SyncType::Incremental, after_s, before_s: None, max_activities: None };
    let tx = app.db.system().await?;
    let started = flows::start_sync(&tx, claimed.athlete_id, &bounds, Uuid::now_v7(), now).await?;
    if started.job.started_at.is_some() {
        tx.commit().await?;
        return Ok(put_off(app, claimed, lease, now + SYNC_PAUSE, Delay::Failed).await?);
    }
    if started.needs_message {
        sync_jobs::mark_sent(&tx, &[started.job.id], now).await?;
    }
    if !strava_events::settle(&tx, lease, Outcome::SyncBegun, now).await? {
        return Ok(());
    }
    tx.commit().await?;
    log_outcome(claimed, lease, Outcome::SyncBegun);
    if started.needs_message {
        app.queue.send(started.job.id, 0).await?;
    }
    Ok(())
}

/// Without budget, or refused by Strava: later, or never.
async fn refused(app: &App, claimed: &ClaimedEvents, lease: &EventLease, refusal: &Refusal) -> Result<(), DbError> {
    let next = consequence(refusal, Some(claimed.received_at), app.clock.now());
    failure::log(Work::Event(lease.event_id), claimed.athlete_id, refusal, next);
    failure::keep_answer(app, claimed.athlete_id, refusal).await?;
    let why = if matches!(refusal, Refusal::NoBudget { .. }) { Delay::NotAsked } else { Delay::Failed };
    match next {
        Consequence::Wait(at) => put_off(app, claimed, lease, at + jitter(lease.event_id), why).await,
        Consequence::TryAgain { at, pauses_all } => {
            if pauses_all {
                rate_budget::pause(app.db.system().await?, at).await?;
            }
            put_off(app, claimed, lease, at + jitter(lease.event_id), why).await
        }
        Consequence::End(_) => {
            let is_of_scope = matches!(refusal, Refusal::Strava(StravaError::ScopeMissing(_)));
            settle(app, claimed, lease, if is_of_scope { Outcome::ScopeMissing } else { Outcome::Unreachable }).await
        }
    }
}

async fn settle(app: &App, claimed: &ClaimedEvents, lease: &EventLease, outcome: Outcome) -> Result<(), DbError> {
    let tx = app.db.worker(claimed.athlete_id).await?;
    if settle_first(&tx, lease, outcome, app.clock.now()).await? {
        tx.commit().await?;
        log_outcome(claimed, lease, outcome);
    }
    Ok(())
}

/// Marks the events in the transaction of their effect, before it: whoever ends the connection locks in the same order,
/// the data last, and two that wait for each other would both lose. `false`, and nothing may be committed, where the lease is
/// somebody else's by now.
async fn settle_first(tx: &WorkerTx, lease: &EventLease, outcome: Outcome, now: Timestamp) -> Result<bool, DbError> {
    let is_ours = strava_events::settle(tx, lease, outcome, now).await?;
    if !is_ours {
        tracing::warn!(event.id = %lease.event_id, "Event {} is no longer ours; this answer was dropped", lease.event_id);
    }
    Ok(is_ours)
}

fn log_outcome(claimed: &ClaimedEvents, lease: &EventLease, outcome: Outcome) {
    let (event_id, word) = (lease.event_id, outcome.as_str());
    telemetry::note("outcome", word);
    let line = Line::info(format!("Event {event_id} ended: {word}"));
    let line = if outcome == Outcome::Saved { line.metric(ACTIVITIES_STORED, 1) } else { line };
    line.field("event.id", event_id.to_string()).field("athlete.id", claimed.athlete_id).field("outcome", word).write();
}

/// Gives the events back until then. A delayed message wakes them where SQS can wait that long.
async fn put_off(app: &App, claimed: &ClaimedEvents, lease: &EventLease, until: Timestamp, why: Delay) -> Result<(), DbError> {
    telemetry::note("outcome", "put_off");
    let now = app.clock.now();
    let tx = app.db.worker(claimed.athlete_id).await?;
    strava_events::put_off(&tx, lease, until, why).await?;
    tx.commit().await?;
    let delay_s = until.duration_since(now).as_secs();
    if (1..=SEND_DELAY_S_MAX).contains(&delay_s)
        && let Err(error) = app.queue.send_event(lease.event_id, delay_s).await
    {
        let cause = telemetry::chain(&error);
        tracing::warn!(event.id = %lease.event_id, cause, "The message for event {} was not sent; process-pending will send it", lease.event_id);
    }
    Ok(())
}
