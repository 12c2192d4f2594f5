//! From a request to a response: CORS, size, the story, and what the one log line says of it.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use lambda_http::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use lambda_http::{Body, Request, RequestExt, Response};
use serde_json::Value;
use uuid::Uuid;

use super::route::route;
use super::{ApiError, Fields};
use crate::db::athletes::OwnAthlete;
use crate::telemetry::{self, FAILURES, Line, Tally};
/// A body whose parts are sent as they come.
pub use lambda_runtime::streaming::Body as EventBody;

/// The largest body of a call.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// The methods of all functions together; a function that has fewer answers 405.
const ALLOWED_METHODS: &str = "GET, POST, PUT, DELETE, OPTIONS";
const ALLOWED_HEADERS: &str = "authorization, content-type, accept, x-client-info, apikey";
/// How long a function without a deadline of its own may take: a test's, or one called outside Lambda.
const TIME_LEFT_DEFAULT: Duration = Duration::from_secs(60);
/// How long a browser may remember the answer to OPTIONS, seconds.
const CORS_MAX_AGE_S: &str = "86400";

/// Where older apps name their athlete, in a query or a body.
const ATHLETE_ID_FIELDS: [&str; 2] = ["athlete_id", "user_id"];
/// The media type of server-sent events.
const EVENT_STREAM: &str = "text/event-stream";

/// A request as a story needs it.
#[derive(Debug)]
pub struct Call {
    /// GET, POST, …
    pub method: Method,
    /// What follows the function's name: empty, or beginning with a slash.
    pub path: String,
    /// The first value of each query parameter, decoded.
    pub query: HashMap<String, String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The request's id, as the answer and the log name it.
    pub request_id: String,
    /// How long the function may still take.
    pub time_left: Duration,
    body: Vec<u8>,
}

impl Call {
    /// The body's fields.
    ///
    /// # Errors
    /// 413 for a body that is too large, 400 for one that is no JSON object.
    pub fn fields(&self) -> Result<Fields, ApiError> {
        Fields::parse(self.body()?)
    }

    /// The body as it came, for what is signed.
    ///
    /// # Errors
    /// 413 for a body that is too large.
    pub fn body(&self) -> Result<&[u8], ApiError> {
        if self.body.len() > BODY_BYTES_MAX {
            return Err(ApiError::PayloadTooLarge { bytes_max: BODY_BYTES_MAX });
        }
        Ok(&self.body)
    }

    /// Whether the caller wants server-sent events.
    pub fn wants_events(&self) -> bool {
        let accepted = self.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        accepted.flat_map(|value| value.split(',')).any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == EVENT_STREAM))
    }

    /// Insists on one method for the path.
    ///
    /// # Errors
    /// 405 for every other.
    pub fn require_method(&self, method: &Method) -> Result<(), ApiError> {
        if self.method == *method { Ok(()) } else { Err(ApiError::MethodNotAllowed) }
    }

    /// The athletes that the query names, as older apps do; each must be the caller's own.
    ///
    /// # Errors
    /// 400 for one that is no number.
    pub fn named_in_query(&self) -> Result<Vec<i64>, ApiError> {
        let given = ATHLETE_ID_FIELDS.iter().filter_map(|name| Some((name, self.query.get(*name)?)));
        given.map(|(name, text)| text.parse().map_err(|_| ApiError::field(name, "is not an athlete id"))).collect()
    }

    /// The athletes that query and body name.
    ///
    /// # Errors
    /// As [`Call::named_in_query`].
    pub fn named(&self, fields: &Fields) -> Result<Vec<i64>, ApiError> {
        let mut named = self.named_in_query()?;
        for name in ATHLETE_ID_FIELDS {
            named.extend(fields.id(name)?);
        }
        Ok(named)
    }
}

