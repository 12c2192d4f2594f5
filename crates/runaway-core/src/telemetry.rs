//! JSON logs, one line per event. Never logged: tokens, codes, states, bodies, names, routes, heart rates.

use std::error::Error;
use std::fmt::Write as _;
use std::panic::PanicHookInfo;

use tracing::Level;
use tracing_subscriber::EnvFilter;

/// What libraries may log, whatever level is asked for: below it they write whole events, with tokens and messages.
const LIBRARY_LEVELS: &str = "info,lambda_runtime=warn,aws_config=warn,hyper_util=warn";
/// The crates whose level can be chosen.
const OWN_CRATES: [&str; 12] = [
    "chat",
    "delete_account",
    "disconnect",
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
    let filter = EnvFilter::new(levels(crate::config::log_level()));
    let subscriber =
        tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_env_filter(filter).with_target(true);
    if subscriber.try_init().is_err() {
        tracing::debug!("the log is already set up");
    }
    std::panic::set_hook(Box::new(report_panic));
}

/// Logs where a panic happened, and not what it says: an index into a text, for one, quotes the whole text.
pub fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "A panic: a fault of ours, to be found at its place");
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
