//! JSON logs, one line per event. Never logged: tokens, codes, states, bodies, names, routes, heart rates.

use std::error::Error;
use std::fmt::Write as _;

use tracing_subscriber::EnvFilter;

/// What is logged where `AWS_LAMBDA_LOG_LEVEL` says nothing.
const DEFAULT_LEVELS: &str = "info,lambda_runtime=warn,aws_config=warn,hyper_util=warn";

/// Sends this process's events to standard output as JSON lines. Later calls change nothing.
pub fn init() {
    let filter = EnvFilter::try_from_env("AWS_LAMBDA_LOG_LEVEL").unwrap_or_else(|_| EnvFilter::new(DEFAULT_LEVELS));
    let subscriber =
        tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_env_filter(filter).with_target(true);
    if subscriber.try_init().is_err() {
        tracing::debug!("the log is already set up");
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
