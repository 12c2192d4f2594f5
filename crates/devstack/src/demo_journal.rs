//! The tour's end: this week's journal with its chart, and last week's, written by the schedule and the queue.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use jiff::Span;
use jiff::civil::{Date, DateTime};
use serde_json::{Value, json};

use crate::console::say;
use crate::demo::json_of;
use crate::world::World;

const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long the queue may take to bring the week to the worker, in polls: one minute.
const POLLS_MAX: u32 = 120;
const CHART: &str = "journal-chart.svg";

pub(crate) async fn show(world: &World, http: &reqwest::Client, base: &str, token: &str) -> anyhow::Result<()> {
    say("");
    let answer = http.post(format!("{base}/journal/generate")).bearer_auth(token).send().await?;
    let (status, answer): (_, Value) = (answer.status(), answer.json().await?);
    let this_week = match answer["error"]["code"].as_str() {
        // Early on a Monday.
        Some("NO_ACTIVITIES") => None,
        _ => {
            ensure!(status.is_success(), "{status}: {answer}");
            print(&answer["journal"]);
            answer["journal"]["week_start_date"].as_str().map(str::to_owned)
        }
    };
    let last_week = last_week(world)?;
    let day = this_week.unwrap_or_else(|| last_week.to_string());
    let picture = http.get(format!("{base}/journal/weeks/{day}/chart.svg")).bearer_auth(token).send().await?.error_for_status()?;
    std::fs::write(world.folder.join(CHART), picture.text().await?).context("writing the chart")?;
    say(&format!("Its chart: .devstack/{CHART}"));

    world.invoke("journal-worker", &json!({"task": "due-weeks"})).await?;
    if !has_activities(world, last_week)? {
        say("\nLast week has no activities, so the schedule had nothing to write.");
        return Ok(());
    }
    for _ in 0..POLLS_MAX {
        let listed = json_of(http.get(format!("{base}/journal?limit=2")).bearer_auth(token)).await?;
        let entries = listed["entries"].as_array().into_iter().flatten();
        if let Some(entry) = entries.into_iter().find(|entry| entry["week_start_date"] == json!(last_week)) {
            say("\nMeanwhile the schedule found that last week has ended, and the queue's worker wrote it:");
            print(entry);
            return Ok(());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    bail!("last week is not written; .devstack/journal-worker.log may say why")
}

fn print(entry: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (start, end, model) = (text(&entry["week_start_date"]), text(&entry["week_end_date"]), text(&entry["generation_model"]));
    say(&format!("Journal, {start} to {end} ({model})"));
    say(&format!("  {}", text(&entry["narrative"])));
    for insight in entry["insights"].as_array().into_iter().flatten() {
        say(&format!("  {:>14}: {}", text(&insight["type"]), text(&insight["text"])));
    }
}

/// The athlete's last week that is over: where the newest activity was, as the backend has it.
fn last_week(world: &World) -> anyhow::Result<Date> {
    let activities = world.strava.activities(world.demo_athlete);
    let newest = activities.iter().max_by_key(|activity| activity["start_date"].as_str()).context("the demo athlete has no activities")?;
    let zone = newest["timezone"].as_str().and_then(|zone| zone.split(") ").nth(1)).unwrap_or("UTC");
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC)).date();
    let monday = runaway_core::domain::monday_of(today).context("a day")?;
    Ok(monday.checked_sub(Span::new().days(7))?)
}

fn has_activities(world: &World, monday: Date) -> anyhow::Result<bool> {
    let sunday = monday.checked_add(Span::new().days(6))?;
    let days = world.strava.activities(world.demo_athlete).into_iter().filter_map(|activity| {
        let local: DateTime = activity["start_date_local"].as_str()?.trim_end_matches('Z').parse().ok()?;
        Some(local.date())
    });
    Ok(days.into_iter().any(|day| (monday..=sunday).contains(&day)))
}
