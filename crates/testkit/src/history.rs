//! The demo athlete: several invented years of training. Each day's activities depend on that day alone, so the
//! same day brings the same activities whenever it is asked for, and the history ends today.

use jiff::civil::{Date, Weekday, date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use crate::ActivityBuilder;

/// The demo athlete's id at the invented Strava.
pub const DEMO_ATHLETE_ID: i64 = 7_000_001;
/// The demo athlete's first name.
pub const DEMO_FIRST_NAME: &str = "Mira";
/// The first day of the history.
const FIRST_DAY: Date = date(2021, 1, 4);
/// Ids begin here and rise by [`IDS_PER_DAY`] a day.
const FIRST_ID: i64 = 10_100_000_000;
const IDS_PER_DAY: i64 = 1_000;
/// Where the athlete lives.
const HOME: Place = Place { zone: "Europe/Madrid", label: "(GMT+01:00) Europe/Madrid", lat: 40.4, lng: -3.7 };
/// Where the athlete spends each August's second week and each February's first.
const SUMMER: Place = Place { zone: "America/Denver", label: "(GMT-07:00) America/Denver", lat: 39.7, lng: -105.0 };
const WINTER: Place = Place { zone: "Asia/Tokyo", label: "(GMT+09:00) Asia/Tokyo", lat: 35.7, lng: 139.7 };

struct Place {
    zone: &'static str,
    label: &'static str,
    lat: f64,
    lng: f64,
}

/// A sequence of pseudo-random numbers that depends on its seed alone (SplitMix64, public domain, Vigna 2015).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a number below a thousand")]
        let share = self.roll(1000) as f64 / 999.0;
        low + share * (high - low)
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[usize::try_from(self.roll(words.len() as u64)).expect("an index")]
    }
}

/// What a day's training is before it has a place and a time.
struct Session {
    sport: &'static str,
    name: &'static str,
    hour: i8,
    distance_m: f64,
    seconds_per_km: f64,
    heart_rate: Option<f64>,
    workout_type: Option<i64>,
    indoor: bool,
    manual: bool,
}

impl Session {
    fn run(name: &'static str, hour: i8, km: f64, seconds_per_km: f64, heart_rate: f64) -> Self {
        let distance_m = (km * 10_000.0).round() / 10.0;
        Self {
            sport: "Run",
            name,
            hour,
            distance_m,
            seconds_per_km,
            heart_rate: Some(heart_rate),
            workout_type: None,
            indoor: false,
            manual: false,
        }
    }

    fn other(sport: &'static str, name: &'static str, hour: i8, km: f64, seconds_per_km: f64) -> Self {
        Self { sport, ..Self::run(name, hour, km, seconds_per_km, 118.0) }
    }
}

/// The whole history up to and including `today`, oldest first, without what lies after `now`.
pub fn demo_activities(now: Timestamp) -> Vec<Value> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let mut activities = Vec::new();
    let mut day = FIRST_DAY;
    while day <= today {
        activities.extend(activities_of(day).into_iter().filter(|(end, _)| *end < now).map(|(_, activity)| activity));
        day = day.tomorrow().expect("a day in range");
    }
    activities
}

fn activities_of(day: Date) -> Vec<(Timestamp, Value)> {
    let number = i64::from(day.since(FIRST_DAY).expect("two days").get_days());
    let mut dice = Dice(u64::try_from(number).expect("a day after the first").wrapping_mul(7919).wrapping_add(20_210_104));
    let sessions = sessions_of(day, &mut dice);
    sessions.iter().enumerate().map(|(n, session)| summary(day, number, i64::try_from(n).expect("few"), session, &mut dice)).collect()
}

fn sessions_of(day: Date, dice: &mut Dice) -> Vec<Session> {
    // Getting faster with the years, from 6:10 to about 5:20 a kilometre.
    let easy = 370.0 - 9.0 * f64::from(day.year() - 2021);
    if let Some(race) = race(day, easy) {
        return vec![race];
    }
    // Two weeks off each December.
    if day.month() == 12 && (10..24).contains(&day.day()) {
        return vec![];
    }
    let mut sessions = match day.weekday() {
        Weekday::Monday => {
            vec![Session { heart_rate: None, distance_m: 0.0, indoor: true, ..Session::other("WeightTraining", "Strength", 18, 0.0, 0.0) }]
        }
        Weekday::Tuesday if dice.roll(3) == 0 => vec![Session {
            workout_type: Some(3),
            ..Session::run("6 x 800 m on the track", 19, dice.between(9.0, 12.0), easy - 45.0, 162.0)
        }],
        Weekday::Tuesday | Weekday::Thursday => {
            let name = dice.pick(&["Morning Run", "Lunch Run", "Misty loop with Anna", "Río y café ☕", "Shake-out"]);
            vec![Session::run(name, 7, dice.between(6.0, 11.0), easy + dice.between(-10.0, 25.0), 141.0)]
        }
        Weekday::Wednesday if [11, 12, 1, 2].contains(&day.month()) => {
            vec![Session { indoor: true, ..Session::run("Treadmill", 20, dice.between(5.0, 8.0), easy, 138.0) }]
        }
        Weekday::Wednesday => vec![Session::other("Swim", "Pool", 12, dice.between(1.2, 2.4), 1300.0)],
        Weekday::Friday => vec![],
        Weekday::Saturday if dice.roll(2) == 0 => vec![Session::other("Ride", "Hills by bike", 10, dice.between(30.0, 80.0), 150.0)],
        Weekday::Saturday => {
            vec![Session { sport: "TrailRun", ..Session::run("Trail above the reservoir", 9, dice.between(8.0, 16.0), easy + 60.0, 148.0) }]
        }
        Weekday::Sunday => {
            vec![Session { workout_type: Some(2), ..Session::run("Long run", 8, dice.between(14.0, 28.0), easy + 15.0, 146.0) }]
        }
    };
    if dice.roll(9) == 0 {
        sessions.push(Session {
            manual: true,
            heart_rate: None,
            ..Session::other("Walk", "Walk with the dog", 21, dice.between(2.0, 5.0), 720.0)
        });
    }
    sessions
}

