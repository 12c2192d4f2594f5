//! Calls of Strava in an athlete's name: with a fresh token, within the budget, and again where that may help.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use runaway_core::db::DbError;
use runaway_core::domain::Lane;
use runaway_core::flows::{AccessError, fresh_token};
use runaway_core::strava::{Answer, StravaError};
use secrecy::SecretString;

use crate::App;
use crate::budget::{self, Refusal};

/// Tries after the first, for network errors, 5xx and answers that cannot be read.
const RETRIES_MAX: usize = 2;
/// The first pause between tries; doubled with each, with jitter.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(200);

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// For a reason that [`crate::failure`] knows what to do about.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No tokens are held.
    #[error("the athlete is not connected")]
    NotConnected,
    /// A fault of ours.
    #[error("the rate budget could not be had")]
    Db(#[from] DbError),
    /// A fault of ours.
    #[error("the token could not be had")]
    Token(#[source] AccessError),
}

impl CallError {
    fn strava(&self) -> Option<&StravaError> {
        if let Self::Refused(Refusal::Strava(error)) = self { Some(error) } else { None }
    }
}

impl From<StravaError> for CallError {
    fn from(error: StravaError) -> Self {
        Self::Refused(Refusal::Strava(error))
    }
}

/// An athlete's access for the length of one invocation.
#[derive(Debug)]
pub(crate) struct Access<'a> {
    app: &'a App,
    athlete_id: i64,
    lane: Lane,
    rejected: Option<SecretString>,
}

impl<'a> Access<'a> {
    pub(crate) const fn new(app: &'a App, athlete_id: i64, lane: Lane) -> Self {
        Self { app, athlete_id, lane, rejected: None }
    }

    pub(crate) const fn athlete_id(&self) -> i64 {
        self.athlete_id
    }

    /// Makes one call.
    pub(crate) async fn call<T>(&mut self, ask: impl AsyncFn(&SecretString) -> Answer<T>) -> Result<T, CallError> {
        let policy = ExponentialBuilder::default().with_min_delay(RETRY_PAUSE_MIN).with_max_times(RETRIES_MAX).with_jitter();
        loop {
            let token = self.token().await?;
            let once = || budget::call(self.app, self.lane, ask(&token));
            let is_transient = |error: &CallError| error.strava().is_some_and(StravaError::is_transient);
            match once.retry(policy).when(is_transient).await {
                // Once: a token that looked valid may have been replaced or taken back. Twice, and it is refused for good.
                Err(error) if self.rejected.is_none() && matches!(error.strava(), Some(StravaError::TokenRejected)) => {
                    self.rejected = Some(token);
                }
                outcome => return outcome,
            }
        }
    }

    /// Asked for with every call, for a walk may outlive its token; without need for a refresh it is one read.
    async fn token(&self) -> Result<SecretString, CallError> {
        let Self { app, athlete_id, rejected, .. } = self;
        fresh_token(&app.db, &app.vault, &app.strava, *athlete_id, app.clock.now(), rejected.as_ref()).await.map_err(|error| match error {
            AccessError::NotConnected => CallError::NotConnected,
            AccessError::Strava(error) => error.into(),
            AccessError::Vault(error) => Refusal::Unopened(error).into(),
            error => CallError::Token(error),
        })
    }
}
