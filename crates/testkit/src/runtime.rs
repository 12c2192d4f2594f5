//! Lambda functions as real processes: the built binaries, fed with events by a small Runtime API, and killed from
//! outside wherever a test holds them.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path as FilePath;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Longer than any answer takes: a function that says nothing ends the test.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);
/// How long a function is told to have.
const DEADLINE: Duration = Duration::from_secs(300);
/// Lambda's limit for an answer that comes in one piece.
const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Pieces of a streamed answer that wait for their reader.
const PIECES_MAX: usize = 16;
/// What stands between the head of a streamed answer and its body.
const HEAD_END: [u8; 8] = [0; 8];

/// What a function answered.
#[derive(Debug)]
pub enum Answer {
    /// All at once.
    Whole(Bytes),
    /// Piece by piece, as they come.
    Streamed(Streamed),
    /// The function reported an error instead.
    Failed(String),
}

impl Answer {
    /// What came all at once, or the error, as JSON.
    ///
    /// # Panics
    /// Where it is none.
    pub fn json(&self) -> Value {
        let bytes = match self {
            Self::Whole(bytes) => &bytes[..],
            Self::Failed(error) => error.as_bytes(),
            Self::Streamed(_) => panic!("an answer in pieces"),
        };
        serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Head and text of a streamed answer, which is announced as one.
    ///
    /// # Panics
    /// Where it is none.
    pub async fn streamed(self) -> (Value, String) {
        let (head, body) = self.streamed_bytes().await;
        (head, String::from_utf8(body).expect("a body of text"))
    }

    /// Head and body of a streamed answer.
    ///
    /// # Panics
    /// Where it is none.
    pub async fn streamed_bytes(self) -> (Value, Vec<u8>) {
        let Self::Streamed(mut answer) = self else { panic!("an answer in one piece: {self:?}") };
        assert_eq!(answer.headers["content-type"], "application/vnd.awslambda.http-integration-response");
        let head = answer.head().await.expect("a head");
        (head, answer.rest().await)
    }

    /// Every byte of it, to be searched.
    pub async fn text(self) -> String {
        match self {
            Self::Whole(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Self::Streamed(mut answer) => String::from_utf8_lossy(&answer.rest().await).into_owned(),
            Self::Failed(error) => error,
        }
    }
}

/// An answer that is not at its end.
#[derive(Debug)]
pub struct Streamed {
    /// The headers of the message to Lambda, not those for the caller.
    headers: HeaderMap,
    /// What came with the head's last piece.
    begun: Bytes,
    pieces: mpsc::Receiver<Bytes>,
}

impl Streamed {
    /// The head, which is JSON of its own and comes first.
    ///
    /// # Errors
    /// Says what there is instead.
    pub async fn head(&mut self) -> Result<Value, String> {
        let mut begun = Vec::new();
        let end = loop {
            if let Some(end) = begun.windows(HEAD_END.len()).position(|window| window == HEAD_END) {
                break end;
            }
            begun.extend_from_slice(&self.next().await.ok_or("an answer without a head")?);
        };
        self.begun = Bytes::copy_from_slice(&begun[end + HEAD_END.len()..]);
        serde_json::from_slice(&begun[..end]).map_err(|_| "a head that is no JSON".to_owned())
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        let begun = std::mem::take(&mut self.begun);
        if begun.is_empty() { self.pieces.recv().await } else { Some(begun) }
    }

    /// Everything up to the end, whose pieces come in time.
    async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(piece) = tokio::time::timeout(ANSWER_TIMEOUT, self.next()).await.expect("the rest of an answer") {
            bytes.extend_from_slice(&piece);
        }
        bytes
    }
}

type Invoked = (String, Value);

struct Queue {
    sender: mpsc::UnboundedSender<Invoked>,
    /// Several processes of a function wait for its events.
    receiver: Arc<AsyncMutex<mpsc::UnboundedReceiver<Invoked>>>,
}

#[derive(Default)]
struct Inner {
    /// By the function's name.
    queues: Mutex<HashMap<String, Queue>>,
    /// Who waits for an answer, by the invocation's id.
    waiting: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
}

impl Inner {
    fn with_queue<T>(&self, function: &str, use_it: impl FnOnce(&Queue) -> T) -> T {
        let mut queues = self.queues.lock().unwrap();
        let queue = queues.entry(function.to_owned()).or_insert_with(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            Queue { sender, receiver: Arc::new(AsyncMutex::new(receiver)) }
        });
        use_it(queue)
    }
}

/// A Runtime API for any number of functions, each with any number of processes.
#[derive(Clone)]
pub struct RuntimeApi {
    inner: Arc<Inner>,
    port: u16,
}

impl std::fmt::Debug for RuntimeApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuntimeApi").field("port", &self.port).finish_non_exhaustive()
    }
}

