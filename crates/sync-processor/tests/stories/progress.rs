//! Progress as the athlete sees it: true, and never less than before.

use runaway_core::domain::SyncBounds;
use testkit::activity::ActivityBuilder;
use testkit::fake_strava::{Fault, Gate, On};

use crate::story::*;

#[tokio::test]
async fn progress_never_goes_back_whatever_is_added_or_asked_for_meanwhile() {
    let story = Story::with_runs(430).await;
    let gates: Vec<Gate> = (2..=6).map(|_| Gate::default()).collect();
    for (n, gate) in gates.iter().enumerate() {
        story.world.strava.fail(On::List(n + 2), Fault::Held(gate.clone()));
    }
    // Only the newer half: the progress is measured against a bound that moves away below.
    let half = SyncBounds { after_s: Some(story.now().as_second() - 215 * DAY_S), ..WHOLE_HISTORY };
    let job_id = story.start(half).await;
    let watch = async {
        let mut seen = Vec::new();
        for (n, gate) in gates.iter().enumerate() {
            gate.arrival().await;
            seen.push(story.job(job_id).await.progress);
            if n == 0 {
                let late = ActivityBuilder::run(ATHLETE, 999_999, story.now() - jiff::SignedDuration::from_secs(60)).build();
                story.world.strava.add_activity(ATHLETE, late);
                assert_eq!(story.start(WHOLE_HISTORY).await, job_id, "the request widens the job that is under way");
                seen.push(story.job(job_id).await.progress);
                gate.open();
                // The first processor has lost its lease to the wider job; another takes that up.
                return seen;
            }
        }
        seen
    };
    let (_, mut seen) = tokio::join!(story.deliver(job_id), watch);
    assert_eq!(story.job(job_id).await.status, "in_progress");
    let rest = async {
        let mut seen = Vec::new();
        for gate in &gates[1..] {
            gate.arrival().await;
            seen.push(story.job(job_id).await.progress);
            gate.open();
        }
        seen
    };
    let (_, more) = tokio::join!(story.deliver(job_id), rest);
    seen.extend(more);
    let done = story.job(job_id).await;
    seen.push(done.progress);
    assert!(seen.is_sorted(), "{seen:?}");
    assert!(seen[0] > 80, "200 of 215 days: {seen:?}");
    assert_eq!((seen.last(), done.status.as_str(), done.processed, story.stored().await), (Some(&100), "completed", 431, 431));
    assert!(seen[..seen.len() - 1].iter().all(|percent| *percent < 100), "100 is for completed jobs: {seen:?}");
    story.ends(&[]).await;
}
