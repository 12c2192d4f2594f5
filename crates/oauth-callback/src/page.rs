//! The small page an athlete sees where no app waits for the answer. It says fixed sentences only.

use askama::Template;
use lambda_http::http::StatusCode;
use runaway_core::http::{ApiError, Reply};

use crate::outcome::Outcome;

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    title: &'static str,
    sentence: &'static str,
}

/// The page for an outcome.
pub(crate) fn page(outcome: &Outcome) -> Result<Reply, ApiError> {
    let (status, title, sentence) = match outcome {
        Outcome::Connected { .. } => {
            (StatusCode::OK, "Strava is connected", "Your training history is on its way. You can go back to Runaway.")
        }
        Outcome::AccessDenied => (StatusCode::FORBIDDEN, "Not connected", "You did not allow access to Strava."),
        Outcome::MissingScope => (
            StatusCode::FORBIDDEN,
            "Not connected",
            "Runaway needs to see all your activities. Please connect again and leave that box ticked.",
        ),
        Outcome::StateInvalid => {
            (StatusCode::BAD_REQUEST, "Not connected", "This link has been used or is too old. Please start again in the app.")
        }
        Outcome::AlreadyLinked => (
            StatusCode::CONFLICT,
            "Not connected",
            "This Strava athlete is connected to another account, or your account to another athlete.",
        ),
        Outcome::ExchangeFailed => (StatusCode::BAD_GATEWAY, "Not connected", "Strava did not accept the connection. Please try again."),
        Outcome::UpstreamUnavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, "Not connected", "Strava is not available right now. Please try again in a few minutes.")
        }
    };
    let page = Page { title, sentence }.render().map_err(|error| ApiError::Internal(error.into()))?;
    Ok(Reply::html(status, page))
}
