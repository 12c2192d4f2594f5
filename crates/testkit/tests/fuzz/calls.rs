//! Requests to every function.

use lambda_http::http::HeaderValue;
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::call::{checked, request};
use testkit::fuzz::{MARK, check, json, mutated, text};
use url::Url;
use uuid::Uuid;

use crate::functions::ATHLETE;
use crate::{quiet_world, with_history};

const CASES: u32 = 24;
const TOKEN_TTL_S: i64 = 6 * 3600;
const FUNCTIONS: [&str; 9] =
    ["strava-auth", "oauth-callback", "sync-beta", "job-status", "strava-webhook", "disconnect", "delete-account", "journal", "chat"];
/// Statuses of the contract that a caller can bring about.
const STATUSES: [u16; 11] = [200, 201, 204, 400, 401, 403, 404, 405, 409, 413, 429];

/// Who calls.
#[derive(Debug, Clone)]
enum Caller {
    /// The athlete's user.
    Own,
    /// A user without an athlete.
    Stranger,
    /// Somebody without a valid token.
    Nobody(Option<String>),
}

fn caller() -> impl Strategy<Value = Caller> {
    let token = prop::option::of(prop_oneof![text(), "[a-zA-Z0-9_-]{1,20}\\.[a-zA-Z0-9_-]{0,20}\\.[a-zA-Z0-9_-]{0,20}"]);
    prop_oneof![6 => Just(Caller::Own), 1 => Just(Caller::Stranger), 1 => token.prop_map(Caller::Nobody)]
}

fn word() -> impl Strategy<Value = String> {
    let known = vec![
        "conversations",
        "memory",
        "generate",
        "generate-recent",
        "weeks",
        "chart.svg",
        "2026-11-23",
        "2026-02-30",
        "9999-12-31",
        "-0001-01-01",
        "4711",
        "99999999999999999999",
        "true",
        "0",
        "1",
        "100",
        "",
        "00000000-0000-4000-8000-000000000000",
        "full",
        "incremental",
        "1767508200",
    ];
    prop_oneof![5 => prop::sample::select(known).prop_map(str::to_owned), 1 => any::<i64>().prop_map(|n| n.to_string()), 1 => text()]
}

/// Path below a function, with any query.
fn address() -> impl Strategy<Value = String> {
    let function = prop::sample::select(FUNCTIONS.to_vec());
    let names =
        ["athlete_id", "user_id", "limit", "all", "code", "state", "scope", "error", "hub.mode", "hub.verify_token", "hub.challenge"];
    let query = prop::collection::vec((prop::sample::select(names.to_vec()).prop_map(str::to_owned), word()), 0..3);
    (function, prop::collection::vec(word(), 0..4), query).prop_map(|(function, words, query)| {
        let mut url = Url::parse("https://api.example.com").unwrap();
        url.path_segments_mut().unwrap().push(function).extend(words);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url.as_str().trim_start_matches("https://api.example.com").to_owned()
    })
}

fn body() -> impl Strategy<Value = String> {
    let whole = json!({
        "message": "How far did I run last week?", "conversation_id": null, "client_message_id": Uuid::nil(), "athlete_id": ATHLETE,
        "user_id": ATHLETE.to_string(), "redirect": "runaway://strava-connected", "confirm": false, "sync_type": "full", "after": 1, "before": 1_767_508_200,
        "max_activities": 10, "week_start_date": "2026-11-23", "weeks": 2, "force": false,
        "memory": {"personal": {"preferred_name": "Mira"}, "goals": {"primary": null}, "physical_profile": {"current_concerns": ["knee"]}}
    });
    let whole = whole.as_object().unwrap().clone();
    let memory = (prop::sample::select(vec!["personal", "goals", "physical_profile", MARK]), json())
        .prop_map(|(section, value)| json!({"memory": {section: value}}).to_string());
    prop_oneof![
        5 => mutated(whole, &["more"]).prop_map(|object| Value::Object(object).to_string()),
        1 => memory,
        1 => text(),
        1 => json().prop_map(|value| value.to_string()),
        1 => Just(String::new()),
        1 => any::<String>().prop_map(|message| json!({"message": message}).to_string()),
    ]
}

#[tokio::test]
async fn every_function_answers_any_request_by_the_contract() {
    let functions = with_history(quiet_world().await).await;
    let world = &functions.world;
    let method = prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]);
    check(
        "requests to all functions",
        CASES,
        &(caller(), method, address(), body(), prop::bool::weighted(0.2)),
        async |(caller, method, path, body, wants_events)| {
            let token = match &caller {
                Caller::Own => Some(world.token()),
                Caller::Stranger => Some(world.issuer.token(Uuid::from_u128(1))),
                Caller::Nobody(token) => token.clone(),
            };
            let mut request = request(method, &path, None, &body);
            if let Some(token) = token {
                let Ok(value) = HeaderValue::try_from(format!("Bearer {token}")) else { return Err(TestCaseError::reject("no header")) };
                request.headers_mut().insert("authorization", value);
            }
            if wants_events {
                request.headers_mut().insert("accept", HeaderValue::from_static("text/event-stream"));
            }
            let function = path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default().to_owned();
            let is_open = ["oauth-callback", "strava-webhook"].contains(&function.as_str());
            let response = functions.call(request).await;
            let (status, answer) = checked(&response);
            prop_assert!(STATUSES.contains(&status), "{status} {answer}");
            let is_refused = matches!(caller, Caller::Nobody(_)) && !is_open && method != "OPTIONS";
            prop_assert_eq!(status == 401, is_refused, "{}", answer);
            if status >= 400 {
                prop_assert!(!answer.to_string().contains(MARK), "{answer}");
                prop_assert!(answer["error"]["code"].is_string() || function == "oauth-callback", "{answer}");
            } else if method == "OPTIONS" {
                prop_assert_eq!(status, 204);
            }
            if ["disconnect", "delete-account"].contains(&function.as_str()) && status == 200 {
                world.connect(ATHLETE, world.user_id, TOKEN_TTL_S).await;
            }
            Ok(())
        },
    )
    .await;
    functions.world.assert_in_order(&[]).await;
}