/// The caller's athlete, after every id the request names was compared with it. A foreign id is refused before a
/// missing athlete is, so that the answer does not tell which ids exist.
///
/// # Errors
/// 403 for a foreign id, 404 for a caller without an athlete.
pub fn own_athlete(athlete: Option<OwnAthlete>, named: &[i64]) -> Result<OwnAthlete, ApiError> {
    refuse_foreign(athlete, named)?;
    athlete.ok_or_else(ApiError::no_athlete)
}

/// Compares every id the request names with the caller's athlete, for the calls that serve a caller without one.
///
/// # Errors
/// 403 for a foreign id.
pub fn refuse_foreign(athlete: Option<OwnAthlete>, named: &[i64]) -> Result<(), ApiError> {
    if let Some(own) = athlete {
        telemetry::note_athlete(own.id);
    }
    if named.iter().any(|id| athlete.is_none_or(|own| own.id != *id)) { Err(ApiError::Forbidden) } else { Ok(()) }
}

/// A successful answer.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: StatusCode, value: &Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { status, headers, body: Body::Text(value.to_string()) }
    }

    /// A page for a browser.
    pub fn html(status: StatusCode, page: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        Self { status, headers, body: Body::Text(page) }
    }

    /// A picture.
    pub fn svg(picture: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
        Self { status: StatusCode::OK, headers, body: Body::Text(picture) }
    }

    /// The head of server-sent events; what follows is sent as it comes.
    fn events() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
        Self { status: StatusCode::OK, headers, body: Body::Empty }
    }

    /// The head of an archive that is saved under `file_name`; what follows is sent as it comes.
    fn archive(file_name: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
        if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{file_name}\"")) {
            headers.insert(header::CONTENT_DISPOSITION, disposition);
        }
        Self { status: StatusCode::OK, headers, body: Body::Empty }
    }

    /// A redirect; `None` where the address cannot stand in a header.
    pub fn redirect(location: &str) -> Option<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, HeaderValue::from_str(location).ok()?);
        Some(Self { status: StatusCode::FOUND, headers, body: Body::Empty })
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: header::HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }
}

