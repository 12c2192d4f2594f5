//! A fresh access token: one refresh at Strava, however many workers ask.

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::db::strava_tokens::{self, SealedTokens};
use crate::db::{Db, DbError, WorkerTx};
use crate::strava::{StravaClient, StravaError, Tokens};
use crate::vault::{Purpose, Vault, VaultError};

/// Strava hands out the same token again while more than an hour is left of it: refreshing earlier brings nothing.
const REFRESH_BELOW: SignedDuration = SignedDuration::from_hours(1);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The athlete is not connected.
    #[error("no tokens are held")]
    NotConnected,
    /// Strava's refusal.
    #[error("the token could not be refreshed")]
    Strava(#[from] StravaError),
    /// The database's.
    #[error("the tokens could not be read or stored")]
    Db(#[from] DbError),
    /// The vault's.
    #[error("the tokens could not be opened or sealed")]
    Vault(#[from] VaultError),
}

/// An access token with more than an hour left, refreshed where needed.
///
/// `rejected` is a token Strava has just refused although it looked valid: it is never returned again. The row stays
/// locked while Strava is asked, the one transaction that is held across a call: a rotated refresh token that is not
/// stored cuts the athlete off.
///
/// # Errors
/// See [`AccessError`].
pub async fn fresh_token(
    db: &Db,
    vault: &Vault,
    strava: &StravaClient,
    athlete_id: i64,
    now: Timestamp,
    rejected: Option<&SecretString>,
) -> Result<SecretString, AccessError> {
    let usable = |sealed: &SealedTokens| -> Result<Option<SecretString>, VaultError> {
        let token = vault.open(Purpose::StravaAccessToken, athlete_id, &sealed.access_token)?;
        let is_rejected = rejected.is_some_and(|rejected| rejected.expose_secret() == token.expose_secret());
        Ok((!is_rejected && sealed.expires_at.duration_since(now) > REFRESH_BELOW).then_some(token))
    };
    let tx = db.worker(athlete_id).await?;
    let sealed = strava_tokens::get(&tx).await?.ok_or(AccessError::NotConnected)?;
    if let Some(token) = usable(&sealed)? {
        tx.commit().await?;
        return Ok(token);
    }
    let sealed = strava_tokens::lock(&tx).await?.ok_or(AccessError::NotConnected)?;
    if let Some(token) = usable(&sealed)? {
        tx.commit().await?;
        return Ok(token);
    }
    let refresh_token = vault.open(Purpose::StravaRefreshToken, athlete_id, &sealed.refresh_token)?;
    let tokens = strava.refresh(&refresh_token).await?;
    store(&tx, vault, &tokens, now).await?;
    tx.commit().await?;
    tracing::info!(athlete.id = athlete_id, "Refreshed the Strava token of athlete {athlete_id}");
    Ok(tokens.access)
}

/// Whether the athlete's permission stands, as Strava says now.
#[derive(Debug)]
pub enum Grant {
    /// Strava gave a token.
    Stands,
    /// Strava does not know the refresh token any more; this is it.
    Refused(SecretString),
    /// No token is held: the connection has ended already.
    NotHeld,
}

/// Asks Strava by a refresh whether the permission stands. While much is left of the access token, Strava hands out the
/// same one again: asking changes nothing.
///
/// # Errors
/// See [`AccessError`]; a refusal of the token is no error.
pub async fn check_grant(db: &Db, vault: &Vault, strava: &StravaClient, athlete_id: i64, now: Timestamp) -> Result<Grant, AccessError> {
    let tx = db.worker(athlete_id).await?;
    let Some(sealed) = strava_tokens::lock(&tx).await? else {
        return Ok(Grant::NotHeld);
    };
    let refresh_token = vault.open(Purpose::StravaRefreshToken, athlete_id, &sealed.refresh_token)?;
    match strava.refresh(&refresh_token).await {
        Ok(tokens) => store(&tx, vault, &tokens, now).await?,
        Err(StravaError::GrantRejected) => return Ok(Grant::Refused(refresh_token)),
        Err(error) => return Err(error.into()),
    }
    tx.commit().await?;
    Ok(Grant::Stands)
}

async fn store(tx: &WorkerTx, vault: &Vault, tokens: &Tokens, now: Timestamp) -> Result<(), AccessError> {
    let sealed = seal_tokens(vault, tx.athlete_id(), tokens)?;
    strava_tokens::replace(tx, &sealed, now).await?;
    Ok(())
}

/// Seals a pair of tokens for an athlete.
///
/// # Errors
/// See [`VaultError`].
pub fn seal_tokens(vault: &Vault, athlete_id: i64, tokens: &Tokens) -> Result<SealedTokens, VaultError> {
    Ok(SealedTokens {
        access_token: vault.seal(Purpose::StravaAccessToken, athlete_id, &tokens.access)?,
        refresh_token: vault.seal(Purpose::StravaRefreshToken, athlete_id, &tokens.refresh)?,
        expires_at: tokens.expires_at,
    })
}
