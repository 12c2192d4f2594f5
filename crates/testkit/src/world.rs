//! Everything a story needs: a database, a queue, Strava, a sign-in, a model if asked for, and the functions' settings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use runaway_core::config::{DatabaseConfig, Settings, StravaConfig};
use runaway_core::db::Db;
use runaway_core::strava::{StravaClient, Tokens};
use runaway_core::vault::Vault;
use secrecy::SecretString;
use uuid::Uuid;

use crate::fake_strava::{Clock, FIRST_SUBSCRIPTION_ID};
use crate::logs::LogCapture;
use crate::queue::TestQueue;
use crate::{FakeClaude, FakeStrava, TestDatabase, TokenIssuer, issuer};

/// Scopes of an athlete who allows everything.
pub const ALL_SCOPES: &str = "read,activity:read_all,profile:read_all";
/// The app's address.
pub const APP_REDIRECT: &str = "runaway://strava-connected";
const CONNECTIONS_MAX: usize = 4;

/// A world of a test's own.
#[derive(Debug)]
pub struct World {
    /// The database.
    pub database: TestDatabase,
    /// The queue of sync jobs.
    pub queue: TestQueue,
    /// The queue of weeks to write.
    pub journal_queue: TestQueue,
    /// Strava.
    pub strava: FakeStrava,
    /// Claude, where the test asked for it; without it the functions have no model.
    pub claude: Option<FakeClaude>,
    /// The sign-in.
    pub issuer: TokenIssuer,
    /// Time, the same for Strava and the functions.
    pub clock: Clock,
    /// What the functions log.
    pub logs: LogCapture,
    /// A connected athlete's user, for tests with one.
    pub user_id: Uuid,
    /// The webhook's secret path segment.
    pub webhook_path: String,
    /// What Strava repeats when it checks the webhook.
    pub verify_token: String,
    /// The key ring, as the functions read it; a test that rotates it sets another.
    pub token_keys: String,
}

/// A new key for the ring, with this id.
pub fn new_token_key(id: &str) -> String {
    let key: [u8; 32] = runaway_core::vault::random_bytes().expect("randomness");
    format!("{id}:{}", STANDARD.encode(key))
}

impl World {
    /// Starts everything.
    pub async fn new() -> Self {
        Self::with_logs(LogCapture::start()).await
    }

    /// Starts everything with a log of another level.
    pub async fn with_logs(logs: LogCapture) -> Self {
        let clock = Clock::default();
        Self {
            database: TestDatabase::new().await,
            queue: TestQueue::new().await,
            journal_queue: TestQueue::new().await,
            strava: FakeStrava::start(0, clock.clone()).await,
            claude: None,
            issuer: TokenIssuer::start(0, &issuer::new_key()).await,
            clock,
            logs,
            user_id: Uuid::new_v4(),
            webhook_path: format!("path-{}", Uuid::new_v4().simple()),
            verify_token: format!("verify-{}", Uuid::new_v4().simple()),
            token_keys: new_token_key("test"),
        }
    }

    /// Adds a Claude that may be sent what came from Strava.
    #[must_use]
    pub async fn with_claude(mut self) -> Self {
        self.claude = Some(FakeClaude::start().await);
        self
    }

    /// The Claude that was asked for.
    ///
    /// # Panics
    /// Without [`World::with_claude`].
    pub fn claude(&self) -> &FakeClaude {
        self.claude.as_ref().expect("a world with Claude")
    }

    /// What the functions read from their environment.
    pub fn settings(&self) -> Settings {
        Settings::from_pairs(self.variables())
    }

