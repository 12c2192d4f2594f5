//! An invented athlete without a heart rate sensor who does everything a little: rides, swims, strength, sports nobody
//! has a word for, treadmill runs without distance, weeks with one activity, weeks without a run, weeks with nothing.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use crate::ActivityBuilder;
use crate::history::Dice;

/// The athlete's id at the invented Strava.
pub const ATHLETE_ID: i64 = 7_000_003;
/// The athlete's first name.
pub const FIRST_NAME: &str = "Sol";
const FIRST_DAY: Date = date(2025, 1, 6);
const FIRST_ID: i64 = 10_300_000_000;
const IDS_PER_DAY: i64 = 100;
const ZONE: (&str, &str) = ("America/Sao_Paulo", "(GMT-03:00) America/Sao_Paulo");
const HEART_RATE: [&str; 3] = ["average_heartrate", "max_heartrate", "suffer_score"];

/// Sport, greatest distance in metres, seconds.
const SPORTS: [(&str, f64, i64); 10] = [
    ("Run", 9_000.0, 2_700),
    ("Ride", 42_000.0, 6_000),
    ("Swim", 1_900.0, 2_400),
    ("WeightTraining", 0.0, 2_700),
    ("TrailRun", 12_000.0, 5_000),
    ("Kayaking", 7_000.0, 3_600),
    ("Yoga", 0.0, 3_000),
    ("Hike", 11_000.0, 9_000),
    ("EBikeRide", 25_000.0, 3_600),
    ("Quidditch", 3_000.0, 1_800),
];

/// The whole history, oldest first, without what lies after `now`.
pub fn activities(now: Timestamp) -> Vec<Value> {
    let last = now.to_zoned(TimeZone::UTC).date();
    let days = FIRST_DAY.series(Span::new().days(1)).take_while(|day| *day <= last);
    days.enumerate()
        .filter_map(|(number, day)| of_day(day, i64::try_from(number).expect("few days")))
        .filter(|(end, _)| *end < now)
        .map(|(_, a)| a)
        .collect()
}

fn of_day(day: Date, number: i64) -> Option<(Timestamp, Value)> {
    let mut dice = Dice(u64::try_from(number).expect("a day after the first").wrapping_mul(15_485_863).wrapping_add(5));
    let (week, weekday) = (number / 7, number % 7);
    let sport = match week % 6 {
        // Nothing at all, one activity on a Sunday, rides only.
        3 => return None,
        4 if weekday != 6 => return None,
        5 if weekday % 2 == 0 => return None,
        5 => SPORTS[1],
        _ if weekday == 4 => return None,
        _ => SPORTS[usize::try_from(dice.roll(10)).expect("an index")],
    };
    let local = day.at(i8::try_from(6 + dice.roll(15)).expect("an hour"), 0, 0, 0);
    let zoned = local.to_zoned(TimeZone::get(ZONE.0).expect("a zone")).expect("a time");
    let is_treadmill = sport.0 == "Run" && dice.roll(3) == 0;
    // A treadmill that tells the watch nothing.
    let distance = if is_treadmill { 0.0 } else { (sport.1 * dice.between(0.4, 1.0) * 10.0).round() / 10.0 };
    let id = FIRST_ID + number * IDS_PER_DAY;
    let kind = if sport.0 == "TrailRun" { "Run" } else { sport.0 };
    let mut activity = ActivityBuilder::run(ATHLETE_ID, id, zoned.timestamp())
        .with("start_date_local", format!("{local}Z"))
        .with("timezone", ZONE.1)
        .with("utc_offset", f64::from(zoned.offset().seconds()))
        .with("sport_type", sport.0)
        .with("type", kind)
        .with("distance", distance)
        .with("moving_time", sport.2)
        .with("elapsed_time", sport.2 + 60)
        .with("trainer", is_treadmill)
        .with("has_heartrate", false)
        .without(&HEART_RATE);
    if distance == 0.0 {
        activity = activity.with("start_latlng", json!([])).with("end_latlng", json!([])).without(&["total_elevation_gain"]);
    }
    Some((zoned.timestamp() + Span::new().seconds(sport.2), activity.build()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_heart_rate_many_sports_and_runs_without_distance() {
        let activities = activities("2026-06-01T00:00:00Z".parse().unwrap());
        let sports: HashSet<_> = activities.iter().filter_map(|a| a["sport_type"].as_str()).collect();
        assert_eq!(sports.len(), SPORTS.len());
        assert!(activities.iter().all(|a| a.get("average_heartrate").is_none()));
        assert!(activities.iter().any(|a| a["sport_type"] == "Run" && a["distance"] == 0.0));
    }
}
