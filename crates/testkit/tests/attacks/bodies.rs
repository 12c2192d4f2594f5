//! Bodies that are too large, too deep, of another kind, compressed, broken, or never end.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::client::{Request, rest};
use crate::endpoints::ENDPOINTS;
use crate::stage::{INVALID, NOT_FOUND, Stage, TOO_LARGE, UNAUTHORIZED, harmless};

const CLASS: &str = "bodies";
/// The contract's limit.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Deeper than any reader goes.
const DEEP: usize = 30_000;
/// Senders that never come to an end.
const SLOW_SENDERS: usize = 24;
/// How long somebody else's call may take meanwhile.
const UNDISTURBED: Duration = Duration::from_secs(10);

pub(crate) async fn attacks(stage: &Stage) {
    wrong_bodies(stage).await;
    texts(stage).await;
    headers(stage).await;
    slow_senders(stage).await;
}

/// Ten megabytes of zeros, compressed to ten thousand bytes: gzip's frame around deflate's longest repetitions.
fn gzip_bomb() -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xc1, 1, 1];
    bytes.extend(vec![0; 10_000]);
    bytes
}

/// Bodies that are no JSON object, whatever they say of themselves.
async fn wrong_bodies(stage: &Stage) {
    let json_type = ("content-type", "application/json");
    let deep = |open: &str, close: &str| format!("{{\"message\":{}{}}}", open.repeat(DEEP), close.repeat(DEEP)).into_bytes();
    let wrong: Vec<(&str, (&str, &str), Vec<u8>)> = vec![
        ("a list", json_type, b"[]".to_vec()),
        ("a number", json_type, b"1".to_vec()),
        ("a text", json_type, b"\"x\"".to_vec()),
        ("null", json_type, b"null".to_vec()),
        ("half an object", json_type, b"{\"message\":".to_vec()),
        ("two objects", json_type, b"{}{}".to_vec()),
        ("a comment", json_type, b"{} // x".to_vec()),
        ("NaN", json_type, b"{\"athlete_id\":NaN}".to_vec()),
        ("NUL bytes", json_type, b"{\"message\":\"a\0b\"}".to_vec()),
        ("NUL bytes around", json_type, b"\0{}\0".to_vec()),
        ("invalid UTF-8", json_type, b"{\"message\":\"\xff\xfe\"}".to_vec()),
        ("an overlong character", json_type, b"{\"message\":\"\xc0\xaf\"}".to_vec()),
        ("half a surrogate", json_type, b"{\"message\":\"\\ud800\"}".to_vec()),
        ("UTF-16", json_type, b"\xff\xfe{\0}\0".to_vec()),
        ("a byte order mark", json_type, b"\xef\xbb\xbf{}".to_vec()),
        ("deep lists", json_type, deep("[", "]")),
        ("deep objects", json_type, format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000)).into_bytes()),
        ("a form", ("content-type", "application/x-www-form-urlencoded"), b"message=Hello&athlete_id=1".to_vec()),
        ("XML", ("content-type", "application/xml"), b"<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><x>&e;</x>".to_vec()),
        ("parts", ("content-type", "multipart/form-data; boundary=x"), b"--x\r\ncontent-disposition: form-data\r\n\r\n1\r\n--x--".to_vec()),
        ("YAML", ("content-type", "application/yaml"), b"message: !!python/object:os.system x".to_vec()),
        ("a gzip bomb", ("content-encoding", "gzip"), gzip_bomb()),
        ("what claims to be brotli", ("content-encoding", "br"), vec![0xff; 64]),
    ];
    let padded = |bytes: usize| format!("{{\"padding\":\"{}\"}}", "x".repeat(bytes));
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.reads_a_body()) {
        let call = |body: &[u8]| Request::new(endpoint.method, endpoint.path).bearer(&stage.token()).body(body);
        for (what, (name, value), body) in &wrong {
            stage.attack(CLASS, what, &call(body).header(name, value), INVALID).await;
        }
        for bytes in [BODY_BYTES_MAX, 1024 * 1024] {
            stage.attack(CLASS, "too large", &call(padded(bytes).as_bytes()), TOO_LARGE).await;
        }
        let nobodys = Request::new(endpoint.method, endpoint.path).body(padded(BODY_BYTES_MAX));
        stage.attack(CLASS, "too large, without a token", &nobodys, UNAUTHORIZED).await;
    }
}

