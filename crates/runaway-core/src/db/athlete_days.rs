//! Sums over the table `athlete_days`, or over `activities` where a question looks closer than a day.

use jiff::civil::Date;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::activity_lists::{CLOSER, Closer};
use super::tx::{Params, Scope as _};
use super::{AthleteTx, DbError};
use crate::domain::{Bucket, DateRange, Family, Selection};

/// Groups of one answer at most: a year of days, ten years of months.
pub const BUCKETS_MAX: i64 = 400;
/// Days of efforts at most: what fitness looks back on.
pub const EFFORT_ROWS_MAX: i64 = 4000;

/// Sums of a group of activities.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Totals {
    /// What the group is: a date as `2026-01-04`, a family's word, a weekday's number 1 to 7, or nothing.
    pub key: String,
    /// Number of activities.
    pub n: i64,
    /// Days with at least one activity.
    pub days: i64,
    /// Metres.
    pub distance_m: f64,
    /// Moving seconds.
    pub moving_s: i64,
    /// Metres climbed.
    pub elevation_m: f64,
    /// Metres of the activities a pace can be taken from.
    pub paced_m: f64,
    /// Their moving seconds.
    pub paced_s: i64,
    /// Moving seconds with a heart rate.
    pub heart_s: i64,
    /// Heart beats in them.
    pub beats: f64,
    /// Metres of the longest activity.
    pub longest_m: f64,
    /// The first day with an activity.
    pub first: Option<Date>,
    /// The last one.
    pub last: Option<Date>,
}

impl Totals {
    /// Mean heart rate weighted by moving time, beats a minute; `None` where none was recorded.
    pub fn heart_rate(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "seconds of a life")]
        let minutes = self.heart_s as f64 / 60.0;
        (self.heart_s > 0).then(|| self.beats / minutes)
    }
}

fn totals_of(row: &Row) -> Result<Totals, DbError> {
    Ok(Totals {
        key: row.try_get(0)?,
        n: row.try_get(1)?,
        days: row.try_get(2)?,
        distance_m: row.try_get(3)?,
        moving_s: row.try_get(4)?,
        elevation_m: row.try_get(5)?,
        paced_m: row.try_get(6)?,
        paced_s: row.try_get(7)?,
        heart_s: row.try_get(8)?,
        beats: row.try_get(9)?,
        longest_m: row.try_get(10)?,
        first: row.try_get(11)?,
        last: row.try_get(12)?,
    })
}

const fn key(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::All => "''",
        Bucket::Day => "local_date::text",
        Bucket::Week => "(local_date - (extract(isodow FROM local_date)::int - 1))::text",
        Bucket::Month => "to_char(local_date, 'YYYY-MM-01')",
        Bucket::Year => "to_char(local_date, 'YYYY-01-01')",
        Bucket::Family => "family",
        Bucket::Weekday => "extract(isodow FROM local_date)::int::text",
    }
}

/// The columns of a day, made of single activities.
const SINGLE: &str = "
    (SELECT athlete_id, local_date, type AS sport, family, 1 AS n, coalesce(distance, 0) AS distance_m, coalesce(moving_time, 0) AS moving_s,
            coalesce(elevation_gain, 0) AS elevation_m,
            CASE WHEN distance > 0 AND moving_time > 0 THEN distance ELSE 0 END AS paced_m,
            CASE WHEN distance > 0 AND moving_time > 0 THEN moving_time ELSE 0 END AS paced_s,
            CASE WHEN average_heart_rate > 0 THEN coalesce(moving_time, 0) ELSE 0 END AS heart_s,
            CASE WHEN average_heart_rate > 0 THEN average_heart_rate * coalesce(moving_time, 0) / 60 ELSE 0 END AS beats,
            coalesce(distance, 0) AS longest_m, trainer, workout_type, distance
       FROM activities) AS d";

/// Sums of the selected activities per group, by the groups' order; empty groups are absent.
///
/// # Errors
/// See [`DbError`].
pub async fn totals(tx: &AthleteTx, athlete_id: i64, selection: &Selection, bucket: Bucket) -> Result<Vec<Totals>, DbError> {
    let (source, closer) = if selection.is_by_day() { ("athlete_days AS d", "") } else { (SINGLE, CLOSER) };
    let sql = format!(
        "SELECT {key}, sum(n)::bigint, count(DISTINCT local_date), sum(distance_m)::float8, sum(moving_s)::bigint, sum(elevation_m)::float8,
                sum(paced_m)::float8, sum(paced_s)::bigint, sum(heart_s)::bigint, sum(beats)::float8, max(longest_m)::float8,
                min(local_date), max(local_date)
           FROM {source}
          WHERE athlete_id = $1 AND local_date BETWEEN $2 AND $3 AND ($4::text IS NULL OR family = $4) AND (cardinality($5::text[]) = 0 OR sport = ANY ($5))
            AND ($6::int IS NULL OR extract(isodow FROM local_date) = $6) {closer}
          GROUP BY 1 ORDER BY 1 DESC LIMIT $7",
        key = key(bucket)
    );
    let family = selection.family.map(Family::as_str);
    let weekday = selection.weekday.map(|day| i32::from(day.to_monday_one_offset()));
    let mut params: Vec<(&(dyn tokio_postgres::types::ToSql + Sync), Type)> = vec![
        (&athlete_id, Type::INT8),
        (&selection.dates.first, Type::DATE),
        (&selection.dates.last, Type::DATE),
        (&family, Type::TEXT),
        (&selection.sports, Type::TEXT_ARRAY),
        (&weekday, Type::INT4),
        (&BUCKETS_MAX, Type::INT8),
    ];
    let closer = Closer::of(selection);
    if !selection.is_by_day() {
        params.extend(closer.params());
    }
    let mut groups = tx.tx().query(&sql, &params).await?.iter().map(totals_of).collect::<Result<Vec<_>, _>>()?;
    groups.reverse();
    Ok(groups)
}

