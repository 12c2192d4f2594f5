//! The tables `activities`, `activity_raw` and `unreadable_activities`.

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_postgres::types::Type;

use super::tx::{Params, Scope as _};
use super::{DbError, WorkerTx};
use crate::domain::{Activity, LatLng};

/// The columns a page writes, with their types; the order is that of [`row`]'s keys in the statement.
const COLUMNS: &[(&str, &str)] = &[
    ("name", "text"),
    ("type", "text"),
    ("distance", "double precision"),
    ("moving_time", "integer"),
    ("elapsed_time", "integer"),
    ("activity_date", "timestamptz"),
    ("start_date_local", "timestamp"),
    ("timezone", "text"),
    ("utc_offset_s", "integer"),
    ("elevation_gain", "double precision"),
    ("elev_high", "double precision"),
    ("elev_low", "double precision"),
    ("average_speed", "double precision"),
    ("max_speed", "double precision"),
    ("average_cadence", "double precision"),
    ("average_heart_rate", "double precision"),
    ("max_heart_rate", "double precision"),
    ("average_watts", "double precision"),
    ("max_watts", "double precision"),
    ("kilojoules", "double precision"),
    ("device_watts", "boolean"),
    ("suffer_score", "double precision"),
    ("workout_type", "integer"),
    ("trainer", "boolean"),
    ("commute", "boolean"),
    ("manual", "boolean"),
    ("private", "boolean"),
    ("flagged", "boolean"),
    ("start_latlng", "double precision[]"),
    ("end_latlng", "double precision[]"),
    ("upload_id", "bigint"),
    ("external_id", "text"),
    ("device_name", "text"),
    ("map_summary_polyline", "text"),
];

/// How many of the newest activities are asked for their time zone.
const ZONE_CANDIDATES_MAX: i64 = 20;

/// A readable activity with its verbatim object.
#[derive(Debug, Clone)]
pub struct ListedSummary {
    /// The activity.
    pub activity: Activity,
    /// Strava's object, byte for byte.
    pub verbatim: String,
}

/// An object that could not be read.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// Strava's object, byte for byte.
    pub verbatim: String,
    /// SHA-256 of it.
    pub content_hash: Vec<u8>,
    /// What is wrong with it.
    pub reason: String,
}

impl Unreadable {
    /// A whole answer that is not what was asked for.
    pub fn answer(body: &str, reason: &str) -> Self {
        let verbatim = text(body);
        Self { content_hash: crate::vault::fingerprint(verbatim.as_bytes()), verbatim, reason: reason.to_owned() }
    }
}

/// Saves one page of summaries: four statements in one flight, whatever the page's length. A row that has not
/// changed is not written again, and details fetched earlier stay.
///
/// # Errors
/// See [`DbError`].
pub async fn save_page(
    tx: &WorkerTx,
    page: &[ListedSummary],
    unreadable: &[Unreadable],
    asked_at: Timestamp,
    now: Timestamp,
) -> Result<(), DbError> {
    let activities: Vec<&Activity> = page.iter().map(|listed| &listed.activity).collect();
    let (activities, raw, aside, gone) = tokio::join!(
        biased;
        upsert(tx, &activities, now),
        keep_verbatim(tx, page, now),
        keep_aside(tx, unreadable, now),
        drop_deleted(tx, page, asked_at),
    );
    activities.and(raw).and(aside).and(gone)
}

