//! The words of the product, without I/O: no async, no clock, no environment, no database.

mod activity;
mod coverage;
mod fitness;
mod intensity;
mod lane;
mod load;
mod progress;
mod race;
mod selection;
mod session;
mod spike;
mod sport;
mod training_state;
pub mod units;
mod walk;
mod window;

pub use activity::{Activity, LatLng};
pub use coverage::{SyncBounds, SyncType};
pub use fitness::{AcuteChronic, Fitness, Monotony, WARM_UP_DAYS, acute_chronic, fitness_series, monotony};
pub use intensity::{
    EASY_BELOW_RESERVE_SHARE, HARD_FROM_RESERVE_SHARE, Intensity, IntensitySplit, SPLIT_BASIS, ZONE_BORDERS, heart_rate_at, intensity,
    zones,
};
pub use lane::Lane;
pub use load::{
    Effort, HeartRate, Load, LoadSum, MAX_SEEN_ON_DAYS, Method, PLAUSIBLE_MAX_BPM, Physiology, Sex, THRESHOLD_RESERVE_SHARE, load, stress,
    training_impulse,
};
pub use progress::walk_progress;
pub use race::{
    Prediction, RIEGEL_EXPONENTS, STANDARD_DISTANCES, StandardDistance, WHOLE_ACTIVITY_TOLERANCE, predict, riegel, running_index,
    threshold_speed, time_at_index, whole_activity_distance,
};
pub use selection::{Bucket, DateRange, Order, PACED_DISTANCE_MIN_M, RunKind, Selection, Without};
pub use session::{Session, monday_of};
pub use spike::{SPIKE_LOOKBACK_DAYS, Spike, SpikeBand, spike};
pub use sport::Family;
pub use training_state::{DayOfTraining, INTENSITY_DAYS, LongestRun, TrainingState, training_state};
pub use walk::{ListedActivity, NextPage, Walk, WalkStep};
pub use window::{day_number, next_daily_window, next_quarter_hour, quarter_number, utc_day};