/// How training days and days off follow each other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Calendar {
    /// Days with an activity.
    pub trained_days: i64,
    /// The longest unbroken run of such days: first, last, number.
    pub longest_streak: Option<(Date, Date, i64)>,
    /// The newest unbroken run of such days.
    pub newest_streak: Option<(Date, Date, i64)>,
    /// The longest time between two of them without any: first, last, number of days off.
    pub longest_break: Option<(Date, Date, i64)>,
    /// The newest time between two of them without any.
    pub newest_break: Option<(Date, Date, i64)>,
}

/// Streaks and breaks inside the days; the time after the newest activity is not counted as a break.
///
/// # Errors
/// See [`DbError`].
pub async fn calendar(tx: &AthleteTx, athlete_id: i64, dates: DateRange, family: Option<&str>) -> Result<Calendar, DbError> {
    let sql = "
        WITH trained AS (SELECT DISTINCT local_date AS d FROM athlete_days
                          WHERE athlete_id = $1 AND local_date BETWEEN $2 AND $3 AND ($4::text IS NULL OR family = $4)),
             streaks AS (SELECT min(d) AS first, max(d) AS last, count(*) AS n
                           FROM (SELECT d, d - (row_number() OVER (ORDER BY d))::int AS island FROM trained) z GROUP BY island),
             breaks AS (SELECT first, last, (last - first + 1)::bigint AS n
                          FROM (SELECT d + 1 AS first, lead(d) OVER (ORDER BY d) - 1 AS last FROM trained) z WHERE first <= last)
        SELECT 'days', NULL::date, NULL::date, count(*) FROM trained
        UNION ALL (SELECT 'longest_streak', first, last, n FROM streaks ORDER BY n DESC, first DESC LIMIT 1)
        UNION ALL (SELECT 'newest_streak', first, last, n FROM streaks ORDER BY last DESC LIMIT 1)
        UNION ALL (SELECT 'longest_break', first, last, n FROM breaks ORDER BY n DESC, first DESC LIMIT 1)
        UNION ALL (SELECT 'newest_break', first, last, n FROM breaks ORDER BY last DESC LIMIT 1)";
    let params: Params<'_> = &[(&athlete_id, Type::INT8), (&dates.first, Type::DATE), (&dates.last, Type::DATE), (&family, Type::TEXT)];
    let mut calendar = Calendar::default();
    for row in tx.tx().query(sql, params).await? {
        let (what, n): (&str, i64) = (row.try_get(0)?, row.try_get(3)?);
        let (first, last): (Option<Date>, Option<Date>) = (row.try_get(1)?, row.try_get(2)?);
        let span = first.zip(last).map(|(first, last)| (first, last, n));
        match what {
            "longest_streak" => calendar.longest_streak = span,
            "newest_streak" => calendar.newest_streak = span,
            "longest_break" => calendar.longest_break = span,
            "newest_break" => calendar.newest_break = span,
            _ => calendar.trained_days = n,
        }
    }
    Ok(calendar)
}

/// What was done on a day in one family of sports, as training load is computed from it.
#[derive(Debug, Clone, PartialEq)]
pub struct DayEffort {
    /// The day.
    pub date: Date,
    /// The family's word.
    pub family: String,
    /// Moving seconds.
    pub moving_s: i64,
    /// Metres of what has a pace.
    pub paced_m: f64,
    /// Moving seconds of it.
    pub paced_s: i64,
    /// Moving seconds with a heart rate.
    pub heart_s: i64,
    /// Mean heart rate in them, beats a minute.
    pub heart_rate: Option<f64>,
    /// The highest heart rate reached.
    pub heart_max: Option<f64>,
    /// Metres of the longest activity.
    pub longest_m: f64,
}

/// The efforts of the days, oldest first.
///
/// # Errors
/// See [`DbError`].
pub async fn efforts(tx: &AthleteTx, athlete_id: i64, dates: DateRange) -> Result<Vec<DayEffort>, DbError> {
    let sql = "
        SELECT local_date, family, sum(moving_s)::bigint, sum(paced_m)::float8, sum(paced_s)::bigint, sum(heart_s)::bigint,
               (sum(beats) * 60 / nullif(sum(heart_s), 0))::float8, max(heart_max), max(longest_m)
          FROM athlete_days WHERE athlete_id = $1 AND local_date BETWEEN $2 AND $3
         GROUP BY local_date, family ORDER BY local_date DESC, family LIMIT $4";
    let params: Params<'_> =
        &[(&athlete_id, Type::INT8), (&dates.first, Type::DATE), (&dates.last, Type::DATE), (&EFFORT_ROWS_MAX, Type::INT8)];
    let rows = tx.tx().query(sql, params).await?;
    rows.iter()
        .rev()
        .map(|row| {
            Ok(DayEffort {
                date: row.try_get(0)?,
                family: row.try_get(1)?,
                moving_s: row.try_get(2)?,
                paced_m: row.try_get(3)?,
                paced_s: row.try_get(4)?,
                heart_s: row.try_get(5)?,
                heart_rate: row.try_get(6)?,
                heart_max: row.try_get(7)?,
                longest_m: row.try_get(8)?,
            })
        })
        .collect()
}
