//! The rules, applied to this repository, and to mistakes planted into its template.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use runaway_core::config::SETTINGS;
use tidy::rules;
use tidy::template::Template;

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
    let several = sources(&folder.join("bin"));
    if several.is_empty() {
        return vec![(name.to_owned(), folder.join("main.rs"))];
    }
    assert_eq!(name, CRATE_WITH_TWO_FUNCTIONS, "{name} has several binaries");
    several.into_iter().map(|file| (file.file_stem().unwrap().to_string_lossy().into_owned(), file)).collect()
}

fn binaries() -> BTreeSet<String> {
    lambda_crates().iter().flat_map(|name| mains(name)).map(|(name, _)| name).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "{broken:#?}");
}

fn watch_router() -> BTreeMap<String, String> {
    let manifest = read("Cargo.toml");
    let (_, section) = manifest.split_once("[workspace.metadata.lambda.watch.router]").unwrap();
    let lines = section.lines().skip(1).take_while(|line| !line.starts_with('['));
    let unquoted = |text: &str| text.trim().trim_matches('"').to_owned();
    lines.filter_map(|line| line.split_once(" = ")).map(|(path, function)| (unquoted(path), unquoted(function))).collect()
}

fn violations(template: &Template) -> Vec<String> {
    let settings: Vec<_> = SETTINGS.iter().map(|setting| (setting.name, setting.secret)).collect();
    let mut broken = rules::routes(template);
    broken.extend(rules::router(template, &watch_router()));
    broken.extend(rules::queues(template));
    broken.extend(rules::schedules(template));
    broken.extend(rules::environment(template, &settings));
    broken.extend(rules::functions(template, &binaries()));
    broken
}

#[test]
fn the_template_the_router_and_the_crates_agree() {
    assert_none(&violations(&Template::parse(&read("template.yaml")).unwrap()));
}

#[test]
fn a_planted_mistake_is_found() {
    let text = read("template.yaml");
    for (right, wrong) in [
        ("Path: /functions/v1/sync-beta\n", "Path: /functions/v1/sync\n"),
        ("FunctionResponseTypes: [ReportBatchItemFailures]", "FunctionResponseTypes: [ReportBatchItemFailuresX]"),
        ("VisibilityTimeout: 1800", "VisibilityTimeout: 300"),
        ("deadLetterTargetArn: !GetAtt SyncDeadLetterQueue.Arn", "deadLetterTargetArn: !GetAtt Nowhere.Arn"),
        ("rate(5 minutes)", "rate(five minutes)"),
        ("cron(0 2 * * ? *)", "cron(0 2 * * *)"),
        (r#"'{"task": "reset-stuck"}'"#, r#"'{"task": "reset"}'"#),
        ("STRAVA_CLIENT_ID: !Ref", "STRAVA_CLIENT_IDENTITY: !Ref"),
        ("AUTH_ISSUER: !Ref", "TOKEN_KEYS: !Ref"),
        ("Binary: job-status", "Binary: job-state"),
        ("Binary: journal-worker", "Binary: journal-writer"),
        (r#"'{"task": "due-weeks"}'"#, r#"'{"task": "weeks"}'"#),
        ("Method: ANY", "Method: POST"),
    ] {
        assert!(text.contains(right), "the template no longer says {right}");
        let planted = Template::parse(&text.replacen(right, wrong, 1)).unwrap();
        assert!(!violations(&planted).is_empty(), "{wrong} was not found");
    }
}

#[test]
fn no_banned_crate_is_built() {
    let arguments = ["tree", "--workspace", "--offline", "--edges", "normal,build", "--prefix", "none"];
    let tree = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("aws-lc-rs v"), "the tree could not be read");
    assert_none(&rules::banned_crates(&tree));
    assert!(!rules::banned_crates("ring v0.17.14\n").is_empty());
}

#[test]
fn functions_stand_alone_and_leave_sql_http_clients_and_the_environment_to_the_core() {
    for name in lambda_crates().iter().filter(|name| *name != "migrate") {
        let manifest = read(&format!("crates/{name}/Cargo.toml"));
        let (dependencies, _) = manifest.split_once("[dev-dependencies]").unwrap_or((&manifest, ""));
        for other in lambda_crates().iter().chain([&"testkit".to_owned(), &"reqwest".to_owned(), &"tokio-postgres".to_owned()]) {
            assert!(!dependencies.contains(&format!("\n{other}.")), "{name} depends on {other}");
        }
        for file in sources(&root().join("crates").join(name).join("src")) {
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
fn files_are_short_and_every_crate_keeps_the_workspace_lints() {
    for name in crates() {
        assert!(read(&format!("crates/{name}/Cargo.toml")).contains("[lints]\nworkspace = true"), "{name} has lints of its own");
        for file in sources(&root().join("crates").join(&name)) {
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
    let documents = ["README.md", "ARCHITECTURE.md", "docs/security.md", "docs/runbook.md", "docs/moving-over.md", "docs/scale.md"];
    for document in documents {
        for after in read(document).split("`make ").skip(1) {
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
