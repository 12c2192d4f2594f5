//! The facts as JSON for the model: finished, formatted numbers with dates and weekdays. Names and notes of the
//! athlete's are values in it and nothing else.

use jiff::civil::Date;
use runaway_core::db::activity_lists::{Listed, Matches};
use runaway_core::db::athlete_days::{Calendar, Totals};
use runaway_core::db::best_efforts::Record;
use runaway_core::domain::units::{clock, grouped};
use runaway_core::domain::{Bucket, DateRange, Family, Method, SPLIT_BASIS, STANDARD_DISTANCES, Selection, predict};
use serde_json::{Map, Value, json};

use crate::facts::{Facts, RECENT_DAYS, VOLUME_WEEKS, best_race};
use crate::findings::{Finding, Found};
use crate::plan::Read;
use crate::question::{Topic, nouns};
use crate::wording::{Units, ago, bpm, distance_name, kind, record_line, speed, sport_word, totals_line};

/// Characters of a note that are passed on.
const NOTE_CHARS_MAX: usize = 300;

/// What the model is given with a question.
pub(crate) fn document(facts: &Facts) -> Value {
    let units = Units { miles: facts.question.in_miles };
    let remembered: Vec<Value> = facts
        .remembered
        .iter()
        .map(|fact| json!({"id": fact.id, "kind": fact.kind, "text": fact.text, "since": fact.created_at}))
        .collect();
    let findings: Vec<Value> = facts.findings.iter().map(|finding| found(finding, facts.today, units)).collect();
    json!({
        "today": day(facts.today),
        "timezone": facts.person.timezone,
        "athlete": {"first_name": facts.person.first_name, "memory": facts.person.memory, "asked_to_remember": remembered},
        "for_this_question": findings,
        "differences": differences(facts, units),
        (format!("last_{RECENT_DAYS}_days")): matches(&facts.recent, facts.today, units),
        "running_by_week": {"weeks": VOLUME_WEEKS, "groups": groups(&facts.weeks, Bucket::Week, Some(Family::Run), units)},
        "all_time": {"total_matched": facts.total_activities(), "groups": groups(&facts.lifetime, Bucket::Family, None, units)},
        "records": {"all_time": records(&facts.records, units), "last_365_days": records(&facts.recent_records, units)},
        "training_state": state(facts, units),
        "race_predictions": predictions(facts),
        "missing": missing(facts),
    })
}

/// What compared windows differ by.
fn differences(facts: &Facts, units: Units) -> Vec<String> {
    if facts.question.topic == Topic::Compare { crate::sentences::difference(facts, units) } else { vec![] }
}

/// A day with its weekday.
fn day(date: Date) -> Value {
    json!({"date": date, "weekday": weekday(date)})
}

fn weekday(date: Date) -> String {
    date.strftime("%A").to_string()
}

fn window(dates: DateRange) -> Value {
    if dates.is_ever() {
        return json!("all time");
    }
    json!({"from": day(dates.first), "to": day(dates.last), "days": dates.days()})
}

/// An activity.
pub(crate) fn activity(activity: &Listed, today: Date, units: Units) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    put("id", Some(json!(activity.id)));
    put("name", Some(json!(activity.name)));
    put("sport", Some(json!(sport_word(activity))));
    put("kind", kind(activity).map(|kind| json!(kind)));
    put("date", Some(json!(activity.date)));
    put("weekday", Some(json!(weekday(activity.date))));
    put("ago", Some(json!(ago(activity.date, today))));
    put("start", Some(json!(activity.start_local.strftime("%H:%M").to_string())));
    put("distance", activity.distance_m.map(|metres| json!(units.distance(metres))));
    put("moving_time", activity.moving_s.map(|seconds| json!(clock(i64::from(seconds)))));
    put("pace_or_speed", speed(activity, units).map(|speed| json!(speed)));
    put("climb", activity.elevation_m.map(|metres| json!(format!("{} m", grouped(metres, 0)))));
    put("heart_rate", activity.heart_rate.map(|rate| json!(bpm(rate))));
    put("heart_rate_max", activity.heart_max.map(|rate| json!(bpm(rate))));
    put("entered_by_hand", activity.manual.then_some(json!(true)));
    put("notes", activity.description.as_ref().map(|notes| json!(notes.chars().take(NOTE_CHARS_MAX).collect::<String>())));
    Value::Object(fields)
}

