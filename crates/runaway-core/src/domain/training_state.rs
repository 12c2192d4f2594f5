//! The state of an athlete's training today, from what was done each day.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::load::{Effort, LoadSum, Physiology, load};
use super::{
    AcuteChronic, Family, Fitness, IntensitySplit, Monotony, SPIKE_LOOKBACK_DAYS, Spike, acute_chronic, fitness_series, monotony, spike,
};

/// Days over which easy and hard are weighed.
pub const INTENSITY_DAYS: i32 = 28;
/// Days of a week's load.
const WEEK_DAYS: usize = 7;

/// What was done on a day in one family of sports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayOfTraining {
    /// The day.
    pub date: Date,
    /// What was done.
    pub effort: Effort,
    /// Metres of the longest activity.
    pub longest_m: f64,
}

/// The longest run of the last [`SPIKE_LOOKBACK_DAYS`] days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LongestRun {
    /// Its day.
    pub date: Date,
    /// Metres.
    pub distance_m: f64,
}

/// Training load and what it adds up to, as of today.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingState {
    /// Fitness, fatigue and form today.
    pub fitness: Fitness,
    /// Fitness four weeks ago; `None` where the history is shorter.
    pub fitness_four_weeks_ago: Option<f64>,
    /// The first day that was looked at.
    pub first: Date,
    /// Fitness, fatigue and form of each day since.
    pub by_day: Vec<Fitness>,
    /// Load of the last seven days, by method.
    pub week: LoadSum,
    /// Load of the seven days before.
    pub week_before: LoadSum,
    /// The last week against the last four.
    pub acute_chronic: Option<AcuteChronic>,
    /// Monotony and strain of the last seven days.
    pub monotony: Option<Monotony>,
    /// The longest run of the last thirty days.
    pub longest_run: Option<LongestRun>,
    /// The newest run against the longest of the thirty days before it.
    pub newest_spike: Option<(Date, Spike)>,
    /// Easy and hard in the last four weeks.
    pub intensity: IntensitySplit,
}

impl TrainingState {
    /// Fitness, fatigue and form on a day; `None` outside what was looked at.
    pub fn on(&self, day: Date) -> Option<Fitness> {
        self.by_day.get(usize::try_from((day - self.first).get_days()).ok()?).copied()
    }
}

/// The state after `today`, from days sorted by date, oldest first. `None` where nothing was done.
pub fn training_state(days: &[DayOfTraining], athlete: &Physiology, today: Date) -> Option<TrainingState> {
    let first = days.iter().map(|day| day.date).min().filter(|first| *first <= today)?;
    let length = usize::try_from((today - first).get_days()).ok()? + 1;
    let mut by_day = vec![LoadSum::default(); length];
    for day in days {
        let place = usize::try_from((day.date - first).get_days()).ok();
        if let Some(sum) = place.and_then(|place| by_day.get_mut(place)) {
            sum.add(load(&day.effort, athlete));
        }
    }
    let loads: Vec<f64> = by_day.iter().map(LoadSum::total).collect();
    let series = fitness_series(&loads);
    let four_weeks_ago = length.checked_sub(29).and_then(|place| series.get(place)).map(|day| day.fitness);
    let week_at = |end: usize| by_day.get(end.saturating_sub(WEEK_DAYS)..end).unwrap_or_default();
    let last_week = loads.get(length.saturating_sub(WEEK_DAYS)..).unwrap_or_default();
    let mut intensity = IntensitySplit::default();
    let since = today.saturating_sub((INTENSITY_DAYS - 1).days());
    for day in days.iter().filter(|day| day.date >= since && day.date <= today) {
        if let Some(rate) = day.effort.heart_rate {
            intensity.add(rate.mean_bpm, rate.recorded_s, athlete);
        }
    }
    Some(TrainingState {
        fitness: *series.last()?,
        fitness_four_weeks_ago: four_weeks_ago,
        first,
        week: sum(week_at(length)),
        week_before: sum(week_at(length.saturating_sub(WEEK_DAYS))),
        acute_chronic: acute_chronic(&loads),
        monotony: (last_week.len() == WEEK_DAYS).then(|| monotony(last_week)).flatten(),
        longest_run: longest_run(days, today),
        newest_spike: newest_spike(days, today),
        intensity,
        by_day: series,
    })
}

fn sum(days: &[LoadSum]) -> LoadSum {
    days.iter().fold(LoadSum::default(), |sum, day| LoadSum {
        heart_rate: sum.heart_rate + day.heart_rate,
        pace: sum.pace + day.pace,
        duration: sum.duration + day.duration,
    })
}

/// The longest run in the thirty days that end with `last`.
fn longest_run(days: &[DayOfTraining], last: Date) -> Option<LongestRun> {
    let since = last.saturating_sub((SPIKE_LOOKBACK_DAYS - 1).days());
    days.iter()
        .filter(|day| day.effort.family == Family::Run && day.longest_m > 0.0 && day.date >= since && day.date <= last)
        .max_by(|a, b| a.longest_m.total_cmp(&b.longest_m).then(a.date.cmp(&b.date)))
        .map(|day| LongestRun { date: day.date, distance_m: day.longest_m })
}

/// The newest day's longest run against the thirty days before that day.
fn newest_spike(days: &[DayOfTraining], today: Date) -> Option<(Date, Spike)> {
    let newest = days.iter().rev().find(|day| day.effort.family == Family::Run && day.longest_m > 0.0 && day.date <= today)?;
    let before = longest_run(days, newest.date.saturating_sub(1.day()))?;
    Some((newest.date, spike(newest.longest_m, before.distance_m)?))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::{HeartRate, Method};

    fn run(day: i8, km: f64, bpm: Option<f64>) -> DayOfTraining {
        let heart_rate = bpm.map(|mean_bpm| HeartRate { mean_bpm, recorded_s: 3600 });
        let effort = Effort { family: Family::Run, moving_s: 3600, distance_m: km * 1000.0, heart_rate };
        DayOfTraining { date: date(2026, 3, day), effort, longest_m: km * 1000.0 }
    }

    #[test]
    fn days_of_rest_pass_and_the_future_does_not_count() {
        let body = Physiology::observed(&[], None, None);
        let days = [run(1, 10.0, Some(150.0)), run(10, 12.0, None), run(20, 30.0, None)];
        let early = training_state(&days, &body, date(2026, 3, 10)).unwrap();
        let late = training_state(&days, &body, date(2026, 3, 15)).unwrap();
        assert!(late.fitness.fatigue < early.fitness.fatigue, "rest lowers fatigue");
        assert_eq!(early.longest_run.map(|run| run.distance_m), Some(12_000.0));
        assert_eq!(late.week.methods(), [Method::Duration], "the run of the first day is more than a week ago");
        assert_eq!(early.newest_spike.map(|(date, _)| date), Some(date(2026, 3, 10)));
        assert!(training_state(&days, &body, date(2026, 2, 1)).is_none());
        assert!(training_state(&[], &body, date(2026, 2, 1)).is_none());
    }
}
