//! The table `vanished_candidates`: stored activities that a walk did not list.
//!
//! A walk goes by start times, so each page lists everything between its oldest start and the bound it was asked with.
//! What is stored in between and not on the page is noted at once, in the page's transaction. That needs no memory of
//! all the ids a walk has met, which may be a hundred thousand: only the few that are missing are kept, a walk that is
//! taken up by another processor finds them, and what turns up on a later page is struck off again.

use jiff::Timestamp;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::tx::{Params, Scope as _};
use super::{DbError, WorkerTx};

/// More than so many activities gone at once are not believed.
pub const VANISHED_MAX: i64 = 20;

/// The stretch of time that one page lists completely; both bounds are exclusive epoch seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// What started later.
    pub after_s: Option<i64>,
    /// What started earlier.
    pub before_s: i64,
}

/// An activity that the walk did not meet.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// Its id.
    pub activity_id: i64,
    /// Whether only the athlete may see it.
    pub is_private: bool,
}

/// Strikes off what a page lists, or everything where the walk begins anew.
///
/// # Errors
/// See [`DbError`].
pub async fn strike_off(tx: &WorkerTx, job_id: Uuid, listed: &[i64], is_first_page: bool) -> Result<(), DbError> {
    let sql = "DELETE FROM vanished_candidates WHERE job_id = $1 AND (activity_id = ANY ($2) OR $3)";
    tx.tx().query(sql, &[(&job_id, Type::UUID), (&listed, Type::INT8_ARRAY), (&is_first_page, Type::BOOL)]).await?;
    Ok(())
}

/// Notes what is stored within the stretch and not listed; one more than are believed is enough to know.
///
/// # Errors
/// See [`DbError`].
pub async fn note(tx: &WorkerTx, job_id: Uuid, stretch: &Stretch, listed: &[i64]) -> Result<(), DbError> {
    let sql = "
        INSERT INTO vanished_candidates (job_id, activity_id, athlete_id)
        SELECT $1, id, athlete_id FROM activities
         WHERE athlete_id = $2 AND source = 'strava' AND activity_date < $4 AND ($3::timestamptz IS NULL OR activity_date > $3) AND id <> ALL ($5)
         ORDER BY activity_date DESC LIMIT greatest($6 - (SELECT count(*) FROM vanished_candidates WHERE job_id = $1), 0)
        ON CONFLICT DO NOTHING";
    let instant = |second: i64| Timestamp::from_second(second).map_err(|_| DbError::Unexpected("a listing's bound"));
    let params: Params<'_> = &[
        (&job_id, Type::UUID),
        (&tx.athlete_id(), Type::INT8),
        (&stretch.after_s.map(instant).transpose()?, Type::TIMESTAMPTZ),
        (&instant(stretch.before_s)?, Type::TIMESTAMPTZ),
        (&listed, Type::INT8_ARRAY),
        (&(VANISHED_MAX + 1), Type::INT8),
    ];
    tx.tx().query(sql, params).await?;
    Ok(())
}

/// What the walk did not meet, newest first.
///
/// # Errors
/// See [`DbError`].
pub async fn candidates(tx: &WorkerTx, job_id: Uuid) -> Result<Vec<Candidate>, DbError> {
    let sql = "
        SELECT a.id, a.private IS TRUE FROM vanished_candidates v JOIN activities a ON a.id = v.activity_id
         WHERE v.job_id = $1 ORDER BY a.activity_date DESC LIMIT $2";
    let rows = tx.tx().query(sql, &[(&job_id, Type::UUID), (&(VANISHED_MAX + 1), Type::INT8)]).await?;
    rows.iter().map(|row| Ok(Candidate { activity_id: row.try_get(0)?, is_private: row.try_get(1)? })).collect()
}
