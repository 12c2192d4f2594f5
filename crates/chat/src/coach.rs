//! Who answers: Claude, where there is a key and the data may be sent, else the facts-only coach. Both answer from
//! the same facts.

use futures_util::future::join_all;
use jiff::Timestamp;
use runaway_core::claude::{
    ClaudeError, MessageRequest, Permit, Refusal, StopReason, StreamEvent, ToolResult, ToolUse, Usage, tool_results,
};
use runaway_core::db::DbError;
use runaway_core::db::request_limits::{self, Kind};
use runaway_core::http::{ApiError, Caller};
use runaway_core::telemetry::{self, FAILURES, Line};
use runaway_core::vault::fingerprint;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use crate::facts::Facts;
use crate::remember::{self, Effect};
use crate::tools::{self, CALLS_PER_ROUND_MAX, Prepared};
use crate::{App, prompt, safety, sentences};

/// Rounds of tools in one answer.
const TOOL_ROUNDS_MAX: usize = 4;
/// What is shown where the model declines.
const DECLINED: &str = "I would rather not answer that. Ask me about your training, and I will gladly look.";

/// Where text goes as soon as it is there.
pub(crate) type Deltas = UnboundedSender<String>;

/// An answer.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// The words.
    pub(crate) text: String,
    /// Who answered, as the app is told.
    pub(crate) coach: &'static str,
    /// Why it was not the model.
    pub(crate) reason: Option<&'static str>,
    /// Model tokens, read and written.
    pub(crate) tokens: i64,
    /// What it changes in the memory.
    pub(crate) effects: Vec<Effect>,
    /// Whether an error cut it off after some of it was shown.
    pub(crate) incomplete: bool,
}

/// Answers from the facts. Text is sent to `deltas` as it comes.
///
/// # Errors
/// Where the database fails in a tool of the model's.
pub(crate) async fn answer(
    app: &App,
    caller: Caller,
    facts: &Facts,
    message: &str,
    now: Timestamp,
    deadline: Instant,
    deltas: Option<&Deltas>,
) -> Result<Answered, ApiError> {
    let sources = facts.person.sources.iter().map(String::as_str);
    let permit = match app.gate.permit(sources) {
        Ok(permit) => permit,
        Err(Refusal::NoKey) => return Ok(facts_only(facts, message, "no_model", deltas)),
        Err(Refusal::SourceNotAllowed(_)) => return Ok(facts_only(facts, message, "source_not_allowed", deltas)),
    };
    let mut talk =
        Talk { app, caller, facts, deltas, answered: Answered { coach: "claude", ..Answered::default() }, spoke: false, usage: 0 };
    let outcome = talk.run(&permit, message, deadline).await;
    let mut answered = talk.answered;
    answered.tokens = talk.usage;
    match outcome {
        Ok(()) => Ok(answered),
        Err(Broken::Database(error)) => {
            // No turn is stored that would count them.
            if let Err(error) = pay(app, caller, answered.tokens, now).await {
                tracing::warn!(cause = telemetry::chain(&error), "Model tokens could not be counted");
            }
            Err(error)
        }
        Err(Broken::Claude(error)) => {
            report(facts.person.athlete_id, &error);
            let was_shown = deltas.is_some() && !answered.text.is_empty();
            if was_shown {
                return Ok(Answered { incomplete: true, ..answered });
            }
            Ok(Answered { tokens: answered.tokens, ..facts_only(facts, message, "model_unavailable", deltas) })
        }
    }
}

/// Counts what the model has cost, where no turn is stored.
async fn pay(app: &App, caller: Caller, tokens: i64, now: Timestamp) -> Result<(), DbError> {
    let tx = app.db.athlete(caller.user_id).await?;
    request_limits::add_tokens(&tx, Kind::Chat, now, tokens).await?;
    tx.commit().await
}

/// The facts-only coach.
fn facts_only(facts: &Facts, message: &str, reason: &'static str, deltas: Option<&Deltas>) -> Answered {
    let (effects, text) = remember::command(message, &facts.remembered).unwrap_or_else(|| (vec![], sentences::answer(facts)));
    let text = if safety::hurts(message) && effects.is_empty() { format!("{}\n\n{text}", safety::NO_DIAGNOSIS) } else { text };
    send(deltas, &text);
    Answered { text, coach: "facts_only", reason: Some(reason), effects, ..Answered::default() }
}

fn send(deltas: Option<&Deltas>, text: &str) {
    // A caller that has left no longer listens; the answer is stored all the same.
    deltas.map(|deltas| deltas.send(text.to_owned()).ok());
}

/// One line about a model that did not answer; what needs the operator is an error.
fn report(athlete_id: i64, error: &ClaudeError) {
    let line = if matches!(error, ClaudeError::Rejected { .. } | ClaudeError::SpendLimit { .. }) {
        Line::error("Claude refuses our requests; athletes are answered from facts only until this is mended")
    } else {
        Line::warn("Claude did not answer; the athlete is answered from facts only")
    };
    line.field("athlete.id", athlete_id).field("cause", telemetry::chain(error)).metric_by(FAILURES, error.class(), 1).write();
}

enum Broken {
    Claude(ClaudeError),
    Database(ApiError),
}

