//! What the queues and schedules may hand to the two workers.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use runaway_core::queue::{JournalMessage, SyncMessage};
use serde_json::{Value, json};
use testkit::fuzz::{MARK, check, json, text};
use uuid::Uuid;

use crate::functions::ATHLETE;
use crate::{quiet_world, with_history};

const CASES: u32 = 16;

fn in_a_minute() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

/// A record's body.
fn body() -> impl Strategy<Value = String> {
    let id = any::<u128>().prop_map(Uuid::from_u128);
    let athlete = prop_oneof![3 => Just(ATHLETE), 1 => any::<i64>()];
    let week = prop::sample::select(vec!["2026-11-23", "1999-01-01", "-009999-01-01", "9999-12-31", "2026-11-26"]);
    prop_oneof![
        2 => id.clone().prop_map(|job_id| SyncMessage::Job { job_id }.to_body()),
        2 => id.prop_map(|event_id| SyncMessage::Event { event_id }.to_body()),
        2 => (athlete, week).prop_filter_map("a date", |(athlete_id, week)| Some(JournalMessage { athlete_id, week_start_date: week.parse().ok()? }.to_body())),
        1 => json().prop_map(|value| value.to_string()),
        1 => text(),
    ]
}

fn event() -> impl Strategy<Value = Value> {
    let record = (prop::option::weighted(0.9, "[a-z0-9-]{1,12}"), prop_oneof![8 => body().prop_map(Value::from), 1 => json()], json())
        .prop_map(|(id, body, more)| json!({"messageId": id, "body": body, "attributes": more}));
    let plain = (prop::option::weighted(0.9, "[a-z0-9-]{1,12}"), body()).prop_map(|(id, body)| json!({"messageId": id, "body": body}));
    let tasks = vec!["process-pending", "reset-stuck", "sweep", "cleanup", "due-weeks", "", "PROCESS-PENDING", MARK];
    prop_oneof![
        4 => prop::collection::vec(plain, 0..5).prop_map(|records| json!({"Records": records})),
        2 => prop::collection::vec(record, 0..5).prop_map(|records| json!({"Records": records})),
        3 => prop::sample::select(tasks).prop_map(|task| json!({"task": task})),
        1 => json().prop_map(|value| json!({"Records": value})),
        1 => (json(), json()).prop_map(|(task, more)| json!({"task": task, "more": more})),
        1 => json(),
    ]
}

/// What holds for the answer of either worker.
fn is_right(event: &Value, known: &[&str], outcome: Result<Value, lambda_http::Error>) -> Result<(), TestCaseError> {
    match outcome {
        Ok(answer) if event.get("Records").is_some() => {
            let records = event["Records"].as_array().unwrap();
            let ids: Vec<&str> = records.iter().map(|record| record["messageId"].as_str().unwrap_or_default()).collect();
            let failures = answer["batchItemFailures"].as_array().unwrap();
            prop_assert!(failures.iter().all(|failure| ids.contains(&failure["itemIdentifier"].as_str().unwrap())), "{answer}");
        }
        Ok(answer) => {
            prop_assert!(answer["done"].is_u64() && event["task"].as_str().is_some_and(|task| known.contains(&task)), "{answer}");
        }
        Err(error) => {
            prop_assert!(!error.to_string().contains(MARK) && !format!("{error:?}").contains(MARK), "{error:?}");
            prop_assert!(event["task"].as_str().is_none_or(|task| !known.contains(&task)) || event.get("Records").is_some(), "{error}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_worker_names_the_records_that_failed_and_refuses_the_rest_unquoted() {
    let functions = with_history(quiet_world().await).await;
    check("events of the workers", CASES, &event(), async |event| {
        // A list is read like a record whose first field is its id, which SQS alone gives: no record looks like that.
        prop_assume!(event["Records"].as_array().is_none_or(|records| !records.iter().any(Value::is_array)));
        let outcome = sync_processor::handle(&functions.processor, event.clone(), in_a_minute()).await;
        is_right(&event, &["process-pending", "reset-stuck", "sweep", "cleanup"], outcome)?;
        let outcome = journal::worker::handle(&functions.journal_worker, event.clone(), in_a_minute()).await;
        is_right(&event, &["due-weeks"], outcome)
    })
    .await;
    let lines = functions.world.logs.lines();
    assert!(lines.iter().all(|line| !line.contains(MARK)), "a message was quoted");
}
