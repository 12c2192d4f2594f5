//! Settings out of a Secrets Manager document, from the local endpoint.

use runaway_core::config::{DatabaseConfig, SECRET_ARN, Settings, VaultConfig};
use secrecy::ExposeSecret as _;
use testkit::database::required;
use uuid::Uuid;

#[tokio::test]
async fn the_secret_document_completes_the_environment_and_wins() {
    required("AWS_ENDPOINT_URL_SECRETS_MANAGER");
    let client = aws_sdk_secretsmanager::Client::new(&aws_config::load_defaults(runaway_core::queue::aws_behavior()).await);
    let name = format!("functions-{}", Uuid::new_v4());
    let document = r#"{"DATABASE_URL": "postgres://runaway_app@db/runaway?sslmode=require", "TOKEN_KEYS": "a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}"#;
    client.create_secret().name(&name).secret_string(document).send().await.unwrap();
    let environment = [(SECRET_ARN, name.as_str()), ("DATABASE_URL", "postgres://elsewhere/x")];

    let settings = Settings::from_pairs(environment).with_secret_document().await.unwrap();
    let (database, vault) = settings.read(|r| (DatabaseConfig::read(r), VaultConfig::read(r))).unwrap();
    assert!(database.url.expose_secret().contains("@db/"));
    assert!(vault.token_keys.expose_secret().starts_with("a:"));

    let missing = Settings::from_pairs([(SECRET_ARN, "nowhere")]).with_secret_document().await;
    assert_eq!(missing.unwrap_err().to_string(), "the secret document cannot be read");

    client.put_secret_value().secret_id(&name).secret_string("not json: hunter2").send().await.unwrap();
    let unreadable = Settings::from_pairs(environment).with_secret_document().await.unwrap_err();
    assert!(!format!("{unreadable:?}").contains("hunter2"));
}
