//! Every column that holds something sealed, in one list: sealing anew walks it, and a test over the catalogue fails
//! where a column of bytes is neither in it nor known for a hash. This room never opens what it reads.

use tokio_postgres::types::Type;

use super::tx::{Params, Scope as _};
use super::{DbError, SystemTx};

/// What a sealed column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
    /// An exchange, sealed for the row's id.
    Exchange,
}

/// A table with sealed columns. Each also has a column `athlete_id` that says for whom they are sealed.
#[derive(Debug)]
pub struct SealedTable {
    /// Its name.
    pub name: &'static str,
    /// The column that names a row.
    key: &'static str,
    key_type: &'static str,
    /// The sealed columns.
    pub columns: &'static [(&'static str, Holds)],
}

/// The tables, in the direction in which sealed values are moved between them, so that what moves is still met.
pub const SEALED_TABLES: &[SealedTable] = &[
    SealedTable {
        name: "oauth_tickets",
        key: "id",
        key_type: "uuid",
        columns: &[("exchange", Holds::Exchange), ("refresh_token", Holds::RefreshToken)],
    },
    SealedTable {
        name: "strava_tokens",
        key: "athlete_id",
        key_type: "bigint",
        columns: &[("access_token", Holds::AccessToken), ("refresh_token", Holds::RefreshToken)],
    },
    SealedTable { name: "pending_revocations", key: "id", key_type: "uuid", columns: &[("refresh_token", Holds::RefreshToken)] },
];

/// The sealed values of a row.
#[derive(Debug, Clone)]
pub struct SealedRow {
    /// Names the row, as text: the tables' keys are of different types.
    pub key: String,
    /// For whom they are sealed.
    pub athlete_id: i64,
    /// One per column, in the order of [`SealedTable::columns`].
    pub values: Vec<Vec<u8>>,
}

/// A row and what its values are to be replaced with.
#[derive(Debug)]
pub struct Replacement {
    /// As it was read.
    pub old: SealedRow,
    /// One value per column.
    pub new: Vec<Vec<u8>>,
}

/// A batch of rows, those that follow `after` in the order of their keys.
///
/// # Errors
/// See [`DbError`].
pub async fn batch(tx: &SystemTx, table: &SealedTable, after: Option<&str>, rows_max: i64) -> Result<Vec<SealedRow>, DbError> {
    let SealedTable { name, key, key_type, columns } = table;
    let listed: Vec<&str> = columns.iter().map(|(column, _)| *column).collect();
    let sql = format!(
        "SELECT {key}::text, athlete_id, {} FROM {name} WHERE $1::text IS NULL OR {key} > $1::text::{key_type} ORDER BY {name}.{key} LIMIT $2",
        listed.join(", ")
    );
    let rows = tx.tx().query(&sql, &[(&after, Type::TEXT), (&rows_max, Type::INT8)]).await?;
    rows.iter()
        .map(|row| {
            let values = (0..columns.len()).map(|n| row.try_get(n + 2)).collect::<Result<_, _>>()?;
            Ok(SealedRow { key: row.try_get(0)?, athlete_id: row.try_get(1)?, values })
        })
        .collect()
}

/// Replaces the values of those rows that stand as they were read; returns of how many. A row that somebody else holds
/// is left alone: a refresh keeps it for as long as Strava takes to answer.
///
/// # Errors
/// See [`DbError`].
pub async fn replace(tx: &SystemTx, table: &SealedTable, rows: &[Replacement]) -> Result<usize, DbError> {
    let SealedTable { name, key, key_type, columns } = table;
    let keys: Vec<&str> = rows.iter().map(|row| row.old.key.as_str()).collect();
    let values: Vec<[Vec<&[u8]>; 2]> = (0..columns.len())
        .map(|n| [rows.iter().map(|row| row.old.values[n].as_slice()).collect(), rows.iter().map(|row| row.new[n].as_slice()).collect()])
        .collect();
    let each = |part: &dyn Fn(usize, &str) -> String, between: &str| -> String {
        columns.iter().enumerate().map(|(n, (column, _))| part(n, column)).collect::<Vec<_>>().join(between)
    };
    let sql = format!(
        "WITH free AS MATERIALIZED (SELECT {key} FROM {name} WHERE {key} = ANY ($1::text[]::{key_type}[]) ORDER BY {key} FOR UPDATE SKIP LOCKED)
         UPDATE {name} t SET {set}
           FROM unnest($1::text[]::{key_type}[], {arrays}) AS n (key, {names})
          WHERE t.{key} = n.key AND t.{key} IN (SELECT {key} FROM free) AND {unchanged}
         RETURNING 1",
        set = each(&|n, column| format!("{column} = n.new{n}"), ", "),
        arrays = each(&|n, _| format!("${}, ${}", 2 * n + 2, 2 * n + 3), ", "),
        names = each(&|n, _| format!("old{n}, new{n}"), ", "),
        unchanged = each(&|n, column| format!("t.{column} = n.old{n}"), " AND "),
    );
    let mut params: Vec<(&(dyn tokio_postgres::types::ToSql + Sync), Type)> = vec![(&keys, Type::TEXT_ARRAY)];
    params.extend(values.iter().flatten().map(|array| (array as _, Type::BYTEA_ARRAY)));
    let params: Params<'_> = &params;
    Ok(tx.tx().query(&sql, params).await?.len())
}
