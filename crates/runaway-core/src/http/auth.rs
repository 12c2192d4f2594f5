//! From a bearer token to the caller. The signature's algorithm is taken from the key, never from the token.

use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use lambda_http::http::{HeaderMap, header};
use serde::Deserialize;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::config::AuthConfig;

/// How long the keys are believed.
const KEYS_TTL: Duration = Duration::from_secs(10 * 60);
/// How long keys are believed while the issuer does not answer: a key it has withdrawn must not live for ever.
const KEYS_STALE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How often an unknown key id, or an unreachable key set, may lead to another request.
const REFETCH_INTERVAL: Duration = Duration::from_secs(30);
/// How long the key set may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);
/// The largest key set that is read.
const KEY_SET_BYTES_MAX: usize = 256 * 1024;
/// The longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// How far clocks may differ, for `exp` and `nbf`.
const LEEWAY_S: u64 = 10;
/// The only role whose tokens are people's.
const ROLE: &str = "authenticated";

/// Who calls: nothing but the verified user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The claim `sub`.
    pub user_id: Uuid,
}

/// Why there is no caller.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The token is missing or not valid.
    #[error("the token was refused: {0}")]
    Rejected(&'static str),
    /// The keys cannot be had, so no token can be judged.
    #[error("the key set cannot be read: {0}")]
    KeysUnavailable(String),
}

#[derive(Deserialize)]
struct Claims {
    sub: Uuid,
    role: String,
}

#[derive(Default)]
struct Cache {
    keys: Option<(JwkSet, Instant)>,
    last_fetch: Option<Instant>,
}

/// Verifies tokens against the issuer's key set, which it caches.
pub struct Verifier {
    config: AuthConfig,
    http: reqwest::Client,
    cache: Mutex<Cache>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Verifier {
    /// A verifier; the keys are fetched with the first token.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(config: AuthConfig) -> Result<Self, reqwest::Error> {
        Ok(Self { config, http: super::client_builder(FETCH_TIMEOUT).build()?, cache: Mutex::default() })
    }

    /// The caller named by the `Authorization` header.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, AuthError> {
        let token = bearer(headers).ok_or(AuthError::Rejected("no bearer token"))?;
        if token.len() > TOKEN_BYTES_MAX {
            return Err(AuthError::Rejected("too long"));
        }
        let header = decode_header(token).map_err(|_| AuthError::Rejected("not a JWT"))?;
        let kid = header.kid.ok_or(AuthError::Rejected("no key id"))?;
        let key = self.key(&kid).await?.ok_or(AuthError::Rejected("unknown key"))?;
        let algorithm = algorithm_of(&key).ok_or(AuthError::Rejected("the key is of an unsupported kind"))?;
        let mut validation = Validation::new(algorithm);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.audience]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_S;
        let decoding = DecodingKey::from_jwk(&key).map_err(|_| AuthError::Rejected("the key cannot be used"))?;
        let claims = decode::<Claims>(token, &decoding, &validation).map_err(|_| AuthError::Rejected("signature or claims"))?.claims;
        if claims.role != ROLE {
            return Err(AuthError::Rejected("another role"));
        }
        Ok(Caller { user_id: claims.sub })
    }

    /// The key with this id. Callers wait for one fetch rather than each making their own.
    async fn key(&self, kid: &str) -> Result<Option<Jwk>, AuthError> {
        let mut cache = self.cache.lock().await;
        if cache.keys.as_ref().is_some_and(|(_, at)| at.elapsed() > KEYS_STALE_MAX) {
            cache.keys = None;
        }
        let known = cache.keys.as_ref().and_then(|(keys, _)| keys.find(kid).cloned());
        let fresh = cache.keys.as_ref().is_some_and(|(_, at)| at.elapsed() < KEYS_TTL);
        let may_fetch = cache.last_fetch.is_none_or(|at| at.elapsed() >= REFETCH_INTERVAL);
        if (known.is_some() && fresh) || !may_fetch {
            return match (&known, &cache.keys) {
                (None, None) => Err(AuthError::KeysUnavailable("the last try failed a moment ago".to_owned())),
                _ => Ok(known),
            };
        }
        cache.last_fetch = Some(Instant::now());
        match self.fetch().await {
            Ok(keys) => {
                let key = keys.find(kid).cloned();
                cache.keys = Some((keys, Instant::now()));
                Ok(key)
            }
            // Keys that were good a while ago beat no keys: the issuer may be down for a moment.
            Err(error) if known.is_some() => {
                tracing::warn!(error = %error, "The key set could not be refreshed; the cached keys serve on");
                Ok(known)
            }
            Err(error) => Err(error),
        }
    }

    async fn fetch(&self) -> Result<JwkSet, AuthError> {
        let unavailable = |error: reqwest::Error| AuthError::KeysUnavailable(error.without_url().to_string());
        let answer = self.http.get(&self.config.jwks_url).send().await.map_err(unavailable)?;
        let mut answer = answer.error_for_status().map_err(unavailable)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unavailable)? {
            body.extend_from_slice(&chunk);
            if body.len() > KEY_SET_BYTES_MAX {
                return Err(AuthError::KeysUnavailable("it is too large".to_owned()));
            }
        }
        read_key_set(&body).ok_or_else(|| AuthError::KeysUnavailable("it is no JSON key set".to_owned()))
    }
}

/// Reads key by key: one of a kind unknown here must not hide the others.
fn read_key_set(body: &[u8]) -> Option<JwkSet> {
    let set: serde_json::Value = serde_json::from_slice(body).ok()?;
    let keys = set.get("keys")?.as_array()?;
    Some(JwkSet { keys: keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect() })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (values.next().is_none() && scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// ES256 for a P-256 key, RS256 for an RSA key, nothing else. A key that says another algorithm of itself is not used.
fn algorithm_of(key: &Jwk) -> Option<Algorithm> {
    use jsonwebtoken::jwk::AlgorithmParameters::{EllipticCurve as Ec, RSA};
    let (algorithm, name) = match &key.algorithm {
        Ec(parameters) if parameters.curve == EllipticCurve::P256 => (Algorithm::ES256, "ES256"),
        RSA(_) => (Algorithm::RS256, "RS256"),
        _ => return None,
    };
    key.common.key_algorithm.is_none_or(|said| said.to_string() == name).then_some(algorithm)
}
