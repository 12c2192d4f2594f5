//! Single activities of the table `activities`, as a question selects and orders them.

use jiff::civil::{Date, DateTime};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::tx::{Params, Scope as _};
use super::{AthleteTx, DbError};
use crate::domain::{DateRange, Family, Order, PACED_DISTANCE_MIN_M, RunKind, Selection};

/// An activity as an answer needs it. What was not recorded is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Strava's id.
    pub id: i64,
    /// As the athlete named it.
    pub name: String,
    /// Strava's word of the sport.
    pub sport: String,
    /// Its family.
    pub family: Family,
    /// The athlete's day.
    pub date: Date,
    /// Start on the athlete's clock.
    pub start_local: DateTime,
    /// Metres.
    pub distance_m: Option<f64>,
    /// Moving seconds.
    pub moving_s: Option<i32>,
    /// Seconds from start to end.
    pub elapsed_s: Option<i32>,
    /// Metres climbed.
    pub elevation_m: Option<f64>,
    /// Beats a minute.
    pub heart_rate: Option<f64>,
    /// Beats a minute.
    pub heart_max: Option<f64>,
    /// Strava's code of what it was.
    pub workout_type: Option<i32>,
    /// Indoors.
    pub indoor: bool,
    /// Entered by hand.
    pub manual: bool,
    /// The athlete's notes, where details were fetched.
    pub description: Option<String>,
    /// Where the data came from.
    pub source: String,
}

/// Activities, and how many there are in all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matches {
    /// The first of them.
    pub activities: Vec<Listed>,
    /// All that match.
    pub total_matched: i64,
    /// Of a search: 1 where every word was found, less where only words like it were.
    pub score: f32,
}

impl Matches {
    /// Of a search: whether every word was found.
    pub fn has_all_words(&self) -> bool {
        self.score >= 1.0
    }
}

const COLUMNS: &str = "a.id, a.name, a.type, a.family, a.local_date AS day, a.start_date_local, a.distance, a.moving_time, a.elapsed_time, \
     a.elevation_gain, a.average_heart_rate, a.max_heart_rate, a.workout_type, a.trainer, a.manual, a.description, a.source";

fn listed(row: &Row) -> Result<Listed, DbError> {
    let family: &str = row.try_get(3)?;
    Ok(Listed {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        sport: row.try_get(2)?,
        family: Family::parse(family).ok_or(DbError::Unexpected("activities.family"))?,
        date: row.try_get(4)?,
        start_local: row.try_get(5)?,
        distance_m: row.try_get::<_, Option<f64>>(6)?.filter(|metres| *metres > 0.0),
        moving_s: row.try_get::<_, Option<i32>>(7)?.filter(|seconds| *seconds > 0),
        elapsed_s: row.try_get(8)?,
        elevation_m: row.try_get(9)?,
        heart_rate: row.try_get(10)?,
        heart_max: row.try_get(11)?,
        workout_type: row.try_get(12)?,
        indoor: row.try_get::<_, Option<bool>>(13)?.unwrap_or(false),
        manual: row.try_get::<_, Option<bool>>(14)?.unwrap_or(false),
        description: row.try_get(15)?,
        source: row.try_get(16)?,
    })
}

/// What looks closer than a day; its parameters are $8 to $15. `sport` and `moving_s` are the columns of a day.
pub(super) const CLOSER: &str = "AND ($8::boolean IS NULL OR coalesce(trainer, false) = $8) AND ($9::int[] IS NULL OR workout_type = ANY ($9)) \
     AND ($10::float8 IS NULL OR distance >= $10) AND ($11::float8 IS NULL OR distance <= $11) AND ($12::int IS NULL OR moving_s >= $12) \
     AND family <> ALL ($13::text[]) AND sport <> ALL ($14::text[]) AND coalesce(workout_type, 0) <> ALL ($15::int[])";

