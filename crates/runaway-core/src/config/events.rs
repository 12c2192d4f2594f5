//! The settings of Strava's webhook and of the nightly cleanup.

use secrecy::SecretString;

use super::Reader;

/// How long the webhook's secret path segment may be, bytes.
const WEBHOOK_PATH_BYTES: std::ops::RangeInclusive<usize> = 16..=128;
/// The shortest verify token, bytes.
const VERIFY_TOKEN_BYTES_MIN: usize = 16;
/// Strava's terms ask for the erasure within thirty days.
const ERASE_AFTER_DISCONNECT_DAYS_DEFAULT: i64 = 30;

/// The address that Strava calls.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// The secret last segment of the path.
    pub path: SecretString,
    /// What Strava repeats when the subscription is made.
    pub verify_token: SecretString,
    /// The subscription; `None` before it is made.
    pub subscription_id: Option<i64>,
    /// The application's secret, with which an event may be signed.
    pub client_secret: SecretString,
}

impl WebhookConfig {
    /// Reads `STRAVA_WEBHOOK_PATH`, `STRAVA_VERIFY_TOKEN`, `STRAVA_SUBSCRIPTION_ID` and `STRAVA_CLIENT_SECRET`.
    pub fn read(from: &mut Reader<'_>) -> Self {
        let (path, verify_token) = (from.text("STRAVA_WEBHOOK_PATH"), from.text("STRAVA_VERIFY_TOKEN"));
        let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !path.is_empty() && (!is_plain || !WEBHOOK_PATH_BYTES.contains(&path.len())) {
            from.problem("STRAVA_WEBHOOK_PATH", "is not 16 to 128 letters, digits, - or _");
        }
        if !verify_token.is_empty() && verify_token.len() < VERIFY_TOKEN_BYTES_MIN {
            from.problem("STRAVA_VERIFY_TOKEN", "is shorter than 16 characters");
        }
        Self {
            path: path.into(),
            verify_token: verify_token.into(),
            subscription_id: from.number("STRAVA_SUBSCRIPTION_ID", 1),
            client_secret: from.secret("STRAVA_CLIENT_SECRET"),
        }
    }
}

/// How long data are kept.
#[derive(Debug, Clone, Copy)]
pub struct CleanupConfig {
    /// Days from a disconnection to the erasure.
    pub erase_after_disconnect_days: i64,
    /// Days for which what came from Strava is held; `None`: without limit.
    pub retention_days: Option<i64>,
}

impl CleanupConfig {
    /// Reads `ERASE_AFTER_DISCONNECT_DAYS` and `RETENTION_DAYS`.
    pub fn read(from: &mut Reader<'_>) -> Self {
        Self {
            erase_after_disconnect_days: from.number("ERASE_AFTER_DISCONNECT_DAYS", 0).unwrap_or(ERASE_AFTER_DISCONNECT_DAYS_DEFAULT),
            retention_days: from.number("RETENTION_DAYS", 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn a_guessable_webhook_and_senseless_days_are_refused() {
        let pairs = [
            ("STRAVA_WEBHOOK_PATH", "short"),
            ("STRAVA_VERIFY_TOKEN", "short"),
            ("STRAVA_SUBSCRIPTION_ID", "x"),
            ("STRAVA_CLIENT_SECRET", "secret"),
            ("ERASE_AFTER_DISCONNECT_DAYS", "-1"),
            ("RETENTION_DAYS", "0"),
        ];
        let settings = Settings::from_pairs(pairs);
        let text = settings.read(|r| (WebhookConfig::read(r), CleanupConfig::read(r))).err().map(|e| e.to_string()).unwrap_or_default();
        for (name, _) in pairs.iter().filter(|(name, _)| *name != "STRAVA_CLIENT_SECRET") {
            assert!(text.contains(name), "{name} in {text}");
        }
        let absent = Settings::from_pairs::<&str, &str>([]).read(CleanupConfig::read).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((absent.erase_after_disconnect_days, absent.retention_days), (30, None));
    }
}
