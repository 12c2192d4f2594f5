//! The HTTP side: routes, bearer tokens, rate limits, and the answers of faults.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::faults::Fault;
use super::model::{Call, FakeStrava, Inner, State as Model};
use super::{activity, listing, oauth, subscriptions};

const SHORT_WINDOW_S: i64 = 15 * 60;
const DAY_S: i64 = 24 * 60 * 60;

pub(super) async fn start(port: u16, inner: impl FnOnce(u16) -> Inner) -> FakeStrava {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a port for the invented Strava");
    let fake = FakeStrava(Arc::new(inner(listener.local_addr().expect("the port").port())));
    let router = Router::new()
        .route("/oauth/authorize", get(oauth::authorize))
        .route("/oauth/token", post(oauth::token))
        .route("/oauth/revoke", post(oauth::revoke))
        .route("/api/v3/athlete/activities", get(list))
        .route("/api/v3/activities/{id}", get(activity::show))
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
    }
}

pub(super) fn with_limits(mut response: Response, limit: (i64, i64), usage: (i64, i64)) -> Response {
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

async fn list(State(fake): State<FakeStrava>, Query(query): Query<HashMap<String, String>>, headers: HeaderMap) -> Response {
    let fault = fake.state().arrive("list");
    let faulty = match fault {
        Some(fault) => fault_answer(&fake, fault).await,
        None => None,
    };
    let response = faulty.unwrap_or_else(|| {
        let now_s = fake.clock().now_s();
        let mut state = fake.state();
        let usage = count_call(&mut state, now_s);
        let limits = state.limits;
        let refused = usage.0 > limits.0 || usage.1 > limits.1;
        let response =
            if refused { refusal(429, "Application", "rate limit", "exceeded") } else { answer_list(&mut state, &query, &headers, now_s) };
        with_limits(response, limits, usage)
    });
    let status = response.status().as_u16();
    fake.state().calls.push(Call { what: "list", query, status });
    response
}

/// Counts a call, refused or not, and returns the usage of the quarter hour and the day.
pub(super) fn count_call(state: &mut Model, now_s: i64) -> (i64, i64) {
    *state.usage.entry(now_s / SHORT_WINDOW_S).or_default() += 1;
    let of_day = |window: i64| window * SHORT_WINDOW_S / DAY_S == now_s / DAY_S;
    let daily = state.usage.iter().filter(|(window, _)| of_day(**window)).map(|(_, n)| n).sum();
    (state.usage[&(now_s / SHORT_WINDOW_S)], daily)
}

/// The token of a call; empty without one.
pub(super) fn bearer_of(headers: &HeaderMap) -> &str {
    headers.get("authorization").and_then(|v| v.to_str().ok()?.strip_prefix("Bearer ")).unwrap_or_default()
}

fn answer_list(state: &mut Model, query: &HashMap<String, String>, headers: &HeaderMap, now_s: i64) -> Response {
    if query.contains_key("access_token") {
        state.unexpected.push("an access token in the query".to_owned());
    }
    let bearer = bearer_of(headers);
    let holder = state.athletes.values().find(|a| a.tokens.as_ref().is_some_and(|t| t.access == bearer && t.expires_at > now_s));
    let Some(athlete) = holder else { return refusal(401, "Athlete", "access_token", "invalid") };
    if !athlete.scope.split(',').any(|scope| scope.starts_with("activity:read")) {
        return refusal(401, "AccessToken", "activity:read_permission", "missing");
    }
    match listing::page(&athlete.activities, &athlete.scope, query, now_s) {
        Ok(page) => axum::Json(Value::Array(page)).into_response(),
        Err(what) => {
            state.unexpected.push(what);
            refusal(400, "Application", "parameter", "invalid")
        }
    }
}
