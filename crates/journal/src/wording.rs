//! The words for a week's figures, as the app's readers see them: miles and feet. The model is given these sentences
//! and may say them better; without a model they are the journal.

use runaway_core::domain::units::{Per, feet, grouped, hours, miles, pace};
use runaway_core::domain::{Family, Method, SPIKE_LOOKBACK_DAYS, SPLIT_BASIS, units};

use crate::insights::{Finding, PartOfDay};
use crate::statistics::{FamilySum, Week};
use crate::trends::{MEAN_WEEKS, Metric, Trend, change_percent};

/// `1 run`, `5 runs`.
pub fn count(n: usize, noun: &str) -> String {
    match (n, noun) {
        (1, noun) => format!("1 {noun}"),
        (n, "activity") => format!("{n} activities"),
        (n, noun) => format!("{n} {noun}s"),
    }
}

/// `31.42 miles`.
pub fn in_miles(distance_m: f64) -> String {
    format!("{} miles", miles(distance_m))
}

/// `8:47 a mile`; `None` without distance or time.
pub fn pace_of(paced_m: f64, paced_s: i64) -> Option<String> {
    pace(paced_m, paced_s as f64, Per::Mile).map(|pace| format!("{pace} a mile"))
}

/// The figures of the week, each as a phrase with its name.
pub fn figures(week: &Week) -> Vec<(&'static str, String)> {
    let runs = &week.runs;
    let recorded = |n: usize| if n == runs.n { String::new() } else { format!(", recorded in {n} of {}", count(runs.n, "run")) };
    let longest = (runs.longest_m > 0.0).then(|| in_miles(runs.longest_m));
    let methods: Vec<&str> = week.load.methods().into_iter().map(Method::as_str).collect();
    let optional = [
        ("pace", pace_of(runs.paced_m, runs.paced_s)),
        ("longest run", longest),
        ("elevation", runs.elevation_m.map(|climbed| format!("{} feet climbed", grouped(feet(climbed) as f64, 0)))),
        ("heart rate", runs.mean_bpm.map(|bpm| format!("{bpm:.0} bpm on average{}", recorded(runs.heart_n)))),
    ];
    let mut figures =
        vec![("runs", count(runs.n, "run")), ("distance", in_miles(runs.distance_m)), ("time", format!("{} hours", hours(runs.moving_s)))];
    figures.extend(optional.into_iter().filter_map(|(name, text)| Some((name, text?))));
    figures.push(("all activities", format!("{} on {}", count(week.n, "activity"), count(week.days_trained, "day"))));
    figures.push(("training load", format!("load {:.0}, by {}", week.load.total(), methods.join(" and "))));
    if let Some(monotony) = week.monotony {
        figures.push(("monotony", format!("monotony {:.1}", monotony.monotony)));
    }
    if let Some([easy, moderate, hard]) = week.split.percent() {
        figures.push(("intensity", format!("{easy}% easy, {moderate}% moderate, {hard}% hard ({SPLIT_BASIS})")));
    }
    figures
}

/// `2 rides (45.20 miles, 3.1 hours)`.
pub fn other(sum: &FamilySum) -> String {
    let noun = match sum.family {
        Family::Run => "run",
        Family::Ride => "ride",
        Family::Swim => "swim",
        Family::Walk => "walk",
        Family::Strength => "strength session",
        Family::Other => "other activity",
    };
    let named = if sum.n != 1 && noun == "other activity" { format!("{} other activities", sum.n) } else { count(sum.n, noun) };
    let distance = if sum.distance_m > 0.0 { format!("{}, ", in_miles(sum.distance_m)) } else { String::new() };
    format!("{named} ({distance}{} hours)", hours(sum.moving_s))
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A metric's value as a phrase.
pub fn value(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Distance => in_miles(value),
        Metric::Time => format!("{} hours", hours(value.round() as i64)),
        Metric::Pace => pace(1.0, value, Per::Mile).map_or_else(String::new, |pace| format!("{pace} a mile")),
        Metric::Elevation => format!("{} feet", grouped(feet(value) as f64, 0)),
        Metric::HeartRate => format!("{value:.0} bpm"),
        Metric::Load => format!("{value:.0}"),
    }
}

/// How one value stands to an earlier one, `12% more than`. Differences are those of the figures shown.
pub fn change(metric: Metric, this: f64, before: f64) -> String {
    match metric {
        Metric::Pace => {
            let shown = |value: f64| units::pace_s(1.0, value, Per::Mile).unwrap_or_default();
            match shown(before) - shown(this) {
                0 => "the same as".to_owned(),
                faster @ 1.. => format!("{} a mile faster than", pace_difference(faster)),
                slower => format!("{} a mile slower than", pace_difference(slower.abs())),
            }
        }
        Metric::HeartRate => match this.round() - before.round() {
            0.0 => "the same as".to_owned(),
            higher if higher > 0.0 => format!("{higher:.0} bpm higher than"),
            lower => format!("{:.0} bpm lower than", lower.abs()),
        },
        Metric::Distance | Metric::Time | Metric::Elevation | Metric::Load => match change_percent(this, before) {
            None => "after nothing in".to_owned(),
            Some(_) if this <= 0.0 => "none, after some in".to_owned(),
            Some(0) => "as much as in".to_owned(),
            Some(more @ 1..) => format!("{}% more than in", grouped(more as f64, 0)),
            Some(less) => format!("{}% less than in", less.abs()),
        },
    }
}

