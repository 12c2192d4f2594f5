//! Reading one summary activity, leniently where Strava is: absent, null and empty mean "not recorded".

use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::db::activities::{ListedSummary, Unreadable};
use crate::domain::{Activity, LatLng, ListedActivity};

/// An athlete who hides start times gets this wall clock on every activity: midnight and one second.
const HIDDEN_START: (i8, i8, i8) = (0, 0, 1);
/// The widest offset in use, UTC+14, in seconds.
const UTC_OFFSET_S_MAX: u64 = 14 * 60 * 60;
/// The years a date column takes as they are written here.
const YEARS: RangeInclusive<i16> = 1..=9999;
/// Distances and climbs believed, metres without their sign, beside none at all: the database adds, multiplies and
/// divides them, and refuses what becomes too large or too small on the way.
const METRES: RangeInclusive<f64> = 1e-6..=1e9;
/// Heart rates believed, beats a minute, beside none at all; the same holds for them.
const HEART_RATES: RangeInclusive<f64> = 1.0..=1_000.0;

/// What reading an object brought.
#[derive(Debug)]
pub enum ReadObject {
    /// An activity.
    Activity(Box<ListedSummary>),
    /// Something to be kept aside.
    Unreadable(Unreadable),
}

/// Reads one object of a listing for an athlete. Also returns what the walk needs of it, whether readable or not.
pub fn read_summary(object: &RawValue, athlete_id: i64) -> (ListedActivity, ReadObject) {
    let read =
        serde_json::from_str::<Summary>(object.get()).map_err(|error| reason(&error)).and_then(|summary| summary.into_activity(athlete_id));
    match read {
        Ok(activity) => {
            let listed = ListedActivity { id: Some(activity.id), key: activity.id, start_s: Some(activity.start.as_second()) };
            (listed, ReadObject::Activity(Box::new(ListedSummary { activity, verbatim: object.get().to_owned() })))
        }
        Err(reason) => {
            let marks: Marks = serde_json::from_str(object.get()).unwrap_or_default();
            let start: Option<Timestamp> = marks.start_date.and_then(|value| value.as_str()?.parse().ok());
            let content_hash = crate::vault::fingerprint(object.get().as_bytes());
            let id = marks.id.and_then(|id| id.as_i64());
            let listed =
                ListedActivity { id, key: id.unwrap_or_else(|| stand_in(&content_hash)), start_s: start.map(Timestamp::as_second) };
            (listed, ReadObject::Unreadable(Unreadable { verbatim: object.get().to_owned(), content_hash, reason }))
        }
    }
}

/// A number below zero, where no id of Strava's is, from the first bytes of a content's hash.
fn stand_in(content_hash: &[u8]) -> i64 {
    let number = content_hash.iter().take(7).fold(0, |number, byte| number << 8 | i64::from(*byte));
    -1 - number
}

/// The parser's category only: its message quotes values.
fn reason(error: &serde_json::Error) -> String {
    format!("{:?} error at column {}", error.classify(), error.column())
}

