//! The property tests for as long as told, one after the other, and what came of each.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use crate::console::say;
use crate::{tools, world};

/// The property tests: all in a module of this name, inside a library or in a test of its own.
const SELECTION: [&str; 7] = ["test", "--workspace", "--lib", "--test", "fuzz", "--no-fail-fast", "fuzz::"];
/// The file in `.devstack` to which each target adds a line.
const REPORT: &str = "fuzz.tsv";

/// What one target did.
struct Target {
    name: String,
    cases: u64,
    ms: u64,
    failures: u64,
}

/// Divides the time among the targets, lets each use its share, and prints what they did.
pub(crate) async fn run(seconds: u64) -> anyhow::Result<ExitCode> {
    let report = tools::state()?.join(REPORT);
    std::fs::write(&report, "").context("emptying the report of the fuzzing")?;
    let count = count().await?;
    say(&format!("{count} targets share {seconds} s"));
    let share_ms = seconds.saturating_mul(1000) / count;
    let variables = [("FUZZ_MS", share_ms.to_string()), ("FUZZ_REPORT", report.display().to_string())];
    let outcome = world::cargo_with(&SELECTION, &["--", "--test-threads=1"], &variables).await?;
    let text = std::fs::read_to_string(&report).context("reading the report of the fuzzing")?;
    show(&text.lines().filter_map(target).collect::<Vec<_>>());
    Ok(outcome)
}

/// How many targets there are.
async fn count() -> anyhow::Result<u64> {
    let list = Command::new("cargo").args(SELECTION).args(["--", "--list"]).kill_on_drop(true).output().await.context("starting cargo")?;
    if !list.status.success() {
        bail!("the tests cannot be built:\n{}", String::from_utf8_lossy(&list.stderr));
    }
    let targets = String::from_utf8_lossy(&list.stdout).lines().filter(|line| line.ends_with(": test")).count();
    u64::try_from(targets).ok().filter(|count| *count > 0).context("there are no property tests")
}

fn target(line: &str) -> Option<Target> {
    let mut parts = line.split('\t');
    let name = parts.next()?.to_owned();
    let mut number = || parts.next()?.parse().ok();
    Some(Target { name, cases: number()?, ms: number()?, failures: number()? })
}

fn show(targets: &[Target]) {
    let line = |name: &str, cases: u64, ms: u64, failures: u64| {
        say(&format!("{name:40} {cases:>10} cases {:>8}.{} s {failures:>3} failures", ms / 1000, ms % 1000 / 100));
    };
    for target in targets {
        line(&target.name, target.cases, target.ms, target.failures);
    }
    let sum = |of: fn(&Target) -> u64| targets.iter().map(of).sum();
    line(&format!("{} targets", targets.len()), sum(|t| t.cases), sum(|t| t.ms), sum(|t| t.failures));
}
