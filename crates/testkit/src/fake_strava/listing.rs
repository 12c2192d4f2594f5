//! `GET /athlete/activities` as Strava does it.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

const PER_PAGE_DEFAULT: i64 = 30;
const PER_PAGE_MAX: i64 = 200;
/// What a listing understands.
const PARAMETERS: [&str; 4] = ["before", "after", "page", "per_page"];

fn start_s(activity: &Value) -> Option<i64> {
    let start: Timestamp = activity.get("start_date")?.as_str()?.parse().ok()?;
    Some(start.as_second())
}

/// One page; `Err` says what the real Strava would refuse.
pub(super) fn page(activities: &[Value], scope: &str, query: &HashMap<String, String>, now_s: i64) -> Result<Vec<Value>, String> {
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
    let sees_all = scope.split(',').any(|scope| scope == "activity:read_all");
    let mut listed: Vec<&Value> = activities
        .iter()
        .filter(|activity| sees_all || activity.get("private").and_then(Value::as_bool) != Some(true))
        // An object without a readable start is listed among the newest.
        .filter(|activity| start_s(activity).is_none_or(|s| before.is_none_or(|b| s < b) && after.is_none_or(|a| s > a)))
        .filter(|activity| start_s(activity).is_some() || before.is_none_or(|b| b > now_s))
        .collect();
    listed.sort_by_key(|activity| std::cmp::Reverse(start_s(activity).unwrap_or(i64::MAX)));
    if after.is_some() && before.is_none() {
        listed.reverse();
    }
    let skip = usize::try_from((page - 1) * per_page).expect("a page number");
    Ok(listed.into_iter().skip(skip).take(usize::try_from(per_page).expect("a page size")).cloned().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids(query: &[(&str, &str)]) -> Vec<i64> {
        let activities: Vec<Value> =
            (1..=5).map(|n| json!({"id": n, "start_date": Timestamp::from_second(n * 100).unwrap(), "private": n == 5})).collect();
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        page(&activities, "activity:read_all", &query, 10_000).unwrap().iter().map(|a| a["id"].as_i64().unwrap()).collect()
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
        let private = [json!({"id": 1, "private": true})];
        assert!(page(&private, "read,activity:read", &HashMap::new(), 10_000).unwrap().is_empty());
    }
}
