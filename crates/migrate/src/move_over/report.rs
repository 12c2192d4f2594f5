//! What was moved and what stays where it was, with reasons: nothing is left out silently.

use anyhow::Context as _;
use tokio_postgres::Client;

use super::OLD;
use super::shape::Shape;
use super::sources::Sources;

/// Tables of the move itself.
const OWN_TABLES: [&str; 2] = ["sign_in_users", "move_over_progress"];
/// Tables that rows are moved from, or that are read beside them.
const READ_TABLES: [&str; 8] =
    ["athletes", "activities", "activity_types", "strava_tokens", "oauth_tokens", "athlete_ai_profiles", "chat_conversations", "sync_jobs"];

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The predecessor's table.
    pub table: String,
    /// What became of the rows.
    pub fate: String,
    /// How many rows, or columns.
    pub number: i64,
}

/// The lines for every table of the predecessor's, those without a home included.
///
/// # Errors
/// When a statement fails.
pub(super) async fn lines(client: &Client, shape: &Shape, sources: &Sources) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (table, source) in sources.by_table() {
        let sql = format!("SELECT coalesce('kept: ' || reason, 'moved'), count(*) FROM ({source}) c GROUP BY 1 ORDER BY 1 DESC");
        for row in client.query(&sql, &[]).await.with_context(|| format!("counting {table}"))? {
            lines.push(Line { table: table.to_owned(), fate: row.get(0), number: row.get(1) });
        }
        if matches!(table, "athletes" | "athlete_ai_profiles") {
            let sql = format!("SELECT note, count(*) FROM ({source}) c WHERE note IS NOT NULL AND reason IS NULL GROUP BY 1 ORDER BY 1");
            for row in client.query(&sql, &[]).await.with_context(|| format!("counting {table}"))? {
                lines.push(Line { table: table.to_owned(), fate: format!("  of these {}", row.get::<_, &str>(0)), number: row.get(1) });
            }
        }
    }
    if let Some(tokens) = &sources.tokens {
        let sql = format!(
            "SELECT count(*) FROM moving_athletes m WHERE m.reason IS NULL AND m.connected
                AND NOT EXISTS (SELECT 1 FROM ({tokens}) t WHERE t.reason IS NULL AND t.athlete = m.id)"
        );
        let number: i64 = client.query_one(&sql, &[]).await.context("counting athletes without a token")?.get(0);
        if number > 0 {
            lines.push(Line {
                table: "athletes".to_owned(),
                fate: "  of these connected without a token: they connect again".to_owned(),
                number,
            });
        }
    }
    for table in shape.tables().filter(|table| !OWN_TABLES.contains(table)) {
        let is_read = READ_TABLES.contains(&table) || table == "training_journal";
        if !is_read {
            let sql = format!("SELECT count(*) FROM {OLD}.{}", quoted(table));
            let number = client.query_one(&sql, &[]).await.with_context(|| format!("counting {table}"))?.get(0);
            lines.push(Line { table: table.to_owned(), fate: "kept: no home for this table".to_owned(), number });
            continue;
        }
        let homeless = shape.homeless_columns(table);
        if !homeless.is_empty() {
            let fate = format!("columns kept without a home: {}", homeless.join(", "));
            lines.push(Line { table: table.to_owned(), fate, number: i64::try_from(homeless.len()).unwrap_or(i64::MAX) });
        }
    }
    Ok(lines)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
