//! Stories of connecting Strava, through both functions and the consent page.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod confirm;
mod ends;

use lambda_http::{Body, Response};
use runaway_core::strava::SCOPES_ASKED;
use testkit::World;
use testkit::activity::daily_runs;
use testkit::call::{checked, request};
use testkit::fake_strava::{Fault, On};
use testkit::world::APP_REDIRECT;
use url::Url;
use uuid::Uuid;

const ATHLETE: i64 = 4711;

struct Story {
    world: World,
    auth: strava_auth::App,
    callback: oauth_callback::App,
}

impl Story {
    async fn begin() -> Self {
        let world = World::new().await;
        world.strava.add_athlete(ATHLETE, "Ada", daily_runs(ATHLETE, 1, 3, jiff::Timestamp::now()));
        let mut auth = strava_auth::App::new(&world.settings()).await.unwrap();
        let mut callback = oauth_callback::App::new(&world.settings()).await.unwrap();
        (auth.clock, callback.clock) = (world.clock.production(), world.clock.production());
        Self { world, auth, callback }
    }

    /// `POST /strava-auth` as a user; the authorisation address.
    async fn authorization_url(&self, user: Uuid, body: &str) -> Url {
        let token = self.world.issuer.token(user);
        let (status, answer) = checked(&strava_auth::handle(&self.auth, request("POST", "/strava-auth", Some(&token), body)).await);
        assert_eq!((status, answer["success"].as_bool()), (200, Some(true)), "{answer}");
        answer["authorization_url"].as_str().unwrap().parse().unwrap()
    }

    /// What Strava's page adds to the redirect: approves directly, as the page does after the athlete's choice.
    async fn approve(&self, url: &Url, scope: &str) -> String {
        self.approve_as(ATHLETE, url, scope)
    }

    fn approve_as(&self, athlete_id: i64, url: &Url, scope: &str) -> String {
        let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let code = self.world.strava.authorize(athlete_id, scope);
        format!("/oauth-callback?state={state}&code={code}&scope={scope}")
    }

    async fn call_back(&self, path: &str) -> Response<Body> {
        oauth_callback::handle(&self.callback, request("GET", path, None, "")).await
    }

