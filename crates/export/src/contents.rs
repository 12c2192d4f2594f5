//! What explains the archive: a text for people at its beginning, and a list for programs at its end.

use std::fmt::Write as _;

use jiff::Timestamp;
use runaway_core::db::export::{ExportedColumn, ExportedTable};
use serde_json::{Map, Value, json};

/// The first file.
pub(crate) const README: &str = "README.txt";
/// The last file.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Raised when a program that reads archives has to change.
const FORMAT: u32 = 1;

/// The file that holds a table's rows.
pub(crate) fn file_name(table: &ExportedTable) -> String {
    format!("{}.jsonl", table.name)
}

/// The text for people.
pub(crate) fn readme(tables: &[ExportedTable], at: Timestamp) -> String {
    let mut text = format!(
        "Everything that Runaway holds about you, as it was at {at}.

Each file that ends in .jsonl is one table, each of its lines one row: a JSON object, in no particular order. Times are
UTC. Distances and heights are metres, durations seconds, speeds metres a second, weights kilograms. What Strava said of
an activity stands in activity_raw.jsonl as it came.

{MANIFEST}, the last file, says how many rows each file has and what its columns mean. An archive without it broke off
on its way: please export again.

Left out are only secrets and marks between machines: the tokens with which Strava is asked for your data
(strava_tokens.jsonl says since when, until when and for what they are held), and hashes.

The files:
"
    );
    for table in tables {
        let _ = write!(text, "\n{}\n    {}\n", file_name(table), table.about);
    }
    text
}

/// The list for programs; `rows_of` belongs to `tables`.
pub(crate) fn manifest(tables: &[ExportedTable], rows_of: &[u64], athlete_id: i64, at: Timestamp) -> String {
    let columns = |columns: &[ExportedColumn]| -> Map<String, Value> {
        columns.iter().map(|column| (column.name.clone(), json!(column.about))).collect()
    };
    let files: Vec<Value> = tables
        .iter()
        .zip(rows_of)
        .map(|(table, rows)| json!({ "file": file_name(table), "rows": rows, "about": table.about, "columns": columns(&table.columns) }))
        .collect();
    format!("{:#}\n", json!({ "format": FORMAT, "athlete_id": athlete_id, "exported_at": at, "files": files }))
}
