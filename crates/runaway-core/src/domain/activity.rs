//! One activity, as the database keeps it.

use jiff::Timestamp;
use jiff::civil::DateTime;

/// Latitude and longitude in degrees.
pub type LatLng = (f64, f64);

/// A recorded or hand-entered activity in SI units; what was not recorded is `None`, never zero.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Activity {
    /// Strava's id.
    pub id: i64,
    /// As the athlete named it; may be empty.
    pub name: String,
    /// Strava's `sport_type`, else its older `type`; unknown words are kept.
    pub sport: String,
    /// Metres.
    pub distance_m: Option<f64>,
    /// Seconds in motion.
    pub moving_s: Option<i32>,
    /// Seconds from start to end; may be less than `moving_s`.
    pub elapsed_s: Option<i32>,
    /// Start as an instant.
    pub start: Timestamp,
    /// Start on the athlete's wall clock; its date part is the activity's day.
    pub start_local: DateTime,
    /// Zone as Strava words it, `(GMT-05:00) America/New_York`.
    pub timezone: Option<String>,
    /// Offset of the wall clock in seconds; `None` where the start is hidden.
    pub utc_offset_s: Option<i32>,
    /// Metres climbed.
    pub elevation_gain_m: Option<f64>,
    /// Highest point in metres above the sea.
    pub elev_high_m: Option<f64>,
    /// Lowest point in metres above the sea.
    pub elev_low_m: Option<f64>,
    /// Metres a second.
    pub average_speed: Option<f64>,
    /// Metres a second.
    pub max_speed: Option<f64>,
    /// Runs: steps of one leg a minute; rides: revolutions a minute.
    pub average_cadence: Option<f64>,
    /// Beats a minute.
    pub average_heart_rate: Option<f64>,
    /// Beats a minute.
    pub max_heart_rate: Option<f64>,
    /// Watts.
    pub average_watts: Option<f64>,
    /// Watts.
    pub max_watts: Option<f64>,
    /// Work in kilojoules.
    pub kilojoules: Option<f64>,
    /// Whether the watts were measured rather than estimated.
    pub device_watts: Option<bool>,
    /// Strava's Relative Effort.
    pub suffer_score: Option<f64>,
    /// Strava's code: for runs 1 race, 2 long run, 3 workout.
    pub workout_type: Option<i32>,
    /// Indoors.
    pub trainer: Option<bool>,
    /// On the way to somewhere.
    pub commute: Option<bool>,
    /// Entered by hand.
    pub manual: Option<bool>,
    /// Visible to the athlete only.
    pub private: Option<bool>,
    /// Flagged by Strava's users as implausible.
    pub flagged: Option<bool>,
    /// Where it began.
    pub start_latlng: Option<LatLng>,
    /// Where it ended.
    pub end_latlng: Option<LatLng>,
    /// Strava's upload; `None` where it does not fit 64 bits.
    pub upload_id: Option<i64>,
    /// The recording device's id of the file.
    pub external_id: Option<String>,
    /// The recording device.
    pub device_name: Option<String>,
    /// Encoded polyline of the route.
    pub map_summary_polyline: Option<String>,
}
