//! Typed settings, one struct per concern. The only reader of the environment and of Secrets Manager.
//!
//! Every setting is named in [`SETTINGS`]. A function reads the structs it needs through a [`Reader`], which notes
//! every missing or senseless value and reports them all at once, so that a deployment is repaired in one go.

mod authorize;
mod limits;
mod model;

use std::collections::BTreeMap;
use std::sync::OnceLock;

pub use authorize::AuthorizeConfig;
pub use limits::DailyLimit;
pub use model::{ClaudeConfig, Effort, ModelConfig};
use secrecy::SecretString;
use url::Url;

mod events;

pub use events::{CleanupConfig, WebhookConfig};

/// The setting that names the Secrets Manager document; where it is set, the stricter rules of production hold.
pub const SECRET_ARN: &str = "RUNAWAY_SECRET_ARN";

/// The setting that names CloudWatch's namespace of the metrics. Of the environment only: lines are written before the
/// document is read.
pub const METRICS_NAMESPACE: &str = "METRICS_NAMESPACE";
const METRICS_NAMESPACE_DEFAULT: &str = "Runaway";

/// One setting of the functions.
#[derive(Debug)]
pub struct Setting {
    /// Name of the variable, and of the key in the secret document.
    pub name: &'static str,
    /// Whether it belongs into the secret document rather than the environment.
    pub secret: bool,
    /// What it means.
    pub description: &'static str,
}

const fn plain(name: &'static str, description: &'static str) -> Setting {
    Setting { name, secret: false, description }
}

const fn secret(name: &'static str, description: &'static str) -> Setting {
    Setting { name, secret: true, description }
}

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    secret("DATABASE_URL", "PostgreSQL of the functions, with the login role runaway_app"),
    // No secret, but longer than an environment may be.
    secret("DATABASE_CA_PEM", "Optional: certificates, beside the public ones, that the database's certificate may chain to"),
    secret("DATABASE_ADMIN_URL", "PostgreSQL of the migration, with a login that owns the database; migrate only"),
    plain("SYNC_QUEUE_URL", "The SQS queue of sync jobs"),
    plain("JOURNAL_QUEUE_URL", "The SQS queue of weeks to write"),
    plain("AUTH_ISSUER", "The claim iss of a valid token"),
    plain("AUTH_AUDIENCE", "The claim aud of a valid token"),
    plain("AUTH_JWKS_URL", "Where the sign-in's public keys are"),
    plain("PUBLIC_BASE_URL", "Address of the API as the athlete's browser sees it; ends in /functions/v1"),
    plain("APP_REDIRECTS", "Addresses of the app to which the callback may redirect, separated by commas"),
    plain(
        "OAUTH_CONFIRM",
        "Optional: `required` where nothing may be linked before whoever began an authorisation confirms it, or `optional`; optional where absent",
    ),
    plain("STRAVA_API_BASE", "Strava's API, https://www.strava.com/api/v3"),
    plain("STRAVA_OAUTH_BASE", "Strava's sign-in, https://www.strava.com"),
    plain("STRAVA_CLIENT_ID", "The application's id at Strava"),
    secret("STRAVA_CLIENT_SECRET", "The application's secret at Strava"),
    secret("STRAVA_WEBHOOK_PATH", "The secret last segment of the webhook's address: 16 to 128 letters, digits, - or _"),
    secret("STRAVA_VERIFY_TOKEN", "What Strava repeats when the subscription is made; at least 16 characters"),
    plain("STRAVA_SUBSCRIPTION_ID", "The subscription's id, printed by `make webhook`; without it no event is believed"),
    plain(
        "ERASE_AFTER_DISCONNECT_DAYS",
        "Days from a disconnection to the erasure of what came from Strava; 30 where absent, 0 erases at once",
    ),
    plain("RETENTION_DAYS", "Days for which what came from Strava is held; absent: without limit"),
    secret("TOKEN_KEYS", "Keys that seal tokens: id:base64,id:base64, 32 bytes each; the first seals"),
    plain("ANTHROPIC_BASE_URL", "Claude's API, https://api.anthropic.com; needed where ANTHROPIC_API_KEY is set"),
    secret("ANTHROPIC_API_KEY", "Optional: the key of Claude's API; without it nothing is sent to a model"),
    plain("ANTHROPIC_MODEL", "Optional: the model's id"),
    plain("ANTHROPIC_EFFORT", "Optional: how much the model thinks: low, medium or high; medium where absent"),
    plain("MODEL_SOURCES", "Optional: sources whose data may be sent to a model, separated by commas; none where absent"),
    plain("CHAT_MESSAGES_PER_DAY", "Optional: messages to the coach of one athlete in a day; 100 where absent"),
    plain("CHAT_TOKENS_PER_DAY", "Optional: model tokens of one athlete's messages in a day; 600000 where absent"),
    plain("JOURNAL_TEXTS_PER_DAY", "Optional: texts of one athlete's journal that a model writes in a day; 40 where absent"),
    plain("JOURNAL_TOKENS_PER_DAY", "Optional: model tokens of one athlete's journal in a day; 300000 where absent"),
    plain("SYNCS_PER_DAY", "Optional: syncs that one athlete may begin in a day; 50 where absent"),
    plain("EXPORTS_PER_DAY", "Optional: exports of one athlete's data in a day; 3 where absent"),
    plain(METRICS_NAMESPACE, "Optional: CloudWatch's namespace of the metrics, of the environment only; Runaway where absent"),
    plain(SECRET_ARN, "The Secrets Manager document that holds the secret settings; absent locally"),
];

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Names every missing or senseless setting.
    #[error("settings: {}", .0.join("; "))]
    Settings(Vec<String>),
    /// The document named by `RUNAWAY_SECRET_ARN` could not be read.
    #[error("the secret document cannot be read")]
    SecretDocument(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The values before they are given types.
pub struct Settings(BTreeMap<String, String>);

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Settings {
    /// Reads the environment and, where [`SECRET_ARN`] is set, the document it names, which wins.
    ///
    /// # Errors
    /// [`ConfigError::SecretDocument`] when the document is not to be had or is no JSON object of strings.
    pub async fn load() -> Result<Self, ConfigError> {
        #[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
        let from_environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let named = SETTINGS.iter().filter_map(|setting| Some((setting.name, from_environment(setting.name)?)));
        Self::from_pairs(named).with_secret_document().await
    }

    /// Adds the document named by [`SECRET_ARN`], if one is named.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub async fn with_secret_document(mut self) -> Result<Self, ConfigError> {
        if let Some(arn) = self.0.get(SECRET_ARN) {
            self.0.append(&mut secret_document(arn).await?);
        }
        Ok(self)
    }

    /// Settings given as pairs.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// Lets `read` take what it needs and reports everything that is wrong at once.
    ///
    /// # Errors
    /// [`ConfigError::Settings`].
    pub fn read<T>(&self, read: impl FnOnce(&mut Reader<'_>) -> T) -> Result<T, ConfigError> {
        let mut reader = Reader { settings: self, problems: Vec::new() };
        let value = read(&mut reader);
        if reader.problems.is_empty() { Ok(value) } else { Err(ConfigError::Settings(reader.problems)) }
    }
}

/// Whether this process was started by Lambda rather than by hand.
pub fn is_lambda() -> bool {
    #[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
    std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// The level that Lambda's `AWS_LAMBDA_LOG_LEVEL` asks for; INFO where it says nothing that is one.
pub fn log_level() -> tracing::Level {
    #[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
    let said = std::env::var("AWS_LAMBDA_LOG_LEVEL");
    level_of(&said.unwrap_or_default())
}

/// One word, however it is written; a list by crates, as elsewhere, is none.
fn level_of(said: &str) -> tracing::Level {
    said.parse().unwrap_or(tracing::Level::INFO)
}

/// The namespace that [`METRICS_NAMESPACE`] names.
pub fn metrics_namespace() -> &'static str {
    static NAMESPACE: OnceLock<String> = OnceLock::new();
    NAMESPACE.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
        let named = std::env::var(METRICS_NAMESPACE).ok().filter(|namespace| !namespace.is_empty());
        named.unwrap_or_else(|| METRICS_NAMESPACE_DEFAULT.to_owned())
    })
}

