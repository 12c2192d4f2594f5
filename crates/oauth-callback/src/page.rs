//! The small page an athlete sees where no app waits for the answer. It says fixed sentences only, and leads back to
//! the app where something is left to do there.

use askama::Template;
use lambda_http::http::StatusCode;
use runaway_core::http::{ApiError, Reply};

use crate::outcome::Outcome;

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    title: &'static str,
    sentence: &'static str,
    link: Option<String>,
}

/// The page for an outcome. `app_address` is where a ticket is taken to: shown as a text it could be talked out of
/// somebody, and handed to whoever began.
pub(crate) fn page(outcome: &Outcome, app_address: Option<&String>) -> Result<Reply, ApiError> {
    let (status, title, sentence) = match outcome {
        Outcome::Connected { .. } => {
            (StatusCode::OK, "Strava is connected", "Your training history is on its way. You can go back to Runaway.")
        }
        Outcome::ToConfirm { .. } => (
            StatusCode::OK,
            "One step is left",
            "Nothing is connected yet. On the device where you use Runaway, open the app by this link within ten minutes, and it connects Strava. If it was not you who began this in the app, close this page: then nothing is connected.",
        ),
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
    let link = match outcome {
        Outcome::ToConfirm { .. } => app_address.and_then(|address| outcome.redirect(address)).map(String::from),
        _ => None,
    };
    let page = Page { title, sentence, link }.render().map_err(|error| ApiError::Internal(error.into()))?;
    Ok(Reply::html(status, page))
}
