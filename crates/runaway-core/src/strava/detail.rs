//! Reading what only a detailed activity and its streams have. Laps and splits stay in the verbatim object.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::db::details::{BestEffort, Detail, StreamSummary};

/// What a call of the streams asks for; the route is not needed beside the polyline.
pub(super) const STREAM_KEYS: &str = "time,distance,altitude,velocity_smooth,heartrate,cadence,watts,temp,grade_smooth";
/// Streams that only rise: their mean says nothing.
const CUMULATIVE: [&str; 2] = ["time", "distance"];
/// Strava's names of best efforts, older spellings included, with their metres rounded up to whole ones, as records
/// name their distances. Strava itself says 1609 and 21097.
const EFFORTS: [(&str, i32); 16] = [
    ("400m", 400),
    ("1/2 mile", 805),
    ("1K", 1000),
    ("1 mile", 1610),
    ("2 mile", 3219),
    ("2 miles", 3219),
    ("5K", 5000),
    ("10K", 10_000),
    ("15K", 15_000),
    ("10 mile", 16_094),
    ("10 miles", 16_094),
    ("20K", 20_000),
    ("Half-Marathon", 21_098),
    ("30K", 30_000),
    ("Marathon", 42_195),
    ("50K", 50_000),
];
/// An effort without a known name counts for the distance it is this near to, as a share of it.
const DISTANCE_TOLERANCE: f64 = 0.01;

#[derive(Deserialize)]
struct Fields {
    description: Option<String>,
    device_name: Option<String>,
    best_efforts: Option<Vec<Effort>>,
}

#[derive(Deserialize)]
struct Effort {
    name: Option<String>,
    distance: Option<f64>,
    elapsed_time: Option<f64>,
    moving_time: Option<f64>,
    start_index: Option<i32>,
    end_index: Option<i32>,
}

impl Effort {
    /// The distance it stands for, by name or else by its metres.
    fn metres(&self) -> Option<i32> {
        let name = self.name.as_deref().unwrap_or_default().trim();
        let by_name = EFFORTS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let near = |distance: f64| EFFORTS.iter().find(|(_, m)| (distance / f64::from(*m) - 1.0).abs() <= DISTANCE_TOLERANCE);
        let known = by_name.or_else(|| near(self.distance?)).map(|(_, metres)| *metres);
        known.or_else(|| whole(self.distance).filter(|metres| *metres > 0))
    }
}

fn whole(number: Option<f64>) -> Option<i32> {
    let number = number.filter(|n| (0.0..=f64::from(i32::MAX)).contains(n))?;
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let whole = number.round() as i32;
    Some(whole)
}

/// Reads a detailed activity; `None` where it is not one.
pub(super) fn read_detail(object: &RawValue) -> Option<Detail> {
    let fields: Fields = serde_json::from_str(object.get()).ok()?;
    // The fastest of each distance; Strava's order is not one of length.
    let mut efforts: BTreeMap<i32, BestEffort> = BTreeMap::new();
    for effort in fields.best_efforts.unwrap_or_default() {
        let (Some(distance_m), Some(elapsed_s)) = (effort.metres(), whole(effort.elapsed_time).filter(|s| *s > 0)) else { continue };
        let (start_index, end_index) = (effort.start_index, effort.end_index);
        let read = BestEffort { distance_m, elapsed_s, moving_s: whole(effort.moving_time), start_index, end_index };
        let best = efforts.entry(distance_m).or_insert(read);
        if elapsed_s < best.elapsed_s {
            *best = read;
        }
    }
    let non_empty = |text: Option<String>| text.filter(|text| !text.trim().is_empty()).map(|text| text.replace('\0', ""));
    Some(Detail {
        verbatim: object.get().to_owned(),
        description: non_empty(fields.description),
        device_name: non_empty(fields.device_name),
        efforts: efforts.into_values().collect(),
    })
}

#[derive(Deserialize)]
struct Stream {
    data: Vec<Value>,
}

