//! The line of a request, record or task: what it counts, and that it is written once, whatever happens.

use futures_util::future::join_all;
use runaway_core::config::DatabaseConfig;
use runaway_core::db::{Db, activities, athletes, sync_jobs, sync_lag};
use runaway_core::telemetry::{self, ACTIVITIES_STORED, FAILURES, Line, Tally};
use serde_json::{Value, json};
use testkit::World;
use testkit::logs::LogCapture;
use testkit::wire::Wire;
use uuid::Uuid;

const ADA: i64 = 1;
const BO: i64 = 2;
const TOKEN_TTL_S: i64 = 6 * 3600;
const CONNECTIONS_MAX: usize = 2;

/// The one tally of a log.
fn only(logs: &LogCapture) -> Value {
    let tallies = logs.tallies();
    assert_eq!(tallies.len(), 1, "{tallies:?}");
    tallies[0].clone()
}

#[tokio::test]
async fn the_line_counts_what_the_line_to_the_database_counts() {
    let world = World::new().await;
    for (id, user) in [(ADA, world.user_id), (BO, Uuid::new_v4())] {
        world.connected_athlete(id, user, vec![], TOKEN_TTL_S).await;
    }
    let wire = Wire::to(&world.database.app_url()).await;
    let db = Db::new(&DatabaseConfig { url: wire.address(&world.database.app_url()).into(), ca_pem: None }, CONNECTIONS_MAX).unwrap();
    let now = world.clock.production().now();
    let before = wire.round_trips();
    let tally = Tally::of_task("test", "everything");
    let work = async {
        // A new connection, one flight with two statements, one that depends on its answer, and COMMIT.
        let tx = db.worker(ADA).await.unwrap();
        let (zones, _) = tokio::join!(biased; activities::newest_zones(&tx), activities::newest_zones(&tx));
        zones.unwrap();
        activities::newest_zones(&tx).await.unwrap();
        tx.commit().await.unwrap();
        // Nothing but a look at the connection.
        db.worker(ADA).await.unwrap().commit().await.unwrap();
        // Given up: its connection goes with it, and the next is new.
        let tx = db.worker(ADA).await.unwrap();
        activities::newest_zones(&tx).await.unwrap();
        drop(tx);
        // Two connections at once, one transaction whose only statement travels with its COMMIT.
        let both = [ADA, ADA].map(async |athlete_id| {
            let tx = db.worker(athlete_id).await.unwrap();
            athletes::lock_disconnected(&tx).await.unwrap();
            tx.commit().await.unwrap();
        });
        join_all(both).await;
        let rest = sync_jobs::Rest { not_before: now, is_failing: false };
        let lease = sync_jobs::Lease { job_id: Uuid::new_v4(), token: Uuid::new_v4() };
        sync_jobs::give_back(db.worker(ADA).await.unwrap(), &lease, rest, now).await.unwrap();
    };
    tally.during(work).await;
    tally.ends("Done");
    drop(tally);
    let expected = wire.round_trips() - before;
    let line = only(&world.logs);
    assert_eq!(line["round_trips"], expected);
    assert!(expected >= 13, "{expected}");
    assert_eq!((&line["athlete.id"], &line["function"], &line["task"]), (&json!(ADA), &json!("test"), &json!("everything")));
    // What is done outside of any work belongs to nobody.
    db.worker(BO).await.unwrap().commit().await.unwrap();
    only(&world.logs);
    world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn work_that_goes_on_elsewhere_or_is_given_up_has_its_line_too() {
    let logs = LogCapture::start();
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let tally = Tally::of_request("chat", "r-1");
    let later = async move {
        receiver.await.unwrap();
        telemetry::note("code", "LATE");
        Line::info("Stored").metric(ACTIVITIES_STORED, 3).write();
    };
    let mut gone_on = None;
    tally.during(async { gone_on = Some(tokio::spawn(telemetry::carried(later))) }).await;
    tally.note("status", 200);
    tally.ends("Answered");
    drop(tally);
    assert!(logs.tallies().is_empty(), "the work is not over");
    sender.send(()).unwrap();
    gone_on.unwrap().await.unwrap();
    let line = only(&logs);
    assert_eq!((&line["code"], &line["status"], &line["request_id"]), (&json!("LATE"), &json!(200), &json!("r-1")));
    let stored = &logs.holding("Stored")[0];
    assert_eq!((&stored["function"], &stored["request_id"], &stored["ActivitiesStored"]), (&json!("chat"), &json!("r-1"), &json!(3)));

    let logs = LogCapture::start();
    let endless = Tally::of_record("sync-processor", "m0");
    let work = async move { endless.during(std::future::pending::<()>()).await };
    assert!(tokio::time::timeout(std::time::Duration::from_millis(5), work).await.is_err());
    let line = only(&logs);
    assert_eq!((&line["outcome"], &line["level"], &line["message.id"]), (&json!("given_up"), &json!("WARN"), &json!("m0")));
    let samples = logs.metrics();
    assert!(samples.iter().any(|sample| sample.name == FAILURES.name && sample.dimensions.get("Class").is_some_and(|c| c == "given_up")));
    let of_all = samples.iter().filter(|sample| sample.dimensions.is_empty() && sample.name == "Requests").count();
    assert_eq!(of_all, 0, "a record is no request of the API");
}

#[tokio::test]
async fn the_invocation_is_named_and_several_athletes_are_not() {
    let logs = LogCapture::start();
    let task = async {
        let tally = Tally::of_task("sync-processor", "cleanup");
        tally
            .during(async {
                [ADA, ADA, BO, ADA].into_iter().for_each(telemetry::note_athlete);
                tally.note_default("outcome", "done");
            })
            .await;
        tally.ends("Task cleanup touched 0 rows");
    };
    telemetry::invocation("lambda-1".to_owned(), task).await;
    let line = only(&logs);
    assert_eq!((&line["request_id"], &line["outcome"], line.get("athlete.id")), (&json!("lambda-1"), &json!("done"), None));
}

#[tokio::test]
async fn the_lag_is_the_age_of_the_oldest_that_is_due_and_not_worked_on() {
    let world = World::new().await;
    world.connected_athlete(ADA, world.user_id, vec![], TOKEN_TTL_S).await;
    let (db, now) = (world.db(), world.clock.production().now());
    let lag = async || {
        let tx = db.system().await.unwrap();
        let lag = sync_lag::seconds(&tx, now).await.unwrap();
        tx.commit().await.unwrap();
        lag
    };
    let owner = world.database.owner().await;
    let execute = async |sql: String| owner.batch_execute(&sql.replace("NOW", &format!("'{now}'::timestamptz"))).await.unwrap();
    assert_eq!(lag().await, 0);
    let job = "INSERT INTO sync_jobs (id, athlete_id, sync_type, lane, not_before)
                 VALUES (gen_random_uuid(), 1, 'full', 'backfill', NOW - interval '1 day'),
                        (gen_random_uuid(), 1, 'incremental', 'interactive', NOW - interval '90 s')";
    execute(job.to_owned()).await;
    assert_eq!(lag().await, 90, "a whole history waits for its turn");
    let event = "INSERT INTO strava_events (id, athlete_id, object_type, object_id, aspect_type, event_time, not_before)
                   VALUES (gen_random_uuid(), 1, 'activity', 7, 'update', NOW, NOW - interval '300 s')";
    execute(event.to_owned()).await;
    assert_eq!(lag().await, 300);
    execute("UPDATE strava_events SET lease_token = gen_random_uuid(), lease_expires_at = NOW + interval '60 s'".to_owned()).await;
    assert_eq!(lag().await, 90, "somebody works on it");
    execute("UPDATE strava_events SET lease_expires_at = NOW - interval '1 s'".to_owned()).await;
    assert_eq!(lag().await, 300, "somebody did");
    execute("UPDATE strava_events SET not_before = NOW + interval '1 s'; UPDATE sync_jobs SET status = 'completed'".to_owned()).await;
    assert_eq!(lag().await, 0, "one sleeps, the other is done");
    world.assert_in_order(&[]).await;
}
