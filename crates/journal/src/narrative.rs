//! The week told from its facts, without a model.

use crate::facts::Facts;
use crate::statistics::Week;
use crate::trends::Metric;
use crate::wording::{comparisons, count, in_miles, list, other, pace_of};
use runaway_core::domain::units::{feet, grouped, hours};

/// A few plain sentences; every figure in them is one of the facts.
pub fn facts_only(facts: &Facts) -> String {
    let mut sentences = vec![running(facts)];
    sentences.extend(details(&facts.week));
    sentences.extend(compared(facts));
    if facts.week.runs.n > 0 && !facts.week.others.is_empty() {
        sentences.push(format!("Beside running you did {}.", list(&facts.week.others.iter().map(other).collect::<Vec<_>>())));
    }
    sentences.join(" ")
}

fn running(facts: &Facts) -> String {
    let (week, so_far) = (&facts.week, if facts.is_complete { "" } else { "So far this week: " });
    let runs = &week.runs;
    if runs.n == 0 {
        let others: Vec<String> = week.others.iter().map(other).collect();
        return format!("{so_far}No runs; you did {}.", list(&others));
    }
    let distance = if runs.distance_m > 0.0 { format!("{} in ", in_miles(runs.distance_m)) } else { String::new() };
    let pace = pace_of(runs.paced_m, runs.paced_s).map_or_else(String::new, |pace| format!(", at {pace}"));
    let time = if runs.moving_s > 0 { format!(" and {} hours", hours(runs.moving_s)) } else { String::new() };
    format!("{so_far}{distance}{}{time}{pace}.", count(runs.n, "run"))
}

fn details(week: &Week) -> Vec<String> {
    let runs = &week.runs;
    let longest = (runs.n > 1 && runs.longest_m > 0.0).then(|| format!("The longest run was {}.", in_miles(runs.longest_m)));
    let climbed = runs.elevation_m.map(feet).filter(|feet| *feet > 0).map(|feet| format!("You climbed {} feet.", grouped(feet as f64, 0)));
    let heart = runs.mean_bpm.map(|bpm| match runs.heart_n == runs.n {
        true => format!("Your heart rate was {bpm:.0} bpm on average."),
        false => format!("Your heart rate was {bpm:.0} bpm on average, recorded in {} of {}.", runs.heart_n, count(runs.n, "run")),
    });
    [longest, climbed, heart].into_iter().flatten().collect()
}

/// What changed, in the order of weight; the first week has nothing to be compared with, and says so.
fn compared(facts: &Facts) -> Vec<String> {
    if !facts.is_complete {
        return vec!["The week is not over, so it is not compared with others yet.".to_owned()];
    }
    let sentence = |metric: Metric, subject: &str| {
        let trend = facts.trends.iter().find(|trend| trend.metric == metric)?;
        let clauses = comparisons(trend);
        (!clauses.is_empty()).then(|| format!("{subject} was {}.", list(&clauses)))
    };
    let told = [(Metric::Distance, "The distance"), (Metric::Pace, "The pace"), (Metric::Load, "The training load of all sports")];
    // Without a run this week there is no distance to compare.
    let told = told.into_iter().filter(|(metric, _)| facts.week.runs.n > 0 || *metric == Metric::Load);
    let told: Vec<String> = told.filter_map(|(metric, subject)| sentence(metric, subject)).collect();
    if told.is_empty() { vec!["There is no earlier week to compare it with.".to_owned()] } else { told }
}
