//! The map of trust in `docs/security.md`, compared with the template and the code: who may come in where, and which
//! statements see more than one athlete.

use std::collections::BTreeSet;

use crate::template::{Function, Template};

/// Classes of ways in: an athlete with a token, a provider or a browser on its behalf, our own queues and schedules.
const CLASSES: [&str; 3] = ["athlete", "provider", "internal"];
/// Transactions that a statement may run in, by what its signature names.
const ACROSS_ATHLETES: [&str; 3] = ["SystemTx", "JobAccess", "EventAccess"];
const OF_ONE_ATHLETE: [&str; 4] = ["AthleteTx", "WorkerTx", "OneAthleteTx", "LimitAccess"];
/// What makes and ends transactions, and sends no statement of its own.
const PLUMBING: [&str; 6] = ["pool::athlete", "pool::worker", "pool::one_athlete", "pool::system", "tx::commit", "tx::finish_with"];
/// What stands between `tx` and the rest of its room only.
const INNERMOST: [&str; 5] = ["tx::query", "tx::query_opt", "tx::rows", "tx::next", "export::next"];
/// The role that sees more than one athlete's rows.
const SYSTEM_ROLE: &str = "runaway_system";

/// A row of the table "Ways in".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayIn {
    /// The function.
    pub function: String,
    /// `POST /chat`, `queue SyncQueue`, `schedule sweep`, `deployment`.
    pub way: String,
    /// `athlete`, `provider` or `internal`.
    pub class: String,
    /// What it may do, and as which role.
    pub may: String,
}

/// The rows of the first table below a heading, cell by cell, without backticks.
fn rows<'a>(document: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let section = document.split_once(heading).map_or("", |(_, rest)| rest);
    let lines = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|')).skip(2);
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// The ways in that the document lists.
pub fn ways_in(document: &str) -> Vec<WayIn> {
    let plain = |cell: &str| cell.replace('`', "");
    let row = |cells: Vec<&str>| match *cells.as_slice() {
        [function, way, class, may, _] => WayIn { function: plain(function), way: plain(way), class: plain(class), may: plain(may) },
        _ => WayIn {
            function: format!("a row of {} cells: {cells:?}", cells.len()),
            way: String::new(),
            class: String::new(),
            may: String::new(),
        },
    };
    rows(document, "## Ways in").into_iter().map(row).collect()
}

/// The statements that the document lists, as `file::function`. A name without a file belongs to the file named last.
pub fn listed_statements(document: &str) -> BTreeSet<String> {
    let mut listed = BTreeSet::new();
    for cells in rows(document, "## Statements across athletes") {
        let mut file = "";
        for name in cells.first().copied().unwrap_or_default().split('`').skip(1).step_by(2) {
            let (named_file, function) = name.split_once("::").unwrap_or((file, name));
            file = named_file;
            listed.insert(format!("{file}::{function}"));
        }
    }
    listed
}

/// Ways in that are no routes, as the document calls them.
fn own_ways(function: &Function) -> BTreeSet<String> {
    let task =
        |input: &str| serde_json::from_str::<serde_json::Value>(input).ok().and_then(|input| Some(input["task"].as_str()?.to_owned()));
    let schedules = function.schedules.iter().map(|schedule| format!("schedule {}", task(&schedule.input).unwrap_or_default()));
    let queue = function.queue.iter().map(|source| format!("queue {}", source.queue));
    let mut ways: BTreeSet<String> = schedules.chain(queue).collect();
    if ways.is_empty() && function.routes.is_empty() {
        ways.insert("deployment".to_owned());
    }
    ways
}

/// Every function, route, queue and schedule of the template has a row with a class, and every row is of one of them.
pub fn entry_points(template: &Template, ways: &[WayIn]) -> Vec<String> {
    let mut broken = Vec::new();
    for way in ways {
        let Some(function) = template.function(&way.function) else {
            broken.push(format!("the map of trust names {}, which is no function of the template", way.function));
            continue;
        };
        let path = way.way.split_once(" /").map(|(_, path)| path.split('/').next().unwrap_or_default());
        let is_route = !function.routes.is_empty() && path == Some(function.name.as_str());
        if !is_route && !own_ways(function).contains(&way.way) {
            broken.push(format!("{} is not reached by {:?}", way.function, way.way));
        }
        if !CLASSES.contains(&way.class.as_str()) || (way.class == "internal") == is_route {
            broken.push(format!("{} by {:?} has the class {:?}", way.function, way.way, way.class));
        }
    }
    for function in &template.functions {
        let known: Vec<&str> = ways.iter().filter(|way| way.function == function.name).map(|way| way.way.as_str()).collect();
        let missing = own_ways(function).into_iter().filter(|way| !known.contains(&way.as_str()));
        broken.extend(missing.map(|way| format!("the map of trust lacks {} by {way}", function.name)));
        if !function.routes.is_empty() && !known.iter().any(|way| way.contains(" /")) {
            broken.push(format!("the map of trust lacks the calls of {}", function.name));
        }
    }
    broken
}

