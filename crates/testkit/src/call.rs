//! Calling an HTTP function as the gateway does, without the gateway.

use std::collections::HashMap;

use lambda_http::http::Request;
use lambda_http::{Body, RequestExt as _, Response};
use serde_json::Value;

/// A request to `/functions/v1{path}`; `token` becomes the bearer token.
pub fn request(method: &str, path: &str, token: Option<&str>, body: &str) -> lambda_http::Request {
    let url = format!("https://api.example.com/functions/v1{path}");
    let query: HashMap<String, Vec<String>> =
        url::Url::parse(&url).expect("an address").query_pairs().fold(HashMap::new(), |mut all, (name, value)| {
            all.entry(name.into_owned()).or_insert_with(Vec::new).push(value.into_owned());
            all
        });
    let mut builder = Request::builder().method(method).uri(url).header("content-type", "application/json");
    if let Some(token) = token {
        builder = builder.header("authorization", format!("Bearer {token}"));
    }
    let body = if body.is_empty() { Body::Empty } else { Body::Text(body.to_owned()) };
    builder.body(body).expect("a request").with_query_string_parameters(query)
}

/// Status and JSON body of an answer, after the checks that hold for every answer.
///
/// # Panics
/// When a convention of the contract is broken.
pub fn checked(response: &Response<Body>) -> (u16, Value) {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!(header("access-control-allow-origin"), "*", "every answer carries the CORS headers");
    assert_eq!(header("cache-control"), "no-store", "every answer about an athlete is kept by nobody");
    let Body::Text(text) = response.body() else { return (response.status().as_u16(), Value::Null) };
    let body: Value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
    let status = response.status().as_u16();
    if status >= 400 && body.is_object() {
        let error = &body["error"];
        assert!(error["code"].as_str().is_some_and(|code| code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')), "{body}");
        assert!(error["message"].as_str().is_some_and(|m| m.ends_with('.')), "an error says one sentence: {body}");
        let id = error.get("request_id").and_then(Value::as_str);
        assert_eq!(id, (status >= 500).then(|| header("x-request-id")), "5xx carry the request id, others do not: {body}");
    }
    (status, body)
}
