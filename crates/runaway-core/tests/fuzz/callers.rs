//! The header `Authorization`, the claims of a token, and the issuer's key set.

use std::time::Duration;

use lambda_http::http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;
use runaway_core::config::AuthConfig;
use runaway_core::http::{AuthError, Verifier, client_builder};
use serde_json::{Value, json};
use testkit::fuzz::{MARK, check, damaged, json, mutated, text};
use testkit::issuer::{AUDIENCE, new_key};
use testkit::{Canned, CannedServer, TokenIssuer};
use uuid::Uuid;

const CASES: u32 = 24;
const USER: Uuid = Uuid::from_u128(0x0198_c0de_0000_4000_8000_0000_0000_0007);
/// As far as clocks may differ, seconds; times nearer to the border than this are not judged here.
const LEEWAY_S: i64 = 10;

/// A sign-in whose key set is served in any form.
struct SignIn {
    issuer: TokenIssuer,
    key: Value,
    server: CannedServer,
}

impl SignIn {
    async fn start() -> Self {
        let issuer = TokenIssuer::start(0, &new_key()).await;
        let http = client_builder(Duration::from_secs(5)).build().unwrap();
        let keys: Value = http.get(issuer.jwks_url()).send().await.unwrap().json().await.unwrap();
        let server = CannedServer::start().await;
        server.set(Canned::body(200, keys.to_string()));
        Self { issuer, key: keys["keys"][0].clone(), server }
    }

    fn verifier(&self) -> Verifier {
        let (issuer, jwks_url) = (self.issuer.issuer(), self.server.base_url());
        Verifier::new(AuthConfig { issuer, audience: AUDIENCE.to_owned(), jwks_url }).unwrap()
    }
}

fn authorization(values: impl IntoIterator<Item = HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header::AUTHORIZATION, value);
    }
    headers
}

fn bearing(token: &str) -> HeaderMap {
    authorization([HeaderValue::from_str(&format!("Bearer {token}")).unwrap()])
}

