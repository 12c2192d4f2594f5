//! The HTTP client for Strava's API.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::value::RawValue;

use super::budget::Rates;
use super::error::Verbatim;
use super::{StravaError, detail};
use crate::config::StravaConfig;
use crate::db::details::StreamSummary;

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

/// What a call of the API brings, and what its headers say of the rate limit, which a refusal says too.
#[derive(Debug)]
pub struct Answer<T> {
    /// The wanted object, or why there is none.
    pub outcome: Result<T, StravaError>,
    /// From the headers; empty where no answer came.
    pub rates: Rates,
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
    /// In [`Answer::outcome`]; [`StravaError::Unreadable`] for an answer that is not a JSON array.
    pub async fn list_activities(&self, token: &SecretString, bounds: ListBounds) -> Answer<ActivitiesPage> {
        let mut query = vec![("per_page", i64::from(bounds.per_page))];
        query.extend(bounds.before_s.map(|before| ("before", before)));
        query.extend(bounds.after_s.map(|after| ("after", after)));
        let url = format!("{}/athlete/activities", self.config.api_base);
        let request = self.http.get(url).bearer_auth(token.expose_secret()).query(&query);
        self.read(request, "a list", |body| Some(ActivitiesPage { objects: serde_json::from_slice(body).ok()? })).await
    }

    /// One activity with all its details, as Strava sent it.
    ///
    /// # Errors
    /// In [`Answer::outcome`]; [`StravaError::NotFound`] where it is gone or hidden.
    pub async fn activity(&self, token: &SecretString, id: i64) -> Answer<Box<RawValue>> {
        let url = format!("{}/activities/{id}", self.config.api_base);
        let request = self.http.get(url).bearer_auth(token.expose_secret()).query(&[("include_all_efforts", false)]);
        self.read(request, "an activity", |body| serde_json::from_slice(body).ok()).await
    }

    /// What an activity's streams amount to; the points are not kept.
    ///
    /// # Errors
    /// In [`Answer::outcome`]; [`StravaError::NotFound`] where it has none.
    pub async fn streams(&self, token: &SecretString, id: i64) -> Answer<Vec<StreamSummary>> {
        let url = format!("{}/activities/{id}/streams", self.config.api_base);
        let query = [("keys", detail::STREAM_KEYS), ("key_by_type", "true")];
        let request = self.http.get(url).bearer_auth(token.expose_secret()).query(&query);
        self.read(request, "streams", detail::read_streams).await
    }

    /// Posts a form to the OAuth base and returns the body of a successful answer.
    pub(super) async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Result<Vec<u8>, StravaError> {
        self.answer(self.http.post(format!("{}{path}", self.config.oauth_base)).form(form)).await.outcome
    }

    /// Sends a request and reads its body as `what`.
    async fn read<T>(&self, request: reqwest::RequestBuilder, what: &'static str, read: impl Fn(&[u8]) -> Option<T>) -> Answer<T> {
        let Answer { outcome, rates } = self.answer(request).await;
        let outcome = outcome.and_then(|body| read(&body).ok_or_else(|| StravaError::Unreadable { what, body: Verbatim::of(&body) }));
        Answer { outcome, rates }
    }

    /// A request that this application signs with its id and secret.
    pub(super) fn request(&self, method: reqwest::Method, url: String) -> reqwest::RequestBuilder {
        self.http.request(method, url)
    }

    pub(super) async fn answer(&self, request: reqwest::RequestBuilder) -> Answer<Vec<u8>> {
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Answer { outcome: Err(StravaError::from_transport(&error)), rates: Rates::default() },
        };
        let (status, rates) = (answer.status(), Rates::read(answer.headers()));
        let outcome = match read_bounded(answer).await {
            Ok(body) if status.is_success() => Ok(body),
            Ok(body) => Err(StravaError::from_answer(status, &body, rates.day_is_spent())),
            Err(error) => Err(error),
        };
        Answer { outcome, rates }
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
