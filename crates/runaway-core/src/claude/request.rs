//! A request, as far as Runaway uses it. What newer models refuse cannot be said: sampling parameters, a forced choice
//! of tools, a budget for thinking.

use serde::Serialize;
use serde_json::{Value, json};

use crate::config::{ClaudeConfig, Effort};

/// How long Claude keeps a prefix it has read. Longer ones must stand before shorter ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheTtl {
    /// Five minutes from the last use.
    FiveMinutes,
    /// An hour; writing costs more.
    OneHour,
}

impl Serialize for CacheTtl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ttl = match self {
            Self::FiveMinutes => "5m",
            Self::OneHour => "1h",
        };
        json!({ "type": "ephemeral", "ttl": ttl }).serialize(serializer)
    }
}

/// A part of the system prompt.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename = "text")]
pub struct SystemBlock {
    /// The instructions.
    pub text: String,
    /// Whether the prefix up to the end of this part is kept, and for how long; at most three parts, with
    /// [`MessageRequest::cache_dialogue`] as the fourth.
    #[serde(rename = "cache_control", skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheTtl>,
}

/// A tool the model may call.
#[derive(Debug, Clone, Serialize)]
pub struct Tool {
    /// Letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does and when to use it, in several sentences.
    pub description: String,
    /// JSON Schema of an object.
    pub input_schema: Value,
    /// Whether the input is held to the schema, which must then forbid additional properties and have no limits of
    /// numbers, lengths or counts.
    pub strict: bool,
}

/// When the model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Thinking {
    /// As it likes.
    Adaptive,
    /// Only while it uses tools: the answer begins sooner.
    BetweenTools,
}

/// One question to the model. The model's id and effort come from the settings.
#[derive(Debug, Clone)]
pub struct MessageRequest {
    /// The tools, the same ones in every request of a conversation.
    pub tools: Vec<Tool>,
    /// The system prompt, the same in every request of a conversation.
    pub system: Vec<SystemBlock>,
    /// The dialogue, the user's turn last; answers exactly as they came while their tools run.
    pub messages: Vec<Value>,
    /// Whether the dialogue so far is kept for the next request, and for how long.
    pub cache_dialogue: Option<CacheTtl>,
    /// When to think.
    pub thinking: Thinking,
    /// JSON Schema of the text of the answer, if it shall be JSON. What comes must be checked nonetheless: an answer that
    /// was cut short or refused does not follow it.
    pub output_schema: Option<Value>,
    /// The most tokens of thinking and text together.
    pub max_tokens: u32,
    /// Says who asks without saying who that is: an opaque value, never a name or an address.
    pub user_id: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tools: &'a [Tool],
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    system: &'a [SystemBlock],
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheTtl>,
    thinking: Thinking,
    output_config: OutputConfig<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
    messages: &'a [Value],
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    effort: Effort,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "json_schema")]
struct Format<'a> {
    schema: &'a Value,
}

impl MessageRequest {
    /// Whether the last turn is the user's: an answer that is begun for the model is refused.
    pub(super) fn ends_with_the_user(&self) -> bool {
        self.messages.last().is_some_and(|message| message["role"] == "user")
    }

    pub(super) fn body(&self, config: &ClaudeConfig) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Body {
            model: &config.model,
            max_tokens: self.max_tokens,
            stream: true,
            tools: &self.tools,
            tool_choice: (!self.tools.is_empty()).then(|| json!({ "type": "auto" })),
            system: &self.system,
            cache_control: self.cache_dialogue,
            thinking: self.thinking,
            output_config: OutputConfig { effort: config.effort, format: self.output_schema.as_ref().map(|schema| Format { schema }) },
            metadata: self.user_id.as_ref().map(|user_id| json!({ "user_id": user_id })),
            messages: &self.messages,
        })
    }
}

/// A turn of the user's that is a text.
pub fn user_text(text: &str) -> Value {
    json!({ "role": "user", "content": [{ "type": "text", "text": text }] })
}

/// What a tool brought.
#[derive(Debug, Clone)]
pub struct ToolResult {
    /// Which call it answers.
    pub tool_use_id: String,
    /// What the model reads. What strangers wrote belongs here, as JSON, and nowhere else.
    pub content: String,
    /// Whether the tool failed; `content` then says why.
    pub is_error: bool,
}

/// The turn of the user's that answers all calls of one answer at once.
pub fn tool_results(results: &[ToolResult]) -> Value {
    let block = |result: &ToolResult| {
        let mut block = json!({ "type": "tool_result", "tool_use_id": result.tool_use_id, "content": result.content });
        if result.is_error {
            block["is_error"] = Value::Bool(true);
        }
        block
    };
    json!({ "role": "user", "content": results.iter().map(block).collect::<Vec<_>>() })
}
