//! How a callback ends, and how the app is told.

use runaway_core::strava::StravaError;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// How a callback ends.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Tokens are stored and a sync has begun.
    Connected {
        /// Strava's id.
        athlete_id: i64,
    },
    /// Nothing is linked until whoever began confirms it.
    ToConfirm {
        /// Strava's id.
        athlete_id: i64,
        /// What stands for the exchange until then.
        ticket: SecretString,
    },
    /// The athlete said no.
    AccessDenied,
    /// The athlete unticked what a sync needs.
    MissingScope,
    /// The state is unknown, used or expired.
    StateInvalid,
    /// The athlete is another user's, or the user has another athlete.
    AlreadyLinked,
    /// Strava refused the code.
    ExchangeFailed,
    /// Strava did not answer.
    UpstreamUnavailable,
}

impl Outcome {
    /// What a failed exchange means.
    pub(crate) fn of_exchange(error: &StravaError) -> Self {
        match error {
            StravaError::Unavailable(_) | StravaError::RateLimited { .. } => Self::UpstreamUnavailable,
            _ => Self::ExchangeFailed,
        }
    }

    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Connected { .. } | Self::ToConfirm { .. } => None,
            Self::AccessDenied => Some("access_denied"),
            Self::MissingScope => Some("missing_scope"),
            Self::StateInvalid => Some("state_invalid"),
            Self::AlreadyLinked => Some("already_linked"),
            Self::ExchangeFailed => Some("exchange_failed"),
            Self::UpstreamUnavailable => Some("upstream_unavailable"),
        }
    }

    /// The app's address with the outcome in its query; nothing of the request is echoed.
    pub(crate) fn redirect(&self, app_address: &str) -> Option<Url> {
        let mut url = Url::parse(app_address).ok()?;
        match (self, self.reason()) {
            (Self::Connected { athlete_id }, _) => {
                url.query_pairs_mut().append_pair("success", "true").append_pair("athlete_id", &athlete_id.to_string());
            }
            (Self::ToConfirm { athlete_id, ticket }, _) => {
                let (athlete_id, ticket) = (athlete_id.to_string(), ticket.expose_secret());
                url.query_pairs_mut().append_pair("success", "true").append_pair("athlete_id", &athlete_id).append_pair("ticket", ticket);
            }
            (_, reason) => {
                url.query_pairs_mut().append_pair("success", "false").append_pair("error", reason.unwrap_or_default());
            }
        }
        Some(url)
    }
}
