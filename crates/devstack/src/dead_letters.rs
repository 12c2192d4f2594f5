//! Messages that failed too often: shown, and given back to their queue. Works on the queues of `SYNC_QUEUE_URL` and
//! `JOURNAL_QUEUE_URL` where the person's environment names either, else on those of the running world.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{Credentials, Region};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use runaway_core::queue::{JournalMessage, SyncMessage};
use serde_json::Value;

use crate::console::say;
use crate::queues::{ACCESS_KEY, REGION};
use crate::world::own;
use crate::{env_file, tools};

/// The settings that name queues.
const QUEUES: [&str; 2] = ["SYNC_QUEUE_URL", "JOURNAL_QUEUE_URL"];
/// For so long nobody else sees the messages that are shown, seconds.
const SHOWN_S: i32 = 30;
/// The most messages SQS hands out at once.
const RECEIVE_MAX: i32 = 10;
/// The most that are shown or given back by one command.
const LETTERS_MAX: usize = 1_000;

/// Shows the dead letters; with `redrive` gives them back.
pub(crate) async fn run(redrive: bool) -> anyhow::Result<()> {
    let (client, queues) = client().await?;
    for (name, queue) in &queues {
        let dead = dead_letter_queue(&client, queue).await?;
        let letters = receive(&client, &dead).await?;
        for letter in &letters {
            say(&describe(letter));
        }
        say(&format!("{} dead letters of {name}", letters.len()));
        if redrive {
            let moved = give_back(&client, &dead, queue, &letters).await?;
            say(&format!("{moved} given back to their queue"));
        }
    }
    Ok(())
}

/// A client, and the queues with the settings that name them.
async fn client() -> anyhow::Result<(Client, Vec<(&'static str, String)>)> {
    let named: Vec<(&str, String)> = QUEUES.into_iter().filter_map(|name| Some((name, own(name)?))).collect();
    if !named.is_empty() {
        let shared = aws_config::load_defaults(runaway_core::queue::aws_behavior()).await;
        return Ok((Client::new(&shared), named));
    }
    let world = env_file::read(&tools::state()?)?;
    let value = |name: &str| world.get(name).cloned().with_context(|| format!(".devstack/env lacks {name}"));
    let queues = QUEUES.into_iter().map(|name| Ok((name, value(name)?))).collect::<anyhow::Result<_>>()?;
    Ok((local_client(&value("AWS_ENDPOINT_URL_SQS")?), queues))
}

/// A client for the local server.
pub(crate) fn local_client(endpoint: &str) -> Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(runaway_core::queue::aws_behavior())
        .region(Region::new(REGION))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "local"))
        .build();
    Client::from_conf(config)
}

/// The queue that the redrive policy names.
pub(crate) async fn dead_letter_queue(client: &Client, queue: &str) -> anyhow::Result<String> {
    let request = client.get_queue_attributes().queue_url(queue).attribute_names(QueueAttributeName::RedrivePolicy);
    let attributes: HashMap<_, _> = request.send().await.context("reading the queue")?.attributes.unwrap_or_default();
    let policy = attributes.get(&QueueAttributeName::RedrivePolicy).context("the queue has no dead-letter queue")?;
    let policy: Value = serde_json::from_str(policy).context("reading the redrive policy")?;
    let name = policy["deadLetterTargetArn"].as_str().and_then(|arn| arn.rsplit(':').next()).context("the policy names no queue")?;
    let found = client.get_queue_url().queue_name(name).send().await.context("finding the dead-letter queue")?;
    found.queue_url.context("the dead-letter queue has no address")
}

/// Takes the letters out of sight for a moment; those that are not given back appear again.
async fn receive(client: &Client, dead: &str) -> anyhow::Result<Vec<Message>> {
    let mut letters = Vec::new();
    while letters.len() < LETTERS_MAX {
        let request = client.receive_message().queue_url(dead).max_number_of_messages(RECEIVE_MAX).visibility_timeout(SHOWN_S);
        let request = request.message_system_attribute_names(MessageSystemAttributeName::All);
        let batch = request.send().await.context("reading the dead letters")?.messages.unwrap_or_default();
        if batch.is_empty() {
            break;
        }
        letters.extend(batch);
    }
    Ok(letters)
}