/// Reads streams keyed by their type and sums each up; `None` where they are not that.
pub(super) fn read_streams(body: &[u8]) -> Option<Vec<StreamSummary>> {
    let streams: HashMap<String, Stream> = serde_json::from_slice(body).ok()?;
    let mut summaries: Vec<StreamSummary> = streams
        .into_iter()
        .filter(|(kind, _)| STREAM_KEYS.split(',').any(|asked| asked == kind))
        .map(|(kind, stream)| summary(kind, &stream.data))
        .collect();
    summaries.sort_by(|a, b| a.kind.cmp(&b.kind));
    Some(summaries)
}

fn summary(kind: String, data: &[Value]) -> StreamSummary {
    let (mut count, mut sum) = (0_u32, 0.0);
    let (mut minimum, mut maximum): (Option<f64>, Option<f64>) = (None, None);
    for value in data.iter().filter_map(Value::as_f64) {
        count += 1;
        sum += value;
        minimum = Some(minimum.map_or(value, |least| least.min(value)));
        maximum = Some(maximum.map_or(value, |most| most.max(value)));
    }
    // Points so large that their sum is none have no mean either.
    let mean = (count > 0 && !CUMULATIVE.contains(&kind.as_str())).then(|| sum / f64::from(count)).filter(|mean| mean.is_finite());
    StreamSummary { kind, points: i32::try_from(data.len()).unwrap_or(i32::MAX), minimum, maximum, mean }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(json: &str) -> Option<Detail> {
        read_detail(&RawValue::from_string(json.to_owned()).unwrap_or_else(|error| panic!("{error}")))
    }

    #[test]
    fn efforts_are_known_by_name_in_any_spelling_or_by_their_distance() {
        let read = detail(
            r#"{"best_efforts":[{"name":"10k","distance":10000,"elapsed_time":2700,"moving_time":2690.0,"start_index":3,"end_index":900},
                {"name":"2 miles","distance":3219,"elapsed_time":800},{"name":"HALF-MARATHON","distance":1,"elapsed_time":6000},
                {"name":"Meile","distance":1609.3,"elapsed_time":400},{"name":"Deka","distance":12000,"elapsed_time":3300},
                {"name":"10K","distance":10000,"elapsed_time":2650},{"name":"5K","distance":5000},{"elapsed_time":9}]}"#,
        );
        let efforts: Vec<_> = read.unwrap().efforts.iter().map(|effort| (effort.distance_m, effort.elapsed_s)).collect();
        assert_eq!(efforts, [(1610, 400), (3219, 800), (10_000, 2650), (12_000, 3300), (21_098, 6000)]);
    }

    #[test]
    fn what_is_absent_null_or_blank_is_nothing() {
        for json in ["{}", r#"{"description":null,"best_efforts":null}"#, r#"{"description":" \r\n","best_efforts":[]}"#] {
            let read = detail(json).unwrap();
            assert_eq!((read.description, read.efforts.len()), (None, 0), "{json}");
        }
        assert!(detail("[]").is_none() && detail(r#"{"best_efforts":"none"}"#).is_none());
    }

    #[test]
    fn a_stream_is_summed_up_without_its_gaps() {
        let body = br#"{"heartrate":{"data":[100,null,140],"original_size":3},"time":{"data":[0,1,5]},"latlng":{"data":[[1,2]]},"watts":{"data":[]}}"#;
        let read = read_streams(body).unwrap();
        let of = |kind: &str| read.iter().find(|s| s.kind == kind).map(|s| (s.points, s.minimum, s.maximum, s.mean));
        assert_eq!(of("heartrate"), Some((3, Some(100.0), Some(140.0), Some(120.0))));
        assert_eq!(of("time"), Some((3, Some(0.0), Some(5.0), None)));
        assert_eq!((of("watts"), of("latlng")), (Some((0, None, None, None)), None));
        assert!(read_streams(b"[]").is_none());
        let huge = read_streams(br#"{"watts":{"data":[1e308,1e308]}}"#).unwrap();
        assert_eq!((huge[0].maximum, huge[0].mean), (Some(1e308), None));
    }
}
