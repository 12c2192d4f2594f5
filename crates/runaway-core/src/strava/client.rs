//! The HTTP client for Strava's API.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::value::RawValue;

use super::StravaError;
use crate::config::StravaConfig;

/// The most activities Strava lists on one page.
pub const PER_PAGE_MAX: u16 = 200;
/// How long Strava may take for one answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Shorter than a function may be frozen with a connection that the other side closes meanwhile.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// The largest answer that is read: a page of 200 summaries has about half a megabyte.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bounds of a listing: exclusive epoch seconds of the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListBounds {
    /// Only what started later.
    pub after_s: Option<i64>,
    /// Only what started earlier.
    pub before_s: Option<i64>,
    /// How many at most, 1 to [`PER_PAGE_MAX`].
    pub per_page: u16,
}

/// One page of activities, newest first, as Strava sent them.
#[derive(Debug)]
pub struct ActivitiesPage {
    /// The verbatim objects.
    pub objects: Vec<Box<RawValue>>,
}

/// Strava's API for one application.
#[derive(Debug, Clone)]
pub struct StravaClient {
    http: Client,
    pub(super) config: Arc<StravaConfig>,
}

impl StravaClient {
    /// A client; no connection is made before the first call.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(config: StravaConfig) -> Result<Self, reqwest::Error> {
        let http = crate::http::client_builder(REQUEST_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http, config: Arc::new(config) })
    }

    /// Lists the athlete's activities, newest first.
    ///
    /// # Errors
    /// See [`StravaError`]; an answer that is not a JSON array counts as [`StravaError::Unavailable`].
    pub async fn list_activities(&self, token: &SecretString, bounds: ListBounds) -> Result<ActivitiesPage, StravaError> {
        let mut query = vec![("per_page", i64::from(bounds.per_page))];
        query.extend(bounds.before_s.map(|before| ("before", before)));
        query.extend(bounds.after_s.map(|after| ("after", after)));
        let url = format!("{}/athlete/activities", self.config.api_base);
        let request = self.http.get(url).bearer_auth(token.expose_secret()).query(&query);
        let body = self.answer(request).await?;
        let objects = serde_json::from_slice(&body).map_err(|_| StravaError::Unavailable("the answer is not a list".to_owned()))?;
        Ok(ActivitiesPage { objects })
    }

    /// Posts a form to the OAuth base and returns the body of a successful answer.
    pub(super) async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Result<Vec<u8>, StravaError> {
        self.answer(self.http.post(format!("{}{path}", self.config.oauth_base)).form(form)).await
    }

    /// A request that this application signs with its id and secret, or an athlete with a token.
    pub(super) fn request(&self, method: reqwest::Method, url: String) -> reqwest::RequestBuilder {
        self.http.request(method, url)
    }

    pub(super) async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, StravaError> {
        let answer = request.send().await.map_err(|error| StravaError::from_transport(&error))?;
        let (status, daily) = (answer.status(), daily_budget_is_spent(answer.headers()));
        let body = read_bounded(answer).await?;
        if status.is_success() { Ok(body) } else { Err(StravaError::from_answer(status, &body, daily)) }
    }
}

async fn read_bounded(mut answer: Response) -> Result<Vec<u8>, StravaError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| StravaError::from_transport(&error))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(StravaError::Unavailable("the answer is too large".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Whether one of the daily budgets is used up, by the headers `X-RateLimit-…` and `X-ReadRateLimit-…`.
fn daily_budget_is_spent(headers: &HeaderMap) -> bool {
    let daily = |name: &str| -> Option<i64> { headers.get(name)?.to_str().ok()?.split(',').nth(1)?.trim().parse().ok() };
    [("x-ratelimit-usage", "x-ratelimit-limit"), ("x-readratelimit-usage", "x-readratelimit-limit")]
        .iter()
        .any(|(usage, limit)| matches!((daily(usage), daily(limit)), (Some(usage), Some(limit)) if usage >= limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daily_budget_is_read_from_either_pair_of_headers() {
        let spent = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, reqwest::header::HeaderValue::from_static(value));
            }
            daily_budget_is_spent(&headers)
        };
        assert!(spent(&[("x-readratelimit-limit", "100,1000"), ("x-readratelimit-usage", "5, 1000")]));
        assert!(spent(&[("x-ratelimit-limit", "200,2000"), ("x-ratelimit-usage", "5,2001")]));
        assert!(!spent(&[("x-readratelimit-limit", "100,1000"), ("x-readratelimit-usage", "101,999")]));
        assert!(!spent(&[]));
        assert!(!spent(&[("x-ratelimit-limit", "nonsense"), ("x-ratelimit-usage", "5")]));
    }
}
