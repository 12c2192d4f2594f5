//! What the REST API sends, buffered and streaming.

use serde_json::{Value, json};
use testkit::fake_strava::event;
use testkit::recorded::{in_base64, rest_get, rest_post, rest_post_streaming, with_method};
use uuid::Uuid;

use crate::{ATHLETE, assert_clean, buffered, json_answer, rows, start, world};

#[tokio::test]
async fn a_sync_is_begun_and_shown() {
    let world = world().await;
    let token = world.token();
    let (sync, status) = (start("sync-beta", &world).await, start("job-status", &world).await);
    let (code, job) = json_answer(&sync.hand(rest_post("/sync-beta", Some(&token), r#"{"sync_type":"full"}"#)).await);
    assert_eq!((code, &job["sync_type"]), (201, &json!("full")), "{job}");
    // The same request as the gateway sends it where it takes the body for binary: the job stands already.
    let again = in_base64(rest_post("/sync-beta", Some(&token), r#"{"sync_type":"full"}"#));
    let (code, same) = json_answer(&sync.hand(again).await);
    assert_eq!((code, &same["job_id"]), (200, &job["job_id"]), "{same}");

    let id = job["job_id"].as_str().unwrap();
    let (code, shown) = json_answer(&status.hand(rest_get(&format!("/job-status/{id}"), Some(&token))).await);
    assert_eq!((code, &shown["status"], &shown["job_id"]), (200, &json!("pending"), &job["job_id"]), "{shown}");
    let unknown = format!("/job-status/{}?athlete_id={ATHLETE}", Uuid::new_v4());
    let (code, error) = json_answer(&status.hand(rest_get(&unknown, Some(&token))).await);
    assert_eq!((code, &error["error"]["code"]), (404, &json!("JOB_NOT_FOUND")), "{error}");
    let (code, error) = json_answer(&status.hand(rest_get(&format!("/job-status/{id}?athlete_id=1"), Some(&token))).await);
    assert_eq!((code, &error["error"]["code"]), (403, &json!("FORBIDDEN")), "the query is read: {error}");
    for function in [&sync, &status] {
        assert_clean(&world, function, &[]);
    }
}

#[tokio::test]
async fn without_a_token_with_another_method_and_below_nothing() {
    let world = world().await;
    let token = world.token();
    for name in ["strava-auth", "sync-beta", "job-status", "journal", "disconnect", "delete-account"] {
        let function = start(name, &world).await;
        let (code, error) = json_answer(&function.hand(rest_post(&format!("/{name}"), None, "{}")).await);
        let expected = if name == "job-status" { [401, 404] } else { [401, 401] };
        assert!(expected.contains(&code), "{name}: {code} {error}");
        let (code, error) = json_answer(&function.hand(rest_post(&format!("/{name}/below/nothing"), Some(&token), "{}")).await);
        assert_eq!((code, &error["error"]["code"]), (404, &json!("NOT_FOUND")), "{name}: {error}");
        let (code, headers, body) = buffered(&function.hand(with_method(rest_get(&format!("/{name}"), None), "OPTIONS")).await);
        assert_eq!((code, body.as_str()), (204, ""), "{name}");
        assert!(headers["access-control-allow-methods"][0].as_str().unwrap().contains("DELETE"), "{name}: {headers}");
        assert_clean(&world, &function, &[]);
    }
}

#[tokio::test]
async fn an_authorisation_is_begun_and_a_strange_state_is_not_taken() {
    let world = world().await;
    let (auth, callback) = (start("strava-auth", &world).await, start("oauth-callback", &world).await);
    let (code, begun) = json_answer(&auth.hand(rest_post("/strava-auth", Some(&world.token()), "{}")).await);
    let address = begun["authorization_url"].as_str().unwrap();
    assert!(code == 200 && address.contains("state="), "{begun}");
    let (code, headers, page) = buffered(&callback.hand(rest_get("/oauth-callback?code=c&scope=read&state=strange", None)).await);
    assert_eq!((code, headers["content-type"][0].as_str()), (400, Some("text/html; charset=utf-8")), "{headers}");
    assert!(page.contains("<html") && !page.contains("strange"), "{page}");
    for function in [&auth, &callback] {
        assert_clean(&world, function, &[]);
    }
}

#[tokio::test]
async fn strava_checks_its_subscription_and_tells_of_a_change() {
    let world = world().await;
    let webhook = start("strava-webhook", &world).await;
    let address = format!("/strava-webhook/{}", world.webhook_path);
    let check = format!("{address}?hub.mode=subscribe&hub.challenge=15f7d1a91c1f40f8&hub.verify_token={}", world.verify_token);
    let (code, echo) = json_answer(&webhook.hand(rest_get(&check, None)).await);
    assert_eq!((code, echo), (200, json!({ "hub.challenge": "15f7d1a91c1f40f8" })));
    let told = event("activity", 1000, "update", ATHLETE, &json!({ "title": "x" })).to_string();
    let (code, answer) = json_answer(&webhook.hand(rest_post(&address, None, &told)).await);
    assert_eq!(code, 200, "{answer}");
    assert_eq!(rows(&world.database, "strava_events WHERE object_id = 1000").await, 1);
    assert_clean(&world, &webhook, &[]);
}

#[tokio::test]
async fn the_journal_lists_and_draws_nothing_where_nothing_is() {
    let world = world().await;
    let token = world.token();
    let journal = start("journal", &world).await;
    let (code, list) = json_answer(&journal.hand(rest_get("/journal?limit=5", Some(&token))).await);
    assert_eq!((code, &list["entries"], &list["count"]), (200, &json!([]), &json!(0)), "{list}");
    let (code, error) = json_answer(&journal.hand(rest_post("/journal/generate", Some(&token), "{}")).await);
    assert_eq!((code, &error["error"]["code"]), (404, &json!("NO_ACTIVITIES")), "{error}");
    assert_clean(&world, &journal, &[]);
}

#[tokio::test]
async fn a_connection_and_an_account_end() {
    let world = world().await;
    let token = world.token();
    let (disconnect, delete) = (start("disconnect", &world).await, start("delete-account", &world).await);
    let (code, ended) = json_answer(&disconnect.hand(rest_post("/disconnect", Some(&token), "{}")).await);
    assert_eq!((code, &ended["success"], &ended["athlete_id"]), (200, &json!(true), &json!(ATHLETE)), "{ended}");
    let request = with_method(rest_get("/delete-account", Some(&token)), "DELETE");
    let (code, ended) = json_answer(&delete.hand(request).await);
    assert_eq!((code, &ended["success"]), (200, &json!(true)), "{ended}");
    assert_eq!(rows(&world.database, "athletes").await, 0);
    for function in [&disconnect, &delete] {
        assert_clean(&world, function, &[]);
    }
}

/// The head of a streamed answer is JSON of its own; what follows are events, or one JSON for a caller who reads no events.
#[tokio::test]
async fn an_export_streams() {
    let world = world().await;
    let export = start("export", &world).await;
    let (head, body) = export.hand(rest_get("/export", Some(&world.token()))).await.streamed_bytes().await;
    assert_eq!((&head["statusCode"], &head["headers"]["content-type"]), (&json!(200), &json!("application/zip")), "{head}");
    assert_eq!(head["headers"]["cache-control"], "no-store", "{head}");
    // A zip begins with a file and ends with its table of contents, which a broken one has not.
    assert!(body.starts_with(b"PK\x03\x04") && body[body.len() - 22..].starts_with(b"PK\x05\x06"), "{} bytes", body.len());
    let (head, body) = export.hand(rest_get("/export", None)).await.streamed().await;
    assert_eq!(head["statusCode"], 401, "{head} {body}");
    assert_clean(&world, &export, &[]);
}

#[tokio::test]
async fn the_coach_streams() {
    let world = world().await;
    let token = world.token();
    let chat = start("chat", &world).await;
    let question = r#"{"message":"How many runs did I do this week?"}"#;
    let (head, body) = chat.hand(rest_post_streaming("/chat", Some(&token), question)).await.streamed().await;
    assert_eq!((&head["statusCode"], &head["headers"]["content-type"]), (&json!(200), &json!("text/event-stream")), "{head}");
    assert_eq!(head["headers"]["cache-control"], "no-store", "{head}");
    let (deltas, done) = body.split_once("event: done\ndata: ").unwrap();
    assert!(deltas.starts_with("event: delta\ndata: "), "{body}");
    let answer: Value = serde_json::from_str(done.trim()).unwrap();
    assert_eq!(answer["context"]["totalActivities"], 0, "{answer}");

    let (head, body) = chat.hand(rest_post("/chat", Some(&token), question)).await.streamed().await;
    assert_eq!((&head["statusCode"], &head["headers"]["content-type"]), (&json!(200), &json!("application/json")), "{head}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert!(answer["answer"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");

    let (head, body) = chat.hand(rest_post_streaming("/chat", None, question)).await.streamed().await;
    assert_eq!(head["statusCode"], 401, "{head} {body}");
    let (head, body) = chat.hand(rest_get("/chat/conversations", Some(&token))).await.streamed().await;
    assert_eq!(head["statusCode"], 200, "{head}");
    let list: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(list["conversations"].as_array().map(Vec::len), Some(2), "both turns are stored: {list}");
    assert_clean(&world, &chat, &[]);
}
