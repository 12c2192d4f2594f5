//! The functions: `cargo lambda watch` plays the gateway and the Runtime API, the built binaries are started, and
//! started again, from here. Watch itself never restarts a function that died.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::console::{patiently, say};
use crate::env_file::Variables;
use crate::{process, tools};

/// Processes of each function: as many calls are served at once.
const INSTANCES: usize = 2;
/// How many calls of one function watch hands out at once; at least the number of instances.
const CONCURRENCY: &str = "4";
/// A function that dies at once is not started again faster than this.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// How long the functions are given to ask for their first event; watch starts instances of its own for those that
/// have not, and then there are more than wanted.
const SETTLE_TIME: Duration = Duration::from_secs(1);
const READY_INTERVAL: Duration = Duration::from_millis(200);
const READY_TRIES_MAX: u32 = 150;
/// What Lambda tells a function of itself.
const MEMORY_MB: &str = "256";

/// The running functions.
pub(crate) struct Functions {
    watch: Child,
    instances: JoinSet<()>,
}

impl Functions {
    /// Starts watch on `port` and every function with these settings.
    pub(crate) async fn start(port: u16, names: &[String], variables: &Variables) -> anyhow::Result<Self> {
        let bin = tools::cargo_lambda().await?;
        let mut watch = process::command(&bin.join("cargo-lambda"), "KILL", false);
        watch.args(["lambda", "watch", "--only-lambda-apis", "--disable-cors", "--ignore-changes", "--concurrency", CONCURRENCY]);
        watch.args(["--invoke-address", "127.0.0.1", "--invoke-port", &port.to_string()]);
        // For the instances that watch may start by itself.
        watch.envs(variables);
        process::log_to(&mut watch, &tools::state()?.join("watch.log"))?;
        let mut watch = watch.spawn().context("starting cargo lambda watch")?;
        patiently("cargo lambda watch is starting", answers(port, &mut watch)).await?;
        let mut instances = JoinSet::new();
        for name in names {
            let binary = binary(name)?;
            for _ in 0..INSTANCES {
                instances.spawn(keep_running(name.clone(), binary.clone(), port, variables.clone()));
            }
        }
        tokio::time::sleep(SETTLE_TIME).await;
        Ok(Self { watch, instances })
    }

    /// Returns when watch is gone, which nothing mends.
    pub(crate) async fn watch_ended(&mut self) -> anyhow::Error {
        match self.watch.wait().await {
            Ok(status) => anyhow::anyhow!("cargo lambda watch ended with {status}; .devstack/watch.log says why"),
            Err(error) => error.into(),
        }
    }

    /// Ends all of them.
    pub(crate) async fn stop(mut self) {
        self.instances.shutdown().await;
        process::stop(self.watch).await;
    }
}

async fn answers(port: u16, watch: &mut Child) -> anyhow::Result<()> {
    for _ in 0..READY_TRIES_MAX {
        if let Some(status) = watch.try_wait().context("looking after cargo lambda watch")? {
            bail!("cargo lambda watch ended with {status}; .devstack/watch.log says why");
        }
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(READY_INTERVAL).await;
    }
    bail!("cargo lambda watch does not answer; .devstack/watch.log may say why")
}

/// The function's binary, which lies beside this one.
fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program")?;
    let binary = own.with_file_name(name);
    if !binary.exists() {
        bail!("{name} has not been built: start with make");
    }
    Ok(binary)
}

async fn keep_running(name: String, binary: PathBuf, port: u16, variables: Variables) {
    loop {
        match spawn(&name, &binary, port, &variables) {
            Ok(mut child) => {
                let ended = child.wait().await;
                let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                say(&format!("The function {name} ended ({how}); it is started again. .devstack/{name}.log may say why"));
            }
            Err(error) => say(&format!("The function {name} cannot be started: {error:#}")),
        }
        tokio::time::sleep(RESTART_PAUSE).await;
    }
}

fn spawn(name: &str, binary: &Path, port: u16, variables: &Variables) -> anyhow::Result<Child> {
    let mut command: Command = process::command(binary, "KILL", false);
    for (variable, value) in variables {
        command.env(variable, value);
    }
    command
        .env("AWS_LAMBDA_RUNTIME_API", format!("http://127.0.0.1:{port}/.rt/{name}"))
        .env("AWS_LAMBDA_FUNCTION_NAME", name)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY_MB);
    process::log_to(&mut command, &tools::state()?.join(format!("{name}.log")))?;
    command.spawn().context("starting the binary")
}
