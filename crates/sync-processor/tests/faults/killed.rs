//! Processors killed with SIGKILL, each held at a step from outside: by an answer that is withheld, or by a lock.

use std::path::Path;
use std::time::Duration;

use runaway_core::queue::SyncMessage;
use testkit::fake_strava::{Fault, Gate, On};
use testkit::queue::batch;
use testkit::runtime::Invocation;
use uuid::Uuid;

use crate::story::{Story, WHOLE_HISTORY};
use crate::table::Row;

/// Three pages and a bit.
const RUNS: i64 = 430;
/// Longer than a lease lasts, seconds.
const LEASE_IS_OVER_S: i64 = 5 * 60;
/// How often something is looked for, and how many times at most.
const POLL: Duration = Duration::from_millis(10);
const TRIES_MAX: u32 = 1000;

async fn process(story: &Story, job_id: Uuid) -> Invocation {
    let binary = Path::new(env!("CARGO_BIN_EXE_sync-processor"));
    Invocation::start(binary, &story.world.environment(), batch(&[SyncMessage::Job { job_id }.to_body()])).await
}

/// After the kill: the lease runs out, the schedules find the job, another processor ends it.
async fn recover(story: &Story, job_id: Uuid) {
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
pub(crate) async fn over_an_answer(name: &'static str, n: usize, fault: fn(Gate) -> Fault) -> Row {
    let story = Story::with_runs(RUNS).await;
    let gate = Gate::default();
    story.world.strava.fail(On::List(n), fault(gate.clone()));
    let job_id = story.start(WHOLE_HISTORY).await;
    let mut processor = process(&story, job_id).await;
    gate.arrival().await;
    let happened = usize::from(processor.kill());
    recover(&story, job_id).await;
    let row = Row::of(name, happened, &story).await;
    story.ends(&[]).await;
    row
}

/// Killed inside a transaction that waits for a lock the test holds.
pub(crate) async fn over_a_lock(name: &'static str, lock: &str, held_answers: usize) -> Row {
    let story = Story::with_runs(RUNS).await;
    let gate = Gate::default();
    story.world.strava.fail(On::List(held_answers), Fault::Held(gate.clone()));
    let job_id = story.start(WHOLE_HISTORY).await;
    let mut processor = process(&story, job_id).await;
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
