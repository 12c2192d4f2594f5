//! Ending a connection: what both the athlete's wish and Strava's refusal lead to, and the revocation at Strava.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::AccessError;
use crate::db::pending_revocations::{self, PendingRevocation};
use crate::db::strava_events::{self, Outcome};
use crate::db::{Db, DbError, SystemTx, WorkerTx, athletes, detail_runs, oauth_tickets, strava_tokens, sync_jobs};
use crate::strava::{StravaClient, StravaError};
use crate::telemetry;
use crate::vault::{Purpose, Vault};

/// What the athlete reads on the jobs that a disconnection ends.
const DISCONNECTED: &str = "Strava was disconnected. Please connect it and start the sync again.";
/// What the athlete reads on the jobs that Strava's refusal ends.
const REFUSED: &str = "Strava no longer accepts the connection. Please connect Strava again.";

/// Ends the connection by the athlete's wish, in the caller's transaction: the token is moved out of every other flow's
/// sight, unfinished jobs fail, events are settled. The caller commits and then revokes the token, if one was held.
///
/// # Errors
/// See [`DbError`].
pub async fn disconnect(tx: &WorkerTx, revocation_id: Uuid, now: Timestamp) -> Result<Option<PendingRevocation>, DbError> {
    // The athlete's row first, as where an athlete connects: two that wait for each other would both lose.
    athletes::mark_disconnected(tx, now).await?;
    let pending = pending_revocations::take_over(tx, revocation_id, now).await?;
    sync_jobs::fail_unfinished(tx, DISCONNECTED, now).await?;
    strava_events::settle_all(tx, Outcome::NotConnected, now).await?;
    detail_runs::abandon(tx).await?;
    Ok(pending)
}

/// Ends a connection that Strava has refused, in the caller's transaction: as [`disconnect`], without anything to
/// revoke. `false`, and nothing may be committed, where the refused tokens have been replaced meanwhile: the athlete
/// connected again.
///
/// # Errors
/// [`AccessError::Db`] and [`AccessError::Vault`].
pub async fn lose_connection(tx: &WorkerTx, vault: &Vault, refused: &SecretString, now: Timestamp) -> Result<bool, AccessError> {
    athletes::mark_disconnected(tx, now).await?;
    let Some(held) = strava_tokens::lock(tx).await? else { return Ok(false) };
    // Compared in clear: the same token may have been sealed anew meanwhile.
    let held = vault.open(Purpose::StravaRefreshToken, tx.athlete_id(), &held.refresh_token)?;
    if held.expose_secret() != refused.expose_secret() {
        return Ok(false);
    }
    strava_tokens::delete(tx).await?;
    sync_jobs::fail_unfinished(tx, REFUSED, now).await?;
    strava_events::settle_all(tx, Outcome::Disconnected, now).await?;
    detail_runs::abandon(tx).await?;
    Ok(true)
}

/// What became of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The grant is gone at Strava, and the token here.
    Done,
    /// This token could not be revoked; it is kept for another try.
    Kept,
    /// Nor could another now: Strava does not answer, or refuses this application.
    StravaIsOut,
}

/// Ends what the user began, or somebody else with the user's athlete, and has not confirmed; `tx` begins that. After the
/// end of the connection: the token of a ticket may be the newest of the athlete's, and is revoked only where no connection
/// stands.
///
/// # Errors
/// See [`DbError`].
pub async fn give_up_tickets(
    tx: SystemTx,
    (db, vault, strava): (&Db, &Vault, &StravaClient),
    user_id: Uuid,
    athlete_id: Option<i64>,
    now: Timestamp,
) -> Result<(), DbError> {
    let unconfirmed = oauth_tickets::give_up_all_of(&tx, user_id, athlete_id, now).await?;
    tx.commit().await?;
    for pending in &unconfirmed {
        revoke(db, vault, strava, pending).await;
    }
    Ok(())
}

/// Whether the revocation is still wanted: a batch of them takes minutes.
async fn is_still_wanted(db: &Db, pending: &PendingRevocation) -> Result<bool, DbError> {
    let tx = db.worker(pending.athlete_id).await?;
    let is_wanted = pending_revocations::is_wanted(&tx, pending.id).await?;
    tx.commit().await?;
    Ok(is_wanted)
}

/// Revokes a moved token at Strava and forgets it. Whatever goes wrong is logged and left to `cleanup`. Lines name the
/// revocation and not the athlete, who may be erased by now.
pub async fn revoke(db: &Db, vault: &Vault, strava: &StravaClient, pending: &PendingRevocation) -> Revocation {
    let (id, athlete_id) = (pending.id, pending.athlete_id);
    let token = match vault.open(Purpose::StravaRefreshToken, athlete_id, &pending.refresh_token) {
        Ok(token) => token,
        Err(error) => {
            let cause = telemetry::chain(&error);
            tracing::error!(revocation.id = %id, key.id = error.key_id(), cause, "A token to be revoked cannot be opened");
            return Revocation::Kept;
        }
    };
    match is_still_wanted(db, pending).await {
        Ok(true) => {}
        // The athlete has connected again meanwhile: the grant is theirs to keep.
        Ok(false) => return Revocation::Done,
        Err(error) => {
            tracing::warn!(revocation.id = %id, cause = telemetry::chain(&error), "A token to be revoked could not be looked up");
            return Revocation::Kept;
        }
    }
    if let Err(error) = strava.revoke(&token).await {
        tracing::warn!(
            revocation.id = %id,
            cause = telemetry::chain(&error),
            "Strava did not revoke a token; it is tried again by cleanup"
        );
        return match error {
            StravaError::TokenRejected | StravaError::GrantRejected | StravaError::NotFound | StravaError::Unexpected { .. } => {
                Revocation::Kept
            }
            _ => Revocation::StravaIsOut,
        };
    }
    let forgotten = async {
        let tx = db.worker(athlete_id).await?;
        pending_revocations::delete(&tx, pending.id).await?;
        tx.commit().await
    };
    if let Err(error) = forgotten.await {
        // Revoking it once more does no harm.
        tracing::warn!(revocation.id = %id, cause = telemetry::chain(&error), "A revoked token could not be forgotten");
        return Revocation::Kept;
    }
    tracing::info!(revocation.id = %id, "Revoked a grant at Strava");
    Revocation::Done
}
