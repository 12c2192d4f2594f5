//! What the functions' sources say of themselves: the settings they read, the connections they hold, whether they stream.
//! Read from the text, in the form that rustfmt gives it.

use std::collections::{BTreeMap, BTreeSet};

/// Connections of a function that opens its one without a pool.
const CONNECTIONS_WITHOUT_POOL: u64 = 1;

/// The names of settings that each reading function of the configuration asks for: `StravaConfig::read` and so on.
/// `files` are the sources of the room `config`.
pub fn settings_by_reader(files: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let bodies: BTreeMap<String, String> = files.iter().flat_map(|text| readers(text)).collect();
    let is_method = |name: &&String| name.contains("::");
    bodies.keys().filter(is_method).map(|name| (name.clone(), asked_for(&bodies, name, &mut BTreeSet::new()))).collect()
}

/// Every function that is given the reader, methods as `Type::name`, with its body.
fn readers(text: &str) -> Vec<(String, String)> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut owner = None;
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("impl ") {
            owner = rest.split([' ', '<']).next();
        }
        let signature = line.trim_start();
        let Some((_, rest)) = signature.split_once("fn ").filter(|_| signature.contains("from: &mut Reader")) else { continue };
        let name = rest.split(['(', '<']).next().unwrap_or_default();
        let indent = &line[..line.len() - signature.len()];
        let end = format!("{indent}}}");
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
        let name = owner.filter(|_| !indent.is_empty()).map_or(name.to_owned(), |owner| format!("{owner}::{name}"));
        found.push((name, body.join("\n")));
    }
    found
}

/// The settings that the function called `name` asks for, by itself and through those that it hands the reader to.
fn asked_for(bodies: &BTreeMap<String, String>, name: &str, seen: &mut BTreeSet<String>) -> BTreeSet<String> {
    let Some(body) = bodies.get(name).filter(|_| seen.insert(name.to_owned())) else { return BTreeSet::new() };
    let is_setting = |word: &&str| word.contains('_') && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit());
    let mut asked: BTreeSet<String> = body.split('"').skip(1).step_by(2).filter(is_setting).map(str::to_owned).collect();
    for before in body.split("(from").map(|text| text.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()) {
        let owner = name.split("::").next().unwrap_or_default();
        for called in [before.to_owned(), format!("{owner}::{before}")] {
            asked.extend(asked_for(bodies, &called, seen));
        }
    }
    asked
}

/// The settings that a function reads, whose source is `source`.
pub fn settings_read(source: &str, by_reader: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    // `StravaConfig::read(s)`, but also `DatabaseConfig::read_admin` handed over by its name; and neither is part of another.
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_named = |reader: &str| {
        source.match_indices(reader).any(|(at, _)| !source[..at].ends_with(is_word) && !source[at + reader.len()..].starts_with(is_word))
    };
    by_reader.iter().filter(|(reader, _)| is_named(reader)).flat_map(|(_, settings)| settings.clone()).collect()
}

/// How many connections one environment of a function holds at most.
pub fn connections_max(source: &str) -> Option<u64> {
    let Some((_, rest)) = source.split_once("const CONNECTIONS_MAX: usize = ") else {
        return (!source.contains("Db::new")).then_some(CONNECTIONS_WITHOUT_POOL);
    };
    rest.split(';').next()?.parse().ok()
}

/// Whether a function's main sends its answers as they come.
pub fn streams(main: &str) -> bool {
    main.contains("run_with_streaming_response")
}

/// The file below `src` that builds a function's `App`, as its main imports it.
pub fn app_file(main: &str) -> String {
    let import = main.lines().find(|line| line.starts_with("use ") && line.contains("App"));
    let path: Vec<&str> = import.map(|line| line["use ".len()..].split("::").collect()).unwrap_or_default();
    match path.as_slice() {
        [_, module, _] => format!("{module}.rs"),
        [_, _] => "lib.rs".to_owned(),
        _ => "main.rs".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
impl StravaConfig {
    /// Reads the settings.
    pub fn read(from: &mut Reader<'_>) -> Self {
        Self { base: from.url("STRAVA_API_BASE"), redirects: redirects(from), effort: Self::effort(from) }
    }

    fn effort(from: &mut Reader<'_>) -> u8 {
        from.number("EFFORT_MAX")
    }
}

fn redirects(from: &mut Reader<'_>) -> Vec<String> {
    entries(&from.text("APP_REDIRECTS"))
}

#[cfg(test)]
mod tests {
    fn x(from: &mut Reader<'_>) {
        from.text("NOT_READ");
    }
}
"#;

    #[test]
    fn settings_are_followed_from_a_function_to_the_reader() {
        let by_reader = settings_by_reader(&[CONFIG.to_owned()]);
        let expected = BTreeSet::from(["APP_REDIRECTS", "EFFORT_MAX", "STRAVA_API_BASE"].map(str::to_owned));
        assert_eq!(by_reader["StravaConfig::read"], expected);
        assert_eq!(settings_read("settings.read(|s| StravaConfig::read(s))", &by_reader), expected);
        for other in ["StravaConfig::read_other(s)", "OtherStravaConfig::read(s)"] {
            assert_eq!(settings_read(other, &by_reader), BTreeSet::new(), "{other}");
        }
    }

    #[test]
    fn connections_and_the_app_are_found() {
        assert_eq!(connections_max("const CONNECTIONS_MAX: usize = 4;\nDb::new(&d, CONNECTIONS_MAX)"), Some(4));
        assert_eq!(connections_max("run_with_ca(url)"), Some(1));
        assert_eq!(connections_max("Db::new(&d, 7)"), None);
        assert_eq!(app_file("use journal::worker::{App, handle};"), "worker.rs");
        assert_eq!(app_file("use chat::App;"), "lib.rs");
        assert_eq!(app_file("use migrate::{Report, run_with_ca};"), "main.rs");
    }
}
