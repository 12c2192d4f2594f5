//! Load, fitness, intensity and predictions in sentences. Load is described; no ratio is called a risk.

use jiff::ToSpan as _;
use runaway_core::db::activity_lists::Listed;
use runaway_core::domain::units::clock;
use runaway_core::domain::{
    EASY_BELOW_RESERVE_SHARE, HARD_FROM_RESERVE_SHARE, INTENSITY_DAYS, LoadSum, Method, RunKind, SPLIT_BASIS, STANDARD_DISTANCES,
    SpikeBand, StandardDistance, TrainingState, heart_rate_at, predict,
};

use crate::facts::{Facts, RECENT_RECORD_DAYS, VOLUME_WEEKS, best_race};
use crate::findings::Finding;
use crate::plan::Read;
use crate::question::{long_date, nouns, standard_m};
use crate::wording::{Units, activity_line, bpm, record_line, totals_line};

/// Below this, form is a tired one; above the other, a rested one. TrainingPeaks' usual reading.
const TIRED_BELOW: f64 = -20.0;
const RESTED_ABOVE: f64 = 5.0;
/// A week is varied below and monotonous above (Foster 1998).
const VARIED_BELOW: f64 = 1.5;
const MONOTONOUS_ABOVE: f64 = 2.0;

/// How the training stands.
pub(super) fn load(facts: &Facts, units: Units) -> String {
    let Some(state) = &facts.state else {
        return "There is no training in the last year to compute a load from.".to_owned();
    };
    let mut sentences = vec![week(state), fitness(state)];
    sentences.extend(state.acute_chronic.map(|ratio| {
        format!("The last week's load is {:.2} times the mean of the last four weeks (a description of load, nothing more).", ratio.coupled)
    }));
    sentences.extend(state.monotony.map(|week| {
        let word = match week.monotony {
            monotony if monotony < VARIED_BELOW => "well varied",
            monotony if monotony > MONOTONOUS_ABOVE => "monotonous: easy and hard days hardly differ",
            _ => "moderately varied",
        };
        format!("Monotony is {:.2} ({word}).", week.monotony)
    }));
    sentences.extend(longest(state, units));
    sentences.push(advice(state));
    let weeks = facts.weeks.iter().rev().take(4).map(|week| {
        let monday = week.key.parse().map_or_else(|_| week.key.clone(), long_date);
        format!(
            "• Week of {monday}: {}",
            totals_line(week, nouns(Some(runaway_core::domain::Family::Run)), Some(runaway_core::domain::Family::Run), units)
        )
    });
    format!("{}\nYour last weeks of running:\n{}", sentences.join(" "), weeks.collect::<Vec<_>>().join("\n"))
}

fn week(state: &TrainingState) -> String {
    format!(
        "Your training load of the last seven days is {:.0}, after {:.0} in the seven days before{}; 100 is an hour at threshold.",
        state.week.total(),
        state.week_before.total(),
        by(&state.week)
    )
}

/// Says by which methods a load was found.
fn by(load: &LoadSum) -> String {
    let methods: Vec<&str> = load.methods().into_iter().map(Method::as_str).collect();
    if methods.is_empty() { String::new() } else { format!(" (found by {})", methods.join(" and ")) }
}

fn fitness(state: &TrainingState) -> String {
    let now = state.fitness;
    let before = state.fitness_four_weeks_ago.map_or(String::new(), |before| format!(" (four weeks ago {before:.0})"));
    let form = match now.form {
        form if form < TIRED_BELOW => "tired",
        form if form > RESTED_ABOVE => "rested",
        _ => "in between",
    };
    let warming = if now.is_warming_up { " The history is still short, so fitness is too low." } else { "" };
    format!("Fitness is {:.0}{before}, fatigue {:.0}, form {:+.0}: {form}.{warming}", now.fitness, now.fatigue, now.form)
}

fn longest(state: &TrainingState, units: Units) -> Option<String> {
    let run = state.longest_run?;
    let spike = state.newest_spike.filter(|(_, spike)| spike.band > SpikeBand::Usual).map_or(String::new(), |(date, spike)| {
        format!(
            " The run of {} on {} was {:.0} % longer than the longest of the thirty days before it.",
            units.distance(spike.distance_m),
            long_date(date),
            (spike.ratio - 1.0) * 100.0
        )
    });
    Some(format!("Your longest run of the last thirty days is {} on {}.{spike}", units.distance(run.distance_m), long_date(run.date)))
}

/// A careful suggestion from load alone.
fn advice(state: &TrainingState) -> String {
    let jumped = state.newest_spike.is_some_and(|(_, spike)| spike.band >= SpikeBand::Moderate);
    match state.fitness.form {
        form if form < TIRED_BELOW || jumped => "By load alone, an easy day or a day off fits today.",
        form if form > RESTED_ABOVE => "By load alone, you are fresh enough for a hard session or a long run, if you feel like it.",
        _ => "By load alone, an easy or steady run fits today.",
    }
    .to_owned()
}

