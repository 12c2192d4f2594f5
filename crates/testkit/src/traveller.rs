//! An invented athlete who lives in Auckland and is often elsewhere: across the date line in both directions, through
//! clock changes, with runs around midnight and on days that come twice or not at all.

use jiff::civil::{Date, DateTime, date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use crate::ActivityBuilder;
use crate::history::Dice;

/// The athlete's id at the invented Strava.
pub const ATHLETE_ID: i64 = 7_000_002;
/// The athlete's first name.
pub const FIRST_NAME: &str = "Noor";
const FIRST_DAY: Date = date(2025, 3, 3);
const FIRST_ID: i64 = 10_200_000_000;
const IDS_PER_DAY: i64 = 100;
/// The weeks of a round, each in one place: the middle of the Pacific is left and entered on either side of the line.
const PLACES: [(&str, &str); 8] = [
    ("Pacific/Auckland", "(GMT+12:00) Pacific/Auckland"),
    ("Pacific/Honolulu", "(GMT-10:00) Pacific/Honolulu"),
    ("Pacific/Kiritimati", "(GMT+14:00) Pacific/Kiritimati"),
    ("Pacific/Auckland", "(GMT+12:00) Pacific/Auckland"),
    ("Europe/London", "(GMT+00:00) Europe/London"),
    ("America/New_York", "(GMT-05:00) America/New_York"),
    ("Pacific/Pago_Pago", "(GMT-11:00) Pacific/Pago_Pago"),
    ("Asia/Kolkata", "(GMT+05:30) Asia/Kolkata"),
];

/// The whole history, oldest first by day, without what lies after `now`.
pub fn activities(now: Timestamp) -> Vec<Value> {
    // The farthest east is a day ahead of the farthest west.
    let last = now.to_zoned(TimeZone::UTC).date().tomorrow().expect("a day in range");
    let days = FIRST_DAY.series(Span::new().days(1)).take_while(|day| *day <= last);
    days.enumerate()
        .flat_map(|(number, day)| of_day(day, i64::try_from(number).expect("few days")))
        .filter(|(end, _)| *end < now)
        .map(|(_, run)| run)
        .collect()
}

fn of_day(day: Date, number: i64) -> Vec<(Timestamp, Value)> {
    let mut dice = Dice(u64::try_from(number).expect("a day after the first").wrapping_mul(104_729).wrapping_add(77));
    let week = usize::try_from(number / 7).expect("a week");
    let here = PLACES[week % PLACES.len()];
    let before = PLACES[(week + PLACES.len() - 1) % PLACES.len()];
    let at = |hour: i8, minute: i8| day.at(hour, minute, 0, 0);
    // Monday: a run where the athlete still is at dawn and one where they have arrived, of the same local date, though
    // the flight may have crossed the line. Sunday: a run into midnight. Some days have none.
    let starts: Vec<(DateTime, (&str, &str))> = match number % 7 {
        0 => vec![(at(5, 10), before), (at(20, 30), here)],
        2 => vec![(at(0, 20), here)],
        5 => vec![(at(2, 30), here)],
        6 => vec![(at(23, 40), here)],
        _ if dice.roll(3) == 0 => vec![(at(18, 5), here)],
        _ => vec![],
    };
    let runs = starts.into_iter().enumerate();
    runs.map(|(n, (local, place))| run(FIRST_ID + number * IDS_PER_DAY + i64::try_from(n).expect("few"), local, place, &mut dice)).collect()
}

fn run(id: i64, local: DateTime, (zone, label): (&str, &str), dice: &mut Dice) -> (Timestamp, Value) {
    // An hour that the clock leaves out begins where the clock goes on, as a watch would have it.
    let zoned = local.to_zoned(TimeZone::get(zone).expect("a zone")).expect("a time");
    let distance = (dice.between(4_000.0, 19_000.0) * 10.0).round() / 10.0;
    let moving_s = i64::try_from(dice.roll(900)).expect("seconds") + 1_500;
    let moving_s = moving_s.max(i64::try_from(dice.roll(200)).expect("seconds") + 5_000 * i64::from(distance > 12_000.0));
    let activity = ActivityBuilder::run(ATHLETE_ID, id, zoned.timestamp())
        .with("start_date_local", format!("{}Z", zoned.datetime()))
        .with("timezone", label)
        .with("utc_offset", f64::from(zoned.offset().seconds()))
        .with("distance", distance)
        .with("moving_time", moving_s)
        .with("elapsed_time", moving_s + 30)
        .with("total_elevation_gain", dice.between(0.0, 300.0).round())
        .with("average_heartrate", dice.between(125.0, 172.0).round())
        .with("max_heartrate", dice.between(173.0, 191.0).round())
        .with("start_latlng", json!([-36.8, 174.7]));
    (zoned.timestamp() + Span::new().seconds(moving_s), activity.build())
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn the_line_is_crossed_and_a_local_day_comes_twice() {
        let runs = activities("2026-06-01T00:00:00Z".parse().unwrap());
        let ids: HashSet<_> = runs.iter().map(|run| run["id"].as_i64()).collect();
        assert_eq!(ids.len(), runs.len());
        let mut offsets: HashMap<&str, HashSet<i64>> = HashMap::new();
        for run in &runs {
            let day = &run["start_date_local"].as_str().unwrap()[..10];
            offsets.entry(day).or_default().insert(run["utc_offset"].as_f64().unwrap() as i64);
        }
        let widest = offsets.values().map(|offsets| offsets.iter().max().unwrap() - offsets.iter().min().unwrap()).max();
        assert_eq!(widest, Some(24 * 3600), "one local day in places a whole day apart");
    }
}
