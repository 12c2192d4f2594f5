//! Facts as people read them. The model is given these words too, so that it never formats or computes a number.

use jiff::civil::Date;
use runaway_core::db::activity_lists::Listed;
use runaway_core::db::athlete_days::Totals;
use runaway_core::db::best_efforts::Record;
use runaway_core::domain::units::{METRES_PER_MILE, Per, clock, grouped, kilometres, pace};
use runaway_core::domain::{Family, STANDARD_DISTANCES};

use crate::question::long_date;

/// What a distance is shown in, beside kilometres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Units {
    /// Miles beside every distance and pace.
    pub(crate) miles: bool,
}

impl Units {
    /// "21.15 km", or "21.15 km (13.14 mi)".
    pub(crate) fn distance(self, metres: f64) -> String {
        let km = kilometres(metres);
        if !self.miles {
            return km;
        }
        let miles = metres / METRES_PER_MILE;
        format!("{km} ({} mi)", if miles < 100.0 { format!("{miles:.2}") } else { grouped(miles, 1) })
    }

    /// "5:30 /km", or "5:30 /km (8:51 /mi)".
    pub(crate) fn pace(self, metres: f64, seconds: f64) -> Option<String> {
        let per_km = pace(metres, seconds, Per::Kilometre)?;
        match pace(metres, seconds, Per::Mile).filter(|_| self.miles) {
            Some(per_mile) => Some(format!("{per_km} /km ({per_mile} /mi)")),
            None => Some(format!("{per_km} /km")),
        }
    }
}

/// "20 h 12 min", "45 min".
pub(crate) fn duration(seconds: i64) -> String {
    let minutes = (seconds + 30) / 60;
    if minutes >= 60 { format!("{} h {} min", grouped_int(minutes / 60), minutes % 60) } else { format!("{minutes} min") }
}

/// "1,204".
pub(crate) fn grouped_int(n: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a count a person reads")]
    let n = n as f64;
    grouped(n, 0)
}

/// "1 run", "12 runs".
pub(crate) fn counted(n: i64, (one, many): (&str, &str)) -> String {
    format!("{} {}", grouped_int(n), if n == 1 { one } else { many })
}

/// "today", "yesterday", "16 days ago".
pub(crate) fn ago(day: Date, today: Date) -> String {
    match (today - day).get_days() {
        0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        days if days > 0 => format!("{days} days ago"),
        days => format!("in {} days", -days),
    }
}

/// "145 bpm".
pub(crate) fn bpm(rate: f64) -> String {
    format!("{rate:.0} bpm")
}

/// What an activity was, where Strava's mark says more than its sport.
pub(crate) fn kind(activity: &Listed) -> Option<&'static str> {
    match (activity.family, activity.workout_type) {
        (Family::Run, Some(1)) | (Family::Ride, Some(11)) => Some("race"),
        (Family::Run, Some(2)) => Some("long run"),
        (Family::Run, Some(3)) | (Family::Ride, Some(12)) => Some("workout"),
        (Family::Run, _) if activity.indoor => Some("treadmill"),
        _ => None,
    }
}

/// Pace of a run or walk, a hundred metres' of a swim, speed of anything else.
pub(crate) fn speed(activity: &Listed, units: Units) -> Option<String> {
    speed_of(activity.family, activity.distance_m?, f64::from(activity.moving_s?), units)
}

/// The same for sums.
pub(crate) fn speed_of(family: Family, metres: f64, seconds: f64, units: Units) -> Option<String> {
    if metres <= 0.0 || seconds <= 0.0 {
        return None;
    }
    match family {
        Family::Run | Family::Walk => units.pace(metres, seconds),
        #[expect(clippy::cast_possible_truncation, reason = "minutes")]
        Family::Swim => Some(format!("{} /100 m", clock((seconds / metres * 100.0).round() as i64))),
        _ => Some(format!("{:.1} km/h", metres / seconds * 3.6)),
    }
}

