//! The calls and the errors as the app reads them, and who may.

use jiff::Span;
use lambda_http::Body;
use serde_json::{Value, json};
use testkit::call::{checked, request};
use testkit::history;
use uuid::Uuid;

use crate::story::*;

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

fn is_timestamp(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 20 && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok())
}

/// The contract's Journal, strictly: what the app cannot decode it cannot show.
fn assert_journal(entry: &Value) {
    assert!(entry["id"].as_str().unwrap().parse::<Uuid>().is_ok());
    assert_eq!(entry["athlete_id"], ATHLETE);
    for date in ["week_start_date", "week_end_date"] {
        assert!(entry[date].as_str().unwrap().parse::<jiff::civil::Date>().is_ok(), "{entry}");
    }
    for text in ["narrative", "generation_model"] {
        assert!(!entry[text].as_str().unwrap().is_empty(), "{entry}");
    }
    for at in ["generation_timestamp", "updated_at"] {
        assert!(is_timestamp(&entry[at]), "{entry}");
    }
    let stats = &entry["week_stats"];
    for text in ["total_distance_miles", "total_time_hours", "avg_pace", "longest_run_miles"] {
        assert!(stats[text].is_string(), "{text}: {stats}");
    }
    assert!(stats["activities_count"].is_u64(), "{stats}");
    for number in ["elevation_gain_feet", "avg_heart_rate"] {
        assert!(stats.get(number).is_some_and(|value| value.is_i64() || value.is_null()), "{number}: {stats}");
    }
    let insights = entry["insights"].as_array().unwrap();
    assert!(!insights.is_empty());
    for insight in insights {
        assert!(["achievement", "pattern", "recommendation", "observation"].contains(&insight["type"].as_str().unwrap()), "{insight}");
        assert!(insight["text"].as_str().is_some_and(|text| text.ends_with('.')), "{insight}");
        assert!(!insight["activities"].as_array().unwrap().is_empty(), "tied to its rows: {insight}");
    }
}

#[tokio::test]
async fn a_week_is_written_by_any_of_its_days_and_stands_there() {
    let story = Story::with(&[]).await;
    let week = story.monday(1);
    story.store(&runs(100, week, &[0, 2, 3, 6])).await;
    let wednesday = week.checked_add(Span::new().days(2)).unwrap();
    let (status, answer) =
        story.call("POST", "/generate", &json!({"week_start_date": wednesday, "athlete_id": ATHLETE.to_string()}).to_string()).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    let entry = &answer["journal"];
    assert_journal(entry);
    assert_eq!(entry["week_start_date"], json!(week));
    assert_eq!(entry["week_end_date"], json!(week.checked_add(Span::new().days(6)).unwrap()));
    let stats = &entry["week_stats"];
    let expected = ["24.85", "3.3", "8:03", "6.21"];
    let shown = ["total_distance_miles", "total_time_hours", "avg_pace", "longest_run_miles"].map(|name| stats[name].as_str().unwrap());
    assert_eq!(shown, expected);
    assert_eq!(
        (&stats["activities_count"], &stats["elevation_gain_feet"], &stats["avg_heart_rate"]),
        (&json!(4), &json!(558), &json!(142))
    );
    assert_eq!(story.generate(week).await, *entry);
    assert_eq!(story.entries().await, std::slice::from_ref(entry));
    let (status, listed) = story.call("GET", &format!("/{ATHLETE}?limit=1"), "").await;
    assert_eq!((status, &listed["count"], &listed["entries"][0], &listed["success"]), (200, &json!(1), entry, &json!(true)));
    story.ends(&[]).await;
}

#[tokio::test]
async fn without_a_date_it_is_the_athletes_current_week() {
    let story = Story::with(&[]).await;
    let today = story.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    story.store(&runs(100, today, &[0])).await;
    let (status, answer) = story.call("POST", "/generate", "").await;
    assert_eq!((status, &answer["journal"]["week_start_date"]), (200, &json!(story.monday(0))));
    story.ends(&[]).await;
}

