//! The tables `activity_details`, `best_efforts` and `activity_streams`: what is fetched activity by activity.

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::types::Type;

use super::tx::{Params, Scope as _};
use super::{DbError, WorkerTx, activities};
use crate::domain::Activity;

/// Answers that say "not found" or cannot be read before an activity's details count as absent.
pub const ATTEMPTS_MAX: i32 = 3;
/// Time between them: shortly after an upload Strava may not have everything yet.
const ATTEMPT_PAUSE: SignedDuration = SignedDuration::from_hours(6);

/// What only a detailed activity has.
#[derive(Debug, Clone)]
pub struct Detail {
    /// Strava's object, byte for byte, with laps and splits.
    pub verbatim: String,
    /// What the athlete wrote about it.
    pub description: Option<String>,
    /// The recording device.
    pub device_name: Option<String>,
    /// At most one per distance.
    pub efforts: Vec<BestEffort>,
}

/// The fastest stretch of a distance inside an activity.
#[derive(Debug, Clone, Copy)]
pub struct BestEffort {
    /// Metres.
    pub distance_m: i32,
    /// Seconds from start to end.
    pub elapsed_s: i32,
    /// Seconds in motion.
    pub moving_s: Option<i32>,
    /// First point of the streams.
    pub start_index: Option<i32>,
    /// Last point of the streams.
    pub end_index: Option<i32>,
}

/// What one stream amounts to, in Strava's units.
#[derive(Debug, Clone)]
pub struct StreamSummary {
    /// Strava's name of it.
    pub kind: String,
    /// Points, those without a value included.
    pub points: i32,
    /// Least value.
    pub minimum: Option<f64>,
    /// Greatest value.
    pub maximum: Option<f64>,
    /// Mean of the values.
    pub mean: Option<f64>,
}

/// An activity whose details are not complete.
#[derive(Debug, Clone, Copy)]
pub struct Missing {
    /// Its id.
    pub activity_id: i64,
    /// Whether the detailed activity is missing.
    pub detail: bool,
    /// Whether the streams are missing.
    pub streams: bool,
    /// Entered by hand: it has no streams.
    pub is_manual: bool,
    /// When the activity was last changed here.
    pub updated_at: Timestamp,
}

/// A part of an activity's details with a state of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Detail,
    Streams,
}

/// What is missing and may be asked for, newest first.
///
/// # Errors
/// See [`DbError`].
pub async fn missing(tx: &WorkerTx, limit: i64, now: Timestamp) -> Result<Vec<Missing>, DbError> {
    // Follows the index of starts from the newest on and stops at the limit.
    let sql = "
        SELECT a.id, coalesce(d.state, 'missing') = 'missing', coalesce(d.streams, 'missing') = 'missing', a.manual IS TRUE, a.updated_at
          FROM activities a LEFT JOIN activity_details d ON d.activity_id = a.id
         WHERE a.athlete_id = $1 AND a.source = 'strava'
           AND (d.activity_id IS NULL OR ('missing' IN (d.state, d.streams) AND d.next_try_at <= $2))
         ORDER BY a.activity_date DESC LIMIT $3";
    let params: Params<'_> = &[(&tx.athlete_id(), Type::INT8), (&now, Type::TIMESTAMPTZ), (&limit, Type::INT8)];
    let rows = tx.tx().query(sql, params).await?;
    let read = |row: &tokio_postgres::Row| -> Result<Missing, DbError> {
        Ok(Missing {
            activity_id: row.try_get(0)?,
            detail: row.try_get(1)?,
            streams: row.try_get(2)?,
            is_manual: row.try_get(3)?,
            updated_at: row.try_get(4)?,
        })
    };
    rows.iter().map(read).collect()
}

/// When the next missing part may be asked for; `None` where nothing is missing.
///
/// # Errors
/// See [`DbError`].
pub async fn next_try_at(tx: &WorkerTx) -> Result<Option<Timestamp>, DbError> {
    let sql = "
        SELECT min(coalesce(d.next_try_at, 'epoch')) FROM activities a LEFT JOIN activity_details d ON d.activity_id = a.id
         WHERE a.athlete_id = $1 AND a.source = 'strava' AND (d.activity_id IS NULL OR 'missing' IN (d.state, d.streams))";
    let row = tx.tx().query_opt(sql, &[(&tx.athlete_id(), Type::INT8)]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.flatten())
}

/// Stores an activity that was asked for by itself, new or changed, with its details.
///
/// # Errors
/// See [`DbError`].
pub async fn save_activity(tx: &WorkerTx, activity: &Activity, detail: &Detail, now: Timestamp) -> Result<(), DbError> {
    activities::save_one(tx, activity, now).await?;
    save_detail(tx, activity.id, detail, now).await
}

