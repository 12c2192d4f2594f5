//! What is written to standard output: JSON lines, one per event. Never logged: tokens, codes, states, bodies, names,
//! routes, heart rates, nor what a caller wrote into a path.
//!
//! A request, a record and a task each end with one [`Line`] (see [`Tally`]), which carries its metrics too, in
//! CloudWatch's embedded format; so does the line that tells of a page, an answer of the model's, a failure. No recorder
//! of the whole process stands between, as the crates for this have it: there is nothing to empty before an environment
//! is frozen, nothing to build at its start, and what a test wrote is in its own log.

mod line;
mod metric;
mod tally;

use std::error::Error;
use std::fmt::Write as _;
use std::panic::PanicHookInfo;

use tracing::Level;
use tracing_subscriber::EnvFilter;

pub use line::{Line, Lines, lines};
pub use metric::{
    ACTIVITIES_STORED, APPLICATION_INACTIVE, DATABASE_ROUND_TRIPS, FAILURES, JOURNAL_ENTRIES, METRICS, MODEL_TOKENS_READ,
    MODEL_TOKENS_WRITTEN, Metric, REQUEST_DURATION, REQUESTS, STRAVA_CALLS_LEFT_15_MIN, STRAVA_CALLS_LEFT_FOR_HISTORIES,
    STRAVA_CALLS_LEFT_TODAY, SYNC_LAG,
};
pub(crate) use tally::count_round_trip;
pub use tally::{Tally, carried, forget_athlete, invocation, note, note_athlete};

/// What libraries may log, whatever level is asked for: below it they write whole events, with tokens and messages.
const LIBRARY_LEVELS: &str = "info,lambda_runtime=warn,aws_config=warn,hyper_util=warn";
/// The crates whose level can be chosen.
const OWN_CRATES: [&str; 13] = [
    "chat",
    "delete_account",
    "disconnect",
    "export",
    "job_status",
    "journal",
    "migrate",
    "oauth_callback",
    "runaway_core",
    "strava_auth",
    "strava_webhook",
    "sync_beta",
    "sync_processor",
];

/// What is logged where our own crates shall log down to `level`.
pub fn levels(level: Level) -> String {
    OWN_CRATES.iter().fold(LIBRARY_LEVELS.to_owned(), |levels, name| levels + &format!(",{name}={level}"))
}

/// Sends this process's events to standard output as JSON lines. Later calls change nothing.
pub fn init() {
    let levels = EnvFilter::new(levels(crate::config::log_level()));
    if lines().with_env_filter(with_metrics(levels)).try_init().is_err() {
        tracing::debug!("the log is already set up");
    }
    std::panic::set_hook(Box::new(report_panic));
}

/// Logs where a panic happened, and not what it says: an index into a text, for one, quotes the whole text.
pub fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "A panic: a fault of ours, to be found at its place");
}

/// Metrics are written whatever is left out beside them.
fn with_metrics(levels: EnvFilter) -> EnvFilter {
    match line::DIRECTIVE.parse() {
        Ok(directive) => levels.add_directive(directive),
        Err(_) => levels,
    }
}

/// An error with all its causes on one line, for the one place that logs it.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn metrics_are_written_whatever_the_level_of_the_log() {
        for (levels, expected) in [("info", "event line"), ("error", "line"), ("off", "line"), (LIBRARY_LEVELS, "event line")] {
            let written = Written::default();
            let writer = written.clone();
            let log = lines().with_env_filter(with_metrics(EnvFilter::new(levels))).with_writer(move || writer.clone()).finish();
            tracing::subscriber::with_default(log, || {
                tracing::info!("event");
                Line::info("line").metric(REQUESTS, 1).write();
            });
            let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
            let messages = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["message"].clone());
            let messages: Vec<String> = messages.map(|message| message.as_str().unwrap().to_owned()).collect();
            assert_eq!(messages.join(" "), expected, "{levels}");
        }
    }
}
