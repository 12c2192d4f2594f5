//! Settings, right, wrong and absent.

use proptest::prelude::*;
use runaway_core::config::{
    AuthConfig, AuthorizeConfig, CleanupConfig, ConfigError, DailyLimit, DatabaseConfig, JournalQueueConfig, ModelConfig, QueueConfig,
    SECRET_ARN, SETTINGS, Settings, StravaConfig, VaultConfig, WebhookConfig,
};
use runaway_core::db::Db;
use runaway_core::telemetry;
use runaway_core::vault::Vault;
use secrecy::ExposeSecret as _;
use testkit::fuzz::{MARK, check, text};
use url::Url;

const CASES: u32 = 32;
const CONNECTIONS_MAX: usize = 1;

/// A value that some setting may want, or none does.
fn value() -> impl Strategy<Value = String> + Clone {
    let known = vec![
        "https://sign-in.example.com/",
        "http://localhost:9000/functions/v1",
        "https://api.example.com/functions/v1/",
        "postgres://runaway_app:mark@db.example.com/runaway?sslmode=require",
        "postgres://runaway_app:mark@db.example.com/runaway",
        "host=db user=runaway_app password=mark",
        "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "k1:AAAA",
        "runaway://strava-connected, https://app.example.com/done",
        "abcdefghijklmnopqrstuvwxyz",
        "30",
        "0",
        "-1",
        "9223372036854775808",
        "high",
        "strava,upload",
        "claude-sonnet-5-5",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    ];
    let joined = (prop::sample::select(vec!["https://", "postgres://u:", "k1:", "ftp://", "host=", ""]), text(), text());
    prop_oneof![
        4 => prop::sample::select(known).prop_map(str::to_owned),
        2 => joined.prop_map(|(start, a, b)| format!("{start}{a}{MARK}{b}")),
        1 => text(),
    ]
}

/// Any of the settings with any values; in production or not.
fn settings() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let names: Vec<&'static str> = SETTINGS.iter().map(|setting| setting.name).filter(|name| *name != SECRET_ARN).collect();
    let each = names.into_iter().map(|name| prop::option::weighted(0.9, value()).prop_map(move |value| value.map(|value| (name, value))));
    (each.collect::<Vec<_>>(), any::<bool>()).prop_map(|(pairs, is_production)| {
        let arn = is_production.then(|| (SECRET_ARN, "arn:aws:secretsmanager:eu-west-1:000000000000:secret:x".to_owned()));
        pairs.into_iter().flatten().chain(arn).collect()
    })
}

fn is_url(text: &str, is_production: bool) -> bool {
    let scheme = Url::parse(text).map(|url| url.scheme().to_owned()).unwrap_or_default();
    !text.ends_with('/') && (scheme == "https" || (scheme == "http" && !is_production))
}

fn named_only(error: &ConfigError) -> Result<(), TestCaseError> {
    let ConfigError::Settings(problems) = error else { return Err(TestCaseError::fail(error.to_string())) };
    for problem in problems {
        let name = problem.split(' ').next().unwrap_or_default();
        prop_assert!(SETTINGS.iter().any(|setting| setting.name == name), "{problem}");
        prop_assert!(!problem.contains(MARK) && !problem.contains("mark") && !problem.contains("AAAA"), "{problem}");
    }
    Ok(())
}

