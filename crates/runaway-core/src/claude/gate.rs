//! Who may send what to the model: the one way to the client leads through here.

use tokio::time::Instant;

use super::client::Client;
use super::message::AssistantMessage;
use super::request::MessageRequest;
use super::stream::MessageStream;
use super::{ClaudeError, error};
use crate::config::ModelConfig;

/// Why nothing may be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The operator gave no key: there is no model.
    #[error("there is no key for a model")]
    NoKey,
    /// Data of this source may not be sent to a model.
    #[error("data of the source {0} may not be sent to a model")]
    SourceNotAllowed(String),
}

/// Stands before the model and knows which sources' data may pass.
#[derive(Debug)]
pub struct ModelGate {
    client: Option<Client>,
    sources: Vec<String>,
}

impl ModelGate {
    /// The gate the operator configured; no connection is made before the first request.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(config: ModelConfig) -> Result<Self, reqwest::Error> {
        let client = config.claude.map(Client::new).transpose()?;
        Ok(Self { client, sources: config.sources })
    }

    /// Lets requests pass that are made of data from `sources` only: the values of the rows' column `source`. Data that
    /// joins later, such as a tool's result, needs a permit of its own; no source at all means nothing of an athlete's.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn permit<'s>(&self, sources: impl IntoIterator<Item = &'s str>) -> Result<Permit<'_>, Refusal> {
        let client = self.client.as_ref().ok_or(Refusal::NoKey)?;
        let mut sources = sources.into_iter();
        match sources.find(|source| !self.sources.iter().any(|allowed| allowed == source)) {
            Some(source) => Err(Refusal::SourceNotAllowed(source.to_owned())),
            None => Ok(Permit { client }),
        }
    }
}

/// The right to send something to the model; only [`ModelGate::permit`] gives it.
#[derive(Debug)]
pub struct Permit<'gate> {
    client: &'gate Client,
}

impl Permit<'_> {
    /// Sends a request and returns once the answer has begun. Until then it is tried again where that may help and time
    /// is left before `deadline`; afterwards never.
    ///
    /// # Errors
    /// [`ClaudeError`], but for [`ClaudeError::CutOff`].
    pub async fn stream(&self, request: &MessageRequest, deadline: Instant) -> Result<MessageStream, ClaudeError> {
        self.client.stream(request, deadline).await
    }

    /// Sends a request and waits for the whole answer.
    ///
    /// # Errors
    /// [`ClaudeError`].
    pub async fn complete(&self, request: &MessageRequest, deadline: Instant) -> Result<AssistantMessage, ClaudeError> {
        let mut stream = self.stream(request, deadline).await?;
        while stream.next().await?.is_some() {}
        let request_id = stream.request_id().to_owned();
        stream.into_message().ok_or_else(|| error::cut_off(false, "no message", request_id))
    }
}
