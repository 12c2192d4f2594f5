//! Recorded events of each kind through each built function they are for: what API Gateway, SQS and the scheduler send,
//! and what they must get back. The built binaries of the own profile, or those in the folder `BINARIES` names.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod http;
mod internal;

use std::path::PathBuf;

use serde_json::Value;
use testkit::activity::daily_runs;
use testkit::runtime::{Answer, Process, RuntimeApi};
use testkit::{TestDatabase, World};

pub(crate) const ATHLETE: i64 = 94_451_852;
const RUNS: i64 = 3;
const TOKEN_TTL_S: i64 = 6 * 3600;

/// A world with a connected athlete whose Strava holds a few runs.
pub(crate) async fn world() -> World {
    let world = World::new().await;
    let runs = daily_runs(ATHLETE, 1000, RUNS, world.clock.production().now());
    world.connected_athlete(ATHLETE, world.user_id, runs, TOKEN_TTL_S).await;
    world
}

/// The built function of this name.
pub(crate) async fn start(name: &str, world: &World) -> Process {
    Process::start(&binary(name), name, &RuntimeApi::start().await, &world.environment())
}

fn binary(name: &str) -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "which binaries to try is for whoever starts the test to say")]
    let folder = std::env::var_os("BINARIES").map(PathBuf::from);
    // This test lies in `deps` beside them.
    folder.unwrap_or_else(|| std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()).join(name)
}

/// Status, headers and body of a buffered answer to the gateway.
pub(crate) fn buffered(answer: &Answer) -> (u64, Value, String) {
    assert!(matches!(answer, Answer::Whole(_)), "{answer:?}");
    let answer = answer.json();
    assert_eq!(answer["isBase64Encoded"], false, "{answer}");
    let body = answer["body"].as_str().unwrap_or_default().to_owned();
    (answer["statusCode"].as_u64().unwrap(), answer["multiValueHeaders"].clone(), body)
}

/// Status and JSON of a buffered answer, after the checks that hold for each.
pub(crate) fn json_answer(answer: &Answer) -> (u64, Value) {
    let (status, headers, body) = buffered(answer);
    assert_eq!(headers["content-type"][0], "application/json", "{headers}");
    assert_eq!(headers["access-control-allow-origin"][0], "*", "{headers}");
    assert_eq!(headers["cache-control"][0], "no-store", "{headers}");
    (status, serde_json::from_str(&body).unwrap())
}

/// Nothing secret stands in the function's log, and no error but the expected ones.
pub(crate) fn assert_clean(world: &World, function: &Process, expected: &[&str]) {
    let log = function.log();
    for line in log.lines() {
        let is_error = line.contains(r#""level":"ERROR""#) && !expected.iter().any(|text| line.contains(text));
        assert!(!is_error, "{line}");
    }
    let secrets = world.strava.secrets().into_iter().chain([world.token(), world.webhook_path.clone(), world.verify_token.clone()]);
    for secret in secrets {
        assert!(!log.contains(&secret), "a secret was logged:\n{log}");
    }
}

/// Rows that a condition holds for.
pub(crate) async fn rows(database: &TestDatabase, from: &str) -> i64 {
    database.count(&format!("SELECT count(*) FROM {from}")).await
}
