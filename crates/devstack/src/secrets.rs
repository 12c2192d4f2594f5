//! The two secret documents of a stack: filled from the person's environment, a file or the keyboard, completed with
//! what can be made up, tried with the functions' own readers, and written. No value is ever shown.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, bail, ensure};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Region;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use runaway_core::config::{DatabaseConfig, ModelConfig, SECRET_ARN, SETTINGS, Settings, StravaConfig, VaultConfig, WebhookConfig};
use runaway_core::db::Db;
use runaway_core::vault::random_bytes;

use crate::console::{confirmed, say, typed_secret};
use crate::operator::Stack;
use crate::ring;
use crate::world::own;

/// The only secret that the functions must not have.
const MIGRATION_ONLY: &str = "DATABASE_ADMIN_URL";
/// What the migration has beside it, as the functions do.
const CERTIFICATES: &str = "DATABASE_CA_PEM";
/// Begins the description of a setting that may be absent.
const OPTIONAL: &str = "Optional";
const TOKEN_KEYS: &str = "TOKEN_KEYS";
/// Secrets Manager's word for the version that holds.
const CURRENT: &str = "AWSCURRENT";
/// One statement after the other.
const CONNECTIONS_MAX: usize = 1;
/// Id of the first key of a new ring.
const FIRST_KEY_ID: &str = "k1";

type Values = BTreeMap<String, String>;

/// One document.
struct Document {
    /// What it is for.
    title: &'static str,
    /// The stack's output that names it.
    output: &'static str,
    /// The settings that belong into it, and whether each may be absent.
    settings: Vec<(&'static str, bool)>,
}

/// The functions' document and the migration's.
fn documents() -> [Document; 2] {
    let secret = || SETTINGS.iter().filter(|setting| setting.secret);
    let entry = |setting: &runaway_core::config::Setting| (setting.name, setting.description.starts_with(OPTIONAL));
    let functions = secret().map(entry).filter(|(name, _)| *name != MIGRATION_ONLY).collect();
    let migration = secret().map(entry).filter(|(name, _)| [MIGRATION_ONLY, CERTIFICATES].contains(name)).collect();
    [
        Document { title: "the functions' secrets", output: "FunctionsSecretArn", settings: functions },
        Document { title: "the migration's secret", output: "MigrateSecretArn", settings: migration },
    ]
}

/// What becomes of one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Set,
    Changed,
    Generated,
    Absent,
}

impl Fate {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept as it is",
            Self::Set => "set",
            Self::Changed => "CHANGED",
            Self::Generated => "made up now",
            Self::Absent => "absent, which is allowed",
        }
    }
}

/// Fills both documents.
pub(crate) async fn run() -> anyhow::Result<()> {
    let stack = Stack::named().await?;
    let account = stack.account().await?;
    say(&format!("This fills the secret documents of {} in the account {account}. No value is shown.", stack.describe()));
    let given = given()?;
    let client = client(&stack).await;
    let mut ready = Vec::new();
    for document in documents() {
        let id = stack.output(document.output).await?.with_context(|| format!("{} does not exist: make deploy", stack.describe()))?;
        let held = held(&client, &id).await?;
        let (mut values, mut fates) = merge(&document, held.clone(), &given).await?;
        validate(&document, &values)?;
        if let (Some(dropped), Some(ring)) = (own("DROP_KEY"), values.get(TOKEN_KEYS)) {
            ensure!(held.get(TOKEN_KEYS) == Some(ring), "DROP_KEY is for a ring that is deployed: write the new one and deploy first");
            let rest = ring::without(ring, &dropped, &Db::new(&settings(&values).read(DatabaseConfig::read)?, CONNECTIONS_MAX)?).await?;
            values.insert(TOKEN_KEYS.to_owned(), rest);
            fates.iter_mut().filter(|(name, _)| *name == TOKEN_KEYS).for_each(|(_, fate)| *fate = Fate::Changed);
        }
        say(&format!("{}:", document.title));
        for (name, fate) in fates {
            say(&format!("  {name:<22} {}", fate.as_str()));
        }
        if values == held {
            say("  nothing to write");
        } else {
            ready.push((id, values));
        }
    }
    if ready.is_empty() {
        return Ok(());
    }
    if !confirmed("Write them?").await? {
        bail!("nothing was written");
    }
    for (id, values) in &ready {
        let text = serde_json::to_string(values).context("composing a document")?;
        client.put_secret_value().secret_id(id).secret_string(text).send().await.context("writing a document")?;
    }
    say("Written. A function reads its document when it starts: `make deploy` (SKIP_BUILD=1 where the zips are built) starts all anew.");
    Ok(())
}

/// What is other after every change of a document: the ids of the versions that hold now. Empty where none was written.
pub(crate) async fn version(stack: &Stack) -> anyhow::Result<String> {
    let (client, outputs) = (client(stack).await, stack.outputs().await?.unwrap_or_default());
    let mut versions = Vec::new();
    for id in documents().iter().filter_map(|document| outputs.get(document.output)) {
        let described = client.describe_secret().secret_id(id).send().await.context("asking for a secret document's version")?;
        let stages = described.version_ids_to_stages.unwrap_or_default();
        versions.extend(stages.into_iter().filter(|(_, stages)| stages.iter().any(|stage| stage == CURRENT)).map(|(id, _)| id));
    }
    Ok(versions.join(","))
}