#[tokio::test]
async fn recent_weeks_are_written_at_once_and_empty_ones_skipped() {
    let story = Story::with(&[]).await;
    for n in [1, 2, 4, 11, 12] {
        story.store(&runs(1000 * n, story.monday(n), &[0, 2])).await;
    }
    let (status, answer) = story.call("POST", "/generate-recent", "").await;
    assert_eq!((status, &answer["generated"]), (200, &json!(2)));
    let (status, answer) = story.call("POST", "/generate-recent", r#"{"weeks":12}"#).await;
    let weeks: Vec<&str> = answer["entries"].as_array().unwrap().iter().map(|entry| entry["week_start_date"].as_str().unwrap()).collect();
    let expected: Vec<String> = [1, 2, 4, 11].map(|n| story.monday(n).to_string()).to_vec();
    assert_eq!((status, weeks, &answer["generated"]), (200, expected.iter().map(String::as_str).collect(), &json!(2)));
    answer["entries"].as_array().unwrap().iter().for_each(assert_journal);
    let newest_first: Vec<Value> = story.entries().await;
    assert_eq!(newest_first, *answer["entries"].as_array().unwrap());
    story.ends(&[]).await;
}

#[tokio::test]
async fn bad_input_names_its_field_and_stores_nothing() {
    let story = Story::with(&[]).await;
    story.store(&runs(100, story.monday(1), &[0])).await;
    for (method, path, body, named) in [
        ("POST", "/generate", "{", "The body"),
        ("POST", "/generate", r#"{"week_start_date":5}"#, "week_start_date"),
        ("POST", "/generate", r#"{"week_start_date":"yesterday"}"#, "week_start_date"),
        ("POST", "/generate", r#"{"week_start_date":"2026-02-30"}"#, "week_start_date"),
        ("POST", "/generate", r#"{"week_start_date":"2026-01-05T00:00:00Z"}"#, "week_start_date"),
        ("POST", "/generate", r#"{"week_start_date":"20260105"}"#, "week_start_date"),
        ("POST", "/generate", r#"{"week_start_date":"9999-12-31"}"#, "week_start_date"),
        ("POST", "/generate", r#"{"week_start_date":"2026-01-05","force":"yes"}"#, "force"),
        ("POST", "/generate", r#"{"athlete_id":[]}"#, "athlete_id"),
        ("POST", "/generate-recent", r#"{"weeks":0}"#, "weeks"),
        ("POST", "/generate-recent", r#"{"weeks":13}"#, "weeks"),
        ("POST", "/generate-recent", r#"{"weeks":"4"}"#, "weeks"),
        ("GET", "?limit=0", "", "limit"),
        ("GET", "?limit=101", "", "limit"),
        ("GET", "?limit=ten", "", "limit"),
        ("GET", "?athlete_id=x", "", "athlete_id"),
        ("GET", "/weeks/today/chart.svg", "", "The week"),
        ("GET", "/weeks/2026-13-01/chart.svg", "", "The week"),
    ] {
        let answer = story.call(method, path, body).await;
        assert_eq!(code(&answer), (400, "INVALID_REQUEST"), "{path} {body}");
        assert!(answer.1["error"]["message"].as_str().unwrap().starts_with(named), "{path} {body}: {}", answer.1);
    }
    assert_eq!(story.world.database.count("SELECT count(*) FROM training_journal").await, 0);
    for empty in [story.monday(3), jiff::civil::date(1990, 1, 1), jiff::civil::date(2999, 1, 7)] {
        let answer = story.call("POST", "/generate", &json!({"week_start_date": empty}).to_string()).await;
        assert_eq!(code(&answer), (404, "NO_ACTIVITIES"), "{empty}");
    }
    story.ends(&[]).await;
}

#[tokio::test]
async fn paths_methods_and_other_peoples_journals() {
    let story = Story::with(&[]).await;
    story.store(&runs(100, story.monday(1), &[0])).await;
    story.generate(story.monday(1)).await;
    for path in
        ["/", "/generate/", "/generate/now", "/weeks", "/weeks/2026-01-05", "/weeks/2026-01-05/chart.png", "/94451852/", "/abc", "/-1"]
    {
        assert_eq!(code(&story.call("GET", path, "").await), (404, "NOT_FOUND"), "{path}");
    }
    for (method, path) in
        [("GET", "/generate"), ("DELETE", ""), ("PUT", "/generate-recent"), ("POST", "/94451852"), ("POST", "/weeks/2026-01-05/chart.svg")]
    {
        assert_eq!(code(&story.call(method, path, "").await), (405, "METHOD_NOT_ALLOWED"), "{method} {path}");
    }
    for (method, path, body) in [
        ("GET", "?athlete_id=5", ""),
        ("GET", "/5", ""),
        ("GET", "/99999999999999999999999", ""),
        ("GET", "/weeks/2026-01-05/chart.svg?athlete_id=5", ""),
        ("POST", "/generate", r#"{"athlete_id":5}"#),
        ("POST", "/generate-recent", r#"{"athlete_id":"5"}"#),
    ] {
        assert_eq!(code(&story.call(method, path, body).await), (403, "FORBIDDEN"), "{method} {path} {body}");
        let nobody = story.world.issuer.token(Uuid::new_v4());
        let answer = journal::api::handle(&story.api, request(method, &format!("/journal{path}"), Some(&nobody), body)).await;
        assert_eq!(code(&checked(&answer)), (403, "FORBIDDEN"), "{method} {path} {body}");
    }
    let nobody = story.world.issuer.token(Uuid::new_v4());
    for (method, path) in [("GET", ""), ("POST", "/generate"), ("POST", "/generate-recent"), ("GET", "/weeks/2026-01-05/chart.svg")] {
        let answer = |token: Option<String>| {
            let request = request(method, &format!("/journal{path}"), token.as_deref(), "");
            journal::api::handle(&story.api, request)
        };
        assert_eq!(code(&checked(&answer(Some(nobody.clone())).await)), (404, "ATHLETE_NOT_FOUND"), "{path}");
        assert_eq!(code(&checked(&answer(None).await)), (401, "UNAUTHORIZED"), "{path}");
    }
    story.ends(&[]).await;
}

#[tokio::test]
async fn the_chart_is_a_picture_with_words() {
    let story = Story::with(&[]).await;
    story.store(&history::demo_activities(story.now())).await;
    for (day, title) in [(story.monday(1), "Running, week of "), (jiff::civil::date(1999, 1, 6), "Running, week of 4 Jan")] {
        let path = format!("/journal/weeks/{day}/chart.svg");
        let answer = journal::api::handle(&story.api, request("GET", &path, Some(&story.world.token()), "")).await;
        assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (200, &"image/svg+xml".parse().unwrap()));
        let Body::Text(picture) = answer.body() else { panic!("no text") };
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>"));
        assert!(picture.contains(title) && picture.contains("<desc") && picture.contains("prefers-color-scheme"), "{picture}");
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
    }
    story.ends(&[]).await;
}
