//! What Strava posts to the webhook, and the signature that may come with it.

use aws_lc_rs::hmac;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::db::strava_events::{Aspect, Subject};

/// The header that carries a signature, `t=<epoch seconds>,v1=<hexadecimal HMAC-SHA256>`. Strava does not document it.
pub const SIGNATURE_HEADER: &str = "x-strava-signature";

/// An event as it was posted: a hint, whoever posted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StravaEvent {
    /// For which subscription it was made.
    pub subscription_id: i64,
    /// Whose.
    pub owner_id: i64,
    /// When, as it says.
    pub event_time: Timestamp,
    /// What changed; `None` for what nothing follows from.
    pub change: Option<(Subject, Aspect)>,
}

/// A body that is no event.
#[derive(Debug, PartialEq, Eq)]
pub struct UnreadableEvent {
    /// The field that is missing or of the wrong kind; `The body` for the whole.
    pub field: &'static str,
    /// What is wrong with it.
    pub what: &'static str,
}

const fn bad(field: &'static str, what: &'static str) -> UnreadableEvent {
    UnreadableEvent { field, what }
}

/// Reads an event. Kinds that are not known here are events of no consequence, as Strava may add some.
///
/// # Errors
/// [`UnreadableEvent`] names the field.
pub fn read_event(body: &[u8]) -> Result<StravaEvent, UnreadableEvent> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return Err(bad("The body", "is not a JSON object"));
    };
    let number = |name: &'static str| fields.get(name).and_then(Value::as_i64).ok_or(bad(name, "is not a whole number"));
    let word = |name: &'static str| fields.get(name).and_then(Value::as_str).ok_or(bad(name, "is not a text"));
    let nothing = Map::new();
    let updates = match fields.get("updates") {
        None | Some(Value::Null) => &nothing,
        Some(Value::Object(updates)) => updates,
        Some(_) => return Err(bad("updates", "is not an object")),
    };
    let (object_type, aspect_type, object_id) = (word("object_type")?, word("aspect_type")?, number("object_id")?);
    let owner_id = number("owner_id")?;
    let event_time = Timestamp::from_second(number("event_time")?).map_err(|_| bad("event_time", "is no time"))?;
    let aspect = match aspect_type {
        "create" => Some(Aspect::Create),
        "update" => Some(Aspect::Update),
        "delete" => Some(Aspect::Delete),
        _ => None,
    };
    let change = match (object_type, aspect) {
        ("activity", Some(aspect)) if object_id > 0 => Some((Subject::Activity(object_id), aspect)),
        ("athlete", Some(Aspect::Update)) if object_id == owner_id && is_false(updates.get("authorized")) => {
            Some((Subject::Athlete, Aspect::Update))
        }
        _ => None,
    };
    Ok(StravaEvent { subscription_id: number("subscription_id")?, owner_id, event_time, change })
}

/// Strava sends texts; a bare boolean means the same.
fn is_false(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value == false || value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("false")))
}

/// What came with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// No header: the usual case.
    Absent,
    /// Made with the application's secret.
    Valid,
    /// Not made with it, or not to be read.
    Wrong,
}

/// Compares the signature of `t.body`, in constant time. How old `t` is does not matter: a repeated event is but the
/// same hint again.
pub fn verify_signature(header: Option<&str>, client_secret: &SecretString, body: &[u8]) -> Signature {
    let Some(header) = header else { return Signature::Absent };
    let part = |name: &str| header.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let (Some(time), Some(code)) = (part("t"), part("v1").and_then(hexadecimal)) else { return Signature::Wrong };
    let signed = [time.as_bytes(), b".", body].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, client_secret.expose_secret().as_bytes());
    if hmac::verify(&key, &signed, &code).is_ok() { Signature::Valid } else { Signature::Wrong }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<StravaEvent, UnreadableEvent> {
        read_event(json.as_bytes())
    }

    fn event(object: &str, aspect: &str, updates: &str) -> Result<StravaEvent, UnreadableEvent> {
        read(&format!(
            r#"{{"object_type":"{object}","object_id":7,"aspect_type":"{aspect}","owner_id":7,"subscription_id":3,"event_time":1787205955{updates}}}"#
        ))
    }

    #[test]
    fn events_as_strava_sends_them() {
        let change = |object: &str, aspect: &str, updates: &str| event(object, aspect, updates).map(|event| event.change);
        assert_eq!(change("activity", "create", ""), Ok(Some((Subject::Activity(7), Aspect::Create))));
        assert_eq!(change("activity", "update", r#","updates":{"private":"true"}"#), Ok(Some((Subject::Activity(7), Aspect::Update))));
        assert_eq!(change("activity", "delete", r#","updates":{}"#), Ok(Some((Subject::Activity(7), Aspect::Delete))));
        for updates in [r#"{"authorized":"false"}"#, r#"{"authorized":false}"#] {
            assert_eq!(change("athlete", "update", &format!(r#","updates":{updates}"#)), Ok(Some((Subject::Athlete, Aspect::Update))));
        }
        for (object, aspect, updates) in [
            ("athlete", "update", r#","updates":{"authorized":"true"}"#),
            ("athlete", "update", ""),
            ("athlete", "delete", r#","updates":{"authorized":"false"}"#),
            ("segment", "create", ""),
            ("activity", "like", ""),
        ] {
            assert_eq!(change(object, aspect, updates), Ok(None), "{object} {aspect} {updates}");
        }
    }

    #[test]
    fn what_is_no_event_is_named() {
        let whole =
            r#"{"object_type":"activity","object_id":7,"aspect_type":"create","owner_id":7,"subscription_id":3,"event_time":1787205955}"#;
        assert!(read(whole).is_ok());
        for (right, wrong, field) in [
            (r#""object_id":7"#, r#""object_id":"7""#, "object_id"),
            (r#""owner_id":7"#, r#""owner_id":7.5"#, "owner_id"),
            (r#""object_type":"activity""#, r#""object_type":1"#, "object_type"),
            (r#""aspect_type":"create""#, r#""x":1"#, "aspect_type"),
            (r#""subscription_id":3"#, r#""subscription_id":null"#, "subscription_id"),
            ("1787205955", "17872059550000000", "event_time"),
            (r#""owner_id":7"#, r#""owner_id":7,"updates":[]"#, "updates"),
        ] {
            assert_eq!(read(&whole.replace(right, wrong)).map_err(|error| error.field), Err(field), "{wrong}");
        }
        for nonsense in ["", "[]", "null", "{"] {
            assert_eq!(read(nonsense).map_err(|error| error.field), Err("The body"), "{nonsense}");
        }
    }

    #[test]
    fn only_the_applications_secret_signs() {
        let secret = SecretString::from("secret");
        let sign = |secret: &str, text: &[u8]| -> String {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            hmac::sign(&key, text).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let verify = |header: &str| verify_signature(Some(header), &secret, b"{}");
        assert_eq!(verify_signature(None, &secret, b"{}"), Signature::Absent);
        assert_eq!(verify(&format!("t=17,v1={}", sign("secret", b"17.{}"))), Signature::Valid);
        for wrong in [
            format!("t=18,v1={}", sign("secret", b"17.{}")),
            format!("t=17,v1={}", sign("another", b"17.{}")),
            format!("t=17,v1={}", &sign("secret", b"17.{}")[2..]),
            format!("v1={}", sign("secret", b"17.{}")),
            "t=17,v1=xyz".to_owned(),
            String::new(),
        ] {
            assert_eq!(verify(&wrong), Signature::Wrong, "{wrong}");
        }
    }
}
