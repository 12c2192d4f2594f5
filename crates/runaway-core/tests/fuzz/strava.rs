//! Strava's objects: summaries and detailed activities, as they are known and in every mutation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use runaway_core::domain::Activity;
use runaway_core::strava::{FetchedActivity, ReadObject, read_activity, read_summary};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use testkit::activity::shapes;
use testkit::fuzz::{MARK, check, damaged, json, mutated, text};

const CASES: u32 = 64;
pub(super) const ATHLETE: i64 = 4711;
/// The bounds that a readable activity keeps.
const METRES_MAX: f64 = 1e9;
const HEART_RATE_MAX: f64 = 1_000.0;
const UTC_OFFSET_S_MAX: i32 = 14 * 3600;

/// Times as Strava words them, and as it does not.
fn time() -> impl Strategy<Value = Value> + Clone {
    let instant =
        (-70_000_000_000_i64..260_000_000_000).prop_map(|s| Timestamp::from_second(s).map(|time| time.to_string()).unwrap_or_default());
    prop_oneof![
        3 => instant.clone().prop_map(Value::from),
        1 => instant.prop_map(|text| Value::from(text.replace('Z', ".7Z"))),
        1 => "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](Z|z|\\+05:30|)".prop_map(Value::from),
        1 => json(),
    ]
}

/// A known shape with fields changed, added or left out.
pub(super) fn object() -> impl Strategy<Value = Map<String, Value>> + Clone {
    let known: Vec<Map<String, Value>> = shapes(ATHLETE).into_iter().filter_map(|(_, shape)| shape.as_object().cloned()).collect();
    let odd = prop::sample::select(vec![1e9, 1e308, -1.0, 5e-324, 1e-300, 0.0]);
    let number = prop_oneof![3 => -10.0..1e5_f64, 1 => odd, 1 => any::<f64>()];
    let names =
        ["distance", "moving_time", "elapsed_time", "utc_offset", "average_heartrate", "elev_high", "suffer_score", "total_elevation_gain"];
    let numbers = prop::collection::vec((prop::sample::select(names.to_vec()), number), 0..3);
    let times = prop::collection::vec((prop::sample::select(vec!["start_date", "start_date_local"]), time()), 0..2);
    let owner = prop_oneof![6 => Just(json!({"id": ATHLETE})), 1 => any::<i64>().prop_map(|id| json!({"id": id})), 1 => json()];
    let words =
        prop::collection::vec((prop::sample::select(vec!["name", "sport_type", "timezone", "device_name", "external_id"]), text()), 0..2);
    (prop::sample::select(known).prop_flat_map(|shape| mutated(shape, &["more"])), numbers, times, owner, words).prop_map(
        |(mut object, numbers, times, owner, words)| {
            object.insert("athlete".to_owned(), owner);
            object.extend(numbers.into_iter().map(|(name, number)| (name.to_owned(), Value::from(number))));
            object.extend(times.into_iter().map(|(name, time)| (name.to_owned(), time)));
            object.extend(words.into_iter().map(|(name, word)| (name.to_owned(), Value::from(word))));
            object
        },
    )
}

/// Whose an object says it is; a list is read like an object whose first field is the id.
fn owner(object: &Map<String, Value>) -> Option<i64> {
    let owner = &object["athlete"];
    owner.get("id").or(owner.get(0)).and_then(Value::as_i64)
}

pub(super) fn raw(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).ok()
}

/// What holds for every activity that was read.
fn is_sound(activity: &Activity) -> Result<(), TestCaseError> {
    let years = [activity.start.to_zoned(jiff::tz::TimeZone::UTC).year(), activity.start_local.year()];
    prop_assert!(activity.id > 0 && !activity.sport.is_empty() && years.iter().all(|year| (1..=9999).contains(year)), "{activity:?}");
    prop_assert_eq!((activity.start.subsec_nanosecond(), activity.start_local.subsec_nanosecond()), (0, 0));
    let metres = [activity.distance_m, activity.elevation_gain_m];
    prop_assert!(metres.iter().flatten().all(|metres| metres.abs() <= METRES_MAX), "{metres:?}");
    let rates = [activity.average_heart_rate, activity.max_heart_rate];
    prop_assert!(rates.iter().flatten().all(|rate| (0.0..=HEART_RATE_MAX).contains(rate)), "{rates:?}");
    prop_assert!([activity.moving_s, activity.elapsed_s].iter().flatten().all(|seconds| *seconds >= 0));
    prop_assert!(activity.utc_offset_s.is_none_or(|offset| offset.abs() <= UTC_OFFSET_S_MAX));
    prop_assert!(activity.map_summary_polyline.as_deref() != Some(""));
    Ok(())
}

