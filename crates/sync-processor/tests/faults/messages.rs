//! Messages that do not come, come again, late, or in another order.

use jiff::SignedDuration;
use runaway_core::queue::SyncMessage;
use serde_json::json;
use testkit::activity::ActivityBuilder;
use testkit::fake_strava::event;
use testkit::queue::batch;

use crate::RUNS;
use crate::story::*;
use crate::table::Row;
use crate::told::Told;

pub(crate) async fn rows() -> Vec<Row> {
    vec![
        job_messages("message lost", 0).await,
        job_messages("message delivered three times", 3).await,
        late("message late, after another did its work").await,
        out_of_order("messages of a deletion and a creation the other way round").await,
    ]
}

/// Messages that are lost, doubled and late: the row is the truth.
async fn job_messages(name: &'static str, deliveries: usize) -> Row {
    let story = Story::with_runs(RUNS).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    if deliveries == 0 {
        // The message never came; the schedule finds the row and sends another.
        assert_eq!(story.task("process-pending").await, 1);
        let record = story.world.queue.take().await.records.remove(0);
        assert_eq!(record.body.unwrap(), SyncMessage::Job { job_id }.to_body());
        story.deliver(job_id).await;
    }
    let bodies: Vec<String> = (0..deliveries).map(|_| SyncMessage::Job { job_id }.to_body()).collect();
    sync_processor::handle(&story.app, batch(&bodies), in_fifteen_minutes()).await.unwrap();
    let row = Row::of(name, deliveries.max(1), &story).await;
    story.ends(&[]).await;
    row
}

/// The schedule has long sent a second message, and the job is done.
async fn late(name: &'static str) -> Row {
    let story = Story::with_runs(RUNS).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    assert_eq!(story.task("process-pending").await, 1);
    let first = story.world.queue.take().await.records.remove(0).body.unwrap();
    story.world.clock.advance(5 * 60);
    assert_eq!(story.task("process-pending").await, 1);
    let second = story.world.queue.take().await.records.remove(0).body.unwrap();
    sync_processor::handle(&story.app, batch(&[second]), in_fifteen_minutes()).await.unwrap();
    assert_eq!(story.job(job_id).await.status, "completed");
    let before = story.world.strava.calls().len();
    let answer = sync_processor::handle(&story.app, batch(&[first]), in_fifteen_minutes()).await.unwrap();
    assert_eq!((answer, story.world.strava.calls().len()), (nothing_failed(), before), "it finds nothing to do");
    let row = Row::of(name, 1, &story).await;
    story.ends(&[]).await;
    row
}

/// The athlete hides an activity and shows it again; what was told last comes first.
async fn out_of_order(name: &'static str) -> Row {
    let told = Told::with_runs(RUNS).await;
    told.story
        .world
        .strava
        .add_activity(ATHLETE, ActivityBuilder::run(ATHLETE, 999_999, told.story.now() - SignedDuration::from_hours(1)).build());
    let mut bodies = Vec::new();
    for aspect in ["delete", "create"] {
        told.tell(&event("activity", 999_999, aspect, ATHLETE, &json!({}))).await;
        bodies.insert(0, told.story.world.queue.take().await.records.remove(0).body.unwrap());
    }
    let answer = sync_processor::handle(&told.story.app, batch(&bodies), in_fifteen_minutes()).await.unwrap();
    assert_eq!(answer, nothing_failed());
    let row = Row::of(name, bodies.len(), &told.story).await;
    told.story.ends(&[]).await;
    row
}
