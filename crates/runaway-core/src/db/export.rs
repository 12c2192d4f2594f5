//! Everything held about an athlete, read row by row: the tables of [`ATHLETE_TABLES`] that are exported and the
//! athlete's own row.

use std::collections::HashMap;

use tokio_postgres::types::Type;

use super::athlete_tables::ATHLETE_TABLES;
use super::tx::{Rows, Scope as _};
use super::{DbError, WorkerTx};

/// Rows that are asked for at once. They are not held at once; but where the reader leaves, the server has to send as
/// many before the connection ends.
const ROWS_PER_FETCH: usize = 200;
/// The athlete's own row, which the list of tables does not name.
const ATHLETES: (&str, &str) = ("athletes", "id = $1");

/// A table as it is exported.
#[derive(Debug)]
pub struct ExportedTable {
    /// Its name.
    pub name: &'static str,
    /// What it holds, one or two sentences.
    pub about: String,
    /// Its columns, in their order.
    pub columns: Vec<ExportedColumn>,
    whose: &'static str,
}

/// A column as it is exported.
#[derive(Debug)]
pub struct ExportedColumn {
    /// Its name.
    pub name: String,
    /// What it holds, where the name does not say it.
    pub about: Option<String>,
}

/// What is exported, with the words by which the database describes it. Left out are, in every table: binary values,
/// which are sealed tokens and hashes, and the tokens by which functions tell each other apart.
///
/// # Errors
/// See [`DbError`].
pub async fn tables(tx: &WorkerTx) -> Result<Vec<ExportedTable>, DbError> {
    let exported = ATHLETE_TABLES.iter().filter(|table| table.is_exported()).map(|table| (table.name, table.whose()));
    let listed: Vec<(&'static str, &'static str)> = [ATHLETES].into_iter().chain(exported).collect();
    let names: Vec<&str> = listed.iter().map(|(name, _)| *name).collect();
    // Times are written in UTC, whatever the server's own zone is.
    tx.tx().query("SELECT set_config('TimeZone', 'UTC', true)", &[]).await?;
    let sql = "
        SELECT c.relname::text, coalesce(obj_description(c.oid, 'pg_class'), ''), a.attname::text, col_description(c.oid, a.attnum)
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relname::text = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped
           AND a.atttypid <> 'bytea'::regtype AND a.attname <> 'lease_token'
         ORDER BY 1, a.attnum";
    let mut found: HashMap<String, (String, Vec<ExportedColumn>)> = HashMap::new();
    for row in tx.tx().query(sql, &[(&names, Type::TEXT_ARRAY)]).await? {
        let (_, columns) = found.entry(row.try_get(0)?).or_insert((row.try_get(1)?, Vec::new()));
        columns.push(ExportedColumn { name: row.try_get(2)?, about: row.try_get(3)? });
    }
    let exported = listed.into_iter().map(|(name, whose)| {
        let (about, columns) = found.remove(name).ok_or(DbError::Unexpected("the catalogue"))?;
        Ok(ExportedTable { name, about, columns, whose })
    });
    exported.collect()
}

/// The rows of a table, each as a line of JSON. Objects of Strava's stand in it as they came, but for line breaks
/// between their parts.
pub struct Lines<'a> {
    tx: &'a WorkerTx,
    fetch: String,
    rows: Rows<'a>,
    taken: usize,
}

impl std::fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lines")
    }
}

/// Begins to read a table.
///
/// # Errors
/// See [`DbError`].
pub async fn lines<'a>(tx: &'a WorkerTx, table: &ExportedTable) -> Result<Lines<'a>, DbError> {
    let columns: Vec<String> = table.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
    let (columns, name, whose) = (columns.join(", "), table.name, table.whose);
    let declare =
        format!("DECLARE {name} NO SCROLL CURSOR FOR SELECT row_to_json(r)::text FROM (SELECT {columns} FROM {name} WHERE {whose}) r");
    tx.tx().query(&declare, &[(&tx.athlete_id(), Type::INT8)]).await?;
    let fetch = format!("FETCH FORWARD {ROWS_PER_FETCH} FROM {name}");
    let rows = tx.tx().rows(&fetch).await?;
    Ok(Lines { tx, fetch, rows, taken: 0 })
}

impl Lines<'_> {
    /// The next line, without its end; `None` when there are no more.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn next(&mut self) -> Result<Option<String>, DbError> {
        loop {
            if let Some(row) = self.rows.next().await? {
                self.taken += 1;
                let line: String = row.try_get(0)?;
                // Inside a JSON text no line break stands in clear, so what is replaced is space between two tokens.
                return Ok(Some(if line.contains(['\n', '\r']) { line.replace(['\n', '\r'], " ") } else { line }));
            }
            if self.taken < ROWS_PER_FETCH {
                return Ok(None);
            }
            (self.rows, self.taken) = (self.tx.tx().rows(&self.fetch).await?, 0);
        }
    }
}