/// The parameters of [`CLOSER`].
pub(super) struct Closer {
    indoor: Option<bool>,
    codes: Option<&'static [i32]>,
    min_m: Option<f64>,
    max_m: Option<f64>,
    moving_min_s: Option<i32>,
    without_families: Vec<&'static str>,
    without_sports: Vec<String>,
    without_kinds: Vec<i32>,
}

impl Closer {
    pub(super) fn of(selection: &Selection) -> Self {
        let without = &selection.without;
        Self {
            indoor: selection.indoor.or(without.indoor.then_some(false)),
            codes: selection.kind.map(RunKind::codes),
            min_m: selection.distance_min_m,
            max_m: selection.distance_max_m,
            moving_min_s: selection.moving_min_s,
            without_families: without.families.iter().map(|family| family.as_str()).collect(),
            without_sports: without.sports.clone(),
            without_kinds: without.kinds.clone(),
        }
    }

    pub(super) fn params(&self) -> [(&(dyn ToSql + Sync), Type); 8] {
        [
            (&self.indoor, Type::BOOL),
            (&self.codes, Type::INT4_ARRAY),
            (&self.min_m, Type::FLOAT8),
            (&self.max_m, Type::FLOAT8),
            (&self.moving_min_s, Type::INT4),
            (&self.without_families, Type::TEXT_ARRAY),
            (&self.without_sports, Type::TEXT_ARRAY),
            (&self.without_kinds, Type::INT4_ARRAY),
        ]
    }
}

/// The days that hold the first $7 activities by date; a day may hold many.
const NEWEST_DAYS: &str = "SELECT local_date FROM (SELECT local_date, sum(sum(n)) OVER (ORDER BY local_date DESC) - sum(n) AS earlier \
     FROM {days} GROUP BY local_date) z WHERE earlier < $7";
const OLDEST_DAYS: &str = "SELECT local_date FROM (SELECT local_date, sum(sum(n)) OVER (ORDER BY local_date) - sum(n) AS earlier \
     FROM {days} GROUP BY local_date) z WHERE earlier < $7";
/// The $7 days with the greatest of something: each of the first $7 activities is the greatest of its day or beaten by it.
macro_rules! greatest_days {
    ($what:literal) => {
        concat!("SELECT local_date FROM {days} GROUP BY local_date ORDER BY max(", $what, ") DESC NULLS LAST, local_date DESC LIMIT $7")
    };
}

/// How an order is written: what an activity is compared by, what a day is, and what leaves an activity out.
struct Ranking {
    of_activity: &'static str,
    of_day: Option<&'static str>,
    only: &'static str,
}

fn ranking(order: Order) -> Ranking {
    let ranking = |of_activity, of_day, only| Ranking { of_activity, of_day, only };
    match order {
        Order::Newest => ranking("a.local_date DESC", Some(NEWEST_DAYS), ""),
        Order::Oldest => ranking("a.start_date_local", Some(OLDEST_DAYS), ""),
        Order::Longest => ranking("a.distance DESC NULLS LAST", Some(greatest_days!("longest_m")), ""),
        Order::Shortest => ranking("a.distance", None, "AND a.distance > 0"),
        Order::LongestTime => ranking("a.moving_time DESC NULLS LAST", Some(greatest_days!("longest_s")), ""),
        Order::Hilliest => ranking("a.elevation_gain DESC NULLS LAST", Some(greatest_days!("hilliest_m")), ""),
        Order::Fastest => ranking("a.distance / a.moving_time DESC", Some(greatest_days!("fastest_m_s")), PACED),
        Order::Slowest => ranking("a.distance / a.moving_time", None, PACED),
        Order::HighestHeartRate => {
            ranking("a.max_heart_rate DESC NULLS LAST", Some(greatest_days!("heart_max")), "AND a.max_heart_rate > 0")
        }
    }
}

const PACED: &str = "AND a.distance >= $16 AND a.moving_time > 0";

