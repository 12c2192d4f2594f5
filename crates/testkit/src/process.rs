//! A function's built binary, given a few events by a small Runtime API, with everything it writes.

use std::collections::VecDeque;
use std::io::Read;
use std::path::Path as FilePath;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// How long the function is told to have for one event.
const DEADLINE: Duration = Duration::from_secs(120);

struct Inner {
    events: Mutex<VecDeque<Value>>,
    answers: Mutex<Vec<String>>,
    answered: Semaphore,
}

/// What a process did.
#[derive(Debug)]
pub struct Ran {
    /// What it answered to each event: `response` or `error`, a blank, and the body.
    pub answers: Vec<String>,
    /// What it wrote to its standard output and error.
    pub written: String,
}

/// Runs a binary with these variables, hands it the events one after another, and ends it.
pub async fn run(binary: &FilePath, environment: &[(&'static str, String)], events: Vec<Value>) -> Ran {
    let count = events.len();
    let inner = Arc::new(Inner { events: Mutex::new(events.into()), answers: Mutex::default(), answered: Semaphore::new(0) });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port for the Runtime API");
    let address = listener.local_addr().expect("the port").to_string();
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/{outcome}", post(outcome))
        .with_state(inner.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut child = Command::new(binary)
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "test")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the built binary");
    let (output, errors) = (listen(child.stdout.take()), listen(child.stderr.take()));
    let all = inner.answered.acquire_many(u32::try_from(count).expect("a few events"));
    let outcome = tokio::time::timeout(DEADLINE, all).await.map(drop);
    child.kill().expect("ending the process");
    child.wait().expect("the end of the process");
    let written = [output, errors].map(|stream| stream.join().expect("what it wrote")).concat();
    assert!(outcome.is_ok(), "the process did not answer: {written}");
    let answers = inner.answers.lock().unwrap().clone();
    Ran { answers, written }
}

/// Reads on a thread: a full pipe would hold the process up.
fn listen(stream: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.expect("a pipe").read_to_end(&mut bytes).expect("reading the pipe");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

async fn next(State(inner): State<Arc<Inner>>) -> Response {
    let event = inner.events.lock().unwrap().pop_front();
    let Some(event) = event else { return std::future::pending().await };
    let deadline = SystemTime::now() + DEADLINE;
    let deadline_ms = deadline.duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970").as_millis();
    let headers = [
        ("lambda-runtime-aws-request-id", uuid::Uuid::new_v4().to_string()),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:000000000000:function:test".to_owned()),
    ];
    (headers, axum::Json(event)).into_response()
}

async fn outcome(State(inner): State<Arc<Inner>>, Path((_, outcome)): Path<(String, String)>, body: Bytes) -> StatusCode {
    inner.answers.lock().unwrap().push(format!("{outcome} {}", String::from_utf8_lossy(&body)));
    inner.answered.add_permits(1);
    StatusCode::ACCEPTED
}

/// A request as the REST API hands it over; `path` may carry a query.
pub fn gateway_event(method: &str, path: &str, token: Option<&str>, body: &str) -> Value {
    let url = url::Url::parse(&format!("https://api.example.com/functions/v1{path}")).expect("an address");
    let pairs: Vec<(String, String)> = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let query: Value = pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let queries: Value = pairs.iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
    let mut headers = json!({"Host": "api.example.com", "Content-Type": "application/json", "X-Forwarded-Proto": "https"});
    if let Some(token) = token {
        headers["Authorization"] = json!(format!("Bearer {token}"));
    }
    let many: Value = headers.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), json!([value]))).collect();
    json!({
        "resource": "/{proxy+}", "path": url.path(), "httpMethod": method, "headers": headers, "multiValueHeaders": many,
        "queryStringParameters": query, "multiValueQueryStringParameters": queries, "pathParameters": {}, "stageVariables": {},
        "body": body, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "000000000000", "resourceId": "r", "stage": "prod", "requestId": "gateway-1", "path": url.path(),
            "resourcePath": "/{proxy+}", "httpMethod": method, "apiId": "api", "protocol": "HTTP/1.1", "domainName": "api.example.com",
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "app"}, "authorizer": {}
        }
    })
}
