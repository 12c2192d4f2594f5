//! One page: asked for, read object by object, and turned into what is saved.

use jiff::Timestamp;
use runaway_core::db::activities::{ListedSummary, Unreadable};
use runaway_core::db::sync_jobs::{Checkpoint, SyncJob};
use runaway_core::db::vanished::Stretch;
use runaway_core::domain::{ListedActivity, NextPage, walk_progress};
use runaway_core::strava::{ActivitiesPage, ListBounds, PER_PAGE_MAX, ReadObject, read_summary};

use crate::App;
use crate::access::{Access, CallError};
use crate::vanished;

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
    /// When Strava was asked for it.
    pub(crate) asked_at: Timestamp,
    /// Ids of everything on it, readable or not.
    pub(crate) listed: Vec<i64>,
    /// What it lists completely; nothing where that cannot be said.
    pub(crate) stretch: Option<Stretch>,
}

/// Fetches the next page of a job's walk.
pub(crate) async fn fetch(app: &App, job: &SyncJob, access: &mut Access<'_>, now: Timestamp) -> Result<Page, CallError> {
    // With `after` alone Strava lists the oldest first: a walk always has an upper bound.
    let newest = job.bounds.before_s.unwrap_or(now.as_second() + FUTURE_S);
    let before_s = job.walk.before_s.unwrap_or(newest).min(newest);
    let bounds = ListBounds { after_s: job.bounds.after_s, before_s: Some(before_s), per_page: PER_PAGE_MAX };
    let listed = access.call(async |token| app.strava.list_activities(token, bounds).await).await?;
    Ok(read(job, &listed, before_s, now))
}

fn read(job: &SyncJob, page: &ActivitiesPage, before_s: i64, now: Timestamp) -> Page {
    let mut remaining = job.bounds.max_activities.map(|max| usize::try_from(max - job.processed - job.failed).unwrap_or_default());
    let (mut summaries, mut unreadable): (Vec<ListedSummary>, Vec<Unreadable>) = (Vec::new(), Vec::new());
    let mut walked: Vec<ListedActivity> = Vec::new();
    let (mut processed, mut failed) = (0, 0);
    for object in &page.objects {
        let (listed, read) = read_summary(object, job.athlete_id);
        // Twice on one page: the first, and so the only, stands.
        let is_double = walked.iter().any(|earlier| earlier.key == listed.key);
        let is_new = !is_double && job.walk.is_new(listed);
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
    let saw_private = summaries.iter().any(|summary| summary.activity.private == Some(true));
    let stretch = if vanished::is_compared(job) { stretch(job, &walked, before_s, is_last) } else { None };
    let listed = walked.iter().filter_map(|listed| listed.id).collect();
    Page {
        summaries,
        unreadable,
        checkpoint: Checkpoint { walk, processed, failed, progress, saw_private },
        is_last,
        asked_at: now,
        listed,
        stretch,
    }
}

/// What a page lists completely: from the bound it was asked with down to its oldest start, whose second may go on on
/// the next page. An empty page lists nothing until it is the believed end; then it lists all that is left.
fn stretch(job: &SyncJob, walked: &[ListedActivity], before_s: i64, is_last: bool) -> Option<Stretch> {
    if walked.iter().any(|listed| listed.id.is_none() || listed.start_s.is_none()) {
        return None;
    }
    match walked.iter().filter_map(|listed| listed.start_s).min() {
        Some(oldest_s) => Some(Stretch { after_s: Some(oldest_s), before_s }),
        None => is_last.then_some(Stretch { after_s: job.bounds.after_s, before_s }),
    }
}

fn progress(job: &SyncJob, oldest_s: Option<i64>, now: Timestamp) -> i32 {
    let newest = job.bounds.before_s.unwrap_or(now.as_second()).min(now.as_second());
    let earliest = job.bounds.after_s.or(job.member_since_s).unwrap_or(STRAVA_BEGAN_S);
    oldest_s.map_or(0, |oldest| walk_progress(newest, oldest, earliest))
}
