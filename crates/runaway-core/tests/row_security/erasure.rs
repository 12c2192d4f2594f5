//! The list of tables against the catalogue, and erasing against every table in it.

use runaway_core::db::athlete_tables::{self, ATHLETE_TABLES, Key, Origin};
use runaway_core::db::athletes;

use super::{ADA, BO, two_athletes};

#[tokio::test]
async fn every_table_with_something_of_an_athletes_is_in_the_list() {
    let (world, _, _) = two_athletes().await;
    let sql = "
        SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND a.attname IN ('athlete_id', 'auth_user_id')
           AND c.relname <> 'athletes'";
    let mut found: Vec<(String, Key)> = Vec::new();
    for row in world.database.owner().await.query(sql, &[]).await.unwrap() {
        let key = if row.get::<_, &str>(1) == "athlete_id" { Key::Athlete } else { Key::User };
        found.push((row.get(0), key));
    }
    for (table, key) in &found {
        let listed = ATHLETE_TABLES.iter().any(|listed| listed.name == table && listed.key == *key);
        assert!(listed, "{table} holds something of an athlete's and is not in ATHLETE_TABLES by its key {key:?}");
    }
    for listed in ATHLETE_TABLES {
        assert!(found.iter().any(|(table, key)| table == listed.name && *key == listed.key), "{} is no table", listed.name);
    }
}

#[tokio::test]
async fn erasing_one_athlete_empties_every_table_of_them_and_no_other() {
    let (world, _, _) = two_athletes().await;
    let tx = world.db().worker(ADA).await.unwrap();
    let rows = athlete_tables::erase_all(&tx).await.unwrap();
    assert!(athletes::delete(&tx).await.unwrap());
    tx.commit().await.unwrap();
    let mut erased = 0;
    for table in ATHLETE_TABLES {
        let left = world.database.count(&format!("SELECT count(*) FROM {}", table.name)).await;
        let kept = matches!(table.origin, Origin::Kept(_));
        assert_eq!(left, if kept { 2 } else { 1 }, "{}", table.name);
        erased += i64::from(!kept);
    }
    // The sums of a day go with its activity, before their own turn comes.
    assert!((erased - 2..=erased).contains(&rows), "{rows} of {erased} rows");
    assert_eq!(world.database.count(&format!("SELECT count(*) FROM athletes WHERE id = {BO}")).await, 1);
    assert_eq!(world.database.count("SELECT count(*) FROM athletes").await, 1);
}

#[tokio::test]
async fn erasing_what_came_from_strava_leaves_what_is_the_athletes_own() {
    let (world, _, _) = two_athletes().await;
    let db = world.db();
    loop {
        let tx = db.worker(ADA).await.unwrap();
        // Three rows at a time: it goes on where it stopped.
        let rows = athlete_tables::erase_strava_batch(&tx, 3).await.unwrap();
        assert!((0..=3).contains(&rows));
        tx.commit().await.unwrap();
        if rows == 0 {
            break;
        }
    }
    for table in ATHLETE_TABLES {
        let left = world.database.count(&format!("SELECT count(*) FROM {}", table.name)).await;
        assert_eq!(left, if table.origin == Origin::Strava { 1 } else { 2 }, "{}", table.name);
    }
}

#[tokio::test]
async fn retention_erases_only_what_is_held_too_long() {
    let (world, _, _) = two_athletes().await;
    let (db, now) = (world.db(), jiff::Timestamp::now());
    for (before, expected) in [(now - jiff::SignedDuration::from_hours(1), 2), (now + jiff::SignedDuration::from_hours(1), 1)] {
        let tx = db.worker(ADA).await.unwrap();
        athlete_tables::erase_old_batch(&tx, before, 1000).await.unwrap();
        tx.commit().await.unwrap();
        for table in ["activities", "activity_raw", "athlete_days", "unreadable_activities", "training_journal", "coach_conversations"] {
            assert_eq!(world.database.count(&format!("SELECT count(*) FROM {table}")).await, expected, "{table}");
        }
        assert_eq!(world.database.count("SELECT count(*) FROM strava_tokens").await, 2);
    }
}

#[tokio::test]
async fn what_reads_one_moment_cannot_write() {
    let (world, _, _) = two_athletes().await;
    let tx = world.db().snapshot(ADA).await.unwrap();
    assert!(athlete_tables::erase_all(&tx).await.is_err());
    drop(tx);
    assert_eq!(world.database.count("SELECT count(*) FROM activities").await, 2);
}
