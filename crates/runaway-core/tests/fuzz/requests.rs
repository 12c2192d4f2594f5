//! Any request: method, path, query, headers, body.

use lambda_http::http::{Method, StatusCode};
use proptest::prelude::*;
use runaway_core::http::{ApiError, Fields, Reply, answer, own_athlete};
use serde_json::{Map, Value, json};
use testkit::call::{checked, request};
use testkit::fuzz::{MARK, check, damaged, json, mutated, text};
use url::Url;
use uuid::Uuid;

const CASES: u32 = 48;
/// The largest body a function reads.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A path below the functions with any query, as it may stand in a request.
fn address(path: &str, query: &[(String, String)]) -> String {
    let mut url = Url::parse("https://api.example.com").unwrap();
    url.set_path(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url.as_str().trim_start_matches("https://api.example.com").to_owned()
}

#[tokio::test]
async fn every_request_has_an_answer_by_the_conventions() {
    let method = prop_oneof![4 => prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"]).prop_map(str::to_owned), 1 => "[A-Z]{1,8}"];
    let path = prop_oneof![3 => Just("/there".to_owned()), 2 => text().prop_map(|text| format!("/there/{text}")), 1 => text().prop_map(|text| format!("/there{text}")), 1 => text().prop_map(|text| format!("/{text}"))];
    let id = prop_oneof![2 => Just("7".to_owned()), 1 => any::<i64>().prop_map(|id| id.to_string()), 1 => text()];
    let query =
        prop::collection::vec((prop_oneof![prop::sample::select(vec!["athlete_id", "user_id"]).prop_map(str::to_owned), text()], id), 0..4);
    let body = prop_oneof![
        2 => json().prop_map(|value| value.to_string()),
        2 => text(),
        1 => (BODY_BYTES_MAX - 2..BODY_BYTES_MAX + 2).prop_map(|bytes| format!("{{{:1$}}}", "", bytes - 2)),
    ];
    check("requests", CASES, &(method, path, query, body), async |(method, path, query, body)| {
        let request = request(&method, &address(&path, &query), None, &body);
        let path = request.uri().path().to_owned();
        let is_mine = path == "/functions/v1/there" || path.starts_with("/functions/v1/there/");
        let first = |name: &str| query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let named: Vec<&str> = ["athlete_id", "user_id"].into_iter().filter_map(first).collect();
        let is_body_good = body.trim_ascii().is_empty() || serde_json::from_str::<Map<String, Value>>(&body).is_ok();
        let response = answer("there", request, |call| async move {
            call.require_method(&Method::POST)?;
            drop(call.fields()?);
            own_athlete(None, &call.named_in_query()?)?;
            Ok(Reply::json(StatusCode::OK, &json!({})))
        })
        .await;
        let (status, answer) = checked(&response);
        let expected = match method.as_str() {
            _ if !is_mine => 404,
            "OPTIONS" => 204,
            "POST" if body.len() > BODY_BYTES_MAX => 413,
            "POST" if !is_body_good || named.iter().any(|id| id.parse::<i64>().is_err()) => 400,
            // Somebody without an athlete: whoever is named is another's.
            "POST" => {
                if named.is_empty() {
                    404
                } else {
                    403
                }
            }
            _ => 405,
        };
        prop_assert_eq!(status, expected, "{}", answer);
        prop_assert!(!answer.to_string().contains(MARK), "{answer}");
        Ok(())
    })
    .await;
}

fn refused<T>(field: &str, read: Result<Option<T>, ApiError>) -> Result<Option<T>, TestCaseError> {
    match read {
        Ok(value) => Ok(value),
        Err(error) => {
            let sentence = error.to_string();
            prop_assert!(sentence.starts_with(&format!("{field} ")) && sentence.ends_with('.') && !sentence.contains(MARK), "{sentence}");
            prop_assert_eq!((error.status(), error.code()), (StatusCode::BAD_REQUEST, "INVALID_REQUEST"));
            Err(TestCaseError::reject("refused"))
        }
    }
}

#[tokio::test]
async fn a_field_is_read_as_what_it_is_or_named() {
    const FIELDS: [&str; 6] = ["text", "flag", "number", "uuid", "object", "id"];
    let whole = json!({"text": "a", "flag": true, "number": 7, "uuid": Uuid::nil(), "object": {"a": MARK}, "id": "7"});
    let ids = prop::option::of(prop_oneof![any::<i64>().prop_map(|id| id.to_string()), "[+-]?[0-9]{1,25}", text()]);
    check("fields", CASES, &(mutated(whole.as_object().unwrap().clone(), &["more"]), ids), async |(mut object, id)| {
        if let Some(id) = id {
            object.insert("id".to_owned(), Value::from(id));
        }
        let fields = Fields::parse(Value::Object(object.clone()).to_string().as_bytes()).unwrap();
        for field in FIELDS {
            let value = object.get(field).filter(|value| !value.is_null());
            // Every reader is tried on every field.
            if let Ok(read) = refused(field, fields.text(field)) {
                prop_assert_eq!(read, value.map(|value| value.as_str().unwrap()));
            }
            if let Ok(read) = refused(field, fields.boolean(field)) {
                prop_assert_eq!(read, value.map(|value| value.as_bool().unwrap()));
            }
            if let Ok(read) = refused(field, fields.integer(field)) {
                prop_assert_eq!(read, value.map(|value| value.as_i64().unwrap()));
            }
            if let Ok(read) = refused(field, fields.object(field)) {
                prop_assert_eq!(read, value.map(|value| value.as_object().unwrap()));
            }
            if let Ok(read) = refused(field, fields.uuid(field)) {
                prop_assert_eq!(read, value.map(|value| value.as_str().unwrap().parse().unwrap()));
            }
            if let Ok(read) = refused(field, fields.id(field)) {
                let number = value.map(|value| value.as_i64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap()));
                prop_assert_eq!(read, number);
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn only_objects_are_bodies() {
    let whole = json!({"message": MARK, "conversation_id": null}).to_string().into_bytes();
    let body = prop_oneof![2 => damaged(whole), 1 => prop::collection::vec(any::<u8>(), 0..40), 1 => json().prop_map(|value| value.to_string().into_bytes())];
    check("bodies", CASES, &body, async |body| {
        let is_good = body.trim_ascii().is_empty() || serde_json::from_slice::<Map<String, Value>>(&body).is_ok();
        let read = Fields::parse(&body);
        prop_assert_eq!(read.is_ok(), is_good);
        if let Err(error) = read {
            prop_assert!(error.to_string().starts_with("The body ") && !error.to_string().contains(MARK), "{error}");
        }
        Ok(())
    })
    .await;
}
