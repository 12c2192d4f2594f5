//! Invented summary activities in Strava's shapes.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Builds one summary; says only what matters to the test.
#[derive(Debug, Clone)]
pub struct ActivityBuilder(Map<String, Value>);

impl ActivityBuilder {
    /// An easy outdoor run of 10 km in 50 minutes in UTC, with heart rate.
    pub fn run(athlete_id: i64, id: i64, start: Timestamp) -> Self {
        let value = json!({
            "resource_state": 2, "athlete": {"id": athlete_id, "resource_state": 1}, "name": "Morning Run", "distance": 10000.0,
            "moving_time": 3000, "elapsed_time": 3060, "total_elevation_gain": 42.5, "type": "Run", "sport_type": "Run",
            "workout_type": null, "id": id, "start_date": start, "start_date_local": start,
            "timezone": "(GMT+00:00) Etc/UTC", "utc_offset": 0.0, "location_city": null, "location_state": null,
            "location_country": null, "achievement_count": 0, "kudos_count": 3, "comment_count": 0, "athlete_count": 1,
            "photo_count": 0, "map": {"id": format!("a{id}"), "summary_polyline": "_p~iF~ps|U_ulLnnqC", "resource_state": 2},
            "trainer": false, "commute": false, "manual": false, "private": false, "visibility": "everyone", "flagged": false,
            "gear_id": "g1", "start_latlng": [38.5, -120.2], "end_latlng": [40.7, -120.95], "average_speed": 3.333,
            "max_speed": 4.7, "average_cadence": 84.5, "has_heartrate": true, "average_heartrate": 142.3, "max_heartrate": 161.0,
            "heartrate_opt_out": false, "display_hide_heartrate_option": true, "elev_high": 120.4, "elev_low": 98.2,
            "upload_id": id + 1, "upload_id_str": (id + 1).to_string(), "external_id": format!("{id}.fit"),
            "from_accepted_tag": false, "pr_count": 0, "total_photo_count": 0, "has_kudoed": false, "suffer_score": 44.0,
            "device_name": "Invented Watch 1"
        });
        let Value::Object(fields) = value else { unreachable!("an object was written above") };
        Self(fields)
    }

    /// Sets a field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0.insert(field.to_owned(), value.into());
        self
    }

    /// Removes fields.
    #[must_use]
    pub fn without(mut self, fields: &[&str]) -> Self {
        for field in fields {
            self.0.remove(*field);
        }
        self
    }

    /// The object.
    pub fn build(self) -> Value {
        Value::Object(self.0)
    }
}

/// `count` runs, one a day, the newest at `newest`, with ids that rise with time.
pub fn daily_runs(athlete_id: i64, first_id: i64, count: i64, newest: Timestamp) -> Vec<Value> {
    (0..count)
        .map(|n| {
            let days_ago = count - 1 - n;
            let start = newest - jiff::SignedDuration::from_hours(24 * days_ago);
            ActivityBuilder::run(athlete_id, first_id + n, start).build()
        })
        .collect()
}

/// As [`daily_runs`], with no more fields than a run needs: for histories of many athletes.
pub fn slim_runs(athlete_id: i64, first_id: i64, count: i64, newest: Timestamp) -> impl Iterator<Item = Value> {
    (0..count).map(move |n| {
        let start = newest - jiff::SignedDuration::from_hours(24 * (count - 1 - n));
        json!({
            "id": first_id + n, "athlete": {"id": athlete_id}, "name": "Run", "type": "Run", "sport_type": "Run", "start_date": start,
            "start_date_local": start, "utc_offset": 0.0, "distance": 10_000.0, "moving_time": 3000, "elapsed_time": 3060
        })
    })
}

const HEART_RATE: &[&str] = &["average_heartrate", "max_heartrate", "suffer_score"];

