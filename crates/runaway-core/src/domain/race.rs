//! What one race says about another distance. Always a range: two models, and two readings of one of them.

/// Riegel's exponent (American Scientist 69, 1981), and a more careful one for runners whose endurance is less than
/// an elite's (Vickers and Vertosick 2016).
pub const RIEGEL_EXPONENTS: (f64, f64) = (1.06, 1.08);
/// Times for which Riegel's law holds, seconds: 3.5 to 230 minutes.
const RIEGEL_TIME_S: std::ops::RangeInclusive<f64> = 210.0..=13_800.0;
/// Speeds between which a time is searched, metres a second.
const SPEED_SEARCHED: (f64, f64) = (0.5, 12.0);
/// Halvings of that search: the time is then exact to far below a second.
const SEARCH_STEPS: u32 = 60;
/// A whole activity stands for a distance when it is at most so much longer; a shorter one did not cover it.
pub const WHOLE_ACTIVITY_TOLERANCE: f64 = 0.04;

/// A distance that has a name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StandardDistance {
    /// As people say it.
    pub name: &'static str,
    /// Metres.
    pub metres: f64,
}

/// The distances for which records and predictions are given, shortest first.
pub const STANDARD_DISTANCES: [StandardDistance; 7] = [
    StandardDistance { name: "1 km", metres: 1_000.0 },
    StandardDistance { name: "1 mile", metres: 1_609.344 },
    StandardDistance { name: "5 km", metres: 5_000.0 },
    StandardDistance { name: "10 km", metres: 10_000.0 },
    StandardDistance { name: "15 km", metres: 15_000.0 },
    StandardDistance { name: "half marathon", metres: 21_097.5 },
    StandardDistance { name: "marathon", metres: 42_195.0 },
];

/// The standard distance a whole activity stands for, if it is at most [`WHOLE_ACTIVITY_TOLERANCE`] longer.
pub fn whole_activity_distance(distance_m: f64) -> Option<StandardDistance> {
    STANDARD_DISTANCES
        .into_iter()
        .find(|standard| (standard.metres..=standard.metres * (1.0 + WHOLE_ACTIVITY_TOLERANCE)).contains(&distance_m))
}

/// Riegel's time for another distance, in the unit of `time`: T2 = T1 (D2 / D1)^exponent.
pub fn riegel(distance_m: f64, time_s: f64, target_m: f64, exponent: f64) -> f64 {
    time_s * (target_m / distance_m).powf(exponent)
}

/// The running index of a race: oxygen use at its speed over the share of the maximum that can be held for its time
/// (Daniels and Gilbert, Oxygen Power, 1979).
pub fn running_index(distance_m: f64, time_s: f64) -> f64 {
    let minutes = time_s / 60.0;
    let speed = distance_m / minutes;
    let oxygen = -4.60 + 0.182_258 * speed + 0.000_104 * speed * speed;
    let share = 0.8 + 0.189_439_3 * (-0.012_778 * minutes).exp() + 0.298_955_8 * (-0.193_260_5 * minutes).exp();
    oxygen / share
}

/// The time in seconds over a distance at a running index, by bisection: the index falls as the time grows.
pub fn time_at_index(index: f64, distance_m: f64) -> f64 {
    let (mut fast_s, mut slow_s) = (distance_m / SPEED_SEARCHED.1, distance_m / SPEED_SEARCHED.0);
    for _ in 0..SEARCH_STEPS {
        let middle_s = f64::midpoint(fast_s, slow_s);
        if running_index(distance_m, middle_s) > index {
            fast_s = middle_s;
        } else {
            slow_s = middle_s;
        }
    }
    f64::midpoint(fast_s, slow_s)
}

/// What a race lets expect over another distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The fastest of the models, seconds.
    pub fast_s: f64,
    /// The slowest of the models, seconds.
    pub slow_s: f64,
}

/// A range for `target_m` from one race: both exponents of Riegel's and Daniels and Gilbert's. `None` for a race that
/// is none, or outside the times for which Riegel's law holds.
///
/// From a short race a marathon is predicted too fast for runners without its training: say so beside the range.
pub fn predict(distance_m: f64, time_s: f64, target_m: f64) -> Option<Prediction> {
    if !is_race(distance_m, time_s) || target_m <= 0.0 {
        return None;
    }
    let times = [
        riegel(distance_m, time_s, target_m, RIEGEL_EXPONENTS.0),
        riegel(distance_m, time_s, target_m, RIEGEL_EXPONENTS.1),
        time_at_index(running_index(distance_m, time_s), target_m),
    ];
    let fast_s = times.into_iter().fold(f64::INFINITY, f64::min);
    let slow_s = times.into_iter().fold(0.0, f64::max);
    Some(Prediction { fast_s, slow_s })
}

