//! A week against the one before and the mean of the four before. What cannot be compared says so by being absent.

use jiff::civil::Date;
use runaway_core::domain::monday_of;

use crate::statistics::{Runs, Week};

/// Weeks of the mean.
pub const MEAN_WEEKS: usize = 4;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Metres run.
    Distance,
    /// Seconds run.
    Time,
    /// Seconds a metre run.
    Pace,
    /// Metres climbed.
    Elevation,
    /// Mean heart rate of the runs, beats a minute.
    HeartRate,
    /// Training load of all sports.
    Load,
}

impl Metric {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 6] = [Self::Distance, Self::Time, Self::Pace, Self::Elevation, Self::HeartRate, Self::Load];

    /// The word in facts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Distance => "distance",
            Self::Time => "time",
            Self::Pace => "pace",
            Self::Elevation => "elevation",
            Self::HeartRate => "heart rate",
            Self::Load => "training load",
        }
    }

    /// The metric of some weeks together: a mean a week for what adds up, a weighted mean for pace and heart rate.
    fn of(self, weeks: &[Week]) -> Option<f64> {
        let count = weeks.len() as f64;
        let mean = |of: &dyn Fn(&Week) -> f64| Some(weeks.iter().map(of).sum::<f64>() / count);
        let sum = |of: &dyn Fn(&Runs) -> f64| weeks.iter().map(|week| of(&week.runs)).sum::<f64>();
        let ratio = |value: f64, weight: f64| (weight > 0.0 && value > 0.0).then(|| value / weight);
        match self {
            Self::Distance => mean(&|week| week.runs.distance_m),
            Self::Time => mean(&|week| week.runs.moving_s as f64),
            Self::Load => mean(&|week| week.load.total()),
            // A week without any run climbed nothing; one with runs that recorded nothing is unknown.
            Self::Elevation if weeks.iter().any(|week| week.runs.n > 0 && week.runs.elevation_m.is_none()) => None,
            Self::Elevation => mean(&|week| week.runs.elevation_m.unwrap_or_default()),
            Self::Pace => ratio(sum(&|runs| runs.paced_s as f64), sum(&|runs| runs.paced_m)),
            Self::HeartRate => {
                ratio(sum(&|runs| runs.mean_bpm.unwrap_or_default() * runs.heart_s as f64), sum(&|runs| runs.heart_s as f64))
            }
        }
    }
}

/// One metric of a week and what it is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// Which.
    pub metric: Metric,
    /// This week.
    pub this: f64,
    /// The week before; `None` before the history began, or where it had no such value.
    pub last: Option<f64>,
    /// Mean of the four weeks before; `None` unless all four lie within the history.
    pub mean: Option<f64>,
}

/// The change in whole percent; `None` from nothing.
pub fn change_percent(this: f64, before: f64) -> Option<i64> {
    (before > 0.0 && this.is_finite()).then(|| ((this / before - 1.0) * 100.0).round() as i64)
}

/// Compares the week with those before it, newest first. `first_day` is the first day of the history.
pub fn trends(this: &Week, before: &[Week], first_day: Option<Date>) -> Vec<Trend> {
    let begun = first_day.and_then(monday_of);
    let known: Vec<Week> = before.iter().take_while(|week| begun.is_some_and(|begun| week.start >= begun)).cloned().collect();
    let trend = |metric: Metric| {
        let value = metric.of(std::slice::from_ref(this))?;
        let told = value > 0.0 || known.first().and_then(|last| metric.of(std::slice::from_ref(last))).is_some_and(|last| last > 0.0);
        told.then(|| Trend {
            metric,
            this: value,
            last: known.first().and_then(|last| metric.of(std::slice::from_ref(last))),
            mean: known.get(..MEAN_WEEKS).and_then(|four| metric.of(four)),
        })
    };
    Metric::ALL.into_iter().filter_map(trend).collect()
}
