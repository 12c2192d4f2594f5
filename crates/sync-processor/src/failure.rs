//! What a refusal means for the job: sleep, or end with a sentence.

use jiff::{SignedDuration, Timestamp};
use runaway_core::db::DbError;
use runaway_core::domain::{next_daily_window, next_quarter_hour};
use runaway_core::flows::AccessError;
use runaway_core::queue::QueueError;
use runaway_core::strava::StravaError;

/// How long a job sleeps after Strava failed three times in a row.
const UPSTREAM_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// How long a job sleeps while Strava refuses the whole application: somebody has to mend that.
const REFUSED_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// The oldest a job gets; with its last failure it ends.
const JOB_AGE_MAX: SignedDuration = SignedDuration::from_hours(72);

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
    /// It goes on at that time.
    Sleep(Timestamp),
    /// It ends; the sentence is for the athlete.
    End {
        /// What the athlete reads.
        sentence: &'static str,
        /// Whether the connection is of no more use.
        disconnects: bool,
    },
}

const RECONNECT: Consequence =
    Consequence::End { sentence: "Strava no longer accepts the connection. Please connect Strava again.", disconnects: true };

/// What a refusal of Strava's means. `jitter_s` spreads the jobs that all wait for the same window.
pub(crate) fn consequence(error: &StravaError, created_at: Timestamp, now: Timestamp, jitter_s: i64) -> Consequence {
    let jitter = SignedDuration::from_secs(jitter_s);
    let until = match error {
        StravaError::RateLimited { daily: true } => {
            return Consequence::Sleep(next_daily_window(now) + jitter);
        }
        StravaError::RateLimited { daily: false } => {
            return Consequence::Sleep(next_quarter_hour(now) + jitter);
        }
        StravaError::TokenRejected | StravaError::GrantRejected => return RECONNECT,
        StravaError::ScopeMissing(_) => {
            let sentence = "Runaway may not see all your activities. Please connect Strava again and leave every box ticked.";
            return Consequence::End { sentence, disconnects: false };
        }
        StravaError::ApplicationRefused(_) => now + REFUSED_PAUSE,
        StravaError::Unavailable(_) | StravaError::Unexpected { .. } | StravaError::NotFound => now + UPSTREAM_PAUSE,
    };
    if now.duration_since(created_at) < JOB_AGE_MAX {
        return Consequence::Sleep(until + jitter);
    }
    Consequence::End { sentence: "Strava could not be reached for three days. Please start the sync again later.", disconnects: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_job_sleeps_until_the_window_that_is_spent_ends() {
        let now = time("2026-01-04T06:31:00Z");
        for (daily, expected) in [(false, "2026-01-04T06:45:03Z"), (true, "2026-01-05T00:00:03Z")] {
            assert_eq!(consequence(&StravaError::RateLimited { daily }, now, now, 3), Consequence::Sleep(time(expected)));
        }
    }

    #[test]
    fn an_outage_ends_a_job_only_after_three_days() {
        let created = time("2026-01-04T00:00:00Z");
        let error = StravaError::Unavailable("status 503".to_owned());
        assert!(matches!(consequence(&error, created, time("2026-01-06T23:59:59Z"), 0), Consequence::Sleep(_)));
        assert!(matches!(consequence(&error, created, time("2026-01-07T00:00:00Z"), 0), Consequence::End { disconnects: false, .. }));
    }

    #[test]
    fn only_a_dead_grant_ends_the_connection() {
        let now = time("2026-01-04T06:31:00Z");
        for (error, disconnects) in
            [(StravaError::GrantRejected, true), (StravaError::TokenRejected, true), (StravaError::ScopeMissing(String::new()), false)]
        {
            assert!(matches!(consequence(&error, now, now, 0), Consequence::End { disconnects: d, .. } if d == disconnects), "{error}");
        }
        assert!(matches!(consequence(&StravaError::ApplicationRefused(""), now, now, 0), Consequence::Sleep(_)));
    }
}
