//! The events of a stream, put together to a message.

use serde_json::{Value, json};

use super::stream::Broken;

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// It had nothing more to say.
    EndTurn,
    /// It met a text at which it should stop.
    StopSequence,
    /// It used up `max_tokens`: the text, or the last call of a tool, is cut short.
    MaxTokens,
    /// It waits for the results of tools.
    ToolUse,
    /// It paused a tool of the provider's.
    PauseTurn,
    /// It declined: what text there is should not be shown.
    Refusal,
    /// The conversation is too long: as [`StopReason::MaxTokens`].
    ContextWindowExceeded,
    /// A reason that is younger than this list.
    Unknown(String),
}

impl StopReason {
    fn read(text: &str) -> Self {
        match text {
            "end_turn" => Self::EndTurn,
            "stop_sequence" => Self::StopSequence,
            "max_tokens" => Self::MaxTokens,
            "tool_use" => Self::ToolUse,
            "pause_turn" => Self::PauseTurn,
            "refusal" => Self::Refusal,
            "model_context_window_exceeded" => Self::ContextWindowExceeded,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// Claude's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::EndTurn => "end_turn",
            Self::StopSequence => "stop_sequence",
            Self::MaxTokens => "max_tokens",
            Self::ToolUse => "tool_use",
            Self::PauseTurn => "pause_turn",
            Self::Refusal => "refusal",
            Self::ContextWindowExceeded => "model_context_window_exceeded",
            Self::Unknown(other) => other,
        }
    }
}

/// What a request cost, in tokens. What was read is the sum of the first three.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Read, and neither found in the cache nor put there.
    pub input_tokens: u64,
    /// Read and put into the cache.
    pub cache_creation_input_tokens: u64,
    /// Found in the cache.
    pub cache_read_input_tokens: u64,
    /// Written, thinking included.
    pub output_tokens: u64,
}

impl Usage {
    /// Everything that was read, cached or not.
    pub const fn read_tokens(self) -> u64 {
        self.input_tokens + self.cache_creation_input_tokens + self.cache_read_input_tokens
    }

    /// The counts are totals; an event may leave some out.
    fn update(&mut self, usage: &Value) {
        for (name, count) in [
            ("input_tokens", &mut self.input_tokens),
            ("cache_creation_input_tokens", &mut self.cache_creation_input_tokens),
            ("cache_read_input_tokens", &mut self.cache_read_input_tokens),
            ("output_tokens", &mut self.output_tokens),
        ] {
            *count = usage[name].as_u64().unwrap_or(*count);
        }
    }
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolUse {
    /// The result names it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What it is called with; to be checked like any input.
    pub input: Value,
}

impl ToolUse {
    fn read(block: &Value) -> Option<Self> {
        let text = |name: &str| block[name].as_str().map(str::to_owned);
        Some(Self { id: text("id")?, name: text("name")?, input: block["input"].clone() })
    }
}

/// What happens while an answer arrives.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamEvent {
    /// More text.
    Text(String),
    /// The model wants a tool called. Not to be run before [`StreamEvent::Done`] says [`StopReason::ToolUse`].
    ToolUse(ToolUse),
    /// The message is whole.
    Done {
        /// Why the model stopped.
        stop_reason: StopReason,
        /// What it cost.
        usage: Usage,
    },
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct AssistantMessage {
    /// The blocks as they came, thinking and signatures included, but for a call of a tool that was cut short.
    pub content: Vec<Value>,
    /// Why the model stopped.
    pub stop_reason: StopReason,
    /// What it cost.
    pub usage: Usage,
    /// Who answered.
    pub model: String,
    /// Claude's id of the request.
    pub request_id: String,
}

impl AssistantMessage {
    fn blocks(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.content.iter().filter(move |block| block["type"] == kind)
    }

    /// Its text.
    pub fn text(&self) -> String {
        self.blocks("text").filter_map(|block| block["text"].as_str()).collect()
    }

    /// The tools to run now; none where the model stopped for another reason than to wait for them.
    pub fn tool_uses(&self) -> Vec<ToolUse> {
        if self.stop_reason == StopReason::ToolUse { self.blocks("tool_use").filter_map(ToolUse::read).collect() } else { Vec::new() }
    }