/// One activity of each shape that Strava is known to send, with the shape's name; all of them readable.
pub fn shapes(athlete_id: i64) -> Vec<(&'static str, Value)> {
    let start = |day: i64| Timestamp::from_second(1_767_508_200 - day * 86_400).unwrap();
    let run = |n: i64| ActivityBuilder::run(athlete_id, 9_000_000_000 + n, start(n));
    let indoor = |n: i64| run(n).with("start_latlng", json!([])).with("end_latlng", json!([])).without(&["elev_high", "elev_low"]);
    let manual = |n: i64| {
        run(n)
            .with("manual", true)
            .with("external_id", Value::Null)
            .with("upload_id", Value::Null)
            .with("max_speed", 0)
            .with("start_latlng", json!([]))
            .with("end_latlng", json!([]))
            .without(&["upload_id_str", "elev_high", "elev_low", "device_name", "average_cadence"])
            .without(HEART_RATE)
    };
    let old =
        run(4).with("start_latlng", Value::Null).with("end_latlng", Value::Null).with("map", json!({"id": "a4", "summary_polyline": null}));
    let local = |n: i64, utc: &str, local: &str, zone: &str, offset: i64| {
        run(n).with("start_date", utc).with("start_date_local", local).with("timezone", zone).with("utc_offset", offset)
    };
    vec![
        ("run with heart rate", run(0).build()),
        ("run without heart rate", run(1).with("has_heartrate", false).without(HEART_RATE).build()),
        ("treadmill", indoor(2).with("trainer", true).with("map", json!({"id": "a2", "summary_polyline": ""})).build()),
        ("manual", manual(3).build()),
        ("before sport_type", old.without(&["sport_type", "visibility", "utc_offset", "pr_count"]).build()),
        ("only me", run(5).with("private", true).with("visibility", "only_me").build()),
        (
            "strength without distance",
            indoor(6)
                .with("sport_type", "WeightTraining")
                .with("type", "WeightTraining")
                .with("distance", 0.0)
                .with("workout_type", 30)
                .build(),
        ),
        (
            "pool swim",
            indoor(7)
                .with("sport_type", "Swim")
                .with("type", "Swim")
                .with("total_elevation_gain", 0)
                .without(&["workout_type", "average_cadence"])
                .build(),
        ),
        ("trail run", run(8).with("sport_type", "TrailRun").build()),
        (
            "ride with power",
            run(9)
                .with("sport_type", "Ride")
                .with("type", "Ride")
                .with("workout_type", 12)
                .with("average_watts", 187.4)
                .with("max_watts", 640)
                .with("weighted_average_watts", 201)
                .with("kilojoules", 812.9)
                .with("device_watts", true)
                .build(),
        ),
        ("odd time zone", local(10, "2025-12-25T14:30:00Z", "2025-12-25T09:30:00Z", "(GMT-05:00) EST5EDT", -18_000).build()),
        ("another local date", local(11, "2025-12-24T23:30:00Z", "2025-12-25T08:30:00Z", "(GMT+09:00) Asia/Tokyo", 32_400).build()),
        ("elapsed less than moving", run(12).with("elapsed_time", 2990).build()),
        ("id above 2^53", run(13).with("id", 12_345_678_987_654_321_i64).build()),
        ("upload id above 2^64", run(14).with("upload_id", serde_json::from_str::<Value>("987654321234567891234").unwrap()).build()),
        ("unknown sport", run(15).with("sport_type", "Quidditch").with("type", "Workout").build()),
        ("hidden start", local(16, "2025-12-19T00:00:01Z", "2025-12-19T00:00:01Z", "(GMT+01:00) Europe/Madrid", 3600).build()),
        ("times as floats", run(17).with("moving_time", 3000.0).with("elapsed_time", 3060.0).build()),
        ("integers for floats", run(18).with("distance", 10_000).with("average_speed", 3).with("utc_offset", 0).build()),
        ("emoji, quotes and a null character", run(19).with("name", "Ёлка «🏃🏽‍♀️» \"x\" \u{0}").build()),
        ("empty name", run(20).with("name", "").build()),
        ("unknown fields", run(21).with("truncated", 5).with("future_field", json!({"a": [1, 2]})).build()),
    ]
}
