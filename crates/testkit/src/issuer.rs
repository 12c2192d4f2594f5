//! A sign-in: signs tokens with ES256 or RS256 and serves its key set over HTTP.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

/// The claim `aud` of its tokens.
pub const AUDIENCE: &str = "authenticated";
/// How long its tokens live, seconds.
const TOKEN_TTL_S: i64 = 3600;

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

struct SigningKey {
    kid: String,
    pair: Pair,
}

impl SigningKey {
    fn new(pair: Pair) -> Self {
        let mut key = Self { kid: String::new(), pair };
        let fingerprint = runaway_core::vault::fingerprint(key.public());
        key.kid = URL_SAFE_NO_PAD.encode(&fingerprint[..9]);
        key
    }

    fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Ec(_) => "ES256",
            Pair::Rsa(_) => "RS256",
        }
    }

    /// An uncompressed point, or an `RSAPublicKey` in DER.
    fn public(&self) -> &[u8] {
        match &self.pair {
            Pair::Ec(pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
        }
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Ec(pair) => pair.sign(&SystemRandom::new(), text).expect("a signature").as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).expect("a signature");
                signature
            }
        }
    }

    /// The key as a key set shows it.
    fn shown(&self) -> Value {
        let (public, part) = (self.public(), |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes));
        let mut key = match self.pair {
            // The point: 4, x, y.
            Pair::Ec(_) => json!({"kty": "EC", "crv": "P-256", "x": part(&public[1..33]), "y": part(&public[33..65])}),
            // The sequence of 2,048 bits and an exponent of three bytes: nine bytes of lengths, n, two bytes of length, e.
            Pair::Rsa(_) => json!({"kty": "RSA", "n": part(&public[9..265]), "e": part(&public[267..270])}),
        };
        key["alg"] = json!(self.algorithm());
        key["use"] = json!("sig");
        key["kid"] = json!(self.kid);
        key
    }
}

struct Inner {
    issuer: String,
    keys: Mutex<Vec<SigningKey>>,
    fetches: AtomicUsize,
}

/// A running sign-in.
#[derive(Clone)]
pub struct TokenIssuer(Arc<Inner>);

impl std::fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenIssuer").field("issuer", &self.0.issuer).finish_non_exhaustive()
    }
}

/// A new signing key in PKCS#8, for a sign-in whose tokens outlive a restart.
pub fn new_key() -> Vec<u8> {
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).expect("a key").as_ref().to_vec()
}

fn signing_key(pkcs8: &[u8]) -> SigningKey {
    SigningKey::new(Pair::Ec(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).expect("a P-256 key in PKCS#8")))
}

impl TokenIssuer {
    /// Starts on `port`, or on a free one for 0, with a key from [`new_key`].
    pub async fn start(port: u16, pkcs8: &[u8]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a port for the sign-in");
        let port = listener.local_addr().expect("the port").port();
        let issuer = Self::offline(&format!("http://127.0.0.1:{port}"), pkcs8);
        let router = Router::new().route("/.well-known/jwks.json", get(key_set)).with_state(issuer.0.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    /// Signs for the sign-in that is known as `issuer`, without serving its keys.
    pub fn offline(issuer: &str, pkcs8: &[u8]) -> Self {
        let keys = Mutex::new(vec![signing_key(pkcs8)]);
        Self(Arc::new(Inner { issuer: issuer.to_owned(), keys, fetches: AtomicUsize::new(0) }))
    }

    /// The claim `iss`.
    pub fn issuer(&self) -> String {
        self.0.issuer.clone()
    }

    /// Address of the key set.
    pub fn jwks_url(&self) -> String {
        format!("{}/.well-known/jwks.json", self.issuer())
    }

    /// How often the key set was asked for.
    pub fn fetches(&self) -> usize {
        self.0.fetches.load(Ordering::Relaxed)
    }

    /// Signs with a new key from here on; the key set has both.
    pub fn rotate(&self) {
        self.0.keys.lock().unwrap().push(signing_key(&new_key()));
    }

    /// The same with an RSA key.
    pub fn rotate_to_rsa(&self) {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        self.0.keys.lock().unwrap().push(SigningKey::new(Pair::Rsa(pair)));
    }

    /// Takes the newest key out of the key set; the one before signs again.
    pub fn withdraw(&self) {
        self.0.keys.lock().unwrap().pop();
    }

    /// The key set as it is served.
    pub fn key_set(&self) -> Value {
        let keys: Vec<Value> = self.0.keys.lock().unwrap().iter().map(SigningKey::shown).collect();
        json!({ "keys": keys })
    }

    /// A valid token for a user.
    pub fn token(&self, user_id: Uuid) -> String {
        self.sign(&self.header(), &self.claims(user_id))
    }

    /// The header of a valid token.
    pub fn header(&self) -> Value {
        let keys = self.0.keys.lock().unwrap();
        let key = keys.last().expect("a key");
        json!({"alg": key.algorithm(), "typ": "JWT", "kid": key.kid})
    }

    /// The claims of a valid token.
    pub fn claims(&self, user_id: Uuid) -> Value {
        let now = jiff::Timestamp::now().as_second();
        json!({"iss": self.issuer(), "aud": AUDIENCE, "sub": user_id, "role": "authenticated", "iat": now, "exp": now + TOKEN_TTL_S})
    }

    /// A token with these contents, signed with the newest key whatever the header says.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = unsigned(header, claims);
        let keys = self.0.keys.lock().unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(keys.last().expect("a key").sign(text.as_bytes())))
    }

    /// A token signed with HS256 and the public key's bytes as the secret: the classic confusion of algorithms.
    pub fn sign_with_public_key(&self, claims: &Value) -> String {
        let mut header = self.header();
        header["alg"] = json!("HS256");
        let text = unsigned(&header, claims);
        let keys = self.0.keys.lock().unwrap();
        let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, keys.last().expect("a key").public());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&secret, text.as_bytes()).as_ref()))
    }
}

/// Header and claims without a signature.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

async fn key_set(State(inner): State<Arc<Inner>>) -> Json<Value> {
    inner.fetches.fetch_add(1, Ordering::Relaxed);
    Json(TokenIssuer(inner).key_set())
}
