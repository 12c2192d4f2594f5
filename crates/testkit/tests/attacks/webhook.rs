//! Events that Strava never sent, and what even a well-informed forger can bring about: nothing.

use aws_lc_rs::hmac;
use serde_json::{Value, json};
use testkit::fake_strava::{FIRST_SUBSCRIPTION_ID, deauthorisation, event};

use crate::client::Request;
use crate::stage::{ADA, BO, CY, Expect, FORBIDDEN, INVALID, NOBODYS, NOT_ALLOWED, NOT_FOUND, Stage, TOO_LARGE, harmless};

const CLASS: &str = "webhook";
const BODY_BYTES_MAX: usize = 64 * 1024;
const DAY_S: i64 = 24 * 3600;
/// How long the forged events are waited for: one may be told to wait a moment.
const TRIES_MAX: u32 = 40;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(250);

fn post(path: &str, body: impl AsRef<[u8]>) -> Request {
    Request::new("POST", path).header("content-type", "application/json").body(body)
}

fn with(event: &Value, field: &str, value: impl Into<Value>) -> String {
    let mut event = event.clone();
    event[field] = value.into();
    event.to_string()
}

pub(crate) async fn attacks(stage: &Stage) {
    strangers(stage).await;
    unreadable(stage).await;
    signatures(stage).await;
    verification(stage).await;
    let sql = format!("SELECT count(*) FROM strava_events WHERE athlete_id = {BO}");
    let written = stage.world.database.count(&sql).await;
    stage.must(written == 0, || format!("{written} events were written for the victim"));
    well_informed(stage).await;
}

/// Who does not know the address.
async fn strangers(stage: &Stage) {
    let secret = &stage.world.webhook_path;
    let (half, _) = secret.split_at(secret.len() / 2);
    for end in [
        String::new(),
        "/".to_owned(),
        "/x".to_owned(),
        format!("/{half}"),
        format!("/{secret}x"),
        format!("/{secret}/"),
        format!("/{secret}/x"),
        format!("//{secret}"),
        format!("/{}", secret.to_uppercase()),
        format!("/{secret}%00"),
        format!("/{secret}%20"),
        format!("/%2f{secret}"),
        "/%27%20OR%201=1".to_owned(),
        "/null".to_owned(),
        format!("/{secret};x"),
    ] {
        for body in [event("activity", BO * 10, "delete", BO, &json!({})), deauthorisation(BO)] {
            let request = post(&format!("/strava-webhook{end}"), body.to_string());
            stage.attack(CLASS, "another address", &request, NOT_FOUND).await;
        }
    }
}

/// Who knows the address, and sends what is no event, or not for us.
async fn unreadable(stage: &Stage) {
    let address = format!("/strava-webhook/{}", stage.world.webhook_path);
    let good = event("activity", BO * 10, "delete", BO, &json!({}));
    let future = jiff::Timestamp::now().as_second() + 2 * DAY_S;
    let mut wrong: Vec<(String, Expect)> = ["", "null", "[]", "1", "{", "<x/>", "\0"].map(|body| (body.to_owned(), INVALID)).to_vec();
    for field in ["object_type", "aspect_type", "object_id", "owner_id", "event_time", "subscription_id"] {
        for value in [json!(null), json!([]), json!({}), json!(1.5), json!(true)] {
            wrong.push((with(&good, field, value), INVALID));
        }
    }
    for field in ["object_id", "owner_id", "event_time", "subscription_id"] {
        wrong.push((with(&good, field, "1"), INVALID));
        wrong.push((with(&good, field, 9_223_372_036_854_775_808_u64), INVALID));
    }
    wrong.push((with(&good, "updates", "x"), INVALID));
    wrong.push((with(&good, "event_time", i64::MAX), INVALID));
    wrong.push((with(&good, "event_time", future), INVALID));
    wrong.push((with(&good, "padding", "x".repeat(BODY_BYTES_MAX)), TOO_LARGE));
    // Left alone.
    for subscription in [0, -1, FIRST_SUBSCRIPTION_ID + 1, i64::MAX] {
        wrong.push((with(&good, "subscription_id", subscription), harmless(200)));
    }
    for owner in [0, -1, NOBODYS, i64::MAX, i64::MIN] {
        wrong.push((with(&good, "owner_id", owner), harmless(200)));
    }
    for (field, value) in
        [("object_type", "segment"), ("object_type", "athlete"), ("aspect_type", "like"), ("aspect_type", "'; DROP TABLE")]
    {
        wrong.push((with(&good, field, value), harmless(200)));
    }
    wrong.push((with(&good, "object_id", -1), harmless(200)));
    for (body, expected) in wrong {
        stage.attack(CLASS, &body[..body.len().min(200)], &post(&address, &body), expected).await;
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        stage.attack(CLASS, "another method", &Request::new(method, &address).body(good.to_string()), NOT_ALLOWED).await;
    }
}

