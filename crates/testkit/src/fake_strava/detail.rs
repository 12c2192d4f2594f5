//! `GET /activities/{id}` and its streams, made from the summary.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// Names and metres of Strava's best efforts, in an order that is not that of their length.
const EFFORTS: [(&str, i64); 8] = [
    ("400m", 400),
    ("1/2 mile", 805),
    ("1K", 1000),
    ("1 mile", 1609),
    ("2 mile", 3219),
    ("10K", 10_000),
    ("5K", 5000),
    ("Half-Marathon", 21_097),
];
/// Points of a stream.
const POINTS: usize = 61;
/// What a call of the streams may ask for.
const STREAM_KEYS: [&str; 11] =
    ["time", "distance", "latlng", "altitude", "velocity_smooth", "heartrate", "cadence", "watts", "temp", "moving", "grade_smooth"];

fn number(activity: &Value, field: &str) -> f64 {
    activity.get(field).and_then(Value::as_f64).unwrap_or_default()
}

fn is_manual(activity: &Value) -> bool {
    activity.get("manual").and_then(Value::as_bool) == Some(true)
}

/// The detailed activity; the fields of `given` win.
pub(super) fn detail(summary: &Value, given: Option<&Value>) -> Value {
    let (distance, moving) = (number(summary, "distance"), number(summary, "moving_time"));
    let whole_kilometres = (1..).map(|n| (n, f64::from(n) * 1000.0)).take_while(|(_, end)| *end <= distance);
    let splits: Vec<Value> = whole_kilometres
        .map(|(n, _)| {
            json!({"split": n, "distance": 1000.2, "elapsed_time": 301, "moving_time": 300, "elevation_difference": 1.5,
                   "average_speed": 3.33, "average_grade_adjusted_speed": 3.4, "average_heartrate": 141.23, "pace_zone": 2})
        })
        .collect();
    let is_run = summary.get("type").and_then(Value::as_str) == Some("Run") && !is_manual(summary);
    let efforts: Vec<Value> = EFFORTS
        .iter()
        .filter(|(_, metres)| is_run && f64::from(i32::try_from(*metres).expect("metres")) <= distance)
        .map(|(name, metres)| {
            let seconds = (moving * f64::from(i32::try_from(*metres).expect("metres")) / distance).round();
            json!({"id": 3_400_000_000_000_000_000_i64 + metres, "name": name, "distance": metres, "elapsed_time": seconds,
                   "moving_time": seconds, "start_index": 0, "end_index": 60, "pr_rank": null, "achievements": []})
        })
        .collect();
    let mut activity = summary.as_object().cloned().unwrap_or_default();
    let lap =
        json!({"id": 1, "name": "Lap 1", "lap_index": 1, "split": 1, "distance": distance, "elapsed_time": moving, "moving_time": moving});
    for (name, value) in [
        ("resource_state", json!(3)),
        ("description", Value::Null),
        ("calories", json!(612.0)),
        ("splits_metric", Value::Array(splits)),
        ("laps", json!([lap])),
        ("best_efforts", Value::Array(efforts)),
    ] {
        activity.insert(name.to_owned(), value);
    }
    activity.extend(given.and_then(Value::as_object).cloned().unwrap_or_default());
    Value::Object(activity)
}

/// The streams, keyed by type; `Ok(None)` where there are none, `Err` for what the real Strava would not understand.
pub(super) fn streams(summary: &Value, query: &HashMap<String, String>) -> Result<Option<Value>, String> {
    let keys: Vec<&str> = query.get("keys").map(|keys| keys.split(',').collect()).unwrap_or_default();
    if query.get("key_by_type").map(String::as_str) != Some("true") || keys.is_empty() {
        return Err("streams without keys or key_by_type".to_owned());
    }
    if let Some(unknown) = keys.iter().find(|key| !STREAM_KEYS.contains(*key)) {
        return Err(format!("stream {unknown}"));
    }
    if is_manual(summary) {
        return Ok(None);
    }
    let has_heart_rate = summary.get("average_heartrate").is_some();
    let mut answer = Map::new();
    // The base comes along whether it was asked for or not.
    for key in keys.into_iter().chain(["distance"]).filter(|key| has_heart_rate || *key != "heartrate") {
        let point = |n: usize| match key {
            "latlng" => json!([38.5, -120.2]),
            "moving" => json!(n > 0),
            // A sensor that lost contact for a moment.
            "heartrate" if n == 7 => Value::Null,
            "heartrate" => json!(100 + n),
            _ => json!(n * 10),
        };
        let data: Vec<Value> = (0..POINTS).map(point).collect();
        answer.insert(key.to_owned(), json!({"data": data, "series_type": "distance", "original_size": POINTS, "resolution": "high"}));
    }
    Ok(Some(Value::Object(answer)))
}
