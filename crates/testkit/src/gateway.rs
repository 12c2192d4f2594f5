//! The gateway: a real HTTP server that turns requests into the events of API Gateway's REST API, hands them to the
//! built functions as processes of their own, and turns their answers back, streamed ones too. Routes are those of
//! `template.yaml`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tidy::template::Template;
use tokio::net::TcpListener;
use url::form_urlencoded;
use uuid::Uuid;

use crate::runtime::{Answer, Process, RuntimeApi, Streamed};

/// API Gateway's limit for a request's body.
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// How long API Gateway waits for a function, or for the beginning of its answer.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(29);
const STAGE: &str = "live";
const FUNCTIONS: &str = "/functions/v1/";

struct Inner {
    api: RuntimeApi,
    /// Functions with a route.
    routed: Vec<String>,
    /// What functions reported instead of an answer.
    failures: Mutex<Vec<String>>,
}

/// The running gateway with the functions behind it.
pub struct Gateway {
    inner: Arc<Inner>,
    address: SocketAddr,
    processes: Mutex<Vec<(String, Process)>>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The functions of the template but `migrate`, which only a deployment invokes.
pub fn deployed_functions() -> Vec<String> {
    template().functions.into_iter().map(|function| function.name).filter(|name| name != "migrate").collect()
}

fn template() -> Template {
    Template::read(&repository().join("template.yaml")).expect("the template")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Gateway {
    /// Starts these functions with these variables, each in so many processes, and the gateway before them. As many calls
    /// of a function are answered at once.
    ///
    /// # Panics
    /// Where a binary is missing or older than its sources: it would not be what is tested.
    pub async fn start(functions: &[String], instances: usize, environment: &[(&'static str, String)]) -> Self {
        let api = RuntimeApi::start().await;
        let template = template();
        let is_routed = |name: &&String| template.function(name).is_some_and(|function| !function.routes.is_empty());
        let routed = functions.iter().filter(is_routed).cloned().collect();
        let mut processes = Vec::new();
        for name in functions {
            let binary = binary(name);
            processes.extend((0..instances).map(|_| (name.clone(), Process::start(&binary, name, &api, environment))));
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port for the gateway");
        let address = listener.local_addr().expect("the address");
        let inner = Arc::new(Inner { api, routed, failures: Mutex::default() });
        let router = Router::new().fallback(serve).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inner, address, processes: Mutex::new(processes) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Invokes a function as its queue or its schedule does.
    ///
    /// # Panics
    /// Where the function fails.
    pub async fn invoke(&self, function: &str, event: Value) -> Value {
        match self.inner.api.invoke(function, event).await {
            Answer::Whole(body) => serde_json::from_slice(&body).expect("JSON"),
            other => panic!("{function} failed: {other:?}"),
        }
    }

    /// Everything the functions wrote to their logs.
    pub fn logs(&self) -> String {
        self.processes.lock().unwrap().iter().map(|(_, process)| process.log()).collect()
    }

    /// What went wrong behind the gateway: functions that ended or reported an error instead of an answer.
    pub fn faults(&self) -> Vec<String> {
        let mut processes = self.processes.lock().unwrap();
        let ended = processes.iter_mut().filter_map(|(name, process)| {
            let is_running = process.is_running();
            (!is_running).then(|| format!("{name} ended: {}", process.log()))
        });
        let mut faults: Vec<String> = ended.collect();
        faults.extend(self.inner.failures.lock().unwrap().iter().cloned());
        faults
    }
}

/// The function's binary, which lies beside the folder of the tests'.
fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this program");
    let binary = own.parent().and_then(Path::parent).expect("the target folder").join(name);
    let built_at = changed_at(&binary).unwrap_or_else(|| panic!("{name} has not been built: run the tests with `make test`"));
    // The journal is the one crate with two functions.
    let own_crate = if name == "journal-worker" { "journal" } else { name };
    let newest =
        [own_crate, "runaway-core"].into_iter().filter_map(|name| newest_source(&repository().join("crates").join(name).join("src")));
    assert!(newest.max() <= Some(built_at), "{name} is older than its sources: run the tests with `make test`");
    binary
}

fn changed_at(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

fn newest_source(folder: &Path) -> Option<SystemTime> {
    let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    paths.filter_map(|path| if path.is_dir() { newest_source(&path) } else { changed_at(&path) }).max()
}

/// An answer of the gateway's own.
fn own(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(json!({ "message": message }))).into_response()
}

async fn serve(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let named = parts.uri.path().strip_prefix(FUNCTIONS).and_then(|rest| rest.split('/').next());
    let Some(function) = inner.routed.iter().find(|name| Some(name.as_str()) == named) else {
        return own(StatusCode::FORBIDDEN, "Missing Authentication Token");
    };
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if host.is_none_or(|host| host.parse::<Authority>().is_err()) {
        return own(StatusCode::BAD_REQUEST, "Bad Request");
    }
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return own(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long");
    };
    let answer = tokio::time::timeout(INTEGRATION_TIMEOUT, inner.api.invoke(function, event(&parts, &body))).await;
    let response = match answer {
        Ok(Answer::Whole(answer)) => whole(&answer),
        Ok(Answer::Streamed(answer)) => streamed(answer).await,
        Ok(Answer::Failed(error)) => Err(error),
        Err(_) => Err("no answer came in time".to_owned()),
    };
    response.unwrap_or_else(|error| {
        inner.failures.lock().unwrap().push(format!("{function}: {error}"));
        own(StatusCode::BAD_GATEWAY, "Internal server error")
    })
}

/// Last values by name, and all values by name.
fn both(pairs: impl Iterator<Item = (String, String)>) -> (Map<String, Value>, Map<String, Value>) {
    let (mut last, mut all) = (Map::new(), Map::new());
    for (name, value) in pairs {
        last.insert(name.clone(), json!(value));
        if let Some(values) = all.entry(name).or_insert_with(|| json!([])).as_array_mut() {
            values.push(json!(value));
        }
    }
    (last, all)
}

/// The event of a request. A body that is no text is handed over in base64, as APIs with binary types do.
fn event(parts: &Parts, body: &Bytes) -> Value {
    let path = parts.uri.path();
    // Whatever the caller says of these two, the gateway says it itself.
    let given = parts.headers.iter().filter(|(name, _)| !name.as_str().starts_with("x-forwarded-"));
    let given = given.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let forwarded = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https")];
    let forwarded = forwarded.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let (headers, all_headers) = both(given.chain(forwarded));
    let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let (query, all_query) = both(query.map(|(name, value)| (name.into_owned(), value.into_owned())));
    let text = std::str::from_utf8(body).ok();
    json!({
        "resource": path, "path": path, "httpMethod": parts.method.as_str(),
        "headers": headers, "multiValueHeaders": all_headers,
        "queryStringParameters": query, "multiValueQueryStringParameters": all_query,
        "pathParameters": null, "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000", "apiId": "gateway", "resourceId": "resource", "stage": STAGE, "protocol": "HTTP/1.1",
            "resourcePath": path, "path": format!("/{STAGE}{path}"), "httpMethod": parts.method.as_str(),
            "requestId": Uuid::new_v4(), "domainName": "gateway.example.com", "identity": { "sourceIp": "192.0.2.1" },
        },
        "body": if body.is_empty() { None } else { Some(text.map_or_else(|| STANDARD.encode(body), str::to_owned)) },
        "isBase64Encoded": text.is_none(),
    })
}

fn response(head: &Value, body: Body) -> Result<Response, String> {
    let status = head["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).ok_or("an answer without a status")?;
    let mut response = (status, body).into_response();
    let single = head["headers"].as_object().into_iter().flatten();
    let several = head["multiValueHeaders"].as_object().into_iter().flatten();
    let several = several.flat_map(|(name, values)| values.as_array().into_iter().flatten().map(move |value| (name, value)));
    for (name, value) in single.chain(several) {
        let value = value.as_str().and_then(|value| value.parse::<HeaderValue>().ok()).ok_or_else(|| format!("the value of {name}"))?;
        let name = name.parse::<HeaderName>().map_err(|_| format!("the header name {name}"))?;
        // Functions write each value into both.
        if !response.headers().get_all(&name).iter().any(|known| *known == value) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}

fn whole(answer: &[u8]) -> Result<Response, String> {
    let answer: Value = serde_json::from_slice(answer).map_err(|_| "an answer that is no JSON")?;
    let text = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == true {
        STANDARD.decode(text).map_err(|_| "a body that is no base64")?
    } else {
        text.as_bytes().to_vec()
    };
    response(&answer, Body::from(body))
}

/// The head comes first; what follows is sent on as it comes.
async fn streamed(mut answer: Streamed) -> Result<Response, String> {
    let head = answer.head().await?;
    let pieces = futures_util::stream::unfold(answer, |mut answer| async { Some((answer.next().await?, answer)) });
    response(&head, Body::from_stream(futures_util::StreamExt::map(pieces, Ok::<_, std::io::Error>)))
}
