//! Stories of a sync: whatever happens on the way, every activity arrives once.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod failures;
mod odd;
mod story;
mod walks;