fn check_addresses(settings: &Settings, is_production: bool) -> Result<(), TestCaseError> {
    match settings.read(AuthConfig::read) {
        Ok(auth) => {
            prop_assert!(is_url(&auth.jwks_url, is_production) && is_url(auth.issuer.trim_end_matches('/'), is_production), "{auth:?}");
        }
        Err(error) => named_only(&error)?,
    }
    match settings.read(AuthorizeConfig::read) {
        Ok(read) => {
            prop_assert!(is_url(&read.public_base_url, is_production) && read.public_base_url.ends_with("/functions/v1"), "{read:?}");
            prop_assert!(is_url(&read.oauth_base, is_production) && read.app_redirects.iter().all(|address| Url::parse(address).is_ok()));
            let address = runaway_core::strava::authorize_url(&read, "state");
            let has_state = address.is_some_and(|url| url.query_pairs().any(|(name, value)| name == "state" && value == "state"));
            prop_assert!(has_state, "no authorisation address out of {read:?}");
        }
        Err(error) => named_only(&error)?,
    }
    match settings.read(|r| (StravaConfig::read(r), QueueConfig::read(r), JournalQueueConfig::read(r))) {
        Ok((strava, sync, journal)) => {
            let urls = [&strava.api_base, &strava.oauth_base, &sync.sync_queue_url, &journal.journal_queue_url];
            prop_assert!(urls.into_iter().all(|url| is_url(url, is_production)), "{urls:?}");
            let secret = strava.client_secret.expose_secret();
            prop_assert!(!secret.is_empty());
            prop_assert!(secret.len() < 4 || !format!("{strava:?}").contains(secret), "the secret is shown");
        }
        Err(error) => named_only(&error)?,
    }
    Ok(())
}

fn check_secrets(settings: &Settings, is_production: bool) -> Result<(), TestCaseError> {
    match settings.read(VaultConfig::read) {
        Ok(vault) => prop_assert!(Vault::from_ring(&vault.token_keys).is_ok()),
        Err(error) => named_only(&error)?,
    }
    match settings.read(WebhookConfig::read) {
        Ok(webhook) => {
            let path = webhook.path.expose_secret();
            prop_assert!(
                (16..=128).contains(&path.len()) && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)),
                "{path}"
            );
            prop_assert!(webhook.verify_token.expose_secret().len() >= 16 && webhook.subscription_id.is_none_or(|id| id >= 1));
        }
        Err(error) => named_only(&error)?,
    }
    for read in [DatabaseConfig::read, DatabaseConfig::read_admin] {
        match settings.read(read) {
            Ok(database) => {
                prop_assert!(!database.url.expose_secret().is_empty(), "no address");
                let address: tokio_postgres::Config = database.url.expose_secret().parse().unwrap();
                prop_assert!(!is_production || address.get_ssl_mode() == tokio_postgres::config::SslMode::Require);
                if let Err(error) = Db::new(&database, CONNECTIONS_MAX) {
                    let line = telemetry::chain(&error);
                    prop_assert!(!line.contains(MARK) && !line.contains("mark"), "{line}");
                }
            }
            Err(error) => named_only(&error)?,
        }
    }
    Ok(())
}

fn check_numbers(settings: &Settings, is_production: bool) -> Result<(), TestCaseError> {
    match settings.read(|r| (CleanupConfig::read(r), DailyLimit::read_chat(r))) {
        Ok((keep, limit)) => {
            prop_assert!(keep.erase_after_disconnect_days >= 0 && keep.retention_days.is_none_or(|days| days >= 1));
            prop_assert!(limit.requests_max >= 0 && limit.tokens_max >= 0);
        }
        Err(error) => named_only(&error)?,
    }
    match settings.read(ModelConfig::read) {
        Ok(model) => {
            prop_assert!(
                model.sources.iter().all(|source| source.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
            );
            if let Some(claude) = &model.claude {
                prop_assert!(is_url(&claude.base_url, is_production) && !claude.model.is_empty());
                prop_assert!(claude.api_key.expose_secret().bytes().all(|b| b.is_ascii_graphic()));
                prop_assert!(runaway_core::claude::ModelGate::new(model).is_ok());
            }
        }
        Err(error) => named_only(&error)?,
    }
    Ok(())
}

#[tokio::test]
async fn settings_are_accepted_by_their_definitions_and_refused_by_their_names() {
    check("settings", CASES, &settings(), async |pairs| {
        let is_production = pairs.iter().any(|(name, _)| *name == SECRET_ARN);
        let settings = Settings::from_pairs(pairs);
        prop_assert!(!format!("{settings:?}").contains(MARK), "{settings:?}");
        check_addresses(&settings, is_production)?;
        check_secrets(&settings, is_production)?;
        check_numbers(&settings, is_production)
    })
    .await;
}
