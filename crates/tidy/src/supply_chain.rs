//! Which crates are built, in how many versions, where they are from and under which licences. What is allowed stands in
//! `deny.toml`, which `cargo deny` reads too.

use std::collections::{BTreeMap, BTreeSet};

/// The one source of crates.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Length of a SHA-256 in hexadecimal digits.
const CHECKSUM_DIGITS: usize = 64;

/// A package of `Cargo.lock`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locked {
    /// The crate.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it is from; `None`: this repository.
    pub source: Option<String>,
    /// What its archive must hash to.
    pub checksum: Option<String>,
}

/// A crate that is built.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Built {
    /// The crate.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The SPDX expression of its licence; empty where it states none.
    pub licence: String,
    /// Whether it lies in this repository.
    pub is_ours: bool,
}

/// What `deny.toml` allows.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Crates that must not be built.
    pub banned: Vec<String>,
    /// Older versions that may be built beside a newer one, and why.
    pub skipped: Vec<(String, String, String)>,
    /// Licences.
    pub licences: BTreeSet<String>,
}

/// Reads `Cargo.lock`.
pub fn locked(text: &str) -> Vec<Locked> {
    let field = |block: &str, name: &str| {
        let start = format!("{name} = \"");
        block.lines().find_map(|line| line.strip_prefix(start.as_str())?.strip_suffix('"').map(str::to_owned))
    };
    let packages = text.split("[[package]]").skip(1);
    packages
        .map(|block| Locked {
            name: field(block, "name").unwrap_or_default(),
            version: field(block, "version").unwrap_or_default(),
            source: field(block, "source"),
            checksum: field(block, "checksum"),
        })
        .collect()
}

/// Reads what `cargo tree --prefix none --format '{p}|{l}'` prints: what is built, unlike the lock file, which also names
/// crates that only an unused feature would bring.
pub fn built(tree: &str) -> BTreeSet<Built> {
    let line = |line: &str| {
        let (package, licence) = line.trim_end_matches(" (*)").split_once('|')?;
        let mut words = package.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        let is_ours = words.any(|word| word.starts_with("(/"));
        Some(Built { name: name.to_owned(), version: version.to_owned(), licence: licence.trim().to_owned(), is_ours })
    };
    tree.lines().filter_map(line).collect()
}

impl Policy {
    /// Reads `deny.toml`, one entry a line.
    pub fn parse(text: &str) -> Self {
        let mut policy = Self::default();
        let mut list = "";
        for line in text.lines().map(str::trim) {
            if let Some((name, _)) = line.split_once(" = [") {
                list = name;
            }
            let quoted: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
            match (list, quoted.as_slice()) {
                ("deny", [name, _]) if line.starts_with('{') => policy.banned.push((*name).to_owned()),
                ("skip", [package, reason]) => {
                    let (name, version) = package.split_once('@').unwrap_or((*package, ""));
                    policy.skipped.push((name.to_owned(), version.to_owned(), (*reason).to_owned()));
                }
                ("allow", licences) => policy.licences.extend(licences.iter().map(|&licence| licence.to_owned())),
                _ => {}
            }
            if line.ends_with(']') {
                list = "";
            }
        }
        policy
    }
}

/// No banned crate is built.
pub fn banned(policy: &Policy, built: &BTreeSet<Built>) -> Vec<String> {
    let banned = built.iter().filter(|package| policy.banned.contains(&package.name));
    banned.map(|package| format!("{} {} is banned and built", package.name, package.version)).collect()
}

/// Banned crates that the lock file names although nothing builds them.
pub fn merely_locked(policy: &Policy, locked: &[Locked], built: &BTreeSet<Built>) -> BTreeSet<String> {
    let is_built = |name: &String| built.iter().any(|package| package.name == *name);
    let names = locked.iter().map(|package| &package.name);
    names.filter(|name| policy.banned.contains(name) && !is_built(name)).cloned().collect()
}

