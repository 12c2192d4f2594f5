//! Attacks over HTTP on the running functions. None may reach another athlete's data, and each must be answered as the
//! contract says. `make attacks` writes the count of them into docs/security.md, with which this compares.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is missing")]

mod bodies;
mod client;
mod endpoints;
mod ids;
mod injection;
mod jwks;
mod oauth;
mod prompts;
mod stage;
mod tally;
mod tickets;
mod tokens;
mod webhook;

use std::collections::BTreeSet;
use std::path::Path;
use std::thread::{JoinHandle, spawn};

use stage::{ADA, MARK, Stage};
use tally::Tally;
use tidy::trust;

/// Fewer would say that attacks were lost.
const ATTACKS_MIN: usize = 2_000;

#[test]
fn no_attack_reaches_another_athletes_data() {
    // The key set's are apart: they wait half a minute for the next look at it.
    let groups = [on_a_thread(jwks::attacks), on_a_thread(on_one_stage)];
    let mut tally = Tally::default();
    for group in groups {
        tally.add(group.join().expect("a group of attacks"));
    }
    assert!(tally.tried() >= ATTACKS_MIN, "only {} attacks were tried", tally.tried());
    tally.settle();
}

/// A world captures the log of its thread, so that each group has one.
fn on_a_thread<F: Future<Output = Tally>>(group: impl FnOnce() -> F + Send + 'static) -> JoinHandle<Tally> {
    spawn(move || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(group()))
}

async fn on_one_stage() -> Tally {
    let stage = Stage::set().await;
    let withdrawn = tokens::withdrawn(&stage);
    stage.victim_sees_the_marks().await;
    let before = stage.victims_rows().await;

    tokens::attacks(&stage, &withdrawn).await;
    stage.all_is_as_before("tokens", &before).await;
    ids::attacks(&stage).await;
    stage.all_is_as_before("ids", &before).await;
    oauth::attacks(&stage).await;
    stage.all_is_as_before("oauth", &before).await;
    tickets::attacks(&stage).await;
    stage.all_is_as_before("tickets", &before).await;
    injection::attacks(&stage).await;
    stage.all_is_as_before("injection", &before).await;
    bodies::attacks(&stage).await;
    stage.all_is_as_before("bodies", &before).await;
    prompts::attacks(&stage).await;
    stage.all_is_as_before("prompts", &before).await;
    webhook::attacks(&stage).await;
    tokens::good_tokens_pass(&stage).await;

    stage.all_is_as_before("everything", &before).await;
    stage.tally.borrow().assert_right();
    stage.victim_sees_the_marks().await;
    let own = format!("SELECT count(*) FROM activities JOIN athletes a ON a.id = athlete_id WHERE a.id = {ADA} AND a.strava_connected");
    assert_eq!(stage.world.database.count(&own).await, stage::RUNS, "what was refused ended something of the attacker's own");
    nothing_is_logged(&stage);
    stage.world.assert_in_order(&[]).await;
    stage.tally.take()
}

/// Neither secrets nor what was sent to the functions stands in their logs.
fn nothing_is_logged(stage: &Stage) {
    let world = &stage.world;
    let mut secrets = [world.strava.secrets(), world.claude().secrets()].concat();
    secrets.extend([world.webhook_path.clone(), world.verify_token.clone(), world.token(), MARK.to_owned()]);
    secrets.extend(["evil", "DROP TABLE", "<script", "nightfall"].map(str::to_owned));
    let logs = stage.gateway.logs();
    assert!(logs.contains("Answered GET /export with 401"), "the functions log");
    for line in logs.lines() {
        assert!(!line.contains(r#""level":"ERROR""#), "an error was logged: {line}");
        assert!(secrets.iter().all(|secret| !line.contains(secret.as_str())), "a secret was logged: {line}");
    }
}

#[test]
fn every_call_of_an_athletes_is_attacked() {
    let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/security.md")).unwrap();
    let ways = trust::ways_in(&document);
    let listed: BTreeSet<String> = ways.iter().filter(|way| way.class == "athlete").map(|way| way.way.clone()).collect();
    let attacked: BTreeSet<String> = endpoints::ENDPOINTS.iter().map(endpoints::documented).collect();
    assert_eq!(attacked, listed, "endpoints.rs and the ways in of docs/security.md differ");
}
