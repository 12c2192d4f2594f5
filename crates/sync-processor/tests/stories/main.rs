//! Stories of a sync: whatever happens on the way, every activity arrives once.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod cleanup;
mod details;
mod events;
mod failures;
mod keys;
mod limits;
mod odd;
mod progress;
mod story;
mod sweep;
mod told;
mod vanished;
mod walks;
