//! What the functions wrote: of the running world from its files, of a stack by SAM.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tidy::template::{Function, Template};
use tokio::process::Command;

use crate::console::say;
use crate::operator::Stack;
use crate::world::own;
use crate::{process, tools};

/// How far back, where `SINCE` says nothing.
const SINCE: &str = "10m";

/// Shows the log of the function that `FUNCTION` names, or of all.
pub(crate) async fn run() -> anyhow::Result<()> {
    let state = tools::state()?;
    let template = Template::read(Path::new("template.yaml"))?;
    let chosen = own("FUNCTION");
    let functions: Vec<&Function> =
        template.functions.iter().filter(|function| chosen.as_ref().is_none_or(|name| *name == function.name)).collect();
    if functions.is_empty() {
        let names: Vec<&str> = template.functions.iter().map(|function| function.name.as_str()).collect();
        bail!("FUNCTION is none of {}", names.join(", "));
    }
    let since = Since::parse(&own("SINCE").unwrap_or_else(|| SINCE.to_owned()))?;
    if own("STACK").is_some() || own("AWS_REGION").is_some() {
        return deployed(&Stack::named().await?, &functions, &since).await;
    }
    ensure!(own("FOLLOW").is_none(), "FOLLOW=1 is for a stack; here: tail -F .devstack/*.log");
    say("The files of the world in .devstack; with AWS_REGION set, those of the deployed functions.");
    let from = Timestamp::now() - SignedDuration::from_secs(since.seconds);
    for function in functions {
        let text = fs::read_to_string(state.join(format!("{}.log", function.name))).unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| is_since(line, from)).collect();
        if !lines.is_empty() {
            say(&format!("--- {}", function.name));
            lines.iter().for_each(|line| say(line));
        }
    }
    Ok(())
}

async fn deployed(stack: &Stack, functions: &[&Function], since: &Since) -> anyhow::Result<()> {
    let mut command = Command::new(tools::sam().await?);
    command.args(["logs", "--stack-name", &stack.name, "--region", &stack.region, "--start-time", &since.words]);
    command.args(functions.iter().flat_map(|function| ["--name", &function.logical_id]));
    if own("FOLLOW").is_some() {
        command.arg("--tail");
    }
    say(&format!("Since {}, from {}", since.words, stack.describe()));
    process::attended("sam logs", command.env("SAM_CLI_TELEMETRY", "0")).await
}

/// Whether a line is of that time or later. One without a time belongs to the one before it and is shown.
fn is_since(line: &str, from: Timestamp) -> bool {
    let at = serde_json::from_str::<Value>(line).ok().and_then(|line| line["timestamp"].as_str()?.parse::<Timestamp>().ok());
    at.is_none_or(|at| at >= from)
}

/// How far back.
#[derive(Debug, PartialEq, Eq)]
struct Since {
    seconds: i64,
    /// As SAM reads it.
    words: String,
}

impl Since {
    /// Reads `30m`, `2h` or `1d`.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let unclear = || format!("SINCE={text} is unclear: a number with m, h or d behind it, such as 30m");
        let unit = text.chars().last().with_context(unclear)?;
        let (unit_s, word) = match unit {
            'm' => (60, "minutes"),
            'h' => (3600, "hours"),
            'd' => (86_400, "days"),
            _ => bail!(unclear()),
        };
        let number: u32 = text[..text.len() - 1].parse().with_context(unclear)?;
        Ok(Self { seconds: i64::from(number) * unit_s, words: format!("{number} {word} ago") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_or_refused() {
        assert_eq!(Since::parse("2h").unwrap(), Since { seconds: 7200, words: "2 hours ago".to_owned() });
        for bad in ["", "m", "10", "tenm", "-1m", "1w", "1µ"] {
            assert!(Since::parse(bad).unwrap_err().to_string().contains("unclear"), "{bad}");
        }
    }

    #[test]
    fn older_lines_are_left_out() {
        let from: Timestamp = "2026-01-04T06:30:00Z".parse().unwrap();
        assert!(is_since(r#"{"timestamp":"2026-01-04T06:30:00.5Z","message":"x"}"#, from));
        assert!(!is_since(r#"{"timestamp":"2026-01-04T06:29:59Z","message":"x"}"#, from));
        assert!(is_since("thread panicked", from));
    }
}