/// The words of paths that a function's source tells apart: texts in the patterns of a `match`, or beside a path.
pub fn path_words(source: &str) -> BTreeSet<String> {
    let is_word = |text: &&str| {
        let letters = text.trim_start_matches('/');
        letters.starts_with(|c: char| c.is_ascii_lowercase())
            && letters.ends_with(|c: char| c.is_ascii_lowercase())
            && letters.chars().all(|c| c.is_ascii_lowercase() || "-./".contains(c))
    };
    let tells_apart = |line: &&str| {
        let line = line.trim_start();
        (line.contains("=>") && (line.starts_with('[') || line.starts_with('"')))
            || line.contains(".path ==")
            || line.contains(".contains(&call.path")
    };
    let pattern = |line: &'_ str| line.split_once("=>").map_or(line, |(pattern, _)| pattern).to_owned();
    let lines: Vec<String> = source.lines().filter(tells_apart).map(pattern).collect();
    let texts = lines.iter().flat_map(|line| line.split('"').skip(1).step_by(2)).filter(is_word);
    texts.flat_map(|text| text.split('/')).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Every path that a function tells apart has a row, and every row is of such a path.
pub fn paths(function: &str, source: &str, ways: &[WayIn]) -> Vec<String> {
    let own = ways.iter().filter(|way| way.function == function);
    // What follows the method and the function's name, without what stands for an id.
    let parts = own.flat_map(|way| way.way.split('/').skip(2)).filter(|part| !part.starts_with('{'));
    let (listed, known): (BTreeSet<String>, _) = (parts.map(str::to_owned).collect(), path_words(source));
    let missing = known.difference(&listed).map(|word| format!("the map of trust lacks the path with {word:?} of {function}"));
    let surplus = listed.difference(&known).map(|word| format!("the map of trust has a path with {word:?}, {function} not"));
    missing.chain(surplus).collect()
}

/// A function is of the class that its code is: an athlete's asks for the caller, and sees another athlete's rows only
/// where one of its rows in the document says so.
pub fn class_of(function: &str, source: &str, ways: &[WayIn]) -> Vec<String> {
    let own: Vec<&WayIn> = ways.iter().filter(|way| way.function == function).collect();
    let is_said = own.iter().any(|way| way.may.contains(SYSTEM_ROLE));
    let mut broken = Vec::new();
    for class in own.iter().map(|way| way.class.as_str()).collect::<BTreeSet<_>>() {
        if (class == "athlete") != source.contains("verifier.caller(") {
            broken.push(format!("{function} is of the class {class}, and its code is not"));
        }
        if class == "athlete" && source.contains(".system()") != is_said {
            broken.push(format!("{function} is an athlete's; that it acts as {SYSTEM_ROLE} stands in one of code and document"));
        }
    }
    broken
}

/// The functions of a file that others can call and that wait for something: name and signature.
fn signatures(text: &str) -> Vec<(String, String)> {
    let starts = ["pub async fn ", "pub(crate) async fn ", "pub(super) async fn "];
    let mut found = Vec::new();
    for start in starts {
        for after in text.split(start).skip(1) {
            let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.push((name, after.split('{').next().unwrap_or_default().to_owned()));
        }
    }
    found
}

/// Every statement across athletes is listed, every listed one exists, and every other is bound to one athlete.
/// `files` are those of the room `db`: name and text.
pub fn statements(files: &[(String, String)], listed: &BTreeSet<String>) -> Vec<String> {
    let (mut across, mut broken) = (BTreeSet::new(), Vec::new());
    for (file, text) in files {
        for (name, signature) in signatures(text) {
            let (name, names) = (format!("{file}::{name}"), |kinds: &[&str]| kinds.iter().any(|kind| signature.contains(kind)));
            if PLUMBING.contains(&name.as_str()) || INNERMOST.contains(&name.as_str()) {
                continue;
            }
            if names(&ACROSS_ATHLETES) {
                across.insert(name);
            } else if !names(&OF_ONE_ATHLETE) {
                broken.push(format!("{name} runs outside the transactions that are bound to somebody"));
            }
        }
    }
    broken.extend(across.difference(listed).map(|name| format!("{name} sees all athletes and is not in docs/security.md")));
    broken.extend(listed.difference(&across).map(|name| format!("docs/security.md lists {name}, which is no statement across athletes")));
    broken
}
