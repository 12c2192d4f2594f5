//! What the model may write for one athlete in a day.

use futures_util::future::join_all;
use jiff::civil::Date;
use journal::story::FACTS_ONLY;
use runaway_core::config::DailyLimit;
use serde_json::{Value, json};
use testkit::call::{checked, request};
use uuid::Uuid;

use crate::story::*;

const OTHER_ATHLETE: i64 = 5;
const HALF_A_DAY_S: i64 = 12 * 3600;

/// A story at noon with twenty weeks of runs, whose journal the model may write so often.
async fn limited(requests_max: i32, tokens_max: i64) -> Story {
    let mut story = Story::with_claude(&[]).await;
    story.world.clock.stop_at("2026-11-27T12:00:00Z".parse().unwrap());
    story.api.writer.limit = DailyLimit { requests_max, tokens_max };
    story.worker.writer.limit = story.api.writer.limit;
    for week in 1..=20 {
        story.store(&runs(1000 * week, story.monday(week), &[0, 2])).await;
    }
    story
}

/// Status and body of a generation that is asked for whatever stands there, and its `Retry-After`.
async fn force(story: &Story, token: &str, week: Date) -> (u16, Value, Option<i64>) {
    let body = json!({ "week_start_date": week, "force": true }).to_string();
    let answer = journal::api::handle(&story.api, request("POST", "/journal/generate", Some(token), &body)).await;
    let retry_after = answer.headers().get("retry-after").map(|seconds| seconds.to_str().unwrap().parse().unwrap());
    let (status, body) = checked(&answer);
    (status, body, retry_after)
}

#[tokio::test]
async fn the_days_texts_end_and_begin_anew_at_midnight() {
    let story = limited(2, i64::MAX).await;
    let (token, week) = (story.world.token(), story.monday(1));
    for _ in 0..2 {
        assert_eq!(force(&story, &token, week).await.0, 200);
    }
    let (status, error, retry_after) = force(&story, &token, week).await;
    assert_eq!((status, error["error"]["code"].as_str()), (429, Some("RATE_LIMITED")));
    assert!(error["error"]["message"].as_str().unwrap().contains("journal"), "the sentence names what is used up: {error}");
    assert_eq!(retry_after, Some(HALF_A_DAY_S));
    assert_eq!(story.generate(story.monday(2)).await["generation_model"], FACTS_ONLY, "without force, the facts speak");
    assert_eq!(story.model_calls(), 2);

    let user = Uuid::new_v4();
    story.world.connected_athlete(OTHER_ATHLETE, user, vec![], HALF_A_DAY_S).await;
    store(&story.world, OTHER_ATHLETE, &runs(900_000, week, &[0])).await;
    let other = force(&story, &story.world.issuer.token(user), week).await;
    assert_eq!((other.0, story.model_calls()), (200, 3), "the allowance is each athlete's own");

    story.world.clock.advance(HALF_A_DAY_S);
    assert_eq!((force(&story, &token, week).await.0, story.model_calls()), (200, 4));
    story.ends(&[]).await;
}

#[tokio::test]
async fn the_days_tokens_end_as_well() {
    let story = limited(100, 1).await;
    let (token, week) = (story.world.token(), story.monday(1));
    assert_eq!(force(&story, &token, week).await.0, 200);
    assert!(story.world.database.count("SELECT tokens FROM request_limits WHERE kind = 'journal'").await > 1);
    assert_eq!(force(&story, &token, week).await.0, 429);
    assert_eq!(story.deliver(ATHLETE, story.monday(2)).await, nothing_failed(), "the worker goes on without the model");
    assert_eq!(story.model_calls(), 1);
    story.world.clock.advance(HALF_A_DAY_S);
    assert_eq!((force(&story, &token, week).await.0, story.model_calls()), (200, 2));
    story.ends(&[]).await;
}

#[tokio::test]
async fn twenty_generations_at_once_stay_within_the_limit() {
    let story = limited(5, i64::MAX).await;
    let (story, token) = (&story, &story.world.token());
    let answers = join_all((1..=20).map(|week| Box::pin(force(story, token, story.monday(week))))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.0 == status).count();
    assert_eq!((count(200), count(429), story.model_calls()), (5, 15, 5));
    assert_eq!(story.world.database.count("SELECT requests::bigint FROM request_limits WHERE kind = 'journal'").await, 5);
}
