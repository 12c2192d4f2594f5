//! `GET /export` as the app calls it, who may, and how often.

use std::sync::Arc;

use futures_util::future::join_all;
use runaway_core::config::DatabaseConfig;
use runaway_core::db::Db;
use serde_json::Value;
use testkit::call::request;
use uuid::Uuid;

use crate::story::*;

fn code(answer: &(u16, Value, Option<i64>)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn the_answer_is_an_archive_to_save_and_keep_nowhere_else() {
    let story = Story::with(10).await;
    let answer = story.begin(request("GET", &format!("/export?athlete_id={ATHLETE}"), Some(&story.world.token()), "")).await;
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!((answer.status().as_u16(), header("content-type")), (200, "application/zip"));
    assert_eq!(header("content-disposition"), "attachment; filename=\"runaway-export-2026-11-27.zip\"");
    assert_eq!((header("cache-control"), header("access-control-allow-origin")), ("no-store", "*"));
    assert!(rest(answer.into_body()).await.1);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn callers_are_told_apart() {
    let story = Story::with(10).await;
    let token = story.world.token();
    let nobody = story.world.issuer.token(Uuid::new_v4());
    for (method, path, token, expected) in [
        ("GET", "/export", None, (401, "UNAUTHORIZED")),
        ("GET", "/export/", Some(&token), (404, "NOT_FOUND")),
        ("GET", "/export/activities", Some(&token), (404, "NOT_FOUND")),
        ("GET", "/exports", Some(&token), (404, "NOT_FOUND")),
        ("POST", "/export", Some(&token), (405, "METHOD_NOT_ALLOWED")),
        ("DELETE", "/export", Some(&token), (405, "METHOD_NOT_ALLOWED")),
        ("GET", "/export?athlete_id=x", Some(&token), (400, "INVALID_REQUEST")),
        ("GET", "/export?athlete_id=5", Some(&token), (403, "FORBIDDEN")),
        ("GET", "/export?user_id=17", Some(&token), (403, "FORBIDDEN")),
        ("GET", "/export?athlete_id=5", Some(&nobody), (403, "FORBIDDEN")),
        ("GET", "/export", Some(&nobody), (404, "ATHLETE_NOT_FOUND")),
        ("OPTIONS", "/export", None, (204, "")),
    ] {
        assert_eq!(code(&story.call(method, path, token.map(String::as_str)).await), expected, "{method} {path}");
    }
    assert_eq!(story.world.database.count("SELECT count(*) FROM request_limits WHERE kind = 'export'").await, 0);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn an_athlete_who_has_disconnected_is_served_as_well() {
    let story = Story::with(10).await;
    story
        .world
        .database
        .owner()
        .await
        .batch_execute("UPDATE athletes SET strava_connected = false; DELETE FROM strava_tokens")
        .await
        .unwrap();
    let files = files(rest(story.exported().await).await.0);
    assert!(files.contains(&("strava_tokens.jsonl".to_owned(), String::new())), "a table without rows is a file without lines");
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn the_days_exports_end_and_begin_anew_at_midnight() {
    let story = Story::with(10).await;
    for _ in 0..3 {
        assert!(rest(story.exported().await).await.1);
    }
    let token = story.world.token();
    let refused = story.call("GET", "/export", Some(&token)).await;
    assert_eq!((code(&refused), refused.2), ((429, "RATE_LIMITED"), Some(HALF_A_DAY_S)));
    assert!(refused.1["error"]["message"].as_str().unwrap().starts_with("Your data has been exported"), "{}", refused.1);
    let other = story.begin(request("GET", "/export", Some(&story.bystanders_token), "")).await;
    assert_eq!(other.status(), 200, "the allowance is each athlete's own");
    assert!(rest(other.into_body()).await.1);

    story.world.clock.advance(HALF_A_DAY_S);
    assert!(rest(story.exported().await).await.1);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn twenty_exports_at_once_stay_within_the_limit() {
    let mut story = Story::with(10).await;
    let mut app = export::App::new(&story.world.settings()).unwrap();
    // Each holds two connections; production has one request at a time.
    (app.db, app.clock) =
        (Db::new(&story.world.settings().read(DatabaseConfig::read).unwrap(), 21).unwrap(), story.world.clock.production());
    story.app = Arc::new(app);
    let token = story.world.token();
    let export = async || {
        let answer = story.begin(request("GET", "/export", Some(&token), "")).await;
        let status = answer.status().as_u16();
        (status, rest(answer.into_body()).await.1)
    };
    let answers = join_all((0..20).map(|_| export())).await;
    assert_eq!(answers.iter().filter(|answer| **answer == (200, true)).count(), 3);
    assert_eq!(answers.iter().filter(|answer| **answer == (429, true)).count(), 17);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn an_export_that_cannot_begin_costs_nothing() {
    let story = Story::with(10).await;
    let owner = story.world.database.owner().await;
    owner.batch_execute("ALTER TABLE activity_raw RENAME TO hidden").await.unwrap();
    assert_eq!(code(&story.call("GET", "/export", Some(&story.world.token())).await), (500, "INTERNAL_ERROR"));
    owner.batch_execute("ALTER TABLE hidden RENAME TO activity_raw").await.unwrap();
    assert_eq!(story.world.database.count("SELECT count(*) FROM request_limits WHERE kind = 'export'").await, 0);
    story.world.assert_in_order(&["The request failed"]).await;
}

#[tokio::test]
async fn without_the_database_the_answer_is_503_and_not_half_an_archive() {
    let nowhere = DatabaseConfig { url: "postgres://runaway_app@127.0.0.1:1/x".into(), ca_pem: None };
    let mut story = Story::with(10).await;
    let mut app = export::App::new(&story.world.settings()).unwrap();
    app.db = Db::new(&nowhere, 1).unwrap();
    story.app = Arc::new(app);
    let answer = story.call("GET", "/export", Some(&story.world.token())).await;
    assert_eq!(code(&answer), (503, "UPSTREAM_UNAVAILABLE"));
    story.world.assert_in_order(&["The request failed"]).await;
}
