//! Events as AWS sends them to a function, in `events/`: every field of the real ones, nobody's values. A test changes
//! what it is about and leaves the rest as it is.
//! Shapes: API Gateway's "Input format of a Lambda function for proxy integration" (a streaming integration has the
//! same), Lambda's "Using Lambda with Amazon SQS", and EventBridge Scheduler, which sends a schedule's input and nothing else.

use serde_json::{Map, Value, json};

const REST_GET: &str = include_str!("../events/rest-get.json");
const REST_POST: &str = include_str!("../events/rest-post.json");
const REST_POST_STREAMING: &str = include_str!("../events/rest-post-streaming.json");
const SQS_BATCH: &str = include_str!("../events/sqs-batch.json");
const SCHEDULE: &str = include_str!("../events/schedule.json");
/// The API's stage, which stands before the path in the context and not in the path.
const STAGE: &str = "live";

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("a recorded event")
}

/// What the REST API makes of a GET for `/functions/v1{path}`, whose query may follow it.
pub fn rest_get(path: &str, token: Option<&str>) -> Value {
    rest(REST_GET, path, token)
}

/// What it makes of a POST with a body of JSON.
pub fn rest_post(path: &str, token: Option<&str>, body: &str) -> Value {
    with_body(rest(REST_POST, path, token), body)
}

/// What it makes of a POST to an integration that streams, from a caller who reads server-sent events.
pub fn rest_post_streaming(path: &str, token: Option<&str>, body: &str) -> Value {
    with_body(rest(REST_POST_STREAMING, path, token), body)
}

/// A batch of the two recorded records with these bodies; their ids are [`record_id`]'s.
pub fn sqs_batch(bodies: [&str; 2]) -> Value {
    let mut event = read(SQS_BATCH);
    for (n, body) in bodies.iter().enumerate() {
        event["Records"][n]["body"] = json!(body);
    }
    event
}

/// Id of the recorded batch's `n`-th record.
pub fn record_id(n: usize) -> String {
    read(SQS_BATCH)["Records"][n]["messageId"].as_str().expect("a record's id").to_owned()
}

/// What a schedule sends.
pub fn schedule(task: &str) -> Value {
    let mut event = read(SCHEDULE);
    event["task"] = json!(task);
    event
}

fn rest(recorded: &str, path: &str, token: Option<&str>) -> Value {
    let mut event = read(recorded);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let full = format!("/functions/v1{path}");
    // The function's own path is one resource, all that is below it another.
    let (function, below) = path[1..].split_once('/').map_or((&path[1..], None), |(function, below)| (function, Some(below)));
    let resource = format!("/functions/v1/{function}{}", if below.is_some() { "/{proxy+}" } else { "" });
    event["path"] = json!(full);
    event["pathParameters"] = below.map_or(Value::Null, |below| json!({ "proxy": below }));
    event["requestContext"]["path"] = json!(format!("/{STAGE}{full}"));
    event["requestContext"]["resourcePath"] = json!(resource);
    event["resource"] = json!(resource);
    for headers in ["headers", "multiValueHeaders"] {
        let value = token.map(|token| format!("Bearer {token}"));
        let headers_of = event[headers].as_object_mut().expect("headers");
        match value {
            None => drop(headers_of.shift_remove("Authorization")),
            Some(value) if headers == "headers" => headers_of["Authorization"] = json!(value),
            Some(value) => headers_of["Authorization"] = json!([value]),
        }
    }
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    if !pairs.is_empty() {
        let single: Map<String, Value> = pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let multi: Map<String, Value> = pairs.iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
        event["queryStringParameters"] = Value::Object(single);
        event["multiValueQueryStringParameters"] = Value::Object(multi);
    }
    event
}

fn with_body(mut event: Value, body: &str) -> Value {
    event["body"] = json!(body);
    event
}

/// The same request with another method.
#[must_use]
pub fn with_method(mut event: Value, method: &str) -> Value {
    event["httpMethod"] = json!(method);
    event["requestContext"]["httpMethod"] = json!(method);
    event
}

/// The same request with its body in base64, as the gateway sends what it takes for binary.
#[must_use]
pub fn in_base64(mut event: Value) -> Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let body = event["body"].as_str().unwrap_or_default().to_owned();
    event["body"] = json!(STANDARD.encode(body));
    event["isBase64Encoded"] = json!(true);
    event
}
