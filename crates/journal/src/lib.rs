//! The journal: every week written up from the activities alone. `story.rs` tells how a week is written; `api.rs` is
//! what the app calls, `worker.rs` what the queue and the schedule call. The rest is pure.

pub mod api;
pub mod chart;
pub mod entry;
pub mod facts;
pub mod figures;
pub mod insights;
mod model;
pub mod narrative;
pub mod prompt;
pub mod statistics;
pub mod story;
pub mod trends;
pub mod wording;
pub mod worker;
