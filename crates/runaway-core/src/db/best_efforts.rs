//! Records: the table `best_efforts`.

use jiff::civil::Date;
use tokio_postgres::types::Type;

use super::tx::{Params, Scope as _};
use super::{AthleteTx, DbError};
use crate::domain::DateRange;

/// The fastest known time over a distance.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Metres, rounded up to a whole one.
    pub distance_m: i32,
    /// Seconds: elapsed for a stretch, moving for a whole run.
    pub record_s: i32,
    /// Whether it is a whole run, at most 4 % longer, rather than a stretch inside one.
    pub is_whole: bool,
    /// The activity.
    pub activity_id: i64,
    /// Its name.
    pub name: String,
    /// Its day.
    pub date: Date,
    /// Its whole distance, metres.
    pub activity_m: Option<f64>,
    /// Strava's code of what it was.
    pub workout_type: Option<i32>,
    /// Where the data came from.
    pub source: String,
}

/// The `most` fastest efforts of each distance on these days, by distance and time. One look into the index per
/// distance, however many efforts there are.
///
/// # Errors
/// See [`DbError`].
pub async fn records(tx: &AthleteTx, athlete_id: i64, distances_m: &[i32], dates: DateRange, most: i64) -> Result<Vec<Record>, DbError> {
    // The window of days is checked effort by effort: records of all time are the common case.
    let sql = "
        SELECT e.distance_m, e.record_s, e.kind = 'whole', e.activity_id, e.name, e.local_date AS day, e.distance, e.workout_type, e.source
          FROM unnest($2::int[]) AS d (distance_m)
         CROSS JOIN LATERAL (
               SELECT b.distance_m, b.record_s, b.kind, b.activity_id, a.name, a.local_date, a.distance, a.workout_type, a.source
                 FROM best_efforts b JOIN activities a ON a.id = b.activity_id
                WHERE b.athlete_id = $1 AND b.distance_m = d.distance_m AND a.athlete_id = $1 AND a.local_date BETWEEN $3 AND $4
                ORDER BY b.record_s, b.activity_id LIMIT $5) e
         ORDER BY e.distance_m, e.record_s, e.activity_id";
    let params: Params<'_> = &[
        (&athlete_id, Type::INT8),
        (&distances_m, Type::INT4_ARRAY),
        (&dates.first, Type::DATE),
        (&dates.last, Type::DATE),
        (&most, Type::INT8),
    ];
    let rows = tx.tx().query(sql, params).await?;
    rows.iter()
        .map(|row| {
            Ok(Record {
                distance_m: row.try_get(0)?,
                record_s: row.try_get(1)?,
                is_whole: row.try_get(2)?,
                activity_id: row.try_get(3)?,
                name: row.try_get(4)?,
                date: row.try_get(5)?,
                activity_m: row.try_get(6)?,
                workout_type: row.try_get(7)?,
                source: row.try_get(8)?,
            })
        })
        .collect()
}

/// Days of the athlete's own by which questions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NewestRaces {
    /// Any race.
    pub race: Option<Date>,
    /// A run of a marathon's length.
    pub marathon: Option<Date>,
    /// A run of half a marathon's length that was a race.
    pub half_marathon: Option<Date>,
    /// A race of 10 km.
    pub ten_km: Option<Date>,
}

/// The caller's newest races. Races are few and have an index of their own; so have the runs as long as a marathon.
///
/// # Errors
/// See [`DbError`].
pub async fn newest_races(tx: &AthleteTx) -> Result<NewestRaces, DbError> {
    let sql = "
        WITH races AS (SELECT local_date, distance FROM activities
                        WHERE athlete_id = (SELECT current_athlete_id()) AND workout_type = 1 AND family = 'run')
        SELECT (SELECT max(local_date) FROM races),
               (SELECT max(a.local_date) FROM best_efforts b JOIN activities a ON a.id = b.activity_id
                 WHERE b.athlete_id = (SELECT current_athlete_id()) AND b.distance_m = 42195),
               (SELECT max(local_date) FROM races WHERE distance BETWEEN 21097.5 AND 21097.5 * 1.04),
               (SELECT max(local_date) FROM races WHERE distance BETWEEN 10000 AND 10000 * 1.04)";
    let row = tx.tx().query_opt(sql, &[]).await?;
    let row = row.ok_or(DbError::Unexpected("the newest races"))?;
    Ok(NewestRaces { race: row.try_get(0)?, marathon: row.try_get(1)?, half_marathon: row.try_get(2)?, ten_km: row.try_get(3)? })
}
