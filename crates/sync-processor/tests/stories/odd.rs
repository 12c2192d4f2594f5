//! Stories of lists that should not exist, and of moments that come together badly.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runaway_core::db::sync_jobs;
use serde_json::{Value, json};
use testkit::activity::{ActivityBuilder, daily_runs};
use uuid::Uuid;

use crate::story::*;

fn without_id(mut activity: Value) -> Value {
    activity.as_object_mut().unwrap().remove("id");
    activity
}

#[tokio::test]
async fn objects_without_an_id_are_counted_once_and_nothing_behind_them_is_lost() {
    let mut activities = daily_runs(ATHLETE, 1000, 700, Timestamp::now());
    for n in (0..1).chain(100..600) {
        activities[n] = without_id(activities[n].clone());
    }
    let story = Story::with(activities).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    let job = story.job(job_id).await;
    assert_eq!((job.status.as_str(), job.processed, job.failed, story.stored().await), ("completed", 199, 501, 199));
    assert_eq!(story.world.database.count("SELECT count(*) FROM unreadable_activities").await, 501);
    story.ends(&[]).await;
}

#[tokio::test]
async fn values_no_column_takes_keep_their_object_aside_and_the_page_goes_in() {
    let mut activities = daily_runs(ATHLETE, 1000, 30, Timestamp::now());
    activities[3]["start_date_local"] = json!("0000-01-01T00:00:00Z");
    activities[4]["distance"] = json!(1e308);
    activities[5]["total_elevation_gain"] = json!(-1e308);
    let story = Story::with(activities).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    assert_eq!(story.deliver(job_id).await, nothing_failed());
    let job = story.job(job_id).await;
    assert_eq!((job.status.as_str(), job.processed, job.failed, story.stored().await), ("completed", 27, 3, 27));
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_activity_of_another_athlete_is_left_as_it_is() {
    let other = ATHLETE + 1;
    let mut stray = ActivityBuilder::run(ATHLETE, 555, Timestamp::now()).with("name", "Stray").without(&["athlete"]).build();
    let story = Story::with(vec![stray.clone()]).await;
    stray["name"] = json!("Own");
    story.world.connected_athlete(other, Uuid::new_v4(), vec![stray], TOKEN_TTL_S).await;
    for athlete_id in [other, ATHLETE] {
        let tx = story.world.db().system().await.unwrap();
        let job = sync_jobs::insert(&tx, Uuid::now_v7(), athlete_id, &WHOLE_HISTORY, story.now()).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        assert_eq!(story.deliver(job.id).await, nothing_failed());
    }
    let kept = "SELECT count(*) FROM activities a JOIN activity_raw r ON r.activity_id = a.id AND r.athlete_id = a.athlete_id
                 WHERE a.athlete_id = 4712 AND a.name = 'Own' AND r.summary ->> 'name' = 'Own'";
    assert_eq!((story.stored().await, story.world.database.count(kept).await), (1, 1));
    assert_eq!(story.world.database.count("SELECT count(*) FROM activity_raw").await, 1);
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_message_that_arrives_while_a_request_looks_at_the_job_is_not_lost() {
    let story = Story::with_runs(30).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    let looking = story.world.db().athlete(story.world.user_id).await.unwrap();
    sync_jobs::unfinished(&looking, ATHLETE).await.unwrap();
    let looked = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        looking.commit().await.unwrap();
    };
    tokio::join!(story.deliver(job_id), looked);
    assert_eq!((story.job(job_id).await.status.as_str(), story.stored().await), ("completed", 30));
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_full_page_of_one_second_is_passed() {
    let now = Timestamp::now();
    let mut activities = daily_runs(ATHLETE, 1000, 10, now);
    let second = now - SignedDuration::from_hours(24 * 30);
    activities.extend((0..200).map(|n| ActivityBuilder::run(ATHLETE, 5000 + n, second).build()));
    activities.extend(daily_runs(ATHLETE, 9000, 10, now - SignedDuration::from_hours(24 * 60)));
    let story = Story::with(activities).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    assert_eq!((story.job(job_id).await.processed, story.stored().await), (220, 220));
    story.ends(&[]).await;
}
