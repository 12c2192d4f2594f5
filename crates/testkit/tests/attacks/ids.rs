//! Ids of others, and what is no id, wherever a call takes one. The attacker's token is valid.

use url::form_urlencoded::byte_serialize;

use crate::client::Request;
use crate::endpoints::ENDPOINTS;
use crate::stage::{ADA, BO, Expect, FORBIDDEN, INVALID, NOBODYS, NOT_FOUND, Stage, harmless, refused};

const CLASS: &str = "ids";
/// What the attacker's runs are called.
const OWN_RUN: &str = "Easy nightfall run";
const NO_CONVERSATION: Expect = refused(404, "CONVERSATION_NOT_FOUND");
/// One more than an id can be.
const TOO_GREAT: &str = "9223372036854775808";
/// What is no id in a path or a query.
const NO_IDS: [&str; 8] = ["abc", "true", "1.5", "[1]", r#"{"a":1}"#, "null", "1e3", "0x10"];

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

pub(crate) async fn attacks(stage: &Stage) {
    athlete_ids(stage).await;
    ids_in_paths(stage).await;
    ids_in_bodies(stage).await;
    named_twice(stage).await;
    archives(stage).await;
}

/// `athlete_id` and `user_id`, kept for older apps, in body and query of every call.
async fn athlete_ids(stage: &Stage) {
    let (bo, nobodys) = (BO.to_string(), NOBODYS.to_string());
    let in_bodies: Vec<(String, Expect)> = [&bo, &nobodys, "-1", "0", "-9223372036854775808"]
        .into_iter()
        .flat_map(|id| [(id.to_owned(), FORBIDDEN), (format!("\"{id}\""), FORBIDDEN)])
        .chain([TOO_GREAT, "\"9223372036854775808\"", "\"abc\"", "\"\"", "true", "1.5"].map(|text| (text.to_owned(), INVALID)))
        .chain([format!("[{bo}]"), format!("{{\"id\":{bo}}}"), format!("{bo}.0"), format!("\" {bo}\"")].map(|text| (text, INVALID)))
        .collect();
    let in_queries: Vec<(&str, Expect)> = [bo.as_str(), &nobodys, "-1", "0"]
        .map(|id| (id, FORBIDDEN))
        .into_iter()
        .chain(NO_IDS.iter().copied().chain([TOO_GREAT, ""]).map(|text| (text, INVALID)))
        .collect();
    for endpoint in &ENDPOINTS {
        for name in ["athlete_id", "user_id"] {
            for (id, expected) in &in_queries {
                let request = endpoint.call(&format!("{name}={}", encoded(id)), "").bearer(&stage.token());
                stage.attack(CLASS, name, &request, *expected).await;
            }
            for (id, expected) in in_bodies.iter().filter(|_| endpoint.reads_a_body()) {
                let request = endpoint.call("", &format!("\"{name}\":{id}")).bearer(&stage.token());
                stage.attack(CLASS, &format!("{name} is {id}"), &request, *expected).await;
            }
        }
        // Somebody without an athlete learns from no answer which ids exist.
        let nobody = stage.world.issuer.token(stage.nobody);
        for id in [&bo, &nobodys] {
            stage.attack(CLASS, "by nobody", &endpoint.call(&format!("athlete_id={id}"), "").bearer(&nobody), FORBIDDEN).await;
        }
    }
}

async fn ids_in_paths(stage: &Stage) {
    let victim = &stage.victim;
    let others = [victim.user.to_string(), "00000000-0000-0000-0000-000000000000".to_owned(), "-1".to_owned(), TOO_GREAT.to_owned()];
    let others: Vec<String> = others.into_iter().chain(NO_IDS.map(encoded)).collect();
    for (method, path, foreign, code) in [
        ("GET", "/chat/conversations/", victim.conversation, "CONVERSATION_NOT_FOUND"),
        ("DELETE", "/chat/conversations/", victim.conversation, "CONVERSATION_NOT_FOUND"),
        ("DELETE", "/chat/memory/", victim.fact, "FACT_NOT_FOUND"),
        ("GET", "/job-status/", victim.job, "JOB_NOT_FOUND"),
    ] {
        let forms = [foreign.to_string(), foreign.simple().to_string(), foreign.braced().to_string(), foreign.urn().to_string()];
        for id in forms.iter().map(|id| encoded(id)).chain(others.iter().cloned()) {
            let request = Request::new(method, &format!("{path}{id}")).bearer(&stage.token());
            stage.attack(CLASS, "in the path", &request, refused(404, code)).await;
        }
    }
    let plain = |id: &str| id.bytes().all(|b| b.is_ascii_digit());
    for id in [BO.to_string(), NOBODYS.to_string(), "0".to_owned()].into_iter().chain(others.iter().cloned()) {
        let expected = if plain(&id) { FORBIDDEN } else { NOT_FOUND };
        stage.attack(CLASS, "in the path", &Request::new("GET", &format!("/journal/{id}")).bearer(&stage.token()), expected).await;
    }
    for week in ["2026-13-01", "2026-02-30", "9999-12-31", "-9999-01-01", "0000-00-00"].map(str::to_owned).iter().chain(&others) {
        let request = Request::new("GET", &format!("/journal/weeks/{week}/chart.svg")).bearer(&stage.token());
        stage.attack(CLASS, "a week in the path", &request, INVALID).await;
    }
}

async fn ids_in_bodies(stage: &Stage) {
    let (victim, message) = (&stage.victim, r#""message":"Hello""#);
    let wrong = [TOO_GREAT, "-1", "\"abc\"", "[]", "{}", "true", "1.5", "\"\""];
    for id in [victim.conversation, victim.user, victim.fact] {
        let body = format!("{{{message},\"conversation_id\":\"{id}\"}}");
        stage.attack(CLASS, "conversation_id", &Request::new("POST", "/chat").bearer(&stage.token()).body(body), NO_CONVERSATION).await;
    }
    // The victim's turn is repeated to nobody else.
    let body = format!("{{{message},\"client_message_id\":\"{}\"}}", victim.client_message);
    stage.world.claude().reply(testkit::Reply::text("Hello."));
    stage.attack(CLASS, "client_message_id", &Request::new("POST", "/chat").bearer(&stage.token()).body(body), harmless(200)).await;
    // Her own row holds it now, where it would look like the victim's.
    let owner = stage.world.database.owner().await;
    let sql = format!("UPDATE chat_conversations SET client_message_id = NULL WHERE athlete_id = {ADA}");
    owner.batch_execute(&sql).await.expect("the attacker's turn");
    for (path, field, rest) in [
        ("/chat", "conversation_id", message),
        ("/chat", "client_message_id", message),
        ("/journal/generate", "week_start_date", r#""force":true"#),
    ] {
        for value in wrong {
            let request = Request::new("POST", path).bearer(&stage.token()).body(format!("{{{rest},\"{field}\":{value}}}"));
            stage.attack(CLASS, &format!("{field} is {value}"), &request, INVALID).await;
        }
    }
}

/// A check that reads the first of two and a use that reads the last would let the victim's pass.
async fn named_twice(stage: &Stage) {
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.reads_a_body()) {
        let field = format!("\"athlete_id\":{ADA},\"athlete_id\":{BO}");
        stage.attack(CLASS, "a field twice", &endpoint.call("", &field).bearer(&stage.token()), FORBIDDEN).await;
        let request = endpoint.call(&format!("athlete_id={ADA}&user_id={BO}"), "").bearer(&stage.token());
        stage.attack(CLASS, "two names", &request, FORBIDDEN).await;
    }
    for path in ["/chat/memory", "/chat/conversations", "/journal", "/export"] {
        let request = Request::new("GET", &format!("{path}?athlete_id={ADA}&athlete_id={BO}")).bearer(&stage.token());
        stage.attack(CLASS, "a parameter twice", &request, harmless(200)).await;
    }
}

/// An archive holds what is the caller's, whatever stands beside the token, and no token of Strava's.
async fn archives(stage: &Stage) {
    let (export, victim) = (|query: &str| Request::new("GET", &format!("/export{query}")), &stage.victim);
    for request in [
        export(""),
        export(&format!("?athlete_id={ADA}")),
        export(&format!("?id={BO}&athlete={BO}&sub={}", victim.user)),
        export("?table=strava_tokens&columns=access_token"),
        export("").header("x-user-id", victim.user.to_string()).header("x-athlete-id", BO.to_string()),
        export("").header("cookie", format!("athlete_id={BO}")),
        export("").header("range", "bytes=0-9").header("if-none-match", "*"),
        export("").body(format!("{{\"athlete_id\":{BO}}}")),
    ] {
        let answer = stage.attack(CLASS, "an archive", &request.bearer(&stage.token()), harmless(200)).await;
        stage.must(answer.body.contains(OWN_RUN), || format!("the attacker's own runs are missing: {}", answer.head));
        let has_token = stage.world.strava.secrets().iter().any(|secret| answer.body.contains(secret.as_str()));
        stage.must(!has_token, || "an archive holds a token".to_owned());
    }
    let nobody = stage.world.issuer.token(stage.nobody);
    stage.attack(CLASS, "an archive", &export("").bearer(&nobody), refused(404, "ATHLETE_NOT_FOUND")).await;
}
