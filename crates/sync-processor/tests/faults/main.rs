//! Faults on purpose. Each row of `docs/faults.md` is measured here: that the fault really happened, what arrived, and
//! what it cost.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is missing")]

mod killed;
mod messages;
#[path = "../stories/story.rs"]
mod story;
mod strava;
mod surroundings;
mod table;
#[path = "../stories/told.rs"]
#[expect(dead_code, reason = "the stories use more of it")]
mod told;
mod webhook;

use std::thread::{JoinHandle, spawn};

use table::Row;

/// Three pages and a bit.
const RUNS: i64 = 430;
/// Longer than a lease lasts, seconds.
const LEASE_IS_OVER_S: i64 = 5 * 60;

#[test]
fn nothing_is_lost_and_nothing_doubled() {
    // In groups at the same time: some faults last as long as the client waits for an answer.
    let groups = [
        on_a_thread(killed::rows),
        on_a_thread(messages::rows),
        on_a_thread(strava::rows),
        on_a_thread(strava::no_answer),
        on_a_thread(strava::slow_body),
        on_a_thread(strava::changed_histories),
        on_a_thread(surroundings::rows),
        on_a_thread(webhook::rows),
    ];
    let rows: Vec<Row> = groups.into_iter().flat_map(|group| group.join().expect("a group of rows")).collect();
    table::settle(&rows);
}

/// A world captures the log of its thread, so that each group has one.
fn on_a_thread<F: Future<Output = Vec<Row>>>(group: impl FnOnce() -> F + Send + 'static) -> JoinHandle<Vec<Row>> {
    spawn(move || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(group()))
}
