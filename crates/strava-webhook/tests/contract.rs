//! `/strava-webhook/{secret}` as Strava calls it, and as anybody else might.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use aws_lc_rs::hmac;
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::World;
use testkit::call::{checked, request};
use testkit::fake_strava::{FIRST_SUBSCRIPTION_ID, deauthorisation, event};
use uuid::Uuid;

const ATHLETE: i64 = 35_617_462;
const ACTIVITY: i64 = 6_597_762_220;
const TOKEN_TTL_S: i64 = 6 * 3600;

struct Story {
    world: World,
    app: strava_webhook::App,
    secret: String,
}

impl Story {
    async fn begin() -> Self {
        let world = World::new().await;
        world.connected_athlete(ATHLETE, world.user_id, vec![], TOKEN_TTL_S).await;
        let mut app = strava_webhook::App::new(&world.settings()).await.unwrap();
        app.clock = world.clock.production();
        let secret = format!("/strava-webhook/{}", world.webhook_path);
        Self { world, app, secret }
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        checked(&strava_webhook::handle(&self.app, request(method, path, None, body)).await)
    }

    async fn tell(&self, event: &Value) -> u16 {
        self.call("POST", &self.secret, &event.to_string()).await.0
    }

    async fn signed(&self, signature: &str, body: &str) -> u16 {
        let mut request = request("POST", &self.secret, None, body);
        request.headers_mut().insert("x-strava-signature", signature.parse().unwrap());
        checked(&strava_webhook::handle(&self.app, request).await).0
    }

    async fn events(&self) -> i64 {
        self.world.database.count("SELECT count(*) FROM strava_events").await
    }

    async fn messages(&self) -> usize {
        self.world.queue.take().await.records.len()
    }
}