/// "“Long run” on Sunday 22 November 2026: 21.15 km in 1:45:03 (4:58 /km), 147 bpm, 120 m of climbing (long run)".
pub(crate) fn activity_line(activity: &Listed, units: Units) -> String {
    let name =
        if activity.name.trim().is_empty() { format!("An unnamed {}", activity.sport) } else { format!("“{}”", activity.name.trim()) };
    let mut parts = Vec::new();
    let time = activity.moving_s.map(|seconds| clock(i64::from(seconds)));
    match (activity.distance_m, time) {
        (Some(metres), Some(time)) => {
            let speed = speed(activity, units).map_or(String::new(), |speed| format!(" ({speed})"));
            parts.push(format!("{} in {time}{speed}", units.distance(metres)));
        }
        (Some(metres), None) => parts.push(units.distance(metres)),
        (None, Some(time)) => parts.push(time),
        (None, None) => {}
    }
    parts.extend(activity.heart_rate.map(|rate| match activity.heart_max {
        Some(max) => format!("{} on average, {} at most", bpm(rate), bpm(max)),
        None => format!("{} on average", bpm(rate)),
    }));
    parts.extend(activity.elevation_m.filter(|metres| *metres >= 0.5).map(|metres| format!("{} m of climbing", grouped(metres, 0))));
    let what = [Some(sport_word(activity)), kind(activity).map(str::to_owned)].into_iter().flatten().collect::<Vec<_>>().join(", ");
    format!("{name} on {}: {} [{what}]", long_date(activity.date), parts.join(", "))
}

/// "trail run", "ride", "yoga".
pub(crate) fn sport_word(activity: &Listed) -> String {
    match activity.sport.as_str() {
        "Run" => "run".to_owned(),
        "TrailRun" => "trail run".to_owned(),
        "WeightTraining" => "strength".to_owned(),
        other => spaced(other),
    }
}

