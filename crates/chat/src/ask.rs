//! `POST /chat`: a question of the athlete's, answered from the whole history.
//!
//! Facts first, then words: the first flight to the database checks who asks and brings their own today, the second
//! brings the facts; the coach answers; the third stores both messages of the turn, before the app is told "done".

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use lambda_http::http::StatusCode;
use runaway_core::config::DailyLimit;
use runaway_core::db::coach_memory::{self, Person};
use runaway_core::db::conversations::{self, HISTORY_MESSAGES_MAX, StoredTurn, Turn};
use runaway_core::db::request_limits::{self, Kind};
use runaway_core::db::{AthleteTx, best_efforts};
use runaway_core::http::{ApiError, Call, Caller, Reply, Streamed};
use runaway_core::telemetry;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::coach::{self, Answered, Deltas};
use crate::conversations::NO_CONVERSATION;
use crate::facts::{Facts, local_today};
use crate::question::{Anchors, Question};
use crate::remember::Effect;
use crate::safety::Emergency;
use crate::{App, events, plan, prompt};

/// Characters of a message.
const MESSAGE_CHARS_MAX: usize = 4_000;
/// How long the model may take for an answer, with all its tools.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(90);
/// What is kept of the function's time for storing the turn.
const STORING_TIME: Duration = Duration::from_secs(5);
/// Nobody in need is told to come back tomorrow.
const NO_LIMIT: DailyLimit = DailyLimit { requests_max: i32::MAX, tokens_max: i64::MAX };
const LIMIT_MESSAGE: &str = "You have asked the coach as much as one day allows. Please come back tomorrow.";

/// A request's body.
#[derive(Debug, Clone)]
struct Asked {
    message: String,
    conversation_id: Option<Uuid>,
    client_message_id: Option<Uuid>,
    named: Vec<i64>,
}

impl Asked {
    fn read(call: &Call) -> Result<Self, ApiError> {
        let fields = call.fields()?;
        let message = fields
            .text("message")?
            .map(str::trim)
            .filter(|message| !message.is_empty())
            .ok_or_else(|| ApiError::field("message", "is missing"))?;
        if message.chars().count() > MESSAGE_CHARS_MAX {
            return Err(ApiError::InvalidRequest(format!("message has more than {MESSAGE_CHARS_MAX} characters.")));
        }
        if message.chars().any(|c| c.is_control() && !c.is_whitespace()) {
            return Err(ApiError::field("message", "holds characters that are no text"));
        }
        Ok(Self {
            message: message.to_owned(),
            conversation_id: fields.uuid("conversation_id")?,
            client_message_id: fields.uuid("client_message_id")?,
            named: call.named(&fields)?,
        })
    }
}

/// What the first flight brings.
enum Opened {
    /// The same message was answered before.
    Before(StoredTurn),
    /// Something that is answered with a fixed text.
    Emergency(Emergency, Person),
    /// The facts.
    Facts(Box<Facts>),
}

/// Answers a question.
pub(crate) async fn ask(app: &Arc<App>, caller: Caller, call: &Call) -> Result<Streamed, ApiError> {
    let asked = Asked::read(call)?;
    let now = app.clock.now();
    let deadline = Instant::now() + call.time_left.saturating_sub(STORING_TIME).min(ANSWER_TIME_MAX);
    // Many statements at once make a large future: it lives on the heap.
    let facts = match Box::pin(open(app, caller, &asked, now)).await? {
        Opened::Facts(facts) => facts,
        Opened::Before(turn) => return Ok(fixed(call, answer_json(&turn.answer, turn.conversation_id, &turn.context, turn.at))),
        Opened::Emergency(emergency, person) => return Ok(fixed(call, help(app, caller, &asked, emergency, &person, now).await?)),
    };
    if !call.wants_events() {
        let answer = finish(app, caller, &asked, &facts, now, deadline, None).await?;
        return Ok(Streamed::Whole(Reply::json(StatusCode::OK, &answer)));
    }
    let app = Arc::clone(app);
    let events = events::stream(call.request_id.clone(), move |deltas| async move {
        finish(&app, caller, &asked, &facts, now, deadline, Some(deltas)).await
    });
    Ok(Streamed::Events(events))
}

/// An answer that is there already, in the form the caller wants.
fn fixed(call: &Call, answer: Value) -> Streamed {
    if !call.wants_events() {
        return Streamed::Whole(Reply::json(StatusCode::OK, &answer));
    }
    Streamed::Events(events::stream(call.request_id.clone(), move |deltas| async move {
        deltas.send(answer["answer"].as_str().unwrap_or_default().to_owned()).ok();
        Ok(answer)
    }))
}