    async fn connect(&self, user: Uuid) -> Response<Body> {
        let url = self.authorization_url(user, &format!(r#"{{"redirect":"{APP_REDIRECT}"}}"#)).await;
        let path = self.approve(&url, SCOPES_ASKED).await;
        self.call_back(&path).await
    }
}

fn location(response: &Response<Body>) -> &str {
    checked(response);
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    response.headers()["location"].to_str().unwrap()
}

#[tokio::test]
async fn a_runner_connects_and_the_first_sync_begins() {
    let story = Story::begin().await;
    let user = Uuid::new_v4();
    let url = story.authorization_url(user, &format!(r#"{{"redirect":"{APP_REDIRECT}"}}"#)).await;
    let parameter = |name: &str| url.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned()).unwrap();
    assert_eq!(parameter("scope"), "read,activity:read_all,profile:read_all");
    assert_eq!(parameter("redirect_uri"), "http://localhost:9000/functions/v1/oauth-callback");
    assert!(parameter("state").len() >= 43 && !parameter("state").contains(&user.to_string()));

    let path = story.approve(&url, SCOPES_ASKED).await;
    let response = story.call_back(&path).await;
    assert_eq!(location(&response), format!("{APP_REDIRECT}?success=true&athlete_id={ATHLETE}"));
    assert_eq!(story.world.queue.take().await.records.len(), 1);
    let database = &story.world.database;
    assert_eq!(database.count("SELECT count(*) FROM sync_jobs WHERE sync_type = 'full' AND status = 'pending'").await, 1);
    assert_eq!(database.count("SELECT count(*) FROM request_limits").await, 0, "a first sync costs nothing of the day's allowance");
    assert_eq!(database.count("SELECT count(*) FROM athletes WHERE strava_connected AND first_name = 'Ada'").await, 1);
    assert_eq!(database.count("SELECT cardinality(scopes)::bigint FROM strava_tokens").await, 3);

    // The same address a second time: the state is spent.
    let again = story.call_back(&path).await;
    assert_eq!(again.status(), 400);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn connecting_again_replaces_the_tokens_and_keeps_the_athlete() {
    let story = Story::begin().await;
    let user = Uuid::new_v4();
    story.connect(user).await;
    let before = story.world.database.owner().await.query_one("SELECT access_token FROM strava_tokens", &[]).await.unwrap();
    story.authorization_url(user, &format!(r#"{{"athlete_id":"{ATHLETE}"}}"#)).await;
    assert!(location(&story.connect(user).await).contains("success=true"));
    let after = story.world.database.owner().await.query_one("SELECT access_token FROM strava_tokens", &[]).await.unwrap();
    assert_ne!(before.get::<_, Vec<u8>>(0), after.get::<_, Vec<u8>>(0));
    assert_eq!(story.world.database.count("SELECT count(*) FROM sync_jobs").await, 1, "the unfinished full sync serves");
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn an_athlete_of_another_user_is_refused_and_nothing_changes() {
    let story = Story::begin().await;
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    story.connect(first).await;
    assert_eq!(location(&story.connect(second).await), format!("{APP_REDIRECT}?success=false&error=already_linked"));
    let sql = format!("SELECT count(*) FROM athletes WHERE auth_user_id = '{first}'");
    assert_eq!(story.world.database.count(&sql).await, 1);
    // Nor may a user have two athletes.
    story.world.strava.add_athlete(ATHLETE + 1, "Bo", vec![]);
    let url = story.authorization_url(first, "{}").await;
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let code = story.world.strava.authorize(ATHLETE + 1, SCOPES_ASKED);
    let page = story.call_back(&format!("/oauth-callback?state={state}&code={code}&scope={SCOPES_ASKED}")).await;
    assert_eq!(page.status(), 409);
    let strava = &story.world.strava;
    assert!(strava.is_granted(ATHLETE) && !strava.is_granted(ATHLETE + 1), "what cannot be used is given back, what is connected not");
    assert_eq!(story.world.database.count("SELECT count(*) FROM pending_revocations").await, 0);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn every_way_to_fail_has_its_reason_and_its_page() {
    let story = Story::begin().await;
    for (query, reason, status) in [
        ("error=access_denied", "access_denied", 403),
        ("code=CODE&scope=read", "missing_scope", 403),
        ("code=wrong&scope=activity:read_all", "exchange_failed", 502),
        ("scope=activity:read_all", "exchange_failed", 502),
    ] {
        for redirect in [true, false] {
            let body = if redirect { format!(r#"{{"redirect":"{APP_REDIRECT}"}}"#) } else { String::new() };
            let url = story.authorization_url(Uuid::new_v4(), &body).await;
            let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
            let response = story.call_back(&format!("/oauth-callback?state={state}&{query}")).await;
            if redirect {
                assert_eq!(location(&response), format!("{APP_REDIRECT}?success=false&error={reason}"));
            } else {
                assert_eq!(response.status().as_u16(), status, "{query}");
                assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
                assert_eq!(response.headers()["referrer-policy"], "no-referrer");
            }
        }
    }
    assert_eq!(story.world.database.count("SELECT count(*) FROM athletes").await, 0);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn what_strava_granted_counts_and_not_what_the_browser_says() {
    let story = Story::begin().await;
    let url = story.authorization_url(Uuid::new_v4(), &format!(r#"{{"redirect":"{APP_REDIRECT}"}}"#)).await;
    let path = story.approve(&url, "read").await.replace("scope=read", "scope=read,activity:read_all");
    assert!(location(&story.call_back(&path).await).ends_with("error=missing_scope"));
    assert!(!story.world.strava.is_granted(ATHLETE), "what is too little is given back");
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn an_unavailable_strava_is_said_to_be_so_and_the_code_is_not_tried_twice() {
    let story = Story::begin().await;
    story.world.strava.fail(On::Exchange(1), Fault::Status(503));
    assert!(location(&story.connect(Uuid::new_v4()).await).ends_with("error=upstream_unavailable"));
    assert_eq!(story.world.strava.count("exchange"), 1);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn an_unknown_or_old_state_leads_nowhere_and_nothing_is_echoed() {
    let story = Story::begin().await;
    let url = story.authorization_url(Uuid::new_v4(), &format!(r#"{{"redirect":"{APP_REDIRECT}"}}"#)).await;
    let old = story.approve(&url, SCOPES_ASKED).await;
    story.world.clock.advance(601);
    let marked = "/oauth-callback?state=%3Cscript%3Emarked%3C/script%3E&code=marked&error=marked&scope=marked";
    for path in [old.as_str(), marked, "/oauth-callback"] {
        let page = story.call_back(path).await;
        let (status, body) = checked(&page);
        assert_eq!(status, 400, "{path}");
        assert!(page.headers().get("location").is_none() && !body.to_string().contains("marked"), "{path}");
    }
    assert_eq!(story.world.strava.count("exchange"), 0);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn only_the_apps_own_addresses_are_redirected_to() {
    let story = Story::begin().await;
    let token = story.world.token();
    for wrong in ["runaway://strava-connected/", "runaway://strava-connected.evil", "https://evil.example", "", "runaway:"] {
        let body = format!(r#"{{"redirect":"{wrong}"}}"#);
        let (status, answer) = checked(&strava_auth::handle(&story.auth, request("POST", "/strava-auth", Some(&token), &body)).await);
        assert_eq!((status, answer["error"]["code"].as_str()), (400, Some("INVALID_REQUEST")), "{wrong}");
    }
    for (method, path, body, status) in [
        ("GET", "/strava-auth", "", 405),
        ("POST", "/strava-auth/", "", 404),
        ("POST", "/strava-auth", "[]", 400),
        ("POST", "/strava-auth", r#"{"redirect":7}"#, 400),
        ("POST", "/strava-auth", r#"{"confirm":"yes"}"#, 400),
        ("POST", "/strava-auth", r#"{"athlete_id":4711}"#, 403),
        ("POST", "/strava-auth?user_id=4711", "", 403),
        ("POST", "/strava-auth?user_id=x", "", 400),
        ("OPTIONS", "/strava-auth", "", 204),
    ] {
        let response = strava_auth::handle(&story.auth, request(method, path, Some(&token), body)).await;
        assert_eq!(checked(&response).0, status, "{method} {path} {body}");
    }
    assert_eq!(checked(&strava_auth::handle(&story.auth, request("POST", "/strava-auth", None, "")).await).0, 401);
    for (method, path, status) in [("POST", "/oauth-callback", 405), ("GET", "/oauth-callback/", 404), ("OPTIONS", "/oauth-callback", 204)]
    {
        let response = oauth_callback::handle(&story.callback, request(method, path, None, "")).await;
        assert_eq!(checked(&response).0, status, "{method} {path}");
        assert_eq!(response.headers()["referrer-policy"], "no-referrer", "{method} {path}");
    }
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn a_failure_after_the_state_was_spent_still_leads_back_to_the_app() {
    let story = Story::begin().await;
    let owner = story.world.database.owner().await;
    owner.batch_execute("ALTER TABLE strava_tokens RENAME TO hidden").await.unwrap();
    let response = story.connect(Uuid::new_v4()).await;
    assert_eq!(location(&response), format!("{APP_REDIRECT}?success=false&error=upstream_unavailable"));
    owner.batch_execute("ALTER TABLE hidden RENAME TO strava_tokens").await.unwrap();
    assert_eq!(story.world.database.count("SELECT count(*) FROM athletes").await, 0, "nothing is half connected");
    story.world.assert_in_order(&["The request failed"]).await;
}
