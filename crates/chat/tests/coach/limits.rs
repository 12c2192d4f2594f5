//! The same message twice, and the day's allowance.

use futures_util::future::join_all;
use runaway_core::config::DailyLimit;
use serde_json::json;
use testkit::call::request;
use testkit::{Reply, World};
use uuid::Uuid;

use crate::shapes::{ERROR, decode};
use crate::story::*;

fn limit(requests_max: i32, tokens_max: i64) -> impl FnOnce(&mut chat::App) {
    move |app| app.limit = DailyLimit { requests_max, tokens_max }
}

#[tokio::test]
async fn a_message_sent_again_brings_the_stored_turn_for_a_day() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    story.world.claude().reply(Reply::text("Ten runs."));
    let body = json!({"message": "How many runs?", "client_message_id": Uuid::new_v4()});
    let (_, first) = story.post(&body).await;
    assert_eq!(first["answer"], "Ten runs.");
    story.pass(23);
    assert_eq!(story.post(&body).await, (200, first.clone()), "word by word, without asking the model");
    let (deltas, name, data) = story.events(&body).await.rest().await;
    assert_eq!((deltas.as_str(), name.as_str(), &data), ("Ten runs.", "done", &first));
    let mut other = body.clone();
    other["message"] = json!("Something else");
    assert_eq!(story.post(&other).await.1, first, "the id counts, not the words");
    assert_eq!(story.stored().await, [1, 2, 0]);

    let stranger = story.another(5).await;
    story.world.claude().reply(Reply::text("None."));
    let (status, theirs) = story.call_as(&stranger, "POST", "", &body.to_string()).await;
    assert_eq!(status, 200);
    assert_ne!(theirs["conversation_id"], first["conversation_id"], "an id is its user's own");

    story.pass(2);
    story.world.claude().reply(Reply::text("Still ten."));
    let (_, anew) = story.post(&body).await;
    assert_eq!(anew["answer"], "Still ten.");
    assert_ne!(anew["conversation_id"], first["conversation_id"]);
    assert_eq!(story.stored().await, [3, 6, 0]);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn twenty_of_the_same_message_at_once_store_one_turn() {
    let story = Story::of_a_runner(World::new().await).await;
    let body = json!({"message": "Remember that I like hills.", "client_message_id": Uuid::new_v4()});
    let answers = join_all((0..20).map(|_| story.post(&body))).await;
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    assert_eq!(answers[0].0, 200);
    assert_eq!(story.stored().await, [1, 2, 1]);

    let id = answers[0].1["conversation_id"].clone();
    let body = json!({"message": "How far?", "conversation_id": id, "client_message_id": Uuid::new_v4()});
    let answers = join_all((0..20).map(|_| story.post(&body))).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]) && answers[0].0 == 200);
    assert_eq!(story.stored().await, [1, 4, 1]);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn messages_at_once_are_all_stored_in_their_conversation() {
    let story = Story::of_a_runner(World::new().await).await;
    let id = story.ask("Hello").await["conversation_id"].clone();
    let bodies: Vec<_> = (0..10).map(|n| json!({"message": format!("How far in {n} days?"), "conversation_id": id})).collect();
    let answers = join_all(bodies.iter().map(|body| story.post(body))).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
    assert_eq!(story.stored().await, [1, 22, 0]);
    let (_, shown) = story.call("GET", &format!("/conversations/{}", id.as_str().unwrap()), "").await;
    let roles: Vec<&str> = shown["conversation"]["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant"].repeat(11), "every question stands before its answer");
}

