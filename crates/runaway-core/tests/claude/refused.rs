//! The fake refuses what the real Claude refuses: requests that the client cannot make, sent raw.

use std::time::Duration;

use runaway_core::claude::tool_results;
use runaway_core::claude::{ToolResult, user_text};
use serde_json::{Value, json};
use testkit::{FakeClaude, Reply};

use crate::story::*;

/// Sends a body and returns status and message.
async fn send(claude: &FakeClaude, body: &Value) -> (u16, String) {
    let http = runaway_core::http::client_builder(Duration::from_secs(5)).build().unwrap();
    let request = http.post(format!("{}/v1/messages", claude.base_url())).header("x-api-key", claude.api_key());
    let answer = request.header("anthropic-version", "2026-10-21").json(body).send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    (status, body["error"]["message"].as_str().unwrap_or_default().to_owned())
}

/// Every pointer is set to its value in a request that is fine.
async fn refused(base: &Value, changes: &[(&str, Value, &str)]) {
    let claude = FakeClaude::start().await;
    claude.respond_with(|_| Reply::text("Fine."));
    assert_eq!(send(&claude, base).await, (200, String::new()));
    for (pointer, value, expected) in changes {
        let mut body = base.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[field] = value.clone();
        let (status, message) = send(&claude, &body).await;
        assert!((400..=404).contains(&status) && message.contains(expected), "{pointer} = {value}: {status} {message}");
    }
    assert_eq!(claude.unexpected().len(), changes.len());
}

#[tokio::test]
async fn a_request_that_newer_models_do_not_understand() {
    let tool = json!({
        "name": "runs", "description": "Looks up runs.", "strict": true,
        "input_schema": { "type": "object", "properties": { "weeks": { "type": "integer" } }, "additionalProperties": false }
    });
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "additionalProperties": false });
    let base = json!({
        "model": "claude-sonnet-5-5", "max_tokens": 100, "tools": [tool], "thinking": { "type": "between_tools" },
        "system": [{ "type": "text", "text": "rules" }, { "type": "text", "text": "profile" }],
        "output_config": { "effort": "high", "format": { "type": "json_schema", "schema": schema } },
        "messages": [{ "role": "user", "content": [{ "type": "text", "text": "Hello" }] }]
    });
    let five_minutes = json!({ "type": "ephemeral" });
    let an_hour = json!({ "type": "ephemeral", "ttl": "1h" });
    let system = |markers: &[&Value]| -> Value {
        markers.iter().map(|marker| json!({ "type": "text", "text": "x", "cache_control": marker })).collect()
    };
    let prefilled = json!([{ "role": "user", "content": "Hello" }, { "role": "assistant", "content": "You ran" }]);
    refused(
        &base,
        &[
            ("/temperature", json!(1.0), "temperature"),
            ("/top_p", json!(0.9), "top_p"),
            ("/top_k", json!(1), "top_k"),
            ("/max_token", json!(1), "max_token: Extra inputs"),
            ("/max_tokens", Value::Null, "max_tokens"),
            ("/max_tokens", json!(0), "max_tokens"),
            ("/model", json!("claude-3-5-sonnet-20241022"), "model: claude-3-5-sonnet"),
            ("/thinking", json!({ "type": "disabled" }), "thinking.type"),
            ("/thinking", json!({ "type": "enabled", "budget_tokens": 1024 }), "budget_tokens"),
            ("/output_config/effort", json!("max"), "effort"),
            ("/output_config/effort", json!("heroic"), "effort"),
            ("/output_config/format/schema/properties/n/minimum", json!(0), "'minimum' is not supported"),
            ("/output_config/format/schema/additionalProperties", json!(true), "additionalProperties"),
            ("/tool_choice", json!({ "type": "any" }), "tool_choice"),
            ("/tool_choice", json!({ "type": "tool", "name": "runs" }), "tool_choice"),
            ("/tools/0/name", json!("my runs"), "name"),
            ("/tools/0/type", json!("custom!"), "Extra inputs"),
            ("/tools/0/input_schema/type", json!("string"), "input_schema.type"),
            ("/tools/0/input_schema/additionalProperties", Value::Null, "additionalProperties"),
            ("/tools/0/input_schema/properties/weeks/maximum", json!(52), "'maximum' is not supported"),
            ("/metadata", json!({ "user_id": "ada@example.com" }), "user_id"),
            ("/system/0/text", json!(""), "non-empty"),
            ("/system", system(&[&five_minutes, &an_hour]), "ttl='1h'"),
            ("/system", system(&[&an_hour; 5]), "maximum of 4"),
            ("/messages", json!([]), "at least one message"),
            ("/messages", prefilled, "prefill"),
            ("/messages", json!([{ "role": "assistant", "content": "Hello" }, { "role": "user", "content": "x" }]), "first message"),
            ("/messages", json!([{ "role": "user", "content": "" }]), "non-empty"),
            ("/messages", json!([{ "role": "user", "content": [{ "type": "tool_use" }] }]), "not allowed"),
        ],
    )
    .await;
}

