//! `make secrets`, against the real protocol of Secrets Manager.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::Client;
use testkit::database::required;
use uuid::Uuid;

use crate::Clone;

const DATABASE: &str = "postgres://runaway_app:hunter2@db.example.com/runaway?sslmode=require";
const ADMIN: &str = "postgres://owner:hunter2@db.example.com/runaway?sslmode=require";
const CLIENT_SECRET: &str = "client-hunter2";

/// Two documents of a stack's own, never written.
struct Stack {
    client: Client,
    functions: String,
    migration: String,
}

impl Stack {
    async fn new(clone: &Clone) -> Self {
        required("AWS_ENDPOINT_URL_SECRETS_MANAGER");
        let client = Client::new(&aws_config::load_defaults(runaway_core::queue::aws_behavior()).await);
        let create = async |what: &str| {
            let name = format!("{what}-{}", Uuid::new_v4());
            client.create_secret().name(&name).send().await.unwrap().arn.unwrap()
        };
        let (functions, migration) = (create("functions").await, create("migrate").await);
        clone.stand_in_for_aws(&[("FunctionsSecretArn", &functions), ("MigrateSecretArn", &migration)], "exit 1");
        Self { client, functions, migration }
    }

    async fn document(&self, id: &str) -> Option<BTreeMap<String, String>> {
        let answer = self.client.get_secret_value().secret_id(id).send().await.ok()?;
        serde_json::from_str(&answer.secret_string?).ok()
    }
}

fn all() -> [(&'static str, &'static str); 4] {
    [("DATABASE_URL", DATABASE), ("DATABASE_ADMIN_URL", ADMIN), ("STRAVA_CLIENT_SECRET", CLIENT_SECRET), ("YES", "1")]
}

#[tokio::test]
async fn documents_are_filled_completed_and_left_alone_the_next_time() {
    let clone = Clone::new();
    let stack = Stack::new(&clone).await;
    let outcome = clone.run(&["secrets"], &all());
    outcome.assert_done(&["account 123456789012", "made up now", "absent, which is allowed", "Written."]);
    let functions = stack.document(&stack.functions).await.unwrap();
    assert_eq!((functions["DATABASE_URL"].as_str(), functions["STRAVA_CLIENT_SECRET"].as_str()), (DATABASE, CLIENT_SECRET));
    assert!(functions["TOKEN_KEYS"].starts_with("k1:") && functions["STRAVA_WEBHOOK_PATH"].len() >= 32);
    assert!(!functions.contains_key("DATABASE_ADMIN_URL") && !functions.contains_key("ANTHROPIC_API_KEY"), "{:?}", functions.keys());
    let migration = stack.document(&stack.migration).await.unwrap();
    assert_eq!(migration.iter().collect::<Vec<_>>(), [(&"DATABASE_ADMIN_URL".to_owned(), &ADMIN.to_owned())]);
    for value in functions.values().chain(migration.values()) {
        assert!(!outcome.text.contains(value.as_str()) && !outcome.text.contains("hunter2"), "a value was shown:\n{}", outcome.text);
    }

    // A value that is not given is kept, and what is there is not made up anew.
    let path = clone.path("values");
    clone.write("values", "# a remark\nANTHROPIC_API_KEY=sk-key\nSTRAVA_CLIENT_SECRET=another\n");
    let file = [("FILE", path.to_str().unwrap()), ("YES", "1")];
    clone.run(&["secrets"], &file).assert_done(&["CHANGED", "kept as it is", "nothing to write"]);
    let changed = stack.document(&stack.functions).await.unwrap();
    assert_eq!((changed["STRAVA_CLIENT_SECRET"].as_str(), changed["ANTHROPIC_API_KEY"].as_str()), ("another", "sk-key"));
    for name in ["DATABASE_URL", "TOKEN_KEYS", "STRAVA_WEBHOOK_PATH", "STRAVA_VERIFY_TOKEN"] {
        assert_eq!(changed[name], functions[name], "{name}");
    }
}

#[tokio::test]
async fn nothing_is_written_that_is_missing_senseless_or_not_confirmed() {
    let clone = Clone::new();
    let stack = Stack::new(&clone).await;
    clone.run(&["secrets"], &[("YES", "1")]).assert_refused(&["is missing", "FILE"]);
    let without_tls = [("DATABASE_URL", "postgres://runaway_app:hunter2@db/runaway"), all()[1], all()[2], all()[3]];
    let outcome = clone.run(&["secrets"], &without_tls);
    outcome.assert_refused(&["DATABASE_URL must say sslmode=require"]);
    assert!(!outcome.text.contains("hunter2"), "{}", outcome.text);
    clone.run(&["secrets"], &all()[..3]).assert_refused(&["say YES=1"]);
    clone.write("values", "COLOUR=red\n");
    let path = clone.path("values");
    let outcome = clone.run(&["secrets"], &[("FILE", path.to_str().unwrap())]);
    outcome.assert_refused(&["COLOUR is no secret setting"]);
    assert_eq!((stack.document(&stack.functions).await, stack.document(&stack.migration).await), (None, None));
}

