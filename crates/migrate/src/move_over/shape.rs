//! What the predecessor's tables look like. Its live tables differ from its own migrations, and older copies differ from
//! both, so each column is looked for under the names it is known to have had, and taken only where its type fits.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use tokio_postgres::Client;

use super::OLD;

/// Tables, columns and types, and which columns have been given a home.
pub(super) struct Shape {
    tables: BTreeMap<String, BTreeMap<String, String>>,
    used: BTreeSet<(String, String)>,
}

const NUMBERS: &[&str] = &["smallint", "integer", "bigint", "numeric", "real", "double precision"];
const WHOLE_NUMBERS: &[&str] = &["smallint", "integer", "bigint"];
const TEXTS: &[&str] = &["text", "character varying", "character"];
const UUID: &str = "'^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'";

impl Shape {
    pub(super) async fn read(client: &Client) -> anyhow::Result<Self> {
        let sql = "
            SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped";
        let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for row in client.query(sql, &[&OLD]).await.context("reading the predecessor's columns")? {
            tables.entry(row.get(0)).or_default().insert(row.get(1), row.get(2));
        }
        Ok(Self { tables, used: BTreeSet::new() })
    }

    pub(super) fn has(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// The columns of a table that nothing here was made of.
    pub(super) fn homeless_columns(&self, table: &str) -> Vec<&str> {
        let columns = self.tables.get(table).into_iter().flat_map(BTreeMap::keys);
        columns.filter(|column| !self.used.contains(&(table.to_owned(), (*column).clone()))).map(String::as_str).collect()
    }

    pub(super) fn table<'a>(&'a mut self, name: &'a str) -> Table<'a> {
        Table { shape: self, name }
    }
}

/// One table, named `p` in statements. Each method returns an expression for the first of the names that holds a
/// value, or a typed null where the table has none of them.
pub(super) struct Table<'a> {
    shape: &'a mut Shape,
    name: &'a str,
}

impl Table<'_> {
    /// The columns there are, written by `form` from their name and type.
    fn found(&mut self, names: &[&str], form: impl Fn(&str, &str) -> Option<String>) -> Vec<String> {
        let mut found = Vec::new();
        for name in names {
            let sql_type = self.shape.tables.get(self.name).and_then(|columns| columns.get(*name));
            if let Some(expression) = sql_type.and_then(|sql_type| form(&format!("p.{name}"), sql_type)) {
                self.shape.used.insert((self.name.to_owned(), (*name).to_owned()));
                found.push(expression);
            }
        }
        found
    }

    fn first(&mut self, names: &[&str], sql_type: &str, form: impl Fn(&str, &str) -> Option<String>) -> String {
        match self.found(names, form).as_slice() {
            [] => format!("NULL::{sql_type}"),
            [one] => one.clone(),
            several => format!("coalesce({})", several.join(", ")),
        }
    }

    /// Whether there is such a column.
    pub(super) fn has(&self, column: &str) -> bool {
        self.shape.tables.get(self.name).is_some_and(|columns| columns.contains_key(column))
    }

    /// A key.
    pub(super) fn id(&mut self, names: &[&str]) -> String {
        self.first(names, "bigint", |p, t| WHOLE_NUMBERS.contains(&t).then(|| format!("{p}::bigint")))
    }

    /// A figure; what is no number is none.
    pub(super) fn number(&mut self, names: &[&str]) -> String {
        self.first(names, "double precision", |p, t| NUMBERS.contains(&t).then(|| format!("nullif({p}::double precision, 'NaN')")))
    }

    /// A text; an empty one is none.
    pub(super) fn text(&mut self, names: &[&str]) -> String {
        self.first(names, "text", |p, t| TEXTS.contains(&t).then(|| format!("nullif({p}::text, '')")))
    }

    /// A yes or no.
    pub(super) fn truth(&mut self, names: &[&str]) -> String {
        self.first(names, "boolean", |p, t| (t == "boolean").then(|| p.to_owned()))
    }

    /// An instant; one without a zone is UTC.
    pub(super) fn instant(&mut self, names: &[&str]) -> String {
        self.first(names, "timestamptz", |p, t| match t {
            "timestamp with time zone" => Some(p.to_owned()),
            "timestamp without time zone" => Some(format!("({p} AT TIME ZONE 'UTC')")),
            _ => None,
        })
    }

    /// A wall clock: Strava marks it falsely as UTC, and so it was stored.
    pub(super) fn wall_clock(&mut self, names: &[&str]) -> String {
        self.first(names, "timestamp", |p, t| match t {
            "timestamp with time zone" => Some(format!("({p} AT TIME ZONE 'UTC')")),
            "timestamp without time zone" => Some(p.to_owned()),
            _ => None,
        })
    }

    /// A day.
    pub(super) fn day(&mut self, names: &[&str]) -> String {
        self.first(names, "date", |p, t| (t == "date").then(|| p.to_owned()))
    }

    /// A JSON document.
    pub(super) fn document(&mut self, names: &[&str]) -> String {
        self.first(names, "jsonb", |p, t| matches!(t, "json" | "jsonb").then(|| format!("{p}::jsonb")))
    }

    /// A UUID; a text that is none is none.
    pub(super) fn uuid(&mut self, names: &[&str]) -> String {
        self.first(names, "uuid", |p, t| match t {
            "uuid" => Some(p.to_owned()),
            t if TEXTS.contains(&t) => Some(format!("CASE WHEN {p} ~ {UUID} THEN {p}::uuid END")),
            _ => None,
        })
    }

    /// A row's id as a UUID: its own, or one made of it, the same each time.
    pub(super) fn row_id(&mut self, names: &[&str]) -> String {
        let name = self.name.to_owned();
        self.first(names, "uuid", |p, t| match t {
            "uuid" => Some(p.to_owned()),
            t if TEXTS.contains(&t) || WHOLE_NUMBERS.contains(&t) => {
                Some(format!("CASE WHEN {p}::text ~ {UUID} THEN {p}::text::uuid ELSE md5('{name}:' || {p}::text)::uuid END"))
            }
            _ => None,
        })
    }

    /// A place, from an array of two or from two columns of numbers; half a place is none.
    pub(super) fn place(&mut self, array: &str, latitude: &str, longitude: &str) -> String {
        let pair = self.found(&[array], |p, t| {
            let is_list = t.strip_suffix("[]").is_some_and(|t| NUMBERS.contains(&t));
            is_list
                .then(|| format!("CASE WHEN cardinality({p}) = 2 AND array_position({p}, NULL) IS NULL THEN {p}::double precision[] END"))
        });
        let (latitude, longitude) = (self.number(&[latitude]), self.number(&[longitude]));
        let two = format!("CASE WHEN {latitude} IS NOT NULL AND {longitude} IS NOT NULL THEN ARRAY[{latitude}, {longitude}] END");
        format!("coalesce({})", pair.into_iter().chain([two]).collect::<Vec<_>>().join(", "))
    }
}
