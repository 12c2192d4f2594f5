//! `GET /athlete/activities` as Strava does it.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

const PER_PAGE_DEFAULT: i64 = 30;
const PER_PAGE_MAX: i64 = 200;
/// What a listing understands.
const PARAMETERS: [&str; 4] = ["before", "after", "page", "per_page"];

/// An activity as text, with what a listing needs to know of it: a history is listed far more often than it changes.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) id: Option<i64>,
    start_s: Option<i64>,
    is_private: bool,
    pub(super) text: String,
}

impl Listed {
    pub(super) fn of(activity: &Value) -> Self {
        let start: Option<Timestamp> = activity.get("start_date").and_then(|start| start.as_str()?.parse().ok());
        Self {
            id: activity.get("id").and_then(Value::as_i64),
            start_s: start.map(Timestamp::as_second),
            is_private: activity.get("private").and_then(Value::as_bool) == Some(true),
            text: activity.to_string(),
        }
    }

    pub(super) fn value(&self) -> Value {
        serde_json::from_str(&self.text).expect("an activity")
    }

    pub(super) fn is_visible(&self, scope: &str) -> bool {
        !self.is_private || scope.split(',').any(|scope| scope == "activity:read_all")
    }
}

/// A history in the order of a listing: newest first. An object without a readable start is listed among the newest.
pub(super) fn sorted(mut history: Vec<Listed>) -> Vec<Listed> {
    history.sort_by_key(|listed| std::cmp::Reverse(listed.start_s.unwrap_or(i64::MAX)));
    history
}

/// One page, as JSON; `Err` says what the real Strava would refuse.
pub(super) fn page(history: &[Listed], scope: &str, query: &HashMap<String, String>, now_s: i64) -> Result<String, String> {
    if let Some(unknown) = query.keys().find(|name| !PARAMETERS.contains(&name.as_str())) {
        return Err(format!("parameter {unknown}"));
    }
    let number = |name: &str| -> Result<Option<i64>, String> {
        query.get(name).map(|text| text.parse().map_err(|_| format!("{name}={text}"))).transpose()
    };
    let (before, after) = (number("before")?, number("after")?);
    let (page, per_page) = (number("page")?.unwrap_or(1), number("per_page")?.unwrap_or(PER_PAGE_DEFAULT));
    if !(1..=PER_PAGE_MAX).contains(&per_page) || page < 1 {
        return Err(format!("page={page}, per_page={per_page}"));
    }
    if after.is_some_and(|after| after > now_s) {
        return Err("after lies in the future".to_owned());
    }
    let is_inside = |listed: &&Listed| match listed.start_s {
        Some(s) => before.is_none_or(|b| s < b) && after.is_none_or(|a| s > a),
        None => before.is_none_or(|b| b > now_s),
    };
    let mut found: Vec<&str> =
        history.iter().filter(|listed| listed.is_visible(scope)).filter(is_inside).map(|listed| listed.text.as_str()).collect();
    if after.is_some() && before.is_none() {
        found.reverse();
    }
    let size = usize::try_from(per_page).expect("a page size");
    let skip = usize::try_from(page - 1).expect("a page number") * size;
    let texts: Vec<&str> = found.into_iter().skip(skip).take(size).collect();
    Ok(format!("[{}]", texts.join(",")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids(query: &[(&str, &str)]) -> Vec<i64> {
        let activity = |n: i64| json!({"id": n, "start_date": Timestamp::from_second(n * 100).unwrap(), "private": n == 5});
        let history = sorted((1..=5).map(|n| Listed::of(&activity(n))).collect());
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let page: Vec<Value> = serde_json::from_str(&page(&history, "activity:read_all", &query, 10_000).unwrap()).unwrap();
        page.iter().map(|a| a["id"].as_i64().unwrap()).collect()
    }

    #[test]
    fn newest_first_but_for_after_alone() {
        assert_eq!(ids(&[]), [5, 4, 3, 2, 1]);
        assert_eq!(ids(&[("before", "300")]), [2, 1]);
        assert_eq!(ids(&[("after", "200")]), [3, 4, 5]);
        assert_eq!(ids(&[("after", "100"), ("before", "500")]), [4, 3, 2]);
        assert_eq!(ids(&[("per_page", "2"), ("page", "2")]), [3, 2]);
    }

    #[test]
    fn nonsense_is_refused_and_private_activities_need_their_scope() {
        for (name, value) in [("per_page", "201"), ("per_page", "0"), ("page", "0"), ("before", "x"), ("after", "20000"), ("limit", "1")] {
            let query = HashMap::from([(name.to_owned(), value.to_owned())]);
            assert!(page(&[], "activity:read_all", &query, 10_000).is_err(), "{name}={value}");
        }
        let private = [Listed::of(&json!({"id": 1, "private": true}))];
        assert_eq!(page(&private, "read,activity:read", &HashMap::new(), 10_000).unwrap(), "[]");
    }
}