    /// The answer as a turn of the dialogue, to be sent back verbatim with the results of its tools.
    pub fn to_turn(&self) -> Value {
        json!({ "role": "assistant", "content": self.content })
    }
}

/// A content block that is not whole yet; its value is an object.
#[derive(Debug)]
struct Block {
    index: u64,
    value: Value,
    input_json: String,
    is_cut_short: bool,
}

/// A message that is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    model: Option<String>,
    blocks: Vec<Block>,
    stop_reason: Option<StopReason>,
    pub(super) usage: Usage,
    pub(super) has_text: bool,
    pub(super) is_whole: bool,
}

impl Assembler {
    /// Whether the first event has come.
    pub(super) fn has_begun(&self) -> bool {
        self.model.is_some()
    }

    /// Takes one event in. Kinds of events and of deltas that are unknown are passed over.
    pub(super) fn take(&mut self, event: &[u8]) -> Result<Option<StreamEvent>, Broken> {
        let event: Value = serde_json::from_slice(event).map_err(|_| Broken::Malformed)?;
        let kind = event["type"].as_str().unwrap_or_default();
        match kind {
            "error" => return Err(Broken::Error(super::error::plain_word(event["error"]["type"].as_str().unwrap_or_default()))),
            "message_start" => {
                self.model = Some(super::error::plain_word(event["message"]["model"].as_str().unwrap_or_default()));
                self.usage.update(&event["message"]["usage"]);
            }
            _ if !self.has_begun() => {}
            "content_block_start" => return self.open(&event),
            "content_block_delta" => return self.extend(&event),
            "content_block_stop" => return self.close(&event),
            "message_delta" => {
                self.usage.update(&event["usage"]);
                if let Some(reason) = event["delta"]["stop_reason"].as_str() {
                    self.stop_reason = Some(StopReason::read(reason));
                }
            }
            "message_stop" => return self.finish().map(Some),
            _ => {}
        }
        Ok(None)
    }

    fn text(&mut self, text: &str) -> Option<StreamEvent> {
        self.has_text |= !text.is_empty();
        (!text.is_empty()).then(|| StreamEvent::Text(text.to_owned()))
    }

    fn block(&mut self, event: &Value) -> Result<&mut Block, Broken> {
        let index = event["index"].as_u64();
        self.blocks.iter_mut().find(|block| Some(block.index) == index).ok_or(Broken::Malformed)
    }

    fn open(&mut self, event: &Value) -> Result<Option<StreamEvent>, Broken> {
        let value = event["content_block"].clone();
        if !value.is_object() {
            return Err(Broken::Malformed);
        }
        let text = if value["type"] == "text" { value["text"].as_str().unwrap_or_default().to_owned() } else { String::new() };
        let index = event["index"].as_u64().ok_or(Broken::Malformed)?;
        self.blocks.push(Block { index, value, input_json: String::new(), is_cut_short: false });
        Ok(self.text(&text))
    }

    fn extend(&mut self, event: &Value) -> Result<Option<StreamEvent>, Broken> {
        let block = self.block(event)?;
        let delta = &event["delta"];
        match delta["type"].as_str().unwrap_or_default() {
            // Of another block it is no text of the answer's: what is shown is what the message holds.
            "text_delta" if block.value["type"] == "text" => {
                let text = append(&mut block.value, "text", delta);
                return Ok(self.text(text));
            }
            "input_json_delta" => block.input_json.push_str(delta["partial_json"].as_str().unwrap_or_default()),
            "thinking_delta" => drop(append(&mut block.value, "thinking", delta)),
            "signature_delta" => drop(append(&mut block.value, "signature", delta)),
            "citations_delta" => match &mut block.value["citations"] {
                Value::Array(citations) => citations.push(delta["citation"].clone()),
                citations => *citations = json!([delta["citation"]]),
            },
            _ => {}
        }
        Ok(None)
    }

    fn close(&mut self, event: &Value) -> Result<Option<StreamEvent>, Broken> {
        let block = self.block(event)?;
        // Without any piece of input the block's own empty object stands.
        if !block.input_json.is_empty() {
            match serde_json::from_str(&block.input_json) {
                Ok(input) => block.value["input"] = input,
                Err(_) => block.is_cut_short = true,
            }
        }
        let is_call = block.value["type"] == "tool_use" && !block.is_cut_short;
        if is_call { ToolUse::read(&block.value).map(StreamEvent::ToolUse).ok_or(Broken::Malformed).map(Some) } else { Ok(None) }
    }

