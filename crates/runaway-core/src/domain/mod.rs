//! The words of the product, without I/O: no async, no clock, no environment, no database.

mod activity;
mod coverage;
mod lane;
mod progress;
mod walk;
mod window;

pub use activity::{Activity, LatLng};
pub use coverage::{SyncBounds, SyncType};
pub use lane::Lane;
pub use progress::walk_progress;
pub use walk::{ListedActivity, NextPage, Walk, WalkStep};
pub use window::{day_number, next_daily_window, next_quarter_hour, quarter_number};
