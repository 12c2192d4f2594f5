//! Sums, their differences and their course in sentences.

use runaway_core::db::athlete_days::Totals;
use runaway_core::domain::units::grouped;
use runaway_core::domain::{Bucket, DateRange, Family, Selection};

use super::capitalised;
use super::lists::noun_of;
use crate::facts::Facts;
use crate::findings::Found;
use crate::plan::Read;
use crate::question::{Measure, bare, long_date, nouns};
use crate::wording::{Units, bpm, counted, duration, speed_of, totals_line};

/// Periods that are told of a ranking.
const RANKED: usize = 3;
/// Periods that are told of a course.
const COURSE_MAX: usize = 30;
/// Days of a week, as a number.
const WEEK_DAYS: f64 = 7.0;

/// The family whose pace or speed makes sense for the selection.
fn paced(selection: &Selection) -> Option<Family> {
    selection.family
}

/// One window's sums, with its means.
pub(super) fn whole(facts: &Facts, selection: &Selection, label: &str, totals: Option<&Totals>, units: Units) -> String {
    let nouns = noun_of(facts, selection);
    let called =
        facts.question.sports.called.filter(|called| !nouns.1.contains(called)).map_or(String::new(), |called| format!(" of {called}"));
    let Some(totals) = totals.filter(|totals| totals.n > 0) else {
        return format!("{}: no {}{called} found.", capitalised(label), nouns.1);
    };
    let mut text = format!("{}: {}{called}.", capitalised(label), totals_line(totals, nouns, paced(selection), units));
    if totals.n > 1 {
        text.push_str(&means(facts, totals, selection, nouns.0, units));
    }
    text
}

/// " On average 11.69 km and 1 h 7 min a run, 47.30 km and 2.1 runs a week."
#[expect(clippy::cast_precision_loss, reason = "counts of a life")]
fn means(facts: &Facts, totals: &Totals, selection: &Selection, noun: &str, units: Units) -> String {
    let n = totals.n as f64;
    #[expect(clippy::cast_possible_truncation, reason = "seconds of one activity")]
    let each_s = (totals.moving_s as f64 / n) as i64;
    let each = if totals.distance_m > 0.0 {
        format!("{} and {}", units.distance(totals.distance_m / n), duration(each_s))
    } else {
        duration(each_s)
    };
    // A window that reaches beyond the history, or into the future, is not longer than what is known of it.
    let began = facts.lifetime.iter().filter_map(|family| family.first).min().unwrap_or(facts.today);
    let known = selection.dates.intersect(&DateRange { first: began, last: facts.today });
    let weeks = known.days() as f64 / WEEK_DAYS;
    let a_week = if weeks >= 2.0 {
        let distance = if totals.distance_m > 0.0 { format!("{} and ", units.distance(totals.distance_m / weeks)) } else { String::new() };
        format!("; {distance}{} sessions a week", grouped(n / weeks, 1))
    } else {
        String::new()
    };
    let article = if noun.starts_with('a') { "an" } else { "a" };
    format!(" On average {each} {article} {noun}{a_week}.")
}

/// Sums by sport; `None` where there is nothing, or only one sport, to tell.
pub(super) fn by_family(groups: &[Totals], label: &str, units: Units) -> Option<String> {
    let mut groups: Vec<(&Totals, Option<Family>)> = groups.iter().map(|group| (group, Family::parse(&group.key))).collect();
    groups.sort_by_key(|(group, _)| std::cmp::Reverse(group.moving_s));
    let lines: Vec<String> =
        groups.iter().map(|(group, family)| format!("• {}", totals_line(group, nouns(*family), *family, units))).collect();
    (!lines.is_empty()).then(|| format!("By sport, {label}:\n{}", lines.join("\n")))
}

