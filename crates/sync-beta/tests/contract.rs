//! `POST /sync-beta` and `GET /job-status/{id}` as the app reads them, and who may.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use serde_json::{Value, json};
use testkit::World;
use testkit::call::{checked, request};
use testkit::issuer::unsigned;
use uuid::Uuid;

const ATHLETE: i64 = 94_451_852;
const OTHER_ATHLETE: i64 = 5;
const TOKEN_TTL_S: i64 = 6 * 3600;

struct Story {
    world: World,
    sync: sync_beta::App,
    status: job_status::App,
    other_user: Uuid,
}

impl Story {
    async fn begin() -> Self {
        let world = World::new().await;
        let other_user = Uuid::new_v4();
        world.connected_athlete(ATHLETE, world.user_id, vec![], TOKEN_TTL_S).await;
        world.connected_athlete(OTHER_ATHLETE, other_user, vec![], TOKEN_TTL_S).await;
        let mut sync = sync_beta::App::new(&world.settings()).await.unwrap();
        sync.clock = world.clock.production();
        let status = job_status::App::new(&world.settings()).unwrap();
        Self { world, sync, status, other_user }
    }

    async fn sync(&self, token: Option<&str>, body: &str) -> (u16, Value) {
        checked(&sync_beta::handle(&self.sync, request("POST", "/sync-beta", token, body)).await)
    }

    async fn call(&self, method: &str, path: &str, token: &str) -> (u16, Value) {
        let request = request(method, path, Some(token), "");
        let is_sync = path.starts_with("/sync-beta");
        checked(&if is_sync { sync_beta::handle(&self.sync, request).await } else { job_status::handle(&self.status, request).await })
    }

    async fn status(&self, token: Option<&str>, path: &str) -> (u16, Value) {
        checked(&job_status::handle(&self.status, request("GET", &format!("/job-status{path}"), token, "")).await)
    }
}

/// The app's reading of a job's status: every key of its type, no word it does not know.
fn assert_decodes(job: &Value) {
    for key in ["id", "job_id"] {
        assert!(job[key].as_str().is_some_and(|id| id.parse::<Uuid>().is_ok()), "{key}: {job}");
    }
    assert!(job["user_id"].is_string() && job["error"].as_str().is_some() != job["error"].is_null(), "{job}");
    assert!(["pending", "running", "completed", "failed"].contains(&job["status"].as_str().unwrap_or_default()), "{job}");
    assert!(["full", "incremental"].contains(&job["sync_type"].as_str().unwrap_or_default()), "{job}");
    assert!(job["progress"].as_i64().is_some_and(|percent| (0..=100).contains(&percent)), "{job}");
    assert!(job["activities_processed"].is_i64() || job["activities_processed"].is_u64(), "{job}");
    assert!(is_timestamp(&job["created_at"]) && is_timestamp(&job["updated_at"]), "{job}");
    for key in ["started_at", "completed_at"] {
        assert!(job.get(key).is_some_and(|value| value.is_null() || is_timestamp(value)), "{key}: {job}");
    }
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

/// The app's parser: RFC 3339 in UTC without a fraction.
fn is_timestamp(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 20 && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok())
}

