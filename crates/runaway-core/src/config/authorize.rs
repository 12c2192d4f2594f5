//! The settings of Strava's authorisation page, and of what follows it.

use url::Url;

use super::{Reader, entries};

/// Strava's authorisation page, and where it sends the athlete back to.
#[derive(Debug, Clone)]
pub struct AuthorizeConfig {
    /// Base of `/oauth/authorize`.
    pub oauth_base: String,
    /// The application.
    pub client_id: String,
    /// This API, ending in `/functions/v1`.
    pub public_base_url: String,
    /// Addresses of the app.
    pub app_redirects: Vec<String>,
    /// Whether every authorisation is to be confirmed before anything is linked.
    pub is_confirm_required: bool,
}

impl AuthorizeConfig {
    /// Reads `STRAVA_OAUTH_BASE`, `STRAVA_CLIENT_ID`, `PUBLIC_BASE_URL`, `APP_REDIRECTS` and `OAUTH_CONFIRM`.
    pub fn read(from: &mut Reader<'_>) -> Self {
        let public_base_url = from.url("PUBLIC_BASE_URL");
        if !public_base_url.is_empty() && !public_base_url.ends_with("/functions/v1") {
            from.problem("PUBLIC_BASE_URL", "must end in /functions/v1");
        }
        Self {
            oauth_base: from.url("STRAVA_OAUTH_BASE"),
            client_id: from.text("STRAVA_CLIENT_ID"),
            public_base_url,
            app_redirects: redirects(from),
            is_confirm_required: is_confirm_required(from),
        }
    }
}

/// What `OAUTH_CONFIRM` says. A word that is mistyped must not leave a door open: it is refused.
fn is_confirm_required(from: &mut Reader<'_>) -> bool {
    match from.optional("OAUTH_CONFIRM").as_deref() {
        None | Some("optional") => false,
        Some("required") => true,
        Some(_) => {
            from.problem("OAUTH_CONFIRM", "is neither required nor optional");
            true
        }
    }
}

/// The addresses of `APP_REDIRECTS`.
fn redirects(from: &mut Reader<'_>) -> Vec<String> {
    let list = entries(&from.text("APP_REDIRECTS"));
    if list.iter().any(|entry| Url::parse(entry).is_err()) {
        from.problem("APP_REDIRECTS", "holds an entry that is not an address");
    }
    if list.is_empty() && from.settings.0.contains_key("APP_REDIRECTS") {
        from.problem("APP_REDIRECTS", "holds no address");
    }
    list
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn an_authorisation_need_not_be_confirmed_unless_it_is_said_so() {
        let base = [
            ("PUBLIC_BASE_URL", "http://localhost/functions/v1"),
            ("STRAVA_OAUTH_BASE", "http://localhost"),
            ("STRAVA_CLIENT_ID", "1"),
            ("APP_REDIRECTS", "runaway://strava-connected"),
        ];
        for (word, expected) in
            [(None, Ok(false)), (Some("optional"), Ok(false)), (Some("required"), Ok(true)), (Some("Required"), Err(()))]
        {
            let pairs = base.into_iter().chain(word.map(|word| ("OAUTH_CONFIRM", word)));
            let read = Settings::from_pairs(pairs).read(AuthorizeConfig::read);
            assert_eq!(read.map(|config| config.is_confirm_required).map_err(|_| ()), expected, "{word:?}");
        }
    }
}
