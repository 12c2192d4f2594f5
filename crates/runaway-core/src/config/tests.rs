use super::*;

fn problems(settings: &Settings) -> String {
    let read = settings
        .read(|r| (DatabaseConfig::read(r), AuthConfig::read(r), AuthorizeConfig::read(r), StravaConfig::read(r), VaultConfig::read(r)));
    read.err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn everything_missing_is_named_at_once() {
    let text = problems(&Settings::from_pairs::<&str, &str>([]));
    for name in ["DATABASE_URL", "AUTH_ISSUER", "AUTH_JWKS_URL", "APP_REDIRECTS", "STRAVA_CLIENT_SECRET", "TOKEN_KEYS"] {
        assert!(text.contains(&format!("{name} is missing")), "{name} in {text}");
    }
}

#[test]
fn production_refuses_plain_connections() {
    let pairs = [
        ("RUNAWAY_SECRET_ARN", "arn"),
        ("DATABASE_URL", "postgres://runaway_app@db/runaway"),
        ("AUTH_ISSUER", "http://sign-in"),
        ("STRAVA_API_BASE", "http://localhost:1/api/v3"),
    ];
    let text = problems(&Settings::from_pairs(pairs));
    for expected in ["DATABASE_URL must say sslmode=require", "AUTH_ISSUER must be https", "STRAVA_API_BASE must be https"] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[test]
fn an_empty_secret_is_missing() {
    let names = ["STRAVA_WEBHOOK_PATH", "STRAVA_VERIFY_TOKEN", "STRAVA_CLIENT_SECRET"];
    let text = Settings::from_pairs(names.map(|name| (name, ""))).read(WebhookConfig::read).map_err(|error| error.to_string());
    for name in names {
        assert!(text.as_ref().is_err_and(|text| text.contains(&format!("{name} is missing"))), "{name} in {text:?}");
    }
}

#[test]
fn certificates_are_read_or_refused() {
    let read = |pem: &str| {
        let pairs = [("DATABASE_URL", "postgres://runaway_app@db/runaway"), ("DATABASE_CA_PEM", pem)];
        Settings::from_pairs(pairs).read(DatabaseConfig::read).map(|config| config.ca_pem).map_err(|error| error.to_string())
    };
    let pem = testkit::AUTHORITY_PEM;
    assert_eq!(read(pem), Ok(Some(pem.to_owned())));
    assert_eq!(read(&format!("# the region's\n{pem}{pem}")).map(|pem| pem.is_some()), Ok(true));
    assert_eq!(read(""), Ok(None));
    let body = pem.lines().nth(1).unwrap();
    for (bad, why) in [
        ("no certificate", "holds no certificate"),
        (&pem.replace('\n', "\\n"), "DATABASE_CA_PEM "),
        (&pem.replace("-----END", "-----THE END"), "is no PEM"),
        (&format!("{pem}{}", pem.replace(body, "")), "holds a certificate that cannot be read"),
    ] {
        assert!(read(bad).is_err_and(|text| text.contains("DATABASE_CA_PEM ") && text.contains(why)), "{bad}: {:?}", read(bad));
    }
}

#[test]
fn a_level_is_one_word_and_everything_else_is_info() {
    use tracing::Level;
    for (said, expected) in [
        ("debug", Level::DEBUG),
        ("TRACE", Level::TRACE),
        ("WARN", Level::WARN),
        ("", Level::INFO),
        ("off", Level::INFO),
        ("debug,lambda_runtime=warn", Level::INFO),
    ] {
        assert_eq!(level_of(said), expected, "{said}");
    }
}

#[test]
fn values_are_never_quoted() {
    let text = problems(&Settings::from_pairs([("DATABASE_URL", "postgres://u:hunter2@[bad"), ("TOKEN_KEYS", "hunter2")]));
    assert!(!text.contains("hunter2"), "{text}");
}
