//! Claude's answers: streams in any pieces, broken ones, refusals.

use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;
use runaway_core::claude::{
    AssistantMessage, ClaudeError, MessageRequest, MessageStream, ModelGate, StopReason, StreamEvent, Thinking, user_text,
};
use runaway_core::config::{ModelConfig, Settings};
use runaway_core::telemetry;
use serde_json::{Value, json};
use testkit::fuzz::{MARK, check, damaged, json, pieces, text};
use testkit::{Canned, CannedServer};
use tokio::time::Instant;

const CASES: u32 = 24;
/// Less than the first pause before another try: nothing here is tried again.
const TIME: Duration = Duration::from_millis(450);

struct Model {
    server: CannedServer,
    gate: ModelGate,
}

impl Model {
    async fn start() -> Self {
        let server = CannedServer::start().await;
        let pairs = [
            ("ANTHROPIC_BASE_URL", server.base_url()),
            ("ANTHROPIC_API_KEY", "sk-ant-key".to_owned()),
            ("MODEL_SOURCES", "strava".to_owned()),
        ];
        let gate = ModelGate::new(Settings::from_pairs(pairs).read(ModelConfig::read).unwrap()).unwrap();
        Self { server, gate }
    }

    async fn ask(&self) -> Result<(Vec<StreamEvent>, AssistantMessage), ClaudeError> {
        let request = MessageRequest {
            tools: Vec::new(),
            system: Vec::new(),
            messages: vec![user_text(MARK)],
            cache_dialogue: None,
            thinking: Thinking::Adaptive,
            output_schema: None,
            max_tokens: 100,
            user_id: None,
        };
        let mut stream: MessageStream = self.gate.permit(["strava"]).unwrap().stream(&request, Instant::now() + TIME).await?;
        let mut events = Vec::new();
        while let Some(event) = stream.next().await? {
            events.push(event);
        }
        Ok((events, stream.into_message().unwrap()))
    }
}

/// A block of an answer, with the pieces in which it comes.
#[derive(Debug, Clone)]
enum Block {
    Text(Vec<String>),
    Tool(Value, Vec<prop::sample::Index>),
    Thinking(Vec<String>),
}

fn block() -> impl Strategy<Value = Block> + Clone {
    let texts = || prop::collection::vec(text(), 0..4);
    let input = prop::collection::hash_map(text(), json(), 0..3).prop_map(|map| json!(map));
    prop_oneof![
        3 => texts().prop_map(Block::Text),
        2 => (input, prop::collection::vec(any::<prop::sample::Index>(), 0..4)).prop_map(|(input, cuts)| Block::Tool(input, cuts)),
        1 => texts().prop_map(Block::Thinking),
    ]
}

/// Cuts a text between characters.
fn text_pieces(text: &str, cuts: &[prop::sample::Index]) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(characters.len() + 1)).chain([0, characters.len()]).collect();
    places.sort_unstable();
    places.windows(2).map(|pair| characters[pair[0]..pair[1]].iter().collect()).collect()
}