/// Stores the details of a stored activity. The columns that its summary fills are left to summaries: the two differ in roundings.
///
/// # Errors
/// See [`DbError`].
pub async fn save_detail(tx: &WorkerTx, activity_id: i64, detail: &Detail, now: Timestamp) -> Result<(), DbError> {
    let (text, verbatim, efforts, state) = tokio::join!(
        biased;
        save_text(tx, activity_id, detail, now),
        keep_verbatim(tx, activity_id, detail, now),
        Box::pin(replace_efforts(tx, activity_id, &detail.efforts)),
        set_state(tx, activity_id, Part::Detail, "fetched", now),
    );
    text.and(verbatim).and(efforts).and(state)
}

async fn save_text(tx: &WorkerTx, activity_id: i64, detail: &Detail, now: Timestamp) -> Result<(), DbError> {
    let sql = "
        UPDATE activities SET description = $3, device_name = coalesce($4, device_name), updated_at = $5
         WHERE athlete_id = $1 AND id = $2 AND (description, device_name) IS DISTINCT FROM ($3, coalesce($4, device_name))";
    let params: Params<'_> = &[
        (&tx.athlete_id(), Type::INT8),
        (&activity_id, Type::INT8),
        (&detail.description, Type::TEXT),
        (&detail.device_name, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    tx.tx().query(sql, params).await?;
    Ok(())
}

async fn keep_verbatim(tx: &WorkerTx, activity_id: i64, detail: &Detail, now: Timestamp) -> Result<(), DbError> {
    let sql = "
        INSERT INTO activity_raw AS r (activity_id, athlete_id, detail, detail_at) VALUES ($2, $1, $3::text::json, $4)
        ON CONFLICT (activity_id) DO UPDATE SET detail = excluded.detail, detail_at = excluded.detail_at WHERE r.athlete_id = excluded.athlete_id";
    let params: Params<'_> =
        &[(&tx.athlete_id(), Type::INT8), (&activity_id, Type::INT8), (&detail.verbatim, Type::TEXT), (&now, Type::TIMESTAMPTZ)];
    tx.tx().query(sql, params).await?;
    Ok(())
}

async fn replace_efforts(tx: &WorkerTx, activity_id: i64, efforts: &[BestEffort]) -> Result<(), DbError> {
    let clear = "DELETE FROM best_efforts WHERE athlete_id = $1 AND activity_id = $2";
    // A summary saved meanwhile may have brought the whole run back: the stretch stands in its place.
    let fill = "
        INSERT INTO best_efforts AS b (activity_id, athlete_id, distance_m, elapsed_time, moving_time, start_index, end_index)
        SELECT $2, $1, x.* FROM unnest($3::int[], $4::int[], $5::int[], $6::int[], $7::int[]) AS x
        ON CONFLICT (activity_id, distance_m) DO UPDATE SET elapsed_time = excluded.elapsed_time, moving_time = excluded.moving_time,
            start_index = excluded.start_index, end_index = excluded.end_index, kind = 'stretch' WHERE b.athlete_id = excluded.athlete_id";
    // Where the details have no stretch of a distance, the whole run stays its record.
    let rest = "SELECT whole_run_efforts(ARRAY[$2::bigint]) FROM activities WHERE athlete_id = $1 AND id = $2";
    let distances: Vec<i32> = efforts.iter().map(|effort| effort.distance_m).collect();
    let elapsed: Vec<i32> = efforts.iter().map(|effort| effort.elapsed_s).collect();
    let moving: Vec<Option<i32>> = efforts.iter().map(|effort| effort.moving_s).collect();
    let starts: Vec<Option<i32>> = efforts.iter().map(|effort| effort.start_index).collect();
    let ends: Vec<Option<i32>> = efforts.iter().map(|effort| effort.end_index).collect();
    let whose = [(&tx.athlete_id() as &(dyn tokio_postgres::types::ToSql + Sync), Type::INT8), (&activity_id, Type::INT8)];
    let lists: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 5] = [
        (&distances, Type::INT4_ARRAY),
        (&elapsed, Type::INT4_ARRAY),
        (&moving, Type::INT4_ARRAY),
        (&starts, Type::INT4_ARRAY),
        (&ends, Type::INT4_ARRAY),
    ];
    let all = [&whose[..], &lists[..]].concat();
    let (cleared, filled, rested) =
        tokio::join!(biased; tx.tx().query(clear, &whose), tx.tx().query(fill, &all), tx.tx().query(rest, &whose));
    cleared.and(filled).and(rested)?;
    Ok(())
}

