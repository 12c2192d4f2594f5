//! A token that Strava refuses may have been replaced, or taken back. Strava itself is asked which, and only where the
//! permission is gone does the connection end.

use runaway_core::flows::{self, AccessError, Grant, check_grant};

use crate::App;
use crate::budget::Refusal;
use crate::failure::WorkError;

/// What Strava says of an athlete's permission.
#[derive(Debug)]
pub(crate) enum Standing {
    /// It was taken back, and the connection has just ended for it.
    Ended,
    /// No token is held: the connection had ended before.
    NotHeld,
    /// It stands, or the athlete has given it anew meanwhile.
    Stands,
    /// Strava did not say, or could not be asked.
    Unanswered(Refusal),
}

/// What remains of a refusal after Strava was asked about the permission, if it is one of the token; `None` where the
/// connection has ended, now or before.
pub(crate) async fn remaining(app: &App, athlete_id: i64, refusal: Refusal) -> Result<Option<Refusal>, WorkError> {
    if !refusal.is_of_token() {
        return Ok(Some(refusal));
    }
    Ok(match ask(app, athlete_id).await? {
        Standing::Ended | Standing::NotHeld => None,
        Standing::Stands => Some(refusal),
        Standing::Unanswered(instead) => Some(instead),
    })
}

/// Asks, and ends the connection where Strava has.
pub(crate) async fn ask(app: &App, athlete_id: i64) -> Result<Standing, WorkError> {
    let now = app.clock.now();
    let refused_token = match check_grant(&app.db, &app.vault, &app.strava, athlete_id, now).await {
        Ok(Grant::Stands) => return Ok(Standing::Stands),
        Ok(Grant::NotHeld) => return Ok(Standing::NotHeld),
        Ok(Grant::Refused(token)) => token,
        Err(AccessError::Strava(error)) => return Ok(Standing::Unanswered(error.into())),
        Err(AccessError::Vault(error)) => return Ok(Standing::Unanswered(Refusal::Unopened(error))),
        Err(error) => return Err(WorkError::Token(error)),
    };
    let tx = app.db.worker(athlete_id).await?;
    if !flows::lose_connection(&tx, &app.vault, &refused_token, now).await.map_err(WorkError::Token)? {
        return Ok(Standing::Stands);
    }
    tx.commit().await?;
    tracing::info!(athlete.id = athlete_id, "Strava has ended the connection of athlete {athlete_id}");
    Ok(Standing::Ended)
}
