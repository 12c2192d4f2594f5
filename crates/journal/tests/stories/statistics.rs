//! For all invented athletes and all weeks: what is written equals what SQL says of the same rows.

use jiff::civil::{Date, date};
use journal::facts::Facts;
use journal::prompt::{Texts, believed};
use journal::story::{Order, Outcome, write_week};
use runaway_core::db::{OneAthleteTx, journal as rows};
use serde_json::{Value, json};
use testkit::{World, history, mixer, traveller};
use tokio::time::Instant;
use uuid::Uuid;

use crate::story::*;

/// Nothing of this is the journal's code. Half a unit of the last decimal may be lost to rounding.
const INDEPENDENT: &str = "
    WITH runs AS (SELECT * FROM activities WHERE type IN ('Run', 'TrailRun', 'VirtualRun')),
    weeks AS (SELECT DISTINCT athlete_id, date_trunc('week', start_date_local)::date AS monday FROM activities),
    sums AS (
        SELECT w.athlete_id, w.monday, count(r.id) AS n, coalesce(sum(r.distance), 0) AS metres, coalesce(sum(r.moving_time), 0)::float8 AS seconds,
               max(r.distance) AS longest, sum(r.elevation_gain) AS climbed,
               sum(r.average_heart_rate * r.moving_time) / nullif(sum(r.moving_time) FILTER (WHERE r.average_heart_rate > 0), 0) AS bpm,
               sum(r.moving_time) FILTER (WHERE r.distance > 0 AND r.moving_time > 0)::float8
                 / nullif(sum(r.distance) FILTER (WHERE r.moving_time > 0), 0) * 1609.344 AS pace,
               (SELECT count(DISTINCT a.start_date_local::date) FROM activities a
                 WHERE a.athlete_id = w.athlete_id AND date_trunc('week', a.start_date_local)::date = w.monday) AS days,
               (SELECT count(*) FROM activities a
                 WHERE a.athlete_id = w.athlete_id AND date_trunc('week', a.start_date_local)::date = w.monday) AS everything
          FROM weeks w LEFT JOIN runs r ON r.athlete_id = w.athlete_id AND date_trunc('week', r.start_date_local)::date = w.monday GROUP BY 1, 2)
    SELECT coalesce(s.monday, j.week_start_date), coalesce(
             (j.week_stats ->> 'activities_count')::bigint = n
             AND abs((j.week_stats ->> 'total_distance_miles')::float8 - metres / 1609.344) <= 0.005001
             AND abs((j.week_stats ->> 'total_time_hours')::float8 - seconds / 3600) <= 0.050001
             AND abs((j.week_stats ->> 'longest_run_miles')::float8 - coalesce(longest, 0) / 1609.344) <= 0.005001
             AND (j.week_stats ->> 'elevation_gain_feet')::int IS NOT DISTINCT FROM round((climbed / 0.3048)::numeric)::int
             AND (j.week_stats ->> 'avg_heart_rate')::int IS NOT DISTINCT FROM round(bpm::numeric)::int
             AND CASE WHEN pace IS NULL THEN j.week_stats ->> 'avg_pace' = '--' ELSE
                   abs(split_part(j.week_stats ->> 'avg_pace', ':', 1)::int * 60 + split_part(j.week_stats ->> 'avg_pace', ':', 2)::int - pace) <= 0.500001 END
             AND (j.week_stats ->> 'days_trained')::bigint = days
             AND n + (SELECT coalesce(sum((o ->> 'count')::bigint), 0) FROM jsonb_array_elements(j.week_stats -> 'other_sports') o) = everything
             AND j.week_end_date = s.monday + 6, false) AS is_equal, j.week_stats::text
      FROM sums s FULL JOIN training_journal j ON j.athlete_id = s.athlete_id AND j.week_start_date = s.monday";