    /// The same as variables, for functions that run as processes of their own.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let claude = self.claude.iter().flat_map(|claude| claude.settings("strava"));
        self.environment().into_iter().chain(claude).collect()
    }

    /// The variables of a function that has no model.
    pub fn environment(&self) -> [(&'static str, String); 16] {
        [
            ("DATABASE_URL", self.database.app_url()),
            ("SYNC_QUEUE_URL", self.queue.config().sync_queue_url),
            ("JOURNAL_QUEUE_URL", self.journal_queue.url()),
            ("AUTH_ISSUER", self.issuer.issuer()),
            ("AUTH_AUDIENCE", issuer::AUDIENCE.to_owned()),
            ("AUTH_JWKS_URL", self.issuer.jwks_url()),
            ("PUBLIC_BASE_URL", "http://localhost:9000/functions/v1".to_owned()),
            ("APP_REDIRECTS", APP_REDIRECT.to_owned()),
            ("STRAVA_API_BASE", self.strava.api_base()),
            ("STRAVA_OAUTH_BASE", self.strava.base_url()),
            ("STRAVA_CLIENT_ID", self.strava.client_id().to_owned()),
            ("STRAVA_CLIENT_SECRET", self.strava.client_secret().to_owned()),
            ("STRAVA_WEBHOOK_PATH", self.webhook_path.clone()),
            ("STRAVA_VERIFY_TOKEN", self.verify_token.clone()),
            ("STRAVA_SUBSCRIPTION_ID", FIRST_SUBSCRIPTION_ID.to_string()),
            ("TOKEN_KEYS", self.token_keys.clone()),
        ]
    }

    /// A pool as a function has it.
    pub fn db(&self) -> Db {
        let config = self.settings().read(DatabaseConfig::read).expect("settings");
        Db::new(&config, CONNECTIONS_MAX).expect("a pool")
    }

    /// The functions' vault.
    pub fn vault(&self) -> Vault {
        Vault::from_ring(&SecretString::from(self.token_keys.clone())).expect("a key ring")
    }

    /// The functions' Strava client.
    pub fn strava_client(&self) -> StravaClient {
        StravaClient::new(self.settings().read(StravaConfig::read).expect("settings")).expect("a client")
    }

    /// An athlete who has connected, with tokens that live for `ttl_s` seconds, belonging to `user_id`.
    pub async fn connected_athlete(&self, id: i64, user_id: Uuid, activities: impl IntoIterator<Item = serde_json::Value>, ttl_s: i64) {
        self.strava.add_athlete(id, "Ada", activities);
        self.connect(id, user_id, ttl_s).await;
    }

    /// The athlete connects, for the first time or again: tokens of before are dead.
    pub async fn connect(&self, id: i64, user_id: Uuid, ttl_s: i64) {
        let pair = self.strava.connect(id, ALL_SCOPES, ttl_s);
        let tokens = Tokens {
            access: pair.access.into(),
            refresh: pair.refresh.into(),
            expires_at: jiff::Timestamp::from_second(pair.expires_at).expect("a time in range"),
        };
        let sealed = runaway_core::flows::seal_tokens(&self.vault(), id, &tokens).expect("sealing");
        let profile = runaway_core::db::athletes::Profile { id, ..Default::default() };
        let (db, now) = (self.db(), self.clock.production().now());
        let tx = db.system().await.expect("a transaction");
        assert!(runaway_core::db::athletes::connect(&tx, user_id, &profile, now).await.expect("connecting"), "the athlete is another's");
        let scopes: Vec<String> = ALL_SCOPES.split(',').map(str::to_owned).collect();
        runaway_core::db::strava_tokens::put(&tx, id, &sealed, &scopes, now).await.expect("storing tokens");
        tx.commit().await.expect("committing");
    }

    /// The bearer token of the world's user.
    pub fn token(&self) -> String {
        self.issuer.token(self.user_id)
    }

    /// The last look: Strava and Claude understood everything, no secret was logged, no error but the expected ones, and no
    /// token stands in clear in any table.
    pub async fn assert_in_order(&self, expected_errors: &[&str]) {
        self.strava.assert_nothing_unexpected();
        let mut secrets = self.strava.secrets();
        if let Some(claude) = &self.claude {
            claude.assert_nothing_unexpected();
            secrets.extend(claude.secrets());
        }
        secrets.extend([self.webhook_path.clone(), self.verify_token.clone()]);
        self.logs.assert_clean(&secrets, expected_errors);
        let owner = self.database.owner().await;
        let sql = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
        for table in owner.query(sql, &[]).await.expect("the catalogue") {
            let table: &str = table.get(0);
            let rows = owner.query(&format!("SELECT t::text FROM {table} t"), &[]).await;
            for row in rows.expect("a table") {
                let text: String = row.get(0);
                for secret in &secrets {
                    let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
                    assert!(!text.contains(secret.as_str()) && !text.contains(&hex), "{table} holds a secret in clear");
                }
            }
        }
    }
}
