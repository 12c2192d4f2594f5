//! Row-level security, tried in SQL against every table in the catalogue, so that a new one is covered by itself.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is missing")]

#[path = "row_security/attacks.rs"]
mod attacks;
#[path = "row_security/erasure.rs"]
mod erasure;

use testkit::World;
use testkit::activity::daily_runs;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

const ADA: i64 = 1;
const BO: i64 = 2;
const TOKEN_TTL_S: i64 = 6 * 3600;
/// Tables whose rows are nobody's.
const NOBODYS: &[&str] = &["erasure_receipts", "runaway_migrations", "strava_rate_budget"];

/// Two athletes with a row each in every table.
async fn two_athletes() -> (World, Uuid, Uuid) {
    let world = World::new().await;
    let (ada, bo) = (world.user_id, Uuid::new_v4());
    for (id, user) in [(ADA, ada), (BO, bo)] {
        world.connected_athlete(id, user, daily_runs(id, id * 100, 1, jiff::Timestamp::now()), TOKEN_TTL_S).await;
    }
    let sql = "
        INSERT INTO oauth_states (state_hash, auth_user_id, expires_at) SELECT sha256(id::text::bytea), auth_user_id, now() FROM athletes;
        INSERT INTO activities (id, athlete_id, name, type, activity_date, start_date_local) SELECT id * 100, id, 'x', 'Run', now(), now()::timestamp FROM athletes;
        INSERT INTO activity_raw (activity_id, athlete_id, summary) SELECT id * 100, id, '{}' FROM athletes;
        INSERT INTO unreadable_activities (athlete_id, content_hash, object, reason) SELECT id, sha256('x'), 'x', 'x' FROM athletes;
        INSERT INTO activity_details (activity_id, athlete_id) SELECT id * 100, id FROM athletes;
        INSERT INTO best_efforts (activity_id, athlete_id, distance_m, elapsed_time) SELECT id * 100, id, 1000, 300 FROM athletes;
        INSERT INTO activity_streams (activity_id, athlete_id, kind, points) SELECT id * 100, id, 'time', 1 FROM athletes;
        INSERT INTO detail_runs (athlete_id, not_before) SELECT id, now() FROM athletes;
        INSERT INTO sync_jobs (id, athlete_id, sync_type) SELECT gen_random_uuid(), id, 'full' FROM athletes;
        INSERT INTO vanished_candidates (job_id, activity_id, athlete_id) SELECT id, athlete_id * 100, athlete_id FROM sync_jobs;
        INSERT INTO coach_conversations (id, athlete_id, preview) SELECT gen_random_uuid(), id, 'x' FROM athletes;
        INSERT INTO chat_conversations (id, athlete_id, conversation_id, role, message) SELECT gen_random_uuid(), athlete_id, id, 'user', 'x' FROM coach_conversations;
        INSERT INTO coach_facts (id, athlete_id, kind, fact) SELECT gen_random_uuid(), id, 'goal', 'x' FROM athletes;
        INSERT INTO request_limits (athlete_id, day, kind) SELECT id, '2026-01-05', 'chat' FROM athletes;
        INSERT INTO athlete_ai_profiles (athlete_id) SELECT id FROM athletes;
        INSERT INTO training_journal (id, athlete_id, week_start_date, narrative, week_stats, generation_model)
            SELECT gen_random_uuid(), id, '2026-01-05', 'x', '{}', 'x' FROM athletes;
        INSERT INTO strava_events (id, athlete_id, object_type, object_id, aspect_type, event_time)
            SELECT gen_random_uuid(), id, 'activity', id * 100, 'update', now() FROM athletes;
        INSERT INTO oauth_tickets (id, ticket_hash, auth_user_id, athlete_id, exchange, refresh_token, expires_at)
            SELECT gen_random_uuid(), sha256(id::text::bytea), auth_user_id, id, 'x', 'x', now() FROM athletes;
        INSERT INTO pending_revocations (id, athlete_id, refresh_token) SELECT gen_random_uuid(), id, 'x' FROM athletes;";
    world.database.owner().await.batch_execute(sql).await.unwrap();
    (world, ada, bo)
}

