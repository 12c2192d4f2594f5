//! A story that goes on after the first sync: Strava announces changes to the webhook, the processor works them off.

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::call::{checked, request};
use testkit::fake_strava::event;
use testkit::queue::batch;

use crate::story::*;

/// Rounds of delivery after which a story has come to rest.
const ROUNDS_MAX: usize = 500;

/// A story whose history is stored, with a webhook.
pub(crate) struct Told {
    pub(crate) story: Story,
    webhook: strava_webhook::App,
}

impl Told {
    pub(crate) async fn with_runs(count: i64) -> Self {
        let story = Story::with_runs(count).await;
        let job_id = story.start(WHOLE_HISTORY).await;
        story.deliver(job_id).await;
        // Nothing but events shall ask for activities from here on.
        let details = "
            INSERT INTO activity_details (activity_id, athlete_id, state, streams) SELECT id, athlete_id, 'fetched', 'fetched' FROM activities;
            DELETE FROM detail_runs";
        story.world.database.owner().await.batch_execute(details).await.unwrap();
        let mut webhook = strava_webhook::App::new(&story.world.settings()).await.unwrap();
        webhook.clock = story.world.clock.production();
        Self { story, webhook }
    }

    /// Strava posts an event.
    pub(crate) async fn tell(&self, event: &Value) {
        let path = format!("/strava-webhook/{}", self.story.world.webhook_path);
        let answer = strava_webhook::handle(&self.webhook, request("POST", &path, None, &event.to_string())).await;
        assert_eq!(checked(&answer).0, 200);
    }

    pub(crate) async fn tell_of(&self, activity_id: i64, aspect: &str) {
        self.tell(&event("activity", activity_id, aspect, ATHLETE, &json!({}))).await;
    }

    /// Hands over what the queue delivers now, until it is empty; delayed messages stay.
    pub(crate) async fn deliver_all(&self) {
        for _ in 0..ROUNDS_MAX {
            let records = self.story.world.queue.take().await.records;
            if records.is_empty() {
                return;
            }
            let bodies: Vec<String> = records.into_iter().filter_map(|record| record.body).collect();
            let answer = sync_processor::handle(&self.story.app, batch(&bodies), in_fifteen_minutes()).await.unwrap();
            assert_eq!(answer, nothing_failed());
        }
        panic!("the queue does not run empty");
    }

    /// Hands everything that waits to eight processors that work at the same time.
    pub(crate) async fn deliver_to_eight(&self) {
        let mut shares: Vec<Vec<String>> = vec![Vec::new(); 8];
        let mut next = 0;
        loop {
            let records = self.story.world.queue.take().await.records;
            if records.is_empty() {
                break;
            }
            for body in records.into_iter().filter_map(|record| record.body) {
                shares[next % 8].push(body);
                next += 1;
            }
        }
        let workers = shares.into_iter().map(async |bodies| {
            let app = processor(&self.story.world).await;
            sync_processor::handle(&app, batch(&bodies), in_fifteen_minutes()).await.unwrap()
        });
        assert!(join_all(workers).await.iter().all(|answer| *answer == nothing_failed()));
    }

    /// Time passes, and the schedule wakes what is due.
    pub(crate) async fn later(&self, seconds: i64) {
        self.story.world.clock.advance(seconds);
        self.story.task("process-pending").await;
        self.deliver_all().await;
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.story.world.database.count(sql).await
    }

    /// Outcome and number of all handled events.
    pub(crate) async fn outcomes(&self) -> Vec<(String, i64)> {
        let sql = "SELECT outcome, count(*) FROM strava_events WHERE handled_at IS NOT NULL GROUP BY 1 ORDER BY 1";
        self.story.world.database.owner().await.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    pub(crate) fn asked(&self, what: &str) -> usize {
        self.story.world.strava.count(what)
    }
}