/// Takes away again what an event has deleted since Strava was asked for the page, which still lists it.
async fn drop_deleted(tx: &WorkerTx, page: &[ListedSummary], asked_at: Timestamp) -> Result<(), DbError> {
    // Events are marked to the second, and that may be rounded down.
    let sql = "
        DELETE FROM activities a USING strava_events e
         WHERE a.athlete_id = $1 AND a.id = ANY ($2) AND e.athlete_id = $1 AND e.object_type = 'activity' AND e.object_id = a.id
           AND e.outcome = 'deleted' AND e.handled_at >= $3::timestamptz - interval '1 second'";
    let ids: Vec<i64> = page.iter().map(|listed| listed.activity.id).collect();
    tx.tx().query(sql, &[(&tx.athlete_id(), Type::INT8), (&ids, Type::INT8_ARRAY), (&asked_at, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}

/// Writes an activity that was asked for by itself; its verbatim object is kept with its details.
///
/// # Errors
/// See [`DbError`].
pub async fn save_one(tx: &WorkerTx, activity: &Activity, now: Timestamp) -> Result<(), DbError> {
    upsert(tx, &[activity], now).await
}

/// Deletes an activity that is gone at Strava, with everything that hangs on it; the sums of its day follow. `false`
/// where it is not held.
///
/// # Errors
/// See [`DbError`].
pub async fn delete(tx: &WorkerTx, id: i64) -> Result<bool, DbError> {
    let sql = "DELETE FROM activities WHERE athlete_id = $1 AND id = $2 RETURNING 1";
    Ok(tx.tx().query_opt(sql, &[(&tx.athlete_id(), Type::INT8), (&id, Type::INT8)]).await?.is_some())
}

/// Keeps a stored activity from being changed or deleted before this transaction ends; `false` where it is not there any
/// more, or has been changed since it was as of `unchanged_since`.
///
/// # Errors
/// See [`DbError`].
pub async fn hold(tx: &WorkerTx, id: i64, unchanged_since: Option<Timestamp>) -> Result<bool, DbError> {
    let sql = "
        SELECT 1 FROM activities WHERE athlete_id = $1 AND id = $2 AND ($3::timestamptz IS NULL OR updated_at = $3) FOR NO KEY UPDATE";
    let params: Params<'_> = &[(&tx.athlete_id(), Type::INT8), (&id, Type::INT8), (&unchanged_since, Type::TIMESTAMPTZ)];
    Ok(tx.tx().query_opt(sql, params).await?.is_some())
}

/// Writes rows, leaves unchanged ones alone, and has the details of changed ones fetched anew.
async fn upsert(tx: &WorkerTx, page: &[&Activity], now: Timestamp) -> Result<(), DbError> {
    let names = || COLUMNS.iter().map(|(name, _)| *name);
    let list = |form: &dyn Fn(&str) -> String| names().map(form).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "WITH written AS (INSERT INTO activities AS a (id, athlete_id, created_at, updated_at, {columns})
         SELECT x.id, $1, $3, $3, {sources} FROM jsonb_to_recordset($2::text::jsonb) AS x (id bigint, {typed}) ORDER BY x.id
         ON CONFLICT (id) DO UPDATE SET updated_at = $3, {assignments}
          WHERE a.athlete_id = excluded.athlete_id AND ({olds}) IS DISTINCT FROM ({news})
         RETURNING id)
         UPDATE activity_details SET state = 'missing', streams = 'missing', attempts = 0, next_try_at = 'epoch'
          WHERE activity_id IN (SELECT id FROM written)",
        columns = list(&|name| name.to_owned()),
        sources = list(&|name| format!("x.{name}")),
        typed = COLUMNS.iter().map(|(name, sql_type)| format!("{name} {sql_type}")).collect::<Vec<_>>().join(", "),
        assignments = list(&|name| match name {
            // A summary of an older kind may lack the device; what is known stays.
            "device_name" => "device_name = coalesce(excluded.device_name, a.device_name)".to_owned(),
            name => format!("{name} = excluded.{name}"),
        }),
        olds = list(&|name| format!("a.{name}")),
        news = list(&|name| match name {
            "device_name" => "coalesce(excluded.device_name, a.device_name)".to_owned(),
            name => format!("excluded.{name}"),
        }),
    );
    let rows = Value::Array(page.iter().map(|activity| row(activity)).collect()).to_string();
    let params: Params<'_> = &[(&tx.athlete_id(), Type::INT8), (&rows, Type::TEXT), (&now, Type::TIMESTAMPTZ)];
    tx.tx().query(&sql, params).await?;
    Ok(())
}

async fn keep_verbatim(tx: &WorkerTx, page: &[ListedSummary], now: Timestamp) -> Result<(), DbError> {
    let sql = "
        INSERT INTO activity_raw AS r (activity_id, athlete_id, summary, summary_at)
        SELECT x.id, $1, x.summary::json, $4 FROM unnest($2::bigint[], $3::text[]) AS x (id, summary) ORDER BY x.id
        ON CONFLICT (activity_id) DO UPDATE SET summary = excluded.summary, summary_at = excluded.summary_at
         WHERE r.athlete_id = excluded.athlete_id AND r.summary::text IS DISTINCT FROM excluded.summary::text";
    let ids: Vec<i64> = page.iter().map(|listed| listed.activity.id).collect();
    let texts: Vec<&str> = page.iter().map(|listed| listed.verbatim.as_str()).collect();
    let params: Params<'_> =
        &[(&tx.athlete_id(), Type::INT8), (&ids, Type::INT8_ARRAY), (&texts, Type::TEXT_ARRAY), (&now, Type::TIMESTAMPTZ)];
    tx.tx().query(sql, params).await?;
    Ok(())
}

/// Keeps what could not be read; the same object is kept once.
///
/// # Errors
/// See [`DbError`].
pub async fn keep_aside(tx: &WorkerTx, unreadable: &[Unreadable], now: Timestamp) -> Result<(), DbError> {
    if unreadable.is_empty() {
        return Ok(());
    }
    let sql = "
        INSERT INTO unreadable_activities (athlete_id, content_hash, object, reason, created_at)
        SELECT $1, x.content_hash, x.object, x.reason, $5 FROM unnest($2::bytea[], $3::text[], $4::text[]) AS x (content_hash, object, reason)
        ON CONFLICT DO NOTHING";
    let hashes: Vec<&[u8]> = unreadable.iter().map(|object| object.content_hash.as_slice()).collect();
    let objects: Vec<&str> = unreadable.iter().map(|object| object.verbatim.as_str()).collect();
    let reasons: Vec<&str> = unreadable.iter().map(|object| object.reason.as_str()).collect();
    let params: Params<'_> = &[
        (&tx.athlete_id(), Type::INT8),
        (&hashes, Type::BYTEA_ARRAY),
        (&objects, Type::TEXT_ARRAY),
        (&reasons, Type::TEXT_ARRAY),
        (&now, Type::TIMESTAMPTZ),
    ];
    tx.tx().query(sql, params).await?;
    Ok(())
}