/// A signature that is there must be the right one.
async fn signatures(stage: &Stage) {
    let address = format!("/strava-webhook/{}", stage.world.webhook_path);
    let body = event("activity", BO * 10, "delete", BO, &json!({})).to_string();
    let sign = |secret: &str, text: &str| {
        let code = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), text.as_bytes());
        code.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let secret = stage.world.strava.client_secret();
    let (now, others) = (jiff::Timestamp::now().as_second(), sign("another secret", &body));
    for signature in [
        String::new(),
        "x".to_owned(),
        format!("t={now}"),
        format!("t={now},v1="),
        format!("t={now},v1=zz"),
        format!("t={now},v1={others}"),
        format!("t={now},v1={}", sign("", &format!("{now}.{body}"))),
        format!("t={now},v1={}", sign(secret, &body)),
        format!("t={now},v1={}", sign(secret, &format!("{now}.{{}}"))),
        format!("t={},v1={}", now + 1, sign(secret, &format!("{now}.{body}"))),
        format!("v1={}", sign(secret, &format!(".{body}"))),
        format!("t={now},v0={}", sign(secret, &format!("{now}.{body}"))),
    ] {
        stage.attack(CLASS, "a wrong signature", &post(&address, &body).header("x-strava-signature", &signature), FORBIDDEN).await;
    }
}

async fn verification(stage: &Stage) {
    let (path, verify) = (&stage.world.webhook_path, &stage.world.verify_token);
    let get = |query: String| Request::new("GET", &format!("/strava-webhook/{path}?{query}"));
    for query in [
        String::new(),
        "hub.mode=subscribe&hub.challenge=x".to_owned(),
        "hub.mode=subscribe&hub.challenge=x&hub.verify_token=".to_owned(),
        "hub.mode=subscribe&hub.challenge=x&hub.verify_token=wrong".to_owned(),
        format!("hub.mode=subscribe&hub.challenge=x&hub.verify_token={verify}x"),
        format!("hub.mode=subscribe&hub.challenge=x&hub.verify_token={}", verify.to_uppercase()),
        format!("hub.mode=subscribe&hub.challenge=x&hub.verify_token=wrong&hub.verify_token={verify}"),
    ] {
        stage.attack(CLASS, "a wrong verification", &get(query), FORBIDDEN).await;
    }
    let bare = Request::new("GET", "/strava-webhook?hub.mode=subscribe&hub.challenge=x&hub.verify_token=wrong");
    stage.attack(CLASS, "a wrong verification at the bare path", &bare, FORBIDDEN).await;
    let bare = Request::new("GET", &format!("/strava-webhook?hub.mode=subscribe&hub.challenge=x&hub.verify_token={verify}"));
    stage.attack(CLASS, "a right one at the bare path", &bare, NOT_FOUND).await;
    for query in ["hub.mode=unsubscribe&hub.challenge=x", "hub.challenge=x", "hub.mode=subscribe", "hub.mode=subscribe&hub.challenge="] {
        stage.attack(CLASS, "half a verification", &get(format!("{query}&hub.verify_token={verify}")), INVALID).await;
    }
}

/// Who knows the address and the subscription: told are a deletion, an end of the connection, somebody else's activity
/// and one that does not exist, each three times. Strava is asked, and nothing changes.
async fn well_informed(stage: &Stage) {
    let address = format!("/strava-webhook/{}", stage.world.webhook_path);
    let state = format!(
        "SELECT concat((SELECT string_agg(a::text, ' ' ORDER BY id) FROM (SELECT id, athlete_id, name, distance, description FROM activities WHERE athlete_id <> {ADA}) a), ' ',
                       (SELECT string_agg(a.id || ' ' || strava_connected, ' ' ORDER BY id) FROM athletes a), ' ',
                       (SELECT count(*) FROM strava_tokens WHERE athlete_id = {CY}))"
    );
    let owner = stage.world.database.owner().await;
    let before: String = owner.query_one(&state, &[]).await.expect("the state").get(0);
    for forgery in [
        event("activity", CY * 10, "delete", CY, &json!({})),
        deauthorisation(CY),
        event("activity", BO * 10, "create", CY, &json!({})),
        event("activity", 4_242, "update", CY, &json!({"title": "<script>"})),
    ] {
        for _ in 0..3 {
            stage.attack(CLASS, "a well-informed forgery", &post(&address, forgery.to_string()), harmless(200)).await;
        }
    }
    let events = stage.world.database.count("SELECT count(*) FROM strava_events").await;
    stage.must(events == 4, || format!("four events told three times are {events}"));
    let mut handled = 0;
    for _ in 0..TRIES_MAX {
        let batch = stage.world.queue.take().await;
        if !batch.records.is_empty() {
            stage.gateway.invoke("sync-processor", serde_json::to_value(&batch).expect("a batch")).await;
        }
        // The two that Strava does not know are asked for again, later.
        handled = stage.world.database.count("SELECT count(*) FROM strava_events WHERE handled_at IS NOT NULL OR calls > 0").await;
        if handled == 4 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    stage.must(handled == 4, || format!("{handled} of four events were worked off"));
    let after: String = owner.query_one(&state, &[]).await.expect("the state").get(0);
    stage.must(before == after, || format!("a forgery changed something: {before} is now {after}"));
}
