//! What an operator sees, counted over a database that holds some of each.

use jiff::SignedDuration;
use runaway_core::db::rate_budget;
use runaway_core::db::status::{self, Budget, Counts};
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
    oldest_due: None,
};

#[tokio::test]
async fn everything_is_counted_and_the_oldest_that_is_due_and_unworked_is_found() {
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
    let oldest_due = found.oldest_due.map(|at| (now - at).get_seconds().abs_diff(12 * 60));
    assert!(oldest_due.is_some_and(|off_s| off_s <= 1), "stored to the second: {found:?}");
    let expected = Counts {
        athletes: 5,
        connected: 4,
        jobs_pending: 2,
        jobs_in_progress: 1,
        jobs_completed: 1,
        jobs_failed: 1,
        events_unhandled: 1,
        revocations_pending: 1,
        oldest_due: found.oldest_due,
    };
    assert_eq!(found, expected);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_budget_is_read_in_its_windows_and_not_counted() {
    let world = World::new().await;
    let now = world.clock.production().now();
    let db = world.db();
    let read = async |now| {
        let tx = db.system().await.unwrap();
        let budget = status::budget(&tx, &Terms::of(Lane::Interactive, now)).await.unwrap();
        tx.commit().await.unwrap();
        budget
    };
    assert_eq!((read(now).await.short, read(now).await.day), (None, None), "before Strava has named its limits");

    let terms = Terms::of(Lane::Interactive, now);
    rate_budget::reserve(db.system().await.unwrap(), &terms, now).await.unwrap();
    let (short, day) = (Usage { limit: 200, used: 7 }, Usage { limit: 2000, used: 70 });
    let rates = Rates { short: Some(short), day: Some(day) };
    rate_budget::correct(db.system().await.unwrap(), &terms, &rates).await.unwrap();
    assert!(matches!(read(now).await, Budget { short: Some(s), day: Some(d), not_before } if s == short && d == day && not_before < now));
    let tomorrow = read(now + SignedDuration::from_hours(24)).await;
    assert_eq!((tomorrow.short, tomorrow.day), (Some(Usage { used: 0, ..short }), Some(Usage { used: 0, ..day })));
}
