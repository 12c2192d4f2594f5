//! `POST /strava-auth/confirm`: whoever began an authorisation confirms that they are the one who finished it.

use lambda_http::http::StatusCode;
use runaway_core::db::{athletes, oauth_tickets};
use runaway_core::flows;
use runaway_core::http::{ApiError, Call, Caller, Fields, Reply, refuse_foreign};
use runaway_core::telemetry;
use runaway_core::vault::fingerprint;
use serde_json::json;
use uuid::Uuid;

use crate::App;

const UNKNOWN_TICKET: ApiError = ApiError::NotFound {
    code: "TICKET_NOT_FOUND",
    message: "This ticket is not known, has been used, or is older than ten minutes. Please connect Strava again.",
};
const ANOTHERS_TICKET: ApiError = ApiError::Refused("This connection was begun by another user. Please connect Strava again.");
const ALREADY_LINKED: ApiError = ApiError::Conflict {
    code: "ALREADY_LINKED",
    message: "This Strava athlete is connected to another account, or your account to another athlete.",
};

/// Links the athlete whose exchange the ticket stands for. Whatever the outcome, the ticket is spent with it; only a
/// fault on our side leaves it for another try.
pub(crate) async fn confirm(app: &App, call: &Call, caller: Caller) -> Result<Reply, ApiError> {
    let fields: Fields = call.fields()?;
    let word = fields.text("ticket")?.ok_or_else(|| ApiError::field("ticket", "is missing"))?;
    let named = call.named(&fields)?;
    let tx = app.db.athlete(caller.user_id).await?;
    refuse_foreign(athletes::own(&tx).await?, &named)?;
    tx.commit().await?;

    let now = app.clock.now();
    let tx = app.db.system().await?;
    let Some(ticket) = oauth_tickets::lock(&tx, &fingerprint(word.as_bytes()), now).await? else {
        tx.commit().await?;
        return Err(UNKNOWN_TICKET);
    };
    let athlete_id = ticket.athlete_id;
    if ticket.user_id != caller.user_id {
        tx.commit().await?;
        tracing::warn!(athlete.id = athlete_id, "A ticket was presented by a user who did not begin it; nothing was linked");
        give_up(app, ticket.id).await?;
        return Err(ANOTHERS_TICKET);
    }
    let granted = flows::open_exchange(&app.vault, &ticket)?;
    let Some(started) = flows::link(&tx, &app.vault, caller.user_id, &granted, now).await? else {
        // The refusal may be the database's, which ends the transaction.
        drop(tx);
        give_up(app, ticket.id).await?;
        return Err(ALREADY_LINKED);
    };
    oauth_tickets::delete(&tx, ticket.id).await?;
    tx.commit().await?;
    telemetry::note_athlete(athlete_id);
    flows::announce_first_sync(&app.queue, &started).await;
    tracing::info!(athlete.id = athlete_id, job.id = %started.job.id, "A Strava authorisation was confirmed");
    Ok(Reply::json(StatusCode::OK, &json!({ "success": true, "athlete_id": athlete_id, "job_id": started.job.id })))
}

/// Spends a ticket that leads to nothing; what Strava granted for it is given back, unless the athlete is connected.
async fn give_up(app: &App, ticket_id: Uuid) -> Result<(), ApiError> {
    let tx = app.db.system().await?;
    let pending = oauth_tickets::give_up(&tx, ticket_id, app.clock.now()).await?;
    tx.commit().await?;
    if let Some(pending) = pending {
        flows::revoke(&app.db, &app.vault, &app.strava, &pending).await;
    }
    Ok(())
}
