//! Connecting Strava as somebody else, or for somebody else, or by way of another site.

use serde_json::{Value, json};
use testkit::world::{ALL_SCOPES, APP_REDIRECT};
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::client::{Answer, Request};
use crate::stage::{ADA, BO, DI, Expect, INVALID, Stage, harmless};

pub(crate) const CLASS: &str = "OAuth";
/// The page that says that a link is used or too old.
pub(crate) const PAGE: Expect = harmless(400);
/// Longer than a state that is looked at.
const HUGE_BYTES: usize = 4 * 1024;
/// What it is, who began, what the browser brings beside the state, and the word that the app is told.
type Case = (&'static str, String, Vec<(&'static str, String)>, &'static str);

pub(crate) async fn attacks(stage: &Stage) {
    redirects(stage).await;
    states(stage).await;
    outcomes(stage).await;
    hosts(stage).await;
}

/// Addresses that resemble the app's; only the whole string is on the list.
async fn redirects(stage: &Stage) {
    let longer =
        ["x", ".evil.example", "@evil.example", "/../evil", "//evil.example", "?x=1", "#x", "\\evil", " ", "\r\nx-evil: 1", "\0", "%00"];
    let others = [
        "//evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "https://runaway@evil.example/strava-connected",
        "RUNAWAY://strava-connected",
        "Runaway://Strava-Connected",
        " runaway://strava-connected",
        "runaway:strava-connected",
        "runaway://evil@strava-connected",
        "runaway:\\\\strava-connected",
        "runaway://strаva-connected",
        "runaway%3A//strava-connected",
        "javascript:alert(1)//runaway://strava-connected",
        "data:text/html,<script>alert(1)</script>",
        "runaway://",
        "runaway",
        "https://evil.example/?runaway://strava-connected",
        "runaway://strava\u{2215}connected",
        "",
    ];
    let texts = longer.iter().map(|end| format!("{APP_REDIRECT}{end}")).chain(others.map(str::to_owned));
    let values = texts.map(|text| json!(text)).chain([json!(1), json!(true), json!([APP_REDIRECT]), json!({"a": APP_REDIRECT})]);
    for value in values {
        let request = Request::new("POST", "/strava-auth").bearer(&stage.token()).json(&json!({ "redirect": value }));
        let answer = stage.attack(CLASS, &format!("the redirect {value}"), &request, INVALID).await;
        stage.must(!answer.body.contains("evil"), || format!("an address is quoted: {}", answer.body));
    }
}

async fn begin(stage: &Stage, token: &str) -> String {
    begin_with(stage, token, &json!({ "redirect": APP_REDIRECT })).await
}

/// Begins an authorisation: its state.
pub(crate) async fn begin_with(stage: &Stage, token: &str, body: &Value) -> String {
    let request = Request::new("POST", "/strava-auth").bearer(token).json(body);
    let answer = stage.send(&request).await;
    let url: Url = answer.json()["authorization_url"].as_str().expect("an address").parse().expect("an address");
    url.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned()
}

pub(crate) fn call_back(pairs: &[(&str, &str)]) -> Request {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    Request::new("GET", &format!("/oauth-callback?{}", query.join("&")))
}

/// A page never repeats what it was asked with, and its address is passed on to nobody.
fn says_nothing(stage: &Stage, answer: &Answer) {
    stage.must(answer.header("referrer-policy") == "no-referrer", || format!("the address is passed on: {answer:?}"));
    for part in ["<script", "evil", "alert(", "DROP TABLE"] {
        stage.must(!answer.body.contains(part) && !answer.head.contains(part), || format!("{part} is repeated: {answer:?}"));
    }
}

async fn states(stage: &Stage) {
    let huge = "s".repeat(HUGE_BYTES);
    let invented = [
        "",
        "0",
        "null",
        "undefined",
        "' OR '1'='1",
        "'; DROP TABLE oauth_states; --",
        "\\x00",
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "\r\nx-evil: 1",
        "\0",
        "%",
        "🏃",
        &huge,
    ];
    for state in invented.into_iter().chain([stage.victim.user.to_string().as_str(), BO.to_string().as_str()]) {
        let code = stage.world.strava.authorize(BO, ALL_SCOPES);
        for request in
            [call_back(&[("state", state), ("code", &code)]), call_back(&[("state", state), ("error", "<script>alert(1)</script>")])]
        {
            says_nothing(stage, &stage.attack(CLASS, "an invented state", &request, PAGE).await);
        }
    }
    let code = stage.world.strava.authorize(BO, ALL_SCOPES);
    stage.attack(CLASS, "no state", &call_back(&[("code", &code)]), PAGE).await;
    stage.attack(CLASS, "nothing at all", &Request::new("GET", "/oauth-callback"), PAGE).await;

    // Too old.
    let state = begin(stage, &stage.token()).await;
    let owner = stage.world.database.owner().await;
    owner.batch_execute("UPDATE oauth_states SET expires_at = now() - interval '1 second'").await.expect("time passes");
    stage.attack(CLASS, "an old state", &call_back(&[("state", &state), ("code", &code)]), PAGE).await;

    // A good one works once.
    let state = begin(stage, &stage.token()).await;
    let own_code = stage.world.strava.authorize(ADA, ALL_SCOPES);
    let request = call_back(&[("state", &state), ("code", &own_code), ("scope", ALL_SCOPES)]);
    let answer = stage.send(&request).await;
    assert_eq!(answer.header("location"), format!("{APP_REDIRECT}?success=true&athlete_id={ADA}"), "{answer:?}");
    for code in [own_code, code, stage.world.strava.authorize(ADA, ALL_SCOPES)] {
        stage.attack(CLASS, "a state again", &call_back(&[("state", &state), ("code", &code)]), PAGE).await;
    }
    // Two of one name, and upper case.
    let state = begin(stage, &stage.token()).await;
    let request = call_back(&[("state", "x"), ("state", &state), ("code", "x")]);
    stage.attack(CLASS, "two states", &request, PAGE).await;
    stage.attack(CLASS, "another case", &call_back(&[("state", &state.to_uppercase()), ("code", "x")]), PAGE).await;
}

