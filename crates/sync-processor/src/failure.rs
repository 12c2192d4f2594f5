//! What a refusal means for the job: sleep, or end with a sentence.

use jiff::{SignedDuration, Timestamp};
use runaway_core::db::activities::Unreadable;
use runaway_core::db::{DbError, activities};
use runaway_core::domain::{next_daily_window, next_quarter_hour};
use runaway_core::flows::AccessError;
use runaway_core::queue::{QueueError, Undone};
use runaway_core::strava::StravaError;
use runaway_core::telemetry::{self, APPLICATION_INACTIVE, FAILURES, Line};
use runaway_core::vault::VaultError;
use uuid::Uuid;

use crate::App;
use crate::budget::Refusal;

/// How long everybody waits after Strava failed three times in a row.
const OUTAGE_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// How long everybody waits while Strava refuses the whole application: somebody has to mend that.
const SHUT_OUT_PAUSE: SignedDuration = SignedDuration::from_mins(15);
/// How long a job waits whose token only a key that is missing opens: somebody has to mend that, too.
const LOST_KEY_PAUSE: SignedDuration = SignedDuration::from_mins(15);
/// How long a job waits whose own answers make no sense.
const ODD_ANSWER_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// A job for which nothing came for so long ends.
const FAILING_MAX: SignedDuration = SignedDuration::from_hours(72);
/// Jobs that wait for the same moment start within so many seconds of it.
const JITTER_S_MAX: u8 = 20;

/// A fault of ours or of what we stand on: the message is delivered again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    #[error("the database failed")]
    Db(#[from] DbError),
    #[error("a message could not be sent")]
    Queue(#[from] QueueError),
    #[error("the token could not be had")]
    Token(#[source] AccessError),
}

impl From<WorkError> for Undone {
    fn from(error: WorkError) -> Self {
        let class = match error {
            WorkError::Db(_) => "database",
            WorkError::Queue(_) => "queue",
            WorkError::Token(_) => "token",
        };
        Self::Failed { class, source: error.into() }
    }
}

/// What becomes of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// The calls are used up: it goes on at that time.
    Wait(Timestamp),
    /// Something is wrong: it tries again at that time.
    TryAgain {
        /// When.
        at: Timestamp,
        /// Whether it concerns every job, which then need not find out one by one.
        pauses_all: bool,
    },
    /// It ends; the sentence is for the athlete.
    End(&'static str),
}

/// What is worked on, for the log.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// A sync job, or an athlete's details.
    Job(Uuid),
    /// An event of Strava's.
    Event(Uuid),
}

impl Work {
    const fn job_id(self) -> Option<Uuid> {
        if let Self::Job(id) = self { Some(id) } else { None }
    }

    const fn event_id(self) -> Option<Uuid> {
        if let Self::Event(id) = self { Some(id) } else { None }
    }
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Job(id) => write!(f, "job {id}"),
            Self::Event(id) => write!(f, "event {id}"),
        }
    }
}

/// So many seconds after a moment for which many jobs wait, this one begins: always the same for the same job.
pub(crate) fn jitter(job_id: Uuid) -> SignedDuration {
    SignedDuration::from_secs(i64::from(job_id.as_bytes()[15] % JITTER_S_MAX))
}

/// What a refusal means for a job that has been failing since a time, if at all.
pub(crate) fn consequence(refusal: &Refusal, failing_since: Option<Timestamp>, now: Timestamp) -> Consequence {
    let (pause, pauses_all, last_words) = match refusal {
        Refusal::NoBudget { opens_at } => return Consequence::Wait(*opens_at),
        Refusal::Unopened(VaultError::UnknownKey(_)) => {
            (LOST_KEY_PAUSE, false, "We could not use your connection to Strava for three days. Please connect Strava again.")
        }
        // No waiting makes it open.
        Refusal::Unopened(_) => return Consequence::End("We can no longer use your connection to Strava. Please connect Strava again."),
        Refusal::Strava(error) => match of_strava(error, now) {
            Ok(failure) => failure,
            Err(at_once) => return at_once,
        },
    };
    match failing_since {
        Some(since) if now.duration_since(since) >= FAILING_MAX => Consequence::End(last_words),
        _ => Consequence::TryAgain { at: now + pause, pauses_all },
    }
}

