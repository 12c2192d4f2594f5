//! Asking the model for the week's words: once, and once more where its answer is not proven by the facts.

use runaway_core::claude::{ClaudeError, MessageRequest, Permit, StopReason, SystemBlock, Thinking, user_text};
use runaway_core::telemetry::{self, FAILURES, Line};
use serde_json::Value;
use tokio::time::Instant;

use crate::facts::Facts;
use crate::prompt::{self, Texts};

/// The most tokens of one answer, thinking included.
const ANSWER_TOKENS_MAX: u32 = 3_000;
/// Answers that are asked for before the facts have to speak for themselves.
const TRIES_MAX: usize = 2;

/// What became of it.
#[derive(Debug)]
pub(crate) enum Answered {
    /// Every figure is proven.
    Proven {
        /// The words.
        texts: Texts,
        /// Who wrote them.
        model: String,
    },
    /// No answer could be believed: another try would cost the same again.
    Unproven,
    /// The model could not be reached: worth another try later.
    Unreachable,
}

/// Asks, and adds the tokens spent to `tokens`.
pub(crate) async fn ask(permit: &Permit<'_>, facts: &Facts, deadline: Instant, tokens: &mut u64) -> Answered {
    let mut messages = vec![user_text(&prompt::question(facts))];
    for _ in 0..TRIES_MAX {
        let request = request(messages.clone(), facts);
        let message = match permit.complete(&request, deadline).await {
            Ok(message) => message,
            Err(error) => {
                log_failure(&error);
                return Answered::Unreachable;
            }
        };
        let usage = message.usage;
        *tokens += usage.read_tokens() + usage.output_tokens;
        let believed = match message.stop_reason {
            StopReason::EndTurn | StopReason::StopSequence => prompt::believed(&message.text(), facts),
            ref other => Err(vec![format!("it stopped with {}", other.as_str())]),
        };
        match believed {
            Ok(texts) => return Answered::Proven { texts, model: message.model },
            Err(problems) => {
                tracing::warn!(
                    problems = problems.len(),
                    claude.request_id = message.request_id,
                    "The model's week is not proven by the facts"
                );
                messages.push(message.to_turn());
                messages.push(user_text(&prompt::correction(&problems)));
            }
        }
    }
    Answered::Unproven
}

fn request(messages: Vec<Value>, facts: &Facts) -> MessageRequest {
    MessageRequest {
        tools: Vec::new(),
        system: vec![SystemBlock { text: prompt::SYSTEM.to_owned(), cache: None }],
        messages,
        cache_dialogue: None,
        thinking: Thinking::BetweenTools,
        output_schema: Some(prompt::schema(facts)),
        max_tokens: ANSWER_TOKENS_MAX,
        user_id: None,
    }
}

/// What only the operator can mend is an error; the rest passes by itself.
fn log_failure(error: &ClaudeError) {
    let line = match error {
        ClaudeError::Rejected { .. } | ClaudeError::SpendLimit { .. } => {
            Line::error("Claude refuses the journal's request; the week is written from the facts alone")
        }
        _ => Line::warn("Claude cannot be reached; the week is written from the facts alone for now"),
    };
    line.field("cause", telemetry::chain(error)).metric_by(FAILURES, error.class(), 1).write();
}
