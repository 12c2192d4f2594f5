//! `/oauth/authorize`, `/oauth/token` and `/oauth/revoke` as Strava does them.

use std::collections::HashMap;
use std::fmt::Write as _;

use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::Url;

use super::model::{ACCESS_TTL_S, FakeStrava, TokenPair};
use super::server::{fault_answer, refusal};

/// While more than this is left of a token, a refresh brings the same one again, seconds.
const SAME_TOKEN_ABOVE_S: i64 = 3600;
/// Activities of an athlete made by `athlete=new`.
const NEW_ATHLETE_ACTIVITIES: i64 = 12;
/// Ids of athletes made by `athlete=new` begin here.
const NEW_ATHLETE_FIRST_ID: i64 = 8_000_001;

type Pairs = HashMap<String, String>;

/// The consent page; `athlete=demo|new|<id>` approves at once, `deny=1` refuses.
pub(super) async fn authorize(State(fake): State<FakeStrava>, Query(query): Query<Pairs>) -> Response {
    let get = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let Ok(mut back) = Url::parse(get("redirect_uri")) else {
        return refusal(400, "Application", "redirect_uri", "invalid");
    };
    if !matches!(back.host_str(), Some("localhost" | "127.0.0.1")) {
        return refusal(400, "Application", "redirect_uri", "invalid");
    }
    if get("client_id") != fake.client_id() || get("response_type") != "code" {
        return refusal(400, "Application", "client_id", "invalid");
    }
    let known = ["read", "read_all", "profile:read_all", "activity:read", "activity:read_all"];
    if get("scope").is_empty() || get("scope").split(',').any(|scope| !known.contains(&scope)) {
        return refusal(400, "Authorize", "scope", "invalid");
    }
    if query.contains_key("deny") {
        back.query_pairs_mut().append_pair("state", get("state")).append_pair("error", "access_denied");
        return Redirect::to(back.as_str()).into_response();
    }
    let Some(id) = chosen(&fake, get("athlete")) else { return choices(&fake, &query) };
    let granted = query.get("granted").map_or(get("scope"), String::as_str);
    let code = fake.authorize(id, granted);
    back.query_pairs_mut().append_pair("state", get("state")).append_pair("code", &code).append_pair("scope", granted);
    // Strava answers 302, where axum's `Redirect::to` says 303.
    (StatusCode::FOUND, [("location", back.to_string())]).into_response()
}

fn chosen(fake: &FakeStrava, athlete: &str) -> Option<i64> {
    match athlete {
        "demo" => fake.state().demo,
        "new" => {
            let id = (NEW_ATHLETE_FIRST_ID..).find(|id| !fake.state().athletes.contains_key(id))?;
            let newest = jiff::Timestamp::from_second(fake.clock().now_s()).ok()?;
            fake.add_athlete(id, "New", crate::activity::daily_runs(id, id * 1000, NEW_ATHLETE_ACTIVITIES, newest));
            Some(id)
        }
        id => id.parse().ok().filter(|id| fake.state().athletes.contains_key(id)),
    }
}

/// The names are invented and plain: nothing needs escaping but the address, which is percent-encoded.
fn choices(fake: &FakeStrava, query: &Pairs) -> Response {
    let mut page = String::from("<!doctype html><title>Invented Strava</title><h1>Who are you?</h1><ul>");
    let state = fake.state();
    let athletes = state.athletes.iter().map(|(id, a)| (id.to_string(), a.profile["firstname"].as_str().unwrap_or_default()));
    for (choice, name) in athletes.chain([("new".to_owned(), "somebody new")]) {
        let mut link = Url::parse(&format!("{}/oauth/authorize", fake.base_url())).expect("our own address");
        link.query_pairs_mut().extend_pairs(query).append_pair("athlete", &choice);
        let link = link.as_str().replace('&', "&amp;");
        write!(page, r#"<li><a href="{link}">{name}</a></li>"#).expect("writing to a string");
    }
    Html(page + "</ul>").into_response()
}

/// Exchange and refresh.
pub(super) async fn token(State(fake): State<FakeStrava>, Form(form): Form<Pairs>) -> Response {
    let get = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let what = if get("grant_type") == "refresh_token" { "refresh" } else { "exchange" };
    let fault = fake.state().arrive(what);
    if let Some(fault) = fault
        && let Some(answer) = fault_answer(&fake, fault).await
    {
        return answer;
    }
    if get("client_id") != fake.client_id() || get("client_secret") != fake.client_secret() {
        return refusal(401, "Application", "client_id", "invalid");
    }
    match get("grant_type") {
        "authorization_code" => exchange(&fake, get("code")),
        "refresh_token" => refresh(&fake, get("refresh_token")),
        other => {
            fake.state().unexpected.push(format!("grant_type {other}"));
            refusal(400, "Application", "grant_type", "invalid")
        }
    }
}

/// The application gives a token back: every token of the athlete's is dead. An unknown one is no error.
pub(super) async fn revoke(State(fake): State<FakeStrava>, headers: HeaderMap, Form(form): Form<Pairs>) -> Response {
    let fault = fake.state().arrive("revoke");
    if let Some(fault) = fault
        && let Some(answer) = fault_answer(&fake, fault).await
    {
        return answer;
    }
    let credentials = STANDARD.encode(format!("{}:{}", fake.client_id(), fake.client_secret()));
    if headers.get("authorization").is_none_or(|value| value != format!("Basic {credentials}").as_str()) {
        return refusal(401, "Application", "client_id", "invalid");
    }
    let Some(token) = form.get("token") else { return refusal(400, "Application", "token", "missing") };
    for athlete in fake.state().athletes.values_mut() {
        athlete.tokens.take_if(|tokens| tokens.access == *token || tokens.refresh == *token);
    }
    StatusCode::OK.into_response()
}

fn exchange(fake: &FakeStrava, code: &str) -> Response {
    let mut state = fake.state();
    let Some((id, scope)) = state.codes.remove(code) else {
        return refusal(400, "AuthorizationCode", "code", "invalid");
    };
    let tokens = state.issue(id, fake.clock().now_s() + ACCESS_TTL_S);
    let athlete = state.athletes.get_mut(&id).expect("the athlete");
    athlete.scope = scope;
    let mut answer = token_answer(&tokens, fake.clock().now_s());
    answer["athlete"] = athlete.profile.clone();
    answer["scope"] = json!(athlete.scope);
    axum::Json(answer).into_response()
}

fn refresh(fake: &FakeStrava, refresh_token: &str) -> Response {
    let now_s = fake.clock().now_s();
    let mut state = fake.state();
    let holder = state.athletes.iter().find_map(|(id, a)| {
        let tokens = a.tokens.as_ref()?;
        (tokens.refresh == refresh_token).then(|| (*id, tokens.clone()))
    });
    let Some((id, tokens)) = holder else {
        return refusal(400, "RefreshToken", "refresh_token", "invalid");
    };
    let tokens = if tokens.expires_at - now_s > SAME_TOKEN_ABOVE_S { tokens } else { state.issue(id, now_s + ACCESS_TTL_S) };
    axum::Json(token_answer(&tokens, now_s)).into_response()
}

fn token_answer(tokens: &TokenPair, now_s: i64) -> Value {
    json!({
        "token_type": "Bearer", "access_token": tokens.access, "refresh_token": tokens.refresh,
        "expires_at": tokens.expires_at, "expires_in": tokens.expires_at - now_s
    })
}
