//! Strava's own faults, and activities that change while they are walked through.

use jiff::SignedDuration;
use runaway_core::queue::SyncMessage;
use testkit::activity::ActivityBuilder;
use testkit::fake_strava::{Fault, Gate, On};
use testkit::queue::batch;

use crate::story::*;
use crate::table::Row;

const RUNS: i64 = 430;
const FIRST_ID: i64 = 1000;

/// The fault hits the given listings; then the job is woken `rounds` times, each after `pause_s` seconds.
pub(crate) async fn answers(name: &'static str, fault: Fault, hits: &[usize], pause_s: i64, errors: &[&str]) -> Row {
    let story = Story::with_runs(RUNS).await;
    for n in hits {
        story.world.strava.fail(On::List(*n), fault.clone());
    }
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    if story.job(job_id).await.status != "completed" {
        story.world.clock.advance(pause_s);
        story.task("process-pending").await;
        story.deliver(job_id).await;
    }
    assert_eq!(story.job(job_id).await.status, "completed", "{name}");
    assert_eq!(story.world.strava.faults_left(), 0, "{name}: each of them happened");
    let row = Row::of(name, hits.len(), &story).await;
    story.ends(errors).await;
    row
}

/// Messages that are lost, doubled and late: the row is the truth.
pub(crate) async fn messages(name: &'static str, deliveries: usize) -> Row {
    let story = Story::with_runs(RUNS).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    if deliveries == 0 {
        // The message never came; the schedule finds the row and sends another.
        assert_eq!(story.task("process-pending").await, 1);
        let record = story.world.queue.take().await.records.remove(0);
        assert_eq!(record.body.unwrap(), SyncMessage::Job { job_id }.to_body());
        story.deliver(job_id).await;
    }
    let bodies: Vec<String> = (0..deliveries).map(|_| SyncMessage::Job { job_id }.to_body()).collect();
    sync_processor::handle(&story.app, batch(&bodies), in_fifteen_minutes()).await.unwrap();
    let row = Row::of(name, deliveries.max(1), &story).await;
    story.ends(&[]).await;
    row
}

/// What happens to the history while the second page is under way.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    Uploaded,
    BackDated,
    Deleted,
}

pub(crate) async fn changes(name: &'static str, change: Change) -> Row {
    let story = Story::with_runs(RUNS).await;
    let gate = Gate::default();
    story.world.strava.fail(On::List(2), Fault::Held(gate.clone()));
    let job_id = story.start(WHOLE_HISTORY).await;
    let happen = async {
        gate.arrival().await;
        let run = |hours| ActivityBuilder::run(ATHLETE, 999_999, story.now() - SignedDuration::from_hours(hours)).build();
        match change {
            Change::Uploaded => story.world.strava.add_activity(ATHLETE, run(1)),
            Change::BackDated => story.world.strava.add_activity(ATHLETE, run(24 * 300 + 1)),
            Change::Deleted => story.world.strava.delete_activity(ATHLETE, FIRST_ID + RUNS - 1),
        }
        gate.open();
    };
    tokio::join!(story.deliver(job_id), happen);
    // What came behind the walk's back is the daily comparison's to find.
    story.task("sweep").await;
    story.world.clock.advance(DAY_S);
    story.task("process-pending").await;
    let record = story.world.queue.take().await.records.remove(0);
    story.deliver(SyncMessage::parse(&record.body.unwrap()).unwrap().id()).await;
    let row = Row::of(name, 1, &story).await;
    story.ends(&[]).await;
    row
}
