//! Stories of asking Claude, over HTTP through the real client.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod answers;
mod failures;
mod refused;
mod story;