impl RuntimeApi {
    /// Starts on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port for the Runtime API");
        let (inner, port) = (Arc::<Inner>::default(), listener.local_addr().expect("the port").port());
        let router = Router::new()
            .route("/{function}/2018-06-01/runtime/invocation/next", get(next))
            .route("/{function}/2018-06-01/runtime/invocation/{id}/{outcome}", post(outcome))
            .with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inner, port }
    }

    /// Hands an event to the next free process of the function and waits for its answer, or for its answer's beginning.
    pub async fn invoke(&self, function: &str, event: Value) -> Answer {
        let (id, (sender, receiver)) = (Uuid::new_v4().to_string(), oneshot::channel());
        self.inner.waiting.lock().unwrap().insert(id.clone(), sender);
        self.inner.with_queue(function, |queue| queue.sender.send((id, event)).expect("the queue"));
        receiver.await.unwrap_or_else(|_| Answer::Failed("the answer broke off".to_owned()))
    }
}

async fn next(State(inner): State<Arc<Inner>>, Path(function): Path<String>) -> Response {
    let receiver = inner.with_queue(&function, |queue| queue.receiver.clone());
    let Some((id, event)) = receiver.lock().await.recv().await else { return std::future::pending().await };
    let deadline = SystemTime::now() + DEADLINE;
    let deadline_ms = deadline.duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970").as_millis();
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", format!("arn:aws:lambda:eu-west-1:000000000000:function:{function}")),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700".to_owned()),
    ];
    (headers, axum::Json(event)).into_response()
}

async fn outcome(
    State(inner): State<Arc<Inner>>,
    Path((_, id, outcome)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> StatusCode {
    let Some(waiting) = inner.waiting.lock().unwrap().remove(&id) else { return StatusCode::BAD_REQUEST };
    if outcome == "response" && headers.get("lambda-runtime-function-response-mode").is_some_and(|mode| mode == "streaming") {
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        waiting.send(Answer::Streamed(Streamed { headers, begun: Bytes::new(), pieces: receiver })).ok();
        let mut pieces = body.into_data_stream();
        // Read to its end even where nobody listens any more: the function finishes its work.
        while let Some(Ok(piece)) = pieces.next().await {
            sender.send(piece).await.ok();
        }
        return StatusCode::ACCEPTED;
    }
    let body = to_bytes(body, ANSWER_BYTES_MAX).await.unwrap_or_default();
    let failed = || Answer::Failed(String::from_utf8_lossy(&body).into_owned());
    waiting.send(if outcome == "response" { Answer::Whole(body.clone()) } else { failed() }).ok();
    StatusCode::ACCEPTED
}

/// A process of a function. Killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    api: RuntimeApi,
    function: String,
    child: Child,
    log: Arc<Mutex<Vec<u8>>>,
    /// Reads the log; a full pipe would hold the process up.
    reader: Option<thread::JoinHandle<()>>,
}

impl Process {
    /// Starts the binary with these variables beside those of the test.
    pub fn start(binary: &FilePath, function: &str, api: &RuntimeApi, environment: &[(&'static str, String)]) -> Self {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let mut process = Self::spawn(binary, function, api, environment, [writer.try_clone().expect("the pipe").into(), writer.into()]);
        let written = process.log.clone();
        process.reader = Some(thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut piece) {
                written.lock().unwrap().extend_from_slice(&piece[..n]);
            }
        }));
        process
    }

    /// The same, with its standard output led elsewhere.
    pub fn start_printing(
        binary: &FilePath,
        function: &str,
        api: &RuntimeApi,
        environment: &[(&'static str, String)],
        output: impl Into<Stdio>,
    ) -> Self {
        Self::spawn(binary, function, api, environment, [output.into(), Stdio::null()])
    }

    fn spawn(binary: &FilePath, function: &str, api: &RuntimeApi, environment: &[(&'static str, String)], streams: [Stdio; 2]) -> Self {
        let [output, errors] = streams;
        let child = Command::new(binary)
            .env("AWS_LAMBDA_RUNTIME_API", format!("http://127.0.0.1:{}/{function}", api.port))
            .env("AWS_LAMBDA_FUNCTION_NAME", function)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", binary.display()));
        Self { api: api.clone(), function: function.to_owned(), child, log: Arc::default(), reader: None }
    }

    /// Hands its function an event and waits for the answer, or for the answer's beginning.
    ///
    /// # Panics
    /// Where there is none in time, with the log.
    pub async fn hand(&self, event: Value) -> Answer {
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.api.invoke(&self.function, event)).await;
        answer.unwrap_or_else(|_| panic!("{} says nothing: {}", self.function, self.log()))
    }

    /// What it wrote to its log: all of it, once it is killed.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the process").is_none()
    }

    /// Kills it with SIGKILL. `true` where it was still alive.
    pub fn kill(&mut self) -> bool {
        let was_alive = self.is_running();
        self.child.kill().expect("killing the process");
        self.child.wait().expect("the end of the process");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the end of the log");
        }
        was_alive
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A running function with one invocation.
#[derive(Debug)]
pub struct Invocation {
    process: Process,
    answer: JoinHandle<Answer>,
}

impl Invocation {
    /// Starts the binary with these variables and hands it the event.
    pub async fn start(binary: &FilePath, environment: &[(&'static str, String)], event: Value) -> Self {
        let api = RuntimeApi::start().await;
        let process = Process::start(binary, "test", &api, environment);
        let answer = tokio::spawn(async move { api.invoke("test", event).await });
        Self { process, answer }
    }

    /// Kills the process with SIGKILL. `true` where it was still alive and had not answered.
    pub fn kill(&mut self) -> bool {
        self.process.kill() && !self.answer.is_finished()
    }
}
