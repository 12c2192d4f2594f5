//! How far a walk has come, as a number the athlete sees.

/// The most a job shows before it is completed.
const UNFINISHED_MAX_PERCENT: f64 = 99.0;

/// Progress of a walk in percent, 0 to 99: the share of the time between `newest_s` and `earliest_s` that lies behind it.
///
/// All arguments are epoch seconds. `earliest_s` is the lower bound of the sync or the day the athlete joined Strava.
pub fn walk_progress(newest_s: i64, oldest_seen_s: i64, earliest_s: i64) -> i32 {
    let span = newest_s.saturating_sub(earliest_s);
    if span <= 0 {
        return 0;
    }
    let walked = newest_s.saturating_sub(oldest_seen_s).clamp(0, span);
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a percentage needs neither")]
    let percent = (walked as f64 / span as f64 * UNFINISHED_MAX_PERCENT) as i32;
    percent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_runs_from_nothing_to_99() {
        for (oldest, expected) in [(1000, 0), (500, 49), (0, 99), (-500, 99), (2000, 0)] {
            assert_eq!(walk_progress(1000, oldest, 0), expected, "oldest {oldest}");
        }
        assert_eq!(walk_progress(1000, 500, 1000), 0);
    }
}
