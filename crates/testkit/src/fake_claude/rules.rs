//! What the Messages API accepts of a request beside its dialogue, at version 2026-10-21 and for the newest models.

use std::collections::HashSet;

use serde_json::Value;

use super::schema::Complexity;

const MODELS: [&str; 7] = [
    "claude-fable-5-2",
    "claude-haiku-4-5-20251001",
    "claude-haiku-5-5",
    "claude-opus-5-5",
    "claude-sonnet-4-6",
    "claude-sonnet-5",
    "claude-sonnet-5-5",
];
const FIELDS: [&str; 16] = [
    "cache_control",
    "diagnostics",
    "inference_geo",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "output_config",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "thinking",
    "tool_choice",
    "tools",
];
const SAMPLING: [&str; 3] = ["temperature", "top_k", "top_p"];
const OUTPUT_TOKENS_MAX: u64 = 128_000;
const STRICT_TOOLS_MAX: usize = 20;
const BREAKPOINTS_MAX: usize = 4;
const TOOL_NAME_CHARS_MAX: usize = 64;
const USER_ID_CHARS_MAX: usize = 256;

/// An answer that refuses.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) message: String,
}

pub(super) type Check = Result<(), Refused>;

pub(super) fn invalid(message: impl Into<String>) -> Refused {
    Refused { status: 400, kind: "invalid_request_error", message: message.into() }
}

/// Refuses fields that are not `known`.
pub(super) fn only(value: &Value, path: &str, known: &[&str]) -> Check {
    let Some(fields) = value.as_object() else { return Err(invalid(format!("{path}: Input should be an object"))) };
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(invalid(format!("{path}.{name}: Extra inputs are not permitted").trim_start_matches('.'))),
        None => Ok(()),
    }
}

fn one_of(value: &Value, path: &str, allowed: &[&str]) -> Check {
    let is_allowed = value.is_null() || value.as_str().is_some_and(|text| allowed.contains(&text));
    if is_allowed { Ok(()) } else { Err(invalid(format!("{path}: Input should be one of {allowed:?}"))) }
}

/// Checks everything but the dialogue.
pub(super) fn check(request: &Value) -> Check {
    if let Some(name) = SAMPLING.iter().find(|name| request.get(**name).is_some()) {
        return Err(invalid(format!("{name}: sampling parameters are not supported by this API version")));
    }
    only(request, "", &FIELDS)?;
    let model = request["model"].as_str().ok_or_else(|| invalid("model: Field required"))?;
    if !MODELS.contains(&model) {
        return Err(Refused { status: 404, kind: "not_found_error", message: format!("model: {model}") });
    }
    match request["max_tokens"].as_u64() {
        Some(1..=OUTPUT_TOKENS_MAX) => {}
        _ => return Err(invalid("max_tokens: Field required, from 1 to what the model writes")),
    }
    if !matches!(request["stream"], Value::Null | Value::Bool(_)) {
        return Err(invalid("stream: Input should be a boolean"));
    }
    check_metadata(request)?;
    check_thinking(request)?;
    check_tool_choice(request)?;
    check_tools(request)?;
    check_system(request)?;
    check_cache(request)
}

fn check_metadata(request: &Value) -> Check {
    let Some(metadata) = request.get("metadata") else { return Ok(()) };
    only(metadata, "metadata", &["user_id"])?;
    let fits = metadata["user_id"].as_str().is_some_and(|id| !id.is_empty() && id.len() <= USER_ID_CHARS_MAX && !id.contains(['@', ' ']));
    if fits { Ok(()) } else { Err(invalid("metadata.user_id: Input should be an opaque value")) }
}

fn check_thinking(request: &Value) -> Check {
    if let Some(config) = request.get("output_config") {
        only(config, "output_config", &["effort", "format"])?;
        one_of(&config["effort"], "output_config.effort", &["low", "medium", "high", "xhigh", "max"])?;
    }
    let Some(thinking) = request.get("thinking") else { return Ok(()) };
    only(thinking, "thinking", &["type", "display"])?;
    match thinking["type"].as_str() {
        Some("adaptive") => one_of(&thinking["display"], "thinking.display", &["omitted", "summarized"]),
        Some("between_tools") => one_of(&request["output_config"]["effort"], "output_config.effort", &["low", "medium", "high"]),
        other => Err(invalid(format!("thinking.type: {other:?} is not supported by this model"))),
    }
}

