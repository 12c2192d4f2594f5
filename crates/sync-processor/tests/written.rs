//! What the built function writes to its log, its libraries included: nothing of whose history it fetches.

use std::path::Path;

use runaway_core::domain::{SyncBounds, SyncType};
use runaway_core::flows;
use runaway_core::queue::SyncMessage;
use serde_json::json;
use testkit::World;
use testkit::fake_strava::{Fault, On};
use testkit::marks::{Marks, NONSENSE, activity, add_athlete};
use testkit::queue::batch;
use testkit::runtime::{Answer, Process, RuntimeApi};
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
        let events = [job, json!({"task": "process-pending"}), json!({"task": NONSENSE}), json!({"Records": NONSENSE}), json!(NONSENSE)];
        let api = RuntimeApi::start().await;
        let mut function = Process::start(Path::new(env!("CARGO_BIN_EXE_sync-processor")), "sync-processor", &api, &environment);
        let mut answers = Vec::new();
        for event in events {
            answers.push(function.hand(event).await);
        }
        function.kill();
        let log = function.log();

        let mut marks = Marks::default();
        world.strava.secrets().iter().for_each(|secret| marks.add("a secret of Strava's", secret));
        for text in answers.iter().map(|answer| answer.json().to_string()).chain(log.lines().map(str::to_owned)) {
            marks.assert_absent("an answer or the log", &text);
        }
        let has_failed: Vec<bool> = answers.iter().map(|answer| matches!(answer, Answer::Failed(_))).collect();
        assert_eq!(has_failed, [false, false, true, true, true], "{answers:?}");
        let stored = "SELECT count(*) FROM activities WHERE name LIKE 'Zqactivity%'";
        assert_eq!(world.database.count(stored).await, 3, "the marks came by: {log}");
        let namespaces = log.matches(r#""Namespace":""#).count();
        assert!(namespaces > 0 && log.matches(r#""Namespace":"Runaway/stack""#).count() == namespaces, "{log}");
        assert!(log.contains("Completed job") && log.contains("A message cannot be read"), "{log}");
    }
}