fn matches(matches: &Matches, today: Date, units: Units) -> Value {
    let activities: Vec<Value> = matches.activities.iter().map(|listed| activity(listed, today, units)).collect();
    let without = matches.activities.iter().filter(|listed| listed.heart_rate.is_none()).count();
    json!({"total_matched": matches.total_matched, "listed": activities.len(), "activities": activities, "listed_without_heart_rate": without})
}

fn groups(groups: &[Totals], bucket: Bucket, family: Option<Family>, units: Units) -> Vec<Value> {
    let group = |totals: &Totals| {
        let own = if bucket == Bucket::Family { Family::parse(&totals.key) } else { family };
        let name = match bucket {
            Bucket::All => json!("all"),
            Bucket::Family => json!(totals.key),
            _ => json!(crate::sentences::period_name(&totals.key, bucket)),
        };
        json!({"group": name, "n": totals.n, "sums": totals_line(totals, nouns(own), own, units)})
    };
    groups.iter().map(group).collect()
}

fn records(records: &[Record], units: Units) -> Vec<Value> {
    let record = |record: &Record| {
        json!({"activity_id": record.activity_id, "distance": distance_name(record.distance_m), "date": record.date, "weekday": weekday(record.date),
               "time": clock(i64::from(record.record_s)), "record": record_line(record, units),
               "basis": if record.is_whole { "a whole run, at most 4 % longer; moving time" } else { "a stretch inside the activity; elapsed time" }})
    };
    records.iter().map(record).collect()
}

fn selection(selection: &Selection, units: Units) -> Value {
    json!({
        "window": window(selection.dates),
        "family": selection.family.map(Family::as_str),
        "sports": selection.sports,
        "indoor": selection.indoor,
        "kind": selection.kind.map(|kind| format!("{kind:?}")),
        "distance_min": selection.distance_min_m.map(|metres| units.distance(metres)),
        "distance_max": selection.distance_max_m.map(|metres| units.distance(metres)),
        "weekday": selection.weekday.map(|weekday| format!("{weekday:?}")),
    })
}

/// A finding, with what was asked beside it.
pub(crate) fn found(finding: &Finding, today: Date, units: Units) -> Value {
    match (&finding.read, &finding.found) {
        (Read::Totals { selection: of, bucket, label }, Found::Totals(sums)) => {
            let total: i64 = sums.iter().map(|group| group.n).sum();
            json!({"what": "sums", "when": label, "of": selection(of, units), "per": format!("{bucket:?}"), "total_matched": total,
                   "groups": groups(sums, *bucket, of.family, units)})
        }
        (Read::List { selection: of, order, label, .. }, Found::List(found)) => {
            json!({"what": "activities", "when": label, "of": selection(of, units), "order": format!("{order:?}"), "found": matches(found, today, units)})
        }
        (Read::Records { dates, label, distances_m, .. }, Found::Records(found)) => {
            let asked: Vec<String> = distances_m.iter().map(|metres| distance_name(*metres)).collect();
            json!({"what": "records", "when": label, "window": window(*dates), "distances": asked, "total_matched": found.len(), "records": records(found, units)})
        }
        (Read::Search { words, dates, .. }, Found::Search(found)) => {
            json!({"what": "activities by name", "words": words, "window": window(*dates), "has_all_words": found.has_all_words(),
                   "found": matches(found, today, units)})
        }
        (Read::Calendar { dates, family, label }, Found::Calendar(found)) => {
            json!({"what": "training days and breaks", "when": label, "window": window(*dates), "family": family.map(Family::as_str),
                   "calendar": calendar(found, today)})
        }
        _ => Value::Null,
    }
}

