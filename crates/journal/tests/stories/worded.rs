//! The model's part: one call for one week, and no figure that is not a fact.

use std::time::Duration;

use journal::story::FACTS_ONLY;
use runaway_core::claude::ModelGate;
use runaway_core::config::{ModelConfig, Settings};
use serde_json::{Value, json};
use testkit::call::{checked, request};
use testkit::fake_claude::Reply;
use testkit::fake_strava::Gate;

use crate::story::*;

const MODEL: &str = "claude-sonnet-5-5";

async fn a_week() -> (Story, jiff::civil::Date) {
    let story = Story::with_claude(&[]).await;
    let week = story.monday(1);
    story.store(&runs(100, week, &[0, 2, 3, 6])).await;
    (story, week)
}

#[tokio::test]
async fn twenty_generations_at_once_leave_one_entry_and_one_call_of_the_model() {
    let (story, week) = a_week().await;
    let gate = Gate::default();
    let answer = {
        // The first answer is held until all twenty have come.
        story.world.claude().reply(Reply::json(&json!({"narrative": "Four runs: 4 runs.", "insights": []})).held(&gate));
        let calls = futures_util::future::join_all((0..20).map(|_| Box::pin(story.generate(week))));
        let open = async {
            gate.arrival().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            gate.open();
        };
        tokio::join!(calls, open).0
    };
    assert!(answer.iter().all(|entry| entry == &answer[0]), "all see the same entry");
    assert_eq!(answer[0]["narrative"], "Four runs: 4 runs.");
    assert_eq!((answer[0]["generation_model"].as_str(), story.model_calls()), (Some(MODEL), 1));
    assert_eq!(story.world.database.count("SELECT count(*) FROM training_journal").await, 1);
    assert_eq!(story.generate(week).await, answer[0], "an unchanged week is not paid for again");
    assert_eq!(story.model_calls(), 1);
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_forced_generation_writes_anew_within_the_days_limit() {
    let (story, week) = a_week().await;
    story.generate(week).await;
    let body = json!({"week_start_date": week, "force": true}).to_string();
    let (status, again) = story.call("POST", "/generate", &body).await;
    assert_eq!((status, story.model_calls()), (200, 2));
    assert_eq!(again["journal"]["generation_model"], MODEL);
    story.execute("UPDATE request_limits SET requests = 40").await;
    let answer = request("POST", "/journal/generate", Some(&story.world.token()), &body);
    let answer = journal::api::handle(&story.api, answer).await;
    let retry_after: i64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let (status, error) = checked(&answer);
    assert_eq!((status, error["error"]["code"].as_str()), (429, Some("RATE_LIMITED")));
    assert!((1..=86_400).contains(&retry_after), "{retry_after}");
    assert_eq!((story.model_calls(), story.entries().await.len()), (2, 1), "the entry that stands there stays");
    assert!(story.world.database.count("SELECT tokens FROM request_limits").await > 0);
    // Without force, a week that changed is still written, from the facts.
    story.store(&runs(200, week, &[4])).await;
    assert_eq!(story.generate(week).await["generation_model"], FACTS_ONLY);
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_altered_figure_is_caught_corrected_or_replaced() {
    let (story, week) = a_week().await;
    let wrong = |narrative: &str| Reply::json(&json!({"narrative": narrative, "insights": []}));
    story.world.claude().reply(wrong("You ran 24.86 miles in 4 runs."));
    story.world.claude().reply(wrong("You ran 24.85 miles in 4 runs."));
    let entry = story.generate(week).await;
    assert_eq!((entry["narrative"].as_str(), entry["generation_model"].as_str()), (Some("You ran 24.85 miles in 4 runs."), Some(MODEL)));
    let correction = &story.world.claude().requests()[1]["messages"][2]["content"][0]["text"];
    assert!(correction.as_str().unwrap().contains("24.86"), "{correction}");

    for answers in [
        [wrong("You ran 24.86 miles."), wrong("You ran twice as far as before.")],
        [wrong("You ran 24.85 km."), wrong("You ran 5 runs.")],
        [Reply::text("not json"), Reply::truncated("{\"narrative\": \"")],
        [wrong(""), Reply::refusal()],
        [wrong("Mind your injuries."), Reply::json(&json!({"narrative": "Fine.", "insights": [{"id": "i99", "text": "x"}]}))],
    ] {
        let calls = story.model_calls();
        answers.into_iter().for_each(|answer| story.world.claude().reply(answer));
        let (_, answer) = story.call("POST", "/generate", &json!({"week_start_date": week, "force": true}).to_string()).await;
        let entry = &answer["journal"];
        assert_eq!((entry["generation_model"].as_str(), story.model_calls()), (Some(FACTS_ONLY), calls + 2), "{entry}");
        assert!(entry["narrative"].as_str().unwrap().starts_with("24.85 miles in 4 runs and 3.3 hours, at 8:03 a mile."), "{entry}");
        assert_eq!(story.generate(week).await, *entry, "what was paid for twice is not paid for again");
        assert_eq!(story.model_calls(), calls + 2);
    }
    story.ends(&[]).await;
}

#[tokio::test]
async fn insights_keep_their_types_whatever_the_model_says() {
    let (story, week) = a_week().await;
    story.world.claude().respond_with(|request| {
        let mut answer = truthful(request);
        answer["insights"][0]["text"] = json!("In other words.");
        Reply::json(&answer)
    });
    let entry = story.generate(week).await;
    let requests = story.world.claude().requests();
    let given = facts(&requests[0])["insights"].as_array().unwrap().clone();
    let kinds: Vec<&Value> = given.iter().map(|insight| &insight["type"]).collect();
    let shown: Vec<&Value> = entry["insights"].as_array().unwrap().iter().map(|insight| &insight["type"]).collect();
    assert_eq!((shown, &entry["insights"][0]["text"]), (kinds, &json!("In other words.")));
    let text = requests[0].to_string();
    assert!(!text.contains("Morning Run") && !text.contains("Ada"), "nothing an athlete wrote is sent: {text}");
    story.ends(&[]).await;
}

#[tokio::test]
async fn without_permission_nothing_is_sent_and_the_facts_speak() {
    let (mut story, week) = a_week().await;
    let settings = Settings::from_pairs(story.world.claude().settings("upload"));
    story.api.writer.gate = ModelGate::new(settings.read(ModelConfig::read).unwrap()).unwrap();
    let entry = story.generate(week).await;
    assert_eq!((entry["generation_model"].as_str(), story.model_calls()), (Some(FACTS_ONLY), 0));
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_overloaded_model_is_asked_again_by_the_schedule() {
    let (story, week) = a_week().await;
    for _ in 0..3 {
        story.world.claude().reply(Reply::overloaded());
    }
    let entry = story.generate(week).await;
    assert_eq!(entry["generation_model"], FACTS_ONLY);
    assert_eq!(story.schedule().await, [(ATHLETE, week)]);
    assert_eq!(story.entries().await[0]["generation_model"], MODEL);
    story.world.clock.advance(3600);
    assert_eq!(story.schedule().await, [], "and then no more");
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_writer_that_was_killed_is_waited_for_and_then_followed() {
    let (story, week) = a_week().await;
    let gate = Gate::default();
    story.world.claude().reply(Reply::json(&json!({"narrative": "Lost.", "insights": []})).held(&gate));
    tokio::select! {
        entry = story.generate(week) => panic!("it should have been killed: {entry}"),
        () = gate.arrival() => {}
    }
    let answer = journal::api::handle(
        &story.api,
        request("POST", "/journal/generate", Some(&story.world.token()), &json!({"week_start_date": week}).to_string()),
    )
    .await;
    assert_eq!(answer.headers()["retry-after"], "5");
    let (status, error) = checked(&answer);
    assert_eq!((status, error["error"]["code"].as_str()), (503, Some("UPSTREAM_UNAVAILABLE")));
    story.world.clock.advance(200);
    assert_eq!(story.generate(week).await["generation_model"], MODEL);
    story.ends(&["The request failed"]).await;
}
