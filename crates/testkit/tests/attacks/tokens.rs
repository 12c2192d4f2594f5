//! Tokens that are none: every call of an athlete's with everything that might pass for a token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use testkit::TokenIssuer;
use testkit::issuer::{new_key, unsigned};

use crate::client::Request;
use crate::endpoints::ENDPOINTS;
use crate::stage::{Stage, UNAUTHORIZED};

const CLASS: &str = "tokens";
/// Longer than a token that is looked at.
const HUGE_BYTES: usize = 9 * 1024;
/// Whose keys the attacker offers.
const EVIL: &str = "https://evil.example/keys.json";

/// A forgery: what it is called, and its headers.
type Forgery = (&'static str, Vec<(&'static str, String)>);

fn with(value: &Value, changes: &[(&str, Value)]) -> Value {
    let mut value = value.clone();
    for (name, change) in changes {
        if change.is_null() {
            value.as_object_mut().expect("an object").remove(*name);
        } else {
            value[*name] = change.clone();
        }
    }
    value
}

/// A token of a key that has been taken out of the key set; made before anybody has asked for the set.
pub(crate) fn withdrawn(stage: &Stage) -> String {
    let issuer = &stage.world.issuer;
    issuer.rotate_to_rsa();
    let token = issuer.token(stage.world.user_id);
    issuer.withdraw();
    token
}

