//! Conversations with the coach: the tables `coach_conversations` and `chat_conversations`.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::tx::{Params, Scope as _};
use super::{AthleteTx, DbError};

/// Messages of a conversation that the coach is given.
pub const HISTORY_MESSAGES_MAX: i64 = 10;
/// Messages of a conversation that the app is shown, the newest.
pub const SHOWN_MESSAGES_MAX: i64 = 1000;
/// Characters of a preview.
pub const PREVIEW_CHARS_MAX: usize = 120;
/// For how long the app's own id of a message brings back the stored answer.
pub const REPEATED_MESSAGE_TTL: SignedDuration = SignedDuration::from_hours(24);

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// `user` or `assistant`.
    pub role: String,
    /// The words.
    pub text: String,
    /// When it was stored.
    pub at: Timestamp,
    /// Whether an error cut it off.
    pub incomplete: bool,
}

/// A conversation as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// Its id.
    pub id: Uuid,
    /// The beginning of its first message.
    pub preview: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When its last turn was stored.
    pub updated_at: Timestamp,
}

/// A turn that was stored for the app's own id of its message.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTurn {
    /// The conversation.
    pub conversation_id: Uuid,
    /// The answer.
    pub answer: String,
    /// What it was made from.
    pub context: Value,
    /// When it was stored.
    pub at: Timestamp,
}

fn conversation(row: &Row) -> Result<Conversation, DbError> {
    Ok(Conversation { id: row.try_get(0)?, preview: row.try_get(1)?, created_at: row.try_get(2)?, updated_at: row.try_get(3)? })
}

fn message(row: &Row) -> Result<Message, DbError> {
    Ok(Message { role: row.try_get(0)?, text: row.try_get(1)?, at: row.try_get(2)?, incomplete: row.try_get(3)? })
}

/// The caller's conversations, the newest first.
///
/// # Errors
/// See [`DbError`].
pub async fn newest(tx: &AthleteTx, most: i64) -> Result<Vec<Conversation>, DbError> {
    let sql = "
        SELECT id, preview, created_at, updated_at FROM coach_conversations
         WHERE athlete_id = (SELECT current_athlete_id()) ORDER BY updated_at DESC, id DESC LIMIT $1";
    tx.tx().query(sql, &[(&most, Type::INT8)]).await?.iter().map(conversation).collect()
}

/// The caller's conversation.
///
/// # Errors
/// See [`DbError`].
pub async fn find(tx: &AthleteTx, id: Option<Uuid>) -> Result<Option<Conversation>, DbError> {
    let sql = "SELECT id, preview, created_at, updated_at FROM coach_conversations WHERE id = $1";
    tx.tx().query_opt(sql, &[(&id, Type::UUID)]).await?.as_ref().map(conversation).transpose()
}

/// The newest `most` messages of a conversation, the oldest of them first.
///
/// # Errors
/// See [`DbError`].
pub async fn messages(tx: &AthleteTx, conversation_id: Option<Uuid>, most: i64) -> Result<Vec<Message>, DbError> {
    let sql = r#"
        SELECT role, message, "timestamp", incomplete FROM chat_conversations
         WHERE athlete_id = (SELECT current_athlete_id()) AND conversation_id = $1 ORDER BY "timestamp" DESC, id DESC LIMIT $2"#;
    let rows = tx.tx().query(sql, &[(&conversation_id, Type::UUID), (&most, Type::INT8)]).await?;
    rows.iter().rev().map(message).collect()
}

/// Removes the caller's conversation with its messages; `false` where there is none.
///
/// # Errors
/// See [`DbError`].
pub async fn delete(tx: &AthleteTx, id: Uuid) -> Result<bool, DbError> {
    Ok(tx.tx().query_opt("DELETE FROM coach_conversations WHERE id = $1 RETURNING 1", &[(&id, Type::UUID)]).await?.is_some())
}

/// The turn stored for a message that the app sends again; a turn that was cut off is none.
///
/// # Errors
/// See [`DbError`].
pub async fn repeated(tx: &AthleteTx, client_message_id: Option<Uuid>, now: Timestamp) -> Result<Option<StoredTurn>, DbError> {
    let sql = r#"
        SELECT conversation_id, message, context, "timestamp" FROM chat_conversations
         WHERE athlete_id = (SELECT current_athlete_id()) AND client_message_id = $1 AND role = 'assistant' AND NOT incomplete
           AND "timestamp" > $2
         ORDER BY "timestamp" DESC LIMIT 1"#;
    let since = now - REPEATED_MESSAGE_TTL;
    let row = tx.tx().query_opt(sql, &[(&client_message_id, Type::UUID), (&since, Type::TIMESTAMPTZ)]).await?;
    row.map(|row| {
        let context: Option<Value> = row.try_get(2)?;
        Ok(StoredTurn {
            conversation_id: row.try_get(0)?,
            answer: row.try_get(1)?,
            context: context.unwrap_or_default(),
            at: row.try_get(3)?,
        })
    })
    .transpose()
}

