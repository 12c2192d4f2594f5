//! Claude's prompt cache, counted in tokens of four bytes.

use serde_json::{Value, json};

use super::conversation::{Turn, without_markers};
use super::model::State;

const TOKEN_BYTES: usize = 4;

/// What the model has read before the `n`-th turn: what a thinking block is bound to.
pub(super) fn prefix(request: &Value, turns: &[Turn]) -> String {
    let turns: Vec<Value> = turns.iter().map(|turn| json!([turn.role, turn.blocks])).collect();
    without_markers(&json!([request["tools"], request["system"], turns])).to_string()
}

fn has_marker(value: &Value) -> bool {
    value.as_array().into_iter().flatten().any(|block| block.get("cache_control").is_some())
}

/// The usage of a request, which fills the cache where the request asks for it.
pub(super) fn usage(state: &mut State, request: &Value, turns: &[Turn], written: &str) -> Value {
    let settings = json!([request["model"], request["thinking"], request["output_config"]]).to_string();
    let head = json!([request["model"], request["output_config"]["format"]]).to_string() + &prefix(request, &[]);
    let with = |n: usize| format!("{settings}{}", prefix(request, &turns[..n]));
    let mut kept: Vec<String> = Vec::new();
    if has_marker(&request["tools"]) || has_marker(&request["system"]) {
        kept.push(head);
    }
    if request.get("cache_control").is_some() || turns.iter().any(|turn| has_marker(&json!(turn.blocks))) {
        kept.extend((1..=turns.len()).map(with));
    }
    let longest = |prefixes: &mut dyn Iterator<Item = &String>| prefixes.map(String::len).max().unwrap_or_default();
    let read = longest(&mut kept.iter().filter(|prefix| state.cached.contains(*prefix)));
    let created = longest(&mut kept.iter()) - read;
    let rest = with(turns.len()).len().saturating_sub(read + created);
    state.cached.extend(kept);
    json!({
        "input_tokens": rest / TOKEN_BYTES, "cache_creation_input_tokens": created / TOKEN_BYTES,
        "cache_read_input_tokens": read / TOKEN_BYTES, "output_tokens": written.len() / TOKEN_BYTES + 2,
        "service_tier": "standard"
    })
}
