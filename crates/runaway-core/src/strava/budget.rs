//! How Strava's rate limit is shared: what its headers say, what a lane may use of a window, and when there is more.
//! Pure; the shared row is in `db::rate_budget`. Source: developers.strava.com/docs/rate-limits.

use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;

use crate::domain::{Lane, day_number, next_daily_window, next_quarter_hour, quarter_number};

/// Calls of a window before Strava has named its limits.
pub const PROBE_CALLS_MAX: i32 = 4;
/// How long to wait for the answers of these calls.
const PROBE_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// The last stretch of a window, in which nothing is held back any more.
const LAST_STRETCH: SignedDuration = SignedDuration::from_mins(1);
/// Percent of a window that the daily comparison may use; the rest is for webhooks and waiting athletes.
const INCREMENTAL_PERCENT: i32 = 90;
/// Percent of a window that backfills may use.
const BACKFILL_PERCENT: i32 = 80;
const ALL_PERCENT: i32 = 100;

/// Limit and usage of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Calls of a window.
    pub limit: i32,
    /// Calls of this one so far.
    pub used: i32,
}

/// What an answer's headers say; a window is absent where they do not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// The quarter hour.
    pub short: Option<Usage>,
    /// The day.
    pub day: Option<Usage>,
}

impl Rates {
    /// Reads `X-RateLimit-…` and `X-ReadRateLimit-…`, each `quarter hour,day`. Every call of ours counts in both.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let pair = |name: &str| -> Option<[i32; 2]> {
            let (short, day) = headers.get(name)?.to_str().ok()?.split_once(',')?;
            Some([short.trim().parse().ok()?, day.trim().parse().ok()?])
        };
        let kinds = ["x-ratelimit", "x-readratelimit"].map(|kind| pair(&format!("{kind}-limit")).zip(pair(&format!("{kind}-usage"))));
        let window = |n: usize| tighter(kinds.map(|kind| kind.map(|(limit, used)| Usage { limit: limit[n], used: used[n] })));
        Self { short: window(0), day: window(1) }
    }

    /// Whether the day's calls are used up.
    pub fn day_is_spent(&self) -> bool {
        self.day.is_some_and(|day| day.used >= day.limit)
    }
}

/// Two limits that count the same calls as one: the smaller limit, with as much left as the one has that ends first.
fn tighter(kinds: [Option<Usage>; 2]) -> Option<Usage> {
    let limit = kinds.iter().flatten().map(|usage| usage.limit).min()?;
    let left = kinds.iter().flatten().map(|usage| usage.limit.saturating_sub(usage.used)).min()?;
    Some(Usage { limit, used: limit.saturating_sub(left) })
}

/// The windows an instant lies in, and what a lane may use of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The quarter hour since 1970.
    pub short_window: i64,
    /// The day since 1970.
    pub day_window: i64,
    /// Percent of the quarter hour's calls.
    pub short_percent: i32,
    /// Percent of the day's calls.
    pub day_percent: i32,
}

impl Terms {
    /// What `lane` may use now.
    pub fn of(lane: Lane, now: Timestamp) -> Self {
        let share = match lane {
            Lane::Webhook | Lane::Interactive => ALL_PERCENT,
            Lane::Incremental => INCREMENTAL_PERCENT,
            Lane::Backfill => BACKFILL_PERCENT,
        };
        let percent = |end: Timestamp| if now >= end - LAST_STRETCH { ALL_PERCENT } else { share };
        Self {
            short_window: quarter_number(now),
            day_window: day_number(now),
            short_percent: percent(next_quarter_hour(now)),
            day_percent: percent(next_daily_window(now)),
        }
    }
}

/// The shared row after a reservation was tried.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Whether the call may be made; it is counted then.
    pub is_granted: bool,
    /// The quarter hour; no limit before Strava named one.
    pub short: (Option<i32>, i32),
    /// The day.
    pub day: (Option<i32>, i32),
    /// Nobody calls Strava before this.
    pub not_before: Timestamp,
    /// Reservations refused in this quarter hour, this one included.
    pub refused: i32,
}

impl Standing {
    /// When a refused reservation is worth another try.
    pub fn opens_at(&self, terms: &Terms, now: Timestamp) -> Timestamp {
        if self.not_before > now {
            return self.not_before;
        }
        // A lane's share ends before the window does. Its last stretch is open to everyone; no more come back for it than
        // there are calls left.
        let opening = |(limit, used): (Option<i32>, i32), percent: i32, end: Timestamp| {
            let limit = limit?;
            let is_spent = used >= share_of(limit, percent);
            let is_in_vain = percent == ALL_PERCENT || self.refused > limit.saturating_sub(used);
            is_spent.then(|| if is_in_vain { end } else { end - LAST_STRETCH })
        };
        let day = opening(self.day, terms.day_percent, next_daily_window(now));
        let short = opening(self.short, terms.short_percent, next_quarter_hour(now));
        day.or(short).unwrap_or(now + PROBE_PAUSE)
    }

