//! The tables of `docs/scale.md`, computed anew from `docs/scale/inputs.yaml`.

use std::fs;

use anyhow::Context as _;

use crate::console::say;

const DOCUMENT: &str = "docs/scale.md";
const INPUTS: &str = "docs/scale/inputs.yaml";

/// Writes the document; what stands around the tables stays.
pub(crate) fn run() -> anyhow::Result<()> {
    let read = |path: &str| fs::read_to_string(path).with_context(|| format!("reading {path}"));
    let document = tidy::scale::renewed(&read(DOCUMENT)?, &read(INPUTS)?)?;
    fs::write(DOCUMENT, document).with_context(|| format!("writing {DOCUMENT}"))?;
    say("docs/scale.md is computed from docs/scale/inputs.yaml.");
    Ok(())
}
