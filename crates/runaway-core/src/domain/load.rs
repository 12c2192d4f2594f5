//! How much a day's training was, on one scale: 100 is one hour at threshold.
//!
//! The best available method is taken and named; a sum says how much of it each method gave, so that an estimate
//! never passes for a measurement.

use super::Family;
use super::race::threshold_speed;

/// Banister's training impulse, men and women: the factor and the exponent.
/// Source: Banister 1991; Morton, Fitz-Clarke and Banister, J Appl Physiol 69 (1990) 1171.
const BANISTER_MALE: (f64, f64) = (0.64, 1.92);
const BANISTER_FEMALE: (f64, f64) = (0.86, 1.67);
/// The share of the heart rate reserve that can be held for an hour, where no threshold is known.
pub const THRESHOLD_RESERVE_SHARE: f64 = 0.83;
/// The maximum where none has been seen, beats a minute.
const HEART_RATE_MAX_DEFAULT: f64 = 190.0;
/// The rate at rest where none is known, beats a minute: Strava does not tell it.
const HEART_RATE_REST_DEFAULT: f64 = 60.0;
/// What can be a maximum, beats a minute. Below, it is likelier that nobody went all out, and taking an easy run's
/// highest for a maximum would make every run look hard; above, a sensor counted steps.
pub const PLAUSIBLE_MAX_BPM: std::ops::RangeInclusive<f64> = 170.0..=215.0;
/// A maximum is believed when so many days reached it: one alone may be a sensor's fault.
pub const MAX_SEEN_ON_DAYS: usize = 3;
/// The mean heart rate speaks for the whole effort when at least this share of it was recorded.
const RECORDED_SHARE_MIN: f64 = 0.5;
/// Faster than this multiple of the threshold, nobody runs an effort: the distance is wrong.
const INTENSITY_MAX: f64 = 1.3;
/// Load at threshold for an hour.
const LOAD_PER_THRESHOLD_HOUR: f64 = 100.0;

/// For the formulas that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    /// Strava's `M`.
    Male,
    /// Strava's `F`.
    Female,
}

impl Sex {
    /// Reads Strava's letter; `None` for any other.
    pub fn parse(letter: &str) -> Option<Self> {
        match letter {
            "M" => Some(Self::Male),
            "F" => Some(Self::Female),
            _ => None,
        }
    }
}

/// A heart rate as it was recorded over some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeartRate {
    /// Mean, beats a minute.
    pub mean_bpm: f64,
    /// Moving seconds for which there is a heart rate.
    pub recorded_s: i64,
}

/// One activity, or the activities of one family on one day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effort {
    /// Decides what the distance says.
    pub family: Family,
    /// Seconds in motion.
    pub moving_s: i64,
    /// Metres.
    pub distance_m: f64,
    /// Where recorded.
    pub heart_rate: Option<HeartRate>,
}

/// What is known of an athlete's body, and which of it is guessed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Physiology {
    /// Beats a minute.
    pub heart_rate_max: f64,
    /// Beats a minute.
    pub heart_rate_rest: f64,
    /// `None` where the athlete does not say.
    pub sex: Option<Sex>,
    /// Metres a second that can be run for an hour; `None` without a race to take it from.
    pub threshold_speed: Option<f64>,
    /// Whether the maximum is the default rather than seen.
    pub heart_rate_max_is_estimated: bool,
    /// Whether the rate at rest is the default rather than given.
    pub heart_rate_rest_is_estimated: bool,
    /// Whether the threshold speed is worked out from a race rather than given.
    pub threshold_speed_is_estimated: bool,
}

impl Physiology {
    /// What can be told from the athlete's own recordings.
    ///
    /// `daily_maxima` are days' highest heart rates (beats a minute) in any order; the maximum is the highest that
    /// [`MAX_SEEN_ON_DAYS`] of them reached within [`PLAUSIBLE_MAX_BPM`]. `best_race` is a distance in metres and a
    /// time in seconds.
    pub fn observed(daily_maxima: &[f64], sex: Option<Sex>, best_race: Option<(f64, f64)>) -> Self {
        let mut maxima: Vec<f64> = daily_maxima.iter().copied().filter(|bpm| PLAUSIBLE_MAX_BPM.contains(bpm)).collect();
        maxima.sort_by(|a, b| b.total_cmp(a));
        let seen = maxima.get(MAX_SEEN_ON_DAYS - 1).copied();
        Self {
            heart_rate_max: seen.unwrap_or(HEART_RATE_MAX_DEFAULT),
            heart_rate_rest: HEART_RATE_REST_DEFAULT,
            sex,
            threshold_speed: best_race.and_then(|(distance_m, time_s)| threshold_speed(distance_m, time_s)),
            heart_rate_max_is_estimated: seen.is_none(),
            heart_rate_rest_is_estimated: true,
            threshold_speed_is_estimated: true,
        }
    }

