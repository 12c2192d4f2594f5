//! A deployment: the template with the built zips, handed to SAM, and the migrations after it.
//!
//! SAM's own build is not used. It would build every function by itself, with features resolved anew for each; here one
//! call of cargo builds all, and SAM uploads what stands in a copy of the template.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use tidy::stack::{self, Parameter};
use tidy::template::Template;
use tokio::process::Command;

use crate::console::{confirmed, say};
use crate::operator::Stack;
use crate::world::own;
use crate::zips::{self, Architecture};
use crate::{migrations, process, secrets, tools};

const TEMPLATE: &str = "template.yaml";
/// Where the parameters' values stand, if `PARAMETERS` says nothing.
const PARAMETERS: &str = "parameters.env";

/// The parameter that is other after every change of the secret documents, so that all functions start anew with these.
const SECRETS_VERSION: &str = "SecretsVersion";

/// Builds, deploys and migrates.
pub(crate) async fn run() -> anyhow::Result<()> {
    tools::state()?;
    let text = fs::read_to_string(TEMPLATE).context("reading template.yaml")?;
    let template = Template::parse(&text)?;
    let known = stack::Stack::parse(&text)?.parameters;
    let file = own("PARAMETERS").unwrap_or_else(|| PARAMETERS.to_owned());
    let mut values = read_values(&file, &known)?;
    let architecture = Architecture::parse(value(&values, &known, "Architecture"))?;
    let stack = Stack::named().await?;
    let sam = tools::sam().await?;
    let account = stack.account().await?;
    values.insert(SECRETS_VERSION.to_owned(), secrets::version(&stack).await?);

    say(&format!("This deploys {} in the account {account}: {} functions for {architecture}.", stack.describe(), template.functions.len()));
    say(&format!("Parameters, from {file}:"));
    for parameter in &known {
        let note = if values.contains_key(&parameter.name) { "" } else { " (the template's default)" };
        say(&format!("  {} = {}{note}", parameter.name, value(&values, &known, &parameter.name)));
    }
    if !confirmed("Deploy it? SAM then shows what changes while it does it.").await? {
        bail!("nothing was deployed");
    }
    if own("SKIP_BUILD").is_none() {
        zips::build(architecture, &template).await?;
    }
    // All of them: what is not handed over stays what it was at the deployment before.
    let all = known.iter().map(|parameter| (parameter.name.as_str(), value(&values, &known, &parameter.name))).collect::<Vec<_>>();
    hand_over(&sam, &stack, &text, &template, &all, architecture).await?;
    compare_addresses(&stack, value(&values, &known, "PublicBaseUrl")).await?;
    if !secrets::migration_can_run(&stack).await? {
        bail!("The stack stands, but the database was not migrated: its secret documents are empty. `make secrets`, then `make migrate`");
    }
    migrations::deployed(&stack).await
}

/// `Name=value` per line; a line that begins with # is a remark. Every name must be the template's, and every parameter
/// without a default must be there.
fn read_values(file: &str, known: &[Parameter]) -> anyhow::Result<BTreeMap<String, String>> {
    let required: Vec<&Parameter> = known.iter().filter(|parameter| parameter.default.is_none()).collect();
    let lines_of =
        |parameters: &[&Parameter]| -> String { parameters.iter().map(|p| format!("\n  {}=   ({})", p.name, p.description)).collect() };
    let Ok(text) = fs::read_to_string(file) else {
        bail!("{file} cannot be read. It holds the template's parameters, one per line; these must be there:{}", lines_of(&required));
    };
    let mut values = BTreeMap::new();
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        let (name, value) = line.split_once('=').with_context(|| format!("{file}, line {}, is not Name=value", n + 1))?;
        let name = name.trim();
        ensure!(known.iter().any(|parameter| parameter.name == name), "{file}: {name} is no parameter of the template");
        ensure!(name != SECRETS_VERSION, "{file}: {name} is asked of AWS and not given");
        ensure!(values.insert(name.to_owned(), value.to_owned()).is_none(), "{file}: {name} stands there twice");
    }
    let missing: Vec<&Parameter> = required.into_iter().filter(|parameter| !values.contains_key(&parameter.name)).collect();
    ensure!(missing.is_empty(), "{file} lacks parameters of the template:{}", lines_of(&missing));
    Ok(values)
}

fn value<'a>(values: &'a BTreeMap<String, String>, known: &'a [Parameter], name: &str) -> &'a str {
    let default = || known.iter().find(|parameter| parameter.name == name)?.default.as_deref();
    values.get(name).map(String::as_str).or_else(default).unwrap_or_default()
}

/// The template with each function's zip in the place of its source. Text, not YAML: what is not about code stays as it is.
fn with_zips(text: &str, template: &Template) -> anyhow::Result<String> {
    let (mut lines, mut binary, mut placed) = (Vec::new(), None, 0);
    for line in text.lines().filter(|line| line.trim() != "CodeUri: .") {
        lines.push(line.to_owned());
        if let Some(name) = line.trim().strip_prefix("Binary: ") {
            binary = Some(name.to_owned());
        } else if line == "    Properties:"
            && let Some(name) = binary.take()
        {
            lines.push(format!("      CodeUri: {name}/{}", zips::ZIP));
            placed += 1;
        }
    }
    ensure!(placed == template.functions.len(), "template.yaml has functions whose zip finds no place: Metadata comes before Properties");
    Ok(lines.join("\n") + "\n")
}

