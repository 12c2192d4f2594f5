//! Attacks in SQL, with the right to say anything that a function could be brought to say: every statement without its
//! WHERE, with somebody else's, and with somebody else's row, on every table. Counted into docs/security.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use testkit::measured;
use tokio_postgres::Client;
use uuid::Uuid;

use super::{ADA, BO, NOBODYS, claims, tables, try_as, two_athletes};

/// Fewer would say that attacks were lost.
const ATTACKS_MIN: usize = 500;

/// Who speaks: how the transaction is set up, and how many rows of a table are its own.
struct Speaker {
    setup: String,
    own_rows: u64,
}

fn speakers(ada: Uuid) -> Vec<Speaker> {
    let worker = |athlete: &str| format!("SET LOCAL ROLE runaway_worker; SELECT set_config('runaway.athlete_id', '{athlete}', true)");
    let athlete = |claims: &str| format!("SET LOCAL ROLE runaway_athlete; SELECT set_config('request.jwt.claims', '{claims}', true)");
    vec![
        Speaker { setup: claims("runaway_athlete", ada), own_rows: 1 },
        Speaker { setup: worker(&ADA.to_string()), own_rows: 1 },
        // Somebody unknown, and transactions whose setting was forgotten.
        Speaker { setup: claims("runaway_athlete", Uuid::nil()), own_rows: 0 },
        Speaker { setup: athlete(""), own_rows: 0 },
        Speaker { setup: athlete("{}"), own_rows: 0 },
        Speaker { setup: worker(""), own_rows: 0 },
        Speaker { setup: worker("-1"), own_rows: 0 },
    ]
}

/// A statement that would write the other athlete's row again, column by column.
async fn copy_of_bos_row(owner: &Client, table: &str, whose: &str, bo: &str) -> String {
    let sql = "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
                WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''";
    let columns: String = owner.query_one(sql, &[&table]).await.unwrap().get(0);
    let row = owner.query_one(&format!("SELECT quote_literal(to_jsonb(t)) FROM {table} t WHERE {whose} = {bo}"), &[]).await.unwrap();
    let row: String = row.get(0);
    format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{table}, {row}::jsonb)")
}

#[tokio::test]
async fn no_statement_reaches_another_athletes_rows() {
    let (world, ada, bo) = two_athletes().await;
    let owner = world.database.owner().await;
    let mut app = world.database.app().await;
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (table, whose) in tables(&owner).await {
        let bo = if whose == "auth_user_id" { format!("'{bo}'") } else { BO.to_string() };
        let insert = copy_of_bos_row(&owner, &table, whose, &bo).await;
        // What may touch the own rows, and what may touch none.
        let statements = [
            ("reading", format!("SELECT * FROM {table}"), true),
            ("reading", format!("SELECT * FROM {table} WHERE {whose} = {bo}"), false),
            ("reading", format!("SELECT * FROM {table} WHERE {whose} = {bo} FOR UPDATE"), false),
            ("changing", format!("UPDATE {table} SET {whose} = {whose}"), true),
            ("changing", format!("UPDATE {table} SET {whose} = {whose} WHERE {whose} = {bo}"), false),
            ("giving away", format!("UPDATE {table} SET {whose} = {bo}"), false),
            ("deleting", format!("DELETE FROM {table}"), true),
            ("deleting", format!("DELETE FROM {table} WHERE {whose} = {bo}"), false),
            ("inserting", insert, false),
        ];
        for speaker in speakers(ada) {
            for (class, sql, is_own) in &statements {
                let rows_max = if *is_own { speaker.own_rows } else { 0 };
                let touched = try_as(&mut app, &speaker.setup, sql).await.unwrap_or(0);
                count(&mut counts, class, touched <= rows_max);
                if touched > rows_max {
                    wrong.push(format!("{}: {sql} touched {touched}", speaker.setup));
                }
            }
        }
    }
    // The one function with its owner's rights; both athletes have an activity of this name.
    for words in ["x", "x' OR true --", "%", "x x x"] {
        for speaker in speakers(ada) {
            let sql = format!("SELECT * FROM search_activities({}, NULL, NULL, 100)", quoted(words));
            let touched = try_as(&mut app, &speaker.setup, &sql).await.unwrap_or(0);
            count(&mut counts, "searching", touched <= speaker.own_rows);
            wrong.extend((touched > speaker.own_rows).then(|| format!("{}: {sql} touched {touched}", speaker.setup)));
        }
    }
    for table in NOBODYS {
        for speaker in speakers(ada) {
            for (class, sql) in [("reading", format!("SELECT * FROM {table}")), ("deleting", format!("DELETE FROM {table}"))] {
                let touched = try_as(&mut app, &speaker.setup, &sql).await;
                count(&mut counts, class, touched.is_none());
                wrong.extend(touched.map(|rows| format!("{}: {sql} touched {rows}", speaker.setup)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(counts.values().map(|count| count[0]).sum::<usize>() >= ATTACKS_MIN, "{counts:?}");
    let mut rows = String::new();
    for (class, [tried, limited, reached]) in counts {
        writeln!(rows, "| {class} | {tried} | {limited} | {reached} |").unwrap();
    }
    measured::settle("docs/security.md", "attacks in SQL", "ATTACKS_WRITE", "make attacks", &rows);
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Tried, refused or limited to the own rows, reached.
fn count<'a>(counts: &mut BTreeMap<&'a str, [usize; 3]>, class: &'a str, is_limited: bool) {
    let count = counts.entry(class).or_default();
    count[0] += 1;
    count[1] += usize::from(is_limited);
    count[2] += usize::from(!is_limited);
}