/// A question and its answer.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The conversation.
    pub conversation_id: Uuid,
    /// Whether it begins with this turn.
    pub is_first: bool,
    /// The app's own id of the question.
    pub client_message_id: Option<Uuid>,
    /// The question.
    pub question: &'a str,
    /// The answer.
    pub answer: &'a str,
    /// Whether an error cut the answer off.
    pub incomplete: bool,
    /// What the answer was made from.
    pub context: &'a Value,
    /// Now.
    pub at: Timestamp,
}

/// Stores both messages of a turn, in one flight. `false`, and nothing to be kept, where the same message was answered
/// meanwhile or its conversation was deleted.
///
/// # Errors
/// See [`DbError`].
pub async fn store(tx: &AthleteTx, athlete_id: i64, turn: &Turn<'_>) -> Result<bool, DbError> {
    let (locked, begun, written) =
        tokio::join!(biased; lock_message(tx, turn), begin_or_touch(tx, athlete_id, turn), write(tx, athlete_id, turn));
    locked?;
    Ok(begun? && written?)
}

/// Two requests with the same id of the app's take turns here; the later one finds the earlier one's answer.
async fn lock_message(tx: &AthleteTx, turn: &Turn<'_>) -> Result<(), DbError> {
    let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0)) WHERE $1 IS NOT NULL";
    tx.tx().query(sql, &[(&turn.client_message_id, Type::UUID)]).await?;
    Ok(())
}

async fn begin_or_touch(tx: &AthleteTx, athlete_id: i64, turn: &Turn<'_>) -> Result<bool, DbError> {
    let preview: String = turn.question.chars().take(PREVIEW_CHARS_MAX).collect();
    let params: Params<'_> =
        &[(&turn.conversation_id, Type::UUID), (&athlete_id, Type::INT8), (&turn.at, Type::TIMESTAMPTZ), (&preview, Type::TEXT)];
    let sql = if turn.is_first {
        "INSERT INTO coach_conversations (id, athlete_id, created_at, updated_at, preview) VALUES ($1, $2, $3, $3, $4) RETURNING 1"
    } else {
        "UPDATE coach_conversations SET updated_at = greatest(updated_at, $3) WHERE id = $1 AND athlete_id = $2 AND $4::text IS NOT NULL RETURNING 1"
    };
    Ok(tx.tx().query_opt(sql, params).await?.is_some())
}

async fn write(tx: &AthleteTx, athlete_id: i64, turn: &Turn<'_>) -> Result<bool, DbError> {
    let sql = r#"
        INSERT INTO chat_conversations (id, athlete_id, conversation_id, role, message, "timestamp", incomplete, client_message_id, context)
        SELECT x.id, $3, $4, x.role, x.message, $7, x.role = 'assistant' AND $8, $9, CASE x.role WHEN 'assistant' THEN $10::jsonb END
          FROM (VALUES ($1::uuid, 'user', $5::text), ($2::uuid, 'assistant', $6::text)) AS x (id, role, message)
         WHERE EXISTS (SELECT 1 FROM coach_conversations c WHERE c.id = $4)
           AND NOT EXISTS (SELECT 1 FROM chat_conversations o WHERE o.athlete_id = $3 AND o.client_message_id = $9
                                                                AND o.role = 'assistant' AND NOT o.incomplete AND o."timestamp" > $11)
        RETURNING 1"#;
    // Ids rise with time, so that they order the two messages of one second.
    let (question_id, answer_id) = (Uuid::now_v7(), Uuid::now_v7());
    let since = turn.at - REPEATED_MESSAGE_TTL;
    let params: Params<'_> = &[
        (&question_id, Type::UUID),
        (&answer_id, Type::UUID),
        (&athlete_id, Type::INT8),
        (&turn.conversation_id, Type::UUID),
        (&turn.question, Type::TEXT),
        (&turn.answer, Type::TEXT),
        (&turn.at, Type::TIMESTAMPTZ),
        (&turn.incomplete, Type::BOOL),
        (&turn.client_message_id, Type::UUID),
        (&turn.context, Type::JSONB),
        (&since, Type::TIMESTAMPTZ),
    ];
    Ok(tx.tx().query(sql, params).await?.len() == 2)
}