/// A week, month, year or day as a group names it.
pub(crate) fn period_name(key: &str, bucket: Bucket) -> String {
    let date: Option<jiff::civil::Date> = key.parse().ok();
    match (bucket, date) {
        (Bucket::Week, Some(date)) => format!("the week of {}", long_date(date)),
        (Bucket::Month, Some(date)) => date.strftime("%B %Y").to_string(),
        (Bucket::Year, Some(date)) => date.year().to_string(),
        (Bucket::Day, Some(date)) => long_date(date),
        (Bucket::Weekday, _) => {
            const DAYS: [&str; 7] = ["Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"];
            let place: Option<usize> = key.parse().ok();
            place.and_then(|place| DAYS.get(place.checked_sub(1)?)).map_or_else(String::new, |day| (*day).to_owned())
        }
        _ => key.to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and seconds of a life")]
fn measured(totals: &Totals, measure: Measure) -> f64 {
    match measure {
        Measure::Distance | Measure::HeartRate => totals.distance_m,
        Measure::Time => totals.moving_s as f64,
        Measure::Climb => totals.elevation_m,
        Measure::Count => totals.n as f64,
        Measure::Pace => totals.paced_m / (totals.paced_s.max(1)) as f64,
    }
}

/// The weeks, months or years with the most.
pub(super) fn best_periods(facts: &Facts, selection: &Selection, bucket: Bucket, label: &str, groups: &[Totals], units: Units) -> String {
    let nouns = noun_of(facts, selection);
    let mut ranked: Vec<&Totals> = groups.iter().collect();
    ranked.sort_by(|a, b| measured(b, facts.question.measure).total_cmp(&measured(a, facts.question.measure)));
    let line = |group: &&Totals| format!("{}: {}", period_name(&group.key, bucket), totals_line(group, nouns, paced(selection), units));
    let lines: Vec<String> = ranked.iter().take(RANKED).map(line).collect();
    match lines.split_first() {
        None => format!("I found no {} {label}.", nouns.1),
        Some((first, rest)) => {
            let by = match facts.question.measure {
                Measure::Time => "by time",
                Measure::Climb => "by climbing",
                Measure::Count => "by number",
                Measure::Pace => "by pace",
                Measure::Distance | Measure::HeartRate => "by distance",
            };
            let rest = if rest.is_empty() { String::new() } else { format!("\nThen: {}.", rest.join("; ")) };
            format!("The top one {label} {by} was {first}.{rest}")
        }
    }
}

/// How something developed, period by period, and its first half against its second.
pub(super) fn trend(facts: &Facts, units: Units) -> Vec<String> {
    let mut paragraphs = Vec::new();
    for finding in &facts.findings {
        let (Read::Totals { selection, bucket, label }, Found::Totals(groups)) = (&finding.read, &finding.found) else { continue };
        if *bucket == Bucket::All {
            paragraphs.push(whole(facts, selection, label, groups.first(), units));
            continue;
        }
        let nouns = noun_of(facts, selection);
        if groups.is_empty() {
            paragraphs.push(format!("I found no {} {label}.", nouns.1));
            continue;
        }
        let newest = groups.get(groups.len().saturating_sub(COURSE_MAX)..).unwrap_or_default();
        let line = |group: &Totals| {
            format!("• {}: {}", capitalised(&period_name(&group.key, *bucket)), totals_line(group, nouns, paced(selection), units))
        };
        let lines: Vec<String> = newest.iter().map(line).collect();
        paragraphs.push(format!("{}, period by period:\n{}", capitalised(label), lines.join("\n")));
        paragraphs.extend(halves(newest, paced(selection), units));
    }
    paragraphs
}

/// The first half of a course against the second.
fn halves(groups: &[Totals], family: Option<Family>, units: Units) -> Option<String> {
    let (early, late) = groups.split_at_checked(groups.len() / 2).filter(|(early, _)| early.len() >= 2)?;
    let (early, late) = (sum(early), sum(late));
    Some(format!("The second half against the first: {}.", changes(&late, &early, family, units)))
}

fn sum(groups: &[Totals]) -> Totals {
    groups.iter().fold(Totals::default(), |mut sum, group| {
        sum.n += group.n;
        sum.days += group.days;
        sum.distance_m += group.distance_m;
        sum.moving_s += group.moving_s;
        sum.elevation_m += group.elevation_m;
        sum.paced_m += group.paced_m;
        sum.paced_s += group.paced_s;
        sum.heart_s += group.heart_s;
        sum.beats += group.beats;
        sum
    })
}

/// What the first two windows of a comparison differ by; and the first against the same part of the second.
pub(crate) fn difference(facts: &Facts, units: Units) -> Vec<String> {
    let empty = Totals::default();
    let sums: Vec<(&Selection, &String, &Totals)> = facts
        .findings
        .iter()
        .filter_map(|finding| match (&finding.read, &finding.found) {
            (Read::Totals { selection, bucket: Bucket::All, label }, Found::Totals(groups)) => {
                Some((selection, label, groups.first().unwrap_or(&empty)))
            }
            _ => None,
        })
        .collect();
    let Some(((selection, label, first), others)) = sums.split_first() else { return vec![] };
    others
        .iter()
        .map(|(_, other_label, other)| {
            format!("{} compared with {}: {}.", capitalised(bare(label)), bare(other_label), changes(first, other, paced(selection), units))
        })
        .collect()
}

/// "3 more (+25 %), 12.30 km less (-8 %), 14 s/km faster".
fn changes(new: &Totals, old: &Totals, family: Option<Family>, units: Units) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts and seconds of a life")]
    let (new_s, old_s) = (new.moving_s as f64, old.moving_s as f64);
    let percent = |new: f64, old: f64| if old > 0.0 { format!(" ({:+.0} %)", (new - old) / old * 100.0) } else { String::new() };
    let more = |change: f64| if change < 0.0 { "less" } else { "more" };
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let count = percent(new.n as f64, old.n as f64);
    let mut parts = vec![format!(
        "{} {}{count}",
        counted((new.n - old.n).abs(), ("session", "sessions")),
        if new.n < old.n { "fewer" } else { "more" }
    )];
    let metres = new.distance_m - old.distance_m;
    if new.distance_m > 0.0 || old.distance_m > 0.0 {
        parts.push(format!("{} {}{}", units.distance(metres.abs()), more(metres), percent(new.distance_m, old.distance_m)));
    }
    parts.push(format!("{} {}{}", duration((new.moving_s - old.moving_s).abs()), more(new_s - old_s), percent(new_s, old_s)));
    parts.extend(pace_change(new, old, family, units));
    if let (Some(new), Some(old)) = (new.heart_rate(), old.heart_rate()) {
        parts.push(format!("heart rate {} against {}", bpm(new), bpm(old)));
    }
    let climb = new.elevation_m - old.elevation_m;
    if climb.abs() >= 1.0 {
        parts.push(format!("{} m of climbing {}{}", grouped(climb.abs(), 0), more(climb), percent(new.elevation_m, old.elevation_m)));
    }
    parts.join(", ")
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a life")]
fn pace_change(new: &Totals, old: &Totals, family: Option<Family>, units: Units) -> Option<String> {
    let family = family?;
    let (now, then) =
        (speed_of(family, new.paced_m, new.paced_s as f64, units)?, speed_of(family, old.paced_m, old.paced_s as f64, units)?);
    let faster = new.paced_m / new.paced_s as f64 > old.paced_m / old.paced_s as f64;
    let word = if now == then {
        "the same pace"
    } else if faster {
        "faster"
    } else {
        "slower"
    };
    Some(format!("{word} ({now} against {then})"))
}
