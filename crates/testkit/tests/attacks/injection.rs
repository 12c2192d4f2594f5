//! Scripts, headers and SQL through everything that could be repeated, logged or put into a statement.

use serde_json::{Value, json};
use testkit::Reply;
use url::form_urlencoded::byte_serialize;

use crate::client::{Answer, Request};
use crate::endpoints::{ENDPOINTS, PROVIDERS};
use crate::stage::{Expect, INVALID, NOT_ALLOWED, NOT_FOUND, Stage, harmless, refused};
use crate::tickets::NO_TICKET;

const SCRIPTS: &str = "scripts and headers";
const SQL: &str = "SQL";
const PATHS: &str = "paths and methods";

/// What would run, or begin a header, where it is repeated as it is.
const SCRIPT: [&str; 5] = [
    "<script>alert('evil')</script>",
    "\"><img src=x onerror=alert('evil')>",
    "evil\r\nx-evil: 1\r\n\r\n<html>",
    "evil%0d%0ax-evil:%201",
    "{{evil}}${evil}<%= evil %>",
];
const STATEMENTS: [&str; 7] = [
    "'; DROP TABLE activities; --",
    "' OR '1'='1",
    "1; DELETE FROM athletes",
    "' UNION SELECT access_token::text FROM strava_tokens --",
    "$$; SET ROLE runaway_system; $$",
    "\\'; SELECT set_config('request.jwt.claims', '{}', true); --",
    "%' ESCAPE '!' OR true --",
];

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

pub(crate) async fn attacks(stage: &Stage) {
    stage.world.claude().respond_with(|_| Reply::text("Well asked."));
    scripts(stage).await;
    statements(stage).await;
    paths(stage).await;
}

async fn repeats_nothing(stage: &Stage, what: &str, request: &Request, expected: Expect) {
    let answer = stage.attack(SCRIPTS, what, request, expected).await;
    stage.must(!answer.body.contains("evil") && !answer.head.contains("evil"), || format!("{what} is repeated: {answer:?}"));
}

async fn scripts(stage: &Stage) {
    let token = stage.token();
    for text in SCRIPT {
        let there = encoded(text);
        for endpoint in &ENDPOINTS {
            let below = endpoint.path.split('?').next().unwrap_or_default();
            let request = Request::new(endpoint.method, &format!("{below}/x/{there}?{there}={there}")).bearer(&token);
            repeats_nothing(stage, "in the path", &request, NOT_FOUND).await;
            repeats_nothing(stage, "as an id", &endpoint.call(&format!("athlete_id={there}"), "").bearer(&token), INVALID).await;
            let request = endpoint.call("", "").bearer(&token).header("origin", encoded(text)).header("x-request-id", encoded(text));
            // Nothing of it is looked at; what names a stranger's athlete besides is refused as ever.
            let request =
                Request { path: format!("{}{}athlete_id=1", request.path, if request.path.contains('?') { '&' } else { '?' }), ..request };
            repeats_nothing(stage, "in headers", &request, refused(403, "FORBIDDEN")).await;
        }
        for (path, field) in [
            ("/sync-beta", "sync_type"),
            ("/strava-auth", "redirect"),
            ("/strava-auth/confirm", "athlete_id"),
            ("/journal/generate", "week_start_date"),
            ("/chat", "conversation_id"),
        ] {
            let request = Request::new("POST", path).bearer(&token).json(&json!({"message": "Hello", "ticket": "x", field: text}));
            repeats_nothing(stage, field, &request, INVALID).await;
            let mut unknown = json!({"message": 1, "ticket": 1, "max_activities": "x", "weeks": "x", "week_start_date": 1, "redirect": 1});
            unknown[text] = json!(text);
            repeats_nothing(stage, "a field's name", &Request::new("POST", path).bearer(&token).json(&unknown), INVALID).await;
        }
        let ticket = Request::new("POST", "/strava-auth/confirm").bearer(&token).json(&json!({ "ticket": text }));
        repeats_nothing(stage, "a ticket", &ticket, NO_TICKET).await;
        let named = json!({"memory": {"personal": {text: text}}});
        repeats_nothing(stage, "a key", &Request::new("PUT", "/chat/memory").bearer(&token).json(&named), INVALID).await;
        // Strava's check repeats its challenge: as JSON, which no browser takes for a page.
        let (path, verify) = (&stage.world.webhook_path, &stage.world.verify_token);
        let query = format!("hub.mode=subscribe&hub.verify_token={verify}&hub.challenge={there}");
        let answer =
            stage.attack(SCRIPTS, "the challenge", &Request::new("GET", &format!("/strava-webhook/{path}?{query}")), harmless(200)).await;
        let is_json = |answer: &Answer| answer.header("content-type") == "application/json";
        stage.must(is_json(&answer) && answer.json()["hub.challenge"] == text, || format!("the challenge: {answer:?}"));
        // The athlete's own words come back as they are, as JSON.
        let own = json!({"memory": {"personal": {"preferred_name": text}}});
        let answer = stage.attack(SCRIPTS, "a name", &Request::new("PUT", "/chat/memory").bearer(&token).json(&own), harmless(200)).await;
        let name = &answer.json()["memory"]["personal"]["preferred_name"];
        stage.must(is_json(&answer) && *name == text, || format!("the name: {answer:?}"));
    }
}

