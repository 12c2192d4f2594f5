//! Stories of a sync: whatever happens on the way, every activity arrives once.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod details;
mod failures;
mod limits;
mod progress;
mod story;
mod sweep;
mod vanished;
mod walks;
