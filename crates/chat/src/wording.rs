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