#[tokio::test]
async fn all_weeks_of_all_invented_athletes_equal_sql() {
    let world = World::new().await;
    let now = world.clock.production().now();
    let athletes = [
        (history::DEMO_ATHLETE_ID, history::demo_activities(now)),
        (traveller::ATHLETE_ID, traveller::activities(now)),
        (mixer::ATHLETE_ID, mixer::activities(now)),
    ];
    let mut worker = journal::worker::App::new(&world.settings()).await.unwrap();
    worker.writer.clock = world.clock.production();
    for (athlete_id, activities) in &athletes {
        world.connected_athlete(*athlete_id, Uuid::new_v4(), vec![], 3600).await;
        store(&world, *athlete_id, activities).await;
        let owner = world.database.owner().await;
        let weeks = owner.query("SELECT week_start_date FROM journal_weeks WHERE athlete_id = $1 ORDER BY 1", &[athlete_id]).await.unwrap();
        assert!(weeks.len() > 50, "{athlete_id} has {} weeks", weeks.len());
        for week in &weeks {
            let order = Order { user_id: None, athlete_id: *athlete_id, week: week.get(0), is_forced: false, model_until: Instant::now() };
            assert!(matches!(write_week(&worker.writer, &order).await.unwrap(), Outcome::Written(_)));
        }
    }
    let compared = world.database.owner().await.query(INDEPENDENT, &[]).await.unwrap();
    for row in &compared {
        let (week, is_equal, stats): (Date, bool, Option<&str>) = (row.get(0), row.get(1), row.get(2));
        assert!(is_equal, "the week of {week}: {stats:?}");
    }
    assert!(compared.len() > 400, "{} weeks", compared.len());
    world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn what_is_said_without_a_model_is_proven_by_the_facts_and_an_altered_figure_is_not() {
    let world = World::new().await;
    let now = world.clock.production().now();
    let (mut altered, mut caught) = (0, 0);
    for (athlete_id, activities) in [
        (traveller::ATHLETE_ID, traveller::activities(now)),
        (mixer::ATHLETE_ID, mixer::activities(now)),
        (history::DEMO_ATHLETE_ID, history::demo_activities(now)),
    ] {
        world.connected_athlete(athlete_id, Uuid::new_v4(), vec![], 3600).await;
        store(&world, athlete_id, &activities).await;
        let tx = OneAthleteTx::Worker(world.db().worker(athlete_id).await.unwrap());
        let sessions = rows::sessions(&tx, athlete_id, date(2020, 1, 1), date(2099, 1, 1)).await.unwrap();
        tx.commit().await.unwrap();
        for n in 0..40 {
            let Some(facts) = Facts::of(monday(now, n), &sessions, None, monday(now, -1)) else { continue };
            let own = Texts::facts_only(&facts);
            let answer = |narrative: &str| {
                let insights: Vec<Value> =
                    own.insights.iter().enumerate().map(|(n, text)| json!({"id": journal::facts::insight_id(n), "text": text})).collect();
                json!({"narrative": narrative, "insights": insights}).to_string()
            };
            assert_eq!(believed(&answer(&own.narrative), &facts), Ok(own.clone()), "{}", own.narrative);
            for wrong in alterations(&own.narrative) {
                altered += 1;
                caught += usize::from(believed(&answer(&wrong), &facts).is_err());
            }
        }
    }
    assert!(altered > 1_000 && caught * 100 >= altered * 96, "{caught} of {altered} altered figures are caught");
    world.assert_in_order(&[]).await;
}

/// The text with each of its figures, one at a time, altered in its last digit.
fn alterations(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let is_last = |at: &usize| {
        bytes[*at].is_ascii_digit()
            && !bytes
                .get(at + 1)
                .is_some_and(|b| b.is_ascii_digit() || b",.:".contains(b) && bytes.get(at + 2).is_some_and(u8::is_ascii_digit))
    };
    let altered = (0..bytes.len()).filter(is_last).map(|at| {
        let digit = if bytes[at] == b'9' { b'8' } else { bytes[at] + 1 };
        let mut copy = bytes.to_vec();
        copy[at] = digit;
        String::from_utf8(copy).unwrap()
    });
    altered.collect()
}