fn calendar(calendar: &Calendar, today: Date) -> Value {
    let span = |span: Option<(Date, Date, i64)>| {
        span.map(|(first, last, days)| json!({"from": day(first), "to": day(last), "days": days, "ended": ago(last, today)}))
    };
    let rest = calendar.newest_streak.map(|(first, last, _)| {
        let rested = if (today - last).get_days() <= 1 { first.yesterday() } else { today.yesterday() };
        rested.map_or(Value::Null, day)
    });
    json!({"training_days": calendar.trained_days, "longest_streak": span(calendar.longest_streak), "newest_streak": span(calendar.newest_streak),
           "longest_break": span(calendar.longest_break), "newest_break": span(calendar.newest_break), "last_rest_day": rest})
}

/// Training load and what it adds up to.
pub(crate) fn state(facts: &Facts, units: Units) -> Value {
    let Some(state) = &facts.state else { return json!("no training in the last year") };
    let methods: Vec<&str> = state.week.methods().into_iter().map(Method::as_str).collect();
    let body = &facts.physiology;
    json!({
        "load_unit": "100 is one hour at threshold",
        "load_last_7_days": state.week.total().round(),
        "load_7_days_before": state.week_before.total().round(),
        "load_found_by": methods,
        "fitness": state.fitness.fitness.round(),
        "fitness_four_weeks_ago": state.fitness_four_weeks_ago.map(f64::round),
        "fatigue": state.fitness.fatigue.round(),
        "form": state.fitness.form.round(),
        "history_is_short": state.fitness.is_warming_up,
        "last_week_against_mean_of_four": state.acute_chronic.map(|ratio| format!("{:.2}", ratio.coupled)),
        "monotony": state.monotony.map(|week| format!("{:.2}", week.monotony)),
        "longest_run_of_30_days": state.longest_run.map(|run| json!({"distance": units.distance(run.distance_m), "day": day(run.date)})),
        "newest_run_against_longest_before": state.newest_spike.map(|(date, spike)| json!({"day": day(date), "ratio": format!("{:.2}", spike.ratio)})),
        "easy_moderate_hard_percent": state.intensity.percent(),
        "easy_moderate_hard_basis": SPLIT_BASIS,
        "heart_rate_max": bpm(body.heart_rate_max),
        "heart_rate_max_is_assumed": body.heart_rate_max_is_estimated,
        "heart_rate_at_rest_is_assumed": bpm(body.heart_rate_rest),
    })
}

/// Ranges from the best recent race, else the best of all time.
fn predictions(facts: &Facts) -> Value {
    let recent = best_race(&facts.recent_records);
    let Some(best) = recent.or_else(|| best_race(&facts.records)) else { return json!("no run near a race's distance to predict by") };
    let lines: Vec<Value> = STANDARD_DISTANCES
        .iter()
        .filter(|standard| standard.metres >= 5_000.0)
        .filter_map(|standard| {
            let range = predict(f64::from(best.distance_m), f64::from(best.record_s), standard.metres)?;
            #[expect(clippy::cast_possible_truncation, reason = "seconds of a race")]
            let text = |seconds: f64| clock(seconds.round() as i64);
            Some(json!({"distance": standard.name, "from": text(range.fast_s), "to": text(range.slow_s)}))
        })
        .collect();
    json!({"made_from": {"activity_id": best.activity_id, "date": best.date, "distance": distance_name(best.distance_m), "time": clock(i64::from(best.record_s))},
           "is_older_than_a_year": recent.is_none(), "models": "Riegel, and Daniels and Gilbert; a marathon is optimistic without its training", "ranges": lines})
}

/// What the facts lack, so that nobody fills it in.
fn missing(facts: &Facts) -> Vec<String> {
    let mut missing = Vec::new();
    if facts.total_activities() == 0 {
        missing.push("no activities have been imported".to_owned());
    }
    for family in facts.lifetime.iter().filter(|family| family.heart_s == 0) {
        missing.push(format!("no heart rate was ever recorded for {}", family.key));
    }
    if facts.records.iter().all(|record| record.is_whole) {
        missing.push("fastest stretches inside longer runs are not known; records are whole runs".to_owned());
    }
    missing.push("sleep, weight, shoes, weather and how a session felt are not known".to_owned());
    missing
}
