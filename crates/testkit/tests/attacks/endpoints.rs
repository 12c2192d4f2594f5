//! Every call that an athlete's token opens, as the contract lists them.

use crate::client::Request;

/// A call that is well-formed: only the token, or one id, makes it an attack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// The fields of its JSON body; empty where it has none.
    pub(crate) body: &'static str,
}

const fn endpoint(method: &'static str, path: &'static str, body: &'static str) -> Endpoint {
    Endpoint { method, path, body }
}

/// All of them: `docs/security.md` lists the same.
pub(crate) const ENDPOINTS: [Endpoint; 21] = [
    endpoint("POST", "/strava-auth", r#""redirect":"runaway://strava-connected""#),
    endpoint("POST", "/strava-auth/confirm", r#""ticket":"x""#),
    endpoint("POST", "/sync-beta", r#""sync_type":"incremental""#),
    endpoint("GET", "/job-status/00000000-0000-4000-8000-000000000000", ""),
    endpoint("POST", "/chat", r#""message":"How far did I run?""#),
    endpoint("GET", "/chat/conversations", ""),
    endpoint("GET", "/chat/conversations/00000000-0000-4000-8000-000000000000", ""),
    endpoint("DELETE", "/chat/conversations/00000000-0000-4000-8000-000000000000", ""),
    endpoint("GET", "/chat/memory", ""),
    endpoint("PUT", "/chat/memory", r#""memory":{"goals":{"primary":"ten kilometres"}}"#),
    endpoint("DELETE", "/chat/memory?all=true", ""),
    endpoint("DELETE", "/chat/memory/00000000-0000-4000-8000-000000000000", ""),
    endpoint("GET", "/journal", ""),
    endpoint("GET", "/journal/1000001", ""),
    endpoint("GET", "/journal/weeks/2026-01-05/chart.svg", ""),
    endpoint("POST", "/journal/generate", r#""week_start_date":"2020-01-06""#),
    endpoint("POST", "/journal/generate-recent", r#""weeks":1"#),
    endpoint("GET", "/export", ""),
    endpoint("POST", "/disconnect", ""),
    endpoint("POST", "/delete-account", ""),
    endpoint("DELETE", "/delete-account", ""),
];

/// Functions that a provider calls, or an athlete's browser on its behalf: without a token.
pub(crate) const PROVIDERS: [&str; 2] = ["oauth-callback", "strava-webhook"];

impl Endpoint {
    /// The call with more in its query and more fields in its body.
    pub(crate) fn call(&self, query: &str, field: &str) -> Request {
        let separator = if self.path.contains('?') { '&' } else { '?' };
        let path = if query.is_empty() { self.path.to_owned() } else { format!("{}{separator}{query}", self.path) };
        let request = Request::new(self.method, &path);
        let fields = [self.body, field].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(",");
        if self.reads_a_body() { request.header("content-type", "application/json").body(format!("{{{fields}}}")) } else { request }
    }

    /// Whether it reads its body.
    pub(crate) fn reads_a_body(&self) -> bool {
        ["POST", "PUT"].contains(&self.method) || self.path == "/delete-account"
    }
}

/// A path as the documents write it: what stands for an id is one.
pub(crate) fn documented(endpoint: &Endpoint) -> String {
    let path = endpoint.path.split('?').next().unwrap_or_default();
    let parts = path.split('/').map(|part| match part {
        _ if uuid::Uuid::try_parse(part).is_ok() => "{id}",
        _ if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) => "{athlete_id}",
        _ if part.parse::<jiff::civil::Date>().is_ok() => "{day}",
        word => word,
    });
    format!("{} {}", endpoint.method, parts.collect::<Vec<_>>().join("/"))
}