/// Strava's zones of the newest activities that were not entered by hand, newest first.
///
/// # Errors
/// See [`DbError`].
pub async fn newest_zones(tx: &WorkerTx) -> Result<Vec<String>, DbError> {
    let sql = "
        SELECT timezone FROM activities WHERE athlete_id = $1 AND manual IS NOT TRUE AND timezone IS NOT NULL
         ORDER BY activity_date DESC LIMIT $2";
    let rows = tx.tx().query(sql, &[(&tx.athlete_id(), Type::INT8), (&ZONE_CANDIDATES_MAX, Type::INT8)]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// One activity as a JSON row for `jsonb_to_recordset`.
fn row(a: &Activity) -> Value {
    json!({
        "id": a.id, "name": text(&a.name), "type": text(&a.sport),
        "distance": a.distance_m, "moving_time": a.moving_s, "elapsed_time": a.elapsed_s,
        "activity_date": a.start.to_string(), "start_date_local": a.start_local.to_string(),
        "timezone": a.timezone.as_deref().map(text), "utc_offset_s": a.utc_offset_s,
        "elevation_gain": a.elevation_gain_m, "elev_high": a.elev_high_m, "elev_low": a.elev_low_m,
        "average_speed": a.average_speed, "max_speed": a.max_speed, "average_cadence": a.average_cadence,
        "average_heart_rate": a.average_heart_rate, "max_heart_rate": a.max_heart_rate,
        "average_watts": a.average_watts, "max_watts": a.max_watts, "kilojoules": a.kilojoules,
        "device_watts": a.device_watts, "suffer_score": a.suffer_score, "workout_type": a.workout_type,
        "trainer": a.trainer, "commute": a.commute, "manual": a.manual, "private": a.private, "flagged": a.flagged,
        "start_latlng": a.start_latlng.map(pair), "end_latlng": a.end_latlng.map(pair),
        "upload_id": a.upload_id, "external_id": a.external_id.as_deref().map(text),
        "device_name": a.device_name.as_deref().map(text),
        "map_summary_polyline": a.map_summary_polyline.as_deref().map(text),
    })
}

/// PostgreSQL's text cannot hold U+0000; the verbatim object keeps it.
fn text(text: &str) -> String {
    text.replace('\0', "")
}

fn pair((latitude, longitude): LatLng) -> [f64; 2] {
    [latitude, longitude]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_exactly_the_columns_of_the_statement() {
        let activity = Activity {
            id: 1,
            name: "a\0b".to_owned(),
            sport: "Run".to_owned(),
            start: Timestamp::UNIX_EPOCH,
            start_local: jiff::civil::DateTime::constant(2026, 1, 4, 6, 30, 0, 0),
            ..Activity::default()
        };
        let row = row(&activity);
        let mut keys: Vec<_> = row.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        let mut columns: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).chain(["id"]).collect();
        keys.sort_unstable();
        columns.sort_unstable();
        assert_eq!(keys, columns);
        assert_eq!(row["name"], "ab");
    }
}
