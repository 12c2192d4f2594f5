//! A history in the database without a sync: through the code that a sync saves pages with.

use jiff::Timestamp;
use runaway_core::db::activities::{self, ListedSummary};
use runaway_core::db::athletes;
use runaway_core::strava::{ReadObject, read_summary};
use serde_json::Value;
use serde_json::value::to_raw_value;

use crate::World;

const PAGE: usize = 200;
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

    /// Stores activities of an athlete, page by page.
    ///
    /// # Panics
    /// On an activity that cannot be read.
    pub async fn import(&self, id: i64, history: &[Value], now: Timestamp) {
        let db = self.db();
        for page in history.chunks(PAGE) {
            let tx = db.worker(id).await.expect("a transaction");
            let summaries: Vec<ListedSummary> = page.iter().map(|activity| summary(activity, id)).collect();
            activities::save_page(&tx, &summaries, &[], now).await.expect("saving a page");
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
