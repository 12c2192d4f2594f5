//! What a browser may carry to the callback.

use lambda_http::Body;
use proptest::prelude::*;
use runaway_core::strava::{REQUIRED_SCOPE, SCOPES_ASKED};
use testkit::call::{checked, request};
use testkit::fuzz::{MARK, check, text};
use testkit::world::APP_REDIRECT;
use url::Url;

use crate::functions::ATHLETE;
use crate::{quiet_world, with_history};

const CASES: u32 = 12;
const REASONS: [&str; 6] = ["access_denied", "missing_scope", "state_invalid", "already_linked", "exchange_failed", "upstream_unavailable"];

/// A parameter: the right one, another, or none.
#[derive(Debug, Clone)]
enum Given {
    Right,
    Other(String),
    Absent,
}

fn given() -> impl Strategy<Value = Given> {
    prop_oneof![5 => Just(Given::Right), 1 => text().prop_map(|text| Given::Other(text + MARK)), 1 => "x{500,600}".prop_map(Given::Other), 1 => Just(Given::Absent)]
}

fn value(given: &Given, right: &str) -> Option<String> {
    match given {
        Given::Right => Some(right.to_owned()),
        Given::Other(text) => Some(text.clone()),
        Given::Absent => None,
    }
}

#[tokio::test]
async fn a_callback_ends_in_one_of_its_words_and_echoes_nothing() {
    let functions = with_history(quiet_world().await).await;
    let world = &functions.world;
    let scope = prop_oneof![3 => Just(SCOPES_ASKED.to_owned()), 1 => Just("read".to_owned()), 1 => text(), 1 => "(read|activity:read_all)([, ](read|activity:read_all)){0,3}"];
    let inputs =
        (given(), given(), scope, prop::option::weighted(0.15, text()), any::<bool>(), prop::collection::vec((text(), text()), 0..2));
    check("callback parameters", CASES, &inputs, async |(state, code, scope, error, has_redirect, more)| {
        let body = if has_redirect { format!(r#"{{"redirect":"{APP_REDIRECT}"}}"#) } else { String::new() };
        let (_, begun) = checked(&functions.call(request("POST", "/strava-auth", Some(&world.token()), &body)).await);
        let url: Url = begun["authorization_url"].as_str().unwrap().parse().unwrap();
        let right_state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let granted = if scope.contains(MARK) { "read".to_owned() } else { scope.clone() };
        let right_code = world.strava.authorize(ATHLETE, &granted);
        let mut address = Url::parse("https://api.example.com/oauth-callback").unwrap();
        let pairs = [("state", value(&state, &right_state)), ("code", value(&code, &right_code)), ("scope", Some(scope.clone())), ("error", error.clone())];
        address.query_pairs_mut().extend_pairs(pairs.into_iter().filter_map(|(name, value)| Some((name, value?)))).extend_pairs(more);
        let path = address.as_str().trim_start_matches("https://api.example.com").to_owned();

        let response = functions.call(request("GET", &path, None, "")).await;
        let status = response.status().as_u16();
        let shown = format!("{:?} {:?}", response.headers(), response.body());
        prop_assert!([&right_state, &right_code].iter().all(|secret| !shown.contains(secret.as_str())) && !shown.contains(MARK), "{shown}");
        prop_assert_eq!(response.headers()["referrer-policy"].to_str().ok(), Some("no-referrer"));
        let is_begun = matches!(state, Given::Right);
        let is_connected = is_begun && matches!(code, Given::Right) && error.as_deref().unwrap_or_default().is_empty() && {
            let has = |list: &str| list.split([',', ' ']).any(|scope| scope.trim() == REQUIRED_SCOPE);
            has(&scope) || (scope.is_empty() && has(&granted))
        };
        match response.headers().get("location") {
            Some(location) => {
                let url: Url = location.to_str().unwrap().parse().unwrap();
                prop_assert!(has_redirect && is_begun && status == 302 && url.as_str().starts_with(APP_REDIRECT));
                let pairs: Vec<(String, String)> = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
                let is_success = pairs == [("success".to_owned(), "true".to_owned()), ("athlete_id".to_owned(), ATHLETE.to_string())];
                let is_failure = matches!(pairs.as_slice(), [(_, f), (name, reason)] if f == "false" && name == "error" && REASONS.contains(&reason.as_str()));
                prop_assert!(is_success == is_connected && is_failure != is_connected, "{pairs:?}");
            }
            None => {
                prop_assert!(!has_redirect || !is_begun);
                prop_assert!(matches!(response.body(), Body::Text(page) if page.contains("<html")), "{shown}");
                prop_assert_eq!(status == 200, is_connected);
                prop_assert!(is_begun || status == 400, "{status}");
            }
        }
        let again = functions.call(request("GET", &path, None, "")).await;
        prop_assert_eq!(again.status().as_u16(), 400, "a state serves once");
        Ok(())
    })
    .await;
    let tokens = world.database.count("SELECT count(*) FROM strava_tokens").await;
    assert_eq!(tokens, 1, "one connection, however often it was made");
}
