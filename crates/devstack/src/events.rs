//! The event sources, as `template.yaml` describes them: from the queue to its function with partial failures, and
//! the schedules.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::Message;
use jiff::Timestamp;
use serde_json::{Value, json};
use tidy::template::{Function, Template, Timing};
use tokio::task::JoinSet;

use crate::console::say;

/// How long one question to the queue waits for a message, seconds.
const LONG_POLL_S: i32 = 10;
/// Pause after a failure, so that a broken function does not turn the machine hot.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);
/// Pollers of one queue: so many batches are under way at once.
const POLLERS: usize = 2;

/// Runs the event sources until it is dropped.
pub(crate) struct Events(#[expect(dead_code, reason = "held so that the tasks go on")] JoinSet<()>);

impl Events {
    /// Starts a poller per queue source and a clock per schedule. `queues` maps names in the template to addresses.
    pub(crate) fn start(port: u16, template: &Template, client: &Client, queues: &HashMap<String, String>) -> anyhow::Result<Self> {
        let mut tasks = JoinSet::new();
        for function in &template.functions {
            if let Some(source) = &function.queue {
                let address = queues.get(&source.queue).with_context(|| format!("{} is no queue of the template", source.queue))?;
                let batch_size = i32::try_from(source.batch_size).unwrap_or(1);
                for _ in 0..POLLERS {
                    tasks.spawn(poll(client.clone(), address.clone(), batch_size, function.name.clone(), port));
                }
            }
            schedule(&mut tasks, function, port)?;
        }
        Ok(Self(tasks))
    }
}

fn schedule(tasks: &mut JoinSet<()>, function: &Function, port: u16) -> anyhow::Result<()> {
    for schedule in &function.schedules {
        let timing = schedule.timing().with_context(|| format!("the time {} cannot be read", schedule.expression))?;
        let input: Value = serde_json::from_str(&schedule.input).with_context(|| format!("the input of {}", schedule.name))?;
        let (name, schedule_name) = (function.name.clone(), schedule.name.clone());
        tasks.spawn(async move {
            // A schedule with a period runs at once, as after a deployment.
            let mut wait = if matches!(timing, Timing::Daily { .. }) { until_next(timing, Timestamp::now()) } else { Duration::ZERO };
            loop {
                tokio::time::sleep(wait).await;
                wait = until_next(timing, Timestamp::now());
                if let Err(error) = invoke(port, &name, &input).await {
                    say(&format!("The schedule {schedule_name} failed: {error:#}"));
                }
            }
        });
    }
    Ok(())
}

/// How long it is to the next run.
fn until_next(timing: Timing, now: Timestamp) -> Duration {
    const DAY_S: i64 = 86_400;
    match timing {
        Timing::Every { period_s } => Duration::from_secs(period_s),
        Timing::Daily { hour, minute } => {
            let at_s = i64::from(hour) * 3600 + i64::from(minute) * 60;
            let wait_s = (at_s - now.as_second()).rem_euclid(DAY_S);
            Duration::from_secs(if wait_s == 0 { DAY_S } else { wait_s }.unsigned_abs())
        }
    }
}

async fn poll(client: Client, address: String, batch_size: i32, function: String, port: u16) {
    loop {
        if let Err(error) = poll_once(&client, &address, batch_size, &function, port).await {
            say(&format!("A batch for {function} failed and will come again: {error:#}"));
            tokio::time::sleep(FAILURE_PAUSE).await;
        }
    }
}

/// Hands one batch over and deletes what the function has dealt with; the rest becomes visible again by itself.
async fn poll_once(client: &Client, address: &str, batch_size: i32, function: &str, port: u16) -> anyhow::Result<()> {
    let request = client.receive_message().queue_url(address).max_number_of_messages(batch_size).wait_time_seconds(LONG_POLL_S);
    let messages = request.send().await.context("receiving")?.messages.unwrap_or_default();
    if messages.is_empty() {
        return Ok(());
    }
    let records: Vec<Value> = messages.iter().map(record).collect();
    let answer = invoke(port, function, &json!({ "Records": records })).await?;
    let failed: Vec<&str> =
        answer["batchItemFailures"].as_array().into_iter().flatten().filter_map(|failure| failure["itemIdentifier"].as_str()).collect();
    for message in messages.iter().filter(|message| !failed.contains(&message.message_id().unwrap_or_default())) {
        let handle = message.receipt_handle().unwrap_or_default();
        client.delete_message().queue_url(address).receipt_handle(handle).send().await.context("deleting")?;
    }
    Ok(())
}

fn record(message: &Message) -> Value {
    json!({
        "messageId": message.message_id(), "receiptHandle": message.receipt_handle(), "body": message.body(),
        "attributes": {}, "messageAttributes": {}, "eventSource": "aws:sqs"
    })
}

/// Invokes a function and returns its answer. Watch answers a failed one with 500, Lambda with 200 and a header.
pub(crate) async fn invoke(port: u16, function: &str, event: &Value) -> anyhow::Result<Value> {
    let url = format!("http://127.0.0.1:{port}/2015-03-31/functions/{function}/invocations");
    let client = runaway_core::http::client_builder(Duration::from_secs(900)).build().context("an HTTP client")?;
    let answer = client.post(url).json(event).send().await.context("invoking")?;
    let (status, failed) = (answer.status(), answer.headers().contains_key("x-amz-function-error"));
    let body: Value = answer.json().await.unwrap_or_default();
    if !status.is_success() || failed {
        bail!("{function} answered {status}: {}", body["errorMessage"]);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daily_schedule_waits_for_its_time_of_day() {
        let daily = Timing::Daily { hour: 2, minute: 0 };
        for (now, expected_s) in [("2026-01-04T01:59:00Z", 60), ("2026-01-04T02:00:00Z", 86_400), ("2026-01-04T03:00:00Z", 23 * 3600)] {
            assert_eq!(until_next(daily, now.parse().unwrap()), Duration::from_secs(expected_s), "{now}");
        }
        assert_eq!(until_next(Timing::Every { period_s: 300 }, Timestamp::UNIX_EPOCH), Duration::from_secs(300));
    }
}
