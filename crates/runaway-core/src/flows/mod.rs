//! What two functions do alike, and nothing else.

mod start_sync;
mod strava_access;

pub use start_sync::{Started, start_sync};
pub use strava_access::{AccessError, fresh_token, seal_tokens};
