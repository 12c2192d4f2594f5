//! After the walk: activities that it should have met and did not are asked for one by one, and removed where Strava
//! says that they are gone.

use runaway_core::db::sync_jobs::{self, Lease, SyncJob};
use runaway_core::db::vanished::{self, Candidate, VANISHED_MAX};
use runaway_core::db::{activities, details, strava_tokens};
use runaway_core::strava::{FetchedActivity, REQUIRED_SCOPE, StravaError, read_activity};

use crate::App;
use crate::access::{Access, CallError};
use crate::budget::Refusal;
use crate::failure::WorkError;
use crate::job::{Deadline, LEASE, Stop};

/// What the athlete reads where too much is missing to be believed.
const TOO_MANY: &str =
    "Strava no longer lists more than 20 of your activities. Nothing was removed; start a full sync later to look again.";

/// Whether a job's walk says anything about what is gone: it lists everything up to now.
pub(crate) fn is_compared(job: &SyncJob) -> bool {
    job.bounds.before_s.is_none() && job.bounds.max_activities.is_none()
}

/// Settles every candidate, or says why it had to stop; the rest stays noted for the next invocation.
pub(crate) async fn settle(
    app: &App,
    job: &SyncJob,
    lease: &Lease,
    access: &mut Access<'_>,
    deadline: Deadline,
) -> Result<Stop, WorkError> {
    if !is_compared(job) {
        return Ok(Stop::Finished { note: None });
    }
    let tx = app.db.worker(job.athlete_id).await?;
    let (candidates, scopes) = tokio::join!(biased; vanished::candidates(&tx, job.id), strava_tokens::scopes(&tx));
    let (candidates, scopes) = (candidates?, scopes?);
    tx.commit().await?;
    if candidates.len() > usize::try_from(VANISHED_MAX).unwrap_or_default() {
        tracing::warn!(job.id = %job.id, athlete.id = job.athlete_id, "Too many activities are missing; none is removed");
        return Ok(Stop::Finished { note: Some(TOO_MANY) });
    }
    for candidate in candidates {
        if !may_be_judged(job, candidate, &scopes) {
            continue;
        }
        if !deadline.allows_another_page() {
            return Ok(Stop::OutOfTime);
        }
        let id = candidate.activity_id;
        let still_there = match access.call(async |token| app.strava.activity(token, id).await).await {
            Ok(object) => Some(object),
            Err(CallError::Refused(Refusal::Strava(StravaError::NotFound))) => None,
            Err(error) => return Stop::of(error),
        };
        let now = app.clock.now();
        let tx = app.db.worker(job.athlete_id).await?;
        if !sync_jobs::extend(&tx, lease, now, now + LEASE).await? {
            return Ok(Stop::LeaseLost);
        }
        match still_there.map(|object| read_activity(&object, job.athlete_id)) {
            None => {
                activities::delete(&tx, id).await?;
                tracing::info!(job.id = %job.id, athlete.id = job.athlete_id, activity.id = id, "Removed an activity that is gone at Strava");
            }
            // It has been given another time, or a page left it out.
            Some(FetchedActivity::Own(activity, detail)) => {
                details::save_activity(&tx, &activity, &detail, now).await?;
                vanished::strike_off(&tx, job.id, &[id], false).await?;
            }
            Some(FetchedActivity::Foreign | FetchedActivity::Unreadable(_)) => vanished::strike_off(&tx, job.id, &[id], false).await?,
        }
        tx.commit().await?;
    }
    Ok(Stop::Finished { note: None })
}

/// Strava answers "not found" for what a narrower permission hides, too. Without proof that private activities are
/// still shown, a private one is not judged.
fn may_be_judged(job: &SyncJob, candidate: Candidate, scopes: &[String]) -> bool {
    scopes.iter().any(|scope| scope == REQUIRED_SCOPE) && (!candidate.is_private || job.saw_private)
}
