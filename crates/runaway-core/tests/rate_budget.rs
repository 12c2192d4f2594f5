//! The shared rate budget, tried by many workers at once.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use jiff::{SignedDuration, Timestamp};
use runaway_core::db::{Db, rate_budget};
use runaway_core::domain::Lane;
use runaway_core::strava::budget::{PROBE_CALLS_MAX, Rates, Standing, Terms, Usage};
use testkit::World;

/// A quarter hour's calls in these tests.
const SHORT_LIMIT: i32 = 100;
const DAY_LIMIT: i32 = 1000;

fn rates(short_used: i32, day_used: i32) -> Rates {
    let usage = |limit, used| Some(Usage { limit, used });
    Rates { short: usage(SHORT_LIMIT, short_used), day: usage(DAY_LIMIT, day_used) }
}

async fn reserve(db: &Db, lane: Lane, now: Timestamp) -> Standing {
    rate_budget::reserve(db.system().await.unwrap(), &Terms::of(lane, now), now).await.unwrap()
}

async fn correct(db: &Db, now: Timestamp, rates: Rates) {
    rate_budget::correct(db.system().await.unwrap(), &Terms::of(Lane::Webhook, now), &rates).await.unwrap();
}

/// How many of `tries` reservations were granted.
async fn granted(db: &Db, lane: Lane, now: Timestamp, tries: usize) -> usize {
    let mut count = 0;
    for _ in 0..tries {
        count += usize::from(reserve(db, lane, now).await.is_granted);
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_in_parallel_never_reserve_more_than_there_is() {
    let world = World::new().await;
    let now: Timestamp = "2026-01-04T06:31:00Z".parse().unwrap();
    let db = world.db();
    correct(&db, now, rates(0, 0)).await;
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let db = world.db();
            tokio::spawn(async move { granted(&db, Lane::Backfill, now, 20).await })
        })
        .collect();
    let mut all = 0;
    for worker in workers {
        all += worker.await.unwrap();
    }
    assert_eq!(all, 80, "160 tries, four fifths of 100 calls");
    assert_eq!(granted(&db, Lane::Incremental, now, 20).await, 10, "the daily comparison has its own share");
    assert_eq!(granted(&db, Lane::Webhook, now, 20).await, 10, "and webhooks the rest");
}

#[tokio::test]
async fn before_the_first_answer_a_few_calls_probe() {
    let world = World::new().await;
    let (db, now) = (world.db(), "2026-01-04T06:31:00Z".parse().unwrap());
    assert_eq!(granted(&db, Lane::Backfill, now, 10).await, usize::try_from(PROBE_CALLS_MAX).unwrap());
    correct(&db, now, rates(1, 1)).await;
    assert!(reserve(&db, Lane::Backfill, now).await.is_granted, "the first answer opens the window");
}

#[tokio::test]
async fn the_greater_count_stands_and_a_new_window_begins_empty() {
    let world = World::new().await;
    let (db, now): (_, Timestamp) = (world.db(), "2026-01-04T06:44:00Z".parse().unwrap());
    correct(&db, now, rates(0, 0)).await;
    assert_eq!(granted(&db, Lane::Backfill, now, 5).await, 5);
    correct(&db, now, rates(2, 2)).await;
    assert_eq!(reserve(&db, Lane::Backfill, now).await.short, (Some(SHORT_LIMIT), 6), "a count that lags behind changes nothing");
    correct(&db, now, rates(99, 200)).await;
    assert_eq!(reserve(&db, Lane::Backfill, now).await.short, (Some(SHORT_LIMIT), 100), "calls of somebody else count");
    assert!(!reserve(&db, Lane::Webhook, now).await.is_granted);

    let next = now + SignedDuration::from_mins(1);
    let first = reserve(&db, Lane::Backfill, next).await;
    assert_eq!((first.is_granted, first.short, first.day), (true, (Some(SHORT_LIMIT), 1), (Some(DAY_LIMIT), 202)));
    // An answer to a call of the window before says nothing about this one.
    correct(&db, now, rates(100, 201)).await;
    let second = reserve(&db, Lane::Backfill, next).await;
    assert_eq!((second.is_granted, second.short), (true, (Some(SHORT_LIMIT), 2)));
    // A worker whose clock is behind counts where the others do.
    assert_eq!(reserve(&db, Lane::Backfill, now).await.short, (Some(SHORT_LIMIT), 3));
}

#[tokio::test]
async fn the_days_share_ends_a_backfill_before_the_days_limit() {
    let world = World::new().await;
    let (db, now): (_, Timestamp) = (world.db(), "2026-01-04T06:31:00Z".parse().unwrap());
    assert!(reserve(&db, Lane::Backfill, now).await.is_granted);
    correct(&db, now, rates(1, 800)).await;
    let refused = reserve(&db, Lane::Backfill, now).await;
    assert!(!refused.is_granted && !reserve(&db, Lane::Backfill, now + SignedDuration::from_mins(15)).await.is_granted);
    assert_eq!(refused.opens_at(&Terms::of(Lane::Backfill, now), now), "2026-01-04T23:59:00Z".parse().unwrap());
    let tx = db.system().await.unwrap();
    let left = rate_budget::left(&tx, &Terms::of(Lane::Backfill, now)).await.unwrap().unwrap();
    assert_eq!((left.day, left.day_share), (200, 0), "nothing is left to histories, and something to all others");
    drop(tx);
    assert!(reserve(&db, Lane::Interactive, now).await.is_granted);
}

#[tokio::test]
async fn a_pause_holds_for_every_lane_and_is_never_shortened() {
    let world = World::new().await;
    let (db, now): (_, Timestamp) = (world.db(), "2026-01-04T06:31:00Z".parse().unwrap());
    correct(&db, now, rates(0, 0)).await;
    for minutes in [5, 2] {
        rate_budget::pause(db.system().await.unwrap(), now + SignedDuration::from_mins(minutes)).await.unwrap();
    }
    let in_four = now + SignedDuration::from_mins(4);
    let refused = reserve(&db, Lane::Webhook, in_four).await;
    assert!(!refused.is_granted && refused.short.1 == 0, "a call that is not made is not counted");
    assert!(reserve(&db, Lane::Webhook, now + SignedDuration::from_mins(5)).await.is_granted);
}
