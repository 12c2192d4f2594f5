//! Strava's answers over HTTP: tokens, streams, lists, rate limits, refusals.

use jiff::Timestamp;
use proptest::prelude::*;
use runaway_core::config::StravaConfig;
use runaway_core::domain::Lane;
use runaway_core::strava::budget::{Standing, Terms, Usage};
use runaway_core::strava::{ListBounds, StravaClient, StravaError};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use testkit::fuzz::{MARK, check, damaged, json, mutated, pieces, text};
use testkit::{Canned, CannedServer};

const CASES: u32 = 32;
const BOUNDS: ListBounds = ListBounds { after_s: None, before_s: None, per_page: 200 };
const STREAMS: [&str; 6] = ["time", "distance", "heartrate", "watts", "latlng", "altitude"];

async fn strava() -> (CannedServer, StravaClient) {
    let server = CannedServer::start().await;
    let config = StravaConfig {
        api_base: server.base_url(),
        oauth_base: server.base_url(),
        client_id: "12345".to_owned(),
        client_secret: SecretString::from(MARK),
    };
    let client = StravaClient::new(config).unwrap();
    (server, client)
}

/// Neither what is shown of an error nor what a careless log of it would show quotes anything.
fn is_discreet(error: &StravaError) -> Result<(), TestCaseError> {
    prop_assert!(!runaway_core::telemetry::chain(error).contains(MARK) && !format!("{error:?}").contains(MARK), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_token_answer_is_taken_as_it_is_or_refused_without_a_quotation() {
    let (server, client) = strava().await;
    let whole = json!({
        "token_type": "Bearer", "access_token": format!("a{MARK}"), "refresh_token": format!("r{MARK}"), "expires_at": 1_787_205_955,
        "expires_in": 21_600, "scope": "read,activity:read_all",
        "athlete": {"id": 7, "firstname": MARK, "lastname": null, "city": MARK, "weight": 64.5, "premium": true, "created_at": "2020-12-28T09:00:00Z"}
    });
    let object = mutated(whole.as_object().unwrap().clone(), &["more"]).prop_map(Value::Object);
    let body = prop_oneof![
        4 => object.prop_map(|value| value.to_string().into_bytes()),
        1 => damaged(whole.to_string().into_bytes()),
        1 => json().prop_map(|value| value.to_string().into_bytes()),
    ];
    check("token answers", CASES, &(body, prop::collection::vec(any::<prop::sample::Index>(), 0..3)), async |(body, cuts)| {
        server.set(Canned { status: 200, pieces: pieces(&body, &cuts), ..Canned::default() });
        // What nobody reads may hold bytes that are no text.
        let said: Value = serde_json::from_str(&String::from_utf8_lossy(&body)).unwrap_or_default();
        match client.exchange_code(&SecretString::from(MARK)).await {
            Ok(exchanged) => {
                prop_assert_eq!(said["access_token"].as_str(), Some(exchanged.tokens.access.expose_secret()));
                prop_assert_eq!(said["refresh_token"].as_str(), Some(exchanged.tokens.refresh.expose_secret()));
                prop_assert_eq!(said["expires_at"].as_i64(), Some(exchanged.tokens.expires_at.as_second()));
                prop_assert_eq!(said["athlete"]["id"].as_i64(), Some(exchanged.athlete.id));
                prop_assert!(!format!("{:?}", exchanged.tokens).contains(MARK), "{:?}", exchanged.tokens);
            }
            Err(error) => is_discreet(&error)?,
        }
        match client.refresh(&SecretString::from(MARK)).await {
            Ok(tokens) => prop_assert_eq!(said["access_token"].as_str(), Some(tokens.access.expose_secret())),
            Err(error) => is_discreet(&error)?,
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_stream_is_summed_up_between_its_least_and_its_greatest_point() {
    let (server, client) = strava().await;
    let point = prop_oneof![8 => (-1e4..1e4_f64).prop_map(Value::from), 1 => Just(Value::Null), 1 => Just(Value::from(1e308)), 1 => json()];
    let stream = prop::collection::vec(point, 0..20).prop_map(|data| json!({"data": data, "original_size": 20}));
    let body = prop::collection::hash_map(
        prop_oneof![6 => prop::sample::select(STREAMS.to_vec()).prop_map(str::to_owned), 1 => text()],
        stream,
        0..6,
    );
    let body = prop_oneof![6 => body.prop_map(|streams| json!(streams)), 1 => json()];
    check("streams", CASES, &body, async |body| {
        server.set(Canned::body(200, body.to_string()));
        match client.streams(&SecretString::from("token"), 1).await.outcome {
            Ok(streams) => {
                prop_assert!(streams.is_sorted_by(|a, b| a.kind < b.kind));
                for stream in streams {
                    let data = body[&stream.kind]["data"].as_array().unwrap();
                    prop_assert_eq!(usize::try_from(stream.points), Ok(data.len()));
                    prop_assert_eq!(stream.minimum.is_some(), data.iter().any(Value::is_number));
                    if let (Some(least), Some(mean), Some(most)) = (stream.minimum, stream.mean, stream.maximum) {
                        let room = (least.abs().max(most.abs())) * 1e-9;
                        prop_assert!(mean.is_finite() && least - room <= mean && mean <= most + room, "{stream:?}");
                    }
                }
            }
            Err(error) => is_discreet(&error)?,
        }
        Ok(())
    })
    .await;
}

/// A limit header: as Strava words it, and otherwise.
fn pair() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => (0_i32..400, 0_i32..4000).prop_map(|(short, day)| format!("{short},{day}")),
        1 => (any::<i32>(), any::<i32>()).prop_map(|(short, day)| format!(" {short} , {day} ")),
        1 => "[0-9,.x-]{0,12}",
        1 => (any::<i64>(), any::<i64>()).prop_map(|(short, day)| format!("{short},{day}")),
    ]
}

fn read_pair(text: Option<&String>) -> Option<[i32; 2]> {
    let (short, day) = text?.split_once(',')?;
    Some([short.trim().parse().ok()?, day.trim().parse().ok()?])
}

#[tokio::test]
async fn of_two_limits_the_one_with_less_left_counts() {
    let (server, client) = strava().await;
    let inputs = (prop::array::uniform4(prop::option::weighted(0.9, pair())), prop::sample::select(vec![200_u16, 401, 429, 500]));
    check("rate limit headers", CASES, &inputs, async |(headers, status)| {
        let names = ["x-ratelimit-limit", "x-ratelimit-usage", "x-readratelimit-limit", "x-readratelimit-usage"];
        let mut answer = Canned::body(status, "[]");
        for (name, value) in names.iter().zip(&headers) {
            if let Some(value) = value {
                answer = answer.with_header(name, value.as_str());
            }
        }
        server.set(answer);
        let answer = client.list_activities(&SecretString::from("token"), BOUNDS).await;
        prop_assert_eq!(answer.outcome.is_ok(), status == 200);
        for (n, read) in [(0, answer.rates.short), (1, answer.rates.day)] {
            let kinds = [(0, 1), (2, 3)]
                .map(|(limit, usage)| Some((read_pair(headers[limit].as_ref())?[n], read_pair(headers[usage].as_ref())?[n])));
            let limit = kinds.iter().flatten().map(|(limit, _)| *limit).min();
            let left = kinds.iter().flatten().map(|(limit, used)| limit.saturating_sub(*used)).min();
            prop_assert_eq!(read.map(|usage: Usage| usage.limit), limit);
            prop_assert_eq!(read.map(|usage| usage.limit.saturating_sub(usage.used) <= 0), limit.zip(left).map(|(_, left)| left <= 0));
        }
        if let Err(StravaError::RateLimited { daily }) = answer.outcome {
            prop_assert_eq!(daily, answer.rates.day.is_some_and(|day| day.used >= day.limit));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn whoever_is_refused_knows_when_to_come_back_and_it_is_not_before_now() {
    let lane = prop_oneof![Just(Lane::Webhook), Just(Lane::Interactive), Just(Lane::Incremental), Just(Lane::Backfill)];
    let window = || (prop::option::of(prop_oneof![0_i32..2000, any::<i32>()]), prop_oneof![0_i32..2000, any::<i32>()]);
    let inputs = (lane, 0_i64..4_000_000_000, window(), window(), -2_000_i64..2_000, any::<i32>());
    check("refused reservations", CASES, &inputs, async |(lane, now_s, short, day, pause_s, refused)| {
        let now = Timestamp::from_second(now_s).unwrap();
        let not_before = Timestamp::from_second(now_s + pause_s).unwrap();
        let standing = Standing { is_granted: false, short, day, not_before, refused };
        let opens_at = standing.opens_at(&Terms::of(lane, now), now);
        prop_assert!(opens_at > now && opens_at.as_second() - now_s <= 86_400, "{opens_at}");
        prop_assert!(opens_at >= not_before);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_understood_by_its_status_and_never_quoted() {
    let (server, client) = strava().await;
    let words = prop_oneof![
        3 => prop::sample::select(vec!["invalid", "missing", "Inactive", "Application", "Athlete", "RefreshToken", "client_id", "access_token"]).prop_map(str::to_owned),
        1 => text(),
        1 => Just(MARK.to_owned()),
    ];
    let fault = (words.clone(), words.clone(), words)
        .prop_map(|(resource, field, code)| json!({"resource": resource, "field": field, "code": code}));
    let errors = prop_oneof![4 => prop::collection::vec(fault, 0..4).prop_map(Value::from), 1 => json()];
    let body = prop_oneof![
        5 => errors.prop_map(|errors| json!({"message": MARK, "errors": errors}).to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
        1 => json().prop_map(|value| value.to_string().into_bytes()),
    ];
    let status = prop_oneof![6 => prop::sample::select(vec![400_u16, 401, 403, 404, 408, 429, 500, 503]), 1 => 300_u16..600];
    check("refusals of Strava", CASES, &(status, body, any::<bool>()), async |(status, body, breaks)| {
        server.set(Canned { status, pieces: vec![body], breaks, ..Canned::default() });
        let token = SecretString::from("token");
        let error = match client.list_activities(&token, BOUNDS).await.outcome {
            Ok(page) => return Err(TestCaseError::fail(format!("{status} brought {} objects", page.objects.len()))),
            Err(error) => error,
        };
        is_discreet(&error)?;
        let fits = match (&error, status) {
            (StravaError::Unavailable(_), _) if breaks => true,
            (StravaError::TokenRejected | StravaError::ScopeMissing(_), 401) | (StravaError::GrantRejected, 400) => true,
            (StravaError::ApplicationRefused(_), 400 | 401 | 403) => true,
            (StravaError::NotFound, 404) | (StravaError::RateLimited { .. }, 429) | (StravaError::Unavailable(_), 408 | 500..) => true,
            (StravaError::Unexpected { status: said }, _) => *said == status,
            _ => false,
        };
        prop_assert!(fits, "{status}: {error:?}");
        is_discreet(&client.refresh(&token).await.map_or_else(|error| error, |_| StravaError::NotFound))
    })
    .await;
}

#[tokio::test]
async fn a_list_is_taken_object_by_object_and_no_token_whatever_breaks_the_call() {
    let (server, client) = strava().await;
    let list = prop::collection::vec(json(), 0..8).prop_map(Value::from);
    let body = prop_oneof![4 => list.prop_map(|list| list.to_string().into_bytes()), 1 => prop::collection::vec(any::<u8>(), 0..64), 1 => json().prop_map(|json| json.to_string().into_bytes())];
    let token = prop_oneof![2 => Just("token".to_owned()), 1 => any::<String>().prop_map(|text| text + MARK)];
    check("lists", CASES, &(body, token, prop::collection::vec(any::<prop::sample::Index>(), 0..4)), async |(body, token, cuts)| {
        server.set(Canned { status: 200, pieces: pieces(&body, &cuts), ..Canned::default() });
        let expected: Option<Vec<Value>> = serde_json::from_slice(&body).ok();
        match client.list_activities(&SecretString::from(token), BOUNDS).await.outcome {
            Ok(page) => {
                let objects: Vec<Value> = page.objects.iter().map(|object| serde_json::from_str(object.get()).unwrap()).collect();
                prop_assert_eq!(Some(objects), expected);
            }
            Err(error) => is_discreet(&error)?,
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_subscription_is_read_and_its_address_is_never_shown() {
    let (server, client) = strava().await;
    let whole =
        json!({"id": 131_300, "resource_state": 2, "application_id": 12_345, "callback_url": format!("https://api.example.com/{MARK}")});
    let object = mutated(whole.as_object().unwrap().clone(), &["more"]).prop_map(Value::Object);
    let body = prop_oneof![3 => prop::collection::vec(object.clone(), 0..3).prop_map(Value::from), 2 => object, 1 => json()];
    check("subscription answers", CASES, &(body, prop::option::of(text())), async |(body, tail)| {
        server.set(Canned::body(200, format!("{body}{}", tail.unwrap_or_default())));
        match client.list_subscriptions().await {
            Ok(all) => {
                let ids: Vec<Option<i64>> = all.iter().map(|one| Some(one.id)).collect();
                let said = |one: &Value| one["id"].as_i64().or(one[0].as_i64());
                prop_assert_eq!(ids, body.as_array().unwrap().iter().map(said).collect::<Vec<_>>());
                prop_assert!(!format!("{all:?}").contains(MARK), "{all:?}");
            }
            Err(error) => is_discreet(&error)?,
        }
        match client.create_subscription(MARK, &SecretString::from(MARK)).await {
            Ok(one) => prop_assert!(!format!("{one:?}").contains(MARK), "{one:?}"),
            Err(error) => is_discreet(&error)?,
        }
        Ok(())
    })
    .await;
}
