//! Answers as server-sent events, and when they are stored.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::call::request;
use testkit::fake_strava::Gate;
use testkit::wire::{Break, Wire};
use testkit::{Reply, World};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::shapes::{ANSWER, ERROR, decode};
use crate::story::*;

/// How long a test waits for something that shall not come.
const IN_VAIN: Duration = Duration::from_millis(300);

fn ask(question: &str) -> Value {
    json!({ "message": question })
}

/// Waits until as many messages are stored.
async fn stored_messages(story: &Story, expected: i64) {
    let begun = std::time::Instant::now();
    while story.stored().await[1] != expected {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?} instead of {expected}", story.stored().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_deltas_are_the_answer_and_done_is_the_json_form() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    let id = Uuid::new_v4();
    let body = json!({"message": "How far did I run?", "client_message_id": id});
    story.world.claude().reply(Reply::text("Läuft 🏃: 100 km in\n\nten \"days\"."));
    let (text, name, done) = story.events(&body).await.rest().await;
    assert_eq!((name.as_str(), text.as_str()), ("done", "Läuft 🏃: 100 km in\n\nten \"days\"."));
    decode(&done, &ANSWER);
    assert_eq!(done["answer"], text);
    assert_eq!(story.post(&body).await.1, done);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn every_kind_of_answer_is_streamed_whole() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    let tools = |text: &str| Reply::tools([("training_load", json!({}))]).with_text(text);
    let silent = || Reply::text(" ");
    for (what, replies, coach) in [
        ("words before and after a tool", vec![tools("Let me look."), Reply::text("Far.")], "claude"),
        ("a truncated answer", vec![Reply::truncated("Far and")], "claude"),
        ("a refusal", vec![Reply::refusal()], "claude"),
        ("a truncated tool", vec![Reply::truncated_tool("aggregate", r#"{"per": "we"#)], "facts_only"),
        ("no word at all", vec![silent()], "facts_only"),
        ("words before tools and none after", vec![tools("Let me look."), silent()], "facts_only"),
        ("no model at that moment", vec![Reply::spend_limit()], "facts_only"),
    ] {
        replies.into_iter().for_each(|reply| story.world.claude().reply(reply));
        let (text, name, done) = story.events(&ask("How far did I run in all?")).await.rest().await;
        assert_eq!((name.as_str(), &done["answer"], &done["context"]["coach"]), ("done", &json!(text), &json!(coach)), "{what}");
        assert!(coach == "claude" || text.contains("100.0 km"), "{what}: {text}");
    }
    let (text, name, done) = story.events(&ask("I had chest pain")).await.rest().await;
    assert_eq!((name.as_str(), &done["answer"], &done["context"]["coach"]), ("done", &json!(text), &json!("safety")));
    story.world.assert_in_order(&["Claude refuses our requests"]).await;
}

#[tokio::test]
async fn errors_before_the_first_event_have_a_status() {
    let story = Story::of_a_runner(World::new().await).await;
    let nobody = story.world.issuer.token(Uuid::new_v4());
    let mine = story.world.token();
    for (token, body, expected) in [
        (Some(&mine), json!({"message": ""}), (400, "INVALID_REQUEST")),
        (Some(&mine), json!({"message": "Hi", "conversation_id": Uuid::new_v4()}), (404, "CONVERSATION_NOT_FOUND")),
        (Some(&mine), json!({"message": "Hi", "athlete_id": 5}), (403, "FORBIDDEN")),
        (Some(&nobody), ask("Hi"), (404, "ATHLETE_NOT_FOUND")),
        (None, ask("Hi"), (401, "UNAUTHORIZED")),
    ] {
        let request = as_events(request("POST", "/chat", token.map(String::as_str), &body.to_string()));
        assert_eq!(code(&story.send(request).await), expected);
    }
}

/// Locks the only conversation, so that no turn of it can be stored.
async fn locked(story: &Story) -> Client {
    let owner = story.world.database.owner().await;
    owner.batch_execute("BEGIN; SELECT 1 FROM coach_conversations FOR UPDATE").await.unwrap();
    owner
}

#[tokio::test]
async fn done_is_told_after_the_turn_is_stored() {
    let story = Story::of_a_runner(World::new().await).await;
    let id = story.ask("Hello").await["conversation_id"].clone();
    let lock = locked(&story).await;
    let mut events = story.events(&json!({"message": "How far did I run in all?", "conversation_id": id})).await;
    let (name, delta) = events.next().await.unwrap();
    assert!(name == "delta" && delta["text"].as_str().unwrap().contains("100.0 km"));
    assert!(tokio::time::timeout(IN_VAIN, events.next()).await.is_err(), "the turn is not stored yet");
    lock.batch_execute("COMMIT").await.unwrap();
    assert_eq!(events.next().await.unwrap().0, "done");
    assert_eq!(story.stored().await, [1, 4, 0]);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn a_turn_that_cannot_be_stored_ends_in_an_error() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    story.world.claude().reply(Reply::text("Hello!"));
    let id = story.ask("Hello").await["conversation_id"].clone();
    let lock = locked(&story).await;
    let remember = json!({"action": "remember", "kind": "goal", "text": "A marathon."});
    story.world.claude().reply(Reply::tools([("memory", remember)]));
    story.world.claude().reply(Reply::text("I will remember it."));
    let mut events = story.events(&json!({"message": "My goal is a marathon.", "conversation_id": id})).await;
    let mut text = String::new();
    while text != "I will remember it." {
        text.push_str(events.next().await.unwrap().1["text"].as_str().unwrap());
    }
    assert!(tokio::time::timeout(IN_VAIN, events.next()).await.is_err());
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    assert_eq!(story.world.database.app().await.query(kill, &[]).await.unwrap().len(), 1);
    let (name, error) = events.next().await.unwrap();
    assert_eq!((name.as_str(), &error["error"]["code"]), ("error", &json!("UPSTREAM_UNAVAILABLE")));
    decode(&error, &ERROR);
    assert!(error["error"]["request_id"].is_string() && events.next().await.is_none());
    lock.batch_execute("COMMIT").await.unwrap();
    assert_eq!(story.stored().await, [1, 2, 0], "neither the question, nor the answer, nor what was to be remembered");
    story.world.assert_in_order(&["The request failed"]).await;
}

#[tokio::test]
async fn an_answer_that_was_cut_off_is_shown_and_not_sent_to_the_model_again() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    story.world.claude().reply(Reply::text("Hello!"));
    let id = story.ask("Hello").await["conversation_id"].clone();
    let path = format!("/conversations/{}", id.as_str().unwrap());
    let mut messages = 2;
    for cut in [Reply::cut_after("You ran "), Reply::reset_after("You ran "), Reply::overload_after("You ran ")] {
        story.world.claude().reply(cut);
        let question = json!({"message": "How far did I run in all?", "conversation_id": id});
        let (text, name, error) = story.events(&question).await.rest().await;
        assert_eq!((text.as_str(), name.as_str()), ("You ran ", "error"));
        assert_eq!(error["error"]["code"], "UPSTREAM_UNAVAILABLE");
        messages += 2;
        let (_, shown) = story.call("GET", &path, "").await;
        let shown = shown["conversation"]["messages"].as_array().unwrap().clone();
        assert_eq!((shown.len(), &shown[messages - 1]["content"]), (messages, &json!("You ran ")));
    }
    assert_eq!(story.world.database.count("SELECT count(*) FROM chat_conversations WHERE incomplete").await, 3);

    story.world.claude().reply(Reply::text("100 km."));
    let (_, answer) = story.post(&json!({"message": "Once more?", "conversation_id": id})).await;
    assert_eq!(answer["context"]["historyMessages"], 2);
    let request = story.last_request().to_string();
    assert!(!request.contains("You ran ") && !request.contains("How far did I run in all?") && request.contains("Hello!"));
    story.world.assert_in_order(&["The request failed"]).await;
}

#[tokio::test]
async fn a_message_whose_answer_was_cut_off_is_answered_when_it_is_sent_again() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    let body = json!({"message": "How far did I run in all?", "client_message_id": Uuid::new_v4()});
    story.world.claude().reply(Reply::cut_after("You ran "));
    assert_eq!(story.events(&body).await.rest().await.1, "error");
    story.world.claude().reply(Reply::text("100 km."));
    let (text, name, done) = story.events(&body).await.rest().await;
    assert_eq!((text.as_str(), name.as_str()), ("100 km.", "done"));
    assert_eq!(story.post(&body).await.1, done);
    story.world.assert_in_order(&["The request failed"]).await;
}

#[tokio::test]
async fn an_overload_before_the_first_word_is_answered_from_facts() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    let soon = |reply: Reply| reply.with_header("retry-after-ms", "10");
    for broken in [Reply::overloaded, || Reply::status(500), || Reply::overload_after(""), || Reply::cut_after("")] {
        for _ in 0..3 {
            story.world.claude().reply(soon(broken()));
        }
        let (text, name, done) = story.events(&ask("How far did I run in all?")).await.rest().await;
        assert_eq!((name.as_str(), &done["context"]["coach"]), ("done", &json!("facts_only")));
        assert_eq!(done["context"]["coach_reason"], "model_unavailable");
        assert!(text.contains("100.0 km") && done["answer"] == text);
    }
    let far = Reply::rate_limited(3600);
    story.world.claude().reply(far);
    assert_eq!(story.ask("How far did I run in all?").await["context"]["coach"], "facts_only", "there is no use in waiting");
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn a_comment_keeps_the_line_open() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    let gate = Gate::default();
    story.world.claude().reply(Reply::text("So far so good").held_midway(&gate));
    let mut events = story.events(&ask("How far did I run?")).await;
    let mut text = String::new();
    while text != "So far so good" {
        text.push_str(events.next().await.unwrap().1["text"].as_str().unwrap());
    }
    gate.arrival().await;
    tokio::time::pause();
    for _ in 0..3 {
        let begun = tokio::time::Instant::now();
        let (name, comment) = events.next().await.unwrap();
        assert_eq!((name.as_str(), &comment), ("", &json!("still here")));
        let silence = begun.elapsed();
        assert!(silence > Duration::from_secs(14) && silence < Duration::from_secs(16), "{silence:?}");
    }
    tokio::time::resume();
    gate.open();
    let (_, name, done) = events.rest().await;
    assert_eq!((name.as_str(), &done["answer"]), ("done", &json!("So far so good")));
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn the_turn_of_a_caller_who_leaves_is_stored_all_the_same() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    let gate = Gate::default();
    story.world.claude().reply(Reply::text("So far so good").held_midway(&gate));
    let mut events = story.events(&ask("How far did I run?")).await;
    assert_eq!(events.next().await.unwrap().0, "delta");
    drop(events);
    gate.open();
    stored_messages(&story, 2).await;
    story.world.claude().reply(Reply::text("Gone at once"));
    drop(story.events(&ask("How far did I run?")).await);
    stored_messages(&story, 4).await;
    let complete = "SELECT count(*) FROM chat_conversations WHERE message IN ('So far so good', 'Gone at once') AND NOT incomplete";
    assert_eq!(story.world.database.count(complete).await, 2);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn when_the_deadline_comes_what_was_shown_is_stored_as_cut_off() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    let gate = Gate::default();
    story.world.claude().reply(Reply::text("So far").held_midway(&gate));
    let mut events = story.events(&ask("How far did I run?")).await;
    let mut text = String::new();
    while text != "So far" {
        text.push_str(events.next().await.unwrap().1["text"].as_str().unwrap());
    }
    gate.arrival().await;
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    // The deadline passes in no time; the turn is stored in real time again.
    while events.next().await.unwrap() == (String::new(), json!("still here")) && begun.elapsed() < Duration::from_secs(44) {}
    tokio::time::sleep(Duration::from_secs(11)).await;
    tokio::time::resume();
    let (_, name, error) = events.rest().await;
    assert_eq!((name.as_str(), &error["error"]["code"]), ("error", &json!("UPSTREAM_UNAVAILABLE")));
    assert_eq!(story.world.database.count("SELECT count(*) FROM chat_conversations WHERE incomplete").await, 1);
    story.world.assert_in_order(&["The request failed"]).await;
}

#[tokio::test]
async fn a_lost_answer_to_commit_is_no_done() {
    let world = World::new().await;
    let wire = Wire::to(&world.database.app_url()).await;
    let address = wire.address(&world.database.app_url());
    let story = Story::of_a_runner_with(world, |app| app.db = pool(&address)).await;
    story.ask("Hello").await;
    let begun = wire.round_trips();
    story.ask("Hello").await;
    let all = wire.round_trips() - begun;
    wire.breaks(all, Break::After);
    let (_, name, error) = story.events(&ask("Hello")).await.rest().await;
    assert_eq!((name.as_str(), &error["error"]["code"]), ("error", &json!("UPSTREAM_UNAVAILABLE")));
    assert!(wire.has_broken());
    story.world.assert_in_order(&["The request failed"]).await;
}
