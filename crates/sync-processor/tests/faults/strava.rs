//! Strava's own faults, and activities that change while they are walked through.

use jiff::SignedDuration;
use runaway_core::queue::SyncMessage;
use testkit::activity::ActivityBuilder;
use testkit::fake_strava::{Fault, Gate, On};

use crate::RUNS;
use crate::story::*;
use crate::table::Row;

const FIRST_ID: i64 = 1000;

pub(crate) async fn rows() -> Vec<Row> {
    let quarter_s = 15 * 60 + 30;
    let inactive = ["Strava refuses this application"];
    vec![
        answers("429 of a quarter hour", Fault::RateLimitedShort, &[2], quarter_s, &[]).await,
        answers("429 of a day", Fault::RateLimitedDaily, &[2], 24 * 3600 + 60, &[]).await,
        answers("401 in the middle", Fault::TokenExpires, &[2], 0, &[]).await,
        answers("403, the application is inactive", Fault::Inactive, &[2], quarter_s, &inactive).await,
        answers("404 of a listing", Fault::NotFound, &[2], quarter_s, &[]).await,
        answers("500, once", Fault::Status(500), &[2], 0, &[]).await,
        answers("503, three times", Fault::Status(503), &[2, 3, 4], quarter_s, &[]).await,
        answers("truncated JSON", Fault::Truncated, &[2], 0, &[]).await,
        answers("a page of HTML, three times", Fault::Html, &[2, 3, 4], quarter_s, &[]).await,
        answers("an empty page in the middle", Fault::Empty, &[2], 0, &[]).await,
    ]
}

/// The client's own timeout ends the call; nothing shortens it for the test.
pub(crate) async fn no_answer() -> Vec<Row> {
    vec![answers("no answer before the client's timeout", Fault::Held(Gate::default()), &[2], 0, &[]).await]
}

pub(crate) async fn slow_body() -> Vec<Row> {
    vec![answers("half of a body before the client's timeout", Fault::HeldBody(Gate::default()), &[2], 0, &[]).await]
}

pub(crate) async fn changed_histories() -> Vec<Row> {
    vec![
        changes("uploaded during the walk", Change::Uploaded).await,
        changes("back-dated during the walk", Change::BackDated).await,
        changes("deleted during the walk", Change::Deleted).await,
    ]
}

/// The fault hits the given listings; then the job is woken `rounds` times, each after `pause_s` seconds.
async fn answers(name: &'static str, fault: Fault, hits: &[usize], pause_s: i64, errors: &[&str]) -> Row {
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

/// What happens to the history while the second page is under way.
#[derive(Clone, Copy)]
enum Change {
    Uploaded,
    BackDated,
    Deleted,
}

async fn changes(name: &'static str, change: Change) -> Row {
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