    /// The share of the heart rate reserve (Karvonen 1957) that a heart rate uses, 0 to 1.
    pub fn reserve_share(&self, bpm: f64) -> f64 {
        let reserve = self.heart_rate_max - self.heart_rate_rest;
        if reserve > 0.0 { ((bpm - self.heart_rate_rest) / reserve).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// How a load was found, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// From the mean heart rate: Banister's impulse over that of an hour at threshold.
    HeartRate,
    /// From speed over threshold speed.
    Pace,
    /// From the time alone, at the usual intensity of the sport: an estimate.
    Duration,
}

impl Method {
    /// The words in facts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeartRate => "heart rate",
            Self::Pace => "pace",
            Self::Duration => "duration (estimate)",
        }
    }
}

/// A load and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// 100 is an hour at threshold.
    pub value: f64,
    /// How it was found.
    pub method: Method,
}

/// Loads added up, each method by itself.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LoadSum {
    /// From heart rates.
    pub heart_rate: f64,
    /// From paces.
    pub pace: f64,
    /// Estimated from time.
    pub duration: f64,
}

impl LoadSum {
    /// All of it.
    pub fn total(&self) -> f64 {
        self.heart_rate + self.pace + self.duration
    }

    /// Adds one.
    pub fn add(&mut self, load: Load) {
        match load.method {
            Method::HeartRate => self.heart_rate += load.value,
            Method::Pace => self.pace += load.value,
            Method::Duration => self.duration += load.value,
        }
    }

    /// The methods that gave something, best first.
    pub fn methods(&self) -> Vec<Method> {
        let parts = [(Method::HeartRate, self.heart_rate), (Method::Pace, self.pace), (Method::Duration, self.duration)];
        parts.into_iter().filter(|(_, value)| *value > 0.0).map(|(method, _)| method).collect()
    }
}

impl FromIterator<Load> for LoadSum {
    fn from_iter<I: IntoIterator<Item = Load>>(loads: I) -> Self {
        let mut sum = Self::default();
        loads.into_iter().for_each(|load| sum.add(load));
        sum
    }
}

/// Banister's training impulse in its own arbitrary unit; `reserve_share` is 0 to 1. Without a sex, the mean of both.
pub fn training_impulse(minutes: f64, reserve_share: f64, sex: Option<Sex>) -> f64 {
    let of = |(factor, exponent): (f64, f64)| minutes * reserve_share * factor * (exponent * reserve_share).exp();
    match sex {
        Some(Sex::Male) => of(BANISTER_MALE),
        Some(Sex::Female) => of(BANISTER_FEMALE),
        None => f64::midpoint(of(BANISTER_MALE), of(BANISTER_FEMALE)),
    }
}

/// The effort's load by the best method there is: heart rate, else for runs the pace, else the time.
pub fn load(effort: &Effort, athlete: &Physiology) -> Load {
    let moving_s = effort.moving_s.max(0) as f64;
    let hours = moving_s / 3600.0;
    let recorded = effort.heart_rate.filter(|rate| rate.mean_bpm > 0.0 && rate.recorded_s as f64 >= moving_s * RECORDED_SHARE_MIN);
    if let Some(rate) = recorded {
        let impulse = training_impulse(hours * 60.0, athlete.reserve_share(rate.mean_bpm), athlete.sex);
        let value = LOAD_PER_THRESHOLD_HOUR * impulse / training_impulse(60.0, THRESHOLD_RESERVE_SHARE, athlete.sex);
        return Load { value, method: Method::HeartRate };
    }
    let threshold = athlete.threshold_speed.filter(|threshold| *threshold > 0.0 && effort.family == Family::Run);
    match threshold {
        Some(threshold) if effort.distance_m > 0.0 && moving_s > 0.0 => {
            let intensity = (effort.distance_m / moving_s / threshold).min(INTENSITY_MAX);
            Load { value: stress(hours, intensity), method: Method::Pace }
        }
        _ => Load { value: stress(hours, usual_intensity(effort.family)), method: Method::Duration },
    }
}

/// Coggan's training stress: hours times the squared share of threshold. For runs the share is one of speed (rTSS).
pub fn stress(hours: f64, intensity: f64) -> f64 {
    hours * intensity * intensity * LOAD_PER_THRESHOLD_HOUR
}

