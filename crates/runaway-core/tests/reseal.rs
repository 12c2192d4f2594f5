//! Rotating the key ring: everything sealed is found, sealed anew, and never at the cost of a newer value.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::cell::Cell;

use jiff::Timestamp;
use runaway_core::db::athletes::Profile;
use runaway_core::db::sealed_values::{self, Replacement, SEALED_TABLES};
use runaway_core::db::{Db, strava_tokens};
use runaway_core::flows::{self, Grant, Granted, Resealed, check_grant, fresh_token, lose_connection, reseal, seal_tokens};
use runaway_core::strava::Tokens;
use runaway_core::vault::{Purpose, Vault};
use secrecy::ExposeSecret as _;
use testkit::World;
use testkit::world::new_token_key;
use uuid::Uuid;

/// More than one batch, and less than two.
const ATHLETES: i64 = 205;
const TOKEN_TTL_S: i64 = 6 * 3600;

fn vault(ring: &str) -> Vault {
    Vault::from_ring(&ring.to_owned().into()).unwrap()
}

fn tokens(athlete_id: i64) -> Tokens {
    let end = Timestamp::now() + jiff::SignedDuration::from_hours(6);
    Tokens { access: format!("a{athlete_id}").into(), refresh: format!("r{athlete_id}").into(), expires_at: end }
}

/// Athletes with tokens, one with a ticket, and one with a revocation, all sealed with one ring.
async fn sealed_with(world: &World, ring: &str, ids: std::ops::RangeInclusive<i64>) {
    let (vault, now, db) = (vault(ring), Timestamp::now(), world.db());
    let tx = db.system().await.unwrap();
    for id in ids.clone() {
        let profile = Profile { id, ..Default::default() };
        assert!(runaway_core::db::athletes::connect(&tx, Uuid::new_v4(), &profile, now).await.unwrap());
        strava_tokens::put(&tx, id, &seal_tokens(&vault, id, &tokens(id)).unwrap(), &[], now).await.unwrap();
    }
    let unlinked = ids.start() + 1_000_000;
    let granted = Granted {
        tokens: tokens(unlinked),
        athlete: Profile { id: unlinked, ..Default::default() },
        scopes: vec!["read".to_owned()],
        at: now,
    };
    flows::keep_exchange(&tx, &vault, Uuid::new_v4(), &granted).await.unwrap();
    tx.commit().await.unwrap();
    let ended = ids.start() + 2_000_000;
    let sealed = vault.seal(Purpose::StravaRefreshToken, ended, &tokens(ended).refresh).unwrap();
    let sql = "INSERT INTO pending_revocations (id, athlete_id, refresh_token) VALUES (gen_random_uuid(), $1, $2)";
    world.database.owner().await.execute(sql, &[&ended, &sealed]).await.unwrap();
}

async fn run(db: &Db, ring: &str) -> Resealed {
    reseal(db, &vault(ring), || true).await.unwrap()
}

/// Rows by the key that does not open them.
fn unopened(done: &Resealed) -> Vec<(&str, usize)> {
    done.unopened.iter().map(|(why, rows)| (why.key_id.as_deref().unwrap_or_default(), *rows)).collect()
}