#[tokio::test]
async fn a_sync_is_begun_shown_and_begun_only_once() {
    let story = Story::begin().await;
    let token = story.world.token();
    let (status, job) = story.sync(Some(&token), r#"{"sync_type":"full"}"#).await;
    assert_eq!(status, 201);
    let id = job["job_id"].as_str().unwrap();
    assert!(id.parse::<Uuid>().is_ok() && is_timestamp(&job["created_at"]));
    let expected = json!({"job_id": id, "status": "pending", "sync_type": "full", "created_at": job["created_at"], "user_id": "94451852", "max_activities": null});
    assert_eq!(job, expected);
    assert_eq!(story.world.queue.take().await.records.len(), 1, "row first, then the message");

    for covered in [r#"{"sync_type":"full"}"#, "{}", "", r#"{"after":1,"before":2,"max_activities":3}"#, r#"{"user_id":"94451852"}"#] {
        let (status, again) = story.sync(Some(&token), covered).await;
        assert_eq!((status, again["job_id"].as_str()), (200, Some(id)), "{covered}");
    }
    assert!(story.world.queue.take().await.records.is_empty());

    let (status, shown) = story.status(Some(&token), &format!("/{id}")).await;
    assert_eq!(status, 200);
    assert_decodes(&shown);
    assert_eq!((&shown["user_id"], &shown["status"], &shown["progress"]), (&json!("94451852"), &json!("pending"), &json!(0)));
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn a_request_that_is_not_covered_widens_the_unfinished_job() {
    let story = Story::begin().await;
    let token = story.world.token();
    let (_, first) = story.sync(Some(&token), r#"{"sync_type":"full","after":1000,"before":2000}"#).await;
    let (status, second) = story.sync(Some(&token), r#"{"sync_type":"full","after":500,"before":1500}"#).await;
    assert_eq!((status, &second["job_id"]), (200, &first["job_id"]));
    let sql = "SELECT count(*) FROM sync_jobs WHERE after_s = 500 AND before_s = 2000";
    assert_eq!(story.world.database.count(sql).await, 1);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn every_state_of_a_job_is_shown_in_the_apps_words() {
    let story = Story::begin().await;
    let token = story.world.token();
    let (_, job) = story.sync(Some(&token), "{}").await;
    let path = format!("/{}", job["job_id"].as_str().unwrap());
    let owner = story.world.database.owner().await;
    for (change, word) in [
        ("status = 'in_progress', progress = 42, started_at = now()", "running"),
        ("status = 'failed', error_message = 'A sentence.', completed_at = now()", "failed"),
        ("status = 'completed', progress = 100, error_message = NULL, activities_processed = 840", "completed"),
    ] {
        owner.batch_execute(&format!("UPDATE sync_jobs SET {change}")).await.unwrap();
        let (status, shown) = story.status(Some(&token), &path).await;
        assert_decodes(&shown);
        assert_eq!((status, shown["status"].as_str()), (200, Some(word)));
        assert_eq!(shown["error"].as_str(), (word == "failed").then_some("A sentence."));
    }
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn an_incremental_sync_reaches_back_seven_days_before_the_newest_activity() {
    let story = Story::begin().await;
    let sql = format!(
        "INSERT INTO activities (id, athlete_id, name, type, activity_date, start_date_local)
         VALUES (1, {ATHLETE}, 'x', 'Run', to_timestamp(1767508200), '2026-01-04'), (2, {ATHLETE}, 'x', 'Run', to_timestamp(1700000000), '2023-11-14')"
    );
    story.world.database.owner().await.batch_execute(&sql).await.unwrap();
    let (status, _) = story.sync(Some(&story.world.token()), "{}").await;
    assert_eq!(status, 201);
    assert_eq!(story.world.database.count("SELECT after_s FROM sync_jobs").await, 1_767_508_200 - 7 * 86_400);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn paths_and_methods_nobody_serves_are_refused() {
    let story = Story::begin().await;
    let token = story.world.token();
    for (method, path, expected) in [
        ("GET", "/sync-beta", (405, "METHOD_NOT_ALLOWED")),
        ("DELETE", "/sync-beta", (405, "METHOD_NOT_ALLOWED")),
        ("POST", "/sync-beta/", (404, "NOT_FOUND")),
        ("POST", "/sync-beta/x", (404, "NOT_FOUND")),
        ("POST", "/sync-betax", (404, "NOT_FOUND")),
        ("POST", "/job-status/x", (405, "METHOD_NOT_ALLOWED")),
        ("GET", "/job-status/x?athlete_id=x", (400, "INVALID_REQUEST")),
        ("OPTIONS", "/sync-beta", (204, "")),
        ("OPTIONS", "/job-status/x", (204, "")),
    ] {
        assert_eq!(code(&story.call(method, path, &token).await), expected, "{method} {path}");
    }
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn bad_input_names_its_field_and_stores_nothing() {
    let story = Story::begin().await;
    let token = story.world.token();
    for (body, named) in [
        ("{", "The body"),
        ("[1]", "The body"),
        (r#"{"sync_type":"everything"}"#, "sync_type"),
        (r#"{"sync_type":1}"#, "sync_type"),
        (r#"{"after":"yesterday"}"#, "after"),
        (r#"{"after":-1}"#, "after"),
        (r#"{"after":1767508200000}"#, "after"),
        (r#"{"after":5,"before":5}"#, "after"),
        (&format!(r#"{{"after":{}}}"#, jiff::Timestamp::now().as_second() + 600), "after"),
        (r#"{"before":1.5}"#, "before"),
        (r#"{"max_activities":0}"#, "max_activities"),
        (r#"{"max_activities":9223372036854775808}"#, "max_activities"),
        (r#"{"user_id":[]}"#, "user_id"),
        (r#"{"user_id":"x"}"#, "user_id"),
    ] {
        let answer = story.sync(Some(&token), body).await;
        assert_eq!(code(&answer), (400, "INVALID_REQUEST"), "{body}");
        assert!(answer.1["error"]["message"].as_str().unwrap().starts_with(named), "{body}: {}", answer.1);
    }
    let large = format!(r#"{{"x":"{}"}}"#, "a".repeat(70_000));
    assert_eq!(code(&story.sync(Some(&token), &large).await), (413, "PAYLOAD_TOO_LARGE"));
    assert_eq!(story.world.database.count("SELECT count(*) FROM sync_jobs").await, 0);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn other_athletes_are_out_of_reach() {
    let story = Story::begin().await;
    let (token, other) = (story.world.token(), story.world.issuer.token(story.other_user));
    let (_, job) = story.sync(Some(&token), "{}").await;
    let path = format!("/{}", job["job_id"].as_str().unwrap());
    assert_eq!(code(&story.status(Some(&other), &path).await), (404, "JOB_NOT_FOUND"));
    for unknown in [format!("/{}", Uuid::new_v4()), "/nonsense".to_owned()] {
        assert_eq!(code(&story.status(Some(&token), &unknown).await), (404, "JOB_NOT_FOUND"));
    }
    for unknown in ["", "/", "/a/b", &format!("{path}/")] {
        assert_eq!(code(&story.status(Some(&token), unknown).await), (404, "NOT_FOUND"), "{unknown}");
    }
    for foreign in [OTHER_ATHLETE, 1, i64::MAX, -1] {
        assert_eq!(code(&story.sync(Some(&token), &format!(r#"{{"user_id":{foreign}}}"#)).await), (403, "FORBIDDEN"));
        assert_eq!(code(&story.status(Some(&token), &format!("{path}?athlete_id={foreign}")).await), (403, "FORBIDDEN"));
        assert_eq!(code(&story.call("POST", &format!("/sync-beta?athlete_id={foreign}"), &token).await), (403, "FORBIDDEN"));
    }
    let nobody = story.world.issuer.token(Uuid::new_v4());
    assert_eq!(code(&story.sync(Some(&nobody), "{}").await), (404, "ATHLETE_NOT_FOUND"));
    assert_eq!(code(&story.sync(Some(&nobody), r#"{"user_id":5}"#).await), (403, "FORBIDDEN"));
    assert_eq!(code(&story.status(Some(&nobody), &path).await), (404, "ATHLETE_NOT_FOUND"));

    story.world.database.owner().await.execute("UPDATE athletes SET strava_connected = false", &[]).await.unwrap();
    assert_eq!(code(&story.sync(Some(&token), "{}").await), (404, "TOKEN_NOT_FOUND"));
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn only_a_sound_token_opens_the_door() {
    let story = Story::begin().await;
    let issuer = &story.world.issuer;
    let (good, header) = (issuer.claims(story.world.user_id), issuer.header());
    let claims = |field: &str, value: Value| {
        let mut claims = good.clone();
        claims[field] = value;
        issuer.sign(&header, &claims)
    };
    let without = |field: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(field);
        issuer.sign(&header, &claims)
    };
    let headed = |field: &str, value: &str| {
        let mut header = header.clone();
        header[field] = json!(value);
        issuer.sign(&header, &good)
    };
    let now = jiff::Timestamp::now().as_second();
    let mut none = header.clone();
    none["alg"] = json!("none");
    let sound = issuer.sign(&header, &good);
    let stranger = testkit::TokenIssuer::offline(&issuer.issuer(), &testkit::issuer::new_key());
    let attacks = [
        ("garbage", "garbage".to_owned()),
        ("empty", String::new()),
        ("expired", claims("exp", json!(now - 60))),
        ("not yet valid", claims("nbf", json!(now + 600))),
        ("wrong issuer", claims("iss", json!("http://127.0.0.1:1"))),
        ("wrong audience", claims("aud", json!("anon"))),
        ("wrong role", claims("role", json!("service_role"))),
        ("no user", claims("sub", json!("admin"))),
        ("without exp", without("exp")),
        ("without iss", without("iss")),
        ("without aud", without("aud")),
        ("without role", without("role")),
        ("none", format!("{}.", unsigned(&none, &good))),
        ("HS256 with the public key", issuer.sign_with_public_key(&good)),
        ("RS256 said of an EC key", headed("alg", "RS256")),
        ("unknown key", headed("kid", "nobody")),
        ("key id injection", headed("kid", "../../etc/passwd' OR 1=1--")),
        ("signed by a stranger", stranger.sign(&header, &good)),
        ("another's claims under a sound signature", {
            let mut parts: Vec<String> = sound.split('.').map(str::to_owned).collect();
            parts[1] = unsigned(&header, &issuer.claims(story.other_user)).split('.').nth(1).unwrap().to_owned();
            parts.join(".")
        }),
        ("huge", "a".repeat(100_000)),
    ];
    for (name, token) in &attacks {
        assert_eq!(code(&story.sync(Some(token), "{}").await), (401, "UNAUTHORIZED"), "{name}");
        assert_eq!(code(&story.status(Some(token), &format!("/{}", Uuid::new_v4())).await), (401, "UNAUTHORIZED"), "{name}");
    }
    assert_eq!(code(&story.sync(None, "{}").await), (401, "UNAUTHORIZED"));
    assert_eq!(story.world.database.count("SELECT count(*) FROM sync_jobs").await, 0);
    assert!(issuer.fetches() <= 4, "unknown keys do not turn into a flood of questions: {}", issuer.fetches());
    assert_eq!(story.sync(Some(&sound), "{}").await.0, 201);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn without_the_database_or_the_keys_the_answer_is_503_with_a_request_id() {
    let story = Story::begin().await;
    let token = story.world.token();
    let mut unreachable = runaway_core::config::AuthConfig {
        issuer: story.world.issuer.issuer(),
        audience: testkit::issuer::AUDIENCE.to_owned(),
        jwks_url: "http://127.0.0.1:1/keys".to_owned(),
    };
    let mut app = job_status::App::new(&story.world.settings()).unwrap();
    app.verifier = runaway_core::http::Verifier::new(unreachable.clone()).unwrap();
    let path = format!("/job-status/{}", Uuid::new_v4());
    let answer = checked(&job_status::handle(&app, request("GET", &path, Some(&token), "")).await);
    assert_eq!(code(&answer), (503, "UPSTREAM_UNAVAILABLE"));

    unreachable.jwks_url = story.world.issuer.jwks_url();
    app.verifier = runaway_core::http::Verifier::new(unreachable).unwrap();
    let nowhere = runaway_core::config::DatabaseConfig { url: "postgres://runaway_app@127.0.0.1:1/x".into(), ca_pem: None };
    app.db = runaway_core::db::Db::new(&nowhere, 1).unwrap();
    let answer = checked(&job_status::handle(&app, request("GET", &path, Some(&token), "")).await);
    assert_eq!(code(&answer), (503, "UPSTREAM_UNAVAILABLE"));
    story.world.assert_in_order(&["The request failed"]).await;
}