#[tokio::test]
async fn after_the_days_messages_comes_429_until_midnight() {
    let story = Story::of_a_runner_with(World::new().await, limit(3, 1_000_000)).await;
    for _ in 0..3 {
        story.ask("How far did I run?").await;
    }
    let refused = story.post(&json!({"message": "And how long?"})).await;
    assert_eq!(code(&refused), (429, "RATE_LIMITED"));
    decode(&refused.1, &ERROR);
    let token = story.world.token();
    let response = chat::handle(&story.app, as_events(request("POST", "/chat", Some(&token), r#"{"message":"And how long?"}"#))).await;
    assert_eq!(response.headers()["retry-after"], "43200", "noon in UTC");
    assert_eq!(response.status(), 429);
    assert_eq!(story.stored().await, [3, 6, 0]);

    let help = story.ask("I have chest pain and feel faint").await;
    assert_eq!(help["context"]["coach"], "safety", "nobody in need is told to come back tomorrow");
    assert!(help["answer"].as_str().unwrap().contains("112"));
    let other = story.another(5).await;
    assert_eq!(story.call_as(&other, "POST", "", r#"{"message":"Hi"}"#).await.0, 200, "the allowance is each athlete's own");
    assert_eq!(story.call("GET", "/conversations", "").await.0, 200, "reading costs nothing");

    story.pass(12);
    story.ask("How far did I run?").await;
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn after_the_days_tokens_comes_429_until_midnight() {
    let story = Story::of_a_runner_with(World::new().await.with_claude().await, limit(100, 1_000)).await;
    story.world.claude().respond_with(|_| Reply::text("Far."));
    story.ask("How far did I run?").await;
    let tokens = story.world.database.count("SELECT tokens FROM request_limits WHERE kind = 'chat'").await;
    assert!(tokens > 1_000, "the facts alone are more: {tokens}");
    assert_eq!(code(&story.post(&json!({"message": "And how long?"})).await), (429, "RATE_LIMITED"));
    assert_eq!(story.world.claude().requests().len(), 1);
    story.pass(12);
    story.ask("How far did I run?").await;
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn tokens_of_a_broken_answer_count_as_well() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    story.world.claude().reply(Reply::cut_after("You ran"));
    let answer = story.ask("How far did I run?").await;
    assert_eq!(answer["context"]["coach_reason"], "model_unavailable");
    assert!(story.world.database.count("SELECT tokens FROM request_limits").await > 1_000);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn tokens_of_an_answer_that_the_database_broke_count_as_well() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    let owner = story.world.database.owner().await;
    owner.batch_execute("ALTER FUNCTION search_activities RENAME TO hidden").await.unwrap();
    story.world.claude().reply(Reply::tools([("search_activities", json!({"words": "morning"}))]));
    assert_eq!(code(&story.post(&json!({"message": "How far did I run?"})).await), (500, "INTERNAL_ERROR"));
    assert_eq!(story.stored().await, [0, 0, 0]);
    assert!(story.world.database.count("SELECT tokens FROM request_limits").await > 1_000);
    owner.batch_execute("ALTER FUNCTION hidden RENAME TO search_activities").await.unwrap();
    story.world.assert_in_order(&["The request failed"]).await;
}

#[tokio::test]
async fn without_tokens_not_even_the_first_message_is_answered() {
    let story = Story::of_a_runner_with(World::new().await, limit(100, 0)).await;
    assert_eq!(code(&story.post(&json!({"message": "Hi"})).await), (429, "RATE_LIMITED"));
    assert_eq!(story.world.database.count("SELECT count(*) FROM request_limits").await, 0);
}

#[tokio::test]
async fn a_limit_of_nothing_refuses_everything_but_help() {
    let story = Story::of_a_runner_with(World::new().await, limit(0, 0)).await;
    assert_eq!(code(&story.post(&json!({"message": "Hi"})).await), (429, "RATE_LIMITED"));
    let help = story.ask("i want to die").await;
    assert_eq!(help["context"]["coach"], "safety");
    assert!(help["answer"].as_str().unwrap().contains("988"));
}

#[tokio::test]
async fn the_allowance_holds_against_many_at_once() {
    let story = Story::of_a_runner_with(World::new().await, limit(5, 1_000_000)).await;
    let body = json!({"message": "How far?"});
    let answers = join_all((0..20).map(|_| story.post(&body))).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 5);
    assert_eq!(answers.iter().filter(|(status, _)| *status == 429).count(), 15);
    assert_eq!(story.stored().await, [5, 10, 0]);
}
