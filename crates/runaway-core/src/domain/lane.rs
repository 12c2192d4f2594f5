//! Whose turn it is when Strava's rate limit is short.

use jiff::Timestamp;

use super::{SyncBounds, SyncType};

/// How far back an incremental sync may reach and still be served as something an athlete waits for, seconds.
const INTERACTIVE_REACH_S: i64 = 90 * 24 * 60 * 60;

/// Who a call of Strava is made for, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Strava has just announced a change.
    Webhook,
    /// An athlete asked in the app, and waits.
    Interactive,
    /// The daily comparison of the last days.
    Incremental,
    /// Whole histories and details.
    Backfill,
}

impl Lane {
    /// The lane of a sync that was asked for. A catch-up that reaches far back is a backfill, whatever it is called.
    pub fn of_request(bounds: &SyncBounds, now: Timestamp) -> Self {
        let is_recent = bounds.after_s.is_some_and(|after| after >= now.as_second() - INTERACTIVE_REACH_S);
        if bounds.sync_type == SyncType::Incremental && is_recent { Self::Interactive } else { Self::Backfill }
    }

    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Interactive => "interactive",
            Self::Incremental => "incremental",
            Self::Backfill => "backfill",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Webhook, Self::Interactive, Self::Incremental, Self::Backfill].into_iter().find(|lane| lane.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_recent_catch_up_is_served_as_one() {
        let now = Timestamp::from_second(1_000_000_000).unwrap_or_default();
        let bounds = |sync_type, after_s| SyncBounds { sync_type, after_s, before_s: None, max_activities: None };
        for (request, expected) in [
            (bounds(SyncType::Incremental, Some(999_000_000)), Lane::Interactive),
            (bounds(SyncType::Incremental, Some(0)), Lane::Backfill),
            (bounds(SyncType::Incremental, None), Lane::Backfill),
            (bounds(SyncType::Full, Some(999_000_000)), Lane::Backfill),
        ] {
            assert_eq!(Lane::of_request(&request, now), expected, "{request:?}");
        }
    }
}