    /// Whether an answer's headers say something that the row does not know: another limit, or calls of somebody else.
    pub fn is_corrected_by(&self, rates: &Rates) -> bool {
        let differs =
            |(limit, used): (Option<i32>, i32), said: Option<Usage>| said.is_some_and(|said| limit != Some(said.limit) || said.used > used);
        differs(self.short, rates.short) || differs(self.day, rates.day)
    }
}

/// So many calls of a limit are `percent` of it; the statement in `db::rate_budget` computes the same.
fn share_of(limit: i32, percent: i32) -> i32 {
    i32::try_from(i64::from(limit) * i64::from(percent) / 100).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn rates(pairs: &[(&'static str, &'static str)]) -> Rates {
        Rates::read(&pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect())
    }

    #[test]
    fn the_headers_that_leave_less_count() {
        let both = rates(&[
            ("x-ratelimit-limit", "200,2000"),
            ("x-ratelimit-usage", "150, 100"),
            ("x-readratelimit-limit", "100,1000"),
            ("x-readratelimit-usage", "20,100"),
        ]);
        assert_eq!(both.short, Some(Usage { limit: 100, used: 50 }), "50 of 200 are left, and 80 of 100");
        assert_eq!(both.day, Some(Usage { limit: 1000, used: 100 }));
        let one = rates(&[("x-ratelimit-limit", "200,2000"), ("x-ratelimit-usage", "5,2001")]);
        assert!(one.day_is_spent() && one.short == Some(Usage { limit: 200, used: 5 }));
    }

    #[test]
    fn headers_that_are_missing_or_senseless_say_nothing() {
        assert_eq!(rates(&[]), Rates::default());
        assert_eq!(rates(&[("x-ratelimit-limit", "nonsense"), ("x-ratelimit-usage", "5")]), Rates::default());
        assert_eq!(rates(&[("x-ratelimit-limit", "200,2000")]), Rates::default());
    }

    #[test]
    fn a_backfill_leaves_room_until_the_last_minute() {
        for (lane, now, short, day) in [
            (Lane::Webhook, "2026-01-04T06:31:00Z", 100, 100),
            (Lane::Interactive, "2026-01-04T06:31:00Z", 100, 100),
            (Lane::Incremental, "2026-01-04T06:31:00Z", 90, 90),
            (Lane::Backfill, "2026-01-04T06:43:59Z", 80, 80),
            (Lane::Backfill, "2026-01-04T06:44:00Z", 100, 80),
            (Lane::Backfill, "2026-01-04T23:59:00Z", 100, 100),
        ] {
            let terms = Terms::of(lane, time(now));
            assert_eq!((terms.short_percent, terms.day_percent), (short, day), "{lane:?} at {now}");
        }
    }

    #[test]
    fn a_refused_lane_waits_for_the_first_moment_with_something_for_it() {
        let now = time("2026-01-04T06:31:00Z");
        let standing = |short, day, not_before| Standing { is_granted: false, short, day, not_before, refused: 20 };
        let known = |used| (Some(100), used);
        let day = |used| (Some(1000), used);
        let past = Timestamp::UNIX_EPOCH;
        for (lane, standing, expected) in [
            (Lane::Backfill, standing(known(80), day(80), past), "2026-01-04T06:44:00Z"),
            (Lane::Backfill, standing(known(81), day(81), past), "2026-01-04T06:45:00Z"),
            (Lane::Backfill, standing(known(100), day(100), past), "2026-01-04T06:45:00Z"),
            (Lane::Backfill, standing(known(80), day(800), past), "2026-01-04T23:59:00Z"),
            (Lane::Webhook, standing(known(100), day(100), past), "2026-01-04T06:45:00Z"),
            (Lane::Webhook, standing(known(7), day(1000), past), "2026-01-05T00:00:00Z"),
            (Lane::Webhook, standing((None, 4), (None, 4), past), "2026-01-04T06:31:30Z"),
            (Lane::Webhook, standing(known(0), day(0), time("2026-01-04T06:36:00Z")), "2026-01-04T06:36:00Z"),
        ] {
            assert_eq!(standing.opens_at(&Terms::of(lane, now), now), time(expected), "{lane:?} {standing:?}");
        }
        let late = time("2026-01-04T06:44:30Z");
        let spent = standing(known(100), day(100), past);
        assert_eq!(spent.opens_at(&Terms::of(Lane::Backfill, late), late), time("2026-01-04T06:45:00Z"));
    }

    #[test]
    fn only_news_is_written_back() {
        let standing =
            Standing { is_granted: true, short: (Some(100), 7), day: (Some(1000), 90), not_before: Timestamp::UNIX_EPOCH, refused: 0 };
        let said = |limit, used| Rates { short: Some(Usage { limit, used }), day: Some(Usage { limit: 1000, used: 90 }) };
        for (rates, expected) in
            [(said(100, 7), false), (said(100, 3), false), (said(100, 8), true), (said(200, 7), true), (Rates::default(), false)]
        {
            assert_eq!(standing.is_corrected_by(&rates), expected, "{rates:?}");
        }
    }
}
