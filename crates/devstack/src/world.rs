//! The local world: started in order, stopped in the opposite one.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::Value;
use testkit::fake_strava::{Clock, FIRST_SUBSCRIPTION_ID};
use testkit::{FakeStrava, TokenIssuer, history, issuer, mixer, traveller};
use tidy::template::Template;
use tokio::process::Command;
use uuid::Uuid;

use crate::console::say;
use crate::env_file::{self, Variables};
use crate::events::Events;
use crate::functions::Functions;
use crate::postgres::{Postgres, free_port};
use crate::queues::{ACCESS_KEY, QueueServer, REGION};
use crate::tools;

const DATABASE: &str = "runaway";
/// Where the gateway listens, if that is free.
const GATEWAY_PORT: u16 = 9000;
/// Where the sign-in listens, if that is free: it stands in tokens, which shall outlive a restart.
const ISSUER_PORT: u16 = 9911;
const CLAUDE: &str = "https://api.anthropic.com";
const APP_REDIRECT: &str = "runaway://strava-connected";

/// Everything that runs.
pub(crate) struct World {
    pub(crate) strava: FakeStrava,
    pub(crate) issuer: TokenIssuer,
    pub(crate) variables: Variables,
    pub(crate) demo_athlete: i64,
    port: u16,
    env: env_file::Written,
    functions: Functions,
    events: Events,
    queues: QueueServer,
    postgres: Postgres,
    _lock: File,
}

impl World {
    /// Starts everything and writes `.devstack/env` at last.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let folder = tools::state()?;
        let lock = lock(&folder, "lock")?;
        env_file::remove(&folder);
        let template = Template::read(Path::new("template.yaml"))?;

        say("Starting PostgreSQL …");
        let postgres = Postgres::start("postgres", false).await?;
        postgres.database(DATABASE).await?;
        postgres.take_back_work(DATABASE).await?;
        say("Starting the SQS-protocol server …");
        let queues = QueueServer::start().await?;
        let addresses = queues.create(&template).await?;
        let issuer = TokenIssuer::start(free_port(ISSUER_PORT)?, &issuer_key(&folder)?).await;
        let strava = FakeStrava::start(0, Clock::default()).await;
        let demo_athlete = add_demo_athlete(&strava)?;
        add_other_athletes(&strava);

        let port = free_port(GATEWAY_PORT)?;
        if port != GATEWAY_PORT {
            say(&format!("Port {GATEWAY_PORT} is taken; the gateway listens on {port}"));
        }
        let mut variables = settings(&postgres, &queues, &issuer, &strava, port)?;
        for (name, queue) in [("SYNC_QUEUE_URL", "SyncQueue"), ("JOURNAL_QUEUE_URL", "JournalQueue")] {
            let address = addresses.get(queue).with_context(|| format!("the template has no {queue}"))?;
            variables.insert(name.to_owned(), address.clone());
        }
        say("Starting the functions …");
        let names: Vec<String> = template.functions.iter().map(|f| f.name.clone()).filter(|name| name != "migrate").collect();
        let functions = Functions::start(port, &names, &variables).await?;
        let events = Events::start(port, &template, &queues.client(), &addresses)?;

        for (name, value) in [
            ("RUNAWAY_URL", format!("http://localhost:{port}/functions/v1")),
            ("FAKE_STRAVA_URL", strava.base_url()),
            ("DATABASE_ADMIN_URL", postgres.admin_url(DATABASE)),
            ("DEMO_USER_ID", demo_user(demo_athlete).to_string()),
            ("DEMO_ATHLETE_ID", demo_athlete.to_string()),
        ] {
            variables.insert(name.to_owned(), value);
        }
        let env = env_file::write(&folder, &variables)?;
        Ok(Self { strava, issuer, variables, demo_athlete, port, env, functions, events, queues, postgres, _lock: lock })
    }

    /// A setting of the running world.
    pub(crate) fn variable(&self, name: &str) -> anyhow::Result<&str> {
        self.variables.get(name).map(String::as_str).with_context(|| format!("{name} is not set"))
    }

    /// Invokes a function as its schedule does, and returns its answer.
    pub(crate) async fn invoke(&self, function: &str, event: &Value) -> anyhow::Result<Value> {
        crate::events::invoke(self.port, function, event).await
    }

    /// The demo athlete's user.
    pub(crate) fn demo_user(&self) -> Uuid {
        demo_user(self.demo_athlete)
    }

    /// Says where everything is.
    pub(crate) fn announce(&self) {
        let url = self.variables.get("RUNAWAY_URL").map(String::as_str).unwrap_or_default();
        say("");
        say(&format!("Runaway answers at {url}"));
        say(&format!("The invented Strava's consent page is at {}/oauth/authorize", self.strava.base_url()));
        say(&format!("A token: make token USER={}", self.demo_user()));
        say("All settings: .devstack/env   Logs: .devstack/*.log   Stop: Ctrl-C");
    }

    /// Serves until it is stopped from outside.
    pub(crate) async fn serve(mut self) -> anyhow::Result<()> {
        crate::console::world_serves();
        tokio::select! {
            error = self.functions.watch_ended() => {
                self.stop().await;
                Err(error)
            }
            () = crate::console::interrupted() => {
                say("\nStopping …");
                self.stop().await;
                Ok(())
            }
        }
    }

    /// Stops everything.
    pub(crate) async fn stop(self) {
        drop(self.env);
        drop(self.events);
        self.functions.stop().await;
        self.queues.stop().await;
        self.postgres.stop().await;
    }
}