#[tokio::test]
async fn a_ring_grows_and_never_loses_a_key() {
    let clone = Clone::new();
    let stack = Stack::new(&clone).await;
    clone.run(&["secrets"], &all()).assert_done(&[]);
    let ring = stack.document(&stack.functions).await.unwrap()["TOKEN_KEYS"].clone();
    let new = format!("k2:{}", "A".repeat(43));
    clone.run(&["secrets"], &[("TOKEN_KEYS", &new), ("YES", "1")]).assert_refused(&["TOKEN_KEYS lacks a key"]);
    let grown = format!("{new},{ring}");
    clone.run(&["secrets"], &[("TOKEN_KEYS", &grown), ("YES", "1")]).assert_done(&["CHANGED"]);
    assert_eq!(stack.document(&stack.functions).await.unwrap()["TOKEN_KEYS"], grown);
}

#[tokio::test]
async fn certificates_go_into_both_documents_and_can_be_read() {
    let clone = Clone::new();
    let stack = Stack::new(&clone).await;
    let path = clone.path("values");
    let run = |pem: &str| {
        clone.write(
            "values",
            &format!("DATABASE_URL={DATABASE}\nDATABASE_ADMIN_URL={ADMIN}\nSTRAVA_CLIENT_SECRET=s\nDATABASE_CA_PEM={pem}\n"),
        );
        clone.run(&["secrets"], &[("FILE", path.to_str().unwrap()), ("YES", "1")])
    };
    run("/etc/ssl/authority.pem").assert_refused(&["DATABASE_CA_PEM holds no certificate"]);
    assert_eq!((stack.document(&stack.functions).await, stack.document(&stack.migration).await), (None, None));
    run(&testkit::AUTHORITY_PEM.replace('\n', "\\n")).assert_done(&["Written."]);
    for id in [&stack.functions, &stack.migration] {
        assert_eq!(stack.document(id).await.unwrap()["DATABASE_CA_PEM"], testkit::AUTHORITY_PEM);
    }
}

#[tokio::test]
async fn a_key_is_dropped_only_after_a_look_into_the_database() {
    let clone = Clone::new();
    let stack = Stack::new(&clone).await;
    let ring = format!("k2:{}=,k1:{}=", "A".repeat(43), "E".repeat(43));
    let nowhere = "postgres://runaway_app:hunter2@127.0.0.1:1/runaway?sslmode=require";
    let given = [("DATABASE_URL", nowhere), all()[1], all()[2], ("TOKEN_KEYS", &ring), all()[3]];
    let drop = |id| clone.run(&["secrets"], &[("DROP_KEY", id), ("YES", "1")]);
    let outcome = clone.run(&["secrets"], &[&given[..], &[("DROP_KEY", "k1")]].concat());
    outcome.assert_refused(&["DROP_KEY is for a ring that is deployed"]);
    clone.run(&["secrets"], &given).assert_done(&["Written."]);
    drop("k2").assert_refused(&["k2 is the first key"]);
    drop("k3").assert_refused(&["TOKEN_KEYS holds no key k3; it holds k2, k1"]);
    let outcome = drop("k1");
    outcome.assert_refused(&["looking for what k1 sealed; the database of DATABASE_URL must be reachable"]);
    assert!(!outcome.text.contains("hunter2") && !outcome.text.contains("AAAA"), "{}", outcome.text);
    assert_eq!(stack.document(&stack.functions).await.unwrap()["TOKEN_KEYS"], ring);
}

#[tokio::test]
async fn without_a_stack_or_credentials_it_says_what_to_do() {
    let clone = Clone::new();
    clone.stand_in("aws", "echo 'Unable to locate credentials' >&2; exit 253");
    clone.run(&["secrets"], &all()).assert_refused(&["AWS does not know you: set AWS_PROFILE", "Unable to locate credentials"]);
    let missing = r#"case "$1" in sts) echo '{"Account":"1"}' ;; *) echo 'Stack with id runaway does not exist' >&2; exit 254 ;; esac"#;
    clone.stand_in("aws", missing);
    clone.run(&["secrets"], &all()).assert_refused(&["the stack runaway in eu-west-1 does not exist: make deploy"]);
}
