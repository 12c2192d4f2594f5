//! What daily loads add up to: fitness, fatigue and form, the load of a week against that of four, and monotony.
//!
//! All functions read one load a day, oldest first, with a 0 for every day of rest: a day left out would be a day
//! that never passed. None of the ratios says anything about injuries (Impellizzeri 2020; Frandsen 2025).

/// Time constant of fitness in days.
const FITNESS_DAYS: f64 = 42.0;
/// Time constant of fatigue in days.
const FATIGUE_DAYS: f64 = 7.0;
/// Before so many days, fitness still shows its beginning at zero.
pub const WARM_UP_DAYS: usize = 42;
/// The week and the month of the acute to chronic ratio, in days.
const ACUTE_DAYS: usize = 7;
const CHRONIC_DAYS: usize = 28;
/// Monotony of a week in which every day was the same; also the most that is shown.
const MONOTONY_MAX: f64 = 10.0;

/// The state of an athlete after one day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fitness {
    /// Chronic training load: the long average.
    pub fitness: f64,
    /// Acute training load: the short average.
    pub fatigue: f64,
    /// Training stress balance of the morning: yesterday's fitness less yesterday's fatigue.
    pub form: f64,
    /// Whether the history is too short for the fitness to be believed.
    pub is_warming_up: bool,
}

/// Fitness, fatigue and form day by day, from nothing on the first day.
///
/// The exponential form with k = 1 - e^(-1/tau), as in Coggan's and WKO's own sheets.
pub fn fitness_series(daily_loads: &[f64]) -> Vec<Fitness> {
    series_from((0.0, 0.0), daily_loads)
}

fn series_from(seed: (f64, f64), daily_loads: &[f64]) -> Vec<Fitness> {
    let step = |days: f64| 1.0 - (-1.0 / days).exp();
    let (fitness_step, fatigue_step) = (step(FITNESS_DAYS), step(FATIGUE_DAYS));
    let (mut fitness, mut fatigue) = seed;
    let days = daily_loads.iter().enumerate().map(|(day, load)| {
        let form = fitness - fatigue;
        fitness += (load - fitness) * fitness_step;
        fatigue += (load - fatigue) * fatigue_step;
        Fitness { fitness, fatigue, form, is_warming_up: day < WARM_UP_DAYS }
    });
    days.collect()
}

/// The last week's load against the last four weeks', in three ways. A description of load, not of risk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AcuteChronic {
    /// The week is part of the four weeks. Never above 4.
    pub coupled: f64,
    /// The week against the three before; `None` where those were empty.
    pub uncoupled: Option<f64>,
    /// Exponentially weighted (Williams 2017, doi 10.1136/bjsports-2016-096589), begun with the first day's load.
    pub weighted: f64,
}

/// The ratio after the last day; `None` until 28 days are known, and where they were empty.
pub fn acute_chronic(daily_loads: &[f64]) -> Option<AcuteChronic> {
    let month = daily_loads.get(daily_loads.len().checked_sub(CHRONIC_DAYS)?..)?;
    let (before, week) = month.split_at_checked(CHRONIC_DAYS - ACUTE_DAYS)?;
    let (week, before): (f64, f64) = (week.iter().sum(), before.iter().sum());
    let weighted = weighted_mean(daily_loads, CHRONIC_DAYS);
    (week + before > 0.0 && weighted > 0.0).then(|| AcuteChronic {
        coupled: week / ((week + before) / 4.0),
        uncoupled: (before > 0.0).then(|| week / (before / 3.0)),
        weighted: weighted_mean(daily_loads, ACUTE_DAYS) / weighted,
    })
}

/// Exponentially weighted with lambda = 2 / (days + 1).
fn weighted_mean(daily_loads: &[f64], days: usize) -> f64 {
    let lambda = 2.0 / (days as f64 + 1.0);
    let first = daily_loads.first().copied().unwrap_or_default();
    daily_loads.iter().fold(first, |mean, load| mean + (load - mean) * lambda)
}

/// How even a week was (Foster 1998, MSSE 30:1164; 2001, JSCR 15:109).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Monotony {
    /// Mean of the days over their population standard deviation; below 1.5 is varied, above 2 monotonous, at most 10.
    pub monotony: f64,
    /// The week's load times its monotony.
    pub strain: f64,
}

/// Monotony of the days given, usually seven; `None` where they were empty.
pub fn monotony(daily_loads: &[f64]) -> Option<Monotony> {
    let (days, total) = (daily_loads.len() as f64, daily_loads.iter().sum::<f64>());
    if total <= 0.0 {
        return None;
    }
    let mean = total / days;
    let deviation = (daily_loads.iter().map(|load| (load - mean).powi(2)).sum::<f64>() / days).sqrt();
    let monotony = (mean / deviation).min(MONOTONY_MAX);
    Some(Monotony { monotony, strain: total * monotony })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() <= tolerance, "{value} is not {expected}");
    }

    #[test]
    fn fitness_and_fatigue_follow_the_exponential_form() {
        let days = series_from((50.0, 50.0), &[100.0, 0.0, 80.0]);
        for (day, fitness, fatigue) in [(0, 51.176, 56.656), (1, 49.972, 49.114), (2, 50.679, 53.226)] {
            near(days[day].fitness, fitness, 0.0005);
            near(days[day].fatigue, fatigue, 0.0005);
        }
        near(days[1].form, 51.176 - 56.656, 0.001);
    }

    #[test]
    fn forty_two_even_days_reach_sixty_three_percent() {
        let days = fitness_series(&[100.0; 43]);
        near(days[41].fitness, 63.21, 0.005);
        assert!(days[41].is_warming_up && !days[42].is_warming_up);
        near(days[0].form, 0.0, 0.0);
        assert!(fitness_series(&[]).is_empty());
    }

    #[test]
    fn a_ratio_needs_four_weeks() {
        let loads: Vec<f64> = [[50.0; 7]; 3].concat().into_iter().chain([100.0; 7]).collect();
        let ratio = acute_chronic(&loads).unwrap();
        near(ratio.coupled, 1.6, 1e-9);
        near(ratio.uncoupled.unwrap(), 2.0, 1e-9);
        near(ratio.weighted, 1.339, 0.0005);
        assert_eq!(acute_chronic(&loads[1..]), None);
        assert_eq!(acute_chronic(&[0.0; 40]), None);
    }

    #[test]
    fn uncoupled_follows_from_coupled() {
        // Windt and Gabbett 2018: u = 3c / (4 - c), and c is at most 4.
        for week in [0.0, 10.0, 75.0, 400.0] {
            let loads: Vec<f64> = [[50.0; 7]; 3].concat().into_iter().chain([week; 7]).collect();
            let ratio = acute_chronic(&loads).unwrap();
            near(ratio.uncoupled.unwrap(), 3.0 * ratio.coupled / (4.0 - ratio.coupled), 1e-9);
        }
        let only_this_week: Vec<f64> = [0.0; 21].into_iter().chain([10.0; 7]).collect();
        let ratio = acute_chronic(&only_this_week).unwrap();
        assert_eq!((ratio.coupled, ratio.uncoupled), (4.0, None));
    }

    #[test]
    fn monotony_by_the_population() {
        let week = monotony(&[300.0, 0.0, 400.0, 200.0, 0.0, 500.0, 600.0]).unwrap();
        near(week.monotony, 1.319, 0.0005);
        near(week.strain, 2638.0, 1.0);
        assert_eq!(monotony(&[50.0; 7]).unwrap().monotony, 10.0);
        assert_eq!((monotony(&[0.0; 7]), monotony(&[])), (None, None));
    }
}
