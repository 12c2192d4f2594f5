//! What the operator's commands share: whose settings they use, the deployed stack they speak to, and AWS's own command
//! line, which speaks to it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use runaway_core::config::{SETTINGS, Settings};
use serde_json::Value;
use tokio::process::Command;

use crate::world::own;
use crate::{env_file, process, tools};

/// The stack where `STACK` says nothing; `samconfig.toml` names the same.
const STACK: &str = "runaway";
/// The longest that a function may take; the command line waits for it and never asks twice.
const INVOCATION_TIMEOUT_S: &str = "900";

/// The functions' settings. The presence of one of the `decisive` ones in the person's environment decides where all of
/// them are from: settings of two worlds are never mixed.
pub(crate) async fn settings(decisive: &[&str]) -> anyhow::Result<Settings> {
    if decisive.iter().any(|name| own(name).is_some()) {
        return Ok(Settings::load().await?);
    }
    let world = env_file::read(&tools::state()?)
        .with_context(|| format!("neither {} is set, nor does a world run here", decisive.join(" nor ")))?;
    let known = world.into_iter().filter(|(name, value)| SETTINGS.iter().any(|setting| setting.name == name) && !value.is_empty());
    Ok(Settings::from_pairs(known))
}

/// A stack of CloudFormation, deployed or to be.
pub(crate) struct Stack {
    /// Its name, which begins the names of its functions.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) region: String,
    aws: PathBuf,
}

impl Stack {
    /// The stack that the person's environment names.
    pub(crate) async fn named() -> anyhow::Result<Self> {
        let region = own("AWS_REGION").or_else(|| own("AWS_DEFAULT_REGION"));
        let region = region.context("AWS_REGION is not set: name the region of the stack, for example AWS_REGION=eu-west-1")?;
        Ok(Self { name: own("STACK").unwrap_or_else(|| STACK.to_owned()), region, aws: tools::aws().await? })
    }

    /// A few words that say which one.
    pub(crate) fn describe(&self) -> String {
        format!("the stack {} in {}", self.name, self.region)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.aws);
        command.args(arguments).args(["--region", &self.region, "--output", "json"]);
        command
    }

    /// Number of the account whose credentials the person has.
    pub(crate) async fn account(&self) -> anyhow::Result<String> {
        let output = process::output("asking AWS who you are", &mut self.command(&["sts", "get-caller-identity"])).await;
        let output = output.context("AWS does not know you: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")?;
        let identity: Value = serde_json::from_str(&output).context("reading AWS's answer")?;
        Ok(identity["Account"].as_str().context("AWS names no account")?.to_owned())
    }

    /// An output of the deployed stack; `None` where there is no such stack.
    pub(crate) async fn output(&self, key: &str) -> anyhow::Result<Option<String>> {
        let Some(mut outputs) = self.outputs().await? else { return Ok(None) };
        let value = outputs.remove(key);
        Ok(Some(value.with_context(|| format!("{} has no output {key}: deploy it anew", self.describe()))?))
    }

    /// The outputs of the stack, none while it was never deployed to the end; `None` where there is no such stack.
    pub(crate) async fn outputs(&self) -> anyhow::Result<Option<BTreeMap<String, String>>> {
        let mut command = self.command(&["cloudformation", "describe-stacks", "--stack-name", &self.name]);
        let answer = match process::output("reading the stack", &mut command).await {
            Ok(answer) => answer,
            Err(error) if format!("{error:#}").contains("does not exist") => return Ok(None),
            Err(error) => return Err(error),
        };
        let answer: Value = serde_json::from_str(&answer).context("reading AWS's answer")?;
        let outputs = answer["Stacks"][0]["Outputs"].as_array();
        let pair = |output: &Value| Some((output["OutputKey"].as_str()?.to_owned(), output["OutputValue"].as_str()?.to_owned()));
        Ok(Some(outputs.into_iter().flatten().filter_map(pair).collect()))
    }

    /// Invokes one of its functions once and returns the answer.
    pub(crate) async fn invoke(&self, function: &str, event: &Value) -> anyhow::Result<Value> {
        let folder = tools::state()?;
        let (event_file, answer_file) = (folder.join("invocation.event"), folder.join("invocation.answer"));
        env_file::write_private(&event_file, event.to_string().as_bytes())?;
        let (payload, physical) = (format!("fileb://{}", event_file.display()), format!("{}-{function}", self.name));
        let arguments = ["lambda", "invoke", "--function-name", &physical, "--payload", &payload];
        let mut command = self.command(&arguments);
        command.args(["--cli-read-timeout", INVOCATION_TIMEOUT_S]).arg(&answer_file).env("AWS_MAX_ATTEMPTS", "1");
        let outcome = process::output(&format!("invoking {physical}"), &mut command).await?;
        let answer = std::fs::read_to_string(&answer_file).context("reading the function's answer")?;
        let answer: Value = serde_json::from_str(&answer).context("the function's answer is no JSON")?;
        let outcome: Value = serde_json::from_str(&outcome).context("reading AWS's answer")?;
        if !outcome["FunctionError"].is_null() {
            bail!("{physical} failed: {}", answer["errorMessage"].as_str().unwrap_or("it says no more; see its log"));
        }
        Ok(answer)
    }
}
