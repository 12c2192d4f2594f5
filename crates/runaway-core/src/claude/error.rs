//! What Claude's refusals mean for the caller.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::stream::Broken;

/// An answer that is not the wanted one, by what to do next. Each names Claude's id of the request, `-` where none came.
#[derive(Debug, thiserror::Error)]
pub enum ClaudeError {
    /// Too many ask at once: answer without the model now, try again later.
    #[error("Claude is overloaded (request {request_id})")]
    Overloaded {
        /// How long Claude asks to wait.
        retry_after: Option<Duration>,
        /// Claude's id of the request.
        request_id: String,
    },
    /// We ask too much: as [`ClaudeError::Overloaded`].
    #[error("Claude's rate limit is reached (request {request_id})")]
    RateLimited {
        /// How long Claude asks to wait.
        retry_after: Option<Duration>,
        /// Claude's id of the request.
        request_id: String,
    },
    /// No connection, a 5xx, or an answer that never began: as [`ClaudeError::Overloaded`].
    #[error("Claude is not available: {what} (request {request_id})")]
    Unavailable {
        /// What happened.
        what: String,
        /// Claude's id of the request.
        request_id: String,
    },
    /// The month's money is spent: an alarm for the operator; no request succeeds before it is raised.
    #[error("the spend limit at Claude is reached (request {request_id})")]
    SpendLimit {
        /// Claude's id of the request.
        request_id: String,
    },
    /// The request, the key or the model is wrong: an alarm for the operator, never to be tried again.
    #[error("Claude refuses the request: {what} (request {request_id})")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// The status, the type of the error and, where it names one, the field.
        what: String,
        /// Claude's id of the request.
        request_id: String,
    },
    /// The answer had begun and broke: say so after text that was shown, else answer without the model.
    #[error("Claude's answer was cut off: {what} (request {request_id})")]
    CutOff {
        /// Whether text came before.
        after_text: bool,
        /// What happened.
        what: String,
        /// Claude's id of the request.
        request_id: String,
    },
    /// Silence for too long, or the deadline: as [`ClaudeError::CutOff`].
    #[error("Claude did not answer in time (request {request_id})")]
    Timeout {
        /// Whether text came before.
        after_text: bool,
        /// Claude's id of the request.
        request_id: String,
    },
}

impl ClaudeError {
    /// The class among the metrics' failures.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Overloaded { .. } => "claude_overloaded",
            Self::RateLimited { .. } => "claude_rate_limited",
            Self::Unavailable { .. } => "claude_unavailable",
            Self::SpendLimit { .. } => "claude_spend_limit",
            Self::Rejected { .. } => "claude_rejected",
            Self::CutOff { .. } => "claude_cut_off",
            Self::Timeout { .. } => "claude_timeout",
        }
    }

    /// A request of ours that must not be sent.
    pub(super) fn unsendable(what: &str) -> Self {
        Self::Rejected { status: 400, what: what.to_owned(), request_id: NO_ID.to_owned() }
    }
}

const NO_ID: &str = "-";

pub(super) fn cut_off(after_text: bool, what: &str, request_id: String) -> ClaudeError {
    ClaudeError::CutOff { after_text, what: what.to_owned(), request_id }
}

/// A word of Claude's that may be logged, or nothing: a message may quote what it was sent.
pub(super) fn plain_word(text: &str) -> String {
    let plain = text.len() <= 80 && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-[]".contains(c));
    if plain { text.to_owned() } else { String::new() }
}

/// Claude's id of the request.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    let id = headers.get("request-id").and_then(|id| id.to_str().ok()).map(plain_word).unwrap_or_default();
    if id.is_empty() { NO_ID.to_owned() } else { id }
}

