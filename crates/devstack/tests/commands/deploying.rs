//! `make deploy` and `make build`, up to what SAM and cargo do.

use std::fs;
use std::path::Path;

use aws_sdk_secretsmanager::Client;
use tidy::template::Template;
use uuid::Uuid;

use crate::Clone;

const API: &str = "https://abcde12345.execute-api.eu-west-1.amazonaws.com/live/functions/v1";
const PARAMETERS: &str = "# of the test
AuthIssuer=https://sign-in.example.com/auth/v1
AuthJwksUrl=https://sign-in.example.com/auth/v1/keys
PublicBaseUrl=https://api.example.com/functions/v1
StravaClientId=12345
ModelSources= \n";
const UP_TO_DATE: &str = r#"for last; do :; done
echo '{"pending":[],"applied":[]}' > "$last"; echo '{"StatusCode":200}'"#;

/// A clone whose zips are built, as far as anybody looks, and whose template asks for nothing else.
fn built() -> Clone {
    let clone = Clone::new();
    clone.write("parameters.env", &with_required(&clone));
    for function in Template::read(&clone.path("template.yaml")).unwrap().functions {
        clone.write(&format!("target/lambda/{}/bootstrap.zip", function.name), "zip");
    }
    clone.write("target/lambda/architecture", "arm64");
    clone.stand_in("sam", "exit 0");
    clone
}

/// The parameters, and a value for each that the template asks for beside them.
fn with_required(clone: &Clone) -> String {
    let known = tidy::stack::Stack::parse(&fs::read_to_string(clone.path("template.yaml")).unwrap()).unwrap().parameters;
    let further = known.iter().filter(|p| p.default.is_none() && !PARAMETERS.contains(&format!("\n{}=", p.name)));
    further.fold(PARAMETERS.to_owned(), |text, parameter| format!("{text}{}=value\n", parameter.name))
}

async fn secret(client: &Client, document: Option<&str>) -> String {
    let request = client.create_secret().name(format!("deploy-{}", Uuid::new_v4())).set_secret_string(document.map(str::to_owned));
    request.send().await.unwrap().arn.unwrap()
}

/// The documents' client, and the number of the functions' one.
async fn aws(clone: &Clone, migration: Option<&str>) -> (Client, String) {
    let client = Client::new(&aws_config::load_defaults(runaway_core::queue::aws_behavior()).await);
    let (functions, migration) = (secret(&client, None).await, secret(&client, migration).await);
    let outputs = [("ApiUrl", API), ("FunctionsSecretArn", functions.as_str()), ("MigrateSecretArn", &migration)];
    clone.stand_in_for_aws(&outputs, UP_TO_DATE);
    (client, functions)
}

/// What SAM was given for a parameter by each deployment.
fn handed_over(clone: &Clone, parameter: &str) -> Vec<String> {
    let calls = clone.calls();
    let given = calls.iter().filter_map(|call| call.split_once(&format!(" {parameter}=\"")));
    given.filter_map(|(_, rest)| Some(rest.split('"').next()?.to_owned())).collect()
}

