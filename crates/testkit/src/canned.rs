//! A server that answers every call with what the test sets, sense or nonsense, in the pieces the test wants.

use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::stream;
use tokio::net::TcpListener;

/// One answer.
#[derive(Debug, Clone, Default)]
pub struct Canned {
    /// HTTP status.
    pub status: u16,
    /// The headers; those that HTTP cannot carry are left out.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, each piece a chunk of its own.
    pub pieces: Vec<Vec<u8>>,
    /// Whether the connection breaks after the last piece.
    pub breaks: bool,
}

impl Canned {
    /// A whole body with a status.
    pub fn body(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, pieces: vec![body.into()], ..Self::default() }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// A running server.
#[derive(Debug)]
pub struct CannedServer {
    port: u16,
    answer: Arc<Mutex<Canned>>,
}

impl CannedServer {
    /// Starts on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port for canned answers");
        let port = listener.local_addr().expect("the port").port();
        let answer = Arc::new(Mutex::new(Canned::body(200, "")));
        let router = Router::new().fallback(respond).with_state(answer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { port, answer }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Answers like this from here on.
    pub fn set(&self, answer: Canned) {
        *self.answer.lock().unwrap() = answer;
    }
}

async fn respond(State(answer): State<Arc<Mutex<Canned>>>) -> Response {
    let answer = answer.lock().unwrap().clone();
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    let end = answer.breaks.then(|| Err(io::Error::other("the connection breaks")));
    let pieces = answer.pieces.into_iter().map(|piece| Ok(Bytes::from(piece))).chain(end);
    let mut response = Response::new(Body::from_stream(stream::iter(pieces)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
    *response.headers_mut() = headers;
    response
}
