//! An export from the call down to the rows, opened by a reader of archives that knows nothing of how it was written.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod broken;
mod contract;
mod story;
mod whole;
