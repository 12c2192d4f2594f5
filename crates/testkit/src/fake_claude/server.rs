//! The HTTP side: the key, the rules, and the answers.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::cache;
use super::conversation::{self, Turn};
use super::events::{Outgoing, Step, steps};
use super::model::{FakeClaude, Inner, State as Model, Thought};
use super::reply::{Answer, Ending, Part, Reply};
use super::rules::{self, Refused, invalid};
use crate::fake_strava::new_secret;

const API_VERSION: &str = "2026-10-21";
const REQUEST_BYTES_MAX: usize = 32 * 1024 * 1024;

pub(super) async fn start(inner: impl FnOnce(u16) -> Inner) -> FakeClaude {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port for the invented Claude");
    let fake = FakeClaude(Arc::new(inner(listener.local_addr().expect("the port").port())));
    let router = Router::new()
        .route("/v1/messages", post(messages))
        .fallback(unexpected)
        .layer(DefaultBodyLimit::disable())
        .with_state(fake.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    fake
}

async fn unexpected(State(fake): State<FakeClaude>, uri: Uri) -> Response {
    fake.state().unexpected.push(format!("a call of {}", uri.path()));
    StatusCode::NOT_FOUND.into_response()
}

async fn messages(State(fake): State<FakeClaude>, headers: HeaderMap, body: Bytes) -> Response {
    let request_id = fake.state().id("req");
    let mut response = match accept(&fake, &headers, &body) {
        Ok((request, turns, reply)) => {
            if let Some(gate) = &reply.held {
                gate.pass().await;
            }
            answer(&fake, &request, &turns, &reply, &request_id)
        }
        Err(refused) => {
            fake.state().unexpected.push(format!("{} {}", refused.status, refused.message));
            error(refused.status, refused.kind, &refused.message, &Value::Null, &request_id)
        }
    };
    response.headers_mut().insert("request-id", request_id.parse().expect("a header"));
    response
}

/// The request, its dialogue and the answer to it; or why the real Claude would refuse.
fn accept(fake: &FakeClaude, headers: &HeaderMap, body: &[u8]) -> Result<(Value, Vec<Turn>, Reply), Refused> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parsed = serde_json::from_slice(body);
    let mut state = fake.state();
    state.requests.extend(parsed.as_ref().ok().cloned());
    if header("x-api-key") != fake.api_key() {
        return Err(Refused { status: 401, kind: "authentication_error", message: "invalid x-api-key".to_owned() });
    }
    if header("anthropic-version") != API_VERSION {
        return Err(invalid("anthropic-version: header is required, and this fake speaks the newest only"));
    }
    if body.len() > REQUEST_BYTES_MAX {
        return Err(Refused { status: 413, kind: "request_too_large", message: "Request exceeds the maximum size".to_owned() });
    }
    if header("content-type") != "application/json" {
        return Err(invalid("content-type: must be application/json"));
    }
    let request: Value = parsed.map_err(|_| invalid("The request body is not valid JSON"))?;
    rules::check(&request)?;
    let turns = conversation::turns(&request)?;
    conversation::check(&state, &request, &turns)?;
    let reply = state.next_reply(&request).ok_or_else(|| invalid("nobody scripted an answer"))?;
    check_script(&reply, &request)?;
    Ok((request, turns, reply))
}

/// A test must not let Claude say what it could not.
fn check_script(reply: &Reply, request: &Value) -> Result<(), Refused> {
    if reply.is_json && request["output_config"].get("format").is_none() {
        return Err(invalid("the script answers with JSON that was not asked for"));
    }
    let Answer::Message { parts, .. } = &reply.answer else { return Ok(()) };
    for part in parts {
        let Part::Tool { name, .. } = part else { continue };
        let mut offered = request["tools"].as_array().into_iter().flatten();
        if !offered.any(|tool| tool["name"] == name.as_str()) {
            return Err(invalid(format!("the script calls the tool {name}, which is not offered")));
        }
    }
    Ok(())
}

fn error(status: u16, kind: &str, message: &str, details: &Value, request_id: &str) -> Response {
    let mut body = json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": request_id });
    if !details.is_null() {
        body["error"]["details"] = details.clone();
    }
    (StatusCode::from_u16(status).expect("a status"), axum::Json(body)).into_response()
}

fn answer(fake: &FakeClaude, request: &Value, turns: &[Turn], reply: &Reply, request_id: &str) -> Response {
    let mut response = match &reply.answer {
        Answer::Failure { status, kind, details } => error(*status, kind, "as scripted", details, request_id),
        Answer::Message { parts, stop_reason, ending } => {
            let (message, inputs) = compose(&mut fake.state(), request, turns, parts, stop_reason);
            if request["stream"] == true {
                // Without any text there is nothing before the end.
                let is_empty = *ending != Ending::Whole && matches!(parts.as_slice(), [Part::Text(text)] if text.is_empty());
                let message = if is_empty { Value::Null } else { message };
                stream(&Outgoing { message, inputs, ending: *ending, held_midway: reply.held_midway.clone() })
            } else {
                axum::Json(message).into_response()
            }
        }
    };
    for (name, value) in &reply.headers {
        response.headers_mut().insert(HeaderName::from_static(name), value.parse().expect("a header"));
    }
    response
}

/// The message, remembered, and the text of each call's input.
fn compose(state: &mut Model, request: &Value, turns: &[Turn], parts: &[Part], stop_reason: &str) -> (Value, Vec<Option<String>>) {
    let (mut content, mut inputs) = (Vec::new(), Vec::new());
    let has_tools = request["tools"].as_array().is_some_and(|tools| !tools.is_empty());
    if has_tools || request["thinking"]["type"] != "between_tools" {
        let signature = new_secret("signature");
        let block = json!({ "type": "thinking", "thinking": "", "signature": signature });
        state.thoughts.insert(signature, Thought { block: block.clone(), prefix: cache::prefix(request, turns) });
        content.push(block);
        inputs.push(None);
    }
    for part in parts {
        let (block, input) = match part {
            Part::Text(text) => (json!({ "type": "text", "text": text }), None),
            Part::Tool { name, input } => {
                let value: Value = serde_json::from_str(input).unwrap_or_else(|_| json!({}));
                (json!({ "type": "tool_use", "id": state.id("toolu"), "name": name, "input": value }), Some(input.clone()))
            }
        };
        content.push(block);
        inputs.push(input);
    }
    for block in content.iter().filter(|block| block["type"] == "tool_use") {
        state.calls.insert(block["id"].as_str().unwrap_or_default().to_owned(), content.clone());
    }
    let details = json!({ "type": "refusal", "category": "general_harms", "explanation": "as scripted" });
    let message = json!({
        "id": state.id("msg"), "type": "message", "role": "assistant", "model": request["model"],
        "usage": cache::usage(state, request, turns, &json!(content).to_string()), "content": content,
        "stop_reason": stop_reason, "stop_sequence": null,
        "stop_details": if stop_reason == "refusal" { details } else { Value::Null }
    });
    (message, inputs)
}

fn stream(outgoing: &Outgoing) -> Response {
    let steps = futures_util::stream::iter(steps(outgoing)).filter_map(async |step| match step {
        Step::Send(bytes) => Some(Ok(bytes)),
        Step::Hold(gate) => {
            gate.pass().await;
            None
        }
        Step::Reset => {
            // What was sent before leaves first.
            tokio::task::yield_now().await;
            Some(Err(io::Error::other("the connection breaks")))
        }
    });
    ([("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache")], Body::from_stream(steps)).into_response()
}
