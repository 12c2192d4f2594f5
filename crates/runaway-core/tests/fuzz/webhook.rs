//! What anybody may post to the webhook.

use aws_lc_rs::hmac;
use proptest::prelude::*;
use runaway_core::db::strava_events::{Aspect, Subject};
use runaway_core::strava::{Signature, read_event, verify_signature};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use testkit::fuzz::{MARK, check, damaged, json, mutated, text};

const CASES: u32 = 128;
const FIELDS: [&str; 7] = ["object_type", "object_id", "aspect_type", "owner_id", "subscription_id", "event_time", "updates"];

fn event() -> impl Strategy<Value = Map<String, Value>> {
    let words = |words: &[&'static str]| prop::sample::select(words.to_vec());
    let id = || prop_oneof![4 => Just(7_i64), 1 => any::<i64>(), 1 => -2_i64..3];
    let updates = prop_oneof![
        2 => Just(json!({})),
        2 => Just(json!({"authorized": "false"})),
        1 => Just(json!({"authorized": false})),
        1 => Just(json!({"title": MARK})),
        1 => json(),
    ];
    let time = prop_oneof![4 => Just(1_787_205_955_i64), 1 => any::<i64>()];
    (
        words(&["activity", "athlete", "segment", ""]),
        id(),
        words(&["create", "update", "delete", "like"]),
        id(),
        any::<i64>(),
        time,
        updates,
    )
        .prop_map(|(object, object_id, aspect, owner_id, subscription_id, time, updates)| {
            json!({"object_type": object, "object_id": object_id, "aspect_type": aspect, "owner_id": owner_id,
                   "subscription_id": subscription_id, "event_time": time, "updates": updates})
            .as_object()
            .cloned()
            .unwrap_or_default()
        })
        .prop_flat_map(|whole| mutated(whole, &["more"]))
}

/// What an event means, by the contract's words.
fn meaning(event: &Map<String, Value>) -> Option<(Subject, Aspect)> {
    let aspect = match event["aspect_type"].as_str()? {
        "create" => Aspect::Create,
        "update" => Aspect::Update,
        "delete" => Aspect::Delete,
        _ => return None,
    };
    let (object, owner) = (event["object_id"].as_i64()?, event["owner_id"].as_i64()?);
    let refused =
        event.get("updates").and_then(|updates| updates.get("authorized")).map(|value| value.to_string().to_lowercase().replace('"', ""));
    match event["object_type"].as_str()? {
        "activity" => (object > 0).then_some((Subject::Activity(object), aspect)),
        "athlete" => {
            (object == owner && aspect == Aspect::Update && refused.as_deref() == Some("false")).then_some((Subject::Athlete, aspect))
        }
        _ => None,
    }
}

#[tokio::test]
async fn an_event_is_what_its_fields_say_or_the_wrong_one_is_named() {
    check("events", CASES, &(event(), any::<bool>()), async |(event, is_pretty)| {
        let value = Value::Object(event.clone());
        let body = if is_pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        match read_event(&body) {
            Ok(read) => {
                let number = |name: &str| event[name].as_i64();
                let read_numbers = (Some(read.subscription_id), Some(read.owner_id), Some(read.event_time.as_second()));
                prop_assert_eq!(read_numbers, (number("subscription_id"), number("owner_id"), number("event_time")));
                prop_assert_eq!(read.change, meaning(&event));
                let mut more = event.clone();
                more.insert("unheard_of".to_owned(), Value::from(MARK));
                prop_assert_eq!(read_event(Value::Object(more).to_string().as_bytes()), Ok(read));
            }
            Err(error) => {
                prop_assert!(FIELDS.contains(&error.field), "{error:?}");
                let mut repaired = event.clone();
                let right = if error.field == "updates" {
                    json!({})
                } else if error.field.ends_with("type") {
                    json!("activity")
                } else {
                    json!(7)
                };
                repaired.insert(error.field.to_owned(), right);
                let again = read_event(Value::Object(repaired).to_string().as_bytes());
                prop_assert!(again != Err(error), "the field that was named is not the wrong one");
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn bytes_that_are_no_event_are_refused() {
    let whole =
        json!({"object_type": "activity", "object_id": 7, "aspect_type": "create", "owner_id": 7, "subscription_id": 3, "event_time": 1});
    let body = prop_oneof![3 => damaged(whole.to_string().into_bytes()), 1 => prop::collection::vec(any::<u8>(), 0..64), 1 => json().prop_map(|json| json.to_string().into_bytes())];
    check("bodies of events", CASES, &body, async |body| {
        let is_object = serde_json::from_slice::<Map<String, Value>>(&body).is_ok();
        match read_event(&body) {
            Ok(_) => prop_assert!(is_object),
            Err(error) => prop_assert_eq!(error.field == "The body", !is_object),
        }
        Ok(())
    })
    .await;
}

fn hexadecimal(bytes: &[u8], is_upper: bool) -> String {
    bytes.iter().map(|byte| if is_upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).collect()
}

#[tokio::test]
async fn a_signature_holds_for_its_body_time_and_secret_only() {
    let time = "[0-9]{1,12}";
    let inputs = (time, time, prop::collection::vec(any::<u8>(), 0..200), any::<bool>(), any::<prop::sample::Index>(), 1_u8..=255, text());
    check("signatures", CASES, &inputs, async |(time, other_time, body, is_upper, place, flip, secret)| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let code = hmac::sign(&key, &[time.as_bytes(), b".", &body].concat());
        let header = format!("t={time},v1={}", hexadecimal(code.as_ref(), is_upper));
        let holds = |header: &str, body: &[u8], secret: &str| verify_signature(Some(header), &SecretString::from(secret), body);
        prop_assert_eq!(holds(&header, &body, &secret), Signature::Valid);
        prop_assert_eq!(holds(&format!("v0=aa, {header} ,x"), &body, &secret), Signature::Valid);
        let mut wrong_code = code.as_ref().to_vec();
        let place_in_code = place.index(wrong_code.len());
        wrong_code[place_in_code] ^= flip;
        prop_assert_eq!(holds(&format!("t={time},v1={}", hexadecimal(&wrong_code, is_upper)), &body, &secret), Signature::Wrong);
        let mut wrong_body = body.clone();
        wrong_body.push(flip);
        prop_assert_eq!(holds(&header, &wrong_body, &secret), Signature::Wrong);
        prop_assert_eq!(holds(&header, &body, &format!("{secret}x")), Signature::Wrong);
        if time != other_time {
            prop_assert_eq!(holds(&header.replacen(&time, &other_time, 1), &body, &secret), Signature::Wrong);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn no_header_whatever_is_a_signature_by_chance() {
    let header = prop_oneof![
        text(),
        "t=[0-9]{0,5},v1=[0-9a-fx]{0,70}",
        damaged(format!("t=1,v1={}", "ab".repeat(32)).into_bytes()).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    ];
    check("signature headers", CASES, &header, async |header| {
        prop_assert_eq!(verify_signature(Some(&header), &SecretString::from("secret"), b"{}"), Signature::Wrong);
        Ok(())
    })
    .await;
}
