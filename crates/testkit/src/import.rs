//! A history in the database without a sync: through the code that a sync saves pages with.

use jiff::Timestamp;
use jiff::civil::Date;
use runaway_core::db::activities::{self, ListedSummary};
use runaway_core::db::athletes;
use runaway_core::strava::{ReadObject, read_summary};
use serde_json::Value;
use serde_json::value::to_raw_value;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::World;

const PAGE: usize = 200;
/// Days of [`World::athlete_with_many`].
pub const MANY_DAYS: i64 = 1_000;
const TOKEN_TTL_S: i64 = 6 * 60 * 60;

impl World {
    /// The world's user connects as an athlete whose history is stored already; the zone is that of the athlete's home.
    ///
    /// # Panics
    /// On an activity that cannot be read.
    pub async fn athlete_with_history(&self, id: i64, history: &[Value], timezone: &str, now: Timestamp) {
        self.connected_athlete(id, self.user_id, vec![], TOKEN_TTL_S).await;
        self.import(id, history, now).await;
        let tx = self.db().worker(id).await.expect("a transaction");
        athletes::set_timezone(&tx, timezone).await.expect("a zone");
        tx.commit().await.expect("committing");
    }

    /// The user connects as an athlete with `count` invented activities on [`MANY_DAYS`] days up to `last`, equally many
    /// on each; four of five are runs, and every fiftieth day has a race. They are written by one statement, and the
    /// tables are left as a database's own care would leave them.
    pub async fn athlete_with_many(&self, id: i64, user_id: Uuid, count: i64, last: Date) {
        self.connected_athlete(id, user_id, vec![], TOKEN_TTL_S).await;
        let sql = "
            INSERT INTO activities (id, athlete_id, name, type, distance, moving_time, elapsed_time, activity_date, start_date_local,
                                    elevation_gain, average_heart_rate, max_heart_rate, workout_type)
            SELECT $1::bigint * 1000000 + n, $1, 'Morning round ' || n % 100, CASE WHEN n % 5 = 4 THEN 'Ride' ELSE 'Run' END, metres,
                   metres / (2.4 + n * 31 % 97 / 97.0), metres / 2.3, start AT TIME ZONE 'UTC', start, n * 13 % 400,
                   130 + n * 7 % 30, 160 + n * 11 % 35, CASE WHEN day % 50 = 0 AND n % per_day = 0 THEN 1 END
              FROM (SELECT n, per_day, n / per_day AS day, 3000 + n * 7919 % 22000 AS metres,
                           $3::date - ($4 - 1 - n / per_day)::int + interval '6 hours' + n % per_day * interval '10 minutes' AS start
                      FROM generate_series(0, $2 - 1) n, (SELECT greatest($2 / $4, 1) AS per_day) z) x";
        let owner = self.database.owner().await;
        let types = [Type::INT8, Type::INT8, Type::DATE, Type::INT8];
        let statement = owner.prepare_typed(sql, &types).await.expect("a statement");
        owner.execute(&statement, &[&id, &count, &last, &MANY_DAYS]).await.expect("activities");
        owner.batch_execute("VACUUM (ANALYZE) activities, athlete_days, best_efforts").await.expect("VACUUM");
    }

    /// Stores activities of an athlete, page by page.
    ///
    /// # Panics
    /// On an activity that cannot be read.
    pub async fn import(&self, id: i64, history: &[Value], now: Timestamp) {
        let db = self.db();
        for page in history.chunks(PAGE) {
            let tx = db.worker(id).await.expect("a transaction");
            let summaries: Vec<ListedSummary> = page.iter().map(|activity| summary(activity, id)).collect();
            activities::save_page(&tx, &summaries, &[], now, now).await.expect("saving a page");
            tx.commit().await.expect("committing");
        }
    }
}

fn summary(activity: &Value, athlete_id: i64) -> ListedSummary {
    let object = to_raw_value(activity).expect("JSON");
    match read_summary(&object, athlete_id).1 {
        ReadObject::Activity(summary) => *summary,
        ReadObject::Unreadable(object) => panic!("unreadable: {}", object.reason),
    }
}
