//! Strava's OAuth: the authorisation address, the exchange of a code, the refresh of a token.

use jiff::Timestamp;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::{StravaClient, StravaError};
use crate::config::AuthorizeConfig;
use crate::db::athletes::Profile;

/// What athletes are asked for; each may be unticked.
pub const SCOPES_ASKED: &str = "read,activity:read_all,profile:read_all";
/// Without this permission there is nothing to sync.
pub const REQUIRED_SCOPE: &str = "activity:read_all";

/// A pair of tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// For the API; lives six hours.
    pub access: SecretString,
    /// For the next refresh; may be new with every answer, and then the old one is dead.
    pub refresh: SecretString,
    /// When the access token ends.
    pub expires_at: Timestamp,
}

/// What the exchange of a code brings.
#[derive(Debug)]
pub struct Exchanged {
    /// The tokens.
    pub tokens: Tokens,
    /// Who they belong to.
    pub athlete: Profile,
    /// The granted scopes, where Strava says them.
    pub scope: Option<String>,
}

/// Where the athlete's browser goes to grant access.
pub fn authorize_url(config: &AuthorizeConfig, state: &str) -> Option<Url> {
    let mut url = Url::parse(&format!("{}/oauth/authorize", config.oauth_base)).ok()?;
    url.query_pairs_mut()
        .append_pair("client_id", &config.client_id)
        .append_pair("redirect_uri", &format!("{}/oauth-callback", config.public_base_url))
        .append_pair("response_type", "code")
        .append_pair("approval_prompt", "auto")
        .append_pair("scope", SCOPES_ASKED)
        .append_pair("state", state);
    Some(url)
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretString,
    refresh_token: SecretString,
    expires_at: i64,
    athlete: Option<AthleteAnswer>,
    scope: Option<String>,
}

#[derive(Deserialize)]
struct AthleteAnswer {
    id: i64,
    firstname: Option<String>,
    lastname: Option<String>,
    profile: Option<String>,
    city: Option<String>,
    state: Option<String>,
    country: Option<String>,
    sex: Option<String>,
    weight: Option<f64>,
    premium: Option<bool>,
    created_at: Option<String>,
}

impl TokenAnswer {
    fn read(body: &[u8]) -> Result<Self, StravaError> {
        // The parser's message would quote tokens.
        serde_json::from_slice(body).map_err(|_| StravaError::Unavailable("the token answer cannot be read".to_owned()))
    }

    fn tokens(&self) -> Result<Tokens, StravaError> {
        let expires_at =
            Timestamp::from_second(self.expires_at).map_err(|_| StravaError::Unavailable("the token's end cannot be read".to_owned()))?;
        Ok(Tokens { access: self.access_token.clone(), refresh: self.refresh_token.clone(), expires_at })
    }
}

impl From<AthleteAnswer> for Profile {
    fn from(athlete: AthleteAnswer) -> Self {
        Self {
            id: athlete.id,
            first_name: athlete.firstname,
            last_name: athlete.lastname,
            picture: athlete.profile,
            city: athlete.city,
            state: athlete.state,
            country: athlete.country,
            sex: athlete.sex,
            weight_kg: athlete.weight,
            premium: athlete.premium,
            member_since: athlete.created_at.and_then(|text| text.parse().ok()),
        }
    }
}

impl StravaClient {
    /// Exchanges a code. Never repeated by itself: the code is spent with the first try.
    ///
    /// # Errors
    /// [`StravaError::GrantRejected`] for a bad, used or expired code.
    pub async fn exchange_code(&self, code: &SecretString) -> Result<Exchanged, StravaError> {
        let body = self.token_call(&[("grant_type", "authorization_code"), ("code", code.expose_secret())]).await?;
        let answer = TokenAnswer::read(&body)?;
        let tokens = answer.tokens()?;
        let athlete = answer.athlete.ok_or_else(|| StravaError::Unavailable("the token answer names no athlete".to_owned()))?;
        Ok(Exchanged { tokens, athlete: athlete.into(), scope: answer.scope })
    }

    /// Refreshes a token. Never repeated by itself: a first try that seemed to fail may have spent the refresh token.
    ///
    /// # Errors
    /// [`StravaError::GrantRejected`] where the athlete must connect again.
    pub async fn refresh(&self, refresh_token: &SecretString) -> Result<Tokens, StravaError> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose_secret())];
        TokenAnswer::read(&self.token_call(&form).await?)?.tokens()
    }

    /// Revokes a refresh token and with it the whole grant. Strava says yes to an unknown token too; repeating is safe.
    ///
    /// # Errors
    /// See [`StravaError`].
    pub async fn revoke(&self, refresh_token: &SecretString) -> Result<(), StravaError> {
        let form = [("token", refresh_token.expose_secret()), ("token_type_hint", "refresh_token")];
        let request = self.request(Method::POST, format!("{}/oauth/revoke", self.config.oauth_base));
        let secret = self.config.client_secret.expose_secret();
        self.answer(request.basic_auth(&self.config.client_id, Some(secret)).form(&form)).await.outcome?;
        Ok(())
    }

    async fn token_call(&self, form: &[(&str, &str)]) -> Result<Vec<u8>, StravaError> {
        let mut form = form.to_vec();
        form.push(("client_id", self.config.client_id.as_str()));
        form.push(("client_secret", self.config.client_secret.expose_secret()));
        self.post_form("/oauth/token", &form).await
    }
}
