//! An activity as sums and comparisons need it, and the weeks it belongs to.

use jiff::civil::{Date, Weekday};

use super::Family;

/// One activity without its name, its place and whatever else only a reader needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Strava's id.
    pub id: i64,
    /// The athlete's calendar day.
    pub local_date: Date,
    /// Hour on the athlete's wall clock; `None` where the start is hidden.
    pub hour: Option<i8>,
    /// Offset of the wall clock in seconds; `None` where the start is hidden.
    pub utc_offset_s: Option<i32>,
    /// Strava's word for the sport.
    pub sport: String,
    /// What the sport adds up with.
    pub family: Family,
    /// Metres; 0 where there is none.
    pub distance_m: f64,
    /// Seconds in motion; 0 where unknown.
    pub moving_s: i64,
    /// Metres climbed; `None` where not recorded.
    pub elevation_m: Option<f64>,
    /// Mean heart rate, beats a minute; `None` where not recorded.
    pub mean_bpm: Option<f64>,
    /// Highest heart rate, beats a minute.
    pub max_bpm: Option<f64>,
    /// Whether the athlete called it a race.
    pub is_race: bool,
    /// Indoors.
    pub is_indoor: bool,
    /// Flagged by Strava's users as implausible.
    pub is_flagged: bool,
    /// Where the data came from.
    pub source: String,
}

/// The Monday of a day's week; `None` at the very beginning of the calendar.
pub fn monday_of(day: Date) -> Option<Date> {
    day.checked_sub(jiff::Span::new().days(day.weekday().since(Weekday::Monday))).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn sunday_belongs_to_the_week_before_monday() {
        for (day, monday) in [
            (date(2025, 12, 29), date(2025, 12, 29)),
            (date(2026, 1, 4), date(2025, 12, 29)),
            (date(2026, 1, 5), date(2026, 1, 5)),
            (date(2024, 2, 29), date(2024, 2, 26)),
            (date(2026, 3, 29), date(2026, 3, 23)),
        ] {
            assert_eq!(monday_of(day), Some(monday), "{day}");
        }
        assert_eq!(monday_of(Date::MAX).map(Date::weekday), Some(Weekday::Monday));
    }
}