/// Every crate is built in one version, but for those that the policy names with a reason; it names no other.
pub fn duplicates(policy: &Policy, built: &BTreeSet<Built>) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in built {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    let mut broken = Vec::new();
    let is_skipped = |name: &str, version: &str| policy.skipped.iter().any(|(n, v, _)| n == name && v == version);
    for (name, versions) in &versions {
        let counted: Vec<&&str> = versions.iter().filter(|version| !is_skipped(name, version)).collect();
        if counted.len() > 1 {
            broken.push(format!("{name} is built in the versions {counted:?}"));
        }
    }
    for (name, version, reason) in &policy.skipped {
        let built = versions.get(name.as_str());
        if built.is_none_or(|built| built.len() < 2 || !built.contains(version.as_str())) {
            broken.push(format!("deny.toml allows {name} {version} beside another, and it is not"));
        }
        if reason.is_empty() {
            broken.push(format!("deny.toml does not say why {name} {version} is allowed"));
        }
    }
    broken
}

/// Every crate is from the registry, with a checksum, or from this repository.
pub fn sources(locked: &[Locked], ours: &BTreeSet<String>) -> Vec<String> {
    let mut broken = Vec::new();
    for Locked { name, version, source, checksum } in locked {
        let has_checksum = checksum.as_ref().is_some_and(|sum| sum.len() == CHECKSUM_DIGITS && sum.bytes().all(|b| b.is_ascii_hexdigit()));
        match source.as_deref() {
            None if ours.contains(name) => {}
            None => broken.push(format!("{name} {version} has no source and is not in crates/")),
            Some(REGISTRY) if has_checksum => {}
            Some(REGISTRY) => broken.push(format!("{name} {version} has no checksum")),
            Some(other) => broken.push(format!("{name} {version} is from {other}")),
        }
    }
    broken
}

/// Every crate of others may be used under licences that the policy allows.
pub fn licences(policy: &Policy, built: &BTreeSet<Built>) -> Vec<String> {
    let refused = built.iter().filter(|package| !package.is_ours && !is_allowed(&package.licence, &policy.licences));
    refused.map(|package| format!("{} {} has the licence {:?}", package.name, package.version, package.licence)).collect()
}

/// Whether an SPDX expression can be satisfied with these licences. The slash of old manifests means OR.
pub fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    let satisfied = any_of(&mut words, allowed);
    satisfied == Some(true) && words.is_empty()
}

/// `a OR b`; `None` where the expression cannot be read. `words` are taken from the end.
fn any_of(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut satisfied = all_of(words, allowed)?;
    while words.pop_if(|word| *word == "OR").is_some() {
        satisfied |= all_of(words, allowed)?;
    }
    Some(satisfied)
}

fn all_of(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut satisfied = one(words, allowed)?;
    while words.pop_if(|word| *word == "AND").is_some() {
        satisfied &= one(words, allowed)?;
    }
    Some(satisfied)
}

fn one(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> Option<bool> {
    match words.pop()? {
        "(" => {
            let satisfied = any_of(words, allowed)?;
            (words.pop()? == ")").then_some(satisfied)
        }
        "AND" | "OR" | "WITH" | ")" => None,
        licence => {
            let licence = match words.pop_if(|word| *word == "WITH") {
                Some(_) => format!("{licence} WITH {}", words.pop()?),
                None => licence.to_owned(),
            };
            Some(allowed.contains(&licence))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_of_licences_are_evaluated() {
        let allowed = BTreeSet::from(["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned));
        for good in [
            "MIT",
            "GPL-3.0-only OR MIT",
            "ISC AND (GPL-2.0 OR MIT)",
            "MIT/GPL-2.0",
            "Apache-2.0 WITH LLVM-exception",
            "GPL-2.0 AND ISC OR MIT",
        ] {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0-only", "MIT AND GPL-2.0", "(MIT", "MIT)", "MIT MIT", "Apache-2.0", "MIT OR", "MIT AND (ISC AND GPL-2.0)"] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }
}