/// Answers a request by the function's story. Errors become the contract's JSON here and are logged here, once.
pub async fn answer<F>(function: &'static str, request: Request, story: impl FnOnce(Call) -> F) -> Response<Body>
where
    F: Future<Output = Result<Reply, ApiError>>,
{
    let arrival = Arrival::of(function, &request);
    let tally = arrival.tally.clone();
    let story = async move {
        let outcome = match call(&arrival, request) {
            Ok(call) if call.method == Method::OPTIONS => Ok(preflight()),
            Ok(call) => story(call).await,
            Err(error) => Err(error),
        };
        arrival.answered(outcome)
    };
    tally.during(story).await
}

/// A reply, or one that goes on.
#[derive(Debug)]
pub enum Streamed {
    /// All of it.
    Whole(Reply),
    /// Server-sent events, as they come.
    Events(EventBody),
    /// A zip archive, as it comes.
    Archive {
        /// The name under which it is saved: letters, digits, `-` and `.`.
        file_name: String,
        /// The archive.
        body: EventBody,
    },
}

/// [`answer`] for a function whose answers may go on after their head was sent. What goes on is to be
/// [carried](telemetry::carried): the request's line is written at its end.
pub async fn answer_streaming<F>(function: &'static str, request: Request, story: impl FnOnce(Call) -> F) -> Response<EventBody>
where
    F: Future<Output = Result<Streamed, ApiError>>,
{
    let arrival = Arrival::of(function, &request);
    let tally = arrival.tally.clone();
    let story = async move {
        let outcome = match call(&arrival, request) {
            Ok(call) if call.method == Method::OPTIONS => Ok(Streamed::Whole(preflight())),
            Ok(call) => story(call).await,
            Err(error) => Err(error),
        };
        let (head, streamed) = match outcome {
            Ok(Streamed::Events(events)) => (Ok(Reply::events()), Some(events)),
            Ok(Streamed::Archive { file_name, body }) => (Ok(Reply::archive(&file_name)), Some(body)),
            Ok(Streamed::Whole(reply)) => (Ok(reply), None),
            Err(error) => (Err(error), None),
        };
        (arrival.answered(head), streamed)
    };
    let (answered, streamed) = tally.during(story).await;
    let (parts, body) = answered.into_parts();
    let whole = || match body {
        Body::Text(text) => EventBody::from(text),
        Body::Binary(bytes) => EventBody::from(bytes),
        _ => EventBody::empty(),
    };
    Response::from_parts(parts, streamed.unwrap_or_else(whole))
}

/// A request that is being answered.
struct Arrival {
    function: &'static str,
    request_id: String,
    method: Method,
    route: String,
    time_left: Duration,
    tally: Tally,
}

impl Arrival {
    fn of(function: &'static str, request: &Request) -> Self {
        let context = request.lambda_context_ref();
        let request_id = context.map_or_else(|| Uuid::new_v4().to_string(), |context| context.request_id.clone());
        let time_left = context.and_then(|context| context.deadline().duration_since(SystemTime::now()).ok()).unwrap_or(TIME_LEFT_DEFAULT);
        let (method, route) = (request.method().clone(), route(request.uri().path()));
        let tally = Tally::of_request(function, &request_id);
        tally.note("method", method.as_str());
        tally.note("route", route.as_str());
        Self { function, request_id, method, route, time_left, tally }
    }

    fn answered(&self, outcome: Result<Reply, ApiError>) -> Response<Body> {
        let reply = outcome.unwrap_or_else(|error| {
            log_failure(self.function, &self.request_id, &error);
            let mut reply = Reply::json(error.status(), &error.body(&self.request_id));
            if let Some(seconds) = error.retry_after_s() {
                reply.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            }
            reply
        });
        let (method, route, status) = (&self.method, &self.route, reply.status.as_u16());
        self.tally.note("status", status);
        self.tally.ends(format!("Answered {method} {route} with {status}"));
        response(reply, &self.request_id)
    }
}

fn call(arrival: &Arrival, request: Request) -> Result<Call, ApiError> {
    let prefix = format!("/functions/v1/{}", arrival.function);
    let path = request.uri().path().strip_prefix(prefix.as_str()).ok_or_else(ApiError::no_such_path)?.to_owned();
    if !path.is_empty() && !path.starts_with('/') {
        return Err(ApiError::no_such_path());
    }
    let query = request.query_string_parameters();
    let mut first_values = HashMap::new();
    for (name, value) in query.iter() {
        first_values.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    let (parts, body) = request.into_parts();
    let body = match body {
        Body::Text(text) => text.into_bytes(),
        Body::Binary(bytes) => bytes,
        _ => Vec::new(),
    };
    let (request_id, time_left) = (arrival.request_id.clone(), arrival.time_left);
    Ok(Call { method: parts.method, path, query: first_values, headers: parts.headers, request_id, time_left, body })
}

fn preflight() -> Reply {
    Reply { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: Body::Empty }
        .with_header(header::ACCESS_CONTROL_MAX_AGE, CORS_MAX_AGE_S)
}

/// Notes why a request was not answered as it was wanted; where that is not the caller's doing, one line says so with all
/// its causes.
pub fn log_failure(function: &str, request_id: &str, error: &ApiError) {
    telemetry::note("code", error.code());
    if error.status().is_server_error() {
        Line::error("The request failed; the caller may try again")
            .field("function", function)
            .field("request_id", request_id)
            .field("code", error.code())
            .field("cause", telemetry::chain(error))
            .metric_by(FAILURES, error.class(), 1)
            .write();
    }
}

fn response(reply: Reply, request_id: &str) -> Response<Body> {
    let mut response = Response::new(reply.body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "x-request-id, retry-after"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", value);
    }
    response
}
