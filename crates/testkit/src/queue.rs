//! A queue of the test's own on the SQS-protocol server.

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};
use runaway_core::config::QueueConfig;
use runaway_core::queue::SyncQueue;
use uuid::Uuid;

use crate::database::required;

/// A queue, and what is needed to play SQS's part towards a function.
#[derive(Debug)]
pub struct TestQueue {
    client: Client,
    url: String,
}

impl TestQueue {
    /// A new queue.
    pub async fn new() -> Self {
        required("AWS_ENDPOINT_URL_SQS");
        let client = Client::new(&aws_config::load_defaults(runaway_core::queue::aws_behavior()).await);
        let name = format!("test-{}", Uuid::new_v4().simple());
        let made = client.create_queue().queue_name(name).send().await.expect("the SQS-protocol server does not answer");
        Self { client, url: made.queue_url.expect("the queue's address") }
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// What a function is configured with.
    pub fn config(&self) -> QueueConfig {
        QueueConfig { sync_queue_url: self.url.clone() }
    }

    /// The client a function uses.
    pub async fn sync_queue(&self) -> SyncQueue {
        SyncQueue::connect(&self.config()).await
    }

    /// Takes what is deliverable now, as the event SQS would hand to a function, and deletes it from the queue.
    pub async fn take(&self) -> SqsEvent {
        let answer = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10).send().await.expect("receiving");
        let messages = answer.messages.unwrap_or_default();
        let handle = |(n, message): (usize, &Message)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(n.to_string());
            entry.receipt_handle(message.receipt_handle.as_deref().expect("a handle")).build().expect("an entry")
        };
        if !messages.is_empty() {
            let entries = messages.iter().enumerate().map(handle).collect();
            self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries)).send().await.expect("deleting");
        }
        let mut event = SqsEvent::default();
        for message in messages {
            let mut record = SqsMessage::default();
            record.message_id = message.message_id;
            record.body = message.body;
            event.records.push(record);
        }
        event
    }
}

/// A batch with these bodies, with the ids `m0`, `m1`, …
pub fn batch(bodies: &[String]) -> serde_json::Value {
    let mut event = SqsEvent::default();
    for (n, body) in bodies.iter().enumerate() {
        let mut record = SqsMessage::default();
        record.message_id = Some(format!("m{n}"));
        record.body = Some(body.clone());
        event.records.push(record);
    }
    serde_json::to_value(event).expect("an SQS event")
}
