//! The rules of a dialogue: whose turn it is, every call of a tool answered, thinking sent back as it came.

use serde_json::{Map, Value, json};

use super::cache::prefix;
use super::model::State;
use super::rules::{Check, Refused, invalid, only};

/// Consecutive messages of one role.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) role: String,
    pub(super) blocks: Vec<Value>,
}

impl Turn {
    fn of(&self, kind: &str) -> Vec<&Value> {
        self.blocks.iter().filter(|block| block["type"] == kind).collect()
    }

    fn ids(&self, kind: &str, field: &str) -> Vec<&str> {
        self.of(kind).into_iter().filter_map(|block| block[field].as_str()).collect()
    }
}

/// The value without the markers of the cache, wherever they stand.
pub(super) fn without_markers(value: &Value) -> Value {
    match value {
        Value::Array(all) => all.iter().map(without_markers).collect(),
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| *name != "cache_control");
            Value::Object(kept.map(|(name, value)| (name.clone(), without_markers(value))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// The dialogue of a request, if it is well-formed.
pub(super) fn turns(request: &Value) -> Result<Vec<Turn>, Refused> {
    let messages = request["messages"].as_array().ok_or_else(|| invalid("messages: Field required"))?;
    let mut turns: Vec<Turn> = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        let path = format!("messages.{n}");
        only(message, &path, &["role", "content"])?;
        let role = message["role"].as_str().unwrap_or_default();
        let blocks = match &message["content"] {
            Value::String(text) => vec![json!({ "type": "text", "text": text })],
            Value::Array(blocks) => blocks.clone(),
            _ => return Err(invalid(format!("{path}.content: Field required"))),
        };
        if blocks.is_empty() {
            return Err(invalid(format!("{path}: must have non-empty content")));
        }
        for (m, block) in blocks.iter().enumerate() {
            check_block(role, block, &format!("{path}.content.{m}"))?;
        }
        match turns.last_mut() {
            Some(last) if last.role == role => last.blocks.extend(blocks),
            _ => turns.push(Turn { role: role.to_owned(), blocks }),
        }
    }
    match (turns.first(), turns.last()) {
        (Some(first), Some(_)) if first.role != "user" => Err(invalid("messages: first message must use the \"user\" role")),
        (_, Some(last)) if last.role == "assistant" => {
            Err(invalid("This model does not support assistant message prefill. The conversation must end with a user message."))
        }
        (_, None) => Err(invalid("messages: at least one message is required")),
        _ => Ok(turns),
    }
}

fn check_block(role: &str, block: &Value, path: &str) -> Check {
    let kind = block["type"].as_str().unwrap_or_default();
    let needs =
        |field: &str, is_right: bool| if is_right { Ok(()) } else { Err(invalid(format!("{path}.{field}: Input should be valid"))) };
    match (role, kind) {
        ("user" | "assistant" | "system", "text") => {
            only(block, path, &["type", "text", "cache_control"])?;
            match block["text"].as_str() {
                Some("") => Err(invalid(format!("{path}: text content blocks must be non-empty"))),
                text => needs("text", text.is_some()),
            }
        }
        ("user", "tool_result") => {
            only(block, path, &["type", "tool_use_id", "content", "is_error", "cache_control"])?;
            needs("tool_use_id", block["tool_use_id"].is_string())?;
            needs("content", block["content"].is_string() || block["content"].is_array())
        }
        ("assistant", "tool_use") => {
            only(block, path, &["type", "id", "name", "input", "caller", "cache_control"])?;
            needs("id", block["id"].is_string())?;
            needs("name", block["name"].is_string())?;
            needs("input", block["input"].is_object())
        }
        ("assistant", "thinking") => {
            only(block, path, &["type", "thinking", "signature"])?;
            needs("signature", block["signature"].is_string())
        }
        _ => Err(invalid(format!("{path}: a block {kind:?} is not allowed for the role {role:?}"))),
    }
}

/// Checks calls and their results, and what Claude said itself.
pub(super) fn check(state: &State, request: &Value, turns: &[Turn]) -> Check {
    for (n, turn) in turns.iter().enumerate() {
        let calls = if n == 0 { Vec::new() } else { turns[n - 1].ids("tool_use", "id") };
        check_results(n, turn, &calls)?;
    }
    for (n, turn) in turns.iter().enumerate() {
        for block in turn.of("thinking") {
            let thought = block["signature"].as_str().and_then(|signature| state.thoughts.get(signature));
            let thought = thought.ok_or_else(|| invalid(format!("messages.{n}: Invalid `signature` in `thinking` block")))?;
            if thought.block != *block || thought.prefix != prefix(request, &turns[..n]) {
                let what = "Invalid `signature` in `thinking` block. The block is bound to a different conversation";
                return Err(invalid(format!("messages.{n}: {what}")));
            }
        }
    }
    check_loop(state, turns)
}

fn check_results(n: usize, turn: &Turn, calls: &[&str]) -> Check {
    let mut results = turn.ids("tool_result", "tool_use_id");
    if let Some(foreign) = results.iter().find(|id| !calls.contains(id)) {
        return Err(invalid(format!("messages.{n}: unexpected `tool_use_id` found in `tool_result` blocks: {foreign}")));
    }
    if let Some(missing) = calls.iter().find(|id| !results.contains(id)) {
        return Err(invalid(format!("messages.{n}: `tool_use` ids were found without `tool_result` blocks immediately after: {missing}")));
    }
    let count = results.len();
    results.sort_unstable();
    results.dedup();
    if results.len() != count {
        return Err(invalid(format!("messages.{n}: each `tool_use` must have a single result")));
    }
    if turn.blocks.iter().skip(count).any(|block| block["type"] == "tool_result") {
        return Err(invalid(format!("messages.{n}: `tool_result` blocks must come before text")));
    }
    Ok(())
}

/// While tools run, what Claude said comes back unchanged.
fn check_loop(state: &State, turns: &[Turn]) -> Check {
    let mut later = turns.last();
    for (n, turn) in turns.iter().enumerate().rev().skip(1) {
        if turn.role == "assistant" {
            if later.is_none_or(|user| user.of("tool_result").is_empty()) {
                break;
            }
            let sent = turn.ids("tool_use", "id").first().and_then(|id| state.calls.get(*id));
            if sent.is_some_and(|sent| without_markers(&json!(turn.blocks)) != json!(sent)) {
                return Err(invalid(format!("messages.{n}: the blocks of an answer whose tools run cannot be modified")));
            }
        }
        later = Some(turn);
    }
    Ok(())
}
