//! By itself: the schedule finds the weeks that have ended where the athlete is.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span};
use runaway_core::queue::JournalMessage;
use serde_json::json;
use testkit::queue::batch;
use uuid::Uuid;

use crate::story::*;

/// Moves the world's time to the coming Sunday, twelve o'clock UTC.
fn sunday_noon(story: &Story) {
    let now = story.now();
    let noon = story.monday(0).checked_add(Span::new().days(6 + 7)).unwrap().at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
    story.world.clock.advance(noon.duration_since(now).as_secs());
}

#[tokio::test]
async fn a_week_is_written_when_it_has_ended_where_the_athlete_is() {
    let story = Story::with(&[]).await;
    sunday_noon(&story);
    let week = story.monday(0);
    // The same week: over in Kiritimati (+14), not in Pago Pago (-11); nobody knows where Nowhere is, so it is UTC.
    for (athlete, zone) in [(11, "Pacific/Kiritimati"), (12, "Pacific/Pago_Pago"), (13, "Nowhere/Nowhere")] {
        story.world.connected_athlete(athlete, Uuid::new_v4(), vec![], 3600).await;
        move_to(&story.world, athlete, zone).await;
        store(&story.world, athlete, &runs(athlete * 1000, week, &[0, 5])).await;
    }
    assert_eq!(story.schedule().await, [(11, week)]);
    story.world.clock.advance(3600);
    assert_eq!(story.schedule().await, [], "written, so not announced again");
    story.world.clock.advance(11 * 3600);
    assert_eq!(story.schedule().await, [(13, week)]);
    story.world.clock.advance(11 * 3600);
    assert_eq!(story.schedule().await, [(12, week)]);
    story.ends(&[]).await;
}

#[tokio::test]
async fn only_the_last_ended_week_is_written_for_the_first_time_and_a_lost_message_is_sent_again() {
    let story = Story::with(&[]).await;
    for n in 0..=5 {
        story.store(&runs(1000 * n + 1, story.monday(n), &[0])).await;
    }
    let due =
        || async { journal::worker::handle(&story.worker, json!({"task": "due-weeks"}), in_two_minutes()).await.unwrap()["done"].clone() };
    assert_eq!(due().await, 1);
    assert_eq!(due().await, 0, "a message is under way");
    story.world.journal_queue.take().await;
    story.world.clock.advance(3600);
    assert_eq!(story.schedule().await, [(ATHLETE, story.monday(1))]);
    story.execute("UPDATE athletes SET strava_connected = false; UPDATE journal_weeks SET changes = changes + 1").await;
    story.world.clock.advance(3600);
    assert_eq!(due().await, 0, "who has left is left alone");
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_entry_of_a_running_week_is_completed_when_the_week_has_ended() {
    let story = Story::with(&[]).await;
    let week = story.monday(0);
    let today = (story.now().to_zoned(TimeZone::UTC).date() - week).get_days();
    story.store(&runs(1, week, &(0..=i64::from(today)).collect::<Vec<_>>())).await;
    let entry = story.generate(week).await;
    assert!(entry["narrative"].as_str().unwrap().starts_with("So far this week: "), "{entry}");
    assert_eq!(story.generate(week).await, entry);
    story.world.clock.advance(7 * 86_400);
    assert_eq!(story.schedule().await, [(ATHLETE, week)]);
    let entry = &story.entries().await[0];
    assert!(!entry["narrative"].as_str().unwrap().contains("So far"), "{entry}");
    story.ends(&[]).await;
}

#[tokio::test]
async fn one_bad_record_does_not_fail_its_neighbours_and_failures_come_again() {
    let story = Story::with(&[]).await;
    let week = story.monday(1);
    story.store(&runs(1, week, &[0])).await;
    let good = JournalMessage { athlete_id: ATHLETE, week_start_date: week }.to_body();
    let nobody = JournalMessage { athlete_id: 404, week_start_date: week }.to_body();
    let event = batch(&["nonsense".to_owned(), good.clone(), nobody]);
    let answer = journal::worker::handle(&story.worker, event, in_two_minutes()).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m0" }] }));
    assert_eq!(story.entries().await.len(), 1);
    for event in [json!({}), json!({ "task": "dance" }), json!(null)] {
        assert!(journal::worker::handle(&story.worker, event, in_two_minutes()).await.is_err());
    }
    let mut broken = journal::worker::App::new(&story.world.settings()).await.unwrap();
    let nowhere = runaway_core::config::DatabaseConfig { url: "postgres://runaway_app@127.0.0.1:1/x".into(), ca_pem: None };
    broken.writer.db = runaway_core::db::Db::new(&nowhere, 1).unwrap();
    let answer = journal::worker::handle(&broken, batch(&[good]), in_two_minutes()).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m0" }] }));
    assert!(journal::worker::handle(&broken, json!({"task": "due-weeks"}), in_two_minutes()).await.is_err());
    story.ends(&["A message cannot be read", "A message could not be dealt with", "A task could not be done"]).await;
}

#[tokio::test]
async fn hundreds_of_due_weeks_are_all_announced() {
    let story = Story::with(&[]).await;
    let week = story.monday(1);
    story
        .execute(&format!(
            "INSERT INTO athletes (id, auth_user_id, strava_connected) SELECT n, gen_random_uuid(), true FROM generate_series(1, 620) n;
             INSERT INTO activities (id, athlete_id, name, type, activity_date, start_date_local)
             SELECT n, n, 'x', 'Run', '{week}T06:00:00Z', '{week}T06:00:00' FROM generate_series(1, 620) n"
        ))
        .await;
    let before = story.now() - SignedDuration::from_hours(1);
    let done = journal::worker::handle(&story.worker, json!({"task": "due-weeks"}), in_two_minutes()).await.unwrap();
    assert_eq!(done, json!({ "done": 620 }));
    let sent = format!("SELECT count(*) FROM journal_weeks WHERE sent_at > '{before}'");
    assert_eq!(story.world.database.count(&sent).await, 620);
    story.ends(&[]).await;
}