/// Id and start of an object that cannot be read as a whole.
#[derive(Default, Deserialize)]
struct Marks {
    id: Option<serde_json::Value>,
    start_date: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Owner {
    id: Option<i64>,
}

#[derive(Deserialize)]
struct Map {
    summary_polyline: Option<String>,
}

#[derive(Deserialize)]
struct Summary {
    id: i64,
    athlete: Option<Owner>,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    sport_type: Option<String>,
    distance: Option<f64>,
    moving_time: Option<f64>,
    elapsed_time: Option<f64>,
    start_date: Timestamp,
    start_date_local: String,
    timezone: Option<String>,
    utc_offset: Option<f64>,
    total_elevation_gain: Option<f64>,
    elev_high: Option<f64>,
    elev_low: Option<f64>,
    average_speed: Option<f64>,
    max_speed: Option<f64>,
    average_cadence: Option<f64>,
    average_heartrate: Option<f64>,
    max_heartrate: Option<f64>,
    average_watts: Option<f64>,
    max_watts: Option<f64>,
    kilojoules: Option<f64>,
    device_watts: Option<bool>,
    suffer_score: Option<f64>,
    workout_type: Option<i32>,
    trainer: Option<bool>,
    commute: Option<bool>,
    manual: Option<bool>,
    private: Option<bool>,
    flagged: Option<bool>,
    #[serde(default, deserialize_with = "lat_lng")]
    start_latlng: Option<LatLng>,
    #[serde(default, deserialize_with = "lat_lng")]
    end_latlng: Option<LatLng>,
    upload_id: Option<serde_json::Value>,
    external_id: Option<String>,
    device_name: Option<String>,
    map: Option<Map>,
}

/// `[lat, lng]`; `[]`, `null` and anything shorter or longer mean "no place".
fn lat_lng<'de, D: Deserializer<'de>>(from: D) -> Result<Option<LatLng>, D::Error> {
    let pair: Option<Vec<Option<f64>>> = Option::deserialize(from)?;
    Ok(match pair.as_deref() {
        Some([Some(latitude), Some(longitude)]) => Some((*latitude, *longitude)),
        _ => None,
    })
}

/// Whole seconds; Strava sends them as integers and sometimes as floats.
fn seconds(value: Option<f64>, field: &str) -> Result<Option<i32>, String> {
    let Some(value) = value else { return Ok(None) };
    if !(0.0..=f64::from(i32::MAX)).contains(&value) {
        return Err(format!("{field} is out of range"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let seconds = value.round() as i32;
    Ok(Some(seconds))
}

/// Metres as they are; beyond belief is an error.
fn metres(value: Option<f64>, field: &str) -> Result<Option<f64>, String> {
    let is_believed = value.is_none_or(|metres| metres == 0.0 || METRES.contains(&metres.abs()));
    if is_believed { Ok(value) } else { Err(format!("{field} is out of range")) }
}

/// Beats a minute as they are; beyond belief is an error.
fn heart_rate(value: Option<f64>, field: &str) -> Result<Option<f64>, String> {
    let is_believed = value.is_none_or(|rate| rate == 0.0 || HEART_RATES.contains(&rate));
    if is_believed { Ok(value) } else { Err(format!("{field} is out of range")) }
}

impl Summary {
    fn into_activity(self, athlete_id: i64) -> Result<Activity, String> {
        if self.id <= 0 {
            return Err("id is not positive".to_owned());
        }
        if self.athlete.as_ref().and_then(|owner| owner.id).is_some_and(|id| id != athlete_id) {
            return Err("it belongs to another athlete".to_owned());
        }
        let start_local = wall_clock(&self.start_date_local).ok_or("start_date_local is no time")?;
        let start = self.start_date.as_second();
        let start = Timestamp::from_second(start).map_err(|_| "start_date is out of range")?;
        if [start.to_zoned(TimeZone::UTC).year(), start_local.year()].iter().any(|year| !YEARS.contains(year)) {
            return Err("its year is out of range".to_owned());
        }
        let non_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Activity {
            utc_offset_s: offset_s(self.utc_offset, start, start_local),
            id: self.id,
            name: self.name.unwrap_or_default(),
            sport: non_empty(self.sport_type).or(non_empty(self.kind)).ok_or("it names no sport")?,
            distance_m: metres(self.distance, "distance")?,
            moving_s: seconds(self.moving_time, "moving_time")?,
            elapsed_s: seconds(self.elapsed_time, "elapsed_time")?,
            start,
            start_local,
            timezone: self.timezone,
            elevation_gain_m: metres(self.total_elevation_gain, "total_elevation_gain")?,
            elev_high_m: self.elev_high,
            elev_low_m: self.elev_low,
            average_speed: self.average_speed,
            max_speed: self.max_speed,
            average_cadence: self.average_cadence,
            average_heart_rate: heart_rate(self.average_heartrate, "average_heartrate")?,
            max_heart_rate: heart_rate(self.max_heartrate, "max_heartrate")?,
            average_watts: self.average_watts,
            max_watts: self.max_watts,
            kilojoules: self.kilojoules,
            device_watts: self.device_watts,
            suffer_score: self.suffer_score,
            workout_type: self.workout_type,
            trainer: self.trainer,
            commute: self.commute,
            manual: self.manual,
            private: self.private,
            flagged: self.flagged,
            start_latlng: self.start_latlng,
            end_latlng: self.end_latlng,
            upload_id: self.upload_id.and_then(|id| id.as_i64()),
            external_id: self.external_id,
            device_name: self.device_name,
            map_summary_polyline: self.map.and_then(|map| map.summary_polyline).filter(|line| !line.is_empty()),
        })
    }
}

/// The wall clock in `start_date_local`, whose `Z` is false; cut to the second, for rounding could end in the next day.
fn wall_clock(text: &str) -> Option<DateTime> {
    let time: DateTime = text.trim_end_matches(['Z', 'z']).parse().ok()?;
    time.with().subsec_nanosecond(0).build().ok()
}

/// The offset at that moment: Strava's, else the difference of the two times; none for a hidden start.
fn offset_s(given: Option<f64>, start: Timestamp, start_local: DateTime) -> Option<i32> {
    let utc = start.to_zoned(TimeZone::UTC).datetime();
    let is_hidden = |time: DateTime| (time.hour(), time.minute(), time.second()) == HIDDEN_START;
    if is_hidden(utc) && is_hidden(start_local) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked against the widest offset below")]
    let given = given.map(|offset| offset.round() as i64);
    let difference = || Some(start_local.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second() - start.as_second());
    given.or_else(difference).filter(|offset| offset.unsigned_abs() <= UTC_OFFSET_S_MAX).and_then(|offset| i32::try_from(offset).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> (ListedActivity, ReadObject) {
        let raw = RawValue::from_string(json.to_owned()).unwrap_or_else(|error| panic!("{error}"));
        read_summary(&raw, 7)
    }

    fn activity(extra: &str) -> Activity {
        let json = format!(
            r#"{{"id":1,"athlete":{{"id":7}},"name":"x","type":"Run","start_date":"2026-01-04T23:30:00Z","start_date_local":"2026-01-05T00:30:00Z"{extra}}}"#
        );
        match read(&json).1 {
            ReadObject::Activity(listed) => listed.activity,
            ReadObject::Unreadable(object) => panic!("{}: {}", object.reason, object.verbatim),
        }
    }

    #[test]
    fn nothing_recorded_stays_nothing() {
        let a = activity(r#","start_latlng":[],"end_latlng":null,"map":{"summary_polyline":""},"max_speed":0"#);
        assert_eq!((a.start_latlng, a.end_latlng, a.map_summary_polyline, a.average_heart_rate), (None, None, None, None));
        assert_eq!((a.max_speed, a.distance_m), (Some(0.0), None));
    }

    #[test]
    fn latitude_zero_is_a_place() {
        assert_eq!(activity(r#","start_latlng":[0,10.5]"#).start_latlng, Some((0.0, 10.5)));
    }

    #[test]
    fn the_offset_is_the_given_one_else_the_difference_else_unknown() {
        assert_eq!(activity(r#","utc_offset":-14400.0"#).utc_offset_s, Some(-14_400));
        assert_eq!(activity("").utc_offset_s, Some(3600));
        let hidden =
            r#"{"id":1,"type":"Run","start_date":"2024-07-02T00:00:01Z","start_date_local":"2024-07-02T00:00:01Z","utc_offset":7200}"#;
        assert!(matches!(read(hidden).1, ReadObject::Activity(listed) if listed.activity.utc_offset_s.is_none()));
        for beyond_belief in ["50401", "-1e300", "1e300"] {
            assert_eq!(activity(&format!(r#","utc_offset":{beyond_belief}"#)).utc_offset_s, None, "{beyond_belief}");
        }
    }

    #[test]
    fn numbers_that_the_database_could_not_reckon_with_are_beyond_belief() {
        let reason = |extra: &str| {
            let json =
                format!(r#"{{"id":1,"type":"Run","start_date":"2026-01-04T06:30:00Z","start_date_local":"2026-01-04T06:30:00Z",{extra}}}"#);
            match read(&json).1 {
                ReadObject::Activity(_) => None,
                ReadObject::Unreadable(object) => Some(object.reason),
            }
        };
        for (field, bad) in [
            ("distance", "5e-324"),
            ("distance", "1e308"),
            ("total_elevation_gain", "-1e10"),
            ("average_heartrate", "1e308"),
            ("average_heartrate", "5e-324"),
            ("max_heartrate", "-1"),
        ] {
            assert_eq!(reason(&format!(r#""{field}":{bad}"#)), Some(format!("{field} is out of range")), "{bad}");
            assert_eq!(reason(&format!(r#""{field}":0"#)), None, "{field}");
        }
        assert_eq!(reason(r#""average_heartrate":187.5,"max_heartrate":255,"distance":0.1,"total_elevation_gain":-3.5"#), None);
    }

    #[test]
    fn fractions_of_a_second_do_not_round_into_the_next_day() {
        let json = r#"{"id":1,"type":"Run","start_date":"2026-01-04T23:59:59.7Z","start_date_local":"2026-01-04T23:59:59.7Z"}"#;
        let ReadObject::Activity(listed) = read(json).1 else { panic!("unreadable") };
        assert_eq!(listed.activity.start.to_string(), "2026-01-04T23:59:59Z");
        assert_eq!(listed.activity.start_local.to_string(), "2026-01-04T23:59:59");
    }

    #[test]
    fn the_newer_sport_wins_and_unknown_words_are_kept() {
        assert_eq!(activity(r#","sport_type":"Underwater Rugby""#).sport, "Underwater Rugby");
        assert_eq!(activity(r#","sport_type":null"#).sport, "Run");
    }

    #[test]
    fn unreadable_objects_say_why_and_keep_their_marks() {
        for (json, expected) in [
            (
                r#"{"id":5,"athlete":{"id":8},"type":"Run","start_date":"2026-01-04T06:30:00Z","start_date_local":"2026-01-04T06:30:00Z"}"#,
                "it belongs to another athlete",
            ),
            (r#"{"id":5,"type":"Run","start_date":"2026-01-04T06:30:00Z","start_date_local":"nonsense"}"#, "start_date_local is no time"),
            (
                r#"{"id":5,"type":"Run","start_date":"2026-01-04T06:30:00Z","start_date_local":"2026-01-04T06:30:00Z","moving_time":-1}"#,
                "moving_time is out of range",
            ),
            (r#"{"id":5,"type":"Run","start_date":"2026-01-04T06:30:00Z","distance":"secret"}"#, "Data error"),
            (
                r#"{"id":5,"type":"Run","start_date":"2026-01-04T06:30:00Z","start_date_local":"0000-01-01T00:00:00Z"}"#,
                "its year is out of range",
            ),
            (
                r#"{"id":5,"type":"Run","start_date":"2026-01-04T06:30:00Z","start_date_local":"2026-01-04T06:30:00Z","distance":1e308}"#,
                "distance is out of range",
            ),
            (
                r#"{"id":5,"type":"Run","name":"\ud83c","start_date":"2026-01-04T06:30:00Z","start_date_local":"2026-01-04T06:30:00Z"}"#,
                "Syntax error",
            ),
        ] {
            let (listed, object) = read(json);
            assert_eq!(listed, ListedActivity { id: Some(5), key: 5, start_s: Some(1_767_508_200) }, "{json}");
            assert!(matches!(&object, ReadObject::Unreadable(o) if o.reason.starts_with(expected) && o.verbatim == json), "{object:?}");
        }
        assert!(matches!(read("17").1, ReadObject::Unreadable(_)));
        let keys = [r#"{"name":"a"}"#, r#"{"name":"b"}"#, r#"{"name":"a"}"#].map(|json| read(json).0.key);
        assert!(keys[0] < 0 && keys[1] < 0 && keys[0] != keys[1] && keys[0] == keys[2], "told apart without an id: {keys:?}");
        assert!(matches!(read(r#"{"id":194641753419464175341946417534}"#).1, ReadObject::Unreadable(_)));
    }
}
