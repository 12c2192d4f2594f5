//! What an operator sees, counted over a database that holds some of each.

use jiff::SignedDuration;
use runaway_core::db::rate_budget::{self, Left};
use runaway_core::db::status::{self, Counts};
use runaway_core::domain::Lane;
use runaway_core::strava::budget::{Rates, Terms, Usage};
use testkit::World;
use uuid::Uuid;

const TOKEN_TTL_S: i64 = 6 * 3600;
const NOTHING: Counts = Counts {
    athletes: 0,
    connected: 0,
    jobs_pending: 0,
    jobs_in_progress: 0,
    jobs_completed: 0,
    jobs_failed: 0,
    events_unhandled: 0,
    revocations_pending: 0,
};

#[tokio::test]
async fn everything_is_counted() {
    let world = World::new().await;
    let now = world.clock.production().now();
    let db = world.db();
    let tx = db.system().await.unwrap();
    assert_eq!(status::counts(&tx, now).await.unwrap(), NOTHING);
    tx.commit().await.unwrap();

    for athlete in 1..=5 {
        world.connected_athlete(athlete, Uuid::new_v4(), vec![], TOKEN_TTL_S).await;
    }
    let owner = world.database.owner().await;
    owner.batch_execute("UPDATE athletes SET strava_connected = false WHERE id = 5").await.unwrap();
    // Asleep, held by somebody, due for ten minutes; ended well, badly, and long ago.
    let jobs = "
        INSERT INTO sync_jobs (id, athlete_id, sync_type, status, not_before, lease_token, lease_expires_at, progress, completed_at) VALUES
          (gen_random_uuid(), 1, 'full', 'pending', $1::timestamptz + interval '1 hour', NULL, NULL, 0, NULL),
          (gen_random_uuid(), 2, 'full', 'in_progress', $1::timestamptz - interval '1 hour', gen_random_uuid(), $1::timestamptz + interval '1 minute', 0, NULL),
          (gen_random_uuid(), 3, 'full', 'pending', $1::timestamptz - interval '10 minutes', NULL, NULL, 0, NULL),
          (gen_random_uuid(), 4, 'full', 'completed', $1, NULL, NULL, 100, $1::timestamptz - interval '23 hours'),
          (gen_random_uuid(), 4, 'full', 'failed', $1, NULL, NULL, 0, $1::timestamptz - interval '2 minutes'),
          (gen_random_uuid(), 4, 'full', 'failed', $1, NULL, NULL, 0, $1::timestamptz - interval '25 hours')";
    owner.execute(jobs, &[&now]).await.unwrap();
    let events = "
        INSERT INTO strava_events (id, athlete_id, object_type, object_id, aspect_type, event_time, not_before, handled_at, outcome) VALUES
          (gen_random_uuid(), 1, 'activity', 1, 'create', $1, $1::timestamptz - interval '12 minutes', NULL, NULL),
          (gen_random_uuid(), 1, 'activity', 2, 'create', $1, $1::timestamptz - interval '1 day', $1, 'stored')";
    owner.execute(events, &[&now]).await.unwrap();
    owner
        .batch_execute("INSERT INTO pending_revocations (id, athlete_id, refresh_token) VALUES (gen_random_uuid(), 5, 'x')")
        .await
        .unwrap();

    let tx = db.system().await.unwrap();
    let found = status::counts(&tx, now).await.unwrap();
    let expected = Counts {
        athletes: 5,
        connected: 4,
        jobs_pending: 2,
        jobs_in_progress: 1,
        jobs_completed: 1,
        jobs_failed: 1,
        events_unhandled: 1,
        revocations_pending: 1,
    };
    assert_eq!(found, expected);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_calls_that_are_left_are_read_in_their_windows_and_not_counted() {
    let world = World::new().await;
    let now = world.clock.production().now();
    let db = world.db();
    let left = async |now| {
        let tx = db.system().await.unwrap();
        let left = rate_budget::left(&tx, &Terms::of(Lane::Interactive, now)).await.unwrap();
        tx.commit().await.unwrap();
        left
    };
    assert_eq!((left(now).await, left(now).await), (None, None), "before Strava has named its limits");

    let terms = Terms::of(Lane::Interactive, now);
    rate_budget::reserve(db.system().await.unwrap(), &terms, now).await.unwrap();
    let rates = Rates { short: Some(Usage { limit: 200, used: 7 }), day: Some(Usage { limit: 2000, used: 70 }) };
    rate_budget::correct(db.system().await.unwrap(), &terms, &rates).await.unwrap();
    assert_eq!(
        (left(now).await, left(now).await),
        (Some(Left { short: 193, day: 1930, day_share: 1930 }), Some(Left { short: 193, day: 1930, day_share: 1930 }))
    );
    let tomorrow = now + SignedDuration::from_hours(24);
    assert_eq!(left(tomorrow).await, Some(Left { short: 200, day: 2000, day_share: 2000 }));
}