#[tokio::test]
async fn the_zips_are_handed_to_sam_and_the_database_is_migrated() {
    let clone = built();
    aws(&clone, Some(r#"{"DATABASE_ADMIN_URL":"postgres://owner@db/runaway?sslmode=require"}"#)).await;
    let outcome = clone.run(&["deploy"], &[("YES", "1"), ("SKIP_BUILD", "1"), ("STACK", "blue")]);
    outcome.assert_done(&["the stack blue in eu-west-1 in the account 123456789012", "functions for arm64", "Nothing is pending"]);
    outcome.assert_done(&["AuthAudience = authenticated (the template's default)", "StravaClientId = 12345\n"]);
    outcome.assert_done(&[&format!("The functions answer at {API}"), "PublicBaseUrl is https://api.example.com"]);
    let calls = clone.calls();
    let deployments: Vec<&String> = calls.iter().filter(|call| call.starts_with("sam ")).collect();
    let [call] = deployments.as_slice() else { panic!("{calls:?}") };
    assert!(call.starts_with("sam deploy --template-file target/lambda/template.yaml --config-file /"), "{call}");
    for part in ["/samconfig.toml ", "--stack-name blue --region eu-west-1 ", "--no-confirm-changeset", "--no-fail-on-empty-changeset"] {
        assert!(call.contains(part), "{part} in {call}");
    }
    for part in ["AuthIssuer=\"https://sign-in.example.com/auth/v1\"", "ModelSources=\" \""] {
        assert!(call.contains(part), "{part} in {call}");
    }
    assert!(call.contains("AuthAudience=\"authenticated\""), "what nobody says is the template's, whatever it was before: {call}");
    let copy = fs::read_to_string(clone.path("target/lambda/template.yaml")).unwrap();
    assert!(copy.contains("CodeUri: chat/bootstrap.zip") && !copy.contains("CodeUri: .\n"));
    let position = |start: &str| calls.iter().position(|call| call.starts_with(start)).unwrap();
    assert!(position("aws sts") < position("sam deploy") && position("sam deploy") < position("aws lambda invoke"), "{calls:?}");
}

#[tokio::test]
async fn another_document_is_another_configuration() {
    let clone = built();
    let (client, functions) = aws(&clone, Some(r#"{"DATABASE_ADMIN_URL":"postgres://owner@db/runaway?sslmode=require"}"#)).await;
    let deploy = || clone.run(&["deploy"], &[("YES", "1"), ("SKIP_BUILD", "1")]).assert_done(&["SecretsVersion = "]);
    deploy();
    deploy();
    client.put_secret_value().secret_id(&functions).secret_string("{}").send().await.unwrap();
    deploy();
    let versions = handed_over(&clone, "SecretsVersion");
    assert_eq!(versions.len(), 3, "{:?}", clone.calls());
    assert!(versions[0].len() >= 36 && versions[0] == versions[1] && versions[1] != versions[2], "{versions:?}");
}

#[tokio::test]
async fn without_a_yes_nothing_is_handed_to_sam() {
    let clone = built();
    aws(&clone, None).await;
    clone.run(&["deploy"], &[("SKIP_BUILD", "1")]).assert_refused(&["AuthAudience = authenticated", "say YES=1"]);
    assert!(!clone.calls().iter().any(|call| call.starts_with("sam ")), "{:?}", clone.calls());
}

#[tokio::test]
async fn a_new_stack_is_told_what_comes_next_and_is_not_migrated() {
    let clone = built();
    aws(&clone, None).await;
    let outcome = clone.run(&["deploy"], &[("YES", "1"), ("SKIP_BUILD", "1")]);
    outcome.assert_refused(&["The stack stands", "`make secrets`, then `make migrate`"]);
    assert!(!clone.calls().iter().any(|call| call.starts_with("aws lambda")), "{:?}", clone.calls());
}

#[tokio::test]
async fn without_what_it_needs_nothing_is_deployed() {
    let clone = built();
    aws(&clone, None).await;
    let deploy = |clone: &Clone| clone.run(&["deploy"], &[("YES", "1"), ("SKIP_BUILD", "1")]);
    clone.write("parameters.env", "AuthIssuer=x\n");
    deploy(&clone).assert_refused(&["parameters.env lacks parameters", "AuthJwksUrl=", "ModelSources="]);
    fs::remove_file(clone.path("parameters.env")).unwrap();
    deploy(&clone).assert_refused(&["parameters.env cannot be read", "AuthIssuer="]);
    let parameters = with_required(&clone);
    clone.write("parameters.env", &format!("{parameters}Architecture=arm\n"));
    deploy(&clone).assert_refused(&["\"arm\" is no processor of Lambda's"]);
    clone.write("parameters.env", &format!("{parameters}Architecture=x86_64\n"));
    deploy(&clone).assert_refused(&["the zips are for arm64, the parameter Architecture says x86_64"]);
    clone.write("parameters.env", &parameters);
    fs::remove_file(clone.path("target/lambda/chat/bootstrap.zip")).unwrap();
    deploy(&clone).assert_refused(&["chat has no zip"]);
    fs::remove_file(clone.path("target/lambda/architecture")).unwrap();
    deploy(&clone).assert_refused(&["are not complete: make build"]);
    assert!(!clone.calls().iter().any(|call| call.starts_with("sam ")), "{:?}", clone.calls());
    clone.stand_in("aws", "echo 'Unable to locate credentials' >&2; exit 253");
    deploy(&clone).assert_refused(&["AWS does not know you"]);
}

#[test]
fn a_processor_without_rusts_library_is_refused_with_the_command_that_installs_it() {
    let clone = Clone::new();
    let sysroot = clone.path("rust");
    clone.stand_in("rustc", &format!("echo '{}'", sysroot.display()));
    clone.run(&["build", "arm64"], &[]).assert_refused(&["rustup target add aarch64-unknown-linux-gnu"]);
    clone.run(&["build", "mips"], &[]).assert_refused(&["\"mips\" is no processor"]);
    assert!(!Path::new(&clone.path(".devstack/tools")).exists(), "nothing was installed for it");
}
