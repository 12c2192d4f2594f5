//! Single activities and records in sentences.

use runaway_core::db::activity_lists::{Listed, Matches};
use runaway_core::db::best_efforts::Record;
use runaway_core::domain::units::kilometres;
use runaway_core::domain::{Order, Selection, WHOLE_ACTIVITY_TOLERANCE};

use super::capitalised;
use crate::facts::Facts;
use crate::question::{Topic, nouns};
use crate::wording::{Units, activity_line, ago, counted, distance_name, grouped_int, record_line};

/// Activities of a name that are told one by one.
const NAMED_TOLD: usize = 3;

/// A list of activities; `None` where the sums beside it already say that there are none.
pub(super) fn listed(facts: &Facts, selection: &Selection, order: Order, label: &str, matches: &Matches, units: Units) -> Option<String> {
    let (one, many) = noun_of(facts, selection);
    let bounds = bounds(selection, units);
    let lines: Vec<String> = matches.activities.iter().map(|activity| activity_line(activity, units)).collect();
    let Some((first, activity)) = lines.first().zip(matches.activities.first()) else {
        let sums_say_so = matches!(facts.question.topic, Topic::Totals | Topic::Lookup);
        return (!sums_say_so).then(|| format!("I found no {many}{bounds} {label}."));
    };
    let when = ago(activity.date, facts.today);
    let head = match order {
        Order::Newest if facts.question.topic == Topic::Latest => format!("Your last {one}{bounds} was {when}: {first}."),
        Order::Newest => format!("The newest {} {label}: {first}.", if lines.len() > 1 { many } else { one }),
        Order::Oldest if facts.question.topic == Topic::First => format!("Your first {one}{bounds} was {first}."),
        Order::Oldest => format!("{}: {first}.", capitalised(label)),
        order => format!("Your {} {one}{bounds} {label} was {first}.", superlative(order)),
    };
    let rest: Vec<String> = lines.iter().skip(1).map(|line| format!("• {line}")).collect();
    let left = matches.total_matched - i64::try_from(lines.len()).unwrap_or_default();
    let more = if left > 0 && matches!(order, Order::Newest | Order::Oldest) && lines.len() > 1 {
        format!("\n… and {}.", counted(left, (&format!("other {one}"), &format!("other {many}"))))
    } else {
        String::new()
    };
    let behind = if rest.is_empty() { String::new() } else { format!("\n{}", rest.join("\n")) };
    Some(format!("{head}{behind}{more}"))
}

const fn superlative(order: Order) -> &'static str {
    match order {
        Order::Newest => "newest",
        Order::Oldest => "first",
        Order::Longest => "longest",
        Order::Shortest => "shortest",
        Order::LongestTime => "longest (by time)",
        Order::Hilliest => "hilliest",
        Order::Fastest => "fastest",
        Order::Slowest => "slowest",
        Order::HighestHeartRate => "highest-heart-rate",
    }
}

/// What the selected activities are called.
pub(super) fn noun_of(facts: &Facts, selection: &Selection) -> (&'static str, &'static str) {
    if selection.family == facts.question.family() { facts.question.nouns() } else { nouns(selection.family) }
}

/// " of at least 16.09 km".
fn bounds(selection: &Selection, units: Units) -> String {
    match (selection.distance_min_m, selection.distance_max_m) {
        (Some(min), Some(max)) if max <= min * (1.0 + WHOLE_ACTIVITY_TOLERANCE) + 1.0 => format!(" of about {}", units.distance(min)),
        (Some(min), Some(max)) => format!(" of {} to {}", units.distance(min), units.distance(max)),
        (Some(min), None) => format!(" of at least {}", units.distance(min)),
        (None, Some(max)) => format!(" of at most {}", units.distance(max)),
        (None, None) => String::new(),
    }
}

