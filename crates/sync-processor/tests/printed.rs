//! What the built binary prints.

use std::fs::{File, read_to_string};
use std::path::Path;

use serde_json::{Value, json};
use testkit::queue::batch;
use testkit::runtime::{Process, RuntimeApi};
use testkit::{World, emf};
use uuid::Uuid;

const FUNCTION: &str = "sync-processor";

#[tokio::test]
async fn lines_with_metrics_are_written_before_the_answer_and_whatever_the_log_leaves_out() {
    let world = World::new().await;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.log", Uuid::new_v4()));
    let environment = [world.environment().as_slice(), &[("AWS_LAMBDA_LOG_LEVEL", "off".to_owned())]].concat();
    let event = batch(&["nonsense".to_owned()]);
    let binary = Path::new(env!("CARGO_BIN_EXE_sync-processor"));
    let api = RuntimeApi::start().await;
    let process = Process::start_printing(binary, FUNCTION, &api, &environment, File::create(&path).unwrap());
    assert_eq!(process.hand(event).await.json(), json!({ "batchItemFailures": [{ "itemIdentifier": "m0" }] }));
    // After its answer Lambda may freeze the process at any moment.
    let printed = read_to_string(&path).unwrap();
    let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let messages: Vec<&str> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!(messages, ["A message cannot be read; it goes to the dead letters", "A message was left to the dead letters"]);
    let names = lines.iter().flat_map(|line| emf::samples(line).unwrap()).map(|sample| sample.name).collect::<Vec<_>>();
    for name in ["Failures", "Requests", "RequestDuration", "DatabaseRoundTrips"] {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
    let invocation = lines[0]["request_id"].as_str().unwrap();
    assert!(lines.iter().all(|line| line["request_id"] == invocation && line["message.id"] == "m0"));
    drop(process);
    world.assert_in_order(&[]).await;
}
