//! A client that sends whatever bytes it is given: an attacker keeps to no library's idea of a request.

use std::io::{Cursor, Read as _};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zip::ZipArchive;

/// Longer than any answer takes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);

const HEAD_END: &[u8] = b"\r\n\r\n";

/// A request to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query below `/functions/v1`.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// Head and body as they are sent. HTTP/1.0, so that the answer ends with the connection.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} /functions/v1{} HTTP/1.0\r\n", self.method, self.path).into_bytes();
        if !self.headers.iter().any(|(name, _)| name == "host") {
            bytes.extend_from_slice(b"host: gateway.example.com\r\n");
        }
        for (name, value) in &self.headers {
            bytes.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", self.body.len()).as_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers.
    pub(crate) head: String,
    /// As a text; of an archive the names and texts of its files.
    pub(crate) body: String,
}

impl Answer {
    /// Reads an answer; the status is 0 where there is none.
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(HEAD_END.len()).position(|window| window == HEAD_END);
        let (head, body) = end.map_or((bytes, &b""[..]), |end| (&bytes[..end], &bytes[end + HEAD_END.len()..]));
        let head = String::from_utf8_lossy(head).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let answer = Self { status, head, body: String::new() };
        let is_archive = answer.header("content-type") == "application/zip";
        let body = if is_archive { unzipped(body) } else { String::from_utf8_lossy(body).into_owned() };
        Self { body, ..answer }
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next().unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The code of an error; empty for everything else.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// What a compressed file says is searched as what it is.
fn unzipped(bytes: &[u8]) -> String {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).expect("a whole archive");
    let mut all = String::new();
    for n in 0..archive.len() {
        let mut file = archive.by_index(n).expect("a file");
        all.push_str(&file.name().expect("its name"));
        file.read_to_string(&mut all).expect("its text");
    }
    all
}

/// Sends the bytes and reads to the end of the answer.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("the gateway");
    // A server may answer and hang up before it has heard everything.
    stream.write_all(bytes).await.ok();
    rest(stream).await
}

/// The answer on a connection on which everything was sent.
pub(crate) async fn rest(mut stream: TcpStream) -> Answer {
    let mut answer = Vec::new();
    tokio::time::timeout(ANSWER_TIMEOUT, stream.read_to_end(&mut answer)).await.ok();
    Answer::parse(&answer)
}
