//! Linking an athlete to a user, and the ticket that stands for an authorisation until whoever began it confirms it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::start_sync::{Started, start_sync};
use super::{revoke, seal_tokens};
use crate::db::athletes::Profile;
use crate::db::oauth_tickets::{self, Ticket};
use crate::db::pending_revocations::PendingRevocation;
use crate::db::{Db, DbError, SystemTx, athletes, pending_revocations, strava_tokens, sync_jobs};
use crate::domain::{SyncBounds, SyncType};
use crate::queue::SyncQueue;
use crate::strava::{StravaClient, Tokens};
use crate::telemetry;
use crate::vault::{Purpose, Vault, VaultError, fingerprint, random_bytes};

/// How long a ticket can be confirmed.
pub const TICKET_TTL: SignedDuration = SignedDuration::from_mins(10);
/// Random bytes of a ticket.
const TICKET_BYTES: usize = 32;
/// The first sync fetches everything.
const WHOLE_HISTORY: SyncBounds = SyncBounds { sync_type: SyncType::Full, after_s: None, before_s: None, max_activities: None };

/// What an athlete has granted.
#[derive(Debug)]
pub struct Granted {
    /// The tokens.
    pub tokens: Tokens,
    /// Whose they are.
    pub athlete: Profile,
    /// What for; may be less than was asked for.
    pub scopes: Vec<String>,
    /// When.
    pub at: Timestamp,
}

/// Why an exchange could not be linked or kept.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The database's.
    #[error("the connection could not be stored")]
    Db(#[from] DbError),
    /// The vault's.
    #[error("the exchange could not be sealed or opened")]
    Vault(#[from] VaultError),
}

/// Links the athlete to the user, in the caller's transaction: athlete, tokens and the first sync's row. `None`, and
/// nothing written, where the athlete is another user's or the user has another athlete. The caller commits and then
/// [announces](announce_first_sync) the sync.
///
/// # Errors
/// See [`LinkError`].
pub async fn link(tx: &SystemTx, vault: &Vault, user_id: Uuid, granted: &Granted, now: Timestamp) -> Result<Option<Started>, LinkError> {
    let athlete_id = granted.athlete.id;
    let sealed = seal_tokens(vault, athlete_id, &granted.tokens)?;
    if !athletes::connect(tx, user_id, &granted.athlete, now).await? {
        return Ok(None);
    }
    strava_tokens::put(tx, athlete_id, &sealed, &granted.scopes, granted.at).await?;
    pending_revocations::forget(tx, athlete_id).await?;
    let started = start_sync(tx, athlete_id, &WHOLE_HISTORY, Uuid::now_v7(), now).await?;
    sync_jobs::mark_sent(tx, &[started.job.id], now).await?;
    Ok(Some(started))
}

/// Gives back what an athlete has granted and nothing is made of, unless the athlete is connected: of that grant it is a
/// part. The athlete's tickets end with it, for they stand for the same grant.
///
/// # Errors
/// See [`LinkError`].
pub async fn give_back(db: &Db, vault: &Vault, strava: &StravaClient, granted: &Granted, now: Timestamp) -> Result<(), LinkError> {
    let athlete_id = granted.athlete.id;
    let refresh_token = vault.seal(Purpose::StravaRefreshToken, athlete_id, &granted.tokens.refresh)?;
    let pending = PendingRevocation { id: Uuid::now_v7(), athlete_id, refresh_token };
    let tx = db.system().await?;
    oauth_tickets::supersede(&tx, athlete_id).await?;
    let is_stored = pending_revocations::insert(&tx, &pending, now).await?;
    tx.commit().await?;
    if is_stored {
        revoke(db, vault, strava, &pending).await;
    }
    Ok(())
}

/// Sends the first sync's message, once its row is committed. Without it the athlete waits for the schedule.
pub async fn announce_first_sync(queue: &SyncQueue, started: &Started) {
    let (job_id, athlete_id) = (started.job.id, started.job.athlete_id);
    if started.needs_message
        && let Err(error) = queue.send(job_id, 0).await
    {
        let cause = telemetry::chain(&error);
        tracing::error!(job.id = %job_id, athlete.id = athlete_id, cause, "The first sync's message was not sent; process-pending will send it");
    }
}

/// What is sealed for a ticket.
#[derive(Serialize, Deserialize)]
struct Exchange {
    access_token: String,
    refresh_token: String,
    expires_at: Timestamp,
    scopes: Vec<String>,
    athlete: Profile,
}

/// Keeps an exchange for the user who began it, in the caller's transaction, and returns the ticket that stands for it.
/// It takes the place of the athlete's older tickets and revocations: one of them, revoked meanwhile, would end this grant.
///
/// # Errors
/// See [`LinkError`].
pub async fn keep_exchange(tx: &SystemTx, vault: &Vault, user_id: Uuid, granted: &Granted) -> Result<SecretString, LinkError> {
    let word = SecretString::from(URL_SAFE_NO_PAD.encode(random_bytes::<TICKET_BYTES>()?));
    let (id, athlete_id) = (Uuid::now_v7(), granted.athlete.id);
    let exchange = Exchange {
        access_token: granted.tokens.access.expose_secret().to_owned(),
        refresh_token: granted.tokens.refresh.expose_secret().to_owned(),
        expires_at: granted.tokens.expires_at,
        scopes: granted.scopes.clone(),
        athlete: granted.athlete.clone(),
    };
    let exchange = SecretString::from(serde_json::to_string(&exchange).map_err(|_| VaultError::SealingFailed)?);
    let ticket = Ticket {
        id,
        user_id,
        athlete_id,
        exchange: vault.seal(Purpose::StravaExchange(id), athlete_id, &exchange)?,
        refresh_token: vault.seal(Purpose::StravaRefreshToken, athlete_id, &granted.tokens.refresh)?,
        created_at: granted.at,
    };
    // The tickets first, as where one is confirmed.
    oauth_tickets::supersede(tx, athlete_id).await?;
    pending_revocations::forget(tx, athlete_id).await?;
    oauth_tickets::insert(tx, &ticket, &fingerprint(word.expose_secret().as_bytes()), granted.at + TICKET_TTL).await?;
    Ok(word)
}

/// Opens what [`keep_exchange`] kept.
///
/// # Errors
/// See [`VaultError`].
pub fn open_exchange(vault: &Vault, ticket: &Ticket) -> Result<Granted, VaultError> {
    let text = vault.open(Purpose::StravaExchange(ticket.id), ticket.athlete_id, &ticket.exchange)?;
    // The parser's message would quote tokens.
    let exchange: Exchange = serde_json::from_str(text.expose_secret()).map_err(|_| VaultError::NotSealed)?;
    let Exchange { access_token, refresh_token, expires_at, scopes, athlete } = exchange;
    let tokens = Tokens { access: access_token.into(), refresh: refresh_token.into(), expires_at };
    Ok(Granted { tokens, athlete, scopes, at: ticket.created_at })
}
