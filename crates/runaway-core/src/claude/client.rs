//! The HTTP client for Claude's Messages API.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout_at};

use super::error::{ClaudeError, Failure};
use super::request::MessageRequest;
use super::stream::{IDLE_TIMEOUT, MessageStream};
use crate::config::ClaudeConfig;

/// The version of the API that is spoken.
const API_VERSION: &str = "2026-10-21";
/// How long one answer may take in all; no function lives longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Shorter than a function may be frozen with a connection that the other side closes meanwhile.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// Tries after the first.
const RETRIES_MAX: usize = 2;
/// The first pause between tries where Claude names none; doubled with each, with jitter.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(500);
/// The longest such pause, before jitter.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(8);
/// How much of a refusal is read.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    config: ClaudeConfig,
}

impl Client {
    pub(super) fn new(config: ClaudeConfig) -> Result<Self, reqwest::Error> {
        let http = crate::http::client_builder(REQUEST_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http, config })
    }

    /// A request may be billed twice where the first try's answer was lost: that is why nothing is tried again once an
    /// answer has begun.
    pub(super) async fn stream(&self, request: &MessageRequest, deadline: Instant) -> Result<MessageStream, ClaudeError> {
        if !request.ends_with_the_user() {
            return Err(ClaudeError::unsendable("the last turn is not the user's"));
        }
        let body = request.body(&self.config).map_err(|_| ClaudeError::unsendable("it is no JSON"))?;
        let asked_at = Instant::now();
        let policy = ExponentialBuilder::default()
            .with_min_delay(RETRY_PAUSE_MIN)
            .with_max_delay(RETRY_PAUSE_MAX)
            .with_max_times(RETRIES_MAX)
            .with_jitter();
        let pause = |failure: &Failure, own: Option<Duration>| {
            let pause = own.map(|own| failure.retry_after.unwrap_or(own))?;
            Instant::now().checked_add(pause).filter(|end| *end < deadline).map(|_| pause)
        };
        (|| self.attempt(&body, asked_at, deadline))
            .retry(policy)
            .when(|failure| failure.is_transient)
            .adjust(pause)
            .notify(|failure, pause| tracing::warn!(error = %failure.error, pause_s = pause.as_secs_f64(), "Claude is asked again"))
            .await
            .map_err(|failure| failure.error)
    }

    async fn attempt(&self, body: &[u8], asked_at: Instant, deadline: Instant) -> Result<MessageStream, Failure> {
        let request = self
            .http
            .post(format!("{}/v1/messages", self.config.base_url))
            .header("x-api-key", self.key()?)
            .header("anthropic-version", API_VERSION)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_vec());
        let until = deadline.min(Instant::now() + IDLE_TIMEOUT);
        let answer = timeout_at(until, request.send()).await.map_err(|_| Failure::no_answer_in_time())?;
        let answer = answer.map_err(|error| Failure::from_transport(&error))?;
        if answer.status().is_success() {
            return MessageStream::begin(answer, asked_at, deadline).await;
        }
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = timeout_at(until, read_bounded(answer)).await.unwrap_or_default();
        Err(Failure::from_answer(status, &headers, &body, retry_after(&headers)))
    }

    /// Marked so that no library prints it.
    fn key(&self) -> Result<HeaderValue, Failure> {
        let key = HeaderValue::from_str(self.config.api_key.expose_secret());
        let mut key = key.map_err(|_| Failure::lasting(ClaudeError::unsendable("the key is no header")))?;
        key.set_sensitive(true);
        Ok(key)
    }
}

/// The beginning of a refusal, as far as it comes: the status says enough.
async fn read_bounded(mut answer: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        if body.len() + chunk.len() > REFUSAL_BYTES_MAX {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    body
}

/// How long Claude asks to wait: milliseconds, seconds, or a date, which is compared with the answer's own.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |name: &str| text(name)?.parse::<f64>().ok();
    let date = |name: &str| jiff::fmt::rfc2822::parse(text(name)?).ok().map(|date| date.timestamp());
    let millis = number("retry-after-ms").map(|ms| ms / 1000.0);
    match millis.or_else(|| number(RETRY_AFTER.as_str())) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => date(RETRY_AFTER.as_str())?.duration_since(date("date")?).try_into().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_read_in_all_its_forms() {
        let read = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_static(value)));
            retry_after(&HeaderMap::from_iter(headers)).map(|wait| wait.as_millis())
        };
        assert_eq!(read(&[("retry-after", "7")]), Some(7000));
        assert_eq!(read(&[("retry-after", "0.5")]), Some(500));
        assert_eq!(read(&[("retry-after", "7"), ("retry-after-ms", "250")]), Some(250));
        let (date, later) = (("date", "Mon, 23 Nov 2026 10:00:00 GMT"), "Mon, 23 Nov 2026 10:00:30 GMT");
        assert_eq!(read(&[date, ("retry-after", later)]), Some(30_000));
        assert_eq!(read(&[("date", later), ("retry-after", date.1)]), None);
        for nonsense in ["", "soon", "-1", "NaN", "1e300"] {
            assert_eq!(read(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
    }
}
