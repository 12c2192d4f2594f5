//! The one place that decides the status of an error and the words of its answer.

use jiff::Timestamp;
use lambda_http::http::StatusCode;
use serde_json::{Value, json};

use super::auth::AuthError;
use crate::db::DbError;
use crate::domain::next_daily_window;
use crate::flows::LinkError;
use crate::queue::QueueError;
use crate::strava::StravaError;
use crate::vault::VaultError;

/// An answer that is not the wanted one.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 400; the sentence names the field.
    #[error("{0}")]
    InvalidRequest(String),
    /// 401.
    #[error("The access token is missing or not valid.")]
    Unauthorized,
    /// 403.
    #[error("This athlete is not yours.")]
    Forbidden,
    /// 403 where no athlete is concerned, with a sentence of its own.
    #[error("{0}")]
    Refused(&'static str),
    /// 404 with the resource's own code.
    #[error("{message}")]
    NotFound {
        /// `ATHLETE_NOT_FOUND`, `JOB_NOT_FOUND`, …
        code: &'static str,
        /// One sentence.
        message: &'static str,
    },
    /// 409: what is asked for stands against what is stored, with the resource's own code.
    #[error("{message}")]
    Conflict {
        /// `ALREADY_LINKED`, …
        code: &'static str,
        /// One sentence.
        message: &'static str,
    },
    /// 405.
    #[error("This method is not allowed here.")]
    MethodNotAllowed,
    /// 413.
    #[error("The body is larger than {bytes_max} bytes.")]
    PayloadTooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// 429: the day's allowance is used up.
    #[error("{message}")]
    RateLimited {
        /// One sentence.
        message: &'static str,
        /// Seconds until it is worth asking again.
        retry_after_s: i64,
    },
    /// 503: another request of the caller's is at the same thing.
    #[error("This is being worked on already. Please try again in a moment.")]
    Busy {
        /// Seconds until it is worth asking again.
        retry_after_s: i64,
    },
    /// 503: somebody we depend on does not answer.
    #[error("A service this depends on is not available. Please try again.")]
    UpstreamUnavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// 500: a fault of ours; nothing of it is sent.
    #[error("Something went wrong on our side.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ApiError {
    /// 404 for a path nobody serves.
    pub const fn no_such_path() -> Self {
        Self::NotFound { code: "NOT_FOUND", message: "There is nothing at this path." }
    }

    /// 404 for a user who never connected Strava.
    pub const fn no_athlete() -> Self {
        Self::NotFound { code: "ATHLETE_NOT_FOUND", message: "No athlete is connected to this account yet." }
    }

    /// 429 where the day's allowance is used up; `message` says of what.
    pub fn used_up(message: &'static str, now: Timestamp) -> Self {
        Self::RateLimited { message, retry_after_s: next_daily_window(now).as_second() - now.as_second() }
    }

    /// A request whose `field` is wrong; `what` says how, without quoting it.
    pub fn field(field: &str, what: &str) -> Self {
        Self::InvalidRequest(format!("{field} {what}."))
    }

    /// HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InvalidRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::PayloadTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::UpstreamUnavailable(_) | Self::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The code in the body.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "INVALID_REQUEST",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Forbidden | Self::Refused(_) => "FORBIDDEN",
            Self::NotFound { code, .. } | Self::Conflict { code, .. } => code,
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::PayloadTooLarge { .. } => "PAYLOAD_TOO_LARGE",
            Self::RateLimited { .. } => "RATE_LIMITED",
            Self::UpstreamUnavailable(_) | Self::Busy { .. } => "UPSTREAM_UNAVAILABLE",
            Self::Internal(_) => "INTERNAL_ERROR",
        }
    }

    /// The class among the metrics' failures.
    pub(super) const fn class(&self) -> &'static str {
        match self {
            Self::UpstreamUnavailable(_) => "upstream_unavailable",
            Self::Busy { .. } => "busy",
            Self::Internal(_) => "internal",
            _ => "refused",
        }
    }

    /// Seconds after which the caller may try again, where they are known.
    pub const fn retry_after_s(&self) -> Option<i64> {
        match self {
            Self::RateLimited { retry_after_s, .. } | Self::Busy { retry_after_s } => Some(*retry_after_s),
            _ => None,
        }
    }

    /// The body; every 5xx carries the request id.
    pub fn body(&self, request_id: &str) -> Value {
        let mut error = json!({ "code": self.code(), "message": self.to_string() });
        if self.status().is_server_error() {
            error["request_id"] = json!(request_id);
        }
        json!({ "error": error })
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(..) => Self::UpstreamUnavailable(error.into()),
            DbError::Constraint(..) | DbError::Statement(_) | DbError::Unexpected(_) => Self::Internal(error.into()),
        }
    }
}

impl From<LinkError> for ApiError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Db(error) => error.into(),
            LinkError::Vault(error) => error.into(),
        }
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Rejected(_) => Self::Unauthorized,
            AuthError::KeysUnavailable(_) => Self::UpstreamUnavailable(error.into()),
        }
    }
}

impl From<QueueError> for ApiError {
    fn from(error: QueueError) -> Self {
        Self::UpstreamUnavailable(error.into())
    }
}

impl From<StravaError> for ApiError {
    fn from(error: StravaError) -> Self {
        Self::UpstreamUnavailable(error.into())
    }
}

impl From<VaultError> for ApiError {
    fn from(error: VaultError) -> Self {
        Self::Internal(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_status_and_code() {
        for (error, status, code) in [
            (ApiError::field("after", "is not a number"), 400, "INVALID_REQUEST"),
            (ApiError::Unauthorized, 401, "UNAUTHORIZED"),
            (ApiError::Forbidden, 403, "FORBIDDEN"),
            (ApiError::Refused("No."), 403, "FORBIDDEN"),
            (ApiError::no_athlete(), 404, "ATHLETE_NOT_FOUND"),
            (ApiError::no_such_path(), 404, "NOT_FOUND"),
            (ApiError::Conflict { code: "ALREADY_LINKED", message: "No." }, 409, "ALREADY_LINKED"),
            (ApiError::MethodNotAllowed, 405, "METHOD_NOT_ALLOWED"),
            (ApiError::PayloadTooLarge { bytes_max: 1 }, 413, "PAYLOAD_TOO_LARGE"),
            (ApiError::RateLimited { message: "Enough for today.", retry_after_s: 60 }, 429, "RATE_LIMITED"),
            (ApiError::Busy { retry_after_s: 5 }, 503, "UPSTREAM_UNAVAILABLE"),
            (ApiError::UpstreamUnavailable("secret".into()), 503, "UPSTREAM_UNAVAILABLE"),
            (ApiError::Internal("secret".into()), 500, "INTERNAL_ERROR"),
        ] {
            let body = error.body("r-1");
            assert_eq!((error.status().as_u16(), body["error"]["code"].as_str()), (status, Some(code)));
            assert_eq!(body["error"].get("request_id").is_some(), status >= 500, "{code}");
            assert!(!body.to_string().contains("secret"), "{body}");
        }
    }
}
