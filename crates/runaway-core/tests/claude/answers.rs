//! Stories in which Claude answers.

use runaway_core::claude::{AssistantMessage, ModelGate, Refusal, StopReason, StreamEvent, ToolResult, tool_results, user_text};
use runaway_core::config::ModelConfig;
use serde_json::{Value, json};
use testkit::{Reply, World};

use crate::story::*;

#[tokio::test]
async fn a_text_arrives_piece_by_piece_and_whole() {
    let story = Story::new().await;
    let text = "Läuft: 42,2 km – 🏃🏽‍♀️ über die Königsallee. ¡Ánimo!".repeat(20);
    story.claude.reply(Reply::text(&text));
    let mut stream = story.stream(&question()).await.unwrap();
    let mut pieces = Vec::new();
    let last = loop {
        match stream.next().await.unwrap().unwrap() {
            StreamEvent::Text(piece) => pieces.push(piece),
            other => break other,
        }
    };
    assert!(pieces.len() > 100 && pieces.concat() == text);
    assert_eq!(stream.next().await.unwrap(), None);
    let message = stream.into_message().unwrap();
    assert_eq!(last, StreamEvent::Done { stop_reason: StopReason::EndTurn, usage: message.usage });
    assert_eq!((message.text(), message.tool_uses()), (text, Vec::new()));

    let lines = story.answered();
    assert_eq!(lines.len(), 1);
    for (field, expected) in [
        ("claude.request_id", json!(message.request_id)),
        ("model", json!("claude-sonnet-5-5")),
        ("stop_reason", json!("end_turn")),
        ("input_tokens", json!(message.usage.input_tokens)),
        ("output_tokens", json!(message.usage.output_tokens)),
        ("cache_read_input_tokens", json!(0)),
        ("cache_creation_input_tokens", json!(message.usage.cache_creation_input_tokens)),
    ] {
        assert_eq!(lines[0][field], expected, "{field}");
    }
    assert!(lines[0]["duration_ms"].is_u64() && message.request_id.starts_with("req_"));
    // The last count of a stream is the total.
    assert!(message.usage.output_tokens > 200 && message.usage.cache_creation_input_tokens > 0);
    story.ends(1);
}

fn result(tool_use_id: &str, content: &str) -> ToolResult {
    ToolResult { tool_use_id: tool_use_id.to_owned(), content: content.to_owned(), is_error: content.is_empty() }
}

