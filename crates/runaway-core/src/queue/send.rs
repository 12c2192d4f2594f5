//! Sending to the sync queue. The one place that uses the SQS client.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use uuid::Uuid;

use super::SyncMessage;
use crate::config::QueueConfig;

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

/// A message could not be sent. The row is written; the five-minute schedule sends it again.
#[derive(Debug, thiserror::Error)]
#[error("the message for row {id} could not be sent")]
pub struct QueueError {
    /// The row whose message is missing.
    pub id: Uuid,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The queue of sync jobs and of Strava's events.
#[derive(Debug, Clone)]
pub struct SyncQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl SyncQueue {
    /// A client for the configured queue.
    pub async fn connect(config: &QueueConfig) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(SEND_TIMEOUT).build();
        let loader = aws_config::defaults(aws_behavior());
        let shared = loader.retry_config(RetryConfig::standard().with_max_attempts(SEND_TRIES_MAX)).timeout_config(timeouts).load().await;
        Self { client: aws_sdk_sqs::Client::new(&shared), url: config.sync_queue_url.clone() }
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
        let delay_s = i32::try_from(delay_s.clamp(0, SEND_DELAY_S_MAX)).unwrap_or_default();
        let request = self.client.send_message().queue_url(&self.url).message_body(message.to_body()).delay_seconds(delay_s);
        request.send().await.map_err(|error| QueueError { id: message.id(), source: error.into() })?;
        Ok(())
    }

    /// Sends many ids at once.
    ///
    /// # Errors
    /// [`QueueError`] for the first that could not be sent; later ones are not tried.
    pub async fn send_all(&self, messages: &[SyncMessage]) -> Result<(), QueueError> {
        for batch in messages.chunks(BATCH_MAX) {
            let first = batch.first().map(|message| message.id()).unwrap_or_default();
            let failed = |source: Box<dyn std::error::Error + Send + Sync>| QueueError { id: first, source };
            let entry = |message: &SyncMessage| {
                SendMessageBatchRequestEntry::builder().id(message.id().to_string()).message_body(message.to_body()).build()
            };
            let entries = batch.iter().map(entry).collect::<Result<Vec<_>, _>>().map_err(|error| failed(error.into()))?;
            let request = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
            let answer = request.send().await.map_err(|error| failed(error.into()))?;
            if let Some(entry) = answer.failed.first() {
                let id = entry.id.parse().unwrap_or(first);
                return Err(QueueError { id, source: entry.code.clone().into() });
            }
        }
        Ok(())
    }
}
