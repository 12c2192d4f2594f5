//! Every call of Strava's API goes through here: reserved before, corrected by the answer's headers after.

use jiff::Timestamp;
use runaway_core::db::rate_budget;
use runaway_core::domain::{Lane, next_daily_window, next_quarter_hour};
use runaway_core::strava::budget::Terms;
use runaway_core::strava::{Answer, StravaError};
use runaway_core::vault::VaultError;

use crate::App;
use crate::access::CallError;

/// Why a call brought nothing; [`crate::failure`] knows what becomes of the work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// It was not made: the lane's share is used up, or nobody calls Strava for now.
    #[error("no call of Strava is left until {opens_at}")]
    NoBudget {
        /// When it is worth another try.
        opens_at: Timestamp,
    },
    /// It was not made: the athlete's token does not open.
    #[error("the athlete's token does not open")]
    Unopened(#[source] VaultError),
    /// Strava's answer.
    #[error(transparent)]
    Strava(#[from] StravaError),
}

impl Refusal {
    /// Whether Strava did not accept the token: the permission may be gone.
    pub(crate) const fn is_of_token(&self) -> bool {
        matches!(self, Self::Strava(StravaError::TokenRejected | StravaError::GrantRejected))
    }
}

/// Makes one call in a lane, if there is budget for it. `ask` is not begun before that.
pub(crate) async fn call<T>(app: &App, lane: Lane, ask: impl Future<Output = Answer<T>>) -> Result<T, CallError> {
    let now = app.clock.now();
    let terms = Terms::of(lane, now);
    let standing = rate_budget::reserve(app.db.system().await?, &terms, now).await?;
    if !standing.is_granted {
        return Err(Refusal::NoBudget { opens_at: standing.opens_at(&terms, now) }.into());
    }
    let answer = ask.await;
    if standing.is_corrected_by(&answer.rates) {
        rate_budget::correct(app.db.system().await?, &terms, &answer.rates).await?;
    }
    if let Err(StravaError::RateLimited { daily }) = answer.outcome {
        // The window is spent for everyone: whoever asked now would be refused too, and that counts.
        let until = if daily { next_daily_window(now) } else { next_quarter_hour(now) };
        rate_budget::pause(app.db.system().await?, until).await?;
    }
    Ok(answer.outcome?)
}
