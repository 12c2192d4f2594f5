//! Syncs, details and the daily comparison, through every refusal of Strava's and every fault of the database's.

use serde_json::{Value, json};
use testkit::fake_strava::Fault;
use testkit::marks::{ACTIVITY, FIRST_NAME, HEART_RATE, NONSENSE, NOTES, activity};

use super::connection::connect;
use super::story::{PAUSE_S, Story};
use crate::functions::ATHLETE;

/// Half an hour, in which a job that was put off is tried again.
const HALF_AN_HOUR_S: i64 = 30 * 60;

/// Starts a sync as the app does.
async fn start(story: &Story) {
    let (status, answer) = story.call("POST", "/sync-beta", r#"{"sync_type":"full"}"#).await;
    assert!([200, 201].contains(&status), "{answer}");
    let job: Value = serde_json::from_str(&answer).unwrap();
    let (status, answer) = story.call("GET", &format!("/job-status/{}", job["job_id"].as_str().unwrap()), "").await;
    assert_eq!(status, 200, "{answer}");
}

/// An activity that cannot be read, by what is wrong with it.
fn unreadable(id: i64, field: &str, value: Value) -> Value {
    let mut object = activity(ATHLETE, id, jiff::Timestamp::now());
    object[field] = value;
    object
}

#[tokio::test]
async fn a_history_through_every_refusal() {
    let story = Story::begin().await;
    let strava = &story.world().strava;
    for (n, (field, value)) in [
        ("start_date_local", json!(NONSENSE)),
        ("distance", json!(NONSENSE)),
        ("id", json!(NONSENSE)),
        ("athlete", json!({"id": 5, "name": FIRST_NAME})),
    ]
    .into_iter()
    .enumerate()
    {
        strava.add_activity(ATHLETE, unreadable(900 + i64::try_from(n).unwrap(), field, value));
    }
    connect(&story).await;
    for fault in [
        Fault::RateLimitedShort,
        Fault::RateLimitedDaily,
        Fault::TokenExpires,
        Fault::Status(401),
        Fault::Inactive,
        Fault::NotFound,
        Fault::Status(418),
    ] {
        story.fail_next("list", fault);
        story.deliver_all().await;
        // A day, for a daily limit ends with it.
        story.later(25 * 3600).await;
        story.later(HALF_AN_HOUR_S).await;
        start(&story).await;
    }
    // Three times, or the next try would do.
    for fault in [Fault::Status(500), Fault::Html, Fault::Truncated] {
        for n in 1..=3 {
            strava.fail(testkit::fake_strava::On::List(strava.count("list") + n), fault.clone());
        }
        story.deliver_all().await;
        story.later(HALF_AN_HOUR_S).await;
        start(&story).await;
    }
    story.deliver_all().await;
    story.later(HALF_AN_HOUR_S).await;
    story.happened(&format!("SELECT count(*) FROM activities WHERE name = '{ACTIVITY}' AND average_heart_rate = {HEART_RATE}")).await;
    story.happened("SELECT count(*) FROM unreadable_activities WHERE object LIKE '%Zqnonsense%'").await;
    story.ends().await;
}

#[tokio::test]
async fn details_and_the_daily_comparison() {
    let story = Story::begin().await;
    let strava = &story.world().strava;
    for n in 1..=6 {
        strava.set_detail(ATHLETE * 1000 + n, json!({"description": NOTES, "private_note": NOTES}));
    }
    strava.set_detail(ATHLETE * 1000 + 7, json!({"best_efforts": NOTES}));
    connect(&story).await;
    story.deliver_all().await;
    for (what, fault) in [
        ("detail", Fault::NotFound),
        ("detail", Fault::RateLimitedShort),
        ("streams", Fault::Html),
        ("streams", Fault::Status(401)),
        ("detail", Fault::Status(500)),
    ] {
        story.fail_next(what, fault);
        story.later(PAUSE_S).await;
    }
    story.later(HALF_AN_HOUR_S).await;
    story.happened(&format!("SELECT count(*) FROM activities WHERE description = '{NOTES}'")).await;
    // An edited and a deleted one are found by the comparison.
    strava.edit_activity(ATHLETE, ATHLETE * 1000 + 11, &[("name", json!(format!("{ACTIVITY} again")))]);
    strava.delete_activity(ATHLETE, ATHLETE * 1000 + 10);
    story.process(json!({"task": "sweep"})).await;
    story.later(25 * 3600).await;
    story.later(HALF_AN_HOUR_S).await;
    story.happened(&format!("SELECT count(*) FROM activities WHERE name = '{ACTIVITY} again'")).await;
    // A permission that is gone.
    strava.revoke(ATHLETE);
    start(&story).await;
    story.deliver_all().await;
    story.happened("SELECT count(*) FROM sync_jobs WHERE status = 'failed' AND error_message IS NOT NULL").await;
    story.ends().await;
}

/// Lets the database refuse what it is given, each time in another of its words; its code for it, and how that ends.
const PLANTED: [(&str, &str, &str); 4] = [
    (
        "ALTER TABLE activities ADD CONSTRAINT planted CHECK (name NOT LIKE 'Zq%') NOT VALID",
        "23514",
        "ALTER TABLE activities DROP CONSTRAINT planted",
    ),
    // A data exception, whose message quotes the value.
    (
        "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM NEW.name::integer; RETURN NEW; END$$;
         CREATE TRIGGER planted BEFORE INSERT OR UPDATE ON activities FOR EACH ROW EXECUTE FUNCTION planted()",
        "22P02",
        "DROP TRIGGER planted ON activities; DROP FUNCTION planted()",
    ),
    (
        "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
            RAISE EXCEPTION 'planted' USING DETAIL = NEW.name, HINT = NEW.map_summary_polyline; END$$;
         CREATE TRIGGER planted BEFORE INSERT OR UPDATE ON activities FOR EACH ROW EXECUTE FUNCTION planted()",
        "P0001",
        "DROP TRIGGER planted ON activities; DROP FUNCTION planted()",
    ),
    ("CREATE UNIQUE INDEX planted ON activities (athlete_id, average_heart_rate)", "23505", "DROP INDEX planted"),
];

#[tokio::test]
async fn a_database_that_refuses_is_not_quoted() {
    let story = Story::begin().await;
    for (plant, code, remove) in PLANTED {
        connect(&story).await;
        start(&story).await;
        let owner = story.world().database.owner().await;
        owner.batch_execute(plant).await.unwrap();
        story.deliver_all().await;
        let lines = story.world().logs.lines();
        assert!(lines.iter().any(|line| line.contains("A message could not be dealt with") && line.contains(code)), "{plant}: not refused");
        owner.batch_execute(remove).await.unwrap();
        assert_eq!(story.call("POST", "/delete-account", "").await.0, 200);
    }
    connect(&story).await;
    // Every function without its database.
    story.world().database.shut().await;
    for (method, path, body) in [
        ("POST", "/strava-auth", ""),
        ("POST", "/sync-beta", ""),
        ("POST", "/disconnect", ""),
        ("POST", "/delete-account", ""),
        ("GET", "/journal", ""),
        ("POST", "/chat", r#"{"message":"Zqmessage"}"#),
    ] {
        assert_eq!(story.call(method, path, body).await.0, 503, "{path}");
    }
    story.deliver_all().await;
    story.process(json!({"task": "process-pending"})).await;
    story.write_weeks(json!({"task": "due-weeks"})).await;
    story.world().database.reopen().await;
    story.ends().await;
}
