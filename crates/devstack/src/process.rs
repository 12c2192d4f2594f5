//! Child processes that never outlive this one.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};

/// How long a process may take to end after it was asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// The user that PostgreSQL runs as when this is root, which PostgreSQL refuses to be.
const UNPRIVILEGED: [&str; 4] = ["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--inh-caps=-all"];

/// Whether this runs as root.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A command whose process gets `signal` when this process dies, however it dies.
pub(crate) fn command(program: &Path, signal: &str, unprivileged: bool) -> Command {
    let mut command = Command::new("setpriv");
    command.arg(format!("--pdeathsig={signal}"));
    if unprivileged {
        command.args(UNPRIVILEGED);
    }
    command.arg("--").arg(program).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Sends what the command writes to a file.
pub(crate) fn log_to(command: &mut Command, log: &Path) -> anyhow::Result<()> {
    let file = File::options().create(true).append(true).open(log).with_context(|| format!("opening {}", log.display()))?;
    command.stdout(file.try_clone().context("a second handle of the log")?).stderr(file);
    Ok(())
}

/// Runs a command to its end; what it wrote is shown only when it fails.
pub(crate) async fn run(what: &str, command: &mut Command) -> anyhow::Result<()> {
    output(what, command).await.map(drop)
}

/// [`run`] for a command whose standard output is wanted.
pub(crate) async fn output(what: &str, command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = crate::console::patiently(what, output).await.with_context(|| format!("{what}: the command cannot be started"))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!("{what} failed ({}):\n{}", output.status, String::from_utf8_lossy(&text));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{what}: what the command wrote is no text"))
}

/// Runs a command that speaks with the person itself.
pub(crate) async fn attended(what: &str, command: &mut Command) -> anyhow::Result<()> {
    let status = command.kill_on_drop(true).status().await.with_context(|| format!("{what}: the command cannot be started"))?;
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

/// Asks a process to end by an interrupt and waits for it.
pub(crate) async fn stop(mut child: Child) {
    if let Some(pid) = child.id() {
        Command::new("sh").args(["-c", &format!("kill -INT {pid}")]).status().await.ok();
    }
    if tokio::time::timeout(STOP_TIMEOUT, child.wait()).await.is_err() {
        child.kill().await.ok();
    }
}
