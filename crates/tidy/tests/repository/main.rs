//! The rules, applied to this repository, and to mistakes planted into its template.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod documents;
mod supply_chain;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use runaway_core::config::SETTINGS;
use tidy::sources;

/// Crates without a function of their own.
const LIBRARIES_AND_TOOLS: [&str; 4] = ["devstack", "runaway-core", "testkit", "tidy"];
/// The only crate with two functions: what writes a week is the same for the app and the queue.
const CRATE_WITH_TWO_FUNCTIONS: &str = "journal";
/// Longest source file, lines.
const FILE_LINES_MAX: usize = 450;
/// Longest `main.rs` of a function, lines.
const MAIN_LINES_MAX: usize = 40;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn crates() -> BTreeSet<String> {
    fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn lambda_crates() -> BTreeSet<String> {
    crates().into_iter().filter(|name| !LIBRARIES_AND_TOOLS.contains(&name.as_str())).collect()
}

/// The sources of a Lambda crate's binaries, by their names.
fn mains(name: &str) -> Vec<(String, PathBuf)> {
    let folder = root().join("crates").join(name).join("src");
    let several = rust_files(&folder.join("bin"));
    if several.is_empty() {
        return vec![(name.to_owned(), folder.join("main.rs"))];
    }
    assert_eq!(name, CRATE_WITH_TWO_FUNCTIONS, "{name} has several binaries");
    several.into_iter().map(|file| (file.file_stem().unwrap().to_string_lossy().into_owned(), file)).collect()
}

fn binaries() -> BTreeSet<String> {
    lambda_crates().iter().flat_map(|name| mains(name)).map(|(name, _)| name).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

/// The sources of each function's main, and of the file that builds its `App`, by its name.
fn programs() -> BTreeMap<String, (String, String)> {
    let mut programs = BTreeMap::new();
    for name in lambda_crates() {
        for (binary, file) in mains(&name) {
            let main = fs::read_to_string(file).unwrap();
            let app = read(&format!("crates/{name}/src/{}", sources::app_file(&main)));
            programs.insert(binary, (main, app));
        }
    }
    programs
}

/// The settings that each function reads.
fn settings_read() -> BTreeMap<String, BTreeSet<String>> {
    let files: Vec<String> =
        rust_files(&root().join("crates/runaway-core/src/config")).iter().map(|f| fs::read_to_string(f).unwrap()).collect();
    let by_reader = sources::settings_by_reader(&files);
    programs().into_iter().map(|(name, (_, app))| (name, sources::settings_read(&app, &by_reader))).collect()
}

/// How many connections one environment of each function holds.
fn pools() -> BTreeMap<String, u64> {
    programs().into_iter().filter_map(|(name, (_, app))| Some((name, sources::connections_max(&app)?))).collect()
}

/// Names of the settings, and whether they are secret.
fn settings() -> Vec<(&'static str, bool)> {
    SETTINGS.iter().map(|setting| (setting.name, setting.secret)).collect()
}

fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn functions_stand_alone_and_leave_sql_http_clients_and_the_environment_to_the_core() {
    for name in lambda_crates().iter().filter(|name| *name != "migrate") {
        let manifest = read(&format!("crates/{name}/Cargo.toml"));
        let (dependencies, _) = manifest.split_once("[dev-dependencies]").unwrap_or((&manifest, ""));
        for other in lambda_crates().iter().chain([&"testkit".to_owned(), &"reqwest".to_owned(), &"tokio-postgres".to_owned()]) {
            assert!(!dependencies.contains(&format!("\n{other}.")), "{name} depends on {other}");
        }
        for file in rust_files(&root().join("crates").join(name).join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            for forbidden in ["std::env", "SELECT ", "INSERT INTO", "UPDATE sync", "DELETE FROM", "reqwest"] {
                assert!(!text.contains(forbidden), "{} holds {forbidden}", file.display());
            }
        }
        for (binary, main) in mains(name) {
            let lines = fs::read_to_string(&main).unwrap_or_else(|error| panic!("{}: {error}", main.display())).lines().count();
            assert!(lines <= MAIN_LINES_MAX, "the main of {binary} is too long");
        }
    }
}

#[test]
fn every_function_logs_at_the_level_that_is_chosen() {
    let levels = runaway_core::telemetry::levels(tracing::Level::DEBUG);
    let chosen: BTreeSet<&str> = levels.split(',').filter_map(|level| level.strip_suffix("=DEBUG")).collect();
    let missing: Vec<String> = lambda_crates().iter().map(|name| name.replace('-', "_")).filter(|name| !chosen.contains(&**name)).collect();
    assert_none(&missing);
}

#[test]
fn files_are_short_and_every_crate_keeps_the_workspace_lints() {
    for name in crates() {
        assert!(read(&format!("crates/{name}/Cargo.toml")).contains("[lints]\nworkspace = true"), "{name} has lints of its own");
        for file in rust_files(&root().join("crates").join(&name)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines", file.display());
        }
    }
}

#[test]
fn every_migration_is_applied() {
    let mut files: Vec<String> =
        fs::read_dir(root().join("migrations")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let listed: Vec<String> = migrate::MIGRATIONS.iter().map(|(name, _)| format!("{name}.sql")).collect();
    assert_eq!(files, [listed.clone(), vec!["bootstrap.sql".to_owned()]].concat());
    for (n, file) in listed.iter().enumerate() {
        assert!(file.starts_with(&format!("{:04}_", n + 1)), "{file} leaves a gap");
    }
}

#[test]
fn documents_name_only_commands_that_exist() {
    let makefile = read("Makefile");
    let files = fs::read_dir(root().join("docs")).unwrap().map(|entry| format!("docs/{}", entry.unwrap().file_name().to_string_lossy()));
    let documents = files.filter(|path| path.ends_with(".md"));
    for document in documents.chain(["README.md".to_owned(), "ARCHITECTURE.md".to_owned()]) {
        for after in read(&document).split("`make ").skip(1) {
            let target: String = after.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            assert!(makefile.contains(&format!("\n{target}:")), "{document} names `make {target}`");
        }
    }
}

#[test]
fn the_tables_of_scale_follow_from_their_inputs() {
    let document = read("docs/scale.md");
    let renewed = tidy::scale::renewed(&document, &read("docs/scale/inputs.yaml")).unwrap();
    assert!(renewed == document, "docs/scale.md is not what its inputs say: run `make scale`");
}
