//! What the webhook is told too early, too often, wrongly, or not at all.

use jiff::SignedDuration;
use serde_json::json;
use testkit::activity::ActivityBuilder;
use testkit::fake_strava::{deauthorisation, event};

use crate::RUNS;
use crate::story::*;
use crate::table::Row;
use crate::told::Told;

const NEW: i64 = 999_999;
/// One of the history.
const KNOWN: i64 = 1010;

pub(crate) async fn rows() -> Vec<Row> {
    vec![
        too_early("webhook before its activity exists").await,
        three_times("webhook told three times").await,
        lost("webhook lost").await,
        forged("forged webhooks: a deletion, a deauthorisation, a creation").await,
    ]
}

fn upload(told: &Told) {
    told.story
        .world
        .strava
        .add_activity(ATHLETE, ActivityBuilder::run(ATHLETE, NEW, told.story.now() - SignedDuration::from_hours(1)).build());
}

async fn too_early(name: &'static str) -> Row {
    let told = Told::with_runs(RUNS).await;
    told.tell_of(NEW, "create").await;
    told.deliver_all().await;
    let happened = told.story.world.strava.calls().iter().filter(|call| call.what == "detail" && call.status == 404).count();
    upload(&told);
    told.later(60).await;
    let row = Row::of(name, happened, &told.story).await;
    told.story.ends(&[]).await;
    row
}

async fn three_times(name: &'static str) -> Row {
    let told = Told::with_runs(RUNS).await;
    upload(&told);
    let mut happened = 0;
    for aspect in ["create", "create", "update"] {
        told.tell_of(NEW, aspect).await;
        happened += 1;
    }
    told.deliver_all().await;
    assert_eq!(told.asked("detail"), 1, "one answer serves them all");
    let row = Row::of(name, happened, &told.story).await;
    told.story.ends(&[]).await;
    row
}

/// Nothing is told: the daily comparison finds the activity.
async fn lost(name: &'static str) -> Row {
    let told = Told::with_runs(RUNS).await;
    upload(&told);
    told.deliver_all().await;
    assert_eq!(told.story.stored().await, RUNS, "nobody knows of it yet");
    assert_eq!(told.story.task("sweep").await, 1);
    told.later(DAY_S).await;
    let row = Row::of(name, 1, &told.story).await;
    told.story.ends(&[]).await;
    row
}

/// By somebody who knows the secret address and the subscription.
async fn forged(name: &'static str) -> Row {
    let told = Told::with_runs(RUNS).await;
    let forgeries = [
        event("activity", KNOWN, "delete", ATHLETE, &json!({})),
        deauthorisation(ATHLETE),
        event("activity", NEW, "create", ATHLETE, &json!({})),
    ];
    for forgery in &forgeries {
        told.tell(forgery).await;
    }
    told.deliver_all().await;
    for _ in 0..8 {
        told.later(600).await;
    }
    assert_eq!(told.count("SELECT count(*) FROM strava_events WHERE handled_at IS NULL").await, 0);
    assert_eq!(told.count("SELECT count(*) FROM athletes JOIN strava_tokens ON athlete_id = id WHERE strava_connected").await, 1);
    let row = Row::of(name, forgeries.len(), &told.story).await;
    told.story.ends(&[]).await;
    row
}