/// The first `most` of the selected activities in an order, and how many there are in all.
///
/// Where sums per day can tell which days matter, only those days' activities are looked at: the cost follows the
/// number of training days, not of activities.
///
/// # Errors
/// See [`DbError`].
pub async fn list(tx: &AthleteTx, athlete_id: i64, selection: &Selection, order: Order, most: i64) -> Result<Matches, DbError> {
    let Ranking { of_activity, of_day, only } = ranking(order);
    let common = "athlete_id = $1 AND local_date BETWEEN $2 AND $3 AND ($4::text IS NULL OR family = $4)
              AND ($6::int IS NULL OR extract(isodow FROM local_date) = $6)";
    let by_day = format!("athlete_days WHERE {common} AND (cardinality($5::text[]) = 0 OR sport = ANY ($5))");
    let (days, total, on_days) = match of_day.filter(|_| selection.is_by_day()) {
        Some(of_day) => (
            format!("WITH days AS MATERIALIZED ({})", of_day.replace("{days}", &by_day)),
            format!("(SELECT coalesce(sum(n), 0)::bigint FROM {by_day})"),
            "AND local_date = ANY (ARRAY(SELECT local_date FROM days))",
        ),
        None => (String::new(), "count(*) OVER ()".to_owned(), ""),
    };
    let sql = format!(
        "{days} SELECT {COLUMNS}, {total} FROM activities a WHERE {common} AND (cardinality($5::text[]) = 0 OR type = ANY ($5)) {closer} {only} {on_days}
         ORDER BY {of_activity}, a.start_date_local DESC, a.id DESC LIMIT $7",
        closer = CLOSER.replace("moving_s", "a.moving_time").replace("sport <>", "a.type <>"),
        // Always named, so that its type is known whatever the order.
        only = if only.contains("$16") { only.to_owned() } else { format!("{only} AND $16::float8 > 0") },
    );
    let family = selection.family.map(Family::as_str);
    let weekday = selection.weekday.map(|day| i32::from(day.to_monday_one_offset()));
    let closer = Closer::of(selection);
    let mut params: Vec<(&(dyn ToSql + Sync), Type)> = vec![
        (&athlete_id, Type::INT8),
        (&selection.dates.first, Type::DATE),
        (&selection.dates.last, Type::DATE),
        (&family, Type::TEXT),
        (&selection.sports, Type::TEXT_ARRAY),
        (&weekday, Type::INT4),
        (&most, Type::INT8),
    ];
    params.extend(closer.params());
    params.push((&PACED_DISTANCE_MIN_M, Type::FLOAT8));
    matches(&tx.tx().query(&sql, &params).await?)
}

/// Activities of the caller whose name or notes have the words, or words like them; the best matches first.
///
/// # Errors
/// See [`DbError`].
pub async fn search(tx: &AthleteTx, athlete_id: i64, words: &str, dates: DateRange, most: i32) -> Result<Matches, DbError> {
    let sql = format!(
        "SELECT {COLUMNS}, s.total, s.score FROM search_activities($2, $3, $4, $5) s JOIN activities a ON a.id = s.id
          WHERE a.athlete_id = $1 ORDER BY s.score DESC, a.local_date DESC, a.id DESC"
    );
    let params: Params<'_> =
        &[(&athlete_id, Type::INT8), (&words, Type::TEXT), (&dates.first, Type::DATE), (&dates.last, Type::DATE), (&most, Type::INT4)];
    let rows = tx.tx().query(&sql, params).await?;
    let score: f32 = rows.first().map_or(Ok(0.0), |row| row.try_get(18))?;
    Ok(Matches { score, ..matches(&rows)? })
}

fn matches(rows: &[Row]) -> Result<Matches, DbError> {
    let total_matched = rows.first().map_or(Ok(0), |row| row.try_get(17))?;
    Ok(Matches { activities: rows.iter().map(listed).collect::<Result<_, _>>()?, total_matched, score: 0.0 })
}
