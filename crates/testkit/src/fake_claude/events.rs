//! A message as a stream of events, cut into awkward pieces.

use serde_json::{Value, json};

use super::reply::Ending;
use crate::fake_strava::Gate;

/// Characters per delta, in turn.
const DELTA_CHARS: [usize; 6] = [1, 3, 2, 5, 4, 8];
/// Bytes per piece of the body, in turn.
const PIECE_BYTES: [usize; 8] = [1, 7, 64, 3, 200, 19, 2, 41];

/// One step of sending a body.
#[derive(Debug)]
pub(super) enum Step {
    Send(Vec<u8>),
    Hold(Gate),
    Reset,
}

/// A message that shall be sent. `inputs` has the text of each call's input, as the model wrote it, by the block.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) message: Value,
    pub(super) inputs: Vec<Option<String>>,
    pub(super) ending: Ending,
    pub(super) held_midway: Option<Gate>,
}

fn frame(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
}

fn deltas(index: usize, kind: &str, field: &str, text: &str) -> Vec<String> {
    let mut chars = text.chars().peekable();
    let mut sizes = DELTA_CHARS.iter().cycle();
    let mut frames = Vec::new();
    while chars.peek().is_some() {
        let piece: String = chars.by_ref().take(*sizes.next().expect("a cycle")).collect();
        let mut delta = json!({ "type": kind });
        delta[field] = json!(piece);
        frames.push(frame(&json!({ "type": "content_block_delta", "index": index, "delta": delta })));
    }
    frames
}

/// The events of one block, with `None` where the answer may be held back or broken off.
fn block(index: usize, block: &Value, input: Option<&str>) -> Vec<Option<String>> {
    let kind = block["type"].as_str().unwrap_or_default();
    let mut start = block.clone();
    let (deltas, is_text) = match kind {
        "text" => {
            start["text"] = json!("");
            (deltas(index, "text_delta", "text", block["text"].as_str().unwrap_or_default()), true)
        }
        "tool_use" => {
            start["input"] = json!({});
            let first = json!({ "type": "input_json_delta", "partial_json": "" });
            let mut frames = vec![frame(&json!({ "type": "content_block_delta", "index": index, "delta": first }))];
            frames.extend(deltas(index, "input_json_delta", "partial_json", input.unwrap_or_default()));
            (frames, false)
        }
        _ => {
            start["signature"] = json!("");
            (deltas(index, "signature_delta", "signature", block["signature"].as_str().unwrap_or_default()), false)
        }
    };
    let start = frame(&json!({ "type": "content_block_start", "index": index, "content_block": start }));
    let stop = frame(&json!({ "type": "content_block_stop", "index": index }));
    let middle = is_text.then_some(None);
    [Some(start)].into_iter().chain(deltas.into_iter().map(Some)).chain(middle).chain([Some(stop)]).collect()
}

/// All events, with `None` after each text. Kinds of events that no client knows yet are among them.
fn sequence(outgoing: &Outgoing) -> Vec<Option<String>> {
    let message = &outgoing.message;
    let mut start = message.clone();
    (start["content"], start["stop_reason"]) = (json!([]), Value::Null);
    start["usage"]["output_tokens"] = json!(1);
    let mut all = vec![
        Some(frame(&json!({ "type": "message_start", "message": start }))),
        Some(": a comment\n\n".to_owned()),
        Some(frame(&json!({ "type": "ping" }))),
        Some(frame(&json!({ "type": "a_novelty", "index": 0, "content_block": "of another shape" }))),
    ];
    for (index, value) in message["content"].as_array().into_iter().flatten().enumerate() {
        all.extend(block(index, value, outgoing.inputs[index].as_deref()));
        all.push(Some(frame(&json!({ "type": "ping" }))));
    }
    let output = message["usage"]["output_tokens"].as_u64().unwrap_or_default();
    // Counts are totals, and the last word is not the first.
    let so_far = json!({ "type": "message_delta", "delta": { "stop_reason": null }, "usage": { "output_tokens": output / 2 } });
    let delta = json!({ "stop_reason": message["stop_reason"], "stop_sequence": null, "stop_details": message["stop_details"] });
    let last = json!({ "type": "message_delta", "delta": delta, "usage": message["usage"] });
    all.extend([so_far, last, json!({ "type": "message_stop" })].iter().map(|event| Some(frame(event))));
    all
}

/// What is sent, step by step.
pub(super) fn steps(outgoing: &Outgoing) -> Vec<Step> {
    let mut all = sequence(outgoing);
    if outgoing.ending != Ending::Whole {
        let middle = all.iter().position(Option::is_none).unwrap_or_default();
        all.truncate(middle);
        if outgoing.ending == Ending::Error {
            let error = json!({ "type": "overloaded_error", "message": "Overloaded" });
            all.push(Some(frame(&json!({ "type": "error", "error": error }))));
        }
    }
    let middle = all.iter().position(Option::is_none).unwrap_or(all.len());
    let bytes = |frames: &[Option<String>]| pieces(frames.iter().flatten().map(String::as_str).collect::<String>().as_bytes());
    let mut steps: Vec<Step> = bytes(&all[..middle]).into_iter().map(Step::Send).collect();
    steps.extend(outgoing.held_midway.clone().map(Step::Hold));
    steps.extend(bytes(&all[middle..]).into_iter().map(Step::Send));
    steps.extend((outgoing.ending == Ending::Reset).then_some(Step::Reset));
    steps
}

/// Cuts in odd places, and within every character of more than one byte.
fn pieces(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut sizes = PIECE_BYTES.iter().cycle();
    let mut left = *sizes.next().expect("a cycle");
    let mut pieces = vec![Vec::new()];
    for &byte in bytes {
        pieces.last_mut().expect("a piece").push(byte);
        left -= 1;
        let is_first_of_several = byte >= 0xC0;
        if left == 0 || is_first_of_several {
            pieces.push(Vec::new());
            left = *sizes.next().expect("a cycle");
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}