/// How long a failure of Strava's is waited for, whether by all, and what is said when it does not end; or what it leads
/// to at once.
fn of_strava(error: &StravaError, now: Timestamp) -> Result<(SignedDuration, bool, &'static str), Consequence> {
    Ok(match error {
        StravaError::RateLimited { daily: true } => return Err(Consequence::Wait(next_daily_window(now))),
        StravaError::RateLimited { daily: false } => return Err(Consequence::Wait(next_quarter_hour(now))),
        StravaError::ScopeMissing(_) => {
            let sentence = "Runaway may not see all your activities. Please connect Strava again and leave every box ticked.";
            return Err(Consequence::End(sentence));
        }
        StravaError::ApplicationRefused(_) => {
            (SHUT_OUT_PAUSE, true, "Strava has shut Runaway out for three days. That is for us to mend; your connection stays.")
        }
        StravaError::Unavailable(_) => {
            (OUTAGE_PAUSE, true, "Strava could not be reached for three days. Please start the sync again later.")
        }
        StravaError::Unreadable { .. } => {
            (ODD_ANSWER_PAUSE, false, "Strava's answers could not be read for three days. Please start the sync again later.")
        }
        StravaError::NotFound => {
            (ODD_ANSWER_PAUSE, false, "Strava could not find your activities for three days. Please start the sync again later.")
        }
        // The permission itself stands: whoever asks here has asked Strava that.
        StravaError::TokenRejected | StravaError::GrantRejected => {
            (ODD_ANSWER_PAUSE, false, "Strava refused the connection for three days. Please connect Strava again.")
        }
        StravaError::Unexpected { .. } => {
            (ODD_ANSWER_PAUSE, false, "Strava answered in an unknown way for three days. Please start the sync again later.")
        }
    })
}

/// Keeps an answer that could not be read three times in a row; the same one is kept once.
pub(crate) async fn keep_answer(app: &App, athlete_id: i64, refusal: &Refusal) -> Result<(), DbError> {
    let Refusal::Strava(StravaError::Unreadable { what, body }) = refusal else { return Ok(()) };
    let answer = Unreadable::answer(body.as_str(), &format!("the answer is not {what}"));
    let tx = app.db.worker(athlete_id).await?;
    activities::keep_aside(&tx, &[answer], app.clock.now()).await?;
    tx.commit().await
}