/// A lock that ends with this process, however it ends.
fn lock(folder: &Path, name: &str) -> anyhow::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(folder.join(name)).context("opening the lock")?;
    if file.try_lock().is_err() {
        bail!("one is already running in this clone; stop it first");
    }
    Ok(file)
}

/// The user of an athlete's: the same for the same athlete, so that a kept database stays right.
fn demo_user(athlete_id: i64) -> Uuid {
    const DEMO_USERS: u128 = 0x0000_0000_0000_4000_8000_0000_0000_0000;
    Uuid::from_u128(DEMO_USERS | u128::from(athlete_id.unsigned_abs() & 0xffff_ffff_ffff))
}

fn issuer_key(folder: &Path) -> anyhow::Result<Vec<u8>> {
    kept(&folder.join("issuer.key"), || Ok(issuer::new_key()))
}

/// The content of a private file, made with the first use.
fn kept(path: &Path, make: impl FnOnce() -> anyhow::Result<Vec<u8>>) -> anyhow::Result<Vec<u8>> {
    if !path.exists() {
        env_file::write_private(path, &make()?)?;
    }
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}

/// An unguessable word, the same after every start.
fn kept_word(file: &str) -> anyhow::Result<String> {
    let bytes = kept(&tools::state()?.join(file), || Ok(runaway_core::vault::random_bytes::<24>()?.to_vec()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A variable of the person's own environment.
pub(crate) fn own(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a choice of the person at the keyboard, no setting of a function")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn settings(postgres: &Postgres, queues: &QueueServer, issuer: &TokenIssuer, strava: &FakeStrava, port: u16) -> anyhow::Result<Variables> {
    let token_key = kept(&tools::state()?.join("token.key"), || Ok(runaway_core::vault::random_bytes::<32>()?.to_vec()))?;
    let (client_id, client_secret, strava_base) = match (own("STRAVA_CLIENT_ID"), own("STRAVA_CLIENT_SECRET")) {
        (Some(id), Some(secret)) => {
            say("STRAVA_CLIENT_ID is set: the functions talk to the real Strava");
            (id, secret, "https://www.strava.com".to_owned())
        }
        _ => (strava.client_id().to_owned(), strava.client_secret().to_owned(), strava.base_url()),
    };
    let pairs = [
        ("DATABASE_URL", postgres.app_url(DATABASE)),
        ("AUTH_ISSUER", issuer.issuer()),
        ("AUTH_AUDIENCE", issuer::AUDIENCE.to_owned()),
        ("AUTH_JWKS_URL", issuer.jwks_url()),
        ("PUBLIC_BASE_URL", format!("http://localhost:{port}/functions/v1")),
        ("APP_REDIRECTS", APP_REDIRECT.to_owned()),
        ("STRAVA_API_BASE", format!("{strava_base}/api/v3")),
        ("STRAVA_OAUTH_BASE", strava_base),
        ("STRAVA_CLIENT_ID", client_id),
        ("STRAVA_CLIENT_SECRET", client_secret),
        ("STRAVA_WEBHOOK_PATH", kept_word("webhook.path")?),
        ("STRAVA_VERIFY_TOKEN", kept_word("verify.token")?),
        ("STRAVA_SUBSCRIPTION_ID", own("STRAVA_SUBSCRIPTION_ID").unwrap_or_else(|| FIRST_SUBSCRIPTION_ID.to_string())),
        // Without padding: the reader behind `cargo lambda watch --env-file` refuses an equals sign in a value.
        ("TOKEN_KEYS", format!("local:{}", STANDARD_NO_PAD.encode(token_key))),
    ];
    let mut variables: Variables = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let optional = ["ERASE_AFTER_DISCONNECT_DAYS", "RETENTION_DAYS", "OAUTH_CONFIRM"];
    variables.extend(optional.into_iter().filter_map(|name| Some((name.to_owned(), own(name)?))));
    variables.extend(aws(queues));
    variables.extend(model());
    Ok(variables)
}

/// Claude, where the person has a key and says whose data may be sent; without them the coach answers from facts only.
fn model() -> Variables {
    let names = ["ANTHROPIC_API_KEY", "MODEL_SOURCES", "ANTHROPIC_MODEL", "ANTHROPIC_EFFORT"];
    let mut variables: Variables = names.into_iter().filter_map(|name| Some((name.to_owned(), own(name)?))).collect();
    if variables.contains_key("ANTHROPIC_API_KEY") {
        say("ANTHROPIC_API_KEY is set: the coach asks the real Claude about data of the sources in MODEL_SOURCES");
        variables.insert("ANTHROPIC_BASE_URL".to_owned(), own("ANTHROPIC_BASE_URL").unwrap_or_else(|| CLAUDE.to_owned()));
    }
    variables
}

/// What the AWS SDK needs to find the local servers.
fn aws(queues: &QueueServer) -> Variables {
    let pairs = [
        ("AWS_ENDPOINT_URL_SQS", queues.endpoint()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", queues.endpoint()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY.to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Gives the demo athlete a history: the invented one, or that of the file named by `FAKE_STRAVA_ACTIVITIES`.
fn add_demo_athlete(strava: &FakeStrava) -> anyhow::Result<i64> {
    let (id, activities) = match own("FAKE_STRAVA_ACTIVITIES") {
        None => (history::DEMO_ATHLETE_ID, history::demo_activities(Timestamp::now())),
        Some(file) => {
            let text = std::fs::read_to_string(&file).with_context(|| format!("FAKE_STRAVA_ACTIVITIES: reading {file}"))?;
            let activities: Vec<Value> = serde_json::from_str(&text).context("FAKE_STRAVA_ACTIVITIES is no JSON array")?;
            let owner = activities.iter().find_map(|activity| activity["athlete"]["id"].as_i64());
            (owner.unwrap_or(history::DEMO_ATHLETE_ID), activities)
        }
    };
    strava.add_athlete(id, history::DEMO_FIRST_NAME, activities);
    strava.set_demo_athlete(id);
    Ok(id)
}

/// Two more to choose from on the consent page.
fn add_other_athletes(strava: &FakeStrava) {
    let now = Timestamp::now();
    strava.add_athlete(traveller::ATHLETE_ID, traveller::FIRST_NAME, traveller::activities(now));
    strava.add_athlete(mixer::ATHLETE_ID, mixer::FIRST_NAME, mixer::activities(now));
}

/// A token for the running world, signed with the key it keeps.
pub(crate) fn token(user: Uuid) -> anyhow::Result<String> {
    let folder = tools::state()?;
    let variables = env_file::read(&folder)?;
    let issuer = variables.get("AUTH_ISSUER").context(".devstack/env names no issuer")?;
    Ok(TokenIssuer::offline(issuer, &issuer_key(&folder)?).token(user))
}

/// Runs cargo with the workspace's tests, or what else stands on `testkit`, beside a fresh PostgreSQL and queue.
pub(crate) async fn cargo(command: &[&str], arguments: &[&str]) -> anyhow::Result<ExitCode> {
    cargo_with(command, arguments, &[]).await
}

/// [`cargo`] with further variables.
pub(crate) async fn cargo_with(command: &[&str], arguments: &[&str], variables: &[(&str, String)]) -> anyhow::Result<ExitCode> {
    let folder = tools::state()?;
    let _lock = lock(&folder, "test.lock")?;
    let postgres = Postgres::start("test-postgres", true).await?;
    let queues = QueueServer::start().await?;
    let mut tests = Command::new("cargo");
    let further = variables.iter().map(|(name, value)| (name, value));
    tests.args(command).args(arguments).envs(further).envs(aws(&queues)).env("DATABASE_ADMIN_URL", postgres.admin_url("postgres"));
    let status = tests.kill_on_drop(true).status().await.context("starting cargo")?;
    queues.stop().await;
    postgres.stop().await;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
