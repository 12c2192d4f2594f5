//! Answers as a strict decoder reads them.

use serde_json::Value;
use uuid::Uuid;

/// What the app's decoder expects of a value.
pub(crate) enum Kind {
    Uuid,
    Text,
    TextOrNull,
    Instant,
    Count,
    Truth,
    Word(&'static [&'static str]),
    Texts,
    Object(&'static [(&'static str, Kind)]),
    Array(&'static Kind),
}

/// `POST /chat`.
pub(crate) const ANSWER: Kind = Kind::Object(&[
    ("answer", Kind::Text),
    ("conversation_id", Kind::Uuid),
    (
        "context",
        Kind::Object(&[
            ("recentActivitiesCount", Kind::Count),
            ("relevantActivitiesCount", Kind::Count),
            ("totalActivities", Kind::Count),
            ("historyMessages", Kind::Count),
        ]),
    ),
    ("timestamp", Kind::Instant),
]);
/// `GET /chat/conversations`.
pub(crate) const CONVERSATIONS: Kind = Kind::Object(&[
    ("success", Kind::Truth),
    (
        "conversations",
        Kind::Array(&Kind::Object(&[
            ("id", Kind::Uuid),
            ("created_at", Kind::Instant),
            ("updated_at", Kind::Instant),
            ("preview", Kind::Text),
        ])),
    ),
]);
/// `GET /chat/conversations/{id}`.
pub(crate) const CONVERSATION: Kind = Kind::Object(&[
    ("success", Kind::Truth),
    (
        "conversation",
        Kind::Object(&[
            ("id", Kind::Uuid),
            ("user_id", Kind::Text),
            (
                "messages",
                Kind::Array(&Kind::Object(&[
                    ("role", Kind::Word(&["user", "assistant"])),
                    ("content", Kind::Text),
                    ("timestamp", Kind::Instant),
                ])),
            ),
            ("created_at", Kind::Instant),
            ("updated_at", Kind::Instant),
        ]),
    ),
]);
/// Every `DELETE`.
pub(crate) const DELETED: Kind = Kind::Object(&[("success", Kind::Truth), ("message", Kind::Text)]);
/// `GET` and `PUT /chat/memory`.
pub(crate) const MEMORY: Kind = Kind::Object(&[
    ("success", Kind::Truth),
    (
        "memory",
        Kind::Object(&[
            ("personal", Kind::Object(&[("preferred_name", Kind::TextOrNull), ("experience_level", Kind::TextOrNull)])),
            ("goals", Kind::Object(&[("primary", Kind::TextOrNull)])),
            ("physical_profile", Kind::Object(&[("current_concerns", Kind::Texts)])),
        ]),
    ),
    (
        "facts",
        Kind::Array(&Kind::Object(&[
            ("id", Kind::Uuid),
            ("text", Kind::Text),
            ("kind", Kind::Word(&["preference", "goal", "concern"])),
            ("created_at", Kind::Instant),
        ])),
    ),
]);
/// Every refusal.
pub(crate) const ERROR: Kind = Kind::Object(&[("error", Kind::Object(&[("code", Kind::Text), ("message", Kind::Text)]))]);

/// RFC 3339 in UTC without a fraction: anything else is unreadable for the app.
fn is_instant(text: &str) -> bool {
    text.len() == 20 && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok()
}

/// Ends the test where the app could not read the value.
pub(crate) fn decode(value: &Value, kind: &Kind) {
    decode_at(value, kind, "the answer");
}

fn decode_at(value: &Value, kind: &Kind, path: &str) {
    let is_read = match kind {
        Kind::Uuid => value.as_str().is_some_and(|text| text.len() == 36 && text.parse::<Uuid>().is_ok()),
        Kind::Text => value.as_str().is_some_and(|text| !text.is_empty()),
        Kind::TextOrNull => value.is_null() || value.is_string(),
        Kind::Instant => value.as_str().is_some_and(is_instant),
        Kind::Count => value.as_u64().is_some(),
        Kind::Truth => *value == Value::Bool(true),
        Kind::Word(words) => value.as_str().is_some_and(|text| words.contains(&text)),
        Kind::Texts => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        Kind::Object(fields) => {
            for (name, kind) in *fields {
                let field = value.get(name).unwrap_or_else(|| panic!("{path} has no {name}: {value}"));
                decode_at(field, kind, &format!("{path}.{name}"));
            }
            value.is_object()
        }
        Kind::Array(kind) => {
            value.as_array().into_iter().flatten().enumerate().for_each(|(n, entry)| decode_at(entry, kind, &format!("{path}[{n}]")));
            value.is_array()
        }
    };
    assert!(is_read, "{path} cannot be read: {value}");
}

#[test]
fn the_decoder_is_strict() {
    let fine = serde_json::json!({"success": true, "message": "Done."});
    decode(&fine, &DELETED);
    for (kind, wrong) in [
        (Kind::Instant, serde_json::json!("2026-01-04T06:30:00.5Z")),
        (Kind::Instant, serde_json::json!("2026-01-04T06:30:00+00:00")),
        (Kind::Count, serde_json::json!(1.5)),
        (Kind::Count, serde_json::json!("1")),
        (Kind::Uuid, serde_json::json!(7)),
        (Kind::Word(&["user"]), serde_json::json!("system")),
        (DELETED, serde_json::json!({"success": true})),
        (Kind::Array(&Kind::Text), serde_json::json!([1])),
    ] {
        assert!(std::panic::catch_unwind(|| decode(&wrong, &kind)).is_err(), "{wrong} was read");
    }
}