async fn statements(stage: &Stage) {
    let token = stage.token();
    let post = |path: &str, body: &Value| Request::new("POST", path).bearer(&token).json(body);
    for text in STATEMENTS {
        let there = encoded(text);
        let get = |path: String| Request::new("GET", &path).bearer(&token);
        let delete = |path: String| Request::new("DELETE", &path).bearer(&token);
        let memory = json!({"memory": {"personal": {"preferred_name": text}, "goals": {"primary": text}, "physical_profile": {"current_concerns": [text]}}});
        let attacks = [
            (post("/chat", &json!({"message": text})), harmless(200)),
            (post("/chat", &json!({"message": format!("Find my runs named \"{text}\"")})), harmless(200)),
            (post("/chat", &json!({"message": "Hello", "conversation_id": text})), INVALID),
            (post("/chat", &json!({"message": "Hello", "client_message_id": text})), INVALID),
            (post("/chat", &json!({"message": "Hello", "athlete_id": text})), INVALID),
            (Request::new("PUT", "/chat/memory").bearer(&token).json(&memory), harmless(200)),
            (post("/journal/generate", &json!({"week_start_date": text})), INVALID),
            (post("/journal/generate-recent", &json!({"weeks": text})), INVALID),
            (post("/sync-beta", &json!({"sync_type": text})), INVALID),
            (post("/sync-beta", &json!({"after": text})), INVALID),
            (post("/sync-beta", &json!({"max_activities": text})), INVALID),
            (post("/sync-beta", &json!({"user_id": text})), INVALID),
            (post("/strava-auth", &json!({"redirect": text})), INVALID),
            (post("/strava-auth/confirm", &json!({"ticket": text})), NO_TICKET),
            (post("/strava-auth/confirm", &json!({"ticket": "x", "user_id": text})), INVALID),
            (get(format!("/export?athlete_id={there}")), INVALID),
            (post("/disconnect", &json!({"athlete_id": text})), INVALID),
            (post("/delete-account", &json!({"user_id": text})), INVALID),
            (get(format!("/chat/conversations?limit={there}")), INVALID),
            (get(format!("/chat/conversations/{there}")), refused(404, "CONVERSATION_NOT_FOUND")),
            (delete(format!("/chat/conversations/{there}")), refused(404, "CONVERSATION_NOT_FOUND")),
            (delete(format!("/chat/memory/{there}")), refused(404, "FACT_NOT_FOUND")),
            (delete(format!("/chat/memory?all={there}")), INVALID),
            (get(format!("/job-status/{there}")), refused(404, "JOB_NOT_FOUND")),
            (get(format!("/journal/{there}")), NOT_FOUND),
            (get(format!("/journal?limit={there}")), INVALID),
            (get(format!("/journal/weeks/{there}/chart.svg")), INVALID),
        ];
        for (request, expected) in &attacks {
            stage.attack(SQL, text, request, *expected).await;
        }
    }
}

/// Paths and methods that nobody serves, and ways around a path.
async fn paths(stage: &Stage) {
    let token = stage.token();
    for function in ["strava-auth", "sync-beta", "chat", "journal", "export", "disconnect", "delete-account"] {
        for end in ["/", "//", "/%2e%2e/job-status/x", "/..%2fchat", "/.", "/%00", "/;x", "/unknown/deeper/path"] {
            let request = Request::new("POST", &format!("/{function}{end}")).bearer(&token);
            stage.attack(PATHS, "no such path", &request, NOT_FOUND).await;
        }
    }
    for endpoint in &ENDPOINTS {
        let path = endpoint.path.split('?').next().unwrap_or_default();
        for method in ["PATCH", "TRACE", "PROPFIND", "HEAD"] {
            let answer = stage.send(&Request::new(method, path).bearer(&token)).await;
            // An answer to HEAD has no body to say it with.
            let expected = if method == "HEAD" { harmless(405) } else { NOT_ALLOWED };
            stage.judge(PATHS, &format!("{method} {path}"), &answer, expected);
        }
    }
    for provider in PROVIDERS {
        for end in ["/", "/x", "/../chat/memory", "/%2e%2e/chat"] {
            let request = Request::new("GET", &format!("/{provider}{end}")).bearer(&token);
            stage.attack(PATHS, "no such path", &request, NOT_FOUND).await;
        }
    }
}