#[tokio::test]
async fn a_summary_is_read_within_its_bounds_or_kept_aside_with_a_reason() {
    check("summaries", CASES, &object(), async |object| {
        let text = Value::Object(object.clone()).to_string();
        let raw = raw(&text).unwrap();
        let (listed, read) = read_summary(&raw, ATHLETE);
        prop_assert_eq!(listed, read_summary(&raw, ATHLETE).0, "read twice, it is the same");
        let id = object.get("id").and_then(Value::as_i64);
        prop_assert_eq!(listed.id, id);
        prop_assert!(id.map_or(listed.key < 0, |id| listed.key == id), "{listed:?}");
        match read {
            ReadObject::Activity(summary) => {
                prop_assert_eq!(&summary.verbatim, &text);
                prop_assert_eq!((Some(summary.activity.id), listed.start_s), (id, Some(summary.activity.start.as_second())));
                let owner = owner(&object);
                prop_assert!(owner.is_none_or(|owner| owner == ATHLETE), "another athlete's");
                is_sound(&summary.activity)?;
                let mut more = object.clone();
                more.insert("unheard_of".to_owned(), json!([MARK]));
                let ReadObject::Activity(again) = read_summary(&self::raw(&Value::Object(more).to_string()).unwrap(), ATHLETE).1 else {
                    return Err(TestCaseError::fail("a field that is not known makes it unreadable"));
                };
                prop_assert_eq!(&again.activity, &summary.activity);
            }
            ReadObject::Unreadable(unreadable) => {
                prop_assert!(!unreadable.reason.is_empty() && !unreadable.reason.contains(MARK), "{}", unreadable.reason);
                prop_assert_eq!(unreadable.verbatim, text);
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn any_json_in_a_list_has_a_place_in_the_walk() {
    let texts = prop_oneof![
        2 => json().prop_map(|value| value.to_string().into_bytes()),
        3 => object().prop_flat_map(|object| damaged(Value::Object(object).to_string().into_bytes())),
    ];
    check("objects of lists", CASES, &texts, async |bytes| {
        let Some(raw) = std::str::from_utf8(&bytes).ok().and_then(raw) else { return Err(TestCaseError::reject("no JSON")) };
        let (listed, read) = read_summary(&raw, ATHLETE);
        prop_assert!(listed.id.map_or(listed.key < 0, |id| listed.key == id), "{listed:?}");
        match read {
            ReadObject::Activity(summary) => is_sound(&summary.activity)?,
            ReadObject::Unreadable(unreadable) => prop_assert!(!unreadable.reason.contains(MARK), "{}", unreadable.reason),
        }
        Ok(())
    })
    .await;
}

/// The best efforts of a detailed activity, in known and in senseless forms.
fn efforts() -> impl Strategy<Value = Value> + Clone {
    let names = vec!["400m", "1k", "5K", "Half-Marathon", "10 miles", "Deka", "", MARK];
    let number = prop_oneof![3 => (0..50_000_i64).prop_map(Value::from), 1 => (-10.0..1e10_f64).prop_map(Value::from), 1 => json()];
    let effort = (prop::sample::select(names), number.clone(), number.clone(), number).prop_map(|(name, distance, elapsed, moving)| {
        json!({"name": name, "distance": distance, "elapsed_time": elapsed, "moving_time": moving, "start_index": 3, "end_index": null})
    });
    prop_oneof![6 => prop::collection::vec(effort, 0..8).prop_map(Value::from), 1 => json()]
}

/// A detailed activity.
pub(super) fn detailed() -> impl Strategy<Value = Map<String, Value>> + Clone {
    (object(), efforts(), prop_oneof![text().prop_map(Value::from), json()]).prop_map(|(mut object, efforts, description)| {
        object.insert("best_efforts".to_owned(), efforts);
        object.insert("description".to_owned(), description);
        object
    })
}

#[tokio::test]
async fn a_detailed_activity_is_the_athletes_own_with_one_effort_a_distance() {
    check("detailed activities", CASES, &detailed(), async |object| {
        let raw = raw(&Value::Object(object.clone()).to_string()).unwrap();
        let owner = owner(&object);
        match read_activity(&raw, ATHLETE) {
            FetchedActivity::Own(activity, detail) => {
                prop_assert!(owner.is_none_or(|owner| owner == ATHLETE));
                is_sound(&activity)?;
                let longest: BTreeMap<i32, i32> = detail.efforts.iter().map(|effort| (effort.distance_m, effort.elapsed_s)).collect();
                prop_assert_eq!(longest.len(), detail.efforts.len(), "one effort of a distance");
                prop_assert!(longest.iter().all(|(metres, seconds)| *metres > 0 && *seconds > 0), "{longest:?}");
                let is_plain = |text: &Option<String>| text.as_ref().is_none_or(|text| !text.trim().is_empty() && !text.contains('\0'));
                prop_assert!(is_plain(&detail.description) && is_plain(&detail.device_name), "{detail:?}");
            }
            FetchedActivity::Foreign => prop_assert!(owner.is_some_and(|owner| owner != ATHLETE)),
            FetchedActivity::Unreadable(unreadable) => prop_assert!(!unreadable.reason.contains(MARK), "{}", unreadable.reason),
        }
        Ok(())
    })
    .await;
}
