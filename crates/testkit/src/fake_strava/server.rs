//! The HTTP side: routes, bearer tokens, rate limits, and the answers of faults.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use futures_util::StreamExt as _;
use futures_util::stream::{iter, once};
use serde_json::json;
use tokio::net::TcpListener;

use super::faults::{Fault, Gate};
use super::model::{Athlete, Call, FakeStrava, Inner, State as Model};
use super::{detail, listing, oauth, subscriptions};

const SHORT_WINDOW_S: i64 = 15 * 60;
const DAY_S: i64 = 24 * 60 * 60;
/// The largest body that is cut in two.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

type Pairs = HashMap<String, String>;

pub(super) async fn start(port: u16, inner: impl FnOnce(u16) -> Inner) -> FakeStrava {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a port for the invented Strava");
    let fake = FakeStrava(Arc::new(inner(listener.local_addr().expect("the port").port())));
    let router = Router::new()
        .route("/oauth/authorize", get(oauth::authorize))
        .route("/oauth/token", post(oauth::token))
        .route("/oauth/revoke", post(oauth::revoke))
        .route("/api/v3/athlete/activities", get(list))
        .route("/api/v3/activities/{id}", get(one))
        .route("/api/v3/activities/{id}/streams", get(streams))
        .route("/api/v3/push_subscriptions", get(subscriptions::list).post(subscriptions::create))
        .route("/api/v3/push_subscriptions/{id}", delete(subscriptions::delete))
        .fallback(unexpected)
        .with_state(fake.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    fake
}

async fn unexpected(State(fake): State<FakeStrava>, uri: Uri) -> Response {
    fake.state().unexpected.push(format!("a call of {}", uri.path()));
    StatusCode::NOT_FOUND.into_response()
}

/// Strava's fault body.
pub(super) fn refusal(status: u16, resource: &str, field: &str, code: &str) -> Response {
    let message = match status {
        400 => "Bad Request",
        401 => "Authorization Error",
        403 => "Forbidden",
        404 => "Record Not Found",
        429 => "Rate Limit Exceeded",
        _ => "Error",
    };
    let body = json!({"message": message, "errors": [{"resource": resource, "field": field, "code": code}]});
    (StatusCode::from_u16(status).expect("a status"), axum::Json(body)).into_response()
}

/// The answer of a fault; `None` where the call goes on as usual after it.
pub(super) async fn fault_answer(fake: &FakeStrava, fault: Fault) -> Option<Response> {
    match fault {
        Fault::Status(status) => Some((StatusCode::from_u16(status).expect("a status"), axum::Json(json!({"errors": []}))).into_response()),
        Fault::RateLimitedShort | Fault::RateLimitedDaily => {
            let (short, daily) = fake.state().limits;
            let is_daily = matches!(fault, Fault::RateLimitedDaily);
            let usage = if is_daily { (1, daily) } else { (short, 1) };
            Some(with_limits(refusal(429, "Application", "overall rate limit", "exceeded"), (short, daily), usage))
        }
        Fault::Truncated => Some(([("content-type", "application/json")], r#"[{"id": 1, "na"#).into_response()),
        Fault::Html => Some(Html("<html><body>We'll be back soon</body></html>").into_response()),
        Fault::Empty => Some(axum::Json(json!([])).into_response()),
        Fault::Inactive => Some(refusal(403, "Application", "Status", "Inactive")),
        Fault::NotFound => Some(refusal(404, "Activity", "id", "invalid")),
        Fault::TokenExpires => {
            for athlete in fake.state().athletes.values_mut() {
                if let Some(tokens) = &mut athlete.tokens {
                    tokens.expires_at = 0;
                }
            }
            None
        }
        Fault::Held(gate) => {
            gate.pass().await;
            None
        }
        Fault::HeldBody(_) => None,
    }
}

fn with_limits(mut response: Response, limit: (i64, i64), usage: (i64, i64)) -> Response {
    let pair = |(short, daily): (i64, i64)| format!("{short},{daily}").parse().expect("a header");
    for (name, value) in [
        ("x-ratelimit-limit", pair((limit.0 * 2, limit.1 * 2))),
        ("x-ratelimit-usage", pair(usage)),
        ("x-readratelimit-limit", pair(limit)),
        ("x-readratelimit-usage", pair(usage)),
    ] {
        response.headers_mut().insert(name, value);
    }
    response
}

async fn list(State(fake): State<FakeStrava>, Query(query): Query<Pairs>, headers: HeaderMap) -> Response {
    let asked = query.clone();
    answer(&fake, "list", query, &headers, |athlete, _, now_s| match listing::page(&athlete.history, &athlete.scope, &asked, now_s) {
        Ok(page) => Ok(([("content-type", "application/json")], page).into_response()),
        Err(what) => Err(what),
    })
    .await
}

async fn one(State(fake): State<FakeStrava>, Path(id): Path<i64>, Query(query): Query<Pairs>, headers: HeaderMap) -> Response {
    let asked = query.clone();
    answer(&fake, "detail", query, &headers, |athlete, state, _| {
        if asked.iter().any(|(name, value)| name != "include_all_efforts" || value != "false") {
            return Err(format!("a detailed activity with {asked:?}"));
        }
        let own = athlete.history.iter().find(|listed| listed.id == Some(id) && listed.is_visible(&athlete.scope));
        // What others do not hide is shown to everybody.
        let mut others = state.athletes.values().filter(|other| !std::ptr::eq(*other, athlete)).flat_map(|other| &other.history);
        let listed = own.or_else(|| others.find(|listed| listed.id == Some(id) && listed.is_visible("")));
        Ok(listed.map_or_else(
            || refusal(404, "Activity", "id", "invalid"),
            |listed| axum::Json(detail::detail(&listed.value(), state.details.get(&id))).into_response(),
        ))
    })
    .await
}

async fn streams(State(fake): State<FakeStrava>, Path(id): Path<i64>, Query(query): Query<Pairs>, headers: HeaderMap) -> Response {
    let asked = query.clone();
    answer(&fake, "streams", query, &headers, |athlete, _, _| {
        let listed = athlete.history.iter().find(|listed| listed.id == Some(id) && listed.is_visible(&athlete.scope));
        let streams = listed.map(|listed| detail::streams(&listed.value(), &asked)).transpose()?.flatten();
        Ok(streams.map_or_else(|| refusal(404, "Activity", "id", "invalid"), |streams| axum::Json(streams).into_response()))
    })
    .await
}

/// Answers a call of the API: counted before anything else, then faulty, refused for its limit, or as `respond` says,
/// which answers `Err` for what the real Strava would not understand.
async fn answer(
    fake: &FakeStrava,
    what: &'static str,
    query: Pairs,
    headers: &HeaderMap,
    respond: impl FnOnce(&Athlete, &Model, i64) -> Result<Response, String>,
) -> Response {
    let at_s = fake.clock().now_s();
    let (fault, usage, limits) = {
        let mut state = fake.state();
        (state.arrive(what), count_call(&mut state, at_s), state.limits)
    };
    let held_body = if let Some(Fault::HeldBody(gate)) = &fault { Some(gate.clone()) } else { None };
    let faulty = match fault {
        Some(fault) => fault_answer(fake, fault).await,
        None => None,
    };
    let response = faulty.unwrap_or_else(|| {
        let is_refused = usage.0 > limits.0 || usage.1 > limits.1;
        if is_refused { refusal(429, "Application", "rate limit", "exceeded") } else { regular(fake, &query, headers, respond) }
    });
    let status = response.status().as_u16();
    fake.state().calls.push(Call { what, query, status, at_s });
    // Neither an error of the server's nor a page of HTML comes from where the calls are counted.
    let is_counted = status < 500 && response.headers().get("content-type").is_none_or(|kind| !kind.as_bytes().starts_with(b"text/html"));
    let has_limits = response.headers().contains_key("x-ratelimit-limit");
    let response = if is_counted && !has_limits { with_limits(response, limits, usage) } else { response };
    match held_body {
        Some(gate) => cut_in_two(response, gate).await,
        None => response,
    }
}

/// Counts a call, refused or not, and returns the usage of the quarter hour and the day.
fn count_call(state: &mut Model, now_s: i64) -> (i64, i64) {
    *state.usage.entry(now_s / SHORT_WINDOW_S).or_default() += 1;
    let of_day = |window: i64| window * SHORT_WINDOW_S / DAY_S == now_s / DAY_S;
    let daily = state.usage.iter().filter(|(window, _)| of_day(**window)).map(|(_, n)| n).sum();
    (state.usage[&(now_s / SHORT_WINDOW_S)], daily)
}

fn regular(
    fake: &FakeStrava,
    query: &Pairs,
    headers: &HeaderMap,
    respond: impl FnOnce(&Athlete, &Model, i64) -> Result<Response, String>,
) -> Response {
    let now_s = fake.clock().now_s();
    let mut state = fake.state();
    if query.contains_key("access_token") {
        state.unexpected.push("an access token in the query".to_owned());
    }
    let bearer = headers.get("authorization").and_then(|v| v.to_str().ok()?.strip_prefix("Bearer ")).unwrap_or_default();
    let holder = state.athletes.values().find(|a| a.tokens.as_ref().is_some_and(|t| t.access == bearer && t.expires_at > now_s));
    let Some(athlete) = holder else { return refusal(401, "Athlete", "access_token", "invalid") };
    if !athlete.scope.split(',').any(|scope| scope.starts_with("activity:read")) {
        return refusal(401, "AccessToken", "activity:read_permission", "missing");
    }
    respond(athlete, &state, now_s).unwrap_or_else(|what| {
        state.unexpected.push(what);
        refusal(400, "Application", "parameter", "invalid")
    })
}

/// Sends half of the body, and the rest when the gate opens.
async fn cut_in_two(response: Response, gate: Gate) -> Response {
    let (parts, body) = response.into_parts();
    let mut first = to_bytes(body, BODY_BYTES_MAX).await.expect("a body");
    let second = first.split_off(first.len() / 2);
    let late = once(async move {
        gate.pass().await;
        second
    });
    Response::from_parts(parts, Body::from_stream(iter([first]).chain(late).map(Ok::<_, std::convert::Infallible>)))
}
