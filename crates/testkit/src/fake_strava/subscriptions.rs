//! `/push_subscriptions` as Strava does it, the check of the address included, and the events it would post.

use std::collections::HashMap;
use std::time::Duration;

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::model::{FakeStrava, new_secret};
use super::server::refusal;

/// The id of the first subscription.
pub const FIRST_SUBSCRIPTION_ID: i64 = 131_300;
/// How long the address may take to answer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest address, bytes.
const CALLBACK_BYTES_MAX: usize = 255;

type Pairs = HashMap<String, String>;

fn is_application(fake: &FakeStrava, pairs: &Pairs) -> bool {
    pairs.get("client_id").is_some_and(|id| id == fake.client_id())
        && pairs.get("client_secret").is_some_and(|secret| secret == fake.client_secret())
}

pub(super) async fn create(State(fake): State<FakeStrava>, Form(form): Form<Pairs>) -> Response {
    if !is_application(&fake, &form) {
        return refusal(401, "Application", "", "invalid");
    }
    let get = |name: &str| form.get(name).cloned().unwrap_or_default();
    if get("callback_url").len() > CALLBACK_BYTES_MAX {
        return refusal(400, "PushSubscription", "callback url", "too long");
    }
    if fake.state().subscription.is_some() {
        return refusal(400, "PushSubscription", "", "already exists");
    }
    if !answers(&get("callback_url"), &get("verify_token")).await {
        return refusal(400, "PushSubscription", "callback url", "GET to callback URL does not return 200");
    }
    let mut state = fake.state();
    let id = FIRST_SUBSCRIPTION_ID + state.subscriptions_made;
    state.subscriptions_made += 1;
    state.subscription = Some(json!({
        "id": id, "resource_state": 2, "application_id": 12_345, "callback_url": get("callback_url"),
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"
    }));
    (StatusCode::CREATED, axum::Json(json!({ "id": id }))).into_response()
}

/// Calls the address as Strava does before it subscribes it.
async fn answers(callback_url: &str, verify_token: &str) -> bool {
    let challenge = new_secret("challenge");
    let query = [("hub.mode", "subscribe"), ("hub.verify_token", verify_token), ("hub.challenge", &challenge)];
    let Ok(url) = url::Url::parse_with_params(callback_url, query) else { return false };
    let client = runaway_core::http::client_builder(CHECK_TIMEOUT).build().expect("an HTTP client");
    let Ok(answer) = client.get(url).send().await else { return false };
    let is_ok = answer.status() == 200;
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap_or_default()).unwrap_or_default();
    is_ok && body["hub.challenge"] == challenge
}

pub(super) async fn list(State(fake): State<FakeStrava>, Query(query): Query<Pairs>) -> Response {
    if !is_application(&fake, &query) {
        return refusal(401, "Application", "", "invalid");
    }
    axum::Json(Value::Array(fake.state().subscription.iter().cloned().collect())).into_response()
}

pub(super) async fn delete(State(fake): State<FakeStrava>, Path(id): Path<i64>, Query(query): Query<Pairs>) -> Response {
    if !is_application(&fake, &query) {
        return refusal(401, "Application", "", "invalid");
    }
    let mut state = fake.state();
    if state.subscription.as_ref().is_none_or(|subscription| subscription["id"] != id) {
        return refusal(404, "PushSubscription", "id", "invalid");
    }
    state.subscription = None;
    StatusCode::NO_CONTENT.into_response()
}

/// An event as Strava posts it.
pub fn event(object_type: &str, object_id: i64, aspect_type: &str, owner_id: i64, updates: &Value) -> Value {
    json!({
        "object_type": object_type, "object_id": object_id, "aspect_type": aspect_type, "owner_id": owner_id,
        "subscription_id": FIRST_SUBSCRIPTION_ID, "event_time": jiff::Timestamp::now().as_second(), "updates": updates
    })
}

/// The athlete is said to have taken the permission back.
pub fn deauthorisation(athlete_id: i64) -> Value {
    event("athlete", athlete_id, "update", athlete_id, &json!({"authorized": "false"}))
}
