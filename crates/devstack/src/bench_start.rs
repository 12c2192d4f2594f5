//! What the start of each function takes: size, memory, and the time until it asks for its first event, as a release
//! binary, beside a function that does nothing. Printed and never asserted: a number of this machine is no promise.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use runaway_core::vault::random_bytes;
use tidy::template::Template;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::console::{Progress, say};
use crate::{process, tools, world};

/// Starts of each function, one of each in turn, so that a busy moment meets all.
const STARTS: usize = 25;
/// A start takes milliseconds; a function that takes this long has not come up.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const RELEASE: &str = "target/release";
const EMPTY: &str = "empty-function";
const FIRST_REQUEST: &str = "GET /2018-06-01/runtime/invocation/next";

/// One function and what was measured of it.
struct Subject {
    name: String,
    binary: PathBuf,
    bytes: u64,
    zip_bytes: u64,
    memory_kib: Vec<u64>,
    start: Vec<Duration>,
}

/// Builds, measures, and runs the recorded events through the same binaries.
pub(crate) async fn run() -> anyhow::Result<ExitCode> {
    let template = Template::read(Path::new("template.yaml"))?;
    let names: Vec<&str> = template.functions.iter().map(|function| function.name.as_str()).collect();
    let names = || [EMPTY].into_iter().chain(names.iter().copied());
    if world::own("SKIP_BUILD").is_none() {
        // Of the whole workspace, as every other build, so that features are the same.
        let mut build = Command::new("cargo");
        build.args(["build", "--release", "--workspace"]).args(names().flat_map(|name| ["--bin", name]));
        process::run("building for release, which takes many minutes the first time", &mut build).await?;
    }
    let mut subjects = Vec::new();
    for name in names() {
        subjects.push(Subject::new(name).await?);
    }
    let variables = variables()?;
    let mut progress = Progress::default();
    for round in 0..STARTS {
        for subject in &mut subjects {
            subject.measure(&variables).await?;
        }
        progress.show(i64::try_from((round + 1) * 100 / STARTS).unwrap_or_default(), "of the starts");
    }
    progress.end();
    let [empty, ..] = subjects.as_slice() else { bail!("nothing was measured") };
    say("\n| function | binary, MB | zip, MB | memory at its peak, MiB | of the empty one | first request after, ms | of the empty one |");
    say("|---|---|---|---|---|---|---|");
    subjects.iter().for_each(|subject| say(&subject.row(empty)));
    say("\nThe recorded events, through these binaries:");
    let folder = std::env::current_dir().context("the current folder")?.join(RELEASE);
    let events = [("BINARIES", folder.to_string_lossy().into_owned())];
    world::cargo_with(&["test", "--workspace", "--test", "events"], &[], &events).await
}

impl Subject {
    async fn new(name: &str) -> anyhow::Result<Self> {
        let binary = Path::new(RELEASE).join(name);
        let bytes = fs::metadata(&binary).with_context(|| format!("{name} was not built"))?.len();
        let zip = tools::state()?.join("bench.zip");
        fs::remove_file(&zip).ok();
        let mut command = Command::new("python3");
        command.args(["-m", "zipfile", "-c"]).arg(&zip).arg(&binary);
        process::run(&format!("zipping {name}"), &mut command).await?;
        let zip_bytes = fs::metadata(&zip).context("the zip")?.len();
        Ok(Self { name: name.to_owned(), binary, bytes, zip_bytes, memory_kib: Vec::new(), start: Vec::new() })
    }