    fn finish(&mut self) -> Result<StreamEvent, Broken> {
        let stop_reason = self.stop_reason.clone().ok_or(Broken::Malformed)?;
        if stop_reason == StopReason::ToolUse && self.blocks.iter().any(|block| block.is_cut_short) {
            return Err(Broken::Malformed);
        }
        self.blocks.retain(|block| !block.is_cut_short);
        self.is_whole = true;
        Ok(StreamEvent::Done { stop_reason, usage: self.usage })
    }

    /// The whole message, if it is whole.
    pub(super) fn message(&self, request_id: &str) -> Option<AssistantMessage> {
        Some(AssistantMessage {
            content: self.blocks.iter().filter(|_| self.is_whole).map(|block| block.value.clone()).collect(),
            stop_reason: self.stop_reason.clone().filter(|_| self.is_whole)?,
            usage: self.usage,
            model: self.model.clone()?,
            request_id: request_id.to_owned(),
        })
    }
}

/// Appends the delta's text to the block's field of the same name.
fn append<'d>(block: &mut Value, field: &str, delta: &'d Value) -> &'d str {
    let more = delta[field].as_str().unwrap_or_default();
    match &mut block[field] {
        Value::String(text) => text.push_str(more),
        other => *other = Value::String(more.to_owned()),
    }
    more
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = r#"{"type":"message_start","message":{"model":"m","usage":{"input_tokens":5,"output_tokens":1}}}"#;

    fn take(events: &[&str]) -> Result<Vec<StreamEvent>, Broken> {
        let mut assembler = Assembler::default();
        let taken: Result<Vec<_>, _> = events.iter().map(|event| assembler.take(event.as_bytes())).collect();
        taken.map(|events| events.into_iter().flatten().collect())
    }

    #[test]
    fn what_is_unknown_is_passed_over() {
        let events = take(&[
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_delta","index":9}"#,
            START,
            r#"{"type":"a_novelty","index":"of another shape"}"#,
            r#"{"type":["ping"]}"#,
            r#"[1]"#,
            r#"{"type":"content_block_start","index":4,"content_block":{"type":"a_novelty","data":1}}"#,
            r#"{"type":"content_block_delta","index":4,"delta":{"type":"a_novelty_delta","text":"no text"}}"#,
            r#"{"type":"content_block_delta","index":4,"delta":{"type":"text_delta","text":"no text either"}}"#,
            r#"{"type":"content_block_stop","index":4}"#,
            r#"{"type":"content_block_start","index":7,"content_block":{"type":"text","text":"Be"}}"#,
            r#"{"type":"content_block_delta","index":7,"delta":{"type":"text_delta","text":"gun"}}"#,
            r#"{"type":"content_block_delta","index":7,"delta":{"type":"text_delta","text":""}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9,"input_tokens":null}}"#,
            r#"{"type":"message_stop"}"#,
        ]);
        let usage = Usage { input_tokens: 5, output_tokens: 9, ..Usage::default() };
        let text = |text: &str| StreamEvent::Text(text.to_owned());
        assert_eq!(events.unwrap(), [text("Be"), text("gun"), StreamEvent::Done { stop_reason: StopReason::EndTurn, usage }]);
    }

    #[test]
    fn what_contradicts_itself_is_no_message() {
        let tool = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"n","input":{}}}"#;
        let input = r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"#;
        let (stop, waits) =
            (r#"{"type":"content_block_stop","index":0}"#, r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#);
        let end = r#"{"type":"message_stop"}"#;
        for events in [
            &[START, "no JSON"] as &[&str],
            &[START, "\u{feff}{}"],
            &[START, end],
            &[START, r#"{"type":"content_block_start","index":0,"content_block":"text"}"#],
            &[START, r#"{"type":"content_block_start","content_block":{"type":"text"}}"#],
            &[START, r#"{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"x"}}"#],
            &[START, r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use"}}"#, stop],
            &[START, tool, input, stop, waits, end],
        ] {
            assert!(matches!(take(events), Err(Broken::Malformed)), "{events:?}");
        }
        let error = take(&[START, r#"{"type":"error","error":{"type":"Ada said: x"}}"#]);
        assert!(matches!(error, Err(Broken::Error(kind)) if kind.is_empty()));
    }
}
