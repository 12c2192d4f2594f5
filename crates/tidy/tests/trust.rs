//! The map of trust against this repository, and against mistakes planted into it.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::fs;
use std::path::{Path, PathBuf};

use tidy::template::Template;
use tidy::trust;

const TEMPLATE: &str = "template.yaml";
const DOCUMENT: &str = "docs/security.md";
/// The one crate with two functions; the other one's story.
const WORKER: (&str, &str) = ("journal-worker", "worker.rs");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Names and texts of the files in a folder, sorted; none where there is no such folder.
fn files(folder: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join(folder)).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect();
    files.sort();
    files.iter().map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())).collect()
}

/// The source of a function: its crate's, without that of the crate's other function.
fn source(function: &str) -> String {
    if function == WORKER.0 {
        return read(&format!("crates/journal/src/{}", WORKER.1));
    }
    let others = files(&format!("crates/{function}/src")).into_iter().filter(|(name, _)| function != "journal" || *name != "worker");
    others.map(|(_, text)| text).collect()
}

/// Where a function tells its paths apart.
fn routing(function: &str) -> String {
    let kept = files(&format!("crates/{function}/src")).into_iter().filter(|(name, _)| ["api", "lib"].contains(&name.as_str()));
    kept.map(|(_, text)| text).collect()
}

fn violations(template: &str, document: &str, db: &[(String, String)]) -> Vec<String> {
    let (template, ways) = (Template::parse(template).unwrap(), trust::ways_in(document));
    let mut broken = trust::entry_points(&template, &ways);
    for function in &template.functions {
        broken.extend(trust::class_of(&function.name, &source(&function.name), &ways));
    }
    for function in template.functions.iter().filter(|function| !function.routes.is_empty()) {
        broken.extend(trust::paths(&function.name, &routing(&function.name), &ways));
    }
    broken.extend(trust::statements(db, &trust::listed_statements(document)));
    broken
}

fn db() -> Vec<(String, String)> {
    files("crates/runaway-core/src/db")
}

#[test]
fn the_map_of_trust_is_the_repositorys() {
    let broken = violations(&read(TEMPLATE), &read(DOCUMENT), &db());
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(trust::ways_in(&read(DOCUMENT)).len() > 20, "the table of ways in is read");
    assert!(trust::listed_statements(&read(DOCUMENT)).len() > 30, "the table of statements is read");
}

#[test]
fn a_mistake_planted_into_the_document_is_found() {
    let (template, document, db) = (read(TEMPLATE), read(DOCUMENT), db());
    for (right, wrong) in [
        ("| sync-beta | `POST /sync-beta` | athlete |", "| sync-beta | `POST /sync-beta` | provider |"),
        ("| sync-beta | `POST /sync-beta` | athlete |", "| sync-beta | `POST /sync-beta` | internal |"),
        ("| sync-beta | `POST /sync-beta` | athlete |", "| sync-beta | `POST /sync-beta` |  |"),
        ("| sync-beta | `POST /sync-beta` | athlete |", "| sync | `POST /sync` | athlete |"),
        ("| strava-webhook | `POST", "| strava-webhook | `PUT /chat"),
        ("schedule `sweep`", "schedule `swept`"),
        ("queue `JournalQueue`", "queue `DiaryQueue`"),
        ("`GET /journal/weeks/{day}/chart.svg`", "`GET /journal/{day}`"),
        ("`DELETE /chat/memory/{id}`", "`DELETE /chat/facts/{id}`"),
        ("| migrate | deployment | internal |", "| migrate | schedule `daily` | internal |"),
        ("`oauth_states::take`", "`oauth_states::takes`"),
        ("`athletes::to_erase`", "`athletes::own`, `to_erase`"),
        ("`journal::zones`, `take_due`", "`journal::zones`"),
        ("`settle`", "`claim`"),
    ] {
        assert!(document.contains(right), "{DOCUMENT} no longer says {right}");
        // All of them: a second row of the same function would speak for the one that is gone.
        assert!(!violations(&template, &document.replace(right, wrong), &db).is_empty(), "{wrong} was not found");
    }
}

#[test]
fn what_is_new_in_the_template_or_the_code_needs_a_row() {
    let (template, document) = (read(TEMPLATE), read(DOCUMENT));
    for (right, wrong) in [
        ("Binary: job-status", "Binary: job-state"),
        (r#"'{"task": "reset-stuck"}'"#, r#"'{"task": "new-task"}'"#),
        ("Queue: !GetAtt JournalQueue.Arn", "Queue: !GetAtt SyncQueue.Arn"),
    ] {
        assert!(template.contains(right), "the template no longer says {right}");
        assert!(!violations(&template.replace(right, wrong), &document, &db()).is_empty(), "{wrong} was not found");
    }
    for planted in [
        "pub async fn everybody(tx: &SystemTx) -> Result<(), DbError> {",
        "pub async fn everybody(\n    tx: &impl JobAccess,\n) -> Result<(), DbError> {",
        "pub async fn loose(client: &Client) -> Result<(), DbError> {",
        "pub(crate) async fn looser(pool: &Pool) -> Result<(), DbError> {",
    ] {
        let mut db = db();
        db.push(("planted".to_owned(), planted.to_owned()));
        assert!(!violations(&template, &document, &db).is_empty(), "{planted} was not found");
    }
    let ways = trust::ways_in(&document);
    for planted in
        ["        [\"confirmation\"] => confirm(app).await,", "    if call.path == \"/confirmation\" {", "        \"/confirmation\" => 1,"]
    {
        assert!(!trust::paths("strava-auth", planted, &ways).is_empty(), "{planted} was not found");
    }
    let source = "app.verifier.caller(&call.headers).await";
    assert!(trust::class_of("job-status", source, &ways).is_empty());
    let across = format!("{source} app.db.system().await");
    assert!(!trust::class_of("job-status", &across, &ways).is_empty(), "an athlete's function sees everybody");
    assert!(!trust::class_of("delete-account", source, &ways).is_empty(), "it does not do what is said of it");
}