async fn hand_over(
    sam: &Path,
    stack: &Stack,
    text: &str,
    template: &Template,
    values: &[(&str, &str)],
    architecture: Architecture,
) -> anyhow::Result<()> {
    match zips::built_for() {
        None => bail!("the zips in {} are not complete: make build", zips::FOLDER),
        Some(built) if built != architecture => {
            bail!("the zips are for {built}, the parameter Architecture says {architecture}: make build")
        }
        Some(_) => {}
    }
    if let Some(function) = template.functions.iter().find(|function| !zips::zip(&function.name).exists()) {
        bail!("{} has no zip in {}: make build", function.name, zips::FOLDER);
    }
    let copy = Path::new(zips::FOLDER).join(TEMPLATE);
    fs::write(&copy, with_zips(text, template)?).context("writing the template with the zips")?;
    // SAM looks for its settings beside the template.
    let settings = fs::canonicalize("samconfig.toml").context("finding samconfig.toml")?;
    let mut command = Command::new(sam);
    command.arg("deploy").arg("--template-file").arg(&copy).arg("--config-file").arg(settings);
    command.args(["--stack-name", &stack.name, "--region", &stack.region, "--no-fail-on-empty-changeset"]);
    // Whoever declines SAM's own question is told of a success.
    command.arg("--no-confirm-changeset");
    command.arg("--parameter-overrides").args(values.iter().map(|(name, value)| overriding(name, value)));
    process::attended("sam deploy", command.env("SAM_CLI_TELEMETRY", "0")).await
}

/// SAM reads quotes and backslashes inside an argument of its own.
fn overriding(name: &str, value: &str) -> String {
    format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The address that athletes' browsers are sent to, compared with the one the stack has by itself.
async fn compare_addresses(stack: &Stack, public: &str) -> anyhow::Result<()> {
    let own = stack.output("ApiUrl").await?.context("the stack is gone")?;
    say(&format!("The functions answer at {own}"));
    if own != public {
        say(&format!("PublicBaseUrl is {public}: right where that address leads there, else deploy once more with {own}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> String {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml")).unwrap()
    }

    #[test]
    fn every_function_gets_its_zip_and_nothing_else_changes() {
        let text = repository();
        let template = Template::parse(&text).unwrap();
        let copy = with_zips(&text, &template).unwrap();
        for function in &template.functions {
            let (_, own) = copy.split_once(&format!("\n  {}:\n", function.logical_id)).unwrap();
            let (_, properties) = own.split_once("    Properties:\n").unwrap();
            assert!(properties.starts_with(&format!("      CodeUri: {}/bootstrap.zip\n", function.name)), "{}", function.name);
        }
        let rest: Vec<&str> = copy.lines().filter(|line| !line.contains("CodeUri")).collect();
        assert_eq!(rest, text.lines().filter(|line| !line.contains("CodeUri")).collect::<Vec<_>>());
        let mistaken = text.replacen("    Properties:\n      FunctionName", "    Properties: # here\n      FunctionName", 1);
        assert!(with_zips(&mistaken, &template).unwrap_err().to_string().contains("finds no place"));
    }

    #[test]
    fn parameters_are_read_missing_ones_named_and_strange_ones_refused() {
        let known = stack::Stack::parse(&repository()).unwrap().parameters;
        let file = std::env::temp_dir().join(format!("parameters-{}", uuid::Uuid::new_v4()));
        let path = file.to_str().unwrap();
        let read = |text: &str| {
            fs::write(&file, text).unwrap();
            let outcome = read_values(path, &known).map_err(|error| error.to_string());
            fs::remove_file(&file).unwrap();
            outcome
        };
        assert!(read_values(path, &known).unwrap_err().to_string().contains("AuthIssuer=   (The claim iss"));
        let required: String = known.iter().filter(|p| p.default.is_none()).map(|p| format!("{}=x=y\n", p.name)).collect();
        let values = read(&format!("# a remark\n\n{required}")).unwrap();
        assert_eq!(value(&values, &known, "AuthIssuer"), "x=y");
        assert_eq!(value(&values, &known, "Architecture"), "arm64");
        let error = read(&required.replace("AuthIssuer=x=y\n", "")).unwrap_err();
        assert!(error.contains("AuthIssuer") && !error.contains("AuthJwksUrl"), "{error}");
        assert!(read(&format!("{required}Colour=red\n")).unwrap_err().contains("Colour is no parameter"));
        assert!(read(&format!("{required}AuthIssuer=z\n")).unwrap_err().contains("twice"));
        assert!(read(&format!("{required}SecretsVersion=1\n")).unwrap_err().contains("is asked of AWS"));
        assert!(read("AuthIssuer").unwrap_err().contains("line 1, is not Name=value"));
    }

    #[test]
    fn a_value_is_quoted_for_sam() {
        assert_eq!(overriding("ModelSources", " "), "ModelSources=\" \"");
        assert_eq!(overriding("A", r#"a"b\c"#), r#"A="a\"b\\c""#);
    }
}