#[tokio::test]
async fn after_it_the_old_key_may_go() {
    let world = World::new().await;
    let (old, new) = (new_token_key("old"), new_token_key("new"));
    sealed_with(&world, &old, 1..=ATHLETES).await;
    let (db, rows) = (world.db(), usize::try_from(ATHLETES).unwrap() + 2);

    let done = run(&db, &format!("{new},{old}")).await;
    assert_eq!((done.resealed, done.current, done.busy, done.is_settled()), (rows, 0, 0, true));
    assert!(done.unopened.is_empty());
    let done = run(&db, &new).await;
    assert_eq!((done.resealed, done.current, done.is_settled(), unopened(&done)), (0, rows, true, vec![]));

    // The values are the ones that were sealed before.
    let tx = db.worker(7).await.unwrap();
    let sealed = strava_tokens::get(&tx).await.unwrap().unwrap();
    let opened = vault(&new).open(Purpose::StravaRefreshToken, 7, &sealed.refresh_token).unwrap();
    assert_eq!(opened.expose_secret(), "r7");
    world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn an_interrupted_run_is_gone_on_with() {
    let world = World::new().await;
    let (old, new) = (new_token_key("old"), new_token_key("new"));
    sealed_with(&world, &old, 1..=ATHLETES).await;
    let (db, ring, batches) = (world.db(), format!("{new},{old}"), Cell::new(0));
    // Tickets, and one batch of two of the tokens.
    let two_batches = || batches.replace(batches.get() + 1) < 2;
    let first = reseal(&db, &vault(&ring), two_batches).await.unwrap();
    assert_eq!((first.resealed, first.is_complete, first.is_settled()), (201, false, false));
    let second = run(&db, &ring).await;
    assert_eq!((second.resealed, second.current, second.is_settled()), (6, 201, true));
    world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn a_lost_key_is_named_and_stops_nothing_else() {
    let world = World::new().await;
    let (old, lost, new) = (new_token_key("old"), new_token_key("lost"), new_token_key("new"));
    sealed_with(&world, &old, 1..=10).await;
    sealed_with(&world, &lost, 11..=13).await;
    let owner = world.database.owner().await;
    // Copied to another athlete, and to another column.
    let copied = "
        UPDATE strava_tokens t SET access_token = s.access_token FROM strava_tokens s WHERE t.athlete_id = 1 AND s.athlete_id = 2;
        UPDATE strava_tokens SET access_token = refresh_token WHERE athlete_id = 3;
        UPDATE strava_tokens SET access_token = 'x', refresh_token = 'x' WHERE athlete_id = 4";
    owner.batch_execute(copied).await.unwrap();
    let done = run(&world.db(), &format!("{new},{old}")).await;
    assert_eq!(unopened(&done), [("", 1), ("lost", 5), ("old", 2)]);
    // What opens is sealed anew, also the half of a row.
    assert_eq!((done.resealed, done.current, done.is_settled()), (11, 0, true));
    let causes: Vec<&str> = done.unopened.keys().map(|why| why.cause.as_str()).collect();
    assert!(causes.contains(&r#"sealed with key "lost", which TOKEN_KEYS does not hold"#), "{causes:?}");
    // The key is found again.
    let done = run(&world.db(), &format!("{new},{lost}")).await;
    assert_eq!((done.resealed, unopened(&done)), (5, vec![("", 1), ("old", 2)]));
    world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn what_changed_since_it_was_read_is_never_overwritten() {
    let world = World::new().await;
    let (old, new) = (new_token_key("old"), new_token_key("new"));
    sealed_with(&world, &old, 1..=2).await;
    let db = world.db();
    let table = SEALED_TABLES.iter().find(|table| table.name == "strava_tokens").unwrap();
    let tx = db.system().await.unwrap();
    let read = sealed_values::batch(&tx, table, None, 10).await.unwrap();
    tx.commit().await.unwrap();
    // Both halves of a refresh's pair are new; here one of them alone is enough.
    let changed = vault(&old).seal(Purpose::StravaRefreshToken, 1, &"newer".to_owned().into()).unwrap();
    let sql = "UPDATE strava_tokens SET refresh_token = $1 WHERE athlete_id = 1";
    world.database.owner().await.execute(sql, &[&changed]).await.unwrap();
    let replacements: Vec<Replacement> =
        read.into_iter().map(|old| Replacement { new: vec![b"lost".to_vec(), b"lost".to_vec()], old }).collect();
    let tx = db.system().await.unwrap();
    assert_eq!(sealed_values::replace(&tx, table, &replacements).await.unwrap(), 1);
    drop(tx);

    // A row that somebody holds is not waited for.
    let holder = db.worker(1).await.unwrap();
    strava_tokens::lock(&holder).await.unwrap();
    let done = run(&db, &format!("{new},{old}")).await;
    assert_eq!((done.resealed, done.busy, done.is_complete, done.is_settled()), (3, 1, true, false));
    holder.commit().await.unwrap();
    let done = run(&db, &format!("{new},{old}")).await;
    assert_eq!((done.resealed, done.current, done.is_settled()), (1, 3, true));
    let tx = db.worker(1).await.unwrap();
    let sealed = strava_tokens::get(&tx).await.unwrap().unwrap();
    assert_eq!(vault(&new).open(Purpose::StravaRefreshToken, 1, &sealed.refresh_token).unwrap().expose_secret(), "newer");
    world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn a_connection_that_strava_ended_ends_also_when_its_token_is_sealed_anew_meanwhile() {
    let mut world = World::new().await;
    let user = Uuid::new_v4();
    world.connected_athlete(7, user, vec![], TOKEN_TTL_S).await;
    world.strava.revoke(7);
    world.token_keys = format!("{},{}", new_token_key("new"), world.token_keys);
    let (db, vault, strava, now) = (world.db(), world.vault(), world.strava_client(), world.clock.production().now());
    let Grant::Refused(refused) = check_grant(&db, &vault, &strava, 7, now).await.unwrap() else { panic!("Strava knows the token") };
    assert_eq!(reseal(&db, &vault, || true).await.unwrap().resealed, 1);
    let tx = db.worker(7).await.unwrap();
    assert!(lose_connection(&tx, &vault, &refused, now).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(world.database.count("SELECT count(*) FROM strava_tokens").await, 0);
    // One that came since with a new connection stays.
    world.connect(7, user, TOKEN_TTL_S).await;
    let tx = db.worker(7).await.unwrap();
    assert!(!lose_connection(&tx, &vault, &refused, now).await.unwrap());
    drop(tx);
    assert_eq!(world.database.count("SELECT count(*) FROM strava_tokens").await, 1);
    world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn a_token_opens_for_its_own_athlete_only() {
    let world = World::new().await;
    for id in [1, 2] {
        world.connected_athlete(id, Uuid::new_v4(), vec![], TOKEN_TTL_S).await;
    }
    let sql = "
        UPDATE strava_tokens t SET access_token = s.access_token, refresh_token = s.refresh_token, expires_at = s.expires_at
          FROM strava_tokens s WHERE t.athlete_id = 1 AND s.athlete_id = 2";
    world.database.owner().await.batch_execute(sql).await.unwrap();
    let (db, vault, strava, now) = (world.db(), world.vault(), world.strava_client(), world.clock.production().now());
    let error = fresh_token(&db, &vault, &strava, 1, now, None).await.unwrap_err();
    assert!(runaway_core::telemetry::chain(&error).contains("does not open for this athlete and purpose"));
    assert!(fresh_token(&db, &vault, &strava, 2, now, None).await.is_ok());
    world.assert_in_order(&[]).await;
}

/// Columns of bytes that are no sealed values.
const HASHES: &[(&str, &str)] = &[
    ("journal_weeks", "inputs_hash"),
    ("oauth_states", "state_hash"),
    ("oauth_tickets", "ticket_hash"),
    ("unreadable_activities", "content_hash"),
];

#[tokio::test]
async fn every_sealed_column_is_in_the_list() {
    let world = World::new().await;
    let sql = "
        SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND a.atttypid = 'bytea'::regtype";
    let found: Vec<(String, String)> =
        world.database.owner().await.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    let listed = |table: &str, column: &str| SEALED_TABLES.iter().any(|t| t.name == table && t.columns.iter().any(|(c, _)| *c == column));
    for (table, column) in &found {
        let is_hash = HASHES.contains(&(table.as_str(), column.as_str()));
        assert!(is_hash != listed(table, column), "{table}.{column} is neither a hash nor in SEALED_TABLES");
    }
    let columns = SEALED_TABLES.iter().map(|table| table.columns.len()).sum::<usize>();
    assert_eq!(found.len(), columns + HASHES.len());
}