    /// Starts it once and stops it when it asks for an event.
    async fn measure(&mut self, variables: &[(&str, String)]) -> anyhow::Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("a port for the Runtime API")?;
        let address = listener.local_addr().context("the port")?.to_string();
        let mut command = Command::new(&self.binary);
        command.env_clear().envs(variables.iter().map(|(name, value)| (name, value))).env("AWS_LAMBDA_RUNTIME_API", address);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let began = Instant::now();
        let mut child = command.spawn().with_context(|| format!("starting {}", self.name))?;
        let asked = tokio::time::timeout(START_TIMEOUT, first_request(&listener)).await;
        let took = began.elapsed();
        // Held until the end: a function whose request is cut off ends.
        let _request = asked.with_context(|| format!("{} does not ask for an event: it may lack a setting", self.name))??;
        self.start.push(took);
        self.memory_kib.push(peak_memory_kib(child.id().context("the process is gone")?)?);
        child.kill().await.context("stopping a function")
    }

    fn row(&self, empty: &Self) -> String {
        let mb = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
        let (memory_kib, start) = (median(&self.memory_kib), median(&self.start));
        let (empty_kib, empty_start) = (median(&empty.memory_kib), median(&empty.start));
        format!(
            "| {} | {} | {} | {:.1} | × {:.1} | {:.1} | × {:.1} |",
            self.name,
            mb(self.bytes),
            mb(self.zip_bytes),
            memory_kib as f64 / 1024.0,
            memory_kib as f64 / empty_kib as f64,
            start.as_secs_f64() * 1e3,
            start.as_secs_f64() / empty_start.as_secs_f64()
        )
    }
}

fn median<T: Ord + Copy + Default>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Returns when the first event is asked for.
async fn first_request(listener: &TcpListener) -> anyhow::Result<TcpStream> {
    let (stream, _) = listener.accept().await.context("waiting for the function")?;
    let (mut stream, mut line) = (BufReader::new(stream), String::new());
    stream.read_line(&mut line).await.context("reading the function's request")?;
    if !line.starts_with(FIRST_REQUEST) {
        bail!("the function begins with {line:?} instead of asking for an event");
    }
    Ok(stream.into_inner())
}

/// The most memory that the process has had, as the kernel counts it.
fn peak_memory_kib(process: u32) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).context("reading the process's memory")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.context("the kernel does not tell the process's memory")
}

/// Settings with which every function starts; nobody is called before the first event.
fn variables() -> anyhow::Result<Vec<(&'static str, String)>> {
    let key = format!("k1:{}", STANDARD.encode(random_bytes::<32>()?));
    let texts = [
        ("DATABASE_URL", "postgres://runaway_app@127.0.0.1:1/runaway"),
        ("DATABASE_ADMIN_URL", "postgres://runaway_admin@127.0.0.1:1/runaway"),
        ("SYNC_QUEUE_URL", "http://127.0.0.1:1/queue"),
        ("JOURNAL_QUEUE_URL", "http://127.0.0.1:1/queue"),
        ("AUTH_ISSUER", "http://127.0.0.1:1"),
        ("AUTH_AUDIENCE", "authenticated"),
        ("AUTH_JWKS_URL", "http://127.0.0.1:1/keys"),
        ("PUBLIC_BASE_URL", "http://127.0.0.1:1/functions/v1"),
        ("APP_REDIRECTS", "runaway://strava-connected"),
        ("STRAVA_API_BASE", "http://127.0.0.1:1/api/v3"),
        ("STRAVA_OAUTH_BASE", "http://127.0.0.1:1"),
        ("STRAVA_CLIENT_ID", "1"),
        ("STRAVA_CLIENT_SECRET", "no-secret"),
        ("STRAVA_WEBHOOK_PATH", "no-secret-no-secret"),
        ("STRAVA_VERIFY_TOKEN", "no-secret-no-secret"),
        ("ANTHROPIC_API_KEY", "no-key"),
        ("ANTHROPIC_BASE_URL", "http://127.0.0.1:1"),
        ("MODEL_SOURCES", "strava"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "none"),
        ("AWS_SECRET_ACCESS_KEY", "none"),
        ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ];
    let mut variables: Vec<_> = texts.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    variables.push(("TOKEN_KEYS", key));
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(&[5, 1, 4, 2, 3]), 3);
        assert_eq!(median::<u64>(&[]), 0);
    }

    #[tokio::test]
    async fn the_first_request_is_recognised_and_no_other() {
        use tokio::io::AsyncWriteExt as _;
        for (sent, is_first) in [("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n", true), ("POST /init/error HTTP/1.1\r\n", false)] {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            assert_eq!(first_request(&listener).await.is_ok(), is_first, "{sent}");
        }
        assert!(peak_memory_kib(std::process::id()).unwrap() > 0);
    }
}