/// An error before the message began, with what decides whether to try again.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: ClaudeError,
    pub(super) is_transient: bool,
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    fn transient(error: ClaudeError) -> Self {
        Self { error, is_transient: true, retry_after: None }
    }

    /// One that another try does not cure.
    pub(super) fn lasting(error: ClaudeError) -> Self {
        Self { error, is_transient: false, retry_after: None }
    }

    fn unavailable(what: &str, request_id: String) -> Self {
        Self::transient(ClaudeError::Unavailable { what: what.to_owned(), request_id })
    }

    pub(super) fn no_answer_in_time() -> Self {
        Self::transient(ClaudeError::Timeout { after_text: false, request_id: NO_ID.to_owned() })
    }

    /// A request that got no answer. The address is left out, as everywhere.
    pub(super) fn from_transport(error: &reqwest::Error) -> Self {
        let what = if error.is_connect() { "no connection" } else { "no answer" };
        Self::unavailable(what, NO_ID.to_owned())
    }

    /// An answer with a good status that broke before the message began.
    pub(super) fn before_the_message(broken: Broken, request_id: String) -> Self {
        match broken {
            Broken::Timeout => Self::transient(ClaudeError::Timeout { after_text: false, request_id }),
            Broken::Ended => Self::unavailable("the answer ended before it began", request_id),
            Broken::TooLarge | Broken::Malformed => Self::unavailable("the answer cannot be read", request_id),
            Broken::Error(kind) => {
                let status = status_of(&kind);
                let error = classify(status, &kind, "", "", None, request_id);
                Self { is_transient: is_transient(status), error, retry_after: None }
            }
        }
    }

    /// An answer with a status that is no success.
    pub(super) fn from_answer(status: StatusCode, headers: &HeaderMap, body: &[u8], retry_after: Option<Duration>) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |value: &Value| plain_word(value.as_str().unwrap_or_default());
        let fault = &body["error"];
        let message = fault["message"].as_str().unwrap_or_default();
        // "messages.3.content.0: …" names a field; what follows may quote it.
        let field = message.split_once(':').map(|(field, _)| plain_word(field)).unwrap_or_default();
        let kind = text(&fault["type"]);
        let code = text(&fault["details"]["error_code"]);
        let error = classify(status.as_u16(), &kind, &field, &code, retry_after, request_id(headers));
        let asked = headers.get("x-should-retry").and_then(|value| value.to_str().ok());
        let is_transient = match (&error, asked) {
            (ClaudeError::SpendLimit { .. }, _) | (_, Some("false")) => false,
            (_, Some("true")) => true,
            _ => is_transient(status.as_u16()),
        };
        Self { error, is_transient, retry_after }
    }
}

fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 409 | 429 | 500..)
}

/// The status that an error has when it comes as an event instead.
fn status_of(kind: &str) -> u16 {
    match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 500,
    }
}

fn classify(status: u16, kind: &str, field: &str, code: &str, retry_after: Option<Duration>, request_id: String) -> ClaudeError {
    match status {
        _ if code == "enforced_spend_limit_reached" => ClaudeError::SpendLimit { request_id },
        529 => ClaudeError::Overloaded { retry_after, request_id },
        _ if kind == "overloaded_error" => ClaudeError::Overloaded { retry_after, request_id },
        429 => ClaudeError::RateLimited { retry_after, request_id },
        408 | 409 | 500.. => ClaudeError::Unavailable { what: format!("status {status} {kind}").trim_end().to_owned(), request_id },
        _ => ClaudeError::Rejected { status, what: format!("status {status} {kind} {field}").trim_end().to_owned(), request_id },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str, headers: &[(&'static str, &'static str)]) -> Failure {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect();
        Failure::from_answer(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes(), None)
    }

    #[test]
    fn every_known_answer_has_its_meaning() {
        let fault = |kind: &str, message: &str| format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#);
        let spent = r#"{"error":{"type":"rate_limit_error","message":"x","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
        for (status, body, expected, is_transient) in [
            (529, fault("overloaded_error", "x"), "Claude is overloaded", true),
            (503, fault("overloaded_error", "x"), "Claude is overloaded", true),
            (429, fault("rate_limit_error", "x"), "Claude's rate limit is reached", true),
            (429, spent.to_owned(), "the spend limit at Claude is reached", false),
            (500, fault("api_error", "x"), "Claude is not available: status 500 api_error", true),
            (502, "<html>".to_owned(), "Claude is not available: status 502", true),
            (409, String::new(), "Claude is not available: status 409", true),
            (401, fault("authentication_error", "x"), "Claude refuses the request: status 401 authentication_error", false),
            (
                400,
                fault("invalid_request_error", "messages.3.content.0: said Ada"),
                "Claude refuses the request: status 400 invalid_request_error messages.3.content.0",
                false,
            ),
            (400, fault("invalid_request_error", "Ada said: x"), "Claude refuses the request: status 400 invalid_request_error", false),
            (413, "too large".to_owned(), "Claude refuses the request: status 413", false),
        ] {
            let failure = failure(status, &body, &[("request-id", "req_1")]);
            assert_eq!(failure.error.to_string(), format!("{expected} (request req_1)"), "{status} {body}");
            assert_eq!(failure.is_transient, is_transient, "{status} {body}");
        }
    }

    #[test]
    fn claude_may_say_whether_to_try_again() {
        assert!(failure(400, "", &[("x-should-retry", "true")]).is_transient);
        assert!(!failure(500, "", &[("x-should-retry", "false")]).is_transient);
    }

    #[test]
    fn an_error_that_comes_as_the_first_event_means_what_its_status_means() {
        let failure = |kind: &str| Failure::before_the_message(Broken::Error(kind.to_owned()), NO_ID.to_owned());
        assert!(matches!(failure("overloaded_error"), Failure { error: ClaudeError::Overloaded { .. }, is_transient: true, .. }));
        assert!(matches!(failure("invalid_request_error"), Failure { error: ClaudeError::Rejected { .. }, is_transient: false, .. }));
        assert!(matches!(failure("novel_error"), Failure { error: ClaudeError::Unavailable { .. }, is_transient: true, .. }));
    }
}
