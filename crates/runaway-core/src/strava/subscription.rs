//! The application's one webhook subscription: made, listed and deleted by the operator.

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{StravaClient, StravaError};

/// A subscription as Strava describes it.
#[derive(Debug, Clone, Deserialize)]
pub struct Subscription {
    /// Its id, which every event carries.
    pub id: i64,
    /// The address that Strava calls; it ends in a secret and is not to be printed. The answer to a creation may lack it.
    pub callback_url: Option<SecretString>,
}

impl StravaClient {
    /// Subscribes the address to all events. Strava calls it before it answers.
    ///
    /// # Errors
    /// [`StravaError::Unexpected`] with 400 where the address did not answer, or a subscription exists.
    pub async fn create_subscription(&self, callback_url: &str, verify_token: &SecretString) -> Result<Subscription, StravaError> {
        let form = [
            ("client_id", self.config.client_id.as_str()),
            ("client_secret", self.config.client_secret.expose_secret()),
            ("callback_url", callback_url),
            ("verify_token", verify_token.expose_secret()),
        ];
        let body = self.answer(self.request(Method::POST, self.subscriptions()).form(&form)).await.outcome?;
        read(&body)
    }

    /// The subscriptions: none or one.
    ///
    /// # Errors
    /// See [`StravaError`].
    pub async fn list_subscriptions(&self) -> Result<Vec<Subscription>, StravaError> {
        read(&self.answer(self.request(Method::GET, self.subscriptions()).query(&self.own_keys())).await.outcome?)
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// [`StravaError::NotFound`] where there is none with the id.
    pub async fn delete_subscription(&self, id: i64) -> Result<(), StravaError> {
        let url = format!("{}/{id}", self.subscriptions());
        self.answer(self.request(Method::DELETE, url).query(&self.own_keys())).await.outcome?;
        Ok(())
    }

    fn subscriptions(&self) -> String {
        format!("{}/push_subscriptions", self.config.api_base)
    }

    fn own_keys(&self) -> [(&'static str, &str); 2] {
        [("client_id", self.config.client_id.as_str()), ("client_secret", self.config.client_secret.expose_secret())]
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, StravaError> {
    // The parser's message would quote the address.
    serde_json::from_slice(body).map_err(|_| StravaError::Unavailable("the answer is no subscription".to_owned()))
}