/// One line: what the message asks for, and since when. A body that is no message of ours is not printed.
fn describe(letter: &Message) -> String {
    let body = letter.body().unwrap_or_default();
    let of_syncs = SyncMessage::parse(body).map(SyncMessage::to_body);
    let asks = of_syncs.or_else(|_| JournalMessage::parse(body).map(|message| message.to_body()));
    let asks = asks.unwrap_or_else(|_| "an unreadable body".to_owned());
    let sent_ms = letter.attributes().and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp)?.parse().ok());
    let sent = sent_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).map(|at| format!(", sent {at:.0}"));
    format!("message {}: {asks}{}", letter.message_id().unwrap_or_default(), sent.unwrap_or_default())
}

/// Sends each letter to its queue and only then deletes it: at worst it is there twice, which finds the work done.
async fn give_back(client: &Client, dead: &str, queue: &str, letters: &[Message]) -> anyhow::Result<usize> {
    for letter in letters {
        client
            .send_message()
            .queue_url(queue)
            .message_body(letter.body().unwrap_or_default())
            .send()
            .await
            .context("giving a letter back")?;
        let handle = letter.receipt_handle().unwrap_or_default();
        client.delete_message().queue_url(dead).receipt_handle(handle).send().await.context("deleting a dead letter")?;
    }
    Ok(letters.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    /// A message that failed twice on a queue that allows two tries.
    async fn queue_with_a_dead_letter(client: &Client, body: &str) -> (String, String) {
        let name = format!("dead-{}", Uuid::new_v4().simple());
        let dead = client.create_queue().queue_name(&name).send().await.unwrap().queue_url.unwrap();
        let request = client.get_queue_attributes().queue_url(&dead).attribute_names(QueueAttributeName::QueueArn);
        let arn = request.send().await.unwrap().attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
        let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 2}).to_string();
        let request = client.create_queue().queue_name(format!("{name}-source")).attributes(QueueAttributeName::RedrivePolicy, policy);
        let queue = request.attributes(QueueAttributeName::VisibilityTimeout, "0").send().await.unwrap().queue_url.unwrap();
        client.send_message().queue_url(&queue).message_body(body).send().await.unwrap();
        for _ in 0..3 {
            client.receive_message().queue_url(&queue).send().await.unwrap();
        }
        (queue, dead)
    }

    #[tokio::test]
    async fn a_message_that_failed_too_often_is_shown_and_given_back() {
        let client = local_client(&testkit::database::required("AWS_ENDPOINT_URL_SQS"));
        let body = SyncMessage::Event { event_id: Uuid::new_v4() }.to_body();
        let (queue, dead) = queue_with_a_dead_letter(&client, &body).await;
        assert_eq!(dead_letter_queue(&client, &queue).await.unwrap(), dead);
        let letters = receive(&client, &dead).await.unwrap();
        assert_eq!(letters.len(), 1);
        assert!(describe(&letters[0]).contains(&body) && describe(&letters[0]).contains(", sent 20"), "{}", describe(&letters[0]));
        assert_eq!(give_back(&client, &dead, &queue, &letters).await.unwrap(), 1);
        let back = client.receive_message().queue_url(&queue).send().await.unwrap().messages.unwrap();
        assert_eq!(back[0].body(), Some(body.as_str()));
        assert!(receive(&client, &dead).await.unwrap().is_empty());
    }

    #[test]
    fn a_foreign_body_is_not_printed() {
        let letter = Message::builder().message_id("m1").body("somebody's name").build();
        assert_eq!(describe(&letter), "message m1: an unreadable body");
        let week = r#"{"athlete_id":94451852,"week_start_date":"2025-12-29"}"#;
        let letter = Message::builder().message_id("m2").body(week).build();
        assert_eq!(describe(&letter), format!("message m2: {week}"));
    }
}