/// The events of an answer, as their JSON.
fn events(blocks: &[Block], stop_reason: &str) -> Vec<Value> {
    let usage = json!({"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1});
    let mut events = vec![json!({"type": "message_start", "message": {"model": "claude-test", "usage": usage}})];
    for (index, block) in blocks.iter().enumerate() {
        let (start, deltas) = match block {
            Block::Text(texts) => {
                (json!({"type": "text", "text": ""}), texts.iter().map(|text| json!({"type": "text_delta", "text": text})).collect())
            }
            Block::Thinking(texts) => (
                json!({"type": "thinking", "thinking": ""}),
                texts.iter().map(|text| json!({"type": "thinking_delta", "thinking": text})).collect(),
            ),
            Block::Tool(input, cuts) => {
                let deltas: Vec<Value> = text_pieces(&input.to_string(), cuts)
                    .iter()
                    .map(|piece| json!({"type": "input_json_delta", "partial_json": piece}))
                    .collect();
                (json!({"type": "tool_use", "id": format!("toolu_{index}"), "name": "look", "input": {}}), deltas)
            }
        };
        events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        events.push(json!({"type": "ping"}));
        events.extend(deltas.into_iter().map(|delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta})));
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": {"output_tokens": 9}}));
    events.push(json!({"type": "message_stop"}));
    events
}

/// Events on the wire, with lines that end in one of three ways and comments between them.
fn wire(events: &[Value], ending: &str) -> Vec<u8> {
    let mut text = String::from(": a comment\n\n");
    for event in events {
        write!(text, "event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default()).unwrap();
    }
    text.replace('\n', ending).into_bytes()
}

/// What the blocks say: all text, and the inputs of the tools.
fn said(blocks: &[Block]) -> (String, Vec<Value>) {
    let (mut text, mut inputs) = (String::new(), Vec::new());
    for block in blocks {
        match block {
            Block::Text(texts) => text.extend(texts.iter().map(String::as_str)),
            Block::Tool(input, _) => inputs.push(input.clone()),
            Block::Thinking(_) => {}
        }
    }
    (text, inputs)
}

#[tokio::test]
async fn in_whatever_pieces_an_answer_comes_it_says_the_same() {
    let model = Model::start().await;
    let endings = prop::sample::select(vec!["\n", "\r\n", "\r"]);
    let stop = prop::sample::select(vec!["end_turn", "tool_use", "max_tokens", "a_novelty"]);
    let cuts = prop::collection::vec(any::<prop::sample::Index>(), 0..40);
    check(
        "streams of Claude",
        CASES,
        &(prop::collection::vec(block(), 0..5), stop, endings, cuts),
        async |(blocks, stop, ending, cuts)| {
            let body = wire(&events(&blocks, stop), ending);
            model.server.set(Canned { status: 200, pieces: pieces(&body, &cuts), ..Canned::default() }.with_header("request-id", "req_1"));
            let (events, message) = model.ask().await.map_err(|error| TestCaseError::fail(error.to_string()))?;
            let (text, inputs) = said(&blocks);
            let (mut heard, mut called) = (String::new(), Vec::new());
            for event in &events {
                match event {
                    StreamEvent::Text(piece) => {
                        prop_assert!(!piece.is_empty());
                        heard.push_str(piece);
                    }
                    StreamEvent::ToolUse(call) => called.push(call.input.clone()),
                    StreamEvent::Done { stop_reason, usage } => {
                        prop_assert_eq!(
                            (stop_reason.as_str(), usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens),
                            (stop, 5, 7, 9)
                        );
                    }
                }
            }
            prop_assert!(matches!(events.last(), Some(StreamEvent::Done { .. })), "it does not end");
            prop_assert_eq!((&heard, &called), (&text, &inputs));
            prop_assert_eq!((message.text(), message.content.len(), message.request_id.as_str()), (text, blocks.len(), "req_1"));
            let to_run: Vec<Value> = message.tool_uses().into_iter().map(|call| call.input).collect();
            prop_assert_eq!(to_run, if message.stop_reason == StopReason::ToolUse { inputs } else { Vec::new() });
            model.server.set(Canned::body(200, body).with_header("request-id", "req_1"));
            let (_, whole) = model.ask().await.map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(whole, message);
            Ok(())
        },
    )
    .await;
}

#[tokio::test]
async fn a_broken_answer_ends_in_an_error_that_quotes_nothing() {
    let model = Model::start().await;
    let whole = (prop::collection::vec(block(), 0..4), prop::sample::select(vec!["end_turn", "tool_use"]))
        .prop_map(|(blocks, stop)| events(&blocks, stop));
    let error = json!({"type": "error", "error": {"type": MARK, "message": MARK}});
    let shuffled =
        (whole.clone(), prop::collection::vec((any::<prop::sample::Index>(), json()), 0..4)).prop_map(move |(mut events, changes)| {
            for (place, value) in changes {
                let place = place.index(events.len());
                match &value {
                    Value::Null => drop(events.remove(place)),
                    Value::Bool(_) => events.insert(place, error.clone()),
                    Value::Object(_) => events.insert(place, value),
                    _ => events[place]["index"] = value,
                }
                if events.is_empty() {
                    break;
                }
            }
            wire(&events, "\n")
        });
    let body = prop_oneof![
        3 => whole.prop_flat_map(|events| damaged(wire(&events, "\n"))),
        3 => shuffled,
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ];
    let cuts = prop::collection::vec(any::<prop::sample::Index>(), 0..6);
    check("broken streams of Claude", CASES, &(body, cuts, any::<bool>()), async |(body, cuts, breaks)| {
        model.server.set(Canned { status: 200, pieces: pieces(&body, &cuts), breaks, ..Canned::default() });
        match model.ask().await {
            Ok((events, message)) => {
                prop_assert!(matches!(events.last(), Some(StreamEvent::Done { .. })), "it does not end");
                let heard: String = events
                    .iter()
                    .filter_map(|event| if let StreamEvent::Text(text) = event { Some(text.as_str()) } else { None })
                    .collect();
                // Pieces of several blocks may come in turns: the characters are the same, in another order.
                let sorted = |text: &str| {
                    let mut characters: Vec<char> = text.chars().collect();
                    characters.sort_unstable();
                    characters
                };
                prop_assert_eq!(sorted(&heard), sorted(&message.text()));
            }
            Err(error) => prop_assert!(!telemetry::chain(&error).contains(MARK) && !format!("{error:?}").contains(MARK), "{error:?}"),
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_refusal_of_claudes_is_understood_by_its_status_and_never_quoted() {
    let model = Model::start().await;
    let kinds = vec!["invalid_request_error", "overloaded_error", "rate_limit_error", "api_error", MARK];
    let message = prop_oneof![
        Just(MARK.to_owned()),
        text().prop_map(|text| format!("messages.3.content: {text}{MARK}")),
        Just(format!("{MARK}: {MARK}"))
    ];
    let fault = (prop::sample::select(kinds), message, json()).prop_map(|(kind, message, details)| {
        json!({"type": "error", "error": {"type": kind, "message": message, "details": details}}).to_string().into_bytes()
    });
    let body = prop_oneof![4 => fault.clone(), 1 => fault.prop_flat_map(damaged), 1 => prop::collection::vec(any::<u8>(), 0..64), 1 => json().prop_map(|json| json.to_string().into_bytes())];
    let wait =
        prop_oneof![2 => Just(String::new()), 1 => "[0-9.]{1,20}", 1 => text(), 1 => Just("Mon, 23 Nov 2026 10:00:00 GMT".to_owned())];
    let status = prop_oneof![5 => prop::sample::select(vec![400_u16, 401, 408, 409, 413, 429, 500, 529]), 1 => 300_u16..600];
    check("refusals of Claude", CASES, &(status, body, wait.clone(), wait, text()), async |(status, body, wait, wait_ms, id)| {
        let answer = Canned::body(status, body).with_header("retry-after", wait).with_header("retry-after-ms", wait_ms);
        model.server.set(answer.with_header("request-id", id).with_header("date", "Mon, 23 Nov 2026 10:00:30 GMT"));
        let Err(error) = model.ask().await else {
            return Err(TestCaseError::fail(format!("{status} brought an answer")));
        };
        prop_assert!(!telemetry::chain(&error).contains(MARK) && !format!("{error:?}").contains(MARK), "{error:?}");
        let fits = match &error {
            ClaudeError::Rejected { status: said, .. } => *said == status && status < 500 && ![408, 409, 429].contains(&status),
            ClaudeError::Overloaded { .. } | ClaudeError::SpendLimit { .. } => true,
            ClaudeError::RateLimited { .. } => status == 429,
            ClaudeError::Unavailable { .. } => status >= 500 || [408, 409].contains(&status),
            // Asked again where that was allowed, until the time was up.
            ClaudeError::Timeout { .. } => [408, 409, 429].contains(&status) || status >= 500,
            ClaudeError::CutOff { .. } => false,
        };
        prop_assert!(fits, "{status}: {error:?}");
        Ok(())
    })
    .await;
}
