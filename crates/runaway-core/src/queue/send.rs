//! Sending to the queues. The one place that uses the SQS client.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use uuid::Uuid;

use super::{JournalMessage, SyncMessage};
use crate::config::{JournalQueueConfig, QueueConfig};

/// The longest delay SQS knows.
pub const SEND_DELAY_S_MAX: i64 = 900;
/// The most messages one request carries.
const BATCH_MAX: usize = 10;
/// Tries of one send.
const SEND_TRIES_MAX: u32 = 3;
/// All tries together.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// The SDK's behaviour, pinned: an update must not change timeouts or retries unseen.
pub fn aws_behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// A message could not be sent. The row is written; the schedule sends it again.
#[derive(Debug, thiserror::Error)]
#[error("the message {body} could not be sent")]
pub struct QueueError {
    /// The message: ids only.
    pub body: String,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

#[derive(Debug, Clone)]
struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    async fn connect(url: &str) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(SEND_TIMEOUT).build();
        let loader = aws_config::defaults(aws_behavior());
        let shared = loader.retry_config(RetryConfig::standard().with_max_attempts(SEND_TRIES_MAX)).timeout_config(timeouts).load().await;
        Self { client: aws_sdk_sqs::Client::new(&shared), url: url.to_owned() }
    }

    async fn send(&self, body: String, delay_s: i64) -> Result<(), QueueError> {
        let delay_s = i32::try_from(delay_s.clamp(0, SEND_DELAY_S_MAX)).unwrap_or_default();
        let request = self.client.send_message().queue_url(&self.url).message_body(&body).delay_seconds(delay_s);
        request.send().await.map_err(|error| QueueError { body, source: error.into() })?;
        Ok(())
    }

    async fn send_all(&self, bodies: Vec<String>) -> Result<(), QueueError> {
        for batch in bodies.chunks(BATCH_MAX) {
            let failed = |n: usize, source: Box<dyn std::error::Error + Send + Sync>| QueueError {
                body: batch.get(n).cloned().unwrap_or_default(),
                source,
            };
            let entry = |(n, body): (usize, &String)| SendMessageBatchRequestEntry::builder().id(n.to_string()).message_body(body).build();
            let entries = batch.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>().map_err(|error| failed(0, error.into()))?;
            let request = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
            let answer = request.send().await.map_err(|error| failed(0, error.into()))?;
            if let Some(entry) = answer.failed.first() {
                return Err(failed(entry.id.parse().unwrap_or_default(), entry.code.clone().into()));
            }
        }
        Ok(())
    }
}

/// The queue of sync jobs and of Strava's events.
#[derive(Debug, Clone)]
pub struct SyncQueue(Queue);

impl SyncQueue {
    /// A client for the configured queue.
    pub async fn connect(config: &QueueConfig) -> Self {
        Self(Queue::connect(&config.sync_queue_url).await)
    }

    /// Sends a job's id, to be delivered after `delay_s` seconds, at most [`SEND_DELAY_S_MAX`].
    ///
    /// # Errors
    /// [`QueueError`] after three tries.
    pub async fn send(&self, job_id: Uuid, delay_s: i64) -> Result<(), QueueError> {
        self.send_message(SyncMessage::Job { job_id }, delay_s).await
    }

    /// Sends an event's id, to be delivered after `delay_s` seconds, at most [`SEND_DELAY_S_MAX`].
    ///
    /// # Errors
    /// [`QueueError`] after three tries.
    pub async fn send_event(&self, event_id: Uuid, delay_s: i64) -> Result<(), QueueError> {
        self.send_message(SyncMessage::Event { event_id }, delay_s).await
    }

    async fn send_message(&self, message: SyncMessage, delay_s: i64) -> Result<(), QueueError> {
        self.0.send(message.to_body(), delay_s).await
    }

    /// Sends many ids at once.
    ///
    /// # Errors
    /// [`QueueError`] for the first that could not be sent; later ones are not tried.
    pub async fn send_all(&self, messages: &[SyncMessage]) -> Result<(), QueueError> {
        self.0.send_all(messages.iter().map(|message| message.to_body()).collect()).await
    }
}

/// The queue of weeks to write.
#[derive(Debug, Clone)]
pub struct JournalQueue(Queue);

impl JournalQueue {
    /// A client for the configured queue.
    pub async fn connect(config: &JournalQueueConfig) -> Self {
        Self(Queue::connect(&config.journal_queue_url).await)
    }

    /// Sends many weeks at once.
    ///
    /// # Errors
    /// [`QueueError`] for the first that could not be sent; later ones are not tried.
    pub async fn send_all(&self, messages: &[JournalMessage]) -> Result<(), QueueError> {
        self.0.send_all(messages.iter().map(JournalMessage::to_body).collect()).await
    }
}
