//! How hard it was: zones of the heart rate reserve, and how the time divides among easy, moderate and hard.

use super::Physiology;
use super::load::THRESHOLD_RESERVE_SHARE;

/// Lower borders of the five zones as shares of the heart rate reserve (Karvonen 1957), the usual defaults.
pub const ZONE_BORDERS: [f64; 5] = [0.5, 0.6, 0.7, 0.8, 0.9];
/// Below this share of the reserve it is easy: stands for the first ventilatory threshold.
pub const EASY_BELOW_RESERVE_SHARE: f64 = 0.70;
/// From this share of the reserve on it is hard: stands for the second ventilatory threshold.
pub const HARD_FROM_RESERVE_SHARE: f64 = THRESHOLD_RESERVE_SHARE;
/// What the split is of; goes wherever the split is shown. A session of intervals counts as its mean.
pub const SPLIT_BASIS: &str = "share of recorded time, by each activity's mean heart rate";

/// The heart rate at a share of the reserve: rest + share (max - rest), beats a minute.
pub fn heart_rate_at(share: f64, athlete: &Physiology) -> f64 {
    athlete.heart_rate_rest + share * (athlete.heart_rate_max - athlete.heart_rate_rest)
}

/// The lower borders of the five zones in beats a minute.
pub fn zones(athlete: &Physiology) -> [f64; 5] {
    ZONE_BORDERS.map(|share| heart_rate_at(share, athlete))
}

/// Three kinds of effort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intensity {
    /// Below 70 % of the reserve.
    Easy,
    /// Between.
    Moderate,
    /// From 83 % of the reserve on.
    Hard,
}

/// The kind of an effort by its mean heart rate.
pub fn intensity(mean_bpm: f64, athlete: &Physiology) -> Intensity {
    match athlete.reserve_share(mean_bpm) {
        share if share < EASY_BELOW_RESERVE_SHARE => Intensity::Easy,
        share if share < HARD_FROM_RESERVE_SHARE => Intensity::Moderate,
        _ => Intensity::Hard,
    }
}

/// Seconds of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IntensitySplit {
    /// Easy seconds.
    pub easy_s: i64,
    /// Moderate seconds.
    pub moderate_s: i64,
    /// Hard seconds.
    pub hard_s: i64,
}

impl IntensitySplit {
    /// Adds an effort's seconds by its mean heart rate.
    pub fn add(&mut self, mean_bpm: f64, seconds: i64, athlete: &Physiology) {
        match intensity(mean_bpm, athlete) {
            Intensity::Easy => self.easy_s += seconds,
            Intensity::Moderate => self.moderate_s += seconds,
            Intensity::Hard => self.hard_s += seconds,
        }
    }

    /// All seconds with a heart rate.
    pub const fn total_s(&self) -> i64 {
        self.easy_s + self.moderate_s + self.hard_s
    }

    /// Easy, moderate and hard in whole percent that add up to 100; `None` where no heart rate was recorded.
    pub fn percent(&self) -> Option<[i64; 3]> {
        let total_s = self.total_s();
        if total_s <= 0 {
            return None;
        }
        let share = |seconds: i64| (seconds as f64 / total_s as f64 * 100.0).round() as i64;
        let (easy, hard) = (share(self.easy_s), share(self.hard_s));
        // Two halves round up together: the middle takes what is left, or the larger end gives.
        let moderate = 100 - easy - hard;
        Some(if moderate >= 0 { [easy, moderate, hard] } else { [easy - 1, 0, hard] })
    }

    /// Treff's polarization index (2019, doi 10.3389/fphys.2019.00707): log10(easy / moderate * hard * 100) of shares;
    /// polarized above 2. `None` where a kind is missing, for which it is not defined.
    pub fn polarization(&self) -> Option<f64> {
        let total_s = self.total_s() as f64;
        let [easy, moderate, hard] = [self.easy_s, self.moderate_s, self.hard_s].map(|seconds| seconds as f64 / total_s);
        (easy > 0.0 && moderate > 0.0 && hard > 0.0).then(|| (easy / moderate * hard * 100.0).log10())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn athlete(max: f64, rest: f64) -> Physiology {
        Physiology { heart_rate_max: max, heart_rate_rest: rest, ..Physiology::observed(&[], None, None) }
    }

    #[test]
    fn karvonen_has_its_published_value() {
        // Age 30, so 208 - 0.7 * 30 = 187 (Tanaka); rest 60; 70 % is 148.9.
        let body = athlete(187.0, 60.0);
        assert!((heart_rate_at(0.7, &body) - 148.9).abs() < 0.05);
        assert!((zones(&body)[0] - 123.5).abs() < 1e-9);
    }

    #[test]
    fn kinds_begin_at_their_borders() {
        let body = athlete(190.0, 90.0);
        for (bpm, kind) in [
            (60.0, Intensity::Easy),
            (159.9, Intensity::Easy),
            (160.0, Intensity::Moderate),
            (172.9, Intensity::Moderate),
            (173.1, Intensity::Hard),
            (230.0, Intensity::Hard),
        ] {
            assert_eq!(intensity(bpm, &body), kind, "{bpm}");
        }
    }

    #[test]
    fn percents_add_up() {
        for (easy_s, moderate_s, hard_s) in [(1, 1, 1), (995, 0, 5), (5, 0, 995), (1, 0, 0), (0, 7, 0), (123, 456, 789), (10, 10, 980)] {
            let percent = IntensitySplit { easy_s, moderate_s, hard_s }.percent().unwrap();
            assert_eq!(percent.iter().sum::<i64>(), 100, "{percent:?}");
            assert!(percent.iter().all(|part| (0..=100).contains(part)), "{percent:?}");
        }
        assert_eq!(IntensitySplit::default().percent(), None);
    }

    #[test]
    fn polarization_has_its_published_value() {
        let split = IntensitySplit { easy_s: 75, moderate_s: 5, hard_s: 20 };
        assert!((split.polarization().unwrap() - 2.477).abs() < 0.0005);
        assert_eq!(IntensitySplit { easy_s: 80, moderate_s: 0, hard_s: 20 }.polarization(), None);
        assert_eq!(IntensitySplit::default().polarization(), None);
    }
}
