//! A built function as Lambda runs it: one process that is given event after event, and whose answers are kept byte by
//! byte, with the headers that say what kind they are.

use std::io::Read as _;
use std::path::Path as FilePath;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How long the function is told to have.
const DEADLINE: Duration = Duration::from_secs(300);
/// Longer than any answer takes: a function that says nothing ends the test.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);
/// What stands between the head of a streamed answer and its body.
const HEAD_END: [u8; 8] = [0; 8];

/// What a function said to one event.
#[derive(Debug)]
pub struct Answer {
    /// Whether it is an answer rather than a failure.
    pub is_response: bool,
    /// The headers of the message to Lambda, not those for the caller.
    pub headers: HeaderMap,
    /// Every byte.
    pub body: Vec<u8>,
}

impl Answer {
    /// The answer as JSON.
    ///
    /// # Panics
    /// Where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// Head and body of a streamed answer, which is announced as one.
    ///
    /// # Panics
    /// Where it is none.
    pub fn streamed(&self) -> (Value, String) {
        let header = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!(header("lambda-runtime-function-response-mode"), "streaming");
        assert_eq!(header("content-type"), "application/vnd.awslambda.http-integration-response");
        let end = self.body.windows(HEAD_END.len()).position(|window| window == HEAD_END).expect("the end of the head");
        let head = serde_json::from_slice(&self.body[..end]).expect("a head of JSON");
        (head, String::from_utf8(self.body[end + HEAD_END.len()..].to_vec()).expect("a body of text"))
    }
}

struct Inner {
    events: tokio::sync::Mutex<Receiver<Value>>,
    answers: Sender<Answer>,
}

/// A running function.
#[derive(Debug)]
pub struct Replay {
    child: Child,
    log: Arc<Mutex<Vec<u8>>>,
    events: Sender<Value>,
    answers: Receiver<Answer>,
}

impl Replay {
    /// Starts the binary with these variables and those that every function of the template has.
    pub async fn start(binary: &FilePath, environment: &[(&str, String)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port for the Runtime API");
        let address = listener.local_addr().expect("the port").to_string();
        let ((events, taken), (answers, given)) = (channel(1), channel(1));
        let inner = Arc::new(Inner { events: taken.into(), answers });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{outcome}", post(outcome))
            .with_state(inner);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut child = Command::new(binary)
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "replay")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}: build it with make", binary.display()));
        let mut stdout = child.stdout.take().expect("the log");
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = log.clone();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut chunk) {
                kept.lock().unwrap().extend_from_slice(&chunk[..n]);
            }
        });
        Self { child, log, events, answers: given }
    }

    /// Hands it an event and waits for its answer.
    ///
    /// # Panics
    /// Where there is none, with the log.
    pub async fn hand(&mut self, event: Value) -> Answer {
        self.events.send(event).await.expect("a Runtime API");
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.answers.recv()).await.ok().flatten();
        answer.unwrap_or_else(|| panic!("the function says nothing:\n{}", self.log()))
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn next(State(inner): State<Arc<Inner>>) -> Response {
    let Some(event) = inner.events.lock().await.recv().await else { return std::future::pending().await };
    let deadline = SystemTime::now() + DEADLINE;
    let deadline_ms = deadline.duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970").as_millis();
    let headers = [
        ("lambda-runtime-aws-request-id", uuid::Uuid::new_v4().to_string()),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:replay".to_owned()),
        ("lambda-runtime-trace-id", "Root=1-67891233-abcdef012345678912345678".to_owned()),
    ];
    (headers, axum::Json(event)).into_response()
}

async fn outcome(
    State(inner): State<Arc<Inner>>,
    Path((_, outcome)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let answer = Answer { is_response: outcome == "response", headers, body: body.to_vec() };
    inner.answers.send(answer).await.ok();
    StatusCode::ACCEPTED
}
