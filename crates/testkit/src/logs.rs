//! A test's own log: what production code wrote while the test ran.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use crate::emf;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Buffer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Captures what this thread's runtime logs, down to the level at which libraries speak of what they send.
#[derive(Debug)]
pub struct LogCapture {
    buffer: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

impl LogCapture {
    /// Starts capturing on this thread.
    pub fn start() -> Self {
        Self::start_at(tracing::Level::DEBUG)
    }

    /// Starts capturing on this thread, without what lies below a level: a long simulation would drown in it.
    pub fn start_at(level: tracing::Level) -> Self {
        let buffer = Buffer::default();
        let subscriber = runaway_core::telemetry::lines().with_max_level(level).with_writer(buffer.clone()).finish();
        Self { buffer: buffer.0, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// Starts capturing on this thread what these levels let through, as a function's own log does.
    pub fn start_with(levels: &str) -> Self {
        let buffer = Buffer::default();
        let filter = tracing_subscriber::EnvFilter::new(levels);
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_writer(buffer.clone()).finish();
        Self { buffer: buffer.0, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.buffer.lock().unwrap()).lines().map(str::to_owned).collect()
    }

    /// The lines that hold a text, read.
    pub fn holding(&self, text: &str) -> Vec<Value> {
        let lines = self.lines().into_iter().filter(|line| line.contains(text));
        lines.map(|line| serde_json::from_str(&line).expect("a line of JSON")).collect()
    }

    /// The lines about whole requests, records and tasks.
    pub fn tallies(&self) -> Vec<Value> {
        self.holding(r#""round_trips":"#)
    }

    /// The metrics so far, after a look that each is what CloudWatch takes.
    ///
    /// # Panics
    /// With the line that is not.
    pub fn metrics(&self) -> Vec<emf::Sample> {
        let read = |line: Value| emf::samples(&line).unwrap_or_else(|problem| panic!("{problem}: {line}"));
        self.holding(r#""_aws":"#).into_iter().flat_map(read).collect()
    }

    /// Ends the test on an error line that holds none of the `expected` texts, on any secret, on metrics that CloudWatch
    /// would not take, and on an answered request whose route has no name.
    ///
    /// # Panics
    /// With the line.
    pub fn assert_clean(&self, secrets: &[String], expected: &[&str]) {
        self.metrics();
        for tally in self.tallies() {
            let is_nameless = tally["route"].as_str().is_some_and(|route| route.contains("{other}"));
            let is_answered = tally["method"] != "OPTIONS" && tally["status"].as_u64().is_some_and(|status| status < 400);
            assert!(!(is_nameless && is_answered), "the words of this route are missing in http/route.rs: {tally}");
        }
        for line in self.lines() {
            let is_error = line.contains(r#""level":"ERROR""#) && !expected.iter().any(|text| line.contains(text));
            assert!(!is_error, "an unexpected error was logged: {line}");
            for secret in secrets {
                assert!(!line.contains(secret.as_str()), "a secret was logged: {line}");
            }
        }
    }
}
