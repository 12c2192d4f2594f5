//! A request's path as the log may name it: words of ours, and a place for what is the caller's own.

use jiff::civil::Date;
use uuid::Uuid;

/// What every path begins with.
const BASE: &str = "/functions/v1/";
/// Below this function the address is a secret.
const WEBHOOK: &str = "strava-webhook";
/// Functions, and the words below them.
const WORDS: &[&str] = &[
    "strava-auth",
    "confirm",
    "oauth-callback",
    "sync-beta",
    "job-status",
    "chat",
    "conversations",
    "memory",
    "disconnect",
    "delete-account",
    "export",
    "journal",
    "generate",
    "generate-recent",
    "weeks",
    "chart.svg",
    WEBHOOK,
];
/// Segments that are shown of a path.
const SEGMENTS_MAX: usize = 6;

/// The path with its ids, dates and everything unknown replaced: `/journal/weeks/{date}/chart.svg`.
pub(super) fn route(path: &str) -> String {
    let Some(below) = path.strip_prefix(BASE) else { return "/{other}".to_owned() };
    let mut route = String::new();
    for (n, segment) in below.split('/').enumerate() {
        let shown = if n == SEGMENTS_MAX { "…" } else { name(segment, n == 1 && route == format!("/{WEBHOOK}")) };
        route.push('/');
        route.push_str(shown);
        if n == SEGMENTS_MAX {
            break;
        }
    }
    route
}

fn name(segment: &str, is_secret: bool) -> &str {
    match WORDS.iter().find(|word| **word == segment) {
        _ if segment.is_empty() => "",
        _ if is_secret => "{secret}",
        Some(word) => word,
        None if segment.bytes().all(|b| b.is_ascii_digit()) || segment.parse::<Uuid>().is_ok() => "{id}",
        None if segment.len() == 10 && segment.parse::<Date>().is_ok() => "{date}",
        None => "{other}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_callers_own_is_not_shown() {
        for (path, expected) in [
            ("/functions/v1/chat", "/chat"),
            ("/functions/v1/chat/", "/chat/"),
            ("/functions/v1/job-status/0198c0de-0000-7000-8000-000000000001", "/job-status/{id}"),
            ("/functions/v1/journal/94451852", "/journal/{id}"),
            ("/functions/v1/journal/weeks/2026-11-23/chart.svg", "/journal/weeks/{date}/chart.svg"),
            ("/functions/v1/journal/weeks/next-week/chart.svg", "/journal/weeks/{other}/chart.svg"),
            ("/functions/v1/chat/conversations/0198c0de-0000-7000-8000-000000000001", "/chat/conversations/{id}"),
            ("/functions/v1/strava-webhook/path-0123456789abcdef", "/strava-webhook/{secret}"),
            ("/functions/v1/strava-webhook/0123456789012345", "/strava-webhook/{secret}"),
            ("/functions/v1/strava-webhook/memory", "/strava-webhook/{secret}"),
            ("/functions/v1/strava-webhook/a/path-0123456789abcdef", "/strava-webhook/{secret}/{other}"),
            ("/functions/v1/anna/1/2", "/{other}/{id}/{id}"),
            ("/functions/v1/chat/1/2/3/4/5/6/7/8", "/chat/{id}/{id}/{id}/{id}/{id}/…"),
            ("/rest/v1/anna", "/{other}"),
            ("/functions/v1", "/{other}"),
        ] {
            assert_eq!(route(path), expected, "{path}");
        }
    }
}