/// Stores what the streams amount to.
///
/// # Errors
/// See [`DbError`].
pub async fn save_streams(tx: &WorkerTx, activity_id: i64, streams: &[StreamSummary], now: Timestamp) -> Result<(), DbError> {
    let sql = "
        INSERT INTO activity_streams AS s (activity_id, athlete_id, kind, points, minimum, maximum, mean)
        SELECT $2, $1, x.* FROM unnest($3::text[], $4::int[], $5::float8[], $6::float8[], $7::float8[]) AS x
        ON CONFLICT (activity_id, kind) DO UPDATE SET points = excluded.points, minimum = excluded.minimum, maximum = excluded.maximum,
            mean = excluded.mean WHERE s.athlete_id = excluded.athlete_id";
    let kinds: Vec<&str> = streams.iter().map(|stream| stream.kind.as_str()).collect();
    let points: Vec<i32> = streams.iter().map(|stream| stream.points).collect();
    let minima: Vec<Option<f64>> = streams.iter().map(|stream| stream.minimum).collect();
    let maxima: Vec<Option<f64>> = streams.iter().map(|stream| stream.maximum).collect();
    let means: Vec<Option<f64>> = streams.iter().map(|stream| stream.mean).collect();
    let params: Params<'_> = &[
        (&tx.athlete_id(), Type::INT8),
        (&activity_id, Type::INT8),
        (&kinds, Type::TEXT_ARRAY),
        (&points, Type::INT4_ARRAY),
        (&minima, Type::FLOAT8_ARRAY),
        (&maxima, Type::FLOAT8_ARRAY),
        (&means, Type::FLOAT8_ARRAY),
    ];
    tx.tx().query(sql, params).await?;
    set_state(tx, activity_id, Part::Streams, "fetched", now).await
}

/// Notes that the activity has no streams.
///
/// # Errors
/// See [`DbError`].
pub async fn mark_streams_absent(tx: &WorkerTx, activity_id: i64, now: Timestamp) -> Result<(), DbError> {
    set_state(tx, activity_id, Part::Streams, "absent", now).await
}

async fn set_state(tx: &WorkerTx, activity_id: i64, part: Part, state: &str, now: Timestamp) -> Result<(), DbError> {
    let sql = "
        INSERT INTO activity_details AS d (activity_id, athlete_id, state, streams, fetched_at)
        VALUES ($2, $1, CASE WHEN $3 THEN $4 ELSE 'missing' END, CASE WHEN $3 THEN 'missing' ELSE $4 END, $5)
        ON CONFLICT (activity_id) DO UPDATE SET state = CASE WHEN $3 THEN $4 ELSE d.state END, streams = CASE WHEN $3 THEN d.streams ELSE $4 END,
            attempts = CASE WHEN $3 THEN 0 ELSE d.attempts END, next_try_at = CASE WHEN $3 THEN 'epoch' ELSE d.next_try_at END,
            fetched_at = $5 WHERE d.athlete_id = excluded.athlete_id";
    let is_detail = part == Part::Detail;
    let params: Params<'_> = &[
        (&tx.athlete_id(), Type::INT8),
        (&activity_id, Type::INT8),
        (&is_detail, Type::BOOL),
        (&state, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    tx.tx().query(sql, params).await?;
    Ok(())
}

/// Notes that a part was not to be had: it is asked for again in six hours, and after the third time counts as absent.
///
/// # Errors
/// See [`DbError`].
pub async fn put_off(tx: &WorkerTx, activity_id: i64, now: Timestamp) -> Result<(), DbError> {
    let sql = "
        INSERT INTO activity_details AS d (activity_id, athlete_id, attempts, next_try_at) VALUES ($2, $1, 1, $3)
        ON CONFLICT (activity_id) DO UPDATE SET attempts = d.attempts + 1, next_try_at = $3,
            state = CASE WHEN d.state = 'missing' AND d.attempts + 1 >= $4 THEN 'absent' ELSE d.state END,
            streams = CASE WHEN d.streams = 'missing' AND d.attempts + 1 >= $4 THEN 'absent' ELSE d.streams END WHERE d.athlete_id = excluded.athlete_id";
    let next = now + ATTEMPT_PAUSE;
    let params: Params<'_> =
        &[(&tx.athlete_id(), Type::INT8), (&activity_id, Type::INT8), (&next, Type::TIMESTAMPTZ), (&ATTEMPTS_MAX, Type::INT4)];
    tx.tx().query(sql, params).await?;
    Ok(())
}
