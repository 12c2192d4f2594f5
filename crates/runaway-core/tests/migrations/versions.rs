//! From every earlier version, with data in place, to the newest.

use std::collections::BTreeMap;
use std::time::Duration;

use migrate::MIGRATIONS;
use serde_json::Value;
use tokio_postgres::Client;

use super::{empty_database, open, rows};

/// How long a migration may take to come to the lock that stops it.
const BLOCKED_TIMEOUT: Duration = Duration::from_secs(60);
/// What is made from other tables, with the version from which on those hold something, and what of it must be the same
/// as if the rows had come after the last migration.
const DERIVED: &[(usize, &str)] = &[
    (3, "SELECT to_jsonb(t) - '{created_at,updated_at}'::text[] FROM activities t"),
    (3, "SELECT to_jsonb(t) FROM athlete_days t"),
    (3, "SELECT to_jsonb(t) FROM best_efforts t"),
    (3, "SELECT to_jsonb(t) FROM (SELECT athlete_id, week_start_date FROM journal_weeks) t"),
    (5, "SELECT to_jsonb(t) FROM chat_conversations t"),
    (5, "SELECT to_jsonb(t) FROM coach_conversations t"),
    (1, "SELECT to_jsonb(t) FROM (SELECT count(*) FROM strava_rate_budget) t"),
];

/// A database of a version, with rows.
struct Database {
    url: String,
    client: Client,
}

impl Database {
    async fn of_version(version: usize) -> Self {
        let (url, client) = empty_database().await;
        migrate::run_files(&url, &MIGRATIONS[..version]).await.unwrap();
        client.batch_execute("SET ROLE runaway_owner").await.unwrap();
        for sql in rows::of_version(version) {
            client.batch_execute(sql).await.unwrap_or_else(|error| panic!("version {version}: {error:?}: {sql}"));
        }
        Self { url, client }
    }