async fn secret_document(arn: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let client = aws_sdk_secretsmanager::Client::new(&aws_config::load_defaults(crate::queue::aws_behavior()).await);
    let answer = client.get_secret_value().secret_id(arn).send().await.map_err(|error| ConfigError::SecretDocument(error.into()))?;
    let text = answer.secret_string().unwrap_or_default();
    // The parser's message would quote the document.
    serde_json::from_str(text).map_err(|_| ConfigError::SecretDocument("it is not a JSON object of strings".into()))
}

/// Takes settings out and notes what is wrong with them.
#[derive(Debug)]
pub struct Reader<'a> {
    settings: &'a Settings,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn is_production(&self) -> bool {
        self.settings.0.contains_key(SECRET_ARN)
    }

    fn problem(&mut self, name: &str, what: &str) {
        self.problems.push(format!("{name} {what}"));
    }

    /// A setting that may be absent; an empty one counts as absent.
    fn optional(&self, name: &str) -> Option<String> {
        self.settings.0.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// A setting that must be there; an empty one is not, for an empty secret would be known to everybody.
    fn text(&mut self, name: &str) -> String {
        if let Some(value) = self.optional(name) {
            return value;
        }
        self.problem(name, "is missing");
        String::new()
    }

    fn secret(&mut self, name: &str) -> SecretString {
        SecretString::from(self.text(name))
    }

    /// An address without a slash at its end. In production only `https`.
    fn url(&mut self, name: &str) -> String {
        let text = self.text(name);
        match Url::parse(&text) {
            _ if text.is_empty() => {}
            Ok(url) if !matches!(url.scheme(), "http" | "https") => self.problem(name, "is not an http address"),
            Ok(url) if self.is_production() && url.scheme() != "https" => self.problem(name, "must be https"),
            Ok(_) => {}
            Err(_) => self.problem(name, "is not an address"),
        }
        text.trim_end_matches('/').to_owned()
    }

    /// A whole number of at least `min`; `None` where absent.
    fn number(&mut self, name: &str, min: i64) -> Option<i64> {
        let text = self.settings.0.get(name)?;
        let number = text.parse().ok().filter(|number| *number >= min);
        if number.is_none() {
            self.problem(name, &format!("is not a whole number of at least {min}"));
        }
        number
    }

    /// Certificates as PEM; `None` where absent.
    fn certificates(&mut self, name: &str) -> Option<String> {
        let text = self.optional(name)?;
        if let Err(what) = crate::db::authorities(&text) {
            self.problem(name, what);
        }
        Some(text)
    }

    fn database(&mut self, name: &str) -> SecretString {
        let text = self.text(name);
        match text.parse::<tokio_postgres::Config>() {
            _ if text.is_empty() => {}
            Ok(config) if self.is_production() && config.get_ssl_mode() != tokio_postgres::config::SslMode::Require => {
                self.problem(name, "must say sslmode=require");
            }
            Ok(_) => {}
            Err(_) => self.problem(name, "is not a PostgreSQL address"),
        }
        SecretString::from(text)
    }
}

