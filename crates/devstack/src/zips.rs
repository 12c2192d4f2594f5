//! The zips of the functions, as Lambda takes them: built by `cargo lambda`, whose compiler links against the C library
//! of Lambda's machines rather than against this one's.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use tidy::template::Template;
use tokio::process::Command;

use crate::console::say;
use crate::{process, tools};

/// Where the zips are, one folder per function.
pub(crate) const FOLDER: &str = "target/lambda";
/// The file inside each.
pub(crate) const ZIP: &str = "bootstrap.zip";
/// Says for which processor the zips are; written last.
const STAMP: &str = "architecture";
/// How often is looked which functions are done.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);
/// What Lambda takes, zipped; a function comes nowhere near it, unless something is wrong.
const ZIP_BYTES_MAX: u64 = 50 * 1024 * 1024;

/// A processor, in the words of the template's parameter `Architecture`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    Arm64,
    X86,
}

impl Architecture {
    /// Reads `arm64` or `x86_64`.
    pub(crate) fn parse(word: &str) -> anyhow::Result<Self> {
        match word {
            "arm64" => Ok(Self::Arm64),
            "x86_64" => Ok(Self::X86),
            _ => bail!("{word:?} is no processor of Lambda's: arm64 or x86_64"),
        }
    }

    const fn triple(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::X86 => "x86_64-unknown-linux-gnu",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86_64",
        })
    }
}

/// Where a function's zip is.
pub(crate) fn zip(function: &str) -> PathBuf {
    Path::new(FOLDER).join(function).join(ZIP)
}

/// For which processor the zips are; `None` where the last build did not come to its end.
pub(crate) fn built_for() -> Option<Architecture> {
    Architecture::parse(&fs::read_to_string(Path::new(FOLDER).join(STAMP)).ok()?).ok()
}

/// Builds the zips of all functions and says how large they are.
pub(crate) async fn build(architecture: Architecture, template: &Template) -> anyhow::Result<()> {
    let names: Vec<&str> = template.functions.iter().map(|function| function.name.as_str()).collect();
    require_library(architecture).await?;
    let bin = tools::cargo_lambda_with_zig().await?;
    say(&format!("Building {} functions for {architecture}; the first time this takes many minutes", names.len()));
    fs::remove_file(Path::new(FOLDER).join(STAMP)).ok();
    let mut command = Command::new(bin.join("cargo-lambda"));
    // The profile in Cargo.toml says everything; without `--disable-optimizations` a model of processor would be chosen too.
    command.args(["lambda", "build", "--release", "--locked", "--disable-optimizations", "--target", architecture.triple()]);
    command.args(["--output-format", "zip", "--lambda-dir", FOLDER]);
    command.args(names.iter().flat_map(|name| ["--bin", name]));
    let path = std::env::join_paths(std::iter::once(bin).chain(own_path())).context("composing the path")?;
    command.env("PATH", path).env_remove("CARGO_TARGET_DIR");
    tokio::select! {
        built = process::attended("building the functions", &mut command) => built?,
        () = tell_progress(architecture, &names) => {}
    }
    let mut bytes_all = 0;
    for name in &names {
        let bytes = fs::metadata(zip(name)).with_context(|| format!("{name} has no zip"))?.len();
        if bytes > ZIP_BYTES_MAX {
            bail!("the zip of {name} is larger than the {ZIP_BYTES_MAX} bytes that Lambda takes");
        }
        say(&format!("  {name:<16} {} kB", bytes / 1000));
        bytes_all += bytes;
    }
    say(&format!("{} zips in {FOLDER}, {} kB together, for {architecture}", names.len(), bytes_all / 1000));
    fs::write(Path::new(FOLDER).join(STAMP), architecture.to_string()).context("marking the zips as complete")
}

fn own_path() -> Vec<PathBuf> {
    std::env::split_paths(&crate::world::own("PATH").unwrap_or_default()).collect()
}

/// Rust's own library for the processor is no crate: it is there or has to be installed.
async fn require_library(architecture: Architecture) -> anyhow::Result<()> {
    let root = process::output("asking rustc for its folder", Command::new("rustc").args(["--print", "sysroot"])).await?;
    let triple = architecture.triple();
    if Path::new(root.trim()).join("lib/rustlib").join(triple).join("lib").is_dir() {
        return Ok(());
    }
    bail!(
        "Rust's library for {architecture} is not installed here: `rustup target add {triple}`, or build for this machine's processor, \
         ARCH=x86_64 or ARCH=arm64, which the template's parameter Architecture must then say too"
    )
}

/// Says which functions are linked, as that happens; each takes a while, and cargo says nothing meanwhile.
async fn tell_progress(architecture: Architecture, names: &[&str]) {
    let (started, mut done) = (SystemTime::now(), Vec::new());
    loop {
        tokio::time::sleep(PROGRESS_INTERVAL).await;
        for name in names {
            let binary = Path::new("target").join(architecture.triple()).join("release").join(name);
            let is_new = fs::metadata(binary).and_then(|data| data.modified()).is_ok_and(|at| at >= started);
            if is_new && !done.contains(name) {
                done.push(*name);
                say(&format!("  {} of {}: {name}", done.len(), names.len()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_named_in_the_templates_words() {
        for architecture in [Architecture::Arm64, Architecture::X86] {
            assert_eq!(Architecture::parse(&architecture.to_string()).ok(), Some(architecture));
        }
        let error = Architecture::parse("aarch64").unwrap_err().to_string();
        assert!(error.contains("arm64 or x86_64"), "{error}");
    }
}
