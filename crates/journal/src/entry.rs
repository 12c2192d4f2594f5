//! The shapes the app reads.

use runaway_core::db::journal::Entry;
use runaway_core::domain::Method;
use runaway_core::domain::units::{Per, feet, hours, miles, pace};
use serde_json::{Value, json};

use crate::facts::Facts;
use crate::wording;

/// What stands for a pace that does not exist; the app wants a text.
const NO_PACE: &str = "--";

/// The contract's figures, of runs; and beside them what the app may show later.
pub fn week_stats(facts: &Facts) -> Value {
    let (week, runs) = (&facts.week, &facts.week.runs);
    let others: Vec<Value> = week
        .others
        .iter()
        .map(|sum| {
            json!({ "sport": sum.family.as_str(), "count": sum.n, "distance_miles": miles(sum.distance_m), "time_hours": hours(sum.moving_s) })
        })
        .collect();
    let trends: Vec<Value> = facts
        .trends
        .iter()
        .map(|trend| {
            let shown = |value: Option<f64>| value.map(|value| wording::value(trend.metric, value));
            json!({ "metric": trend.metric.as_str(), "this_week": shown(Some(trend.this)), "week_before": shown(trend.last),
                    "four_weeks_before": shown(trend.mean), "text": wording::trend(trend) })
        })
        .collect();
    let methods: Vec<&str> = week.load.methods().into_iter().map(Method::as_str).collect();
    json!({
        "total_distance_miles": miles(runs.distance_m), "total_time_hours": hours(runs.moving_s), "activities_count": runs.n,
        "avg_pace": pace(runs.paced_m, runs.paced_s as f64, Per::Mile).unwrap_or_else(|| NO_PACE.to_owned()),
        "longest_run_miles": miles(runs.longest_m), "elevation_gain_feet": runs.elevation_m.map(feet),
        "avg_heart_rate": runs.mean_bpm.map(|bpm| bpm.round() as i64),
        "treadmill_count": runs.indoor_n, "trail_count": runs.trail_n, "other_sports": others, "days_trained": week.days_trained,
        "training_load": week.load.total().round() as i64, "training_load_methods": methods,
        "monotony": week.monotony.map(|monotony| format!("{:.1}", monotony.monotony)),
        "easy_moderate_hard_percent": week.split.percent(), "is_complete": facts.is_complete, "trends": trends,
    })
}

/// `[{"type", "text"}]` with the activities that prove each; `texts` are the sentences in the findings' order.
pub fn insights(facts: &Facts, texts: &[String]) -> Value {
    let shown = facts.insights.iter().zip(texts);
    shown
        .map(|(insight, text)| json!({ "type": insight.finding.kind().as_str(), "text": text, "activities": insight.activities }))
        .collect()
}

/// The contract's Journal.
pub fn journal(athlete_id: i64, entry: &Entry) -> Value {
    json!({
        "id": entry.id, "athlete_id": athlete_id, "week_start_date": entry.week_start, "week_end_date": entry.week_end,
        "narrative": entry.narrative, "week_stats": entry.week_stats, "insights": entry.insights,
        "generation_model": entry.generation_model, "generation_timestamp": entry.generated_at, "updated_at": entry.updated_at,
    })
}