/// Good states with everything else wrong: back to the app, with a word of the contract's and nothing else.
async fn outcomes(stage: &Stage) {
    let bos = || stage.world.strava.authorize(BO, ALL_SCOPES);
    let own = || stage.world.strava.authorize(ADA, ALL_SCOPES);
    let nobody = stage.world.issuer.token(stage.nobody);
    let huge = "c".repeat(HUGE_BYTES);
    let script = "<script>alert(1)</script>";
    let cases: Vec<Case> = vec![
        // The victim's consent caught by somebody whose state it is.
        ("another's athlete", stage.token(), vec![("code", bos())], "already_linked"),
        ("another's athlete, by nobody", nobody.clone(), vec![("code", bos())], "already_linked"),
        ("an athlete beside the user's own", stage.token(), vec![("code", stage.world.strava.authorize(DI, ALL_SCOPES))], "already_linked"),
        ("an invented code", stage.token(), vec![("code", "invented".to_owned())], "exchange_failed"),
        ("SQL as a code", stage.token(), vec![("code", "'; DROP TABLE athletes; --".to_owned())], "exchange_failed"),
        ("a script as a code", stage.token(), vec![("code", script.to_owned())], "exchange_failed"),
        ("a header as a code", stage.token(), vec![("code", "a\r\nx-evil: 1".to_owned())], "exchange_failed"),
        ("another parameter inside the code", stage.token(), vec![("code", "a&client_id=evil&grant_type=x".to_owned())], "exchange_failed"),
        ("a huge code", stage.token(), vec![("code", huge)], "exchange_failed"),
        ("no code", nobody.clone(), vec![], "exchange_failed"),
        ("a refusal with a script", stage.token(), vec![("error", script.to_owned())], "access_denied"),
        ("a refusal with a header", stage.token(), vec![("error", "x\r\nx-evil: 1".to_owned())], "access_denied"),
        (
            "a refusal with a redirect",
            nobody.clone(),
            vec![("error", "x".to_owned()), ("redirect", "https://evil.example".to_owned())],
            "access_denied",
        ),
        ("scopes that were not asked for", stage.token(), vec![("code", own()), ("scope", "read".to_owned())], "missing_scope"),
        ("a scope that begins alike", nobody, vec![("code", own()), ("scope", "activity:read_allx".to_owned())], "missing_scope"),
    ];
    for (what, token, mut pairs, word) in cases {
        pairs.push(("state", begin(stage, &token).await));
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = stage.attack(CLASS, what, &call_back(&pairs), harmless(302)).await;
        let location = format!("{APP_REDIRECT}?success=false&error={word}");
        stage.must(answer.header("location") == location, || format!("{what} leads to {}", answer.header("location")));
        says_nothing(stage, &answer);
    }
}

/// The address that Strava sends the browser to is the operator's, whatever host the call names.
async fn hosts(stage: &Stage) {
    for (name, value) in [
        ("host", "evil.example"),
        ("host", "localhost:1"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "javascript"),
        ("forwarded", "host=evil.example"),
        ("x-original-url", "/functions/v1/chat/memory"),
        ("x-http-method-override", "DELETE"),
        ("origin", "https://evil.example"),
        ("referer", "https://evil.example"),
    ] {
        let request = Request::new("POST", "/strava-auth").bearer(&stage.token()).header(name, value);
        let answer = stage.attack(CLASS, name, &request, harmless(200)).await;
        let expected = "redirect_uri=http%3A%2F%2Flocalhost%3A9000%2Ffunctions%2Fv1%2Foauth-callback";
        stage.must(answer.body.contains(expected) && !answer.body.contains("evil"), || format!("{name}: {}", answer.body));
    }
}