fn of_activity(id: i64, aspect: &str) -> Value {
    event("activity", id, aspect, ATHLETE, &json!({}))
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn strava_subscribes_with_the_right_token_only() {
    let story = Story::begin().await;
    let query = |token: &str| format!("hub.mode=subscribe&hub.challenge=15f7d1a91c1f40f8a748fd134752feb3&hub.verify_token={token}");
    let right = query(&story.world.verify_token);
    let (status, body) = story.call("GET", &format!("{}?{right}", story.secret), "").await;
    assert_eq!((status, body), (200, json!({"hub.challenge": "15f7d1a91c1f40f8a748fd134752feb3"})));

    let shortened = query(&story.world.verify_token[1..]);
    for (path, expected) in [
        (format!("{}?{}", story.secret, query("wrong")), (403, "FORBIDDEN")),
        (format!("{}?{shortened}", story.secret), (403, "FORBIDDEN")),
        (format!("{}?hub.mode=subscribe&hub.challenge=x", story.secret), (403, "FORBIDDEN")),
        (story.secret.clone(), (403, "FORBIDDEN")),
        (format!("{}?{}", story.secret, right.replace("subscribe", "unsubscribe")), (400, "INVALID_REQUEST")),
        (format!("{}?hub.mode=subscribe&hub.verify_token={}", story.secret, story.world.verify_token), (400, "INVALID_REQUEST")),
        // The bare path and everything beside the secret one.
        (format!("/strava-webhook?{}", query("wrong")), (403, "FORBIDDEN")),
        (format!("/strava-webhook?{right}"), (404, "NOT_FOUND")),
        ("/strava-webhook".to_owned(), (404, "NOT_FOUND")),
        (format!("/strava-webhook/?{right}"), (404, "NOT_FOUND")),
        (format!("/strava-webhook/wrong?{right}"), (404, "NOT_FOUND")),
        (format!("{}/?{right}", story.secret), (404, "NOT_FOUND")),
        (format!("{}x?{right}", story.secret), (404, "NOT_FOUND")),
    ] {
        assert_eq!(code(&story.call("GET", &path, "").await), expected, "{path}");
    }
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn an_event_is_written_and_then_announced() {
    let story = Story::begin().await;
    assert_eq!(story.tell(&of_activity(ACTIVITY, "create")).await, 200);
    let row = "SELECT count(*) FROM strava_events WHERE object_type = 'activity' AND object_id = 6597762220 AND aspect_type = 'create'
                  AND athlete_id = 35617462 AND handled_at IS NULL";
    assert_eq!(story.world.database.count(row).await, 1);
    let announced = story.world.queue.take().await;
    let id: Uuid = story.world.database.owner().await.query_one("SELECT id FROM strava_events", &[]).await.unwrap().get(0);
    assert_eq!(announced.records[0].body.as_deref(), Some(format!(r#"{{"event_id":"{id}"}}"#).as_str()));

    // Told again while unhandled: one row, no further message.
    for _ in 0..3 {
        assert_eq!(story.tell(&of_activity(ACTIVITY, "create")).await, 200);
    }
    assert_eq!((story.events().await, story.messages().await), (1, 0));
    assert_eq!(story.world.database.count("SELECT arrivals::bigint FROM strava_events").await, 4);
    // Another aspect, and another kind.
    for (event, rows) in [(of_activity(ACTIVITY, "delete"), 2), (deauthorisation(ATHLETE), 3), (of_activity(ACTIVITY + 1, "create"), 4)] {
        assert_eq!((story.tell(&event).await, story.events().await), (200, rows), "{event}");
    }
    assert_eq!(story.world.strava.calls().len(), 0, "nobody asks Strava here");
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn what_is_not_for_us_is_answered_and_left_alone() {
    let story = Story::begin().await;
    let with = |field: &str, value: Value| {
        let mut event = of_activity(ACTIVITY, "update");
        event[field] = value;
        event
    };
    for event in [
        with("subscription_id", json!(FIRST_SUBSCRIPTION_ID + 1)),
        with("owner_id", json!(ATHLETE + 1)),
        with("owner_id", json!(-1)),
        with("object_type", json!("segment")),
        with("aspect_type", json!("like")),
        with("object_id", json!(0)),
        event("athlete", ATHLETE, "update", ATHLETE, &json!({"authorized": "true"})),
        event("athlete", ATHLETE, "update", ATHLETE, &json!({})),
    ] {
        assert_eq!(story.tell(&event).await, 200, "{event}");
    }
    story.world.database.owner().await.execute("UPDATE athletes SET strava_connected = false", &[]).await.unwrap();
    assert_eq!(story.tell(&deauthorisation(ATHLETE)).await, 200);
    assert_eq!((story.events().await, story.messages().await), (0, 0));
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn without_a_subscription_nothing_is_believed() {
    let mut story = Story::begin().await;
    story.app.webhook.subscription_id = None;
    assert_eq!((story.tell(&of_activity(ACTIVITY, "create")).await, story.events().await), (200, 0));
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn what_is_no_event_is_refused() {
    let story = Story::begin().await;
    let whole = of_activity(ACTIVITY, "create").to_string();
    let too_late = (Timestamp::now().as_second() + 3 * 86_400).to_string();
    let mut future = of_activity(ACTIVITY, "create");
    future["event_time"] = too_late.parse::<i64>().unwrap().into();
    for (body, named) in [
        (String::new(), "The body"),
        ("[]".to_owned(), "The body"),
        (whole.replace("object_id", "object"), "object_id"),
        (whole.replace("\"create\"", "1"), "aspect_type"),
        (whole.replace("\"updates\":{}", "\"updates\":7"), "updates"),
        (future.to_string(), "event_time"),
    ] {
        let answer = story.call("POST", &story.secret, &body).await;
        assert_eq!(code(&answer), (400, "INVALID_REQUEST"), "{body}");
        assert!(answer.1["error"]["message"].as_str().unwrap().starts_with(named), "{}", answer.1);
    }
    let large = format!(r#"{{"x":"{}"}}"#, "a".repeat(65_536));
    assert_eq!(code(&story.call("POST", &story.secret, &large).await), (413, "PAYLOAD_TOO_LARGE"));
    for method in ["PUT", "DELETE"] {
        assert_eq!(code(&story.call(method, &story.secret, &whole).await), (405, "METHOD_NOT_ALLOWED"));
    }
    for path in ["/strava-webhook", "/strava-webhook/", "/strava-webhook/wrong", &format!("{}/more", story.secret)] {
        assert_eq!(code(&story.call("POST", path, &whole).await), (404, "NOT_FOUND"), "{path}");
    }
    assert_eq!(story.call("OPTIONS", "/strava-webhook", "").await.0, 204);
    assert_eq!(story.events().await, 0);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn a_signature_counts_where_there_is_one() {
    let story = Story::begin().await;
    let body = of_activity(ACTIVITY, "update").to_string();
    let sign = |secret: &str, time: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let code = hmac::sign(&key, format!("{time}.{body}").as_bytes());
        format!("t={time},v1={}", code.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    };
    let secret = story.world.strava.client_secret();
    for wrong in [sign("another", "1787205955"), sign(secret, "1787205955").replace("t=1", "t=2"), "nonsense".to_owned()] {
        assert_eq!((story.signed(&wrong, &body).await, story.events().await), (403, 0), "{wrong}");
    }
    assert_eq!((story.signed(&sign(secret, "1787205955"), &body).await, story.events().await), (200, 1));
    assert_eq!(story.tell(&of_activity(ACTIVITY, "create")).await, 200, "without one, it is a hint all the same");
    let logged = story.world.logs.lines().join("\n");
    for case in ["Absent", "Valid", "Wrong"] {
        assert!(logged.contains(&format!(r#""signature":"{case}""#)), "the log does not say {case}");
    }
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn an_event_that_cannot_be_written_is_asked_for_again() {
    let story = Story::begin().await;
    // Somebody holds the table for longer than the row may take.
    let mut holder = story.world.database.owner().await;
    let held = holder.transaction().await.unwrap();
    held.batch_execute("LOCK TABLE strava_events IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let answer = story.call("POST", &story.secret, &of_activity(ACTIVITY, "create").to_string()).await;
    assert_eq!(code(&answer), (503, "UPSTREAM_UNAVAILABLE"));
    held.rollback().await.unwrap();
    story.world.database.owner().await.batch_execute("ALTER TABLE strava_events RENAME TO elsewhere").await.unwrap();
    let answer = story.call("POST", &story.secret, &of_activity(ACTIVITY, "create").to_string()).await;
    assert_eq!(code(&answer), (503, "UPSTREAM_UNAVAILABLE"), "whatever keeps it from being written");
    story.world.database.owner().await.batch_execute("ALTER TABLE elsewhere RENAME TO strava_events").await.unwrap();
    assert_eq!((story.tell(&of_activity(ACTIVITY, "create")).await, story.events().await), (200, 1));
    story.world.assert_in_order(&["The request failed"]).await;
}

#[tokio::test]
async fn beyond_thirty_one_row_stands_for_the_rest() {
    let story = Story::begin().await;
    for n in 0..200 {
        assert_eq!(story.tell(&of_activity(ACTIVITY + n, "create")).await, 200);
    }
    // What is known is counted as before, and the end of a permission is never crowded out.
    assert_eq!(story.tell(&of_activity(ACTIVITY, "create")).await, 200);
    assert_eq!(story.tell(&deauthorisation(ATHLETE)).await, 200);
    let rows = |kind: &str| format!("SELECT count(*) FROM strava_events WHERE object_type = '{kind}'");
    let mut counts = Vec::new();
    for kind in ["activity", "history", "athlete"] {
        counts.push(story.world.database.count(&rows(kind)).await);
    }
    assert_eq!(counts, [30, 1, 1]);
    // Another athlete's are not touched by it.
    let (other, user) = (ATHLETE + 1, Uuid::new_v4());
    story.world.connected_athlete(other, user, vec![], TOKEN_TTL_S).await;
    assert_eq!(story.tell(&event("activity", ACTIVITY, "create", other, &json!({}))).await, 200);
    assert_eq!(story.world.database.count(&rows("activity")).await, 31);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn events_at_the_same_moment_keep_the_limit() {
    let story = Story::begin().await;
    let mut calls = tokio::task::JoinSet::new();
    let settings = story.world.settings();
    for n in 0..8 {
        let app = strava_webhook::App::new(&settings).await.unwrap();
        let secret = story.secret.clone();
        calls.spawn(async move {
            for m in 0..8 {
                let body = of_activity(ACTIVITY + n * 8 + m, "create").to_string();
                let answer = strava_webhook::handle(&app, request("POST", &secret, None, &body)).await;
                assert_eq!(answer.status(), 200);
            }
        });
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    assert_eq!(story.world.database.count("SELECT count(*) FROM strava_events WHERE object_type = 'activity'").await, 30);
    assert_eq!(story.world.database.count("SELECT count(*) FROM strava_events WHERE object_type = 'history'").await, 1);
    story.world.assert_in_order(&[]).await;
}