/// Easy, moderate and hard.
pub(super) fn intensity(facts: &Facts) -> String {
    let split = facts.state.as_ref().and_then(|state| Some((state, state.intensity.percent()?)));
    let Some((_, [easy, moderate, hard])) = split else {
        return format!("No heart rate was recorded in the last {INTENSITY_DAYS} days, so I cannot say how easy or hard you trained.");
    };
    let body = &facts.physiology;
    let estimated = if body.heart_rate_max_is_estimated { "an assumed maximum" } else { "the maximum seen" };
    format!(
        "In the last {INTENSITY_DAYS} days your training was {easy} % easy, {moderate} % moderate and {hard} % hard ({SPLIT_BASIS}). Easy is below {}, hard from {}; \
         that follows from {estimated} of {} and an assumed {} at rest. Eighty to ninety percent easy is what is usually meant by 80/20.",
        bpm(heart_rate_at(EASY_BELOW_RESERVE_SHARE, body)),
        bpm(heart_rate_at(HARD_FROM_RESERVE_SHARE, body)),
        bpm(body.heart_rate_max),
        bpm(body.heart_rate_rest),
    )
}

/// What races could bring, as ranges.
pub(super) fn prediction(facts: &Facts, units: Units) -> String {
    let recent = best_race(&facts.recent_records);
    let Some(best) = recent.or_else(|| best_race(&facts.records)) else {
        return "A prediction needs a run of 5 km or more that is at most 4 % longer than a race's distance; I found none. A race or a time trial would help.".to_owned();
    };
    let targets: Vec<StandardDistance> = match facts.question.distances.named_m.iter().find_map(|metres| standard_m(*metres)) {
        Some((name, metres)) => vec![StandardDistance { name, metres }],
        None => STANDARD_DISTANCES.into_iter().filter(|standard| standard.metres >= 5_000.0).collect(),
    };
    let lines: Vec<String> = targets.iter().filter_map(|target| line(facts, best.distance_m, best.record_s, *target)).collect();
    let age = if recent.is_some() { "" } else { " It is more than a year old, so take it with care." };
    let within = if recent.is_some() { format!("your best of the last {RECENT_RECORD_DAYS} days") } else { "your best".to_owned() };
    let caveat = if targets.iter().any(|target| target.metres > 40_000.0) {
        " A marathon predicted from a shorter race is optimistic without the weekly distance and long runs for it."
    } else {
        ""
    };
    let km: f64 = facts.weeks.iter().map(|week| week.distance_m).sum::<f64>() / f64::from(VOLUME_WEEKS);
    let longest = facts.state.as_ref().and_then(|state| longest(state, units)).unwrap_or_default();
    format!(
        "From {within}, {}:{age}\n{}\nThese are ranges of two models (Riegel; Daniels and Gilbert), for an even course on a good day.{caveat} You ran {} a week on average in the last {VOLUME_WEEKS} weeks. {longest}",
        record_line(best, units),
        lines.join("\n"),
        units.distance(km),
    )
}

#[expect(clippy::cast_possible_truncation, reason = "seconds of a race")]
fn line(facts: &Facts, distance_m: i32, time_s: i32, target: StandardDistance) -> Option<String> {
    let range = predict(f64::from(distance_m), f64::from(time_s), target.metres)?;
    let own = facts.records.iter().find(|record| (f64::from(record.distance_m) - target.metres).abs() <= 1.0);
    let own =
        own.map_or(String::new(), |record| format!("; your record is {} on {}", clock(i64::from(record.record_s)), long_date(record.date)));
    Some(format!("• {}: {} to {}{own}", target.name, clock(range.fast_s.round() as i64), clock(range.slow_s.round() as i64)))
}

/// The races among the findings.
fn races(facts: &Facts) -> impl Iterator<Item = &Listed> {
    let is_races = |finding: &&Finding| matches!(&finding.read, Read::List { selection, .. } if selection.kind == Some(RunKind::Race));
    facts.findings.iter().filter(is_races).flat_map(Finding::activities)
}

/// The newest race, beside a prediction.
pub(super) fn newest_race(facts: &Facts, units: Units) -> Option<String> {
    races(facts).next().map(|race| format!("Your newest race: {}.", activity_line(race, units)))
}

/// Fitness and form on the day of each race, and four weeks before.
pub(super) fn before_races(facts: &Facts) -> Vec<String> {
    let Some(state) = &facts.state else { return vec![] };
    let told = races(facts).filter_map(|race| {
        let (then, before) = (state.on(race.date)?, state.on(race.date.saturating_sub(28.days()))?);
        Some(format!(
            "On {}, the day of “{}”, fitness was {:.0} and form {:+.0}; four weeks before, {:.0} and {:+.0}.",
            long_date(race.date),
            race.name.trim(),
            then.fitness,
            then.form,
            before.fitness,
            before.form
        ))
    });
    told.collect()
}
