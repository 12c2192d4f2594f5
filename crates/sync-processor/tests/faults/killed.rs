//! Processors killed with SIGKILL, each held at a step from outside: by an answer that is withheld, or by a lock.

use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use runaway_core::queue::SyncMessage;
use testkit::activity::ActivityBuilder;
use testkit::fake_strava::{Fault, Gate, On};
use testkit::queue::batch;
use testkit::runtime::Invocation;
use uuid::Uuid;

use crate::story::{ATHLETE, Story, WHOLE_HISTORY};
use crate::table::Row;
use crate::told::Told;
use crate::{LEASE_IS_OVER_S, RUNS};

/// How often something is looked for, and how many times at most.
const POLL: Duration = Duration::from_millis(10);
const TRIES_MAX: u32 = 1000;

pub(crate) async fn rows() -> Vec<Row> {
    vec![
        over_an_answer("killed while the first page is asked for", 1, Fault::Held).await,
        over_an_answer("killed over half of the first page", 1, Fault::HeldBody).await,
        over_a_lock("killed while the first page's mark is written", "SELECT 1 FROM sync_jobs FOR UPDATE", 1).await,
        over_a_lock("killed while the first page's activities are written", "LOCK TABLE activities IN EXCLUSIVE MODE", 1).await,
        over_an_answer("killed after the first page is saved", 2, Fault::Held).await,
        over_an_answer("killed over half of the second page", 2, Fault::HeldBody).await,
        over_a_lock("killed while the budget of a call is counted", "SELECT 1 FROM strava_rate_budget FOR UPDATE", 2).await,
        over_an_answer("killed before the end is believed", 6, Fault::Held).await,
        over_an_event("killed while an announced activity is asked for", Fault::Held).await,
        over_an_event("killed over half of an announced activity", Fault::HeldBody).await,
    ]
}

async fn process(story: &Story, message: SyncMessage) -> Invocation {
    let binary = Path::new(env!("CARGO_BIN_EXE_sync-processor"));
    Invocation::start(binary, &story.world.environment(), batch(&[message.to_body()])).await
}

/// After the kill: the lease runs out, the schedules find the job, another processor ends it.
pub(crate) async fn recover(story: &Story, job_id: Uuid) {
    story.world.clock.advance(LEASE_IS_OVER_S);
    // The server needs a moment to notice that the process is gone and to undo its transaction.
    let mut tries = 0;
    while story.task("reset-stuck").await == 0 {
        tries += 1;
        assert!(tries < TRIES_MAX, "the job is not taken back");
        tokio::time::sleep(POLL).await;
    }
    assert_eq!(story.task("process-pending").await, 1);
    story.deliver(job_id).await;
    assert_eq!(story.job(job_id).await.status, "completed");
}

/// Killed while an answer is withheld: nothing of it has come, or half.
async fn over_an_answer(name: &'static str, n: usize, fault: fn(Gate) -> Fault) -> Row {
    let story = Story::with_runs(RUNS).await;
    let gate = Gate::default();
    story.world.strava.fail(On::List(n), fault(gate.clone()));
    let job_id = story.start(WHOLE_HISTORY).await;
    let mut processor = process(&story, SyncMessage::Job { job_id }).await;
    gate.arrival().await;
    let happened = usize::from(processor.kill());
    recover(&story, job_id).await;
    let row = Row::of(name, happened, &story).await;
    story.ends(&[]).await;
    row
}

/// Killed inside a transaction that waits for a lock the test holds.
async fn over_a_lock(name: &'static str, lock: &str, held_answers: usize) -> Row {
    let story = Story::with_runs(RUNS).await;
    let gate = Gate::default();
    story.world.strava.fail(On::List(held_answers), Fault::Held(gate.clone()));
    let job_id = story.start(WHOLE_HISTORY).await;
    let mut processor = process(&story, SyncMessage::Job { job_id }).await;
    gate.arrival().await;
    let owner = story.world.database.owner().await;
    owner.batch_execute(&format!("BEGIN; {lock}")).await.unwrap();
    gate.open();
    let waiting =
        "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE d.datname = current_database() AND NOT granted";
    let transaction = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted AND pid IN
        (SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE d.datname = current_database())";
    while story.world.database.count(waiting).await + story.world.database.count(transaction).await == 0 {
        tokio::time::sleep(POLL).await;
    }
    let happened = usize::from(processor.kill());
    owner.batch_execute("ROLLBACK").await.unwrap();
    recover(&story, job_id).await;
    let row = Row::of(name, happened, &story).await;
    story.ends(&[]).await;
    row
}

/// Killed while it works an event off.
async fn over_an_event(name: &'static str, fault: fn(Gate) -> Fault) -> Row {
    let told = Told::with_runs(RUNS).await;
    let gate = Gate::default();
    told.story.world.strava.fail(On::Detail(1), fault(gate.clone()));
    told.story
        .world
        .strava
        .add_activity(ATHLETE, ActivityBuilder::run(ATHLETE, 999_999, told.story.now() - SignedDuration::from_hours(1)).build());
    told.tell_of(999_999, "create").await;
    let record = told.story.world.queue.take().await.records.remove(0);
    let mut processor = process(&told.story, SyncMessage::parse(&record.body.unwrap()).unwrap()).await;
    gate.arrival().await;
    let happened = usize::from(processor.kill());
    told.later(LEASE_IS_OVER_S).await;
    let row = Row::of(name, happened, &told.story).await;
    told.story.ends(&[]).await;
    row
}
