//! What a sync was asked for, and when one request is already answered by another.

/// How a sync was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncType {
    /// The whole history.
    Full,
    /// What is new, with an overlap.
    Incremental,
}

impl SyncType {
    /// The word in the table and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "full" => Some(Self::Full),
            "incremental" => Some(Self::Incremental),
            _ => None,
        }
    }
}

/// The activities a sync is about. Bounds are exclusive epoch seconds of the start; `None` is unbounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncBounds {
    /// Full or incremental.
    pub sync_type: SyncType,
    /// Only what started later.
    pub after_s: Option<i64>,
    /// Only what started earlier.
    pub before_s: Option<i64>,
    /// At most so many, newest first.
    pub max_activities: Option<i32>,
}

impl SyncBounds {
    /// Whether a job with these bounds brings all that `request` asks for.
    pub fn covers(&self, request: &Self) -> bool {
        let type_fits = self.sync_type == SyncType::Full || request.sync_type == SyncType::Incremental;
        let after_fits = self.after_s.is_none_or(|own| request.after_s.is_some_and(|other| own <= other));
        let before_fits = self.before_s.is_none_or(|own| request.before_s.is_some_and(|other| own >= other));
        let same_window = self.after_s == request.after_s && self.before_s == request.before_s;
        let count_fits = match (self.max_activities, request.max_activities) {
            (None, _) => true,
            (Some(own), Some(other)) => same_window && own >= other,
            (Some(_), None) => false,
        };
        type_fits && after_fits && before_fits && count_fits
    }

    /// The smallest bounds that cover both; keeps the own type.
    #[must_use]
    pub fn widened_by(&self, request: &Self) -> Self {
        let same_window = self.after_s == request.after_s && self.before_s == request.before_s;
        Self {
            sync_type: self.sync_type,
            after_s: self.after_s.zip(request.after_s).map(|(a, b)| a.min(b)),
            before_s: self.before_s.zip(request.before_s).map(|(a, b)| a.max(b)),
            max_activities: self.max_activities.zip(request.max_activities).filter(|_| same_window).map(|(a, b)| a.max(b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn bounds(sync_type: SyncType, after_s: Option<i64>, before_s: Option<i64>, max_activities: Option<i32>) -> SyncBounds {
        SyncBounds { sync_type, after_s, before_s, max_activities }
    }

    #[test]
    fn an_unbounded_full_sync_covers_everything() {
        let full = bounds(SyncType::Full, None, None, None);
        for request in [
            bounds(SyncType::Full, None, None, None),
            bounds(SyncType::Full, Some(1), Some(2), Some(3)),
            bounds(SyncType::Incremental, Some(1), None, None),
        ] {
            assert!(full.covers(&request), "{request:?}");
        }
    }

    #[test]
    fn narrower_windows_smaller_counts_and_the_other_type_do_not_cover() {
        let request = bounds(SyncType::Full, Some(10), Some(20), Some(5));
        for job in [
            bounds(SyncType::Incremental, None, None, None),
            bounds(SyncType::Full, Some(11), Some(20), None),
            bounds(SyncType::Full, Some(10), Some(19), None),
            bounds(SyncType::Full, Some(10), Some(20), Some(4)),
            bounds(SyncType::Full, Some(9), Some(20), Some(5)),
        ] {
            assert!(!job.covers(&request), "{job:?}");
            assert!(job.sync_type != request.sync_type || job.widened_by(&request).covers(&request), "{job:?}");
            assert!(job.widened_by(&request).covers(&job), "{job:?}");
        }
    }
}