/// The speed in metres a second that can be held for an hour, by Riegel's law; `None` as for [`predict`].
pub fn threshold_speed(distance_m: f64, time_s: f64) -> Option<f64> {
    let hour_m = distance_m * (3600.0 / time_s).powf(1.0 / RIEGEL_EXPONENTS.0);
    is_race(distance_m, time_s).then_some(hour_m / 3600.0)
}

fn is_race(distance_m: f64, time_s: f64) -> bool {
    let speed = distance_m / time_s;
    RIEGEL_TIME_S.contains(&time_s) && speed > SPEED_SEARCHED.0 && speed < SPEED_SEARCHED.1
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_M: f64 = 21_097.5;
    const MARATHON_M: f64 = 42_195.0;

    fn seconds(clock: &str) -> f64 {
        clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap())
    }

    fn near(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() <= tolerance, "{value} is not {expected}");
    }

    #[test]
    fn riegel_has_its_published_values() {
        for (distance_m, time, target_m, expected) in [
            (10_000.0, "40:00", HALF_M, "1:28:15"),
            (10_000.0, "40:00", MARATHON_M, "3:04:00"),
            (5_000.0, "25:00", 10_000.0, "52:07"),
            (HALF_M, "1:30:00", MARATHON_M, "3:07:39"),
            (10_000.0, "44:00", HALF_M, "1:37:05"),
        ] {
            near(riegel(distance_m, seconds(time), target_m, RIEGEL_EXPONENTS.0), seconds(expected), 0.5);
        }
    }

    #[test]
    fn the_running_index_has_its_published_values() {
        near(running_index(10_000.0, seconds("40:00")), 51.9, 0.05);
        near(running_index(15_000.0, seconds("1:07:48")), 46.4, 0.05);
        let index = running_index(10_000.0, seconds("40:00"));
        near(time_at_index(index, HALF_M), seconds("1:28:33"), 0.5);
        near(time_at_index(index, MARATHON_M), seconds("3:04:38"), 0.5);
        for (distance_m, expected) in [(5_000.0, "19:56"), (10_000.0, "41:20"), (HALF_M, "1:31:31"), (MARATHON_M, "3:10:40")] {
            near(time_at_index(50.0, distance_m), seconds(expected), 1.0);
        }
        let index = running_index(15_000.0, seconds("1:07:48"));
        for (distance_m, expected) in [(5_000.0, "21:15.1"), (10_000.0, "44:03.9"), (HALF_M, "1:37:36.7"), (MARATHON_M, "3:22:58.7")] {
            near(time_at_index(index, distance_m), seconds(expected), 2.3);
        }
    }

    #[test]
    fn a_prediction_spans_the_models() {
        let range = predict(10_000.0, 2400.0, HALF_M).unwrap();
        near(range.fast_s, seconds("1:28:15"), 0.5);
        near(range.slow_s, riegel(10_000.0, 2400.0, HALF_M, 1.08), 1e-9);
        let same = predict(10_000.0, 2400.0, 10_000.0).unwrap();
        near(same.fast_s, 2400.0, 0.01);
        near(same.slow_s, 2400.0, 0.01);
        for (distance_m, time_s, target_m) in [(0.0, 2400.0, HALF_M), (10_000.0, 0.0, HALF_M), (400.0, 60.0, HALF_M), (1e4, 2400.0, 0.0)] {
            assert_eq!(predict(distance_m, time_s, target_m), None, "{distance_m} {time_s} {target_m}");
        }
    }

    #[test]
    fn the_threshold_is_the_speed_of_an_hour() {
        near(threshold_speed(15_000.0, 3600.0).unwrap(), 15_000.0 / 3600.0, 1e-9);
        let faster = threshold_speed(5_000.0, 1200.0).unwrap();
        assert!(faster < 5_000.0 / 1200.0 && faster > 3.8, "{faster}");
        assert_eq!(threshold_speed(0.0, 3600.0), None);
    }

    #[test]
    fn whole_activities_stand_for_a_distance_they_exceed_by_four_percent_at_most() {
        for (distance_m, name) in [
            (5_000.0, Some("5 km")),
            (5_200.0, Some("5 km")),
            (4_999.0, None),
            (5_201.0, None),
            (21_300.0, Some("half marathon")),
            (42_600.0, Some("marathon")),
            (0.0, None),
        ] {
            assert_eq!(whole_activity_distance(distance_m).map(|standard| standard.name), name, "{distance_m}");
        }
    }
}