fn check_tool_choice(request: &Value) -> Check {
    let Some(choice) = request.get("tool_choice") else { return Ok(()) };
    only(choice, "tool_choice", &["type", "name", "disable_parallel_tool_use"])?;
    match choice["type"].as_str() {
        Some("auto" | "none") if request["tools"].is_array() => Ok(()),
        Some("auto" | "none") => Err(invalid("tool_choice: may only be specified while providing tools")),
        other => Err(invalid(format!("tool_choice.type: {other:?} is not supported by this model"))),
    }
}

fn check_tools(request: &Value) -> Check {
    let (mut names, mut strict, mut complexity) = (HashSet::new(), 0, Complexity::default());
    for (n, tool) in request["tools"].as_array().into_iter().flatten().enumerate() {
        let path = format!("tools.{n}");
        let known = ["name", "description", "input_schema", "strict", "cache_control", "eager_input_streaming", "input_examples"];
        only(tool, &path, &known)?;
        let name = tool["name"].as_str().unwrap_or_default();
        let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if name.is_empty() || name.len() > TOOL_NAME_CHARS_MAX || !is_plain {
            return Err(invalid(format!("{path}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")));
        }
        if !names.insert(name) {
            return Err(invalid("tools: Tool names must be unique."));
        }
        if tool["description"].as_str().unwrap_or_default().is_empty() {
            return Err(invalid(format!("{path}.description: a model does not know when to use it")));
        }
        if tool["input_schema"]["type"] != "object" {
            return Err(invalid(format!("{path}.input_schema.type: Input should be 'object'")));
        }
        if tool["strict"] == true {
            strict += 1;
            complexity.add(&tool["input_schema"]).map_err(|what| invalid(format!("{path}.input_schema: {what}")))?;
        }
    }
    if strict > STRICT_TOOLS_MAX {
        return Err(invalid("tools: too many strict tools"));
    }
    let Some(format) = request["output_config"].get("format") else { return Ok(()) };
    only(format, "output_config.format", &["type", "schema"])?;
    if format["type"] != "json_schema" {
        return Err(invalid("output_config.format.type: Input should be 'json_schema'"));
    }
    complexity.add(&format["schema"]).map_err(|what| invalid(format!("output_config.format.schema: {what}")))
}

fn check_system(request: &Value) -> Check {
    match &request["system"] {
        Value::Null | Value::String(_) => Ok(()),
        Value::Array(blocks) => blocks.iter().enumerate().try_for_each(|(n, block)| {
            let path = format!("system.{n}");
            only(block, &path, &["type", "text", "cache_control"])?;
            let fits = block["type"] == "text" && block["text"].as_str().is_some_and(|text| !text.is_empty());
            if fits { Ok(()) } else { Err(invalid(format!("{path}: text content blocks must be non-empty"))) }
        }),
        _ => Err(invalid("system: Input should be a string or a list of blocks")),
    }
}

/// Markers in the order of the prefix: tools, system, dialogue, and the automatic one at its end.
fn check_cache(request: &Value) -> Check {
    let of_list = |list: &Value| list.as_array().into_iter().flatten().filter_map(|block| block.get("cache_control").cloned()).collect();
    let mut markers: Vec<Value> = of_list(&request["tools"]);
    markers.extend::<Vec<Value>>(of_list(&request["system"]));
    for message in request["messages"].as_array().into_iter().flatten() {
        markers.extend::<Vec<Value>>(of_list(&message["content"]));
    }
    markers.extend(request.get("cache_control").cloned());
    if markers.len() > BREAKPOINTS_MAX {
        return Err(invalid(format!("A maximum of 4 blocks with cache_control may be provided. Found {}.", markers.len())));
    }
    let mut has_short = false;
    for marker in &markers {
        only(marker, "cache_control", &["type", "ttl"])?;
        match (marker["type"].as_str(), marker["ttl"].as_str()) {
            (Some("ephemeral"), None | Some("5m")) => has_short = true,
            (Some("ephemeral"), Some("1h")) if has_short => {
                return Err(invalid("cache_control: a ttl='1h' block must not come after a ttl='5m' block"));
            }
            (Some("ephemeral"), Some("1h")) => {}
            _ => return Err(invalid("cache_control: Input should be 'ephemeral' with a ttl of '5m' or '1h'")),
        }
    }
    Ok(())
}