#[tokio::test]
async fn a_header_that_is_not_the_token_names_nobody() {
    let sign_in = SignIn::start().await;
    let (token, verifier) = (sign_in.issuer.token(USER), sign_in.verifier());
    let whole = format!("Bearer {token}").into_bytes();
    let schemes = prop::sample::select(vec!["bearer", "BEARER", "Basic", "Bearer:", ""]);
    let value = prop_oneof![
        4 => damaged(whole.clone()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
        1 => text().prop_map(|text| format!("Bearer {text}").into_bytes()),
        1 => schemes.prop_map({ let token = token.clone(); move |scheme| format!("{scheme} {token}").into_bytes() }),
    ];
    let values = prop::collection::vec(value, 0..3);
    check("Authorization headers", CASES, &values, async |values| {
        let Ok(values) = values.iter().map(|value| HeaderValue::from_bytes(value)).collect::<Result<Vec<_>, _>>() else {
            return Err(TestCaseError::reject("no header"));
        };
        let is_token = match values.as_slice() {
            [only] => only
                .as_bytes()
                .split_at_checked(7)
                .is_some_and(|(scheme, rest)| scheme.eq_ignore_ascii_case(b"Bearer ") && rest == token.as_bytes()),
            _ => false,
        };
        match verifier.caller(&authorization(values)).await {
            Ok(caller) => prop_assert!(is_token && caller.user_id == USER, "it names {}", caller.user_id),
            Err(error) => {
                prop_assert!(!is_token, "the token itself was refused: {error}");
                prop_assert!(matches!(error, AuthError::Rejected(_)), "{error}");
                prop_assert!(!error.to_string().contains(MARK), "{error}");
            }
        }
        Ok(())
    })
    .await;
}

/// Claims of which some may be wrong, and whether they are right.
fn claims(issuer: &TokenIssuer) -> impl Strategy<Value = (Value, bool)> + use<> {
    let whole = issuer.claims(USER);
    let now = whole["iat"].as_i64().unwrap();
    let right_or = |right: Value| prop_oneof![6 => Just((right, true)), 1 => json().prop_map(|value| (value, false))];
    let other = |right: &str| {
        let right = right.to_owned();
        prop_oneof![6 => Just((Value::from(right.clone()), true)), 1 => text().prop_filter("another", move |text| *text != right).prop_map(|text| (Value::from(text), false))]
    };
    let user = prop_oneof![
        6 => any::<u128>().prop_map(|bits| (Value::from(Uuid::from_u128(bits).to_string()), true)),
        1 => text().prop_map(|text| (Value::from(text), false)),
    ];
    let offset = |sign: i64| {
        (LEEWAY_S + 5..1_000_000, any::<bool>())
            .prop_map(move |(s, is_right)| (Value::from(now + if is_right { sign * s } else { -sign * s }), is_right))
    };
    let audience = prop_oneof![
        6 => right_or(Value::from(AUDIENCE)),
        1 => prop::collection::vec(text(), 0..3).prop_map(|mut list| { list.push(AUDIENCE.to_owned()); (json!(list), true) }),
    ];
    (other(&issuer.issuer()), audience, other("authenticated"), user, offset(1), prop::option::of(offset(-1))).prop_map(
        move |(issuer, audience, role, user, end, begin)| {
            let mut claims = json!({"iss": issuer.0, "aud": audience.0, "role": role.0, "sub": user.0, "exp": end.0});
            let mut is_right = [issuer.1, audience.1, role.1, user.1, end.1].iter().all(|right| *right);
            if let Some((begin, right)) = begin {
                claims["nbf"] = begin;
                is_right &= right;
            }
            (claims, is_right)
        },
    )
}

#[tokio::test]
async fn a_signed_token_counts_exactly_where_each_of_its_claims_is_right() {
    let sign_in = SignIn::start().await;
    let (verifier, header) = (sign_in.verifier(), sign_in.issuer.header());
    check("claims of tokens", CASES, &claims(&sign_in.issuer), async |(claims, is_right)| {
        let outcome = verifier.caller(&bearing(&sign_in.issuer.sign(&header, &claims))).await;
        prop_assert_eq!(outcome.is_ok(), is_right, "{:?}", outcome);
        if let Ok(caller) = outcome {
            prop_assert_eq!(Some(caller.user_id.to_string()), claims["sub"].as_str().map(str::to_owned));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn keys_of_other_kinds_never_hide_the_right_one() {
    let sign_in = SignIn::start().await;
    let token = sign_in.issuer.token(USER);
    let another = mutated(sign_in.key.as_object().unwrap().clone(), &["alg", "use", "key_ops", "n", "e", "d"]).prop_map(|mut key| {
        key.insert("kid".to_owned(), Value::from("another"));
        Value::Object(key)
    });
    let others = prop::collection::vec(prop_oneof![another, json()], 0..6);
    check("keys of other kinds", CASES, &(others, any::<prop::sample::Index>()), async |(mut keys, place)| {
        keys.insert(place.index(keys.len() + 1), sign_in.key.clone());
        sign_in.server.set(Canned::body(200, json!({ "keys": keys, "more": MARK }).to_string()));
        let caller = sign_in.verifier().caller(&bearing(&token)).await;
        prop_assert!(caller.as_ref().is_ok_and(|caller| caller.user_id == USER), "{:?}", caller);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_damaged_key_set_lets_nobody_in() {
    let sign_in = SignIn::start().await;
    let token = sign_in.issuer.token(USER);
    let coordinates = ["x", "y"].map(|name| sign_in.key[name].as_str().unwrap().to_owned());
    let whole = json!({ "keys": [sign_in.key] }).to_string().into_bytes();
    let body = prop_oneof![4 => damaged(whole), 1 => json().prop_map(|value| value.to_string().into_bytes())];
    let status = prop_oneof![8 => Just(200_u16), 1 => prop::sample::select(vec![204, 301, 404, 500])];
    check("damaged key sets", CASES, &(body, status), async |(body, status)| {
        sign_in.server.set(Canned::body(status, body.clone()));
        match sign_in.verifier().caller(&bearing(&token)).await {
            Ok(caller) => {
                let body = String::from_utf8_lossy(&body);
                prop_assert_eq!((caller.user_id, coordinates.iter().all(|number| body.contains(number.as_str()))), (USER, true));
            }
            Err(error) => prop_assert!(!error.to_string().contains(MARK), "{error}"),
        }
        Ok(())
    })
    .await;
}