/// Whether the migration finds its login.
pub(crate) async fn migration_can_run(stack: &Stack) -> anyhow::Result<bool> {
    let [_, migration] = documents();
    let id = stack.output(migration.output).await?.context("the stack is gone")?;
    Ok(held(&client(stack).await, &id).await?.contains_key(MIGRATION_ONLY))
}

async fn client(stack: &Stack) -> Client {
    let loader = aws_config::defaults(runaway_core::queue::aws_behavior()).region(Region::new(stack.region.clone()));
    Client::new(&loader.load().await)
}

/// What the person gives: the lines `NAME=value` of the file that `FILE` names, else their environment.
fn given() -> anyhow::Result<Values> {
    let secret: Vec<&str> = SETTINGS.iter().filter(|setting| setting.secret).map(|setting| setting.name).collect();
    let Some(file) = own("FILE") else {
        return Ok(secret.into_iter().filter_map(|name| Some((name.to_owned(), with_lines(name, &own(name)?)))).collect());
    };
    let text = fs::read_to_string(&file).with_context(|| format!("FILE: reading {file}"))?;
    let mut values = Values::new();
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')) {
        let (name, value) = line.split_once('=').with_context(|| format!("{file}, line {}, is not NAME=value", n + 1))?;
        ensure!(secret.contains(&name), "{file}, line {}: {name} is no secret setting; these are: {}", n + 1, secret.join(", "));
        if !value.is_empty() {
            values.insert(name.to_owned(), with_lines(name, value));
        }
    }
    Ok(values)
}

/// Certificates have lines, which stand as `\n` in the one line of a file.
fn with_lines(name: &str, value: &str) -> String {
    if name == CERTIFICATES { value.replace("\\n", "\n") } else { value.to_owned() }
}

/// What a document holds; nothing where it was never written.
async fn held(client: &Client, id: &str) -> anyhow::Result<Values> {
    let answer = client.get_secret_value().secret_id(id).send().await;
    let text = match answer {
        Ok(answer) => answer.secret_string.unwrap_or_default(),
        Err(error) if error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception) => {
            client.describe_secret().secret_id(id).send().await.context("there is no such secret document")?;
            return Ok(Values::new());
        }
        Err(error) => return Err(anyhow::Error::from(error).context("reading a secret document")),
    };
    // The parser's message would quote the document.
    serde_json::from_str(&text).ok().context("a secret document is no JSON object of texts: empty it by hand first")
}

/// What the document will hold, and what became of each setting: given, else held, else made up, else typed.
async fn merge(document: &Document, held: Values, given: &Values) -> anyhow::Result<(Values, Vec<(&'static str, Fate)>)> {
    let (mut values, mut fates) = (held, Vec::new());
    for &(name, may_be_absent) in &document.settings {
        let old = values.get(name);
        let fate = match (old, given.get(name)) {
            (Some(old), Some(new)) if old != new => {
                ensure!(
                    name != TOKEN_KEYS || ring::keeps_every_key(old, new),
                    "TOKEN_KEYS lacks a key of the ring that is there: what it sealed would open no more. DROP_KEY=<id> drops one that sealed nothing"
                );
                values.insert(name.to_owned(), new.clone());
                Fate::Changed
            }
            (Some(_), _) => Fate::Kept,
            (None, Some(new)) => {
                values.insert(name.to_owned(), new.clone());
                Fate::Set
            }
            (None, None) => match generated(name)? {
                Some(made_up) => {
                    values.insert(name.to_owned(), made_up);
                    Fate::Generated
                }
                None if may_be_absent => Fate::Absent,
                None => {
                    let line = typed_secret(&format!("{name} (is not shown):")).await?.filter(|line| !line.is_empty());
                    let hint = "set it in the environment, or in the file that FILE names";
                    values.insert(name.to_owned(), line.with_context(|| format!("{name} is missing: {hint}"))?);
                    Fate::Set
                }
            },
        };
        fates.push((name, fate));
    }
    Ok((values, fates))
}

/// What need not be asked for.
fn generated(name: &str) -> anyhow::Result<Option<String>> {
    Ok(match name {
        TOKEN_KEYS => Some(format!("{FIRST_KEY_ID}:{}", STANDARD.encode(random_bytes::<32>()?))),
        "STRAVA_WEBHOOK_PATH" | "STRAVA_VERIFY_TOKEN" => Some(URL_SAFE_NO_PAD.encode(random_bytes::<24>()?)),
        _ => None,
    })
}

/// The values by the rules of production.
fn settings(values: &Values) -> Settings {
    /// What the readers need beside the secrets; not what is deployed.
    const BESIDE: [(&str, &str); 5] = [
        (SECRET_ARN, "here"),
        ("ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
        ("STRAVA_API_BASE", "https://www.strava.com/api/v3"),
        ("STRAVA_OAUTH_BASE", "https://www.strava.com"),
        ("STRAVA_CLIENT_ID", "1"),
    ];
    let beside = BESIDE.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::from_pairs(beside.chain(values.clone()))
}

/// Reads the values as the functions will.
fn validate(document: &Document, values: &Values) -> anyhow::Result<()> {
    let settings = settings(values);
    if document.settings.iter().any(|(name, _)| *name == MIGRATION_ONLY) {
        settings.read(DatabaseConfig::read_admin)?;
    } else {
        settings.read(|s| {
            (DatabaseConfig::read(s), StravaConfig::read(s), WebhookConfig::read(s), VaultConfig::read(s), ModelConfig::read(s))
        })?;
    }
    Ok(())
}
