//! What a test lets Claude say.

use serde_json::{Value, json};

use crate::fake_strava::Gate;

#[derive(Debug, Clone)]
pub(super) enum Part {
    Text(String),
    /// A call of a tool, with its input as the model writes it.
    Tool {
        name: String,
        input: String,
    },
}

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Whole,
    /// An error event after the text.
    Error,
    /// The body ends after the text.
    Cut,
    /// The connection breaks after the text.
    Reset,
}

#[derive(Debug, Clone)]
pub(super) enum Answer {
    Message { parts: Vec<Part>, stop_reason: String, ending: Ending },
    Failure { status: u16, kind: &'static str, details: Value },
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(super) answer: Answer,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) held: Option<Gate>,
    pub(super) held_midway: Option<Gate>,
    pub(super) is_json: bool,
}

impl Reply {
    fn new(answer: Answer) -> Self {
        Self { answer, headers: Vec::new(), held: None, held_midway: None, is_json: false }
    }

    fn message(parts: Vec<Part>, stop_reason: &str, ending: Ending) -> Self {
        Self::new(Answer::Message { parts, stop_reason: stop_reason.to_owned(), ending })
    }

    fn failure(status: u16, kind: &'static str) -> Self {
        Self::new(Answer::Failure { status, kind, details: Value::Null })
    }

    /// A text.
    pub fn text(text: &str) -> Self {
        Self::stopped_by("end_turn", text)
    }

    /// A text that ends for this reason.
    pub fn stopped_by(stop_reason: &str, text: &str) -> Self {
        Self::message(vec![Part::Text(text.to_owned())], stop_reason, Ending::Whole)
    }

    /// Calls of tools.
    pub fn tools<'a>(calls: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        let call = |(name, input): (&str, Value)| {
            let input = if input == json!({}) { String::new() } else { input.to_string() };
            Part::Tool { name: name.to_owned(), input }
        };
        Self::message(calls.into_iter().map(call).collect(), "tool_use", Ending::Whole)
    }

    /// JSON by the schema that the request asks for.
    pub fn json(value: &Value) -> Self {
        Self { is_json: true, ..Self::text(&value.to_string()) }
    }

    /// A text that `max_tokens` cuts short.
    pub fn truncated(text: &str) -> Self {
        Self::stopped_by("max_tokens", text)
    }

    /// A call of a tool that `max_tokens` cuts short, with the beginning of its input.
    pub fn truncated_tool(name: &str, input: &str) -> Self {
        Self::message(vec![Part::Tool { name: name.to_owned(), input: input.to_owned() }], "max_tokens", Ending::Whole)
    }

    /// Claude declines after a few words.
    pub fn refusal() -> Self {
        Self::stopped_by("refusal", "Well, ")
    }

    /// 529.
    pub fn overloaded() -> Self {
        Self::failure(529, "overloaded_error")
    }

    /// 429, with the seconds to wait.
    pub fn rate_limited(retry_after_s: u64) -> Self {
        Self::failure(429, "rate_limit_error").with_header("retry-after", &retry_after_s.to_string())
    }

    /// 429 that no waiting cures before the month ends.
    pub fn spend_limit() -> Self {
        let details = json!({ "error_code": "enforced_spend_limit_reached" });
        Self::new(Answer::Failure { status: 429, kind: "rate_limit_error", details })
    }

    /// Any other status.
    pub fn status(status: u16) -> Self {
        let kind = match status {
            400 => "invalid_request_error",
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            504 => "timeout_error",
            _ => "api_error",
        };
        Self::failure(status, kind)
    }

    /// A text, then an error event instead of the end; without text the error is the first event.
    pub fn overload_after(text: &str) -> Self {
        Self::message(vec![Part::Text(text.to_owned())], "end_turn", Ending::Error)
    }

    /// A text, then the body ends; without text it is empty.
    pub fn cut_after(text: &str) -> Self {
        Self::message(vec![Part::Text(text.to_owned())], "end_turn", Ending::Cut)
    }

    /// A text, then the connection breaks.
    pub fn reset_after(text: &str) -> Self {
        Self::message(vec![Part::Text(text.to_owned())], "end_turn", Ending::Reset)
    }

    /// Puts a text before what else is said.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        if let Answer::Message { parts, .. } = &mut self.answer {
            parts.insert(0, Part::Text(text.to_owned()));
        }
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Holds the whole answer back until the gate opens.
    #[must_use]
    pub fn held(mut self, gate: &Gate) -> Self {
        self.held = Some(gate.clone());
        self
    }

    /// Holds the answer back after its first text.
    #[must_use]
    pub fn held_midway(mut self, gate: &Gate) -> Self {
        self.held_midway = Some(gate.clone());
        self
    }
}
