//! The reads of a plan, done: what the database says.

use runaway_core::db::activity_lists::{self, Matches};
use runaway_core::db::athlete_days::{self, Calendar, Totals};
use runaway_core::db::best_efforts::{self, Record};
use runaway_core::db::{AthleteTx, DbError};
use runaway_core::domain::Family;

use crate::plan::Read;

/// What a read found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    /// Sums, by the group's order.
    Totals(Vec<Totals>),
    /// Activities.
    List(Matches),
    /// Records, by distance and time.
    Records(Vec<Record>),
    /// Activities by name.
    Search(Matches),
    /// Streaks and breaks.
    Calendar(Calendar),
}

/// A read and what it found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    /// What was asked.
    pub(crate) read: Read,
    /// What came.
    pub(crate) found: Found,
}

/// Does one read.
pub(crate) async fn find(tx: &AthleteTx, athlete_id: i64, read: &Read) -> Result<Finding, DbError> {
    let found = match read {
        Read::Totals { selection, bucket, .. } => Found::Totals(athlete_days::totals(tx, athlete_id, selection, *bucket).await?),
        Read::List { selection, order, most, .. } => Found::List(activity_lists::list(tx, athlete_id, selection, *order, *most).await?),
        Read::Records { distances_m, dates, most, .. } => {
            Found::Records(best_efforts::records(tx, athlete_id, distances_m, *dates, *most).await?)
        }
        Read::Search { words, dates, most, .. } => Found::Search(activity_lists::search(tx, athlete_id, words, *dates, *most).await?),
        Read::Calendar { dates, family, .. } => {
            Found::Calendar(athlete_days::calendar(tx, athlete_id, *dates, family.map(Family::as_str)).await?)
        }
    };
    Ok(Finding { read: read.clone(), found })
}

impl Finding {
    /// The activities it holds.
    pub(crate) fn activities(&self) -> &[activity_lists::Listed] {
        match &self.found {
            Found::List(matches) | Found::Search(matches) => &matches.activities,
            _ => &[],
        }
    }
}