/// Two races a year: a 10 km on the second Sunday of May, and in October a half marathon or, in even years, a marathon.
fn race(day: Date, easy: f64) -> Option<Session> {
    let is_second_sunday = day.weekday() == Weekday::Sunday && (8..15).contains(&day.day());
    let race = |name, km, faster| Session { workout_type: Some(1), ..Session::run(name, 9, km, easy - faster, 171.0) };
    match (is_second_sunday, day.month(), day.year() % 2) {
        (true, 5, _) => Some(race("Carrera de la Primavera 10K", 10.02, 65.0)),
        (true, 10, 0) => Some(race("Valencia-style Marathon 🏅", 42.31, 30.0)),
        (true, 10, _) => Some(race("Autumn Half Marathon", 21.15, 48.0)),
        _ => None,
    }
}

fn place_of(day: Date) -> &'static Place {
    match (day.month(), day.day()) {
        (8, 8..=14) => &SUMMER,
        (2, 1..=7) => &WINTER,
        _ => &HOME,
    }
}

/// The session as Strava lists it, and when it ended.
fn summary(day: Date, day_number: i64, n: i64, session: &Session, dice: &mut Dice) -> (Timestamp, Value) {
    let place = place_of(day);
    let local = day.at(session.hour, i8::try_from(dice.roll(60)).expect("a minute"), i8::try_from(dice.roll(60)).expect("a second"), 0);
    let zoned = local.to_zoned(TimeZone::get(place.zone).expect("a zone")).expect("a time");
    let start = zoned.timestamp();
    let id = FIRST_ID + day_number * IDS_PER_DAY + n;
    #[expect(clippy::cast_possible_truncation, reason = "a few hours in seconds")]
    let moving_s = if session.distance_m > 0.0 { (session.distance_m / 1000.0 * session.seconds_per_km) as i64 } else { 2700 };
    let elapsed_s = moving_s + i64::try_from(dice.roll(240)).expect("seconds");
    #[expect(clippy::cast_precision_loss, reason = "a few hours in seconds")]
    let speed = (session.distance_m / moving_s as f64 * 1000.0).round() / 1000.0;
    let climbed = if session.indoor { 0.0 } else { (session.distance_m / 1000.0 * dice.between(2.0, 14.0) * 10.0).round() / 10.0 };
    let kind = if session.sport == "TrailRun" { "Run" } else { session.sport };
    let mut activity = ActivityBuilder::run(DEMO_ATHLETE_ID, id, start)
        .with("start_date_local", format!("{local}Z"))
        .with("timezone", place.label)
        .with("utc_offset", f64::from(zoned.offset().seconds()))
        .with("name", session.name)
        .with("sport_type", session.sport)
        .with("type", kind)
        .with("distance", session.distance_m)
        .with("moving_time", moving_s)
        .with("elapsed_time", elapsed_s)
        .with("total_elevation_gain", climbed)
        .with("average_speed", speed)
        .with("max_speed", (speed * 1250.0).round() / 1000.0)
        .with("workout_type", session.workout_type)
        .with("start_latlng", json!([place.lat, place.lng]))
        .with("end_latlng", json!([place.lat, place.lng]))
        .with("private", dice.roll(40) == 0);
    if session.indoor || session.manual {
        activity = activity.with("start_latlng", json!([])).with("end_latlng", json!([])).with("trainer", session.indoor);
        activity = activity.with("map", json!({"id": format!("a{id}"), "summary_polyline": "", "resource_state": 2}));
        activity = activity.without(&["elev_high", "elev_low"]);
    }
    if session.manual {
        let nothing = ["upload_id", "external_id"];
        activity = nothing.iter().fold(activity, |activity, field| activity.with(field, Value::Null)).with("manual", true);
        activity = activity.without(&["upload_id_str", "device_name", "average_cadence"]);
    }
    // The sensor stays at home now and then.
    let heart_rate = session.heart_rate.filter(|_| dice.roll(12) != 0);
    activity = match heart_rate {
        Some(mean) => {
            let mean = (mean + dice.between(-6.0, 6.0)).round();
            activity.with("average_heartrate", mean).with("max_heartrate", mean + 17.0).with("suffer_score", (mean / 3.0).round())
        }
        None => activity.with("has_heartrate", false).without(&["average_heartrate", "max_heartrate", "suffer_score"]),
    };
    let end = start.checked_add(Span::new().seconds(elapsed_s)).expect("a time in range");
    (end, activity.build())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_history_is_long_the_same_every_day_and_ends_today() {
        let now: Timestamp = "2026-11-23T22:00:00Z".parse().unwrap();
        let history = demo_activities(now);
        assert!(history.len() >= 1_100, "{}", history.len());
        let ids: HashSet<_> = history.iter().map(|a| a["id"].as_i64()).collect();
        assert_eq!(ids.len(), history.len());
        let earlier = demo_activities("2024-06-01T12:00:00Z".parse().unwrap());
        assert_eq!(earlier[..], history[..earlier.len()]);
        let last: Timestamp = history.last().unwrap()["start_date"].as_str().unwrap().parse().unwrap();
        assert!(last < now && now.duration_since(last).as_hours() < 72, "{last}");
    }
}
