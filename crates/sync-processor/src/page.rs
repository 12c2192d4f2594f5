//! One page: asked for, read object by object, and turned into what is saved.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use jiff::Timestamp;
use runaway_core::db::activities::{ListedSummary, Unreadable};
use runaway_core::db::sync_jobs::{Checkpoint, SyncJob};
use runaway_core::domain::{ListedActivity, NextPage, walk_progress};
use runaway_core::strava::{ActivitiesPage, ListBounds, PER_PAGE_MAX, ReadObject, read_summary};
use secrecy::SecretString;

use crate::App;
use crate::budget::{self, CallError};

/// Tries after the first, for network errors and 5xx.
const RETRIES_MAX: usize = 2;
/// The first pause between tries; doubled with each, with jitter.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(200);
/// How far beyond now a walk begins: an activity whose clock runs fast is not left out.
const FUTURE_S: i64 = 24 * 60 * 60;
/// Where progress is measured from when neither the request nor the profile says: Strava began in 2009.
const STRAVA_BEGAN_S: i64 = 1_230_768_000;

/// What one page brings.
#[derive(Debug)]
pub(crate) struct Page {
    /// Activities to save.
    pub(crate) summaries: Vec<ListedSummary>,
    /// Objects to keep aside.
    pub(crate) unreadable: Vec<Unreadable>,
    /// How far the walk is after it.
    pub(crate) checkpoint: Checkpoint,
    /// Whether nothing is left to ask for.
    pub(crate) is_last: bool,
}

/// Fetches the next page of a job's walk.
pub(crate) async fn fetch(app: &App, job: &SyncJob, token: &SecretString, now: Timestamp) -> Result<Page, CallError> {
    // With `after` alone Strava lists the oldest first: a walk always has an upper bound.
    let newest = job.bounds.before_s.unwrap_or(now.as_second() + FUTURE_S);
    let bounds =
        ListBounds { after_s: job.bounds.after_s, before_s: Some(job.walk.before_s.unwrap_or(newest).min(newest)), per_page: PER_PAGE_MAX };
    let listed = patiently(|| budget::call(app, job.lane, app.strava.list_activities(token, bounds))).await?;
    Ok(read(job, &listed, now))
}

/// Tries a call again after network errors, 5xx and answers that cannot be read.
pub(crate) async fn patiently<T, F: Future<Output = Result<T, CallError>>>(call: impl FnMut() -> F) -> Result<T, CallError> {
    let policy = ExponentialBuilder::default().with_min_delay(RETRY_PAUSE_MIN).with_max_times(RETRIES_MAX).with_jitter();
    call.retry(policy).when(CallError::is_transient).await
}

fn read(job: &SyncJob, page: &ActivitiesPage, now: Timestamp) -> Page {
    let mut remaining = job.bounds.max_activities.map(|max| usize::try_from(max - job.processed - job.failed).unwrap_or_default());
    let (mut summaries, mut unreadable): (Vec<ListedSummary>, Vec<Unreadable>) = (Vec::new(), Vec::new());
    let mut walked: Vec<ListedActivity> = Vec::new();
    let (mut processed, mut failed) = (0, 0);
    for object in &page.objects {
        let (listed, read) = read_summary(object, job.athlete_id);
        // Twice on one page: the first, and so the only, stands.
        let is_double = walked.iter().any(|earlier| earlier.id.is_some() && earlier.id == listed.id);
        let is_new = !is_double && (listed.id.is_none() || job.walk.is_new(listed));
        if is_new && remaining == Some(0) {
            break;
        }
        walked.push(listed);
        if is_double {
            continue;
        }
        if is_new {
            remaining = remaining.map(|n| n - 1);
        }
        match read {
            ReadObject::Activity(summary) => {
                summaries.push(*summary);
                processed += i32::from(is_new);
            }
            ReadObject::Unreadable(object) => {
                failed += i32::from(is_new);
                unreadable.push(object);
            }
        }
    }
    let (walk, next) = job.walk.after_page(&walked);
    let progress = progress(job, walk.oldest_s, now);
    let is_last = next == NextPage::End || remaining == Some(0);
    Page { summaries, unreadable, checkpoint: Checkpoint { walk, processed, failed, progress }, is_last }
}

fn progress(job: &SyncJob, oldest_s: Option<i64>, now: Timestamp) -> i32 {
    let newest = job.bounds.before_s.unwrap_or(now.as_second()).min(now.as_second());
    let earliest = job.bounds.after_s.or(job.member_since_s).unwrap_or(STRAVA_BEGAN_S);
    oldest_s.map_or(0, |oldest| walk_progress(newest, oldest, earliest))
}
