//! What a refusal means for the job: sleep, or end with a sentence.

use jiff::{SignedDuration, Timestamp};
use runaway_core::db::DbError;
use runaway_core::domain::{next_daily_window, next_quarter_hour};
use runaway_core::flows::AccessError;
use runaway_core::queue::QueueError;
use runaway_core::strava::StravaError;
use runaway_core::telemetry;
use uuid::Uuid;

use crate::budget::Refusal;

/// How long everybody waits after Strava failed three times in a row.
const OUTAGE_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// How long everybody waits while Strava refuses the whole application: somebody has to mend that.
const SHUT_OUT_PAUSE: SignedDuration = SignedDuration::from_mins(15);
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
    End {
        /// What the athlete reads.
        sentence: &'static str,
        /// Whether the connection is of no more use.
        disconnects: bool,
    },
}

/// So many seconds after a moment for which many jobs wait, this one begins: always the same for the same job.
pub(crate) fn jitter(job_id: Uuid) -> SignedDuration {
    SignedDuration::from_secs(i64::from(job_id.as_bytes()[15] % JITTER_S_MAX))
}

/// What a refusal means for a job that has been failing since a time, if at all.
pub(crate) fn consequence(refusal: &Refusal, failing_since: Option<Timestamp>, now: Timestamp) -> Consequence {
    let ends = |sentence, disconnects| Consequence::End { sentence, disconnects };
    let error = match refusal {
        Refusal::NoBudget { opens_at } => return Consequence::Wait(*opens_at),
        Refusal::Strava(error) => error,
    };
    let (pause, pauses_all, last_words) = match error {
        StravaError::RateLimited { daily: true } => return Consequence::Wait(next_daily_window(now)),
        StravaError::RateLimited { daily: false } => return Consequence::Wait(next_quarter_hour(now)),
        StravaError::TokenRejected | StravaError::GrantRejected => {
            return ends("Strava no longer accepts the connection. Please connect Strava again.", true);
        }
        StravaError::ScopeMissing(_) => {
            let sentence = "Runaway may not see all your activities. Please connect Strava again and leave every box ticked.";
            return ends(sentence, false);
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
        StravaError::Unexpected { .. } => {
            (ODD_ANSWER_PAUSE, false, "Strava answered in an unknown way for three days. Please start the sync again later.")
        }
    };
    match failing_since {
        Some(since) if now.duration_since(since) >= FAILING_MAX => ends(last_words, false),
        _ => Consequence::TryAgain { at: now + pause, pauses_all },
    }
}

/// Says in the log what was refused and what becomes of it.
pub(crate) fn log(job_id: Uuid, athlete_id: i64, refusal: &Refusal, next: Consequence) {
    let cause = telemetry::chain(refusal);
    let next = match next {
        Consequence::Wait(until) | Consequence::TryAgain { at: until, .. } => format!("it goes on at {until}"),
        Consequence::End { .. } => "it ends".to_owned(),
    };
    match refusal {
        Refusal::NoBudget { .. } => {
            tracing::info!(job.id = %job_id, athlete.id = athlete_id, next, "No call of Strava is left for job {job_id}");
        }
        // An alarm looks for this sentence.
        Refusal::Strava(StravaError::ApplicationRefused(_)) => {
            tracing::error!(job.id = %job_id, athlete.id = athlete_id, cause, next, "Strava refuses this application; job {job_id} waits");
        }
        Refusal::Strava(_) => {
            tracing::warn!(job.id = %job_id, athlete.id = athlete_id, cause, next, "Strava refused a call for job {job_id}");
        }
    }
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
            assert!(matches!(after, Consequence::End { sentence, disconnects: false } if sentence.contains(word)), "{after:?}");
            assert!(
                matches!(of(error(), None, time("2026-02-01T00:00:00Z")), Consequence::TryAgain { .. }),
                "a first failure never ends it"
            );
        }
    }

    #[test]
    fn only_a_dead_grant_ends_the_connection() {
        let now = time("2026-01-04T06:31:00Z");
        for (error, expected) in
            [(StravaError::GrantRejected, true), (StravaError::TokenRejected, true), (StravaError::ScopeMissing(String::new()), false)]
        {
            assert!(matches!(of(error, None, now), Consequence::End { disconnects, .. } if disconnects == expected));
        }
    }

    #[test]
    fn the_jitter_is_the_jobs_own() {
        let id = Uuid::from_bytes([7; 16]);
        assert_eq!((jitter(id), jitter(id)), (SignedDuration::from_secs(7), SignedDuration::from_secs(7)));
        assert_eq!(jitter(Uuid::from_bytes([255; 16])), SignedDuration::from_secs(15));
    }
}
