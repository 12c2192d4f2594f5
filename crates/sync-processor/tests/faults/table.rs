//! The table of faults: what each row measures, and the document it is kept in.

use std::fmt::Write as _;
use std::path::Path;

use crate::story::Story;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/faults.md");
const BEGIN: &str = "<!-- sync engine: begin -->\n";
const END: &str = "<!-- sync engine: end -->\n";
/// Set to any value by `make faults`: the document is written instead of compared.
const WRITE: &str = "FAULTS_WRITE";

/// One fault.
pub(crate) struct Row {
    name: &'static str,
    happened: usize,
    expected: i64,
    stored: i64,
    lost: i64,
    doubled: i64,
    calls: usize,
}

impl Row {
    /// What a story has come to, whose athlete holds `expected` activities at Strava. `happened` counts the fault.
    pub(crate) async fn of(name: &'static str, happened: usize, story: &Story) -> Self {
        let database = &story.world.database;
        let history = story.world.strava.activities(crate::story::ATHLETE);
        let ids: Vec<String> = history.iter().map(|activity| activity["id"].to_string()).collect();
        let present = format!("SELECT count(*) FROM activities WHERE id IN ({})", ids.join(", "));
        // The primary key forbids a second row of an id; a second row of the same content would have another.
        let doubled = "SELECT coalesce(sum(n - 1), 0)::bigint FROM (SELECT count(*) n FROM activities GROUP BY athlete_id, activity_date, distance) z";
        let expected = i64::try_from(history.len()).unwrap();
        let calls = ["list", "detail", "streams"].map(|what| story.world.strava.count(what)).iter().sum();
        let row = Self {
            name,
            happened,
            expected,
            stored: story.stored().await,
            lost: expected - database.count(&present).await,
            doubled: database.count(doubled).await,
            calls,
        };
        assert!(row.happened > 0, "{name} did not happen");
        assert_eq!((row.lost, row.doubled, row.stored), (0, 0, row.expected), "{name}");
        row
    }
}

/// Compares the rows with the document, or writes them where that is asked for.
pub(crate) fn settle(rows: &[Row]) {
    let mut table = String::from("| fault | happened | at Strava | stored | lost | doubled | calls |\n|---|--:|--:|--:|--:|--:|--:|\n");
    for r in rows {
        writeln!(table, "| {} | {} | {} | {} | {} | {} | {} |", r.name, r.happened, r.expected, r.stored, r.lost, r.doubled, r.calls)
            .unwrap();
    }
    let text = std::fs::read_to_string(Path::new(DOCUMENT)).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the beginning of the table");
    let (kept, after) = rest.split_once(END).expect("the end of the table");
    #[expect(clippy::disallowed_methods, reason = "a test's own switch")]
    let is_written = std::env::var_os(WRITE).is_some();
    if is_written {
        std::fs::write(Path::new(DOCUMENT), format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(kept, table, "docs/faults.md is not what happens; `make faults` writes it");
    }
}
