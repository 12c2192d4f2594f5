//! What a worker is called with: a batch of a queue's records, or a task of a schedule's.

use aws_lambda_events::event::sqs::SqsEvent;
use serde_json::{Value, json};

use super::batch::{Record, partial_failures};
use crate::telemetry::{self, FAILURES, Line, Tally};

/// An event that is neither a batch nor a known task.
#[derive(Debug, thiserror::Error)]
#[error("the event is neither a batch of records nor a known task")]
pub struct UnknownEvent;

/// Why work was not done.
#[derive(Debug, thiserror::Error)]
pub enum Undone {
    /// The record is no message: it goes to the dead letters.
    #[error("the record is no message")]
    Unreadable,
    /// A fault of ours or of what we stand on: it is tried again.
    #[error("the work failed")]
    Failed {
        /// The class among the metrics' failures.
        class: &'static str,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Works on one event: an SQS batch, answered with its partial failures, or a schedule's task, answered with the number of
/// rows it touched. Each record, and the task, has its line in the log.
///
/// # Errors
/// For an event of another kind, and for a task that could not be done; Lambda tries both again.
pub async fn dispatch<T>(
    function: &'static str,
    event: Value,
    task_named: impl FnOnce(&str) -> Option<T>,
    mut record: impl AsyncFnMut(Record<'_>) -> Result<(), Undone>,
    task: impl AsyncFnOnce(T) -> Result<usize, Undone>,
) -> Result<Value, lambda_runtime::Error> {
    if event.get("Records").is_some() {
        // The parser's message would quote the event.
        let batch: SqsEvent = serde_json::from_value(event).map_err(|_| UnknownEvent)?;
        let response = partial_failures(&batch, async |one| {
            let tally = Tally::of_record(function, one.message_id);
            tally.during(async { settle_record(&tally, &record(one).await) }).await
        });
        return Ok(serde_json::to_value(response.await)?);
    }
    let name = event.get("task").and_then(Value::as_str).unwrap_or_default();
    let wanted = task_named(name).ok_or(UnknownEvent)?;
    let tally = Tally::of_task(function, name);
    let outcome = tally.during(async { settle_task(&tally, name, task(wanted).await) }).await;
    Ok(json!({ "done": outcome? }))
}

/// Whether the record is dealt with. What SQS delivers again too often ends in the dead-letter queue.
fn settle_record(tally: &Tally, outcome: &Result<(), Undone>) -> bool {
    match outcome {
        Ok(()) => {
            tally.note_default("outcome", "done");
            tally.ends("A message was dealt with");
        }
        Err(Undone::Unreadable) => {
            tally.note("outcome", "unreadable");
            tally.ends("A message was left to the dead letters");
            Line::error("A message cannot be read; it goes to the dead letters").metric_by(FAILURES, "unreadable_message", 1).write();
        }
        Err(error @ Undone::Failed { .. }) => {
            tally.note("outcome", "failed");
            tally.ends("A message was left to be delivered again");
            failed(error, "A message could not be dealt with; it will come again, and after five times go to the dead letters");
        }
    }
    outcome.is_ok()
}

fn settle_task(tally: &Tally, name: &str, outcome: Result<usize, Undone>) -> Result<usize, Undone> {
    match &outcome {
        Ok(rows) => {
            tally.note("outcome", "done");
            tally.note("rows", *rows);
            tally.ends(format!("Task {name} touched {rows} rows"));
        }
        Err(error) => {
            tally.note("outcome", "failed");
            tally.ends(format!("Task {name} was left to be tried again"));
            failed(error, "A task could not be done; Lambda tries it again");
        }
    }
    outcome
}

fn failed(error: &Undone, message: &str) {
    let class = if let Undone::Failed { class, .. } = error { *class } else { "unreadable_message" };
    telemetry::note("class", class);
    Line::error(message).field("cause", telemetry::chain(error)).metric_by(FAILURES, class, 1).write();
}
