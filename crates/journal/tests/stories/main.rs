//! The journal from the calls and the queue down to the rows, with invented athletes and an invented Claude.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod contract;
mod due;
mod limits;
mod reissued;
mod statistics;
mod story;
mod worded;
