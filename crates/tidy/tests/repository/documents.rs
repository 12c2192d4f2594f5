//! Documents that are made from the sources, or must name what is in them.

use std::collections::BTreeSet;

use runaway_core::config::SETTINGS;
use tidy::documents::{self, Setting};
use tidy::stack::Stack;
use tidy::template::Template;

use crate::{assert_none, crates, pools, read, root, rust_files, settings_read};

const CONFIGURATION: &str = "docs/configuration.md";
/// Set to any value by `make docs`: the document is written instead of compared.
const WRITE: &str = "DOCS_WRITE";
/// Sections of docs/api.md that are of no single function.
const GENERAL_SECTIONS: [&str; 3] = ["For all calls", "What has no address", "What the app reads from the database"];

fn parsed() -> (Template, Stack) {
    let text = read("template.yaml");
    (Template::parse(&text).unwrap(), Stack::parse(&text).unwrap())
}

fn settings() -> Vec<Setting<'static>> {
    SETTINGS.iter().map(|s| Setting { name: s.name, secret: s.secret, description: s.description }).collect()
}

#[test]
fn the_document_of_settings_is_what_the_sources_say() {
    let (template, stack) = parsed();
    let tables = [
        ("settings", documents::settings_table(&settings(), &template, &stack, &settings_read())),
        ("parameters", documents::parameters_table(&stack)),
        ("functions", documents::functions_table(&template, &pools())),
    ];
    let kept = read(CONFIGURATION);
    let made = documents::with_tables(&kept, &tables).expect("the markers of the tables");
    #[expect(clippy::disallowed_methods, reason = "a test's own switch")]
    let is_written = std::env::var_os(WRITE).is_some();
    if is_written {
        std::fs::write(root().join(CONFIGURATION), made).unwrap();
    } else {
        let differs = kept.lines().zip(made.lines()).find(|(kept, made)| kept != made);
        assert!(kept == made, "{CONFIGURATION} is not what the sources say; `make docs` writes it; first: {differs:?}");
    }
}

#[test]
fn defaults_are_told_as_they_are() {
    let (template, stack) = parsed();
    assert_none(&documents::defaults_agree(&settings(), &template, &stack));
    let other = [Setting { name: "CHAT_MESSAGES_PER_DAY", secret: false, description: "Messages; 99 where absent" }];
    assert_eq!(documents::defaults_agree(&other, &template, &stack).len(), 1);
}

/// The codes of errors, as the sources write them.
fn error_codes() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for file in crates().iter().flat_map(|name| rust_files(&root().join("crates").join(name).join("src"))) {
        let text = std::fs::read_to_string(&file).unwrap();
        let is_errors = file.ends_with("http/error.rs");
        for line in text.split("#[cfg(test)]").next().unwrap().lines() {
            let after = line.split_once("code: \"").or(line.split_once("=> \"").filter(|_| is_errors));
            let code = after.and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default();
            if code.contains('_') && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') {
                codes.insert(code.to_owned());
            }
        }
    }
    codes
}

#[test]
fn every_code_of_an_error_is_told_of() {
    let (codes, api) = (error_codes(), read("docs/api.md"));
    assert!(codes.contains("JOB_NOT_FOUND") && codes.contains("PAYLOAD_TOO_LARGE"), "{codes:?}");
    let untold: Vec<&String> = codes.iter().filter(|code| !api.contains(&format!("`{code}`"))).collect();
    assert!(untold.is_empty(), "docs/api.md says nothing of {untold:?}");
}

#[test]
fn every_function_that_is_called_is_told_of() {
    let (template, _) = parsed();
    let api = read("docs/api.md");
    assert_none(&documents::api_sections(&template, &api, &GENERAL_SECTIONS));
    for planted in [api.replace("\n## chat\n", "\n### chat\n"), format!("{api}\n## coach\n")] {
        assert_eq!(documents::api_sections(&template, &planted, &GENERAL_SECTIONS).len(), 1);
    }
}
