//! A Lambda function as a real process: the built binary, given one event by a small Runtime API, and killed from
//! outside wherever a test holds it.

use std::path::Path as FilePath;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// How long the function is told to have.
const DEADLINE: Duration = Duration::from_secs(300);

#[derive(Default)]
struct Inner {
    event: Mutex<Option<Value>>,
    answer: Mutex<Option<Value>>,
    answered: Notify,
}

/// A running function with one invocation.
pub struct Invocation {
    child: Child,
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Invocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invocation").field("process", &self.child.id()).finish_non_exhaustive()
    }
}

impl Invocation {
    /// Starts the binary with these variables and hands it the event.
    pub async fn start(binary: &FilePath, environment: &[(&'static str, String)], event: Value) -> Self {
        Self::start_printing(binary, environment, event, Stdio::null()).await
    }

    /// The same, with its standard output led elsewhere.
    pub async fn start_printing(binary: &FilePath, environment: &[(&'static str, String)], event: Value, output: impl Into<Stdio>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port for the Runtime API");
        let address = listener.local_addr().expect("the port").to_string();
        let inner = Arc::new(Inner { event: Mutex::new(Some(event)), ..Inner::default() });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{outcome}", post(outcome))
            .with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let child = Command::new(binary)
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "test")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(output)
            .stderr(Stdio::null())
            .spawn()
            .expect("the built binary");
        Self { child, inner }
    }

    /// Waits for the function's answer.
    pub async fn answer(&self) -> Value {
        loop {
            let answered = self.inner.answered.notified();
            if let Some(answer) = self.inner.answer.lock().unwrap().take() {
                return answer;
            }
            answered.await;
        }
    }

    /// Kills the process with SIGKILL. `true` where it was still alive and had not answered.
    pub fn kill(&mut self) -> bool {
        let was_alive = self.child.try_wait().expect("the process").is_none();
        self.child.kill().expect("killing the process");
        self.child.wait().expect("the end of the process");
        was_alive && self.inner.answer.lock().unwrap().is_none()
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn next(State(inner): State<Arc<Inner>>) -> Response {
    let event = inner.event.lock().unwrap().take();
    let Some(event) = event else { return std::future::pending().await };
    let deadline = SystemTime::now() + DEADLINE;
    let deadline_ms = deadline.duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970").as_millis();
    let headers = [
        ("lambda-runtime-aws-request-id", "00000000-0000-0000-0000-000000000001".to_owned()),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:000000000000:function:test".to_owned()),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700".to_owned()),
    ];
    (headers, axum::Json(event)).into_response()
}

async fn outcome(State(inner): State<Arc<Inner>>, Path((_, outcome)): Path<(String, String)>, body: String) -> StatusCode {
    assert_eq!(outcome, "response", "the function failed: {body}");
    *inner.answer.lock().unwrap() = Some(serde_json::from_str(&body).unwrap_or_default());
    inner.answered.notify_waiters();
    StatusCode::ACCEPTED
}