/// A difference of paces, seconds.
fn pace_difference(seconds: i64) -> String {
    if seconds < 60 { count(seconds.unsigned_abs() as usize, "second") } else { units::clock(seconds) }
}

/// The trend as clauses: against the week before, and against the mean of four.
pub fn comparisons(trend: &Trend) -> Vec<String> {
    let clause = |before: f64, what: &str| {
        let shown = if before > 0.0 { format!(" ({})", value(trend.metric, before)) } else { String::new() };
        let link = match trend.metric {
            Metric::Pace | Metric::HeartRate => " in ",
            _ => " ",
        };
        format!("{}{link}{what}{shown}", change(trend.metric, trend.this, before))
    };
    let last = trend.last.map(|last| clause(last, "the week before"));
    let mean = trend.mean.map(|mean| clause(mean, &format!("the {MEAN_WEEKS} weeks before on average")));
    last.into_iter().chain(mean).collect()
}

/// The trend as one sentence without a full stop.
pub fn trend(trend: &Trend) -> String {
    let against = comparisons(trend);
    let tail = if against.is_empty() { "nothing to compare with yet".to_owned() } else { list(&against) };
    format!("{} {}: {tail}", trend.metric.as_str(), value(trend.metric, trend.this))
}

/// The sentence for a finding.
pub fn finding(finding: &Finding) -> String {
    match finding {
        Finding::LongestRun { distance_m, weeks } => format!("Your longest run in {weeks} weeks: {}.", in_miles(*distance_m)),
        Finding::Fastest { distance, time_s, distance_m, weeks } => {
            let (name, time) = (distance.name, units::clock(*time_s));
            format!("Your fastest {name} run in {weeks} weeks: {time} for {}.", in_miles(*distance_m))
        }
        Finding::BiggestWeek { distance_m, weeks } => format!("Your biggest week of running in {weeks} weeks: {}.", in_miles(*distance_m)),
        Finding::DayStreak { days } => format!("You have trained {} in a row.", count(*days, "day")),
        Finding::WeekStreak { weeks } => format!("You have run in {} in a row.", count(*weeks, "week")),
        Finding::Consistency { days, mean_days } => {
            format!("You trained on {}; the mean of the 4 weeks before is {mean_days:.1}.", count(*days, "day"))
        }
        Finding::Split { percent: [easy, moderate, hard], recorded, runs } => format!(
            "Of your recorded running time {easy}% was easy, {moderate}% moderate and {hard}% hard, by the mean heart rate of {recorded} of {}.",
            count(*runs, "run")
        ),
        Finding::TimeOfDay { part, n, runs } => {
            let part = match part {
                PartOfDay::Morning => "morning",
                PartOfDay::Afternoon => "afternoon",
                PartOfDay::Night => "evening or at night",
            };
            format!("You mostly ran in the {part}: {n} of {}.", count(*runs, "run"))
        }
        Finding::PaceAtHeartRate { bpm, now, before } => {
            let (now, change) = (value(Metric::Pace, *now), change(Metric::Pace, *now, *before));
            format!("At the same heart rate ({bpm:.0} bpm) you have lately run {now}, {change} in the 8 weeks before.")
        }
        Finding::Spike(spike) => {
            let percent = change_percent(spike.distance_m, spike.longest_before_m).unwrap_or_default();
            format!(
                "Your run of {} was {}% longer than any in the {SPIKE_LOOKBACK_DAYS} days before ({}). Let the longest run grow by steps of at most 10%.",
                in_miles(spike.distance_m),
                grouped(percent as f64, 0),
                in_miles(spike.longest_before_m)
            )
        }
        Finding::Monotony { monotony } => {
            format!("Your days were much alike (monotony {monotony:.1}). Make easy days easier and let one be hard.")
        }
        Finding::NoRestDay => "You trained on all 7 days. Plan a day of rest.".to_owned(),
        Finding::LittleEasy { percent } => {
            format!("Only {percent}% of your recorded running time was easy. Slow down some runs, so that the hard ones can be hard.")
        }
        Finding::HeartRateMissing { missing, runs } if missing == runs => {
            "No run recorded a heart rate, so nothing is said about it.".to_owned()
        }
        Finding::HeartRateMissing { missing, runs } => {
            format!("Heart rate was not recorded in {missing} of {}; its figures speak of the others.", count(*runs, "run"))
        }
        Finding::Included { indoor, trail } => {
            let parts = [(indoor, "indoor run"), (trail, "trail run")];
            let parts: Vec<String> = parts.into_iter().filter(|(n, _)| **n > 0).map(|(n, noun)| count(*n, noun)).collect();
            format!("The figures of your runs include {}.", list(&parts))
        }
        Finding::OtherSports(sums) => format!("Beside running you did {}.", list(&sums.iter().map(other).collect::<Vec<_>>())),
        Finding::Travelled => "Your activities lie in more than one time zone; each counts for the day it was where you were.".to_owned(),
        Finding::NothingBefore => "This is the first week recorded here, so there is nothing to compare it with yet.".to_owned(),
        Finding::Plain { n, days } => format!("You recorded {} on {}.", count(*n, "activity"), count(*days, "day")),
    }
}
