//! The coach: what it answers, what it is sent, what it stores, and what it costs.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is missing")]
#![expect(clippy::print_stdout, reason = "shares and figures are worth seeing")]

mod atomic;
mod contract;
mod hostile;
mod input;
mod limits;
mod matching;
mod model;
mod questions;
mod scale;
mod shapes;
mod story;
mod streaming;
mod tools;
