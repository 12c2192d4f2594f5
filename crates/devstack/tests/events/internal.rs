//! What the queues and the schedules send, and the migration's invocation.

use runaway_core::queue::SyncMessage;
use serde_json::{Value, json};
use testkit::recorded::{record_id, rest_post, schedule, sqs_batch};
use testkit::runtime::{Answer, Process, RuntimeApi};
use uuid::Uuid;

use crate::{ATHLETE, assert_clean, json_answer, rows, start, world};

/// One record of a batch is dealt with, the other is not and comes again by itself.
fn second_failed() -> Value {
    json!({ "batchItemFailures": [{ "itemIdentifier": record_id(1) }] })
}

#[tokio::test]
async fn a_job_of_a_batch_is_worked_off_and_its_unreadable_neighbour_comes_again() {
    let world = world().await;
    let (sync, processor) = (start("sync-beta", &world).await, start("sync-processor", &world).await);
    let (_, job) = json_answer(&sync.hand(rest_post("/sync-beta", Some(&world.token()), r#"{"sync_type":"full"}"#)).await);
    let job_id: Uuid = job["job_id"].as_str().unwrap().parse().unwrap();
    let batch = sqs_batch([&SyncMessage::Job { job_id }.to_body(), "not a message"]);
    let answer = processor.hand(batch).await;
    assert!(matches!(answer, Answer::Whole(_)), "{answer:?}");
    assert_eq!(answer.json(), second_failed());
    assert_eq!(rows(&world.database, "sync_jobs WHERE status = 'completed'").await, 1);
    assert_eq!(rows(&world.database, "activities").await, 3);
    // Delivered again, both deal with nothing.
    let answer = processor.hand(sqs_batch([&SyncMessage::Job { job_id }.to_body(), &SyncMessage::Job { job_id }.to_body()])).await;
    assert_eq!(answer.json(), json!({ "batchItemFailures": [] }));
    assert_clean(&world, &processor, &["A message cannot be read"]);
}

#[tokio::test]
async fn a_week_of_a_batch_is_written_and_its_unreadable_neighbour_comes_again() {
    let world = world().await;
    let worker = start("journal-worker", &world).await;
    let week = json!({ "athlete_id": ATHLETE, "week_start_date": "2026-01-05" }).to_string();
    let answer = worker.hand(sqs_batch([&week, r#"{"athlete_id":"x"}"#])).await;
    assert_eq!(answer.json(), second_failed());
    assert_clean(&world, &worker, &["A message cannot be read"]);
}

#[tokio::test]
async fn schedules_are_answered_and_an_unknown_task_is_a_failure() {
    let world = world().await;
    let processor = start("sync-processor", &world).await;
    for (task, done) in [("process-pending", 0), ("reset-stuck", 0), ("sweep", 1)] {
        let answer = processor.hand(schedule(task)).await;
        assert!(matches!(answer, Answer::Whole(_)), "{task}: {answer:?}");
        assert_eq!(answer.json(), json!({ "done": done }), "{task}");
    }
    let answer = processor.hand(schedule("cleanup")).await;
    assert!(matches!(answer, Answer::Whole(_)) && answer.json()["done"].is_u64(), "{answer:?}");
    let worker = start("journal-worker", &world).await;
    assert_eq!(worker.hand(schedule("due-weeks")).await.json(), json!({ "done": 0 }));
    for function in [&processor, &worker] {
        let answer = function.hand(schedule("unheard-of")).await;
        assert!(
            matches!(answer, Answer::Failed(_)) && answer.json()["errorMessage"].is_string(),
            "the scheduler tries it again: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_migration_reports_first_and_finds_nothing_left_to_do() {
    let world = world().await;
    let mut environment = world.environment().to_vec();
    environment.push(("DATABASE_ADMIN_URL", world.database.admin_url()));
    let function = Process::start(&crate::binary("migrate"), "migrate", &RuntimeApi::start().await, &environment);
    assert_eq!(function.hand(json!({ "dry_run": true })).await.json(), json!({ "pending": [], "applied": [] }));
    assert_eq!(function.hand(json!({})).await.json(), json!({ "pending": [], "applied": [] }));
    let answer = function.hand(json!({ "dry-run": true })).await;
    assert!(matches!(answer, Answer::Failed(_)), "a misspelt dry run applies nothing: {answer:?}");
    assert_clean(&world, &function, &["unknown field `dry-run`"]);
}
