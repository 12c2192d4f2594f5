//! Whatever is read can be stored: one odd object must not keep a page, or a job, from ending.

use jiff::Timestamp;
use proptest::prelude::*;
use runaway_core::db::activities::{self, ListedSummary, Unreadable};
use runaway_core::db::{Db, DbError, activity_lists, athlete_days, best_efforts, details, journal};
use runaway_core::domain::{Bucket, DateRange, Order, Selection};
use runaway_core::strava::{FetchedActivity, ReadObject, StravaClient, read_activity, read_summary};
use runaway_core::telemetry;
use secrecy::SecretString;
use serde_json::{Value, json};
use testkit::fuzz::{check, json};
use testkit::{Canned, CannedServer, World};
use uuid::Uuid;

use super::strava::{ATHLETE, detailed, object, raw};

const CASES: u32 = 8;
const TOKEN_TTL_S: i64 = 6 * 3600;

async fn world() -> World {
    let world = World::new().await;
    world.connected_athlete(ATHLETE, world.user_id, vec![], TOKEN_TTL_S).await;
    world
}

/// What the coach and the journal ask: no number that is stored makes a statement fail.
async fn is_answered(db: &Db, user_id: Uuid) -> Result<(), TestCaseError> {
    const ORDERS: [Order; 9] = [
        Order::Newest,
        Order::Oldest,
        Order::Longest,
        Order::Shortest,
        Order::LongestTime,
        Order::Hilliest,
        Order::Fastest,
        Order::Slowest,
        Order::HighestHeartRate,
    ];
    const BUCKETS: [Bucket; 7] = [Bucket::All, Bucket::Day, Bucket::Week, Bucket::Month, Bucket::Year, Bucket::Family, Bucket::Weekday];
    let by_day = Selection::of(DateRange::EVER);
    let one_by_one = Selection { distance_max_m: Some(1e9), ..by_day.clone() };
    let tx = db.athlete(user_id).await.unwrap();
    for selection in [by_day, one_by_one] {
        for order in ORDERS {
            stored(activity_lists::list(&tx, ATHLETE, &selection, order, 5).await)?;
        }
        for bucket in BUCKETS {
            stored(athlete_days::totals(&tx, ATHLETE, &selection, bucket).await)?;
        }
    }
    stored(athlete_days::efforts(&tx, ATHLETE, DateRange::EVER).await)?;
    stored(athlete_days::calendar(&tx, ATHLETE, DateRange::EVER, None).await)?;
    stored(best_efforts::records(&tx, ATHLETE, &[1000, 10_000], DateRange::EVER, 3).await)?;
    stored(tx.commit().await)?;
    let tx = db.one_athlete(Some(user_id), ATHLETE).await.unwrap();
    stored(journal::sessions(&tx, ATHLETE, DateRange::EVER.first, DateRange::EVER.last).await)?;
    stored(tx.commit().await)
}

fn stored<T>(outcome: Result<T, DbError>) -> Result<(), TestCaseError> {
    outcome.map(drop).map_err(|error| TestCaseError::fail(telemetry::chain(&error)))
}

#[tokio::test]
async fn every_page_that_was_read_is_stored() {
    let world = world().await;
    let (db, owner) = (world.db(), world.database.owner().await);
    check("pages stored", CASES, &prop::collection::vec(object(), 1..6), async |objects| {
        let (mut readable, mut aside): (Vec<ListedSummary>, Vec<Unreadable>) = (Vec::new(), Vec::new());
        for (n, mut object) in objects.into_iter().enumerate() {
            if object.get("id").is_some_and(Value::is_i64) {
                object.insert("id".to_owned(), json!(n + 1));
            }
            let object = raw(&Value::Object(object).to_string()).unwrap();
            match read_summary(&object, ATHLETE).1 {
                ReadObject::Activity(summary) => readable.push(*summary),
                // As a page does it: the text as PostgreSQL can hold it.
                ReadObject::Unreadable(object) => aside.push(object),
            }
        }
        let tx = db.worker(ATHLETE).await.unwrap();
        stored(activities::save_page(&tx, &readable, &aside, Timestamp::now(), Timestamp::now()).await)?;
        stored(tx.commit().await)?;
        is_answered(&db, world.user_id).await?;
        for summary in &readable {
            let sql = "SELECT a.activity_date, a.start_date_local, a.type, r.summary::text FROM activities a JOIN activity_raw r ON r.activity_id = a.id WHERE a.id = $1";
            let row = owner.query_one(sql, &[&summary.activity.id]).await.unwrap();
            let activity = &summary.activity;
            prop_assert_eq!((row.get::<_, Timestamp>(0), row.get::<_, jiff::civil::DateTime>(1)), (activity.start, activity.start_local));
            prop_assert_eq!(row.get::<_, String>(2), activity.sport.replace('\0', ""));
            prop_assert_eq!(row.get::<_, String>(3), summary.verbatim.as_str());
        }
        owner.batch_execute("DELETE FROM activities; DELETE FROM unreadable_activities").await.unwrap();
        Ok(())
    })
    .await;
    let drifted = world.database.count("SELECT count(*) FROM athlete_days").await;
    assert_eq!(drifted, 0, "the sums of the days follow the activities");
}

#[tokio::test]
async fn every_detail_that_was_read_is_stored() {
    let world = world().await;
    let (db, owner, server) = (world.db(), world.database.owner().await, CannedServer::start().await);
    let config = runaway_core::config::StravaConfig {
        api_base: server.base_url(),
        oauth_base: server.base_url(),
        client_id: "12345".to_owned(),
        client_secret: SecretString::from("secret"),
    };
    let strava = StravaClient::new(config).unwrap();
    let point = prop_oneof![3 => (-1e4..1e4_f64).prop_map(Value::from), 1 => any::<f64>().prop_map(Value::from), 1 => json()];
    let stream = prop::collection::vec(point, 0..8).prop_map(|data| json!({"data": data}));
    let streams = prop::collection::hash_map(prop::sample::select(vec!["time", "heartrate", "watts"]), stream, 0..4);
    check("details stored", CASES, &(detailed(), streams), async |(object, streams)| {
        let object = raw(&Value::Object(object).to_string()).unwrap();
        let tx = db.worker(ATHLETE).await.unwrap();
        match read_activity(&object, ATHLETE) {
            FetchedActivity::Own(activity, detail) => {
                stored(details::save_activity(&tx, &activity, &detail, Timestamp::now()).await)?;
                server.set(Canned::body(200, json!(streams).to_string()));
                if let Ok(summed_up) = strava.streams(&SecretString::from("token"), activity.id).await.outcome {
                    stored(details::save_streams(&tx, activity.id, &summed_up, Timestamp::now()).await)?;
                }
            }
            FetchedActivity::Foreign => {}
            FetchedActivity::Unreadable(object) => stored(activities::keep_aside(&tx, &[object], Timestamp::now()).await)?,
        }
        stored(tx.commit().await)?;
        owner.batch_execute("DELETE FROM activities; DELETE FROM unreadable_activities").await.unwrap();
        Ok(())
    })
    .await;
}
