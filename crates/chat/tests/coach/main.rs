//! The coach: what it answers, what it is sent, what it stores, and what it costs.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]
#![expect(clippy::print_stdout, reason = "the shares of the table of questions are to be seen")]

mod matching;
mod questions;
mod story;
