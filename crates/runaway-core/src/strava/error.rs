//! What Strava's refusals mean for the caller.

use reqwest::StatusCode;
use serde_json::Value;

/// The most of an unreadable answer that is kept.
const VERBATIM_BYTES_MAX: usize = 64 * 1024;

/// The beginning of an answer, to be kept aside and never logged.
pub struct Verbatim(String);

impl Verbatim {
    pub(super) fn of(body: &[u8]) -> Self {
        Self(String::from_utf8_lossy(&body[..body.len().min(VERBATIM_BYTES_MAX)]).into_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Verbatim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// An answer of Strava's that is not the wanted one, by what to do next.
#[derive(Debug, thiserror::Error)]
pub enum StravaError {
    /// The access token is not accepted: refresh once, then ask the athlete to connect again.
    #[error("Strava does not accept the access token")]
    TokenRejected,
    /// The code or refresh token is not accepted: the athlete must connect again.
    #[error("Strava does not accept the code or refresh token")]
    GrantRejected,
    /// The athlete did not grant the permission: ask for it.
    #[error("the permission {0} was not granted")]
    ScopeMissing(String),
    /// The application itself is blocked or misconfigured: an alarm for the operator, never the athlete's fault.
    #[error("Strava refuses this application: {0}")]
    ApplicationRefused(&'static str),
    /// The object is gone or not visible.
    #[error("Strava does not know the object")]
    NotFound,
    /// Out of budget until the next quarter hour, or until midnight UTC where `daily`.
    #[error("Strava's rate limit is reached (daily: {daily})")]
    RateLimited {
        /// Whether the daily limit is the one reached.
        daily: bool,
    },
    /// No connection, no answer in time, a 5xx, or an answer cut short: try again.
    #[error("Strava is not available: {0}")]
    Unavailable(String),
    /// A successful answer that is not what was asked for: try again, and keep it if that does not help.
    #[error("Strava's answer is not {what}")]
    Unreadable {
        /// What it should have been.
        what: &'static str,
        /// The answer.
        body: Verbatim,
    },
    /// An answer nobody expects.
    #[error("Strava answered {status} unexpectedly")]
    Unexpected {
        /// HTTP status.
        status: u16,
    },
}

impl StravaError {
    /// The class among the metrics' failures.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::TokenRejected => "strava_token_rejected",
            Self::GrantRejected => "strava_grant_rejected",
            Self::ScopeMissing(_) => "strava_scope_missing",
            Self::ApplicationRefused(_) => "strava_application_refused",
            Self::NotFound => "strava_not_found",
            Self::RateLimited { .. } => "strava_rate_limited",
            Self::Unavailable(_) => "strava_unavailable",
            Self::Unreadable { .. } => "strava_unreadable",
            Self::Unexpected { .. } => "strava_unexpected",
        }
    }

    /// Whether the same request may succeed in a moment.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Unreadable { .. })
    }

    /// A request that got no answer. The address is left out: it may carry what must not be logged.
    pub(super) fn from_transport(error: &reqwest::Error) -> Self {
        let what = if error.is_timeout() {
            "no answer in time"
        } else if error.is_connect() {
            "no connection"
        } else {
            "the answer was cut short"
        };
        Self::Unavailable(what.to_owned())
    }

    /// An answer with a status that is no success. `daily` says whether the daily budget is used up.
    pub(super) fn from_answer(status: StatusCode, body: &[u8], daily: bool) -> Self {
        let faults = Faults::read(body);
        match status.as_u16() {
            401 if faults.has("missing") => Self::ScopeMissing(faults.field("missing")),
            401 if faults.resource("Application") && faults.field_is("client_id") => Self::ApplicationRefused("client id or secret"),
            401 => Self::TokenRejected,
            400 if faults.resource("Application") => Self::ApplicationRefused("client id or secret"),
            400 if faults.has("invalid") && faults.is_grant() => Self::GrantRejected,
            403 if faults.has("Inactive") => Self::ApplicationRefused("it is inactive"),
            403 if faults.resource("Application") => Self::ApplicationRefused("forbidden"),
            404 => Self::NotFound,
            429 => Self::RateLimited { daily },
            408 | 500.. => Self::Unavailable(format!("status {status}")),
            other => Self::Unexpected { status: other },
        }
    }
}

/// Strava's `errors`, read leniently: the list may be empty, absent or a string, the body no JSON at all.
struct Faults(Vec<Value>);

impl Faults {
    fn read(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        Self(body.get("errors").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    fn any(&self, key: &str, wanted: &str) -> bool {
        self.0.iter().any(|fault| fault.get(key).and_then(Value::as_str).is_some_and(|v| v.eq_ignore_ascii_case(wanted)))
    }

    fn has(&self, code: &str) -> bool {
        self.any("code", code)
    }

    fn resource(&self, name: &str) -> bool {
        self.any("resource", name)
    }

    fn field_is(&self, name: &str) -> bool {
        self.any("field", name)
    }

    fn is_grant(&self) -> bool {
        ["AuthorizationCode", "RequestToken", "RefreshToken"].iter().any(|name| self.resource(name))
    }

    /// The field of the first fault with this code, if it is a plain word: it may be logged.
    fn field(&self, code: &str) -> String {
        let fault = self.0.iter().find(|fault| fault.get("code").and_then(Value::as_str) == Some(code));
        let field = fault.and_then(|fault| fault.get("field")).and_then(Value::as_str).unwrap_or_default();
        let plain = field.len() < 64 && field.chars().all(|c| c.is_ascii_alphanumeric() || ":_-".contains(c));
        if plain { field.to_owned() } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_answer_has_its_meaning() {
        let fault = |resource: &str, field: &str, code: &str| {
            format!(r#"{{"message":"x","errors":[{{"resource":"{resource}","field":"{field}","code":"{code}"}}]}}"#)
        };
        for (status, body, expected) in [
            (401, fault("Athlete", "access_token", "invalid"), "Strava does not accept the access token"),
            (401, fault("Application", "", "invalid"), "Strava does not accept the access token"),
            (401, fault("AccessToken", "activity:read_permission", "missing"), "the permission activity:read_permission was not granted"),
            (400, fault("AuthorizationCode", "code", "invalid"), "Strava does not accept the code or refresh token"),
            (400, fault("RequestToken", "code", "invalid"), "Strava does not accept the code or refresh token"),
            (400, fault("RefreshToken", "refresh_token", "invalid"), "Strava does not accept the code or refresh token"),
            (400, fault("Application", "client_id", "invalid"), "Strava refuses this application: client id or secret"),
            (403, fault("Application", "Status", "Inactive"), "Strava refuses this application: it is inactive"),
            (404, String::new(), "Strava does not know the object"),
            (429, r#"{"message":"x","errors":"a string"}"#.to_owned(), "Strava's rate limit is reached (daily: false)"),
            (503, "<html>".to_owned(), "Strava is not available: status 503 Service Unavailable"),
            (418, "{}".to_owned(), "Strava answered 418 unexpectedly"),
        ] {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            assert_eq!(StravaError::from_answer(status, body.as_bytes(), false).to_string(), expected, "{status} {body}");
        }
    }
}