/// The share of threshold at which a sport is usually done: our estimate, for efforts that tell nothing but their time.
const fn usual_intensity(family: Family) -> f64 {
    match family {
        Family::Run => 0.75,
        Family::Swim => 0.70,
        Family::Ride => 0.65,
        Family::Strength => 0.55,
        Family::Other => 0.50,
        Family::Walk => 0.40,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn athlete(max: f64, rest: f64, sex: Option<Sex>) -> Physiology {
        Physiology { heart_rate_max: max, heart_rate_rest: rest, ..Physiology::observed(&[], sex, None) }
    }

    fn near(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() <= tolerance, "{value} is not {expected}");
    }

    #[test]
    fn the_impulse_has_its_published_values() {
        // 45 min at 150, rest 60, maximum 190: 75.33 for men, 85.14 for women.
        let share = athlete(190.0, 60.0, None).reserve_share(150.0);
        near(training_impulse(45.0, share, Some(Sex::Male)), 75.33, 0.005);
        near(training_impulse(45.0, share, Some(Sex::Female)), 85.14, 0.005);
    }

    #[test]
    fn an_hour_at_threshold_is_a_hundred_by_every_method() {
        for sex in [None, Some(Sex::Male), Some(Sex::Female)] {
            let body = Physiology { threshold_speed: Some(4.0), ..athlete(190.0, 60.0, sex) };
            let threshold_bpm = 60.0 + THRESHOLD_RESERVE_SHARE * 130.0;
            let heart_rate = Some(HeartRate { mean_bpm: threshold_bpm, recorded_s: 3600 });
            let by_heart = load(&Effort { family: Family::Ride, moving_s: 3600, distance_m: 0.0, heart_rate }, &body);
            assert_eq!(by_heart.method, Method::HeartRate);
            near(by_heart.value, 100.0, 1e-9);
            let by_pace = load(&Effort { family: Family::Run, moving_s: 3600, distance_m: 14_400.0, heart_rate: None }, &body);
            assert_eq!(by_pace.method, Method::Pace);
            near(by_pace.value, 100.0, 1e-9);
        }
        // 90 min at 0.80 of threshold.
        near(stress(1.5, 0.8), 96.0, 1e-9);
    }

    #[test]
    fn an_unknown_sex_lies_between_the_two() {
        let effort = Effort {
            family: Family::Run,
            moving_s: 3600,
            distance_m: 0.0,
            heart_rate: Some(HeartRate { mean_bpm: 140.0, recorded_s: 3600 }),
        };
        let of = |sex| load(&effort, &athlete(190.0, 60.0, sex)).value;
        let (man, woman, unknown) = (of(Some(Sex::Male)), of(Some(Sex::Female)), of(None));
        assert!(man < unknown && unknown < woman && woman / man < 1.07, "{man} {unknown} {woman}");
    }

    #[test]
    fn the_best_method_is_taken_and_named() {
        let body = Physiology { threshold_speed: Some(4.0), ..athlete(190.0, 60.0, None) };
        let effort = |family, mean_bpm: f64, recorded_s| Effort {
            family,
            moving_s: 3000,
            distance_m: 10_000.0,
            heart_rate: Some(HeartRate { mean_bpm, recorded_s }),
        };
        for (family, bpm, recorded_s, method) in [
            (Family::Run, 150.0, 1500, Method::HeartRate),
            (Family::Run, 150.0, 1499, Method::Pace),
            (Family::Run, 0.0, 3000, Method::Pace),
            (Family::Ride, 150.0, 100, Method::Duration),
        ] {
            assert_eq!(load(&effort(family, bpm, recorded_s), &body).method, method, "{family:?} {bpm} {recorded_s}");
        }
        let still = Effort { family: Family::Run, moving_s: 0, distance_m: 0.0, heart_rate: None };
        assert_eq!(load(&still, &body), Load { value: 0.0, method: Method::Duration });
        let glitch = Effort { family: Family::Run, moving_s: 3600, distance_m: 21_709_000.0, heart_rate: None };
        near(load(&glitch, &body).value, 169.0, 1e-9);
    }

    #[test]
    fn a_maximum_needs_three_days_and_no_sensor_fault() {
        let max = |maxima: &[f64]| Physiology::observed(maxima, None, None);
        let seen = max(&[235.0, 181.0, 188.0, 184.0, 140.0, 120.0]);
        assert_eq!((seen.heart_rate_max, seen.heart_rate_max_is_estimated), (181.0, false));
        let unseen = max(&[188.0, 184.0, 169.0]);
        assert_eq!((unseen.heart_rate_max, unseen.heart_rate_max_is_estimated), (190.0, true));
    }

    #[test]
    fn sums_say_what_they_are_made_of() {
        let load = |value, method| Load { value, method };
        let sum: LoadSum = [load(40.0, Method::HeartRate), load(10.0, Method::Duration), load(5.0, Method::Duration)].into_iter().collect();
        near(sum.total(), 55.0, 1e-9);
        assert_eq!(sum.methods(), [Method::HeartRate, Method::Duration]);
        assert!(LoadSum::default().methods().is_empty());
    }
}
