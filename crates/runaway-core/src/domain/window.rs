//! When Strava's rate windows begin: every quarter hour, and at midnight UTC. Source: developers.strava.com/docs/rate-limits.
//! An athlete's daily allowances begin anew at midnight UTC as well.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Length of the short window in seconds.
const SHORT_WINDOW_S: i64 = 15 * 60;
/// Length of the daily window in seconds.
const DAILY_WINDOW_S: i64 = 24 * 60 * 60;

/// The quarter hour an instant lies in, counted from 1970.
pub fn quarter_number(now: Timestamp) -> i64 {
    now.as_second().div_euclid(SHORT_WINDOW_S)
}

/// The day in UTC an instant lies in, counted from 1970.
pub fn day_number(now: Timestamp) -> i64 {
    now.as_second().div_euclid(DAILY_WINDOW_S)
}

/// The day in UTC an instant lies in.
pub fn utc_day(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

/// The start of the next quarter hour.
pub fn next_quarter_hour(now: Timestamp) -> Timestamp {
    next_multiple(now, SHORT_WINDOW_S)
}

/// The next midnight UTC.
pub fn next_daily_window(now: Timestamp) -> Timestamp {
    next_multiple(now, DAILY_WINDOW_S)
}

fn next_multiple(now: Timestamp, length_s: i64) -> Timestamp {
    let second = now.as_second();
    let next = second - second.rem_euclid(length_s) + length_s;
    Timestamp::from_second(next).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_begin_at_the_quarters_and_at_midnight() {
        for (now, quarter, midnight) in [
            ("2026-01-04T06:29:59Z", "2026-01-04T06:30:00Z", "2026-01-05T00:00:00Z"),
            ("2026-01-04T06:30:00Z", "2026-01-04T06:45:00Z", "2026-01-05T00:00:00Z"),
            ("2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            let now: Timestamp = now.parse().unwrap_or_default();
            assert_eq!(next_quarter_hour(now).to_string(), quarter);
            assert_eq!(next_daily_window(now).to_string(), midnight);
            assert!(utc_day(next_daily_window(now)) > utc_day(now));
        }
    }
}
