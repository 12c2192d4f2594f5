//! The SQS-protocol server, and the template's queues on it.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{Credentials, Region};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;
use tidy::template::{Queue, Template};
use tokio::process::Child;

use crate::console::patiently;
use crate::postgres::free_port;
use crate::{process, tools};

/// The region of everything local.
pub(crate) const REGION: &str = "eu-west-1";
/// The key of everything local; the server checks none.
pub(crate) const ACCESS_KEY: &str = "local";
const READY_INTERVAL: Duration = Duration::from_millis(200);
const READY_TRIES_MAX: u32 = 150;

/// A running server.
pub(crate) struct QueueServer {
    child: Child,
    port: u16,
}

impl QueueServer {
    /// Starts it on a free port.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let bin = tools::moto().await?;
        let port = free_port(0)?;
        let mut server = process::command(&bin.join("moto_server"), "KILL", false);
        server.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        process::log_to(&mut server, &tools::state()?.join("queue.log"))?;
        let mut started = Self { child: server.spawn().context("starting the SQS-protocol server")?, port };
        patiently("the SQS-protocol server is starting", started.answers()).await?;
        Ok(started)
    }

    async fn answers(&mut self) -> anyhow::Result<()> {
        for _ in 0..READY_TRIES_MAX {
            if let Some(status) = self.child.try_wait().context("looking after the SQS-protocol server")? {
                bail!("the SQS-protocol server ended with {status}; .devstack/queue.log says why");
            }
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(READY_INTERVAL).await;
        }
        bail!("the SQS-protocol server does not answer; .devstack/queue.log may say why")
    }

    /// Its address.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A client for it.
    pub(crate) fn client(&self) -> Client {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(runaway_core::queue::aws_behavior())
            .region(Region::new(REGION))
            .endpoint_url(self.endpoint())
            .credentials_provider(Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "local"))
            .build();
        Client::from_conf(config)
    }

    /// Creates the template's queues as it describes them and returns their addresses by their names in it.
    pub(crate) async fn create(&self, template: &Template) -> anyhow::Result<HashMap<String, String>> {
        let client = self.client();
        let mut addresses: HashMap<String, String> = HashMap::new();
        // A queue names its dead-letter queue by its number: those come first.
        let (with_redrive, plain): (Vec<&Queue>, Vec<&Queue>) = template.queues.iter().partition(|queue| queue.redrive.is_some());
        for queue in plain.into_iter().chain(with_redrive) {
            let mut request = client
                .create_queue()
                .queue_name(&queue.logical_id)
                .attributes(QueueAttributeName::VisibilityTimeout, queue.visibility_timeout_s.to_string());
            if let Some((target, receive_count_max)) = &queue.redrive {
                let address = addresses.get(target).with_context(|| format!("{target} is no queue of the template"))?;
                let arn = arn(&client, address).await?;
                let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": receive_count_max});
                request = request.attributes(QueueAttributeName::RedrivePolicy, policy.to_string());
            }
            let made = request.send().await.with_context(|| format!("creating the queue {}", queue.logical_id))?;
            addresses.insert(queue.logical_id.clone(), made.queue_url.context("a queue without an address")?);
        }
        Ok(addresses)
    }

    /// Ends it.
    pub(crate) async fn stop(self) {
        process::stop(self.child).await;
    }
}

async fn arn(client: &Client, address: &str) -> anyhow::Result<String> {
    let request = client.get_queue_attributes().queue_url(address).attribute_names(QueueAttributeName::QueueArn);
    let attributes = request.send().await.context("reading a queue")?.attributes.unwrap_or_default();
    attributes.get(&QueueAttributeName::QueueArn).cloned().context("a queue without a number")
}