/// Every table of athletes' data with the column that says whose a row is.
async fn tables(owner: &Client) -> Vec<(String, &'static str)> {
    let sql = "
        SELECT c.relname::text, coalesce(array_agg(a.attname::text), '{}') FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
         WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND c.relname::text <> ALL ($1) GROUP BY 1 ORDER BY 1";
    let rows = owner.query(sql, &[&NOBODYS]).await.unwrap();
    rows.iter()
        .map(|row| {
            let (table, columns): (String, Vec<String>) = (row.get(0), row.get(1));
            let whose = ["athlete_id", "auth_user_id", "id"].into_iter().find(|name| columns.iter().any(|column| column == name));
            let whose = whose.expect("a table that says whose its rows are");
            (table, if whose == "auth_user_id" && columns.iter().any(|c| c == "strava_connected") { "id" } else { whose })
        })
        .collect()
}

/// Runs a statement as a role in a transaction that is rolled back; `None` where it was refused.
async fn try_as(client: &mut Client, setup: &str, sql: &str) -> Option<u64> {
    let tx = client.transaction().await.unwrap();
    tx.batch_execute(setup).await.unwrap();
    let outcome = tx.execute(sql, &[]).await;
    tx.rollback().await.unwrap();
    match outcome {
        Ok(rows) => Some(rows),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => None,
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

fn claims(role: &str, user: Uuid) -> String {
    format!(r#"SET LOCAL ROLE {role}; SELECT set_config('request.jwt.claims', '{{"sub":"{user}","role":"authenticated"}}', true)"#)
}

#[tokio::test]
async fn without_a_where_every_statement_touches_one_athletes_rows() {
    let (world, ada, _) = two_athletes().await;
    let owner = world.database.owner().await;
    let mut app = world.database.app().await;
    let as_ada = claims("runaway_athlete", ada);
    let worker = format!("SET LOCAL ROLE runaway_worker; SELECT set_config('runaway.athlete_id', '{ADA}', true)");
    for (table, whose) in tables(&owner).await {
        let own = if whose == "auth_user_id" { format!("'{ada}'") } else { ADA.to_string() };
        let all = world.database.count(&format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(all, 2, "{table} has a row of each athlete");
        for setup in [&as_ada, &worker] {
            for sql in [format!("SELECT * FROM {table}"), format!("UPDATE {table} SET {whose} = {whose}"), format!("DELETE FROM {table}")] {
                let touched = try_as(&mut app, setup, &sql).await;
                assert!(touched.is_none_or(|rows| rows == 1), "{setup}: {sql} touched {touched:?}");
                let foreign = sql.clone() + &format!(" WHERE {whose} <> {own}");
                let foreign_touched = try_as(&mut app, setup, &foreign).await;
                assert!(foreign_touched.is_none_or(|rows| rows == 0), "{setup}: {foreign}");
            }
        }
    }
    let visible = try_as(&mut app, &as_ada, "SELECT * FROM activities").await;
    assert_eq!((visible, try_as(&mut app, &worker, "SELECT * FROM strava_tokens").await), (Some(1), Some(1)));
    assert_eq!(try_as(&mut app, &as_ada, "SELECT * FROM strava_tokens").await, None);
}

#[tokio::test]
async fn what_is_nobodys_is_out_of_reach_for_athletes_and_workers() {
    let (world, ada, _) = two_athletes().await;
    let mut app = world.database.app().await;
    let worker = format!("SET LOCAL ROLE runaway_worker; SELECT set_config('runaway.athlete_id', '{ADA}', true)");
    for table in NOBODYS {
        for setup in [claims("runaway_athlete", ada), claims("authenticated", ada), claims("anon", ada), worker.clone()] {
            for sql in [format!("SELECT * FROM {table}"), format!("DELETE FROM {table}")] {
                assert!(app_refuses(&mut app, &setup, &sql).await, "{setup}: {sql}");
            }
        }
    }
}

/// Whether the role may not run the statement; the login may not even become most roles.
async fn app_refuses(client: &mut Client, setup: &str, sql: &str) -> bool {
    let tx = client.transaction().await.unwrap();
    let denied = |error: tokio_postgres::Error| error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
    let refused = match tx.batch_execute(setup).await {
        Ok(()) => tx.execute(sql, &[]).await.is_err_and(denied),
        Err(error) => denied(error),
    };
    tx.rollback().await.unwrap();
    refused
}

#[tokio::test]
async fn a_row_cannot_be_given_to_or_taken_from_another_athlete() {
    let (world, ada, _) = two_athletes().await;
    let mut app = world.database.app().await;
    let worker = format!("SET LOCAL ROLE runaway_worker; SELECT set_config('runaway.athlete_id', '{ADA}', true)");
    for sql in [
        format!("UPDATE activities SET athlete_id = {BO}"),
        format!("INSERT INTO unreadable_activities (athlete_id, content_hash, object, reason) VALUES ({BO}, sha256('y'), 'y', 'y')"),
        format!("UPDATE strava_tokens SET athlete_id = {BO}"),
    ] {
        assert_eq!(try_as(&mut app, &worker, &sql).await, None, "{sql}");
    }
    let sql = format!("INSERT INTO sync_jobs (id, athlete_id, sync_type) VALUES (gen_random_uuid(), {BO}, 'incremental')");
    assert_eq!(try_as(&mut app, &claims("runaway_athlete", ada), &sql).await, None);
}

#[tokio::test]
async fn the_apps_own_role_reads_two_tables_and_writes_none() {
    let (world, ada, _) = two_athletes().await;
    let owner = world.database.owner().await;
    // PostgREST logs in as a role of Supabase's that may become `authenticated` and `anon`.
    let postgrest = format!("postgrest_{}", Uuid::new_v4().simple());
    let admin = tokio_postgres::connect(&world.database.admin_url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(async move { admin.1.await.ok() });
    let options = if server_version(&admin.0).await >= 160_000 { "WITH INHERIT FALSE, SET TRUE" } else { "" };
    let sql = format!(
        "CREATE ROLE {postgrest} LOGIN NOINHERIT; GRANT authenticated TO {postgrest} {options}; GRANT anon TO {postgrest} {options}"
    );
    admin.0.batch_execute(&sql).await.unwrap();
    let url = world.database.app_url().replace("runaway_app", &postgrest);
    let (mut phone, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);

    for (table, whose) in tables(&owner).await {
        let readable = ["athletes", "activities"].contains(&table.as_str());
        let as_ada = claims("authenticated", ada);
        assert_eq!(try_as(&mut phone, &as_ada, &format!("SELECT * FROM {table}")).await, readable.then_some(1), "{table}");
        assert_eq!(try_as(&mut phone, &claims("anon", ada), &format!("SELECT * FROM {table}")).await, None, "{table}");
        let stranger = claims("authenticated", Uuid::new_v4());
        assert_eq!(try_as(&mut phone, &stranger, &format!("SELECT * FROM {table}")).await, readable.then_some(0), "{table}");
        for sql in [
            format!("INSERT INTO {table} DEFAULT VALUES"),
            format!("UPDATE {table} SET {whose} = {whose}"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table} CASCADE"),
        ] {
            assert_eq!(try_as(&mut phone, &as_ada, &sql).await, None, "{sql}");
        }
    }
    let bare = phone.execute("SELECT * FROM activities", &[]).await;
    assert!(bare.is_err(), "outside a role nothing is visible");
    admin.0.batch_execute(&format!("REVOKE authenticated, anon FROM {postgrest}")).await.unwrap();
}

async fn server_version(client: &Client) -> i32 {
    client.query_one("SELECT current_setting('server_version_num')::int", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn the_login_has_no_right_of_its_own_and_no_role_is_a_superuser() {
    let (world, _, _) = two_athletes().await;
    let owner = world.database.owner().await;
    let app = world.database.app().await;
    for (table, _) in tables(&owner).await {
        let refused = app.execute(&format!("SELECT * FROM {table}"), &[]).await;
        assert_eq!(refused.unwrap_err().code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{table}");
    }
    let strong = "SELECT count(*) FROM pg_roles WHERE (rolname LIKE 'runaway%' OR rolname IN ('anon', 'authenticated')) AND (rolsuper OR rolbypassrls)";
    assert_eq!(world.database.count(strong).await, 0);
    let unprotected = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                          AND relname <> 'runaway_migrations' AND NOT (relrowsecurity AND relforcerowsecurity)";
    assert_eq!(world.database.count(unprotected).await, 0);
}

#[tokio::test]
async fn an_abandoned_transaction_leaves_nothing_to_the_next_caller() {
    let (world, ada, bo) = two_athletes().await;
    let config = runaway_core::config::DatabaseConfig { url: world.database.app_url().into(), ca_pem: None };
    let db = runaway_core::db::Db::new(&config, 1).unwrap();
    let abandoned = db.athlete(ada).await.unwrap();
    runaway_core::db::athletes::own(&abandoned).await.unwrap();
    drop(abandoned);
    let tx = db.athlete(bo).await.unwrap();
    assert_eq!(runaway_core::db::athletes::own(&tx).await.unwrap().map(|athlete| athlete.id), Some(BO));
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let world = World::new().await;
    let report = migrate::run(&world.database.admin_url()).await.unwrap();
    assert!(report.applied.is_empty(), "{report:?}");
}
