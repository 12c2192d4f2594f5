//! Connecting and all its failures, the webhook, disconnecting, deleting, and requests that nobody understands.

use runaway_core::strava::SCOPES_ASKED;
use serde_json::{Value, json};
use testkit::call::request;
use testkit::fake_strava::{Fault, deauthorisation, event};
use testkit::marks::{ACTIVITY, EMAIL, FIRST_NAME, NONSENSE};
use testkit::world::APP_REDIRECT;
use url::Url;
use uuid::Uuid;

use super::story::{PAUSE_S, Story};
use crate::functions::ATHLETE;

/// `POST /strava-auth`; the state of the address it answers with.
async fn begin(story: &Story, body: &str) -> String {
    let (status, answer) = story.call("POST", "/strava-auth", body).await;
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let url: Url = answer["authorization_url"].as_str().unwrap().parse().unwrap();
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    story.mark("a state", &state);
    state
}

async fn call_back(story: &Story, query: &str) -> u16 {
    story.call_as(None, "GET", &format!("/oauth-callback?{query}"), "").await.0
}

/// The athlete connects, and a sync begins.
pub(super) async fn connect(story: &Story) {
    let state = begin(story, &format!(r#"{{"redirect":"{APP_REDIRECT}"}}"#)).await;
    let code = story.world().strava.authorize(ATHLETE, SCOPES_ASKED);
    assert_eq!(call_back(story, &format!("state={state}&code={code}&scope={SCOPES_ASKED}")).await, 302);
}

#[tokio::test]
async fn connecting_and_all_that_goes_wrong_with_it() {
    let story = Story::begin().await;
    let strava = &story.world().strava;
    // Refused, forged, incomplete, and codes that Strava does not take.
    let state = begin(&story, "").await;
    assert_eq!(call_back(&story, &format!("state={state}&error=access_denied&error_description={NONSENSE}")).await, 403);
    assert_eq!(call_back(&story, &format!("state={NONSENSE}&code={NONSENSE}&scope={NONSENSE}")).await, 400);
    let state = begin(&story, "").await;
    assert_eq!(call_back(&story, &format!("state={state}&code={NONSENSE}&scope=read")).await, 403);
    let state = begin(&story, "").await;
    assert_eq!(call_back(&story, &format!("state={state}&code={NONSENSE}")).await, 502);
    for (fault, expected) in
        [(Fault::Status(500), 503), (Fault::Status(400), 502), (Fault::Html, 503), (Fault::Truncated, 503), (Fault::RateLimitedShort, 503)]
    {
        let state = begin(&story, "").await;
        let code = strava.authorize(ATHLETE, SCOPES_ASKED);
        story.fail_next("exchange", fault.clone());
        assert_eq!(call_back(&story, &format!("state={state}&code={code}&scope={SCOPES_ASKED}")).await, expected, "{fault:?}");
    }
    connect(&story).await;
    story
        .happened(&format!("SELECT count(*) FROM athletes WHERE first_name = '{FIRST_NAME}' AND city = 'Zqcity' AND strava_connected"))
        .await;
    // Another user's attempt at the same athlete.
    let token = story.world().issuer.token(Uuid::new_v4());
    let (_, answer) = story.call_as(Some(&token), "POST", "/strava-auth", "").await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let url: Url = answer["authorization_url"].as_str().unwrap().parse().unwrap();
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let code = strava.authorize(ATHLETE, SCOPES_ASKED);
    assert_eq!(call_back(&story, &format!("state={state}&code={code}&scope={SCOPES_ASKED}")).await, 409);
    // The database goes away with the code in the air.
    let state = begin(&story, "").await;
    let code = strava.authorize(ATHLETE, SCOPES_ASKED);
    story.world().database.shut().await;
    assert_eq!(call_back(&story, &format!("state={state}&code={code}&scope={SCOPES_ASKED}")).await, 503);
    story.world().database.reopen().await;
    story.ends().await;
}

/// Posts to the webhook, below `path`.
async fn post(story: &Story, path: &str, body: &str) -> u16 {
    story.call_as(None, "POST", &format!("/strava-webhook/{path}"), body).await.0
}

#[tokio::test]
async fn the_webhook_and_the_ends_of_a_connection() {
    let story = Story::begin().await;
    let path = story.world().webhook_path.clone();
    connect(&story).await;
    story.deliver_all().await;
    let tell = |aspect: &str, updates: Value| event("activity", ATHLETE * 1000 + 3, aspect, ATHLETE, &updates).to_string();
    for body in [tell("create", json!({})), tell("update", json!({"title": ACTIVITY})), tell("delete", json!({}))] {
        assert_eq!(post(&story, &path, &body).await, 200);
    }
    for body in [
        format!("{NONSENSE}{{"),
        json!({"object_type": NONSENSE, "object_id": NONSENSE}).to_string(),
        format!(r#"{{"updates":"{NONSENSE}"}}"#),
    ] {
        assert_eq!(post(&story, &path, &body).await, 400, "{body}");
    }
    assert_eq!(post(&story, &path, &NONSENSE.repeat(10_000)).await, 413);
    assert_eq!(post(&story, NONSENSE, &tell("create", json!({}))).await, 404);
    let mut signed = request("POST", &format!("/strava-webhook/{path}"), None, &tell("update", json!({"title": ACTIVITY})));
    signed.headers_mut().insert("x-strava-signature", format!("t=1,v1={NONSENSE}").parse().unwrap());
    assert_eq!(story.send(signed).await.0, 403);
    for query in [format!("hub.mode=subscribe&hub.challenge={NONSENSE}&hub.verify_token={NONSENSE}"), format!("hub.mode={NONSENSE}")] {
        for below in [format!("/{path}"), String::new()] {
            assert_eq!(story.call_as(None, "GET", &format!("/strava-webhook{below}?{query}"), "").await.0, 403);
        }
    }
    story.deliver_all().await;
    story.later(PAUSE_S).await;
    // The end by Strava's word, and a new beginning.
    story.world().strava.revoke(ATHLETE);
    assert_eq!(post(&story, &path, &deauthorisation(ATHLETE).to_string()).await, 200);
    story.deliver_all().await;
    story.happened("SELECT count(*) FROM athletes WHERE NOT strava_connected").await;
    connect(&story).await;
    story.deliver_all().await;
    // The end by the athlete's, with a Strava that does not answer.
    story.fail_next("revoke", Fault::Status(500));
    assert_eq!(story.call("POST", "/disconnect", &format!(r#"{{"athlete_id":{ATHLETE},"note":"{NONSENSE}"}}"#)).await.0, 200);
    story.happened("SELECT count(*) FROM pending_revocations").await;
    story.process(json!({"task": "cleanup"})).await;
    connect(&story).await;
    story.fail_next("revoke", Fault::Html);
    assert_eq!(story.call("DELETE", "/delete-account", "").await.0, 200);
    story.happened("SELECT count(*) FROM erasure_receipts").await;
    story.world().clock.advance(40 * 86_400);
    story.process(json!({"task": "cleanup"})).await;
    story.ends().await;
}

#[tokio::test]
async fn requests_that_nobody_understands() {
    const FUNCTIONS: [&str; 9] =
        ["strava-auth", "oauth-callback", "sync-beta", "job-status", "strava-webhook", "disconnect", "delete-account", "journal", "chat"];
    let story = Story::begin().await;
    connect(&story).await;
    let bodies = [
        format!("{NONSENSE}{{"),
        format!("[\"{NONSENSE}\"]"),
        format!(
            r#"{{"message":7,"user_id":"{NONSENSE}","athlete_id":"{NONSENSE}","redirect":"{NONSENSE}","sync_type":"{NONSENSE}","week_start_date":"{NONSENSE}","memory":{{"{NONSENSE}":1}}}}"#
        ),
        format!(
            r#"{{"message":"{NONSENSE}","conversation_id":"{NONSENSE}","confirm":"{NONSENSE}","weeks":"{NONSENSE}","after":"{NONSENSE}","memory":"{NONSENSE}"}}"#
        ),
        NONSENSE.repeat(10_000),
    ];
    let tails = [
        String::new(),
        format!("/{NONSENSE}"),
        format!("?athlete_id={NONSENSE}&limit={NONSENSE}"),
        format!("/weeks/{NONSENSE}/chart.svg"),
        format!("/memory/{NONSENSE}"),
        format!("/conversations?limit={NONSENSE}"),
    ];
    let tokens = [
        NONSENSE.to_owned(),
        format!("{NONSENSE}.{NONSENSE}.{NONSENSE}"),
        story.token().replace('.', ""),
        story.world().issuer.sign(&json!({"alg": "ES256", "kid": NONSENSE}), &json!({"email": EMAIL})),
    ];
    for function in FUNCTIONS {
        for tail in &tails {
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
                let path = format!("/{function}{tail}");
                let body = &bodies[(path.len() + method.len()) % bodies.len()];
                assert!(story.call(method, &path, body).await.0 < 500, "{method} {path}");
                story.call_as(Some(&tokens[path.len() % tokens.len()]), method, &path, body).await;
            }
        }
        for body in &bodies {
            assert!(story.call("POST", &format!("/{function}"), body).await.0 < 500, "{function} {body:.40}");
        }
    }
    assert_eq!(story.call("PUT", "/chat/memory", &bodies[2]).await.0, 400);
    for event in [
        json!(NONSENSE),
        json!({"task": NONSENSE}),
        json!({"Records": NONSENSE}),
        json!({"Records": [NONSENSE]}),
        json!({"Records": [{"messageId": "m", "body": NONSENSE}]}),
        json!({"Records": [{"messageId": {"x": NONSENSE}}]}),
    ] {
        story.process(event.clone()).await;
        story.write_weeks(event).await;
    }
    story.ends().await;
}