/// Says in the log what was refused and what becomes of it.
pub(crate) fn log(work: Work, athlete_id: i64, refusal: &Refusal, next: Consequence) {
    let cause = telemetry::chain(refusal);
    let next = match next {
        Consequence::Wait(until) | Consequence::TryAgain { at: until, .. } => format!("it goes on at {until}"),
        Consequence::End(_) => "it ends".to_owned(),
    };
    let line = match refusal {
        Refusal::NoBudget { .. } => Line::info(format!("No call of Strava is left for {work}")),
        // The runbook tells the operator to look for this sentence, and for the next.
        Refusal::Unopened(error) => {
            Line::error(format!("The token of athlete {athlete_id} cannot be opened; {work} cannot go on")).field("key.id", error.key_id())
        }
        Refusal::Strava(error @ StravaError::ApplicationRefused(_)) => {
            Line::error(format!("Strava refuses this application; {work} waits"))
                .metric_by(FAILURES, error.class(), 1)
                .metric(APPLICATION_INACTIVE, 1)
        }
        Refusal::Strava(error) => Line::warn(format!("Strava refused a call for {work}")).metric_by(FAILURES, error.class(), 1),
    };
    line.field("job.id", work.job_id().map(|id| id.to_string()))
        .field("event.id", work.event_id().map(|id| id.to_string()))
        .field("athlete.id", athlete_id)
        .field("cause", cause)
        .field("next", next)
        .write();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn of(error: StravaError, failing_since: Option<Timestamp>, now: Timestamp) -> Consequence {
        consequence(&Refusal::Strava(error), failing_since, now)
    }

    #[test]
    fn a_job_waits_until_the_window_that_is_spent_ends() {
        let now = time("2026-01-04T06:31:00Z");
        for (daily, expected) in [(false, "2026-01-04T06:45:00Z"), (true, "2026-01-05T00:00:00Z")] {
            assert_eq!(of(StravaError::RateLimited { daily }, Some(Timestamp::UNIX_EPOCH), now), Consequence::Wait(time(expected)));
        }
        let opens_at = time("2026-01-04T06:44:00Z");
        assert_eq!(consequence(&Refusal::NoBudget { opens_at }, None, now), Consequence::Wait(opens_at));
    }

    #[test]
    fn only_a_failure_that_lasts_three_days_ends_a_job_and_says_which() {
        let since = time("2026-01-04T00:00:00Z");
        for (error, pauses_all, word) in [
            (|| StravaError::Unavailable("status 503".to_owned()), true, "reached"),
            (|| StravaError::ApplicationRefused("it is inactive"), true, "for us to mend"),
            (|| StravaError::Unexpected { status: 418 }, false, "unknown way"),
            (|| StravaError::NotFound, false, "could not find"),
        ] as [(fn() -> StravaError, bool, &str); 4]
        {
            let before = of(error(), Some(since), time("2026-01-06T23:59:59Z"));
            assert!(matches!(before, Consequence::TryAgain { pauses_all: all, .. } if all == pauses_all), "{before:?}");
            let after = of(error(), Some(since), time("2026-01-07T00:00:00Z"));
            assert!(matches!(after, Consequence::End(sentence) if sentence.contains(word)), "{after:?}");
            assert!(
                matches!(of(error(), None, time("2026-02-01T00:00:00Z")), Consequence::TryAgain { .. }),
                "a first failure never ends it"
            );
        }
    }

    #[test]
    fn a_key_may_come_back_and_what_does_not_open_never_opens() {
        let (since, now) = (time("2026-01-04T00:00:00Z"), time("2026-01-04T06:00:00Z"));
        let lost = || Refusal::Unopened(VaultError::UnknownKey("old".to_owned()));
        let waits = Consequence::TryAgain { at: now + LOST_KEY_PAUSE, pauses_all: false };
        assert_eq!(consequence(&lost(), Some(since), now), waits);
        assert!(matches!(consequence(&lost(), Some(since), time("2026-01-07T00:00:00Z")), Consequence::End(_)));
        for damaged in [VaultError::DoesNotOpen("old".to_owned()), VaultError::NotSealed] {
            assert!(matches!(consequence(&Refusal::Unopened(damaged), None, now), Consequence::End(_)));
        }
    }

    #[test]
    fn a_missing_scope_ends_a_job_at_once_and_a_refused_token_does_not() {
        let now = time("2026-01-04T06:31:00Z");
        assert!(matches!(of(StravaError::ScopeMissing(String::new()), None, now), Consequence::End(_)));
        for error in [StravaError::GrantRejected, StravaError::TokenRejected] {
            assert!(matches!(of(error, None, now), Consequence::TryAgain { pauses_all: false, .. }));
        }
    }

    #[test]
    fn the_jitter_is_the_jobs_own() {
        let id = Uuid::from_bytes([7; 16]);
        assert_eq!((jitter(id), jitter(id)), (SignedDuration::from_secs(7), SignedDuration::from_secs(7)));
        assert_eq!(jitter(Uuid::from_bytes([255; 16])), SignedDuration::from_secs(15));
    }
}
