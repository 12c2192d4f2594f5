//! What the built function writes to its log, its libraries included: nothing of whose history it fetches.

use std::path::Path;

use runaway_core::domain::{SyncBounds, SyncType};
use runaway_core::flows;
use runaway_core::queue::SyncMessage;
use serde_json::json;
use testkit::World;
use testkit::fake_strava::{Fault, On};
use testkit::marks::{Marks, NONSENSE, activity, add_athlete};
use testkit::process::run;
use testkit::queue::batch;
use uuid::Uuid;

const ATHLETE: i64 = 4711;
const TOKEN_TTL_S: i64 = 6 * 3600;

#[tokio::test]
async fn the_processor_writes_nothing_of_whose_history_it_fetches_at_any_level() {
    for level in ["", "TRACE"] {
        let world = World::new().await;
        let now = world.clock.production().now();
        add_athlete(&world.strava, ATHLETE, 3, now);
        world.connect(ATHLETE, world.user_id, TOKEN_TTL_S).await;
        let mut odd = activity(ATHLETE, 900, now);
        odd["distance"] = json!(NONSENSE);
        world.strava.add_activity(ATHLETE, odd);
        world.strava.fail(On::List(1), Fault::TokenExpires);
        world.strava.fail(On::List(2), Fault::Html);
        let tx = world.db().athlete(world.user_id).await.unwrap();
        let bounds = SyncBounds { sync_type: SyncType::Full, after_s: None, before_s: None, max_activities: None };
        let job_id = flows::start_sync(&tx, ATHLETE, &bounds, Uuid::now_v7(), now).await.unwrap().job.id;
        tx.commit().await.unwrap();
        let job = batch(&[SyncMessage::Job { job_id }.to_body(), NONSENSE.to_owned()]);
        let mut environment = world.environment().to_vec();
        environment.push(("AWS_LAMBDA_LOG_LEVEL", level.to_owned()));
        environment.push(("METRICS_NAMESPACE", "Runaway/stack".to_owned()));
        let events =
            vec![job, json!({"task": "process-pending"}), json!({"task": NONSENSE}), json!({"Records": NONSENSE}), json!(NONSENSE)];
        let ran = run(Path::new(env!("CARGO_BIN_EXE_sync-processor")), &environment, events).await;

        let mut marks = Marks::default();
        world.strava.secrets().iter().for_each(|secret| marks.add("a secret of Strava's", secret));
        for text in ran.answers.iter().map(String::as_str).chain(ran.written.lines()) {
            marks.assert_absent("an answer or the log", text);
        }
        let outcomes: Vec<&str> = ran.answers.iter().filter_map(|answer| answer.split(' ').next()).collect();
        assert_eq!(outcomes, ["response", "response", "error", "error", "error"], "{:?}", ran.answers);
        let stored = "SELECT count(*) FROM activities WHERE name LIKE 'Zqactivity%'";
        assert_eq!(world.database.count(stored).await, 3, "the marks came by: {}", ran.written);
        let namespaces = ran.written.matches(r#""Namespace":""#).count();
        assert!(namespaces > 0 && ran.written.matches(r#""Namespace":"Runaway/stack""#).count() == namespaces, "{}", ran.written);
        assert!(ran.written.contains("Completed job") && ran.written.contains("A message cannot be read"), "{}", ran.written);
    }
}