/// "AlpineSki" as "alpine ski".
fn spaced(sport: &str) -> String {
    let mut words = String::new();
    for letter in sport.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// "18 runs on 16 days: 210.40 km in 20 h 12 min (5:46 /km), 1,204 m of climbing, 144 bpm on average".
pub(crate) fn totals_line(totals: &Totals, nouns: (&str, &str), family: Option<Family>, units: Units) -> String {
    let mut parts = Vec::new();
    if totals.distance_m > 0.0 {
        #[expect(clippy::cast_precision_loss, reason = "seconds of a life")]
        let speed = family.and_then(|family| speed_of(family, totals.paced_m, totals.paced_s as f64, units));
        let speed = speed.map_or(String::new(), |speed| format!(" ({speed} on average)"));
        parts.push(format!("{} in {}{speed}", units.distance(totals.distance_m), duration(totals.moving_s)));
    } else if totals.moving_s > 0 {
        parts.push(duration(totals.moving_s));
    }
    if totals.elevation_m >= 0.5 {
        parts.push(format!("{} m of climbing", grouped(totals.elevation_m, 0)));
    }
    if let Some(rate) = totals.heart_rate() {
        parts.push(format!("{} on average{}", bpm(rate), heart_coverage(totals)));
    }
    let days = if totals.days == totals.n { String::new() } else { format!(" on {}", counted(totals.days, ("day", "days"))) };
    format!("{}{days}: {}", counted(totals.n, nouns), parts.join(", "))
}

/// Says how much of the time has a heart rate, where some has none.
fn heart_coverage(totals: &Totals) -> String {
    #[expect(clippy::cast_precision_loss, reason = "seconds of a life")]
    let share = totals.heart_s as f64 / (totals.moving_s.max(1)) as f64 * 100.0;
    if share >= 99.5 { String::new() } else { format!(" (recorded for {share:.0} % of the time)") }
}

/// "10 km", "half marathon".
pub(crate) fn distance_name(distance_m: i32) -> String {
    let standard = STANDARD_DISTANCES.iter().find(|standard| (standard.metres - f64::from(distance_m)).abs() <= 1.0);
    standard.map_or_else(|| kilometres(f64::from(distance_m)), |standard| standard.name.to_owned())
}

/// "10 km: 48:10 (4:49 /km) on Sunday 10 May 2026, the whole run “Carrera” of 10.02 km".
pub(crate) fn record_line(record: &Record, units: Units) -> String {
    // A whole run is a little longer than the distance: its own pace is the true one.
    let length_m = record.activity_m.filter(|_| record.is_whole).unwrap_or(f64::from(record.distance_m));
    let pace = units.pace(length_m, f64::from(record.record_s)).unwrap_or_default();
    let whole = record.activity_m.filter(|_| record.is_whole).map_or_else(
        || format!("inside “{}”", record.name.trim()),
        |metres| format!("the whole run “{}” of {}", record.name.trim(), units.distance(metres)),
    );
    let race = if record.workout_type == Some(1) { ", a race" } else { "" };
    format!(
        "{}: {} ({pace}) on {}, {whole}{race}",
        distance_name(record.distance_m),
        clock(i64::from(record.record_s)),
        long_date(record.date)
    )
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const KM: Units = Units { miles: false };
    const MILES: Units = Units { miles: true };

    fn run() -> Listed {
        Listed {
            id: 1,
            name: " Long run ".to_owned(),
            sport: "Run".to_owned(),
            family: Family::Run,
            date: date(2026, 11, 22),
            start_local: date(2026, 11, 22).at(8, 0, 0, 0),
            distance_m: Some(21_150.0),
            moving_s: Some(6_303),
            elapsed_s: Some(6_400),
            elevation_m: Some(119.6),
            heart_rate: Some(146.6),
            heart_max: Some(171.0),
            workout_type: Some(2),
            indoor: false,
            manual: false,
            description: None,
            source: "strava".to_owned(),
        }
    }

    #[test]
    fn distances_and_paces_stand_in_both_units_where_miles_are_wanted() {
        assert_eq!((KM.distance(21_150.0), MILES.distance(21_150.0)), ("21.15 km".to_owned(), "21.15 km (13.14 mi)".to_owned()));
        assert_eq!(MILES.distance(1_609_344.0), "1,609.3 km (1,000.0 mi)");
        assert_eq!(KM.pace(10_000.0, 3_000.0).as_deref(), Some("5:00 /km"));
        assert_eq!(MILES.pace(10_000.0, 3_000.0).as_deref(), Some("5:00 /km (8:03 /mi)"));
        assert_eq!((KM.pace(0.0, 3_000.0), KM.pace(1_000.0, 0.0)), (None, None));
    }

    #[test]
    fn durations_are_rounded_to_minutes_that_carry() {
        for (seconds, expected) in [
            (0, "0 min"),
            (29, "0 min"),
            (30, "1 min"),
            (3_569, "59 min"),
            (3_570, "1 h 0 min"),
            (72_740, "20 h 12 min"),
            (4_000_000, "1,111 h 7 min"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn numbers_and_days_are_told_as_people_do() {
        assert_eq!((counted(1, ("run", "runs")), counted(0, ("run", "runs"))), ("1 run".to_owned(), "0 runs".to_owned()));
        assert_eq!(counted(1_204, ("run", "runs")), "1,204 runs");
        let today = date(2026, 3, 1);
        for (day, expected) in [
            (date(2026, 3, 1), "today"),
            (date(2026, 2, 28), "yesterday"),
            (date(2026, 2, 27), "2 days ago"),
            (date(2025, 3, 1), "365 days ago"),
            (date(2026, 3, 4), "in 3 days"),
        ] {
            assert_eq!(ago(day, today), expected);
        }
    }

    #[test]
    fn an_activity_is_told_with_what_was_recorded_and_nothing_else() {
        assert_eq!(
            activity_line(&run(), KM),
            "“Long run” on Sunday 22 November 2026: 21.15 km in 1:45:03 (4:58 /km), 147 bpm on average, 171 bpm at most, 120 m of climbing [run, long run]"
        );
        let bare =
            Listed { name: "  ".to_owned(), distance_m: None, heart_rate: None, elevation_m: Some(0.0), workout_type: None, ..run() };
        assert_eq!(activity_line(&bare, KM), "An unnamed Run on Sunday 22 November 2026: 1:45:03 [run]");
        let ride = Listed {
            family: Family::Ride,
            sport: "GravelRide".to_owned(),
            workout_type: Some(11),
            heart_max: None,
            distance_m: Some(38_610.0),
            moving_s: Some(5_700),
            ..run()
        };
        assert_eq!(
            activity_line(&ride, KM),
            "“Long run” on Sunday 22 November 2026: 38.61 km in 1:35:00 (24.4 km/h), 147 bpm on average, 120 m of climbing [gravel ride, race]"
        );
    }

    #[test]
    fn a_code_means_something_for_its_own_family_only() {
        let kind_of = |family, workout_type, indoor| kind(&Listed { family, workout_type, indoor, ..run() });
        assert_eq!(kind_of(Family::Run, Some(1), true), Some("race"));
        assert_eq!(kind_of(Family::Run, Some(3), false), Some("workout"));
        assert_eq!(kind_of(Family::Run, None, true), Some("treadmill"));
        assert_eq!((kind_of(Family::Ride, Some(1), false), kind_of(Family::Ride, Some(12), false)), (None, Some("workout")));
        assert_eq!((kind_of(Family::Swim, Some(1), true), kind_of(Family::Run, Some(30), false)), (None, None));
    }

    #[test]
    fn sums_say_of_how_much_they_are_a_mean() {
        let sums = Totals {
            n: 18,
            days: 16,
            distance_m: 210_400.0,
            moving_s: 72_740,
            elevation_m: 1_204.0,
            paced_m: 200_000.0,
            paced_s: 69_200,
            heart_s: 58_192,
            beats: 139_660.8,
            ..Totals::default()
        };
        assert_eq!(
            totals_line(&sums, ("run", "runs"), Some(Family::Run), KM),
            "18 runs on 16 days: 210.4 km in 20 h 12 min (5:46 /km on average), 1,204 m of climbing, 144 bpm on average (recorded for 80 % of the time)"
        );
        let swims = Totals { n: 1, days: 1, distance_m: 2_000.0, moving_s: 2_400, paced_m: 2_000.0, paced_s: 2_400, ..Totals::default() };
        assert_eq!(totals_line(&swims, ("swim", "swims"), Some(Family::Swim), KM), "1 swim: 2.00 km in 40 min (2:00 /100 m on average)");
        let strength = Totals { n: 2, days: 2, moving_s: 5_400, ..Totals::default() };
        assert_eq!(totals_line(&strength, ("session", "sessions"), Some(Family::Strength), KM), "2 sessions: 1 h 30 min");
    }

    #[test]
    fn a_record_says_whether_it_is_a_whole_run() {
        let record = Record {
            distance_m: 10_000,
            record_s: 2_890,
            is_whole: true,
            activity_id: 1,
            name: "City 10K".to_owned(),
            date: date(2026, 5, 10),
            activity_m: Some(10_020.0),
            workout_type: Some(1),
            source: "strava".to_owned(),
        };
        assert_eq!(record_line(&record, KM), "10 km: 48:10 (4:48 /km) on Sunday 10 May 2026, the whole run “City 10K” of 10.02 km, a race");
        let stretch = Record { is_whole: false, workout_type: None, ..record };
        assert_eq!(record_line(&stretch, KM), "10 km: 48:10 (4:49 /km) on Sunday 10 May 2026, inside “City 10K”");
        assert_eq!(
            (distance_name(21_098).as_str(), distance_name(1_610).as_str(), distance_name(7_000).as_str()),
            ("half marathon", "1 mile", "7.00 km")
        );
    }
}
