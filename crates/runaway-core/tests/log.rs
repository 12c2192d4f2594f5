//! What reaches the log, and what never does, whatever level is chosen.

use std::panic::{catch_unwind, set_hook, take_hook};

use runaway_core::telemetry::{levels, report_panic};
use testkit::fuzz::MARK;
use testkit::logs::LogCapture;
use tracing::Level;

#[test]
fn a_panic_is_logged_by_its_place_and_not_by_its_words() {
    let logs = LogCapture::start();
    let before = take_hook();
    set_hook(Box::new(report_panic));
    let outcome = catch_unwind(|| drop(MARK[..MARK.find('Ω').unwrap_or_default() + 1].to_owned()));
    set_hook(before);
    assert!(outcome.is_err(), "an index into the middle of a character");
    let lines = logs.lines();
    assert!(lines.len() == 1 && lines[0].contains("log.rs:") && lines[0].contains("ERROR") && !lines[0].contains("4242"), "{lines:?}");
}

#[test]
fn the_level_that_is_chosen_is_that_of_our_own_crates() {
    let logs = LogCapture::start_with(&levels(Level::TRACE));
    tracing::trace!(target: "chat::ask", "ours");
    tracing::debug!(target: "lambda_runtime", "the runtime's");
    tracing::info!(target: "lambda_runtime", "the runtime's");
    tracing::debug!(target: "hyper", "a library's");
    tracing::info!(target: "hyper", "a library's");
    let lines = logs.lines();
    assert!(lines.len() == 2 && lines[0].contains("ours") && lines[1].contains("hyper"), "{lines:?}");
    drop(logs);
    let quiet = LogCapture::start_with(&levels(Level::WARN));
    tracing::info!(target: "chat::ask", "ours");
    assert!(quiet.lines().is_empty());
}
