//! An answer while it arrives.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use super::error::{ClaudeError, Failure, cut_off, request_id};
use super::message::{Assembler, AssistantMessage, StreamEvent, Usage};
use super::sse::SseParser;
use crate::telemetry::{Line, MODEL_TOKENS_READ, MODEL_TOKENS_WRITTEN};

/// The longest silence between two events; Claude sends pings while it has nothing to say.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer that is read, its wrapping included.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What goes wrong with an answer that arrives.
#[derive(Debug)]
pub(super) enum Broken {
    /// Its bytes end before the message does.
    Ended,
    /// Silence for too long, or the deadline.
    Timeout,
    /// An event or the whole is larger than what is read.
    TooLarge,
    /// It cannot be understood.
    Malformed,
    /// Claude says so, with the type of its error.
    Error(String),
}

/// An answer that has begun to arrive. To drop it is to hang up.
#[derive(Debug)]
pub struct MessageStream {
    response: Response,
    request_id: String,
    parser: SseParser,
    events: VecDeque<Vec<u8>>,
    assembler: Assembler,
    message: Option<AssistantMessage>,
    bytes: usize,
    asked_at: Instant,
    heard_at: Instant,
    deadline: Instant,
    is_over: bool,
}

impl MessageStream {
    /// Reads until the message begins: what goes wrong before may be tried again.
    pub(super) async fn begin(response: Response, asked_at: Instant, deadline: Instant) -> Result<Self, Failure> {
        let mut stream = Self {
            request_id: request_id(response.headers()),
            response,
            parser: SseParser::default(),
            events: VecDeque::new(),
            assembler: Assembler::default(),
            message: None,
            bytes: 0,
            asked_at,
            heard_at: Instant::now(),
            deadline,
            is_over: false,
        };
        while !stream.assembler.has_begun() {
            if let Err(broken) = stream.step().await {
                return Err(Failure::before_the_message(broken, stream.request_id));
            }
        }
        Ok(stream)
    }

    /// The next event; `None` after [`StreamEvent::Done`] or an error. May be cancelled and called again.
    ///
    /// # Errors
    /// [`ClaudeError::CutOff`] or [`ClaudeError::Timeout`]: the answer ends here.
    pub async fn next(&mut self) -> Result<Option<StreamEvent>, ClaudeError> {
        while !self.is_over {
            match self.step().await {
                Ok(None) => {}
                Ok(Some(event)) => {
                    if let StreamEvent::Done { .. } = event {
                        self.finish();
                    }
                    return Ok(Some(event));
                }
                Err(broken) => {
                    self.is_over = true;
                    self.paid(Line::info("Claude's answer broke")).write();
                    return Err(self.error(broken));
                }
            }
        }
        Ok(None)
    }

    /// The whole message, after [`StreamEvent::Done`].
    pub fn message(&self) -> Option<&AssistantMessage> {
        self.message.as_ref()
    }

    /// The whole message, after [`StreamEvent::Done`].
    pub fn into_message(self) -> Option<AssistantMessage> {
        self.message
    }

    /// What the answer has cost as far as Claude has said, also of one that broke.
    pub fn usage(&self) -> Usage {
        self.assembler.usage
    }

    /// Claude's id of the request.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    async fn step(&mut self) -> Result<Option<StreamEvent>, Broken> {
        let event = self.event().await?;
        self.assembler.take(&event)
    }

    async fn event(&mut self) -> Result<Vec<u8>, Broken> {
        loop {
            if let Some(event) = self.events.pop_front() {
                self.heard_at = Instant::now();
                return Ok(event);
            }
            let until = self.deadline.min(self.heard_at + IDLE_TIMEOUT);
            let chunk = timeout_at(until, self.response.chunk()).await.map_err(|_| Broken::Timeout)?;
            let chunk = chunk.map_err(|_| Broken::Ended)?.ok_or(Broken::Ended)?;
            self.bytes += chunk.len();
            if self.bytes > ANSWER_BYTES_MAX || self.parser.push(&chunk, &mut self.events).is_err() {
                return Err(Broken::TooLarge);
            }
        }
    }

    fn error(&self, broken: Broken) -> ClaudeError {
        let (after_text, request_id) = (self.assembler.has_text, self.request_id.clone());
        match broken {
            Broken::Timeout => ClaudeError::Timeout { after_text, request_id },
            Broken::Ended => cut_off(after_text, "it ended too soon", request_id),
            Broken::TooLarge => cut_off(after_text, "it is too large", request_id),
            Broken::Malformed => cut_off(after_text, "it cannot be read", request_id),
            Broken::Error(kind) => cut_off(after_text, &kind, request_id),
        }
    }

    fn finish(&mut self) {
        self.is_over = true;
        self.message = self.assembler.message(&self.request_id);
        let Some(message) = &self.message else { return };
        let usage = message.usage;
        self.paid(Line::info("Claude answered"))
            .field("model", message.model.as_str())
            .field("stop_reason", message.stop_reason.as_str())
            .field("input_tokens", usage.input_tokens)
            .field("cache_creation_input_tokens", usage.cache_creation_input_tokens)
            .field("cache_read_input_tokens", usage.cache_read_input_tokens)
            .field("output_tokens", usage.output_tokens)
            .write();
    }

    /// A line about the answer, with what it has cost.
    fn paid(&self, line: Line) -> Line {
        let usage = self.usage();
        line.field("claude.request_id", self.request_id.as_str())
            .field("duration_ms", u64::try_from(self.asked_at.elapsed().as_millis()).unwrap_or(u64::MAX))
            .metric(MODEL_TOKENS_READ, usage.read_tokens())
            .metric(MODEL_TOKENS_WRITTEN, usage.output_tokens)
    }
}
