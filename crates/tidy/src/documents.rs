//! The parts of documents that are made from the sources, and what documents must name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::operation::totals;
use crate::stack::{Parameter, Stack};
use crate::template::Template;

/// A setting as the document needs it.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The variable.
    pub name: &'a str,
    /// Whether it stands in the secret document.
    pub secret: bool,
    /// What it means.
    pub description: &'a str,
}

/// The table of settings: where each is kept, its parameter with the default, and who reads it.
pub fn settings_table(settings: &[Setting<'_>], template: &Template, stack: &Stack, reads: &BTreeMap<String, BTreeSet<String>>) -> String {
    let mut table = String::from("| setting | kept in | what it means | parameter | default | read by |\n|---|---|---|---|---|---|\n");
    for setting in settings {
        let functions =
            template.functions.iter().filter(|f| f.environment.contains_key(setting.name) || reads_it(reads, &f.name, setting.name));
        let names: Vec<&str> = functions.map(|function| function.name.as_str()).collect();
        let by = if names.len() == template.functions.len() { "all".to_owned() } else { names.join(", ") };
        let origin = template.functions.iter().find_map(|function| function.environment.get(setting.name));
        let parameter = origin.and_then(|origin| stack.parameters.iter().find(|parameter| parameter.name == *origin));
        let (kept, origin) = match (setting.secret, parameter, origin) {
            (true, ..) => ("secret document", "-".to_owned()),
            (false, Some(parameter), _) => ("environment", format!("`{}`", parameter.name)),
            (false, None, _) => ("environment", "made by the template".to_owned()),
        };
        let default = parameter.map_or("-".to_owned(), default);
        writeln!(table, "| `{}` | {kept} | {} | {origin} | {default} | {by} |", setting.name, cell(setting.description)).ok();
    }
    table
}

fn reads_it(reads: &BTreeMap<String, BTreeSet<String>>, function: &str, setting: &str) -> bool {
    reads.get(function).is_some_and(|read| read.contains(setting))
}

/// The table of the template's parameters, as the console groups them.
pub fn parameters_table(stack: &Stack) -> String {
    let mut table = String::from("| parameter | default | what it means |\n|---|---|---|\n");
    for parameter in stack.grouped.iter().filter_map(|name| stack.parameters.iter().find(|parameter| parameter.name == *name)) {
        writeln!(table, "| `{}` | {} | {} |", parameter.name, default(parameter), cell(&parameter.description)).ok();
    }
    table
}

/// The table of functions: what each may use, and what they add up to.
pub fn functions_table(template: &Template, pools: &BTreeMap<String, u64>) -> String {
    let mut table =
        String::from("| function | memory, MB | timeout, s | at once | connections each | together |\n|---|--:|--:|--:|--:|--:|\n");
    for function in &template.functions {
        let (at_once, pool) = (function.concurrency.unwrap_or_default(), pools.get(&function.name).copied().unwrap_or_default());
        let (name, memory_mb, timeout_s) = (&function.name, function.memory_mb, function.timeout_s);
        writeln!(table, "| {name} | {memory_mb} | {timeout_s} | {at_once} | {pool} | {} |", at_once * pool).ok();
    }
    let (executions, connections) = totals(template, pools);
    writeln!(table, "| **all** | | | **{executions}** | | **{connections}** |").ok();
    table
}

fn default(parameter: &Parameter) -> String {
    match parameter.default.as_deref() {
        None => "**must be given**".to_owned(),
        Some("") => "empty".to_owned(),
        Some(text) => format!("`{text}`"),
    }
}

/// A text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The document with `tables` between their markers, `<!-- name: begin -->` and `<!-- name: end -->`; `None` where one is
/// missing.
pub fn with_tables(document: &str, tables: &[(&str, String)]) -> Option<String> {
    let mut text = document.to_owned();
    for (name, table) in tables {
        let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->\n"));
        let (before, rest) = text.split_once(&begin)?;
        let (_, after) = rest.split_once(&end)?;
        text = format!("{before}{begin}{table}{end}{after}");
    }
    Some(text)
}

/// A default that a setting's description tells ("100 where absent") is the parameter's.
pub fn defaults_agree(settings: &[Setting<'_>], template: &Template, stack: &Stack) -> Vec<String> {
    let mut broken = Vec::new();
    for setting in settings {
        let told = setting.description.split_once(" where absent").and_then(|(before, _)| before.rsplit(' ').next());
        let origin = template.functions.iter().find_map(|function| function.environment.get(setting.name));
        let parameter = origin.and_then(|origin| stack.parameters.iter().find(|parameter| parameter.name == *origin));
        let given = parameter.and_then(|parameter| parameter.default.as_deref()).filter(|default| !default.is_empty());
        if let (Some(told), Some(given)) = (told, given)
            && told != given
        {
            broken.push(format!("{} is {told} where absent, and {given} by the template", setting.name));
        }
    }
    broken
}

/// Every function that somebody calls has a section in the document of the API, and every section is such a function or
/// one of the `general`.
pub fn api_sections(template: &Template, api: &str, general: &[&str]) -> Vec<String> {
    let sections: BTreeSet<&str> = api.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let with_routes = template.functions.iter().filter(|function| !function.routes.is_empty());
    let called: BTreeSet<&str> = with_routes.map(|function| function.name.as_str()).collect();
    let missing = called.difference(&sections).map(|name| format!("docs/api.md says nothing of {name}"));
    let surplus = sections.difference(&called).filter(|section| !general.contains(section));
    missing.chain(surplus.map(|section| format!("docs/api.md has the section {section}, which is no function"))).collect()
}
