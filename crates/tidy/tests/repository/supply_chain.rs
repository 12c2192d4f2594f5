//! Which crates are built, from where, and under which licences.

use std::collections::BTreeSet;
use std::process::Command;

use tidy::supply_chain::{self, Built, Locked, Policy};

use crate::{assert_none, crates, read, root};

/// Processors that the functions are built for.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// Every crate that is built for any of the targets, tests included.
fn built() -> BTreeSet<Built> {
    let mut built = BTreeSet::new();
    for target in TARGETS {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["tree", "--workspace", "--offline", "--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}|{l}"]);
        let tree = cargo.args(["--target", target]).current_dir(root()).output().unwrap();
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        built.extend(supply_chain::built(&String::from_utf8(tree.stdout).unwrap()));
    }
    assert!(built.iter().any(|package| package.name == "aws-lc-rs"), "the tree could not be read");
    built
}

fn one(name: &str, version: &str, licence: &str) -> Built {
    Built { name: name.to_owned(), version: version.to_owned(), licence: licence.to_owned(), is_ours: false }
}

#[test]
fn what_is_built_is_allowed() {
    let (policy, built) = (Policy::parse(&read("deny.toml")), built());
    assert!(policy.banned.len() >= 4 && policy.licences.contains("MIT"), "deny.toml could not be read: {policy:?}");
    assert_none(&supply_chain::banned(&policy, &built));
    assert_none(&supply_chain::duplicates(&policy, &built));
    assert_none(&supply_chain::licences(&policy, &built));
    for planted in
        [one("ring", "0.17.14", "ISC"), one("serde", "0.9.15", "MIT"), one("left-pad", "1.0.0", "WTFPL"), one("right-pad", "1.0.0", "")]
    {
        let with: BTreeSet<Built> = built.iter().cloned().chain([planted.clone()]).collect();
        let broken =
            [supply_chain::banned(&policy, &with), supply_chain::duplicates(&policy, &with), supply_chain::licences(&policy, &with)];
        assert_eq!(broken.concat().len(), 1, "{planted:?}: {broken:?}");
    }
}

#[test]
fn an_exception_that_is_none_any_more_is_found() {
    let (mut policy, built) = (Policy::parse(&read("deny.toml")), built());
    for stale in [("serde", "1.0.0", "old"), ("untrusted", "0.7.2", "gone")] {
        policy.skipped.push((stale.0.to_owned(), stale.1.to_owned(), stale.2.to_owned()));
        assert_eq!(supply_chain::duplicates(&policy, &built).len(), 1, "{stale:?}");
        policy.skipped.pop();
    }
    let (name, version, _) = policy.skipped.pop().unwrap();
    policy.skipped.push((name, version, String::new()));
    assert_eq!(supply_chain::duplicates(&policy, &built).len(), 1, "without a reason");
    policy.skipped.pop();
    assert_eq!(supply_chain::duplicates(&policy, &built).len(), 1, "without the exception");
}

/// A crate that only an unused feature would bring is named by the lock file and built by nobody; the document says which.
#[test]
fn banned_crates_that_are_merely_locked_are_told_of() {
    let policy = Policy::parse(&read("deny.toml"));
    let locked = supply_chain::locked(&read("Cargo.lock"));
    let merely_locked = supply_chain::merely_locked(&policy, &locked, &built());
    let document = read("docs/security.md");
    let (_, told) = document.split_once("Merely locked, never built: ").unwrap();
    let told: BTreeSet<String> = told.lines().next().unwrap().split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(told, merely_locked);
}

#[test]
fn every_crate_is_from_the_registry_and_has_a_checksum() {
    let (locked, ours) = (supply_chain::locked(&read("Cargo.lock")), crates());
    assert!(locked.len() > ours.len() && ours.iter().all(|name| locked.iter().any(|package| package.name == *name)));
    assert_none(&supply_chain::sources(&locked, &ours));
    let serde = locked.iter().find(|package| package.name == "serde").unwrap();
    for planted in [
        Locked { checksum: None, ..serde.clone() },
        Locked { checksum: Some("0".repeat(63)), ..serde.clone() },
        Locked { source: Some("git+https://github.com/serde-rs/serde".to_owned()), ..serde.clone() },
        Locked { source: None, ..serde.clone() },
    ] {
        assert_eq!(supply_chain::sources(std::slice::from_ref(&planted), &ours).len(), 1, "{planted:?}");
    }
}
