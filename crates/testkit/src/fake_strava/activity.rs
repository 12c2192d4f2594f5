//! `GET /activities/{id}` as Strava does it: in full for the athlete, in full for others where it is public.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::model::{Call, FakeStrava, State as Model};
use super::server::{bearer_of, count_call, fault_answer, refusal, with_limits};

pub(super) async fn show(State(fake): State<FakeStrava>, Path(id): Path<i64>, headers: HeaderMap) -> Response {
    let fault = fake.state().arrive("activity");
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
        let response = if refused { refusal(429, "Application", "rate limit", "exceeded") } else { answer(&state, id, &headers, now_s) };
        with_limits(response, limits, usage)
    });
    let status = response.status().as_u16();
    fake.state().calls.push(Call { what: "activity", query: [("id".to_owned(), id.to_string())].into(), status });
    response
}

fn answer(state: &Model, id: i64, headers: &HeaderMap, now_s: i64) -> Response {
    let bearer = bearer_of(headers);
    let holder = state.athletes.iter().find(|(_, a)| a.tokens.as_ref().is_some_and(|t| t.access == bearer && t.expires_at > now_s));
    let Some((&asker, asking)) = holder else { return refusal(401, "Athlete", "access_token", "invalid") };
    if !asking.scope.split(',').any(|scope| scope.starts_with("activity:read")) {
        return refusal(401, "AccessToken", "activity:read_permission", "missing");
    }
    let sees_private = asking.scope.split(',').any(|scope| scope == "activity:read_all");
    let found = state.athletes.iter().find_map(|(owner, a)| Some((*owner, a.activities.iter().find(|activity| activity["id"] == id)?)));
    match found {
        Some((owner, activity)) if activity["private"] != true || (owner == asker && sees_private) => {
            axum::Json(detail(activity)).into_response()
        }
        _ => refusal(404, "Activity", "id", "invalid"),
    }
}

/// The summary with what only the detail has.
fn detail(summary: &Value) -> Value {
    let mut detail = summary.clone();
    let more = json!({
        "resource_state": 3, "description": "An invented description", "calories": 612.0, "perceived_exertion": null, "laps": [],
        "splits_metric": [], "splits_standard": [], "best_efforts": [], "segment_efforts": [], "embed_token": "invented"
    });
    if let (Value::Object(fields), Value::Object(more)) = (&mut detail, more) {
        fields.extend(more);
    }
    detail
}
