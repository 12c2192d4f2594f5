//! Which activities a question is about.

use jiff::civil::{Date, Weekday, date};

use super::Family;

/// Days from `first` to `last`, both included; empty where `first` lies after `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateRange {
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
}

impl DateRange {
    /// Every day an activity may have.
    pub const EVER: Self = Self { first: date(1900, 1, 1), last: date(2999, 12, 31) };

    /// One day.
    pub const fn day(day: Date) -> Self {
        Self { first: day, last: day }
    }

    /// Whether it has no first day worth naming.
    pub fn is_ever(&self) -> bool {
        self.first <= Self::EVER.first && self.last >= Self::EVER.last
    }

    /// Number of days, both ends included; 0 for an empty range.
    pub fn days(&self) -> i64 {
        i64::from((self.last - self.first).get_days() + 1).max(0)
    }

    /// Whether the day lies in it.
    pub fn contains(&self, day: Date) -> bool {
        (self.first..=self.last).contains(&day)
    }

    /// The days both have.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self { first: self.first.max(other.first), last: self.last.min(other.last) }
    }
}

/// Strava's marks for what a run was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunKind {
    /// A race.
    Race,
    /// A long run, or a race.
    LongRun,
    /// A workout: intervals, a track session.
    Workout,
}

impl RunKind {
    /// Strava's codes in `workout_type`, for runs and for rides.
    pub const fn codes(self) -> &'static [i32] {
        match self {
            Self::Race => &[1, 11],
            Self::LongRun => &[1, 2],
            Self::Workout => &[3, 12],
        }
    }
}

/// What is left out of a selection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Without {
    /// Families of sports.
    pub families: Vec<Family>,
    /// Strava's words of sports.
    pub sports: Vec<String>,
    /// Strava's codes of what a run was.
    pub kinds: Vec<i32>,
    /// What was done indoors.
    pub indoor: bool,
}

impl Without {
    /// Whether nothing is left out.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Which activities are meant. What is `None` does not matter.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The days.
    pub dates: DateRange,
    /// The family of sports.
    pub family: Option<Family>,
    /// Strava's words of the sports, where members of a family or rarer sports are meant; empty for any.
    pub sports: Vec<String>,
    /// Indoors (a treadmill, a trainer) or not.
    pub indoor: Option<bool>,
    /// What the run was: a race, a long run, a workout.
    pub kind: Option<RunKind>,
    /// At least so many metres.
    pub distance_min_m: Option<f64>,
    /// At most so many metres.
    pub distance_max_m: Option<f64>,
    /// At least so many moving seconds.
    pub moving_min_s: Option<i32>,
    /// On this day of the week.
    pub weekday: Option<Weekday>,
    /// What is left out.
    pub without: Without,
}

impl Selection {
    /// All activities of the days.
    pub const fn of(dates: DateRange) -> Self {
        Self {
            dates,
            family: None,
            sports: Vec::new(),
            indoor: None,
            kind: None,
            distance_min_m: None,
            distance_max_m: None,
            moving_min_s: None,
            weekday: None,
            without: Without { families: Vec::new(), sports: Vec::new(), kinds: Vec::new(), indoor: false },
        }
    }

    /// All activities of the days and the family.
    pub fn family(dates: DateRange, family: Family) -> Self {
        Self { family: Some(family), ..Self::of(dates) }
    }

    /// The same on other days.
    #[must_use]
    pub fn during(&self, dates: DateRange) -> Self {
        Self { dates, ..self.clone() }
    }

    /// Whether sums per day and sport can answer it, without looking at single activities.
    pub fn is_by_day(&self) -> bool {
        self.indoor.is_none()
            && self.kind.is_none()
            && self.distance_min_m.is_none()
            && self.distance_max_m.is_none()
            && self.moving_min_s.is_none()
            && self.without.is_nothing()
    }
}

/// In which order activities are listed; ties go to the newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By date, the newest first.
    Newest,
    /// By date, the oldest first.
    Oldest,
    /// By distance, the greatest first.
    Longest,
    /// By distance, the least first; activities without one are left out.
    Shortest,
    /// By moving time, the greatest first.
    LongestTime,
    /// By climb, the greatest first.
    Hilliest,
    /// By average speed, the greatest first; only activities of at least [`PACED_DISTANCE_MIN_M`].
    Fastest,
    /// By average speed, the least first; only activities of at least [`PACED_DISTANCE_MIN_M`].
    Slowest,
    /// By the highest heart rate reached.
    HighestHeartRate,
}

/// Shorter activities are not compared by pace, metres.
pub const PACED_DISTANCE_MIN_M: f64 = 3000.0;

/// What sums are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// Everything together.
    All,
    /// Each day.
    Day,
    /// Each week, by its Monday.
    Week,
    /// Each month, by its first day.
    Month,
    /// Each year, by its first day.
    Year,
    /// Each family of sports.
    Family,
    /// Each day of the week, Monday to Sunday.
    Weekday,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_both_ends() {
        let week = DateRange { first: date(2026, 3, 23), last: date(2026, 3, 29) };
        assert_eq!(week.days(), 7);
        assert!(week.contains(date(2026, 3, 29)) && !week.contains(date(2026, 3, 30)));
        assert_eq!(week.intersect(&DateRange::EVER), week);
        assert_eq!(DateRange { first: date(2026, 1, 2), last: date(2026, 1, 1) }.days(), 0);
    }
}
