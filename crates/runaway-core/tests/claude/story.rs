//! What the stories have in common.

use std::time::Duration;

use runaway_core::claude::{
    AssistantMessage, CacheTtl, ClaudeError, MessageRequest, MessageStream, ModelGate, StopReason, StreamEvent, SystemBlock, Thinking,
    Tool, user_text,
};
use runaway_core::config::{ModelConfig, Settings};
use serde_json::{Value, json};
use testkit::FakeClaude;
use testkit::logs::LogCapture;
use tokio::time::Instant;

/// What an athlete says: never to be seen in a log.
pub(crate) const QUESTION: &str = "How far did I run near Königsallee?";

pub(crate) struct Story {
    pub(crate) claude: FakeClaude,
    pub(crate) gate: ModelGate,
    pub(crate) logs: LogCapture,
}

pub(crate) fn gate(pairs: impl IntoIterator<Item = (&'static str, String)>) -> ModelGate {
    ModelGate::new(Settings::from_pairs(pairs).read(ModelConfig::read).unwrap()).unwrap()
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

impl Story {
    pub(crate) async fn new() -> Self {
        let (logs, claude) = (LogCapture::start(), FakeClaude::start().await);
        let gate = gate(claude.settings("strava"));
        Self { claude, gate, logs }
    }

    pub(crate) async fn stream(&self, request: &MessageRequest) -> Result<MessageStream, ClaudeError> {
        self.gate.permit(["strava"]).unwrap().stream(request, soon()).await
    }

    pub(crate) async fn complete(&self, request: &MessageRequest) -> Result<AssistantMessage, ClaudeError> {
        self.gate.permit(["strava"]).unwrap().complete(request, soon()).await
    }

    /// The last look: Claude understood everything, was asked `requests` times, and nothing private was logged.
    pub(crate) fn ends(&self, requests: usize) {
        self.claude.assert_nothing_unexpected();
        assert_eq!(self.claude.requests().len(), requests);
        let mut private = self.claude.secrets();
        private.extend([QUESTION.to_owned(), "Königsallee".to_owned()]);
        self.logs.assert_clean(&private, &[]);
    }

    /// The lines about whole answers.
    pub(crate) fn answered(&self) -> Vec<Value> {
        let lines = self.logs.lines().into_iter().filter(|line| line.contains("Claude answered"));
        lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
    }
}

/// All events of an answer, the pieces of text put together.
pub(crate) async fn drain(stream: &mut MessageStream) -> Result<(String, Vec<StreamEvent>), ClaudeError> {
    let (mut text, mut others) = (String::new(), Vec::new());
    while let Some(event) = stream.next().await? {
        match event {
            StreamEvent::Text(piece) => text.push_str(&piece),
            other => others.push(other),
        }
    }
    Ok((text, others))
}

pub(crate) fn question() -> MessageRequest {
    MessageRequest {
        tools: Vec::new(),
        system: vec![SystemBlock { text: "You are a coach.".repeat(50), cache: Some(CacheTtl::OneHour) }],
        messages: vec![user_text(QUESTION)],
        cache_dialogue: Some(CacheTtl::FiveMinutes),
        thinking: Thinking::BetweenTools,
        output_schema: None,
        max_tokens: 2048,
        user_id: Some("5f1c9a".to_owned()),
    }
}

pub(crate) fn question_with_tools() -> MessageRequest {
    let schema = |field: &str, kind: &str| {
        let properties = json!({ field: { "type": kind } });
        json!({ "type": "object", "properties": properties, "required": [field], "additionalProperties": false })
    };
    let tool = |name: &str, input_schema: Value| Tool {
        name: name.to_owned(),
        description: "Looks up runs of the athlete. Use it for every number.".to_owned(),
        input_schema,
        strict: true,
    };
    let no_input = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let tools = vec![tool("runs", schema("weeks", "integer")), tool("records", schema("distance", "string")), tool("today", no_input)];
    MessageRequest { tools, ..question() }
}

pub(crate) fn done(events: &[StreamEvent]) -> StopReason {
    match events.last() {
        Some(StreamEvent::Done { stop_reason, .. }) => stop_reason.clone(),
        other => panic!("the last event is {other:?}"),
    }
}