    async fn values(&self, sql: &str) -> Vec<Value> {
        let sql = format!("SELECT to_jsonb FROM ({sql}) x (to_jsonb) ORDER BY to_jsonb::text");
        self.client.query(&sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    async fn names(&self, sql: &str) -> Vec<String> {
        self.client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    async fn tables(&self) -> Vec<String> {
        let sql = "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
                      AND relname <> 'runaway_migrations' ORDER BY 1";
        self.names(sql).await
    }

    /// Every row of every table.
    async fn rows(&self) -> BTreeMap<String, Vec<Value>> {
        let mut all = BTreeMap::new();
        for table in self.tables().await {
            let rows = self.values(&format!("SELECT to_jsonb(t) FROM {table} t")).await;
            all.insert(table, rows);
        }
        all
    }

    /// The number of the last migration that is marked as applied.
    async fn version(&self) -> usize {
        let row = self.client.query_one("SELECT max(version) FROM runaway_migrations", &[]).await.unwrap();
        usize::try_from(row.get::<_, i32>(0)).unwrap()
    }

    /// Everything a migration can make: columns, constraints, indexes, triggers, functions, policies, rights.
    async fn catalogue(&self) -> Vec<String> {
        let sql = "
            SELECT format('column %s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated)
              FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
            UNION ALL SELECT format('table %s %s %s %s', relname, relrowsecurity, relforcerowsecurity, relacl) FROM pg_class
             WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            UNION ALL SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
             WHERE connamespace = 'public'::regnamespace
            UNION ALL SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL SELECT format('trigger %s', pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL SELECT format('function %s', pg_get_functiondef(p.oid)) FROM pg_proc p
             WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
            UNION ALL SELECT format('policy %s %s %s %s %s %s', tablename, policyname, roles, cmd, qual, with_check) FROM pg_policies
            ORDER BY 1";
        self.names(sql).await
    }
}

/// Whether everything that was there still is: a row may have got columns, and keeps what stood in the old ones.
fn assert_kept(before: &BTreeMap<String, Vec<Value>>, after: &BTreeMap<String, Vec<Value>>, what: &str) {
    let is_same = |old: &Value, new: &Value| {
        let new = new.as_object().unwrap();
        old.as_object().unwrap().iter().all(|(column, value)| new.get(column) == Some(value))
    };
    for (table, rows) in before {
        for row in rows {
            let found = after.get(table).into_iter().flatten().filter(|new| is_same(row, new)).count();
            assert_eq!(found, 1, "{what}: a row of {table} is gone, changed or doubled: {row}");
        }
    }
}

/// What is derived is what it would be had the rows come last.
async fn assert_derived(migrated: &Database, reference: &Database, version: usize) {
    for (_, sql) in DERIVED.iter().filter(|(from, _)| *from <= version) {
        let (found, expected) = (migrated.values(sql).await, reference.values(sql).await);
        assert!(!expected.is_empty(), "{sql} compares nothing");
        assert_eq!(found, expected, "from version {version}: {sql}");
    }
}

#[tokio::test]
async fn from_every_earlier_version_all_rows_are_kept_and_sums_are_right() {
    let reference = Database::of_version(MIGRATIONS.len()).await;
    for version in 1..MIGRATIONS.len() {
        let database = Database::of_version(version).await;
        let before = database.rows().await;
        let filled = before.values().filter(|rows| rows.len() > 1).count();
        assert!(filled >= version.min(3), "version {version} has rows in {filled} tables only");
        let report = migrate::run(&database.url).await.unwrap();
        assert_eq!(report.applied.len(), MIGRATIONS.len() - version);
        assert_kept(&before, &database.rows().await, &format!("from version {version}"));
        assert_derived(&database, &reference, version).await;
        assert_eq!(database.catalogue().await, reference.catalogue().await, "from version {version}");
    }
}

#[tokio::test]
async fn a_migration_of_a_later_release_is_found_by_its_number() {
    let database = Database::of_version(MIGRATIONS.len()).await;
    let next = format!("{:04}_later", MIGRATIONS.len() + 1);
    let later = [MIGRATIONS, &[(next.as_str(), "CREATE TABLE later (id bigint PRIMARY KEY); INSERT INTO later VALUES (7)")]].concat();
    let report = migrate::run_files(&database.url, &later).await.unwrap();
    assert_eq!(report.applied.len(), 1, "{report:?}");
    assert_eq!(database.version().await, MIGRATIONS.len() + 1);
    assert_eq!(database.values("SELECT to_jsonb(t) FROM later t").await, [serde_json::json!({ "id": 7 })]);
    assert!(migrate::run_files(&database.url, &later).await.unwrap().applied.is_empty());
    // The release before leaves such a database alone and says so.
    assert!(migrate::run(&database.url).await.is_err());
}

#[tokio::test]
async fn two_at_once_over_data_take_turns() {
    let version = MIGRATIONS.len() / 2;
    let database = Database::of_version(version).await;
    let before = database.rows().await;
    let (first, second) = tokio::join!(migrate::run(&database.url), migrate::run(&database.url));
    let applied = [first.unwrap().applied.len(), second.unwrap().applied.len()];
    assert!(applied.contains(&0) && applied.contains(&(MIGRATIONS.len() - version)), "{applied:?}");
    assert_kept(&before, &database.rows().await, "two at once");
}

/// Where a migration is stopped.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// At its first statement about a table that is there already, where it has one.
    Middle,
    /// When all of a file is done and it is not marked as applied yet.
    End,
}

/// Starts migrating, and cuts its connection at that place. `false` where nothing stopped it there.
async fn interrupt(database: &Database, place: Place) -> bool {
    let blocker = open(&database.url).await;
    let lock = match place {
        Place::Middle => format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", database.tables().await.join(", ")),
        // It may be read, and nothing may be added.
        Place::End => "LOCK TABLE runaway_migrations IN SHARE MODE".to_owned(),
    };
    blocker.batch_execute(&format!("SET ROLE runaway_owner; BEGIN; {lock}")).await.unwrap();
    let url = database.url.clone();
    let running = tokio::spawn(async move { migrate::run(&url).await });
    let waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'relation'";
    let admin = open(&database.url).await;
    let begun = tokio::time::Instant::now();
    while admin.query(waiting, &[]).await.unwrap().is_empty() {
        if running.is_finished() {
            running.await.unwrap().unwrap();
            return false;
        }
        assert!(begun.elapsed() < BLOCKED_TIMEOUT, "{place:?}: the migration is stopped by something else");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(running.await.unwrap().is_err(), "{place:?}: the migration did not notice");
    blocker.batch_execute("ROLLBACK").await.unwrap();
    true
}

#[tokio::test]
async fn an_interrupted_migration_leaves_nothing_half_and_the_next_one_goes_on() {
    let (url, client) = empty_database().await;
    let clean = Database { url, client };
    let mut catalogues = Vec::new();
    for version in 1..=MIGRATIONS.len() {
        migrate::run_files(&clean.url, &MIGRATIONS[..version]).await.unwrap();
        catalogues.push(clean.catalogue().await);
    }
    for version in 1..MIGRATIONS.len() {
        let database = Database::of_version(version).await;
        let before = database.rows().await;
        for place in [Place::End, Place::Middle] {
            let from = database.version().await;
            let is_interrupted = interrupt(&database, place).await;
            let reached = database.version().await;
            assert!(is_interrupted || matches!(place, Place::Middle), "nothing was interrupted after version {from}");
            assert_eq!(is_interrupted, reached < MIGRATIONS.len(), "{place:?} of what follows version {from}");
            assert_eq!(database.catalogue().await, catalogues[reached - 1], "{place:?} of what follows version {from}");
            assert_kept(&before, &database.rows().await, &format!("{place:?} of what follows version {from}"));
        }
        let left = MIGRATIONS.len() - database.version().await;
        assert_eq!(migrate::run(&database.url).await.unwrap().applied.len(), left);
        assert_eq!(database.catalogue().await, catalogues[MIGRATIONS.len() - 1]);
        assert_kept(&before, &database.rows().await, &format!("after version {version}"));
    }
}
