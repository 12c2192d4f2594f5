//! A key set that cannot be had, or is none: nobody gets in, the answer comes in time, and all is well when it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::gateway::Gateway;
use testkit::issuer::{new_key, unsigned};
use testkit::{TokenIssuer, World};
use tokio::net::TcpListener;

use crate::client::{Answer, Request, exchange};
use crate::stage::{Expect, UNAUTHORIZED, judge, refused};
use crate::tally::Tally;

const CLASS: &str = "key set";
const FUNCTION: &str = "job-status";
/// How long an answer may take while the key set takes for ever.
const BOUND: Duration = Duration::from_secs(12);
/// After which a failed look at the key set may be repeated, and a little more.
const REFETCH_INTERVAL: Duration = Duration::from_secs(31);
/// Larger than a key set that is read.
const HUGE_BYTES: usize = 1024 * 1024;
/// A key that both sides would know.
const SHARED_KEY_ID: &str = "shared";
const SHARED_SECRET: &[u8] = b"secret";
const UNAVAILABLE: Expect = refused(503, "UPSTREAM_UNAVAILABLE");

#[derive(Clone)]
struct KeyServer {
    issuer: TokenIssuer,
    is_well: Arc<AtomicBool>,
}

async fn keys(State(server): State<KeyServer>, Path(fault): Path<String>) -> Response {
    let good = server.issuer.key_set();
    if server.is_well.load(Ordering::Relaxed) {
        return axum::Json(good).into_response();
    }
    match fault.as_str() {
        "error" => (StatusCode::INTERNAL_SERVER_ERROR, axum::Json(good)).into_response(),
        "silent" => std::future::pending().await,
        "page" => "<html>We will be back soon.</html>".into_response(),
        "half" => good.to_string().split_at(40).0.to_owned().into_response(),
        "huge" => axum::Json(json!({"keys": good["keys"], "padding": "x".repeat(HUGE_BYTES)})).into_response(),
        "elsewhere" => (StatusCode::FOUND, [(header::LOCATION, "/good")]).into_response(),
        "none" => axum::Json(json!({"keys": []})).into_response(),
        "secret" => {
            axum::Json(json!({"keys": [{"kty": "oct", "kid": SHARED_KEY_ID, "k": URL_SAFE_NO_PAD.encode(SHARED_SECRET)}]})).into_response()
        }
        // Where "elsewhere" leads: following it would let everybody in again.
        "good" => axum::Json(good).into_response(),
        other => panic!("the fault {other}"),
    }
}

/// A function that looks for keys at `address`.
struct Looking {
    fault: &'static str,
    expected: Expect,
    gateway: Gateway,
}

impl Looking {
    async fn call(&self, token: &str) -> Answer {
        let request = Request::new("GET", "/job-status/00000000-0000-4000-8000-000000000000").bearer(token);
        exchange(self.gateway.address(), &request.bytes()).await
    }

    /// While the keys cannot be had: the right token and forged ones.
    async fn in_trouble(&self, good: &str, forged: &[String]) -> Tally {
        let mut tally = Tally::default();
        for token in [good].into_iter().chain(forged.iter().map(String::as_str)).chain([good]) {
            let began = Instant::now();
            let answer = self.call(token).await;
            judge(&mut tally, &[], CLASS, self.fault, &answer, self.expected);
            assert!(began.elapsed() < BOUND, "{}: answered after {:?}", self.fault, began.elapsed());
        }
        tally
    }

    /// When they are back.
    async fn recovered(&self, good: &str, forged: &[String]) -> Tally {
        let mut tally = Tally::default();
        let answer = self.call(good).await;
        // In, and told that a user without an athlete has none.
        assert_eq!((answer.status, answer.code().as_str()), (404, "ATHLETE_NOT_FOUND"), "{} does not recover: {answer:?}", self.fault);
        for token in forged {
            judge(&mut tally, &[], CLASS, self.fault, &self.call(token).await, UNAUTHORIZED);
        }
        assert!(self.gateway.faults().is_empty(), "{:?}", self.gateway.faults());
        tally
    }
}

/// A token that whoever knows the shared secret can make.
fn shared(claims: &Value) -> String {
    let text = unsigned(&json!({"alg": "HS256", "typ": "JWT", "kid": SHARED_KEY_ID}), claims);
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SHARED_SECRET), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

pub(crate) async fn attacks() -> Tally {
    let world = World::new().await;
    let server = KeyServer { issuer: world.issuer.clone(), is_well: Arc::default() };
    let router = Router::new().route("/{fault}", get(keys)).with_state(server.clone());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port for the key set");
    let address = listener.local_addr().expect("the port");
    let served = router.clone();
    tokio::spawn(async move { axum::serve(listener, served).await });
    // A port where nobody listens, yet.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port").local_addr().expect("the port");

    let faults = [
        ("nobody listens", UNAVAILABLE),
        ("error", UNAVAILABLE),
        ("silent", UNAVAILABLE),
        ("page", UNAVAILABLE),
        ("half", UNAVAILABLE),
        ("huge", UNAVAILABLE),
        ("elsewhere", UNAVAILABLE),
        ("none", UNAUTHORIZED),
        ("secret", UNAUTHORIZED),
    ];
    let start = async |(fault, expected): (&'static str, Expect)| {
        let url = if fault == "nobody listens" { format!("http://{silent}/error") } else { format!("http://{address}/{fault}") };
        let mut variables = world.variables();
        variables.retain(|(name, _)| *name != "AUTH_JWKS_URL");
        variables.push(("AUTH_JWKS_URL", url));
        Looking { fault, expected, gateway: Gateway::start(&[FUNCTION.to_owned()], 1, &variables).await }
    };
    let looking = join_all(faults.map(start)).await;

    let attacker = TokenIssuer::offline(&world.issuer.issuer(), &new_key());
    let claims = world.issuer.claims(world.user_id);
    let forged = [
        attacker.sign(&world.issuer.header(), &claims),
        attacker.sign(&attacker.header(), &claims),
        world.issuer.sign_with_public_key(&claims),
        shared(&claims),
    ];
    let good = world.token();
    let mut tally = Tally::default();
    for one in join_all(looking.iter().map(|one| one.in_trouble(&good, &forged))).await {
        tally.add(one);
    }
    server.is_well.store(true, Ordering::Relaxed);
    let listener = TcpListener::bind(silent).await.expect("the port where nobody listened");
    tokio::spawn(async move { axum::serve(listener, router).await });
    tokio::time::sleep(REFETCH_INTERVAL).await;
    for one in join_all(looking.iter().map(|one| one.recovered(&good, &forged))).await {
        tally.add(one);
    }
    tally
}