/// The functions' database.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// Address with the login role `runaway_app`.
    pub url: SecretString,
    /// Further certificate authorities, PEM.
    pub ca_pem: Option<String>,
}

impl DatabaseConfig {
    /// Reads `DATABASE_URL` and `DATABASE_CA_PEM`.
    pub fn read(from: &mut Reader<'_>) -> Self {
        Self { url: from.database("DATABASE_URL"), ca_pem: from.certificates("DATABASE_CA_PEM") }
    }

    /// Reads `DATABASE_ADMIN_URL` instead: the migration's login.
    pub fn read_admin(from: &mut Reader<'_>) -> Self {
        Self { url: from.database("DATABASE_ADMIN_URL"), ca_pem: from.certificates("DATABASE_CA_PEM") }
    }
}

/// Who signs the callers' tokens.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// The claim `iss`.
    pub issuer: String,
    /// The claim `aud`.
    pub audience: String,
    /// Address of the key set.
    pub jwks_url: String,
}

impl AuthConfig {
    /// Reads `AUTH_ISSUER`, `AUTH_AUDIENCE` and `AUTH_JWKS_URL`.
    pub fn read(from: &mut Reader<'_>) -> Self {
        // The issuer is compared with a claim: it is kept as it stands.
        let issuer = from.text("AUTH_ISSUER");
        from.url("AUTH_ISSUER");
        Self { issuer, audience: from.text("AUTH_AUDIENCE"), jwks_url: from.url("AUTH_JWKS_URL") }
    }
}

/// The entries of a list separated by commas.
fn entries(text: &str) -> Vec<String> {
    text.split(',').map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect()
}

/// Strava's API and token endpoint.
#[derive(Debug, Clone)]
pub struct StravaConfig {
    /// Base of `/athlete/activities`.
    pub api_base: String,
    /// Base of `/oauth/token`.
    pub oauth_base: String,
    /// The application.
    pub client_id: String,
    /// The application's secret.
    pub client_secret: SecretString,
}

impl StravaConfig {
    /// Reads the four `STRAVA_…` settings.
    pub fn read(from: &mut Reader<'_>) -> Self {
        Self {
            api_base: from.url("STRAVA_API_BASE"),
            oauth_base: from.url("STRAVA_OAUTH_BASE"),
            client_id: from.text("STRAVA_CLIENT_ID"),
            client_secret: from.secret("STRAVA_CLIENT_SECRET"),
        }
    }
}

/// The queue of sync jobs and events.
#[derive(Debug, Clone)]
pub struct QueueConfig {
    /// Address of the queue.
    pub sync_queue_url: String,
}

impl QueueConfig {
    /// Reads `SYNC_QUEUE_URL`.
    pub fn read(from: &mut Reader<'_>) -> Self {
        Self { sync_queue_url: from.url("SYNC_QUEUE_URL") }
    }
}

/// The queue of weeks to write.
#[derive(Debug, Clone)]
pub struct JournalQueueConfig {
    /// Address of the queue.
    pub journal_queue_url: String,
}

impl JournalQueueConfig {
    /// Reads `JOURNAL_QUEUE_URL`.
    pub fn read(from: &mut Reader<'_>) -> Self {
        Self { journal_queue_url: from.url("JOURNAL_QUEUE_URL") }
    }
}

/// The key ring of the [vault](crate::vault).
#[derive(Debug, Clone)]
pub struct VaultConfig {
    /// `id:base64,id:base64`.
    pub token_keys: SecretString,
}

impl VaultConfig {
    /// Reads `TOKEN_KEYS`.
    pub fn read(from: &mut Reader<'_>) -> Self {
        let token_keys = from.secret("TOKEN_KEYS");
        if from.settings.0.contains_key("TOKEN_KEYS")
            && let Err(crate::vault::VaultError::KeyRing(what)) = crate::vault::Vault::from_ring(&token_keys)
        {
            from.problem("TOKEN_KEYS", what);
        }
        Self { token_keys }
    }
}

#[cfg(test)]
mod tests;