fn forgeries(stage: &Stage, withdrawn: &str) -> Vec<Forgery> {
    let issuer = &stage.world.issuer;
    let attacker = TokenIssuer::offline(&issuer.issuer(), &new_key());
    // The attacker wants to be the victim.
    let (header, claims) = (issuer.header(), issuer.claims(stage.victim.user));
    let now = jiff::Timestamp::now().as_second();
    let signed = |changes: &[(&str, Value)]| issuer.sign(&header, &with(&claims, changes));
    let headed = |changes: &[(&str, Value)]| issuer.sign(&with(&header, changes), &claims);
    let evil_headed = |changes: &[(&str, Value)]| attacker.sign(&with(&attacker.header(), changes), &claims);
    let (own, expired) = (stage.token(), signed(&[("exp", json!(now - 60))]));
    let (own_head, own_signature) = (own.split('.').next().unwrap_or_default(), own.split('.').nth(2).unwrap_or_default());
    let tampered = format!("{own_head}.{}.{own_signature}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let evil_key = attacker.key_set()["keys"][0].clone();
    let tokens = vec![
        ("an empty token", String::new()),
        ("garbage", "x".to_owned()),
        ("three dots of garbage", "eyJ.eyJ.x".to_owned()),
        ("NUL and quotes", "'\"\\%00".to_owned()),
        ("expired", expired.clone()),
        ("not valid yet", signed(&[("nbf", json!(now + 3600))])),
        ("another issuer", signed(&[("iss", json!("https://evil.example"))])),
        ("an issuer that begins alike", signed(&[("iss", json!(format!("{}.evil.example", issuer.issuer())))])),
        ("another audience", signed(&[("aud", json!("anon"))])),
        ("the role anon", signed(&[("role", json!("anon"))])),
        ("the role service_role", signed(&[("role", json!("service_role"))])),
        ("the role in capitals", signed(&[("role", json!("AUTHENTICATED"))])),
        ("no role", signed(&[("role", Value::Null)])),
        ("roles as a list", signed(&[("role", json!(["authenticated"]))])),
        ("no subject", signed(&[("sub", Value::Null)])),
        ("a subject that is no UUID", signed(&[("sub", json!("1 OR 1=1"))])),
        ("a subject that is a number", signed(&[("sub", json!(1))])),
        ("no expiry", signed(&[("exp", Value::Null)])),
        ("an expiry that is a text", signed(&[("exp", json!("never"))])),
        ("no issuer", signed(&[("iss", Value::Null)])),
        ("no audience", signed(&[("aud", Value::Null)])),
        ("alg none without a signature", format!("{}.", unsigned(&with(&header, &[("alg", json!("none"))]), &claims))),
        ("alg none with a signature", headed(&[("alg", json!("none"))])),
        ("HS256 with the public key as the secret", issuer.sign_with_public_key(&claims)),
        ("RS256 said of an ES256 key", headed(&[("alg", json!("RS256"))])),
        ("an unknown key", evil_headed(&[])),
        ("the right key id on another's signature", attacker.sign(&header, &claims)),
        ("no key id", headed(&[("kid", Value::Null)])),
        ("a key id that is a path", evil_headed(&[("kid", json!("../../../../../../dev/null"))])),
        ("a key id that is SQL", evil_headed(&[("kid", json!("x' UNION SELECT 'secret' --"))])),
        ("a key id that is an address", evil_headed(&[("kid", json!(EVIL))])),
        ("the attacker's key set named by jku", evil_headed(&[("jku", json!(EVIL))])),
        ("the attacker's certificate named by x5u", evil_headed(&[("x5u", json!(EVIL))])),
        ("the attacker's key in jwk", evil_headed(&[("jwk", evil_key.clone())])),
        ("the attacker's key in jwk under the right key id", attacker.sign(&with(&header, &[("jwk", evil_key)]), &claims)),
        ("another's claims under the own signature", tampered),
        ("a huge token", signed(&[("padding", json!("x".repeat(HUGE_BYTES)))])),
        ("a key that was withdrawn", withdrawn.to_owned()),
    ];
    let bearer = |(what, token): (&'static str, String)| (what, vec![("authorization", format!("Bearer {token}"))]);
    let victims = stage.world.issuer.token(stage.victim.user);
    let mut all: Vec<Forgery> = tokens.into_iter().map(bearer).collect();
    all.extend([
        ("no header", vec![]),
        ("another scheme", vec![("authorization", format!("Basic {own}"))]),
        ("no scheme", vec![("authorization", own.clone())]),
        ("a forged one behind the own", vec![("authorization", format!("Bearer {own}")), ("authorization", format!("Bearer {expired}"))]),
        (
            "other headers",
            vec![("x-user-id", stage.victim.user.to_string()), ("apikey", victims.clone()), ("cookie", format!("sb={victims}"))],
        ),
    ]);
    all
}

pub(crate) async fn attacks(stage: &Stage, withdrawn: &str) {
    let forgeries = forgeries(stage, withdrawn);
    for endpoint in &ENDPOINTS {
        for (what, headers) in &forgeries {
            let mut request = endpoint.call("", "");
            for (name, value) in headers {
                request = request.header(name, value);
            }
            stage.attack(CLASS, what, &request, UNAUTHORIZED).await;
        }
        let query = format!("access_token={0}&token={0}", stage.world.issuer.token(stage.victim.user));
        stage.attack(CLASS, "a token in the query", &endpoint.call(&query, ""), UNAUTHORIZED).await;
    }
}

/// What must be accepted, or the refusals above would prove nothing: both kinds of keys, and a key that is new.
pub(crate) async fn good_tokens_pass(stage: &Stage) {
    let call = |token: &str| Request::new("GET", "/chat/memory").bearer(token);
    assert_eq!(stage.send(&call(&stage.token())).await.status, 200, "ES256");
    stage.world.issuer.rotate_to_rsa();
    assert_eq!(accepted_at_last(stage).await, 200, "RS256, and a new key");
}

/// An unknown key id leads to another look at the key set, but not at once after the last.
async fn accepted_at_last(stage: &Stage) -> u16 {
    const TRIES_MAX: u32 = 80;
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);
    let request = Request::new("GET", "/chat/memory").bearer(&stage.token());
    let mut status = 0;
    for _ in 0..TRIES_MAX {
        status = stage.send(&request).await.status;
        if status != 401 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    status
}