#[tokio::test]
async fn tools_are_called_and_the_answer_is_sent_back_as_it_came() {
    let story = Story::new().await;
    let mut request = question_with_tools();
    let inputs = [("runs", json!({ "weeks": 4 })), ("records", json!({ "distance": "half “marathon”" })), ("today", json!({}))];
    story.claude.reply(Reply::tools(inputs.clone()).with_text("I look it up. "));
    story.claude.reply(Reply::tools([("runs", json!({ "zone": 1, "weeks": 8 }))]));
    story.claude.reply(Reply::text("You ran 123 km."));

    let mut stream = story.stream(&request).await.unwrap();
    let (text, events) = drain(&mut stream).await.unwrap();
    assert_eq!((text.as_str(), done(&events)), ("I look it up. ", StopReason::ToolUse));
    let message = stream.into_message().unwrap();
    let calls = message.tool_uses();
    let seen: Vec<_> = events[..3].to_vec();
    assert_eq!(seen, calls.iter().cloned().map(StreamEvent::ToolUse).collect::<Vec<_>>());
    assert_eq!(calls.iter().map(|call| (call.name.as_str(), call.input.clone())).collect::<Vec<_>>(), inputs);
    let kinds: Vec<_> = message.content.iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use", "tool_use", "tool_use"]);

    // Claude refuses a thinking block, a call or an order of keys that is not its own.
    request.messages.push(message.to_turn());
    request.messages.push(tool_results(&[result(&calls[0].id, "{}"), result(&calls[1].id, ""), result(&calls[2].id, "{}")]));
    let message = story.complete(&request).await.unwrap();
    assert_eq!(serde_json::to_string(&message.tool_uses()[0].input).unwrap(), r#"{"zone":1,"weeks":8}"#);
    request.messages.push(message.to_turn());
    request.messages.push(tool_results(&[result(&message.tool_uses()[0].id, "123 km")]));
    let message = story.complete(&request).await.unwrap();
    assert_eq!(message.text(), "You ran 123 km.");
    let sent = story.claude.requests();
    assert_eq!(sent[1]["messages"][2]["content"][1]["is_error"], true);
    assert_eq!(sent[2]["tool_choice"], json!({ "type": "auto" }));
    story.ends(3);
}

#[tokio::test]
async fn a_finished_turn_may_be_sent_back_without_its_thinking() {
    let story = Story::new().await;
    let mut request = question_with_tools();
    story.claude.reply(Reply::text("Far."));
    story.claude.reply(Reply::text("Further."));
    let mut message = story.complete(&request).await.unwrap();
    message.content.retain(|block| block["type"] != "thinking");
    request.messages.extend([message.to_turn(), user_text("And this week?")]);
    request.system[0].text = "You are another coach.".to_owned();
    assert_eq!(story.complete(&request).await.unwrap().text(), "Further.");
    story.ends(2);
}

#[tokio::test]
async fn what_claude_has_read_is_found_in_its_cache() {
    let story = Story::new().await;
    story.claude.respond_with(|request| Reply::text(&format!("answer {}", request["messages"].as_array().map_or(0, Vec::len))));
    let mut request = question();
    let first = story.complete(&request).await.unwrap();
    request.messages.extend([first.to_turn(), user_text("And then?")]);
    let second = story.complete(&request).await.unwrap();
    assert_eq!((first.text().as_str(), second.text().as_str()), ("answer 1", "answer 3"));
    assert_eq!(first.usage.cache_read_input_tokens, 0);
    assert!(second.usage.cache_read_input_tokens >= first.usage.cache_creation_input_tokens);
    story.ends(2);
}

#[tokio::test]
async fn structured_output_arrives_as_json_in_the_order_of_its_schema() {
    let story = Story::new().await;
    let answer = json!({ "title": "Woche 47", "paragraphs": ["Drei Läufe, „locker“."] });
    let schema = json!({
        "type": "object", "required": ["title", "paragraphs"], "additionalProperties": false,
        "properties": { "title": { "type": "string" }, "paragraphs": { "type": "array", "items": { "type": "string" } } }
    });
    story.claude.reply(Reply::json(&answer));
    let mut request = question();
    request.output_schema = Some(schema.clone());
    let message = story.complete(&request).await.unwrap();
    assert_eq!(message.text(), answer.to_string());
    let sent = &story.claude.requests()[0];
    assert_eq!(sent["output_config"], json!({ "effort": "medium", "format": { "type": "json_schema", "schema": schema } }));
    story.ends(1);
}

#[tokio::test]
async fn why_it_stopped_is_said() {
    let story = Story::new().await;
    for (reply, expected) in [
        (Reply::refusal(), StopReason::Refusal),
        (Reply::truncated("And so"), StopReason::MaxTokens),
        (Reply::stopped_by("model_context_window_exceeded", "And"), StopReason::ContextWindowExceeded),
        (Reply::stopped_by("a_novelty", "And"), StopReason::Unknown("a_novelty".to_owned())),
    ] {
        story.claude.reply(reply);
        let message = story.complete(&question()).await.unwrap();
        assert_eq!((message.stop_reason.as_str(), &message.stop_reason), (expected.as_str(), &expected));
    }
    story.ends(4);
}

#[tokio::test]
async fn a_call_that_is_cut_short_is_never_run() {
    let story = Story::new().await;
    story.claude.reply(Reply::truncated_tool("runs", r#"{"weeks": "#).with_text("Let me see. "));
    // What has come may be whole by chance.
    story.claude.reply(Reply::truncated_tool("runs", r#"{"weeks": 4}"#));
    let mut stream = story.stream(&question_with_tools()).await.unwrap();
    let (text, events) = drain(&mut stream).await.unwrap();
    assert_eq!((text.as_str(), events.len(), done(&events)), ("Let me see. ", 1, StopReason::MaxTokens));
    let is_call = |message: &AssistantMessage| message.content.iter().any(|block| block["type"] == "tool_use");
    assert!(!is_call(stream.message().unwrap()));
    let message = story.complete(&question_with_tools()).await.unwrap();
    assert!(is_call(&message) && message.tool_uses().is_empty());
    story.ends(2);
}

#[tokio::test]
async fn the_gate_lets_nothing_pass_without_a_key_or_from_a_source_that_is_not_allowed() {
    let story = Story::new().await;
    let without_key = gate(story.claude.settings("strava").into_iter().filter(|(name, _)| *name != "ANTHROPIC_API_KEY"));
    assert_eq!(without_key.permit(["strava"]).unwrap_err(), Refusal::NoKey);
    let nothing_allowed = gate(story.claude.settings(""));
    assert_eq!(nothing_allowed.permit(["strava"]).unwrap_err(), Refusal::SourceNotAllowed("strava".to_owned()));
    let some = gate(story.claude.settings("upload,manual"));
    assert_eq!(some.permit(["upload", "strava", "manual"]).unwrap_err(), Refusal::SourceNotAllowed("strava".to_owned()));
    assert_eq!(some.permit(["Upload"]).unwrap_err(), Refusal::SourceNotAllowed("Upload".to_owned()));
    story.claude.reply(Reply::text("Yes."));
    let permit = some.permit(["manual", "upload"]).unwrap();
    assert_eq!(permit.complete(&question(), soon()).await.unwrap().text(), "Yes.");
    story.ends(1);
}

#[tokio::test]
async fn the_settings_decide_model_and_effort() {
    let story = Story::new().await;
    let own = [("ANTHROPIC_MODEL", "claude-haiku-5-5".to_owned()), ("ANTHROPIC_EFFORT", "low".to_owned())];
    let gate = gate(story.claude.settings("strava").into_iter().chain(own));
    story.claude.reply(Reply::text("Yes."));
    let message = gate.permit([]).unwrap().complete(&question(), soon()).await.unwrap();
    assert_eq!(message.model, "claude-haiku-5-5");
    let sent: &Value = &story.claude.requests()[0];
    assert_eq!((&sent["model"], &sent["output_config"]["effort"]), (&json!("claude-haiku-5-5"), &json!("low")));
    assert_eq!(sent["metadata"], json!({ "user_id": "5f1c9a" }));
    story.ends(1);
}

#[tokio::test]
async fn a_world_has_a_model_where_a_test_asks_for_it() {
    let gate = |world: &World| ModelGate::new(world.settings().read(ModelConfig::read).unwrap()).unwrap();
    let world = World::new().await;
    assert_eq!(gate(&world).permit(["strava"]).unwrap_err(), Refusal::NoKey);
    let world = world.with_claude().await;
    world.claude().reply(Reply::text("Far."));
    let permitted = gate(&world);
    let message = permitted.permit(["strava"]).unwrap().complete(&question(), soon()).await.unwrap();
    assert_eq!(message.text(), "Far.");
    world.assert_in_order(&[]).await;
}
