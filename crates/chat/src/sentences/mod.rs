//! The facts-only coach's words: plain sentences made of the facts, without a model. Pure, like everything below it.

mod days;
mod lists;
mod state;
mod sums;

pub(crate) use sums::{difference, period_name};

use runaway_core::db::activity_lists::Matches;
use runaway_core::domain::Bucket;

use crate::facts::Facts;
use crate::findings::{Finding, Found};
use crate::plan::Read;
use crate::question::Topic;
use crate::wording::Units;

/// The answer to the question, from the facts alone.
pub(crate) fn answer(facts: &Facts) -> String {
    let units = Units { miles: facts.question.in_miles };
    if facts.total_activities() == 0 {
        return "I have no activities of yours yet. Once a sync has brought your history, ask me again.".to_owned();
    }
    let mut paragraphs = named(facts, units);
    let says_enough = !paragraphs.is_empty() && (facts.question.names_are_explicit || names_are_meant(facts));
    if !says_enough {
        paragraphs.extend(topical(facts, units));
    }
    if paragraphs.is_empty() {
        paragraphs.push(overview(facts, units));
    }
    paragraphs.join("\n\n")
}

/// Paragraphs about activities by name.
fn named(facts: &Facts, units: Units) -> Vec<String> {
    let searches = facts.findings.iter().filter_map(|finding| match (&finding.read, &finding.found) {
        (Read::Search { words, explicit, .. }, Found::Search(matches)) => Some((words, *explicit, matches)),
        _ => None,
    });
    let mut told: Vec<i64> = Vec::new();
    let mut paragraphs = Vec::new();
    for (words, explicit, matches) in searches {
        let worth_telling = explicit || is_meant(facts, words, matches);
        let is_new = matches.activities.first().is_none_or(|first| !told.contains(&first.id));
        if worth_telling && is_new {
            told.extend(matches.activities.iter().map(|activity| activity.id));
            paragraphs.push(lists::by_name(facts, words, matches, units));
        }
    }
    paragraphs
}

/// Words alike are taken for a misspelt name from here on, where they are several.
const ALIKE_MIN: f32 = 0.65;

/// Whether words that nobody called a name are one all the same.
fn is_meant(facts: &Facts, words: &str, matches: &Matches) -> bool {
    let several = words.split_whitespace().count() > 1;
    let question = &facts.question;
    // Words that are all a question has to go by.
    let nothing_else = question.topic == Topic::Lookup && question.windows.is_empty() && question.distances.named_m.is_empty();
    !matches.activities.is_empty() && (matches.has_all_words() || nothing_else || (several && matches.score >= ALIKE_MIN))
}

/// Whether a name that was found is what the question is about, although it did not say so.
fn names_are_meant(facts: &Facts) -> bool {
    let found = facts.findings.iter().any(|finding| match (&finding.read, &finding.found) {
        (Read::Search { words, .. }, Found::Search(matches)) => is_meant(facts, words, matches),
        _ => false,
    });
    let about_one_thing = matches!(facts.question.topic, Topic::Lookup | Topic::Latest | Topic::First | Topic::Totals | Topic::Record);
    found && about_one_thing
}

/// Paragraphs by the question's topic.
fn topical(facts: &Facts, units: Units) -> Vec<String> {
    match facts.question.topic {
        Topic::Smalltalk => {
            vec!["You are welcome. Ask me about any run, week, month or race of yours, or how your training stands.".to_owned()]
        }
        Topic::Prediction => [state::prediction(facts, units)].into_iter().chain(state::newest_race(facts, units)).collect(),
        Topic::Load => [state::load(facts, units)].into_iter().chain(each(facts, units)).chain(state::before_races(facts)).collect(),
        Topic::Intensity => [state::intensity(facts)].into_iter().chain(each(facts, units)).collect(),
        Topic::Compare => comparison(facts, units),
        Topic::Trend => sums::trend(facts, units),
        _ => each(facts, units),
    }
}

fn comparison(facts: &Facts, units: Units) -> Vec<String> {
    let mut paragraphs = each(facts, units);
    paragraphs.extend(sums::difference(facts, units));
    paragraphs
}

/// A paragraph for each finding.
fn each(facts: &Facts, units: Units) -> Vec<String> {
    facts.findings.iter().filter_map(|finding| paragraph(facts, finding, units)).collect()
}

fn paragraph(facts: &Facts, finding: &Finding, units: Units) -> Option<String> {
    match (&finding.read, &finding.found) {
        (Read::Totals { selection, bucket: Bucket::All, label }, Found::Totals(groups)) => {
            Some(sums::whole(facts, selection, label, groups.first(), units))
        }
        (Read::Totals { bucket: Bucket::Family, label, .. }, Found::Totals(groups)) => sums::by_family(groups, label, units),
        (Read::Totals { selection, bucket, label }, Found::Totals(groups)) => {
            Some(sums::best_periods(facts, selection, *bucket, label, groups, units))
        }
        (Read::List { selection, order, label, .. }, Found::List(matches)) => {
            lists::listed(facts, selection, *order, label, matches, units)
        }
        (Read::Records { distances_m, label, .. }, Found::Records(records)) => Some(lists::records(distances_m, records, label, units)),
        (Read::Calendar { dates, label, family }, Found::Calendar(calendar)) => {
            Some(days::calendar(facts, *dates, *family, label, calendar))
        }
        _ => None,
    }
}

/// Where nothing else can be said: how things stand.
fn overview(facts: &Facts, units: Units) -> String {
    let lifetime = sums::by_family(&facts.lifetime, "in all", units).unwrap_or_default();
    format!("{lifetime}\n\n{}", state::load(facts, units))
}

/// The first letter in upper case.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