#[tokio::test]
async fn results_of_tools_that_do_not_match_their_calls() {
    let call = |id: &str| json!({ "type": "tool_use", "id": id, "name": "runs", "input": {} });
    let result = |id: &str| json!({ "type": "tool_result", "tool_use_id": id, "content": "{}" });
    let text = json!({ "type": "text", "text": "And?" });
    let base = json!({
        "model": "claude-sonnet-5-5", "max_tokens": 100,
        "messages": [
            { "role": "user", "content": "Hello" }, { "role": "assistant", "content": [call("a"), call("b")] },
            { "role": "user", "content": [result("b"), result("a"), text] }
        ]
    });
    refused(
        &base,
        &[
            ("/messages/2/content", json!([result("a"), text]), "without `tool_result` blocks immediately after: b"),
            ("/messages/2/content", json!([text]), "without `tool_result`"),
            ("/messages/2/content", json!([text, result("a"), result("b")]), "must come before text"),
            ("/messages/2/content", json!([result("a"), result("b"), result("a")]), "single result"),
            ("/messages/2/content", json!([result("a"), result("b"), result("c")]), "unexpected `tool_use_id`"),
            ("/messages/1/content", json!([{ "type": "thinking", "thinking": "", "signature": "invented" }]), "unexpected `tool_use_id`"),
        ],
    )
    .await;
}

#[tokio::test]
async fn thinking_that_is_changed_or_belongs_elsewhere() {
    let story = Story::new().await;
    let mut request = question_with_tools();
    story.claude.reply(Reply::tools([("runs", json!({ "weeks": 4 }))]));
    let message = story.complete(&request).await.unwrap();
    let results = [ToolResult { tool_use_id: message.tool_uses()[0].id.clone(), content: "{}".to_owned(), is_error: false }];
    request.messages.extend([message.to_turn(), tool_results(&results)]);
    story.claude.respond_with(|_| Reply::text("Fine."));

    let mut without_thinking = request.clone();
    without_thinking.messages[1]["content"].as_array_mut().unwrap().remove(0);
    let mut forged = request.clone();
    forged.messages[1]["content"][0]["signature"] = json!("forged");
    let mut changed = request.clone();
    changed.messages[1]["content"][0]["thinking"] = json!("what I thought");
    let mut other_input = request.clone();
    other_input.messages[1]["content"][1]["input"] = json!({ "weeks": 5 });
    let mut other_system = request.clone();
    other_system.system[0].text.push_str(" Today is Monday.");
    let mut other_question = request.clone();
    other_question.messages[0] = user_text("Another question");
    let mut other_tools = request.clone();
    other_tools.tools.pop();
    for (request, expected) in [
        (without_thinking, "cannot be modified"),
        (forged, "Invalid `signature`"),
        (changed, "bound to a different conversation"),
        (other_input, "cannot be modified"),
        (other_system, "bound to a different conversation"),
        (other_question, "bound to a different conversation"),
        (other_tools, "bound to a different conversation"),
    ] {
        story.complete(&request).await.unwrap_err();
        let unexpected = story.claude.unexpected();
        assert!(unexpected.last().unwrap().contains(expected), "{expected}: {unexpected:?}");
    }
    // Markers of the cache are no part of what a block is bound to.
    request.cache_dialogue = None;
    request.system[0].cache = None;
    assert_eq!(story.complete(&request).await.unwrap().text(), "Fine.");
    assert_eq!(story.claude.unexpected().len(), 7);
}

#[tokio::test]
async fn answers_that_nobody_asked_for_and_requests_that_nobody_expects_end_a_test() {
    let story = Story::new().await;
    story.claude.reply(Reply::text("Fine."));
    let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| story.claude.assert_nothing_unexpected()));
    assert!(left.is_err());
    story.complete(&question()).await.unwrap();
    story.claude.assert_nothing_unexpected();
    story.complete(&question()).await.unwrap_err();
    story.claude.reply(Reply::tools([("nothing", json!({}))]));
    story.complete(&question_with_tools()).await.unwrap_err();
    story.claude.reply(Reply::json(&json!({})));
    story.complete(&question()).await.unwrap_err();
    assert_eq!(story.claude.unexpected().len(), 3);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| story.claude.assert_nothing_unexpected())).is_err());
}