/// Texts that PostgreSQL cannot hold, or that are too long.
async fn texts(stage: &Stage) {
    let token = stage.token();
    let post = |path: &str, body: &str| Request::new("POST", path).bearer(&token).body(body);
    let put = |memory: &str| Request::new("PUT", "/chat/memory").bearer(&token).body(format!("{{\"memory\":{memory}}}"));
    let long = "x".repeat(4_001);
    for request in [
        post("/chat", r#"{"message":"a\u0000b"}"#),
        post("/chat", r#"{"message":"\u0007"}"#),
        post("/chat", r#"{"message":"   "}"#),
        post("/chat", &json!({ "message": long }).to_string()),
        post("/chat", r#"{"message":["Hello"]}"#),
        post("/strava-auth", r#"{"redirect":"\u0000"}"#),
        post("/strava-auth", r#"{"confirm":"true"}"#),
        post("/strava-auth/confirm", "{}"),
        post("/strava-auth/confirm", r#"{"ticket":null}"#),
        post("/sync-beta", r#"{"sync_type":"full\u0000"}"#),
        post("/sync-beta", r#"{"after":1e400}"#),
        post("/sync-beta", r#"{"after":-1}"#),
        post("/sync-beta", r#"{"max_activities":0}"#),
        post("/sync-beta", r#"{"max_activities":9223372036854775807}"#),
        post("/journal/generate", r#"{"week_start_date":"2026-01-05\u0000"}"#),
        post("/journal/generate-recent", r#"{"weeks":1000000}"#),
        put(r#"{"goals":{"primary":"a\u0000b"}}"#),
        put(&json!({"goals": {"primary": long}}).to_string()),
        put(r#"{"__proto__":{"admin":true}}"#),
        put(r#"{"personal":{"auth_user_id":"x"}}"#),
    ] {
        stage.attack(CLASS, "a text", &request, INVALID).await;
    }
}

/// Headers that a function must not stumble over.
async fn headers(stage: &Stage) {
    let memory = || Request::new("GET", "/chat/memory").bearer(&stage.token());
    for (name, value) in [
        ("x-odd", "é".as_bytes()),
        ("accept", b"\xff\xfe"),
        ("accept", b"text/event-stream;;;,,,"),
        ("content-type", b"\x80"),
        ("cookie", b"a=b; \xc3\x28"),
        ("x-amzn-trace-id", b"Root=\xff"),
        ("content-encoding", b"gzip, gzip, gzip"),
    ] {
        stage.attack(CLASS, name, &memory().header(name, value), harmless(200)).await;
    }
    let many = (0..80).fold(memory(), |request, n| request.header(&format!("x-many-{n}"), "x".repeat(100)));
    stage.attack(CLASS, "many headers", &many, harmless(200)).await;
    let long = Request::new("GET", &format!("/chat/memory/{}", "a/".repeat(2000))).bearer(&stage.token());
    stage.attack(CLASS, "a long path", &long, NOT_FOUND).await;
    let query = Request::new("GET", &format!("/chat/memory?{}", "a=b&".repeat(2000))).bearer(&stage.token());
    stage.attack(CLASS, "a long query", &query, harmless(200)).await;
}

/// Many who send half a body and then nothing, while others are answered.
async fn slow_senders(stage: &Stage) {
    let mut senders = Vec::new();
    for _ in 0..SLOW_SENDERS {
        let bytes = Request::new("POST", "/chat").bearer(&stage.token()).body("{\"message\":1}").bytes();
        let mut stream = TcpStream::connect(stage.gateway.address()).await.expect("the gateway");
        let (begun, missing) = bytes.split_at(bytes.len() - 5);
        stream.write_all(begun).await.expect("half a request");
        senders.push((stream, missing.to_vec()));
    }
    for path in ["/chat/memory", "/chat/conversations", "/journal"] {
        let began = Instant::now();
        let answer = stage.send(&Request::new("GET", path).bearer(&stage.token())).await;
        stage.must(answer.status == 200 && began.elapsed() < UNDISTURBED, || format!("{path} waits for somebody else: {answer:?}"));
    }
    for (mut stream, missing) in senders {
        stream.write_all(&missing).await.expect("the other half");
        stage.judge(CLASS, "a slow sender", &rest(stream).await, INVALID);
    }
}
