//! Migrations where others have been before, from every earlier version, two at once, and interrupted.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

#[path = "migrations/rows.rs"]
mod rows;
#[path = "migrations/versions.rs"]
mod versions;

use testkit::database::{ADMIN_URL, required};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

const ADA: i64 = 1;
const BO: i64 = 2;

async fn open(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// An empty database, its address, and a connection of the administrator's to it.
async fn empty_database() -> (String, Client) {
    let mut url: url::Url = required(ADMIN_URL).parse().unwrap();
    let name = format!("empty_{}", Uuid::new_v4().simple());
    open(url.as_str()).await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    url.set_path(&name);
    (url.to_string(), open(url.as_str()).await)
}

#[tokio::test]
async fn a_schema_auth_that_belongs_to_somebody_else_is_left_alone_and_not_needed() {
    let (url, admin) = empty_database().await;
    let stranger = format!("auth_owner_{}", Uuid::new_v4().simple());
    let options = "DO $$ BEGIN IF current_setting('server_version_num')::int >= 160000 THEN
        EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT FALSE, SET TRUE', current_setting('test.stranger'));
        ELSE EXECUTE format('GRANT %I TO CURRENT_USER', current_setting('test.stranger')); END IF; END $$";
    let supabase = format!(
        "CREATE ROLE {stranger} NOLOGIN; SET test.stranger = '{stranger}'; {options};
         DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {stranger}', current_database()); END $$;
         SET ROLE {stranger}; CREATE SCHEMA auth;
         CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS
           $$ SELECT (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
         GRANT USAGE ON SCHEMA auth TO SESSION_USER; RESET ROLE"
    );
    admin.batch_execute(&supabase).await.unwrap();
    migrate::run(&url).await.unwrap();
    let owner: String =
        admin.query_one("SELECT proowner::regrole::text FROM pg_proc WHERE oid = 'auth.uid()'::regprocedure", &[]).await.unwrap().get(0);
    assert_eq!(owner, stranger);

    let (ada, bo) = (Uuid::new_v4(), Uuid::new_v4());
    let athletes = format!("SET ROLE runaway_owner; INSERT INTO athletes (id, auth_user_id) VALUES ({ADA}, '{ada}'), ({BO}, '{bo}')");
    admin.batch_execute(&athletes).await.unwrap();
    let mut as_app: url::Url = url.parse().unwrap();
    as_app.set_username("runaway_app").unwrap();
    let db = runaway_core::db::Db::new(&runaway_core::config::DatabaseConfig { url: as_app.to_string().into(), ca_pem: None }, 1).unwrap();
    let tx = db.athlete(bo).await.unwrap();
    assert_eq!(runaway_core::db::athletes::own(&tx).await.unwrap().map(|athlete| athlete.id), Some(BO));
    let hash = [7; 32];
    let now = jiff::Timestamp::now();
    runaway_core::db::oauth_states::insert(&tx, &hash, None, false, now, now).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn two_migrations_of_one_database_at_once_take_turns() {
    let (url, _) = empty_database().await;
    let (first, second) = tokio::join!(migrate::run(&url), migrate::run(&url));
    let applied = [first.unwrap().applied.len(), second.unwrap().applied.len()];
    assert_eq!(applied.iter().sum::<usize>(), migrate::MIGRATIONS.len(), "each file once: {applied:?}");
    assert!(applied.contains(&0), "one did all: {applied:?}");
}