/// Checks who asks, takes the message out of the day's allowance, and reads the facts.
async fn open(app: &App, caller: Caller, asked: &Asked, now: Timestamp) -> Result<Opened, ApiError> {
    let emergency = Emergency::in_message(&asked.message);
    let tx = app.db.athlete(caller.user_id).await?;
    let (person, conversation, history, remembered, before, races, allowed) = tokio::join!(
        biased;
        coach_memory::person(&tx),
        conversations::find(&tx, asked.conversation_id),
        conversations::messages(&tx, asked.conversation_id, HISTORY_MESSAGES_MAX),
        coach_memory::facts(&tx),
        conversations::repeated(&tx, asked.client_message_id, now),
        best_efforts::newest_races(&tx),
        request_limits::take(&tx, Kind::Chat, if emergency.is_some() { NO_LIMIT } else { app.limit }, now),
    );
    let (person, history, remembered, races) = (person?, history?, remembered?, races?);
    if let Some(person) = &person {
        telemetry::note_athlete(person.athlete_id);
    }
    if asked.named.iter().any(|id| person.as_ref().is_none_or(|person| person.athlete_id != *id)) {
        return Err(ApiError::Forbidden);
    }
    let person = person.ok_or_else(ApiError::no_athlete)?;
    if conversation?.is_none() && asked.conversation_id.is_some() {
        return Err(NO_CONVERSATION);
    }
    if let Some(turn) = before? {
        return Ok(Opened::Before(turn));
    }
    if !allowed? {
        return Err(ApiError::used_up(LIMIT_MESSAGE, now));
    }
    if let Some(emergency) = emergency {
        tx.commit().await?;
        return Ok(Opened::Emergency(emergency, person));
    }
    let anchors = Anchors { race: races.race, marathon: races.marathon, half_marathon: races.half_marathon, ten_km: races.ten_km };
    let today = local_today(&person.timezone, now);
    let asked_before = history.iter().rev().find(|message| message.role == "user");
    let before = asked_before.map(|message| Question::read(&message.text, today, &anchors));
    let question = Question::read(&asked.message, today, &anchors).following(&asked.message, before.as_ref());
    let reads = plan::plan(&question);
    // Many statements at once make a large future: it lives on the heap.
    let facts = Box::pin(Facts::read(&tx, person, remembered, history, question, &reads)).await?;
    tx.commit().await?;
    Ok(Opened::Facts(Box::new(facts)))
}

/// Lets the coach answer and stores the turn.
async fn finish(
    app: &App,
    caller: Caller,
    asked: &Asked,
    facts: &Facts,
    now: Timestamp,
    deadline: Instant,
    deltas: Option<Deltas>,
) -> Result<Value, ApiError> {
    let answered = coach::answer(app, caller, facts, &asked.message, now, deadline, deltas.as_ref()).await?;
    let mut context = json!({
        "recentActivitiesCount": facts.recent.activities.len(), "relevantActivitiesCount": facts.relevant_activities(),
        "totalActivities": facts.total_activities(), "historyMessages": prompt::complete_turns(facts).len(), "coach": answered.coach,
    });
    if let Some(reason) = answered.reason {
        context["coach_reason"] = json!(reason);
    }
    let stored = store(app, caller, facts.person.athlete_id, asked, &answered, &context, now).await?;
    if answered.incomplete {
        return Err(ApiError::UpstreamUnavailable(
            "Claude's answer was cut off after some of it was shown; the turn is stored as incomplete".into(),
        ));
    }
    Ok(stored)
}

/// Answers an emergency with its fixed text, and stores the turn.
async fn help(app: &App, caller: Caller, asked: &Asked, emergency: Emergency, person: &Person, now: Timestamp) -> Result<Value, ApiError> {
    tracing::info!(athlete.id = person.athlete_id, "The safety gate answered a message with a fixed text");
    let context = json!({
        "recentActivitiesCount": 0, "relevantActivitiesCount": 0, "totalActivities": 0, "historyMessages": 0, "coach": "safety",
    });
    let answered = Answered { text: emergency.answer().to_owned(), coach: "safety", ..Answered::default() };
    store(app, caller, person.athlete_id, asked, &answered, &context, now).await
}

/// Both messages, what they change in the memory, and what they cost, or nothing.
async fn store(
    app: &App,
    caller: Caller,
    athlete_id: i64,
    asked: &Asked,
    answered: &Answered,
    context: &Value,
    now: Timestamp,
) -> Result<Value, ApiError> {
    let conversation_id = asked.conversation_id.unwrap_or_else(Uuid::now_v7);
    let turn = Turn {
        conversation_id,
        is_first: asked.conversation_id.is_none(),
        client_message_id: asked.client_message_id,
        question: &asked.message,
        answer: &answered.text,
        incomplete: answered.incomplete,
        context,
        at: now,
    };
    let tx = app.db.athlete(caller.user_id).await?;
    let (stored, counted, remembered) = tokio::join!(
        biased;
        conversations::store(&tx, athlete_id, &turn),
        request_limits::add_tokens(&tx, Kind::Chat, now, answered.tokens),
        remember(&tx, athlete_id, &answered.effects, now),
    );
    let stored = stored?;
    counted?;
    remembered?;
    if stored {
        tx.commit().await?;
        return Ok(answer_json(&answered.text, conversation_id, context, now));
    }
    drop(tx);
    // The same message was answered meanwhile, or the conversation was deleted.
    let tx = app.db.athlete(caller.user_id).await?;
    let (before, counted) = tokio::join!(
        biased;
        conversations::repeated(&tx, asked.client_message_id, now),
        // What the model was asked is paid for, whether its answer is kept or not.
        request_limits::add_tokens(&tx, Kind::Chat, now, answered.tokens),
    );
    let before = before?;
    counted?;
    tx.commit().await?;
    let turn = before.ok_or(NO_CONVERSATION)?;
    Ok(answer_json(&turn.answer, turn.conversation_id, &turn.context, turn.at))
}

/// All at once: how many round trips a turn costs does not depend on what it changes.
async fn remember(tx: &AthleteTx, athlete_id: i64, effects: &[Effect], now: Timestamp) -> Result<(), runaway_core::db::DbError> {
    let change = async |effect: &Effect| match effect {
        Effect::Remember { kind, text } => coach_memory::remember(tx, athlete_id, kind, text, now).await.map(drop),
        Effect::Forget(id) => coach_memory::forget(tx, *id).await.map(drop),
    };
    join_all(effects.iter().map(change)).await.into_iter().collect()
}

/// The contract's shape.
fn answer_json(answer: &str, conversation_id: Uuid, context: &Value, at: Timestamp) -> Value {
    json!({ "answer": answer, "conversation_id": conversation_id, "context": context, "timestamp": at })
}
