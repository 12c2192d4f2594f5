//! What the model may call the coach's tools with.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::Reply;
use testkit::call::{checked, request};
use testkit::fuzz::{check, json, mutated};

use crate::{quiet_world, with_history};

const CASES: u32 = 6;
const TOOLS: [&str; 9] = [
    "opening_facts",
    "list_activities",
    "aggregate",
    "compare",
    "records",
    "training_days",
    "training_load",
    "search_activities",
    "memory",
];

fn input() -> impl Strategy<Value = Value> {
    let whole = json!({
        "from": "2026-01-01", "to": "2026-12-31", "other_from": "2025-01-01", "other_to": "2025-12-31", "order": "longest", "limit": 5, "family": "run",
        "sport": "TrailRun", "indoor": false, "kind": "race", "distance_min_km": 1.5, "distance_max_km": 42.195, "weekday": "monday", "per": "week",
        "distance_km": 10, "words": "hills", "action": "remember", "text": "likes hills", "fact_id": "00000000-0000-4000-8000-000000000000"
    });
    let number = (prop::sample::select(vec!["limit", "distance_km", "distance_min_km", "distance_max_km"]), any::<f64>())
        .prop_map(|(name, number)| (name, json!(number)));
    let word =
        (prop::sample::select(vec!["words", "sport", "text", "from", "to"]), any::<String>()).prop_map(|(name, text)| (name, json!(text)));
    let whole = mutated(whole.as_object().unwrap().clone(), &["more"]);
    let changed = (whole, prop::collection::vec(prop_oneof![number, word], 0..3)).prop_map(|(mut object, changes)| {
        object.extend(changes.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Value::Object(object)
    });
    prop_oneof![8 => changed, 1 => json().prop_filter("an object", Value::is_object)]
}

#[tokio::test]
async fn a_tool_answers_any_call_and_the_coach_goes_on() {
    let functions = with_history(quiet_world().await.with_claude().await).await;
    let world = &functions.world;
    let calls: Arc<Mutex<Vec<(&'static str, Value)>>> = Arc::default();
    let scripted = calls.clone();
    // What was not called yet is called; then the answer comes.
    world.claude().respond_with(move |_| {
        let calls = std::mem::take(&mut *scripted.lock().unwrap());
        if calls.is_empty() { Reply::text("Far.") } else { Reply::tools(calls) }
    });
    let call = (prop::sample::select(TOOLS.to_vec()), input());
    check("calls of the coach's tools", CASES, &prop::collection::vec(call, 1..4), async |asked| {
        *calls.lock().unwrap() = asked.clone();
        let body = json!({"message": "How far did I run?"}).to_string();
        let (status, answer) = checked(&functions.call(request("POST", "/chat", Some(&world.token()), &body)).await);
        prop_assert_eq!((status, answer["answer"].as_str()), (200, Some("Far.")), "{}", answer);
        let last = world.claude().take_requests().pop().unwrap();
        let results = last["messages"].as_array().unwrap().last().unwrap()["content"].as_array().unwrap().clone();
        prop_assert_eq!(results.len(), asked.len());
        for result in results {
            let content: Value = serde_json::from_str(result["content"].as_str().unwrap()).unwrap();
            prop_assert_eq!(result["is_error"] == true, content.get("error").is_some() || content["forgotten"] == false, "{}", content);
        }
        Ok(())
    })
    .await;
    functions.world.assert_in_order(&[]).await;
}