/// A talk with the model about one question.
struct Talk<'a> {
    app: &'a App,
    caller: Caller,
    facts: &'a Facts,
    deltas: Option<&'a Deltas>,
    answered: Answered,
    /// Whether the model's last message has words.
    spoke: bool,
    usage: i64,
}

impl Talk<'_> {
    async fn run(&mut self, permit: &Permit<'_>, message: &str, deadline: Instant) -> Result<(), Broken> {
        let mut request = prompt::request(self.facts, message, opaque_id(self.caller));
        for round in 0..=TOOL_ROUNDS_MAX {
            let calls = self.turn(permit, &mut request, deadline).await?;
            if calls.is_empty() {
                break;
            }
            let results = if round < TOOL_ROUNDS_MAX { self.call(&calls).await.map_err(Broken::Database)? } else { refused(&calls) };
            request.messages.push(tool_results(&results));
            if round == TOOL_ROUNDS_MAX {
                // One more turn, in which it has to do with what it has.
                self.turn(permit, &mut request, deadline).await?;
            }
        }
        if !self.spoke {
            // Rounds and rounds of tools, and no word in the end: the facts speak for themselves.
            let facts_only = facts_only(self.facts, message, "model_silent", None);
            self.say(&facts_only.text, true);
            self.answered = Answered { text: std::mem::take(&mut self.answered.text), ..facts_only };
        }
        Ok(())
    }

    /// Adds words to the answer, where wanted in a paragraph of their own, and shows them.
    fn say(&mut self, text: &str, is_paragraph: bool) {
        let gap = if is_paragraph && !self.answered.text.is_empty() { "\n\n" } else { "" };
        self.answered.text.push_str(gap);
        self.answered.text.push_str(text);
        send(self.deltas, &format!("{gap}{text}"));
    }

    /// One message of the model's; returns the tools it wants called.
    async fn turn(&mut self, permit: &Permit<'_>, request: &mut MessageRequest, deadline: Instant) -> Result<Vec<ToolUse>, Broken> {
        let mut stream = permit.stream(request, deadline).await.map_err(Broken::Claude)?;
        self.spoke = false;
        let mut begun = false;
        let stopped = loop {
            match stream.next().await {
                Ok(Some(StreamEvent::Text(text))) => {
                    // Words before a tool and words after it are two paragraphs.
                    self.say(&text, !begun);
                    begun = true;
                    self.spoke |= !text.trim().is_empty();
                }
                Ok(Some(StreamEvent::ToolUse(_))) => {}
                Ok(Some(StreamEvent::Done { stop_reason, usage })) => {
                    self.usage += tokens(usage);
                    break stop_reason;
                }
                Ok(None) => break StopReason::EndTurn,
                Err(error) => {
                    self.usage += tokens(stream.usage());
                    return Err(Broken::Claude(error));
                }
            }
        };
        match stopped {
            StopReason::Refusal => {
                // What was shown cannot be taken back.
                if self.deltas.is_none() {
                    self.answered.text.clear();
                }
                self.say(DECLINED, true);
                self.spoke = true;
                return Ok(vec![]);
            }
            StopReason::MaxTokens | StopReason::ContextWindowExceeded if self.spoke => self.say(" …", false),
            _ => {}
        }
        let Some(message) = stream.into_message() else { return Ok(vec![]) };
        let calls = message.tool_uses();
        request.messages.push(message.to_turn());
        Ok(calls)
    }

    /// Calls the tools, in one transaction of the caller's where they read.
    async fn call(&mut self, calls: &[ToolUse]) -> Result<Vec<ToolResult>, ApiError> {
        let (answered, too_many) = calls.split_at_checked(CALLS_PER_ROUND_MAX).unwrap_or((calls, &[]));
        let effects = &mut self.answered.effects;
        let prepared: Vec<Prepared> = answered.iter().map(|call| tools::prepare(call, self.facts, effects)).collect();
        let mut results = self.read(&prepared).await?;
        results.extend(refused(too_many));
        Ok(results)
    }

    async fn read(&self, calls: &[Prepared]) -> Result<Vec<ToolResult>, ApiError> {
        // Where no call reads, nothing is begun.
        let tx = self.app.db.athlete(self.caller.user_id).await?;
        let results = join_all(calls.iter().map(async |call| match call {
            Prepared::Answered(result) => Ok(result.clone()),
            Prepared::Reads { id, reads } => tools::read(&tx, self.facts, id, reads).await,
        }));
        let results = results.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        tx.commit().await?;
        Ok(results)
    }
}

/// Results that say that no more is looked up.
fn refused(calls: &[ToolUse]) -> Vec<ToolResult> {
    let result = |call: &ToolUse| ToolResult {
        tool_use_id: call.id.clone(),
        content: r#"{"error":"no more calls for this answer: answer with what is known, and say what is not"}"#.to_owned(),
        is_error: true,
    };
    calls.iter().map(result).collect()
}

fn tokens(usage: Usage) -> i64 {
    i64::try_from(usage.read_tokens() + usage.output_tokens).unwrap_or(i64::MAX)
}

/// The user as Claude is told: always the same, and nobody's.
fn opaque_id(caller: Caller) -> String {
    let hash = fingerprint(format!("runaway coach {}", caller.user_id).as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