/// Records of one or several distances.
pub(super) fn records(distances_m: &[i32], records: &[Record], label: &str, units: Units) -> String {
    let asked: Vec<String> = distances_m.iter().map(|metres| distance_name(*metres)).collect();
    if records.is_empty() {
        let what = if asked.len() > 3 { "standard distance".to_owned() } else { asked.join(" or ") };
        return format!(
            "I found no time over the {what} {label}: no run at most 4 % longer than that distance, and no details of longer runs."
        );
    }
    let lines: Vec<String> = records.iter().map(|record| record_line(record, units)).collect();
    let missing: Vec<&String> =
        asked.iter().filter(|name| !records.iter().any(|record| distance_name(record.distance_m) == **name)).collect();
    let none = if missing.is_empty() || asked.len() > 3 { String::new() } else { format!("\nNot found {label}: {}.", join(&missing)) };
    let note = if records.iter().any(|record| record.is_whole) {
        "\nWhole runs count where they are at most 4 % longer than the distance; their time is moving time."
    } else {
        ""
    };
    let bullet = |line: &String| format!("• {line}");
    let lines = if lines.len() == 1 { lines.join("") } else { format!("\n{}", lines.iter().map(bullet).collect::<Vec<_>>().join("\n")) };
    format!("Your fastest {label}: {lines}{none}{note}")
}

fn join(names: &[&String]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Activities found by their name.
pub(super) fn by_name(facts: &Facts, words: &str, matches: &Matches, units: Units) -> String {
    let windows = &facts.question.windows;
    let window = windows.first().filter(|_| windows.len() == 1).map_or(String::new(), |window| format!(" {}", window.label));
    let is_in = |activity: &&Listed| windows.is_empty() || windows.iter().any(|window| window.dates.contains(activity.date));
    let mut activities: Vec<&Listed> = matches.activities.iter().filter(is_in).collect();
    if activities.is_empty() {
        return format!("I found no activity called “{words}”{window}.");
    }
    let pace = |activity: &Listed| Some(f64::from(activity.moving_s?) / activity.distance_m?);
    let by = facts.question.orders.first().copied().or((facts.question.topic == Topic::Record).then_some(Order::Fastest));
    match by {
        Some(Order::Fastest) => activities.sort_by(|a, b| pace(a).unwrap_or(f64::MAX).total_cmp(&pace(b).unwrap_or(f64::MAX))),
        Some(Order::Slowest) => activities.sort_by(|a, b| pace(b).unwrap_or(0.0).total_cmp(&pace(a).unwrap_or(0.0))),
        Some(Order::Longest) => activities.sort_by(|a, b| b.distance_m.unwrap_or(0.0).total_cmp(&a.distance_m.unwrap_or(0.0))),
        Some(Order::Hilliest) => activities.sort_by(|a, b| b.elevation_m.unwrap_or(0.0).total_cmp(&a.elevation_m.unwrap_or(0.0))),
        _ if facts.question.topic == Topic::First => activities.reverse(),
        _ => {}
    }
    let close =
        if matches.has_all_words() { String::new() } else { format!("Nothing is called exactly “{words}”; the closest names: ") };
    let count = match matches.total_matched {
        1 => String::new(),
        n if matches.has_all_words() => format!("{n} activities match “{words}”{window} ({n} times). ", n = grouped_int(n)),
        _ => String::new(),
    };
    let head = by.map_or(if activities.len() > 1 { "The newest: " } else { "" }, |order| match order {
        Order::Fastest => "The fastest: ",
        Order::Slowest => "The slowest: ",
        Order::Longest => "The longest: ",
        Order::Hilliest => "The hilliest: ",
        _ => "",
    });
    let head = if facts.question.topic == Topic::First { "The first: " } else { head };
    let lines: Vec<String> = activities.iter().take(NAMED_TOLD).map(|activity| activity_line(activity, units)).collect();
    let distance: f64 = activities.iter().filter_map(|activity| activity.distance_m).sum();
    let all_told = usize::try_from(matches.total_matched).is_ok_and(|total| total == activities.len());
    let sum = if all_told && activities.len() > 1 { format!("\nTogether: {}.", kilometres(distance)) } else { String::new() };
    format!("{close}{count}{head}{}.{sum}", lines.join("\n• "))
}
