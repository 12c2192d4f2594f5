//! The conversations the app lists, shows and deletes.

use lambda_http::http::StatusCode;
use runaway_core::db::AthleteTx;
use runaway_core::db::athletes::{self, OwnAthlete};
use runaway_core::db::conversations::{self, SHOWN_MESSAGES_MAX};
use runaway_core::http::{ApiError, Call, Caller, Reply, own_athlete};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::App;

/// Conversations of one list, where the call says nothing, and at most.
const LISTED_DEFAULT: i64 = 20;
const LISTED_MAX: i64 = 100;

/// 404 for a conversation that is not the caller's.
pub(crate) const NO_CONVERSATION: ApiError =
    ApiError::NotFound { code: "CONVERSATION_NOT_FOUND", message: "There is no such conversation of yours." };

/// `GET /chat/conversations`.
pub(crate) async fn list(app: &App, caller: Caller, call: &Call) -> Result<Reply, ApiError> {
    let most = match call.query.get("limit").map(|text| text.parse::<i64>()) {
        None => LISTED_DEFAULT,
        Some(Ok(limit)) if (1..=LISTED_MAX).contains(&limit) => limit,
        Some(_) => return Err(ApiError::InvalidRequest(format!("limit is not between 1 and {LISTED_MAX}."))),
    };
    let (tx, _) = own(app, caller, call).await?;
    let listed = conversations::newest(&tx, most).await?;
    tx.commit().await?;
    let shown: Vec<Value> = listed
        .iter()
        .map(|one| json!({"id": one.id, "created_at": one.created_at, "updated_at": one.updated_at, "preview": one.preview}))
        .collect();
    Ok(Reply::json(StatusCode::OK, &json!({"success": true, "conversations": shown})))
}

/// `GET /chat/conversations/{id}`.
pub(crate) async fn show(app: &App, caller: Caller, call: &Call, id: &str) -> Result<Reply, ApiError> {
    let id = Uuid::try_parse(id).ok();
    let (tx, _) = own(app, caller, call).await?;
    let (found, messages) = tokio::join!(biased; conversations::find(&tx, id), conversations::messages(&tx, id, SHOWN_MESSAGES_MAX));
    let (found, messages) = (found?, messages?);
    tx.commit().await?;
    let one = found.ok_or(NO_CONVERSATION)?;
    let shown: Vec<Value> =
        messages.iter().map(|message| json!({"role": message.role, "content": message.text, "timestamp": message.at})).collect();
    let conversation = json!({
        "id": one.id, "user_id": caller.user_id.to_string(), "messages": shown, "created_at": one.created_at, "updated_at": one.updated_at,
    });
    Ok(Reply::json(StatusCode::OK, &json!({"success": true, "conversation": conversation})))
}

/// `DELETE /chat/conversations/{id}`.
pub(crate) async fn delete(app: &App, caller: Caller, call: &Call, id: &str) -> Result<Reply, ApiError> {
    let id = Uuid::try_parse(id).ok();
    let (tx, _) = own(app, caller, call).await?;
    let deleted = match id {
        Some(id) => conversations::delete(&tx, id).await?,
        None => false,
    };
    tx.commit().await?;
    if !deleted {
        return Err(NO_CONVERSATION);
    }
    Ok(Reply::json(StatusCode::OK, &json!({"success": true, "message": "The conversation has been deleted."})))
}

/// The caller's transaction, after every athlete id of the query was compared with the caller's own.
pub(crate) async fn own(app: &App, caller: Caller, call: &Call) -> Result<(AthleteTx, OwnAthlete), ApiError> {
    own_of(app, caller, &call.named_in_query()?).await
}

/// The same for the ids that a call names.
pub(crate) async fn own_of(app: &App, caller: Caller, named: &[i64]) -> Result<(AthleteTx, OwnAthlete), ApiError> {
    let tx = app.db.athlete(caller.user_id).await?;
    let athlete = own_athlete(athletes::own(&tx).await?, named)?;
    Ok((tx, athlete))
}
