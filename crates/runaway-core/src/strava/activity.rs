//! One activity, asked for by its id: whose it is, what a summary has of it, and what only the detail has.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::detail::read_detail;
use super::{ReadObject, read_summary};
use crate::db::activities::Unreadable;
use crate::db::details::Detail;
use crate::domain::Activity;

/// What the answer holds.
#[derive(Debug)]
pub enum FetchedActivity {
    /// The athlete's activity.
    Own(Box<Activity>, Box<Detail>),
    /// Somebody else's that is visible to the athlete; it must not be kept.
    Foreign,
    /// Something to be kept aside.
    Unreadable(Unreadable),
}

#[derive(Deserialize)]
struct Owned {
    athlete: Option<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    id: Option<i64>,
}

/// Reads a detailed object: it has all that a summary has, and more.
pub fn read_activity(object: &RawValue, athlete_id: i64) -> FetchedActivity {
    let owner = serde_json::from_str::<Owned>(object.get()).ok().and_then(|owned| owned.athlete?.id);
    if owner.is_some_and(|id| id != athlete_id) {
        return FetchedActivity::Foreign;
    }
    let activity = match read_summary(object, athlete_id).1 {
        ReadObject::Activity(summary) => summary.activity,
        ReadObject::Unreadable(object) => return FetchedActivity::Unreadable(object),
    };
    match read_detail(object) {
        Some(detail) => FetchedActivity::Own(Box::new(activity), Box::new(detail)),
        None => FetchedActivity::Unreadable(Unreadable::answer(object.get(), "the answer is no detail of an activity")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_athletes_activity_is_recognised_before_it_is_read() {
        let read = |json: &str| {
            let raw = RawValue::from_string(json.to_owned()).unwrap_or_else(|error| panic!("{error}"));
            read_activity(&raw, 7)
        };
        let rest = r#""id":1,"type":"Run","start_date":"2026-01-04T06:30:00Z","start_date_local":"2026-01-04T06:30:00Z""#;
        assert!(matches!(read(&format!(r#"{{"athlete":{{"id":7}},{rest}}}"#)), FetchedActivity::Own(..)));
        assert!(matches!(read(&format!(r#"{{"athlete":{{"id":8}},{rest}}}"#)), FetchedActivity::Foreign));
        assert!(matches!(read(r#"{"athlete":{"id":8},"id":"x"}"#), FetchedActivity::Foreign));
        assert!(matches!(read(r#"{"athlete":{"id":7},"id":"x"}"#), FetchedActivity::Unreadable(_)));
        assert!(matches!(read(&format!(r#"{{"best_efforts":"none",{rest}}}"#)), FetchedActivity::Unreadable(_)));
    }
}
