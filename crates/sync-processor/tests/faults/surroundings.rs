//! What fails around the processor: the database, its clock, and the tokens it holds.

use jiff::SignedDuration;
use runaway_core::clock::Clock;
use testkit::activity::daily_runs;
use testkit::fake_strava::{Fault, Gate, On};

use crate::RUNS;
use crate::killed::recover;
use crate::story::*;
use crate::table::Row;

/// How far the processor's clock is off.
const SKEW: SignedDuration = SignedDuration::from_hours(2);

pub(crate) async fn rows() -> Vec<Row> {
    vec![
        database_away("database away: every connection cut over a page, new ones refused for a moment").await,
        slow_clock("our clock two hours slow, so that a dead token looks alive").await,
        fast_clock("our clock two hours fast").await,
        replaced_token("token replaced by another processor during a call").await,
        rotated_token("refresh token rotated by somebody else; the athlete connects again").await,
    ]
}

async fn database_away(name: &'static str) -> Row {
    let story = Story::with_runs(RUNS).await;
    let gate = Gate::default();
    story.world.strava.fail(On::List(2), Fault::Held(gate.clone()));
    let job_id = story.start(WHOLE_HISTORY).await;
    let going_away = async {
        gate.arrival().await;
        let cut = story.world.database.shut().await;
        gate.open();
        cut
    };
    let (answer, cut) = tokio::join!(story.deliver(job_id), going_away);
    let refused = answer["batchItemFailures"].as_array().unwrap().len();
    assert!(cut > 0 && refused == 1, "{cut} connections, {answer}");
    story.world.database.reopen().await;
    recover(&story, job_id).await;
    let row = Row::of(name, refused, &story).await;
    story.ends(&["A message could not be dealt with"]).await;
    row
}

async fn skewed(ttl_s: i64, skew: SignedDuration) -> Story {
    let mut story = Story::with_token(daily_runs(ATHLETE, 1000, RUNS, jiff::Timestamp::now()), ttl_s).await;
    let right = story.world.clock.production();
    story.app.clock = Clock::from_fn(move || right.now() + skew);
    let job_id = story.start(WHOLE_HISTORY).await;
    story.world.clock.advance(1);
    // By a slow clock a job that has just been begun is not yet due.
    if skew.is_negative() {
        assert_eq!(story.deliver(job_id).await, nothing_failed());
        story.world.clock.advance(skew.abs().as_secs());
    }
    assert_eq!(story.deliver(job_id).await, nothing_failed());
    assert_eq!(story.job(job_id).await.status, "completed");
    story
}

async fn slow_clock(name: &'static str) -> Row {
    let story = skewed(90 * 60, -SKEW).await;
    let happened = story.world.strava.calls().iter().filter(|call| call.status == 401).count();
    let row = Row::of(name, happened, &story).await;
    story.ends(&[]).await;
    row
}

async fn fast_clock(name: &'static str) -> Row {
    let story = skewed(TOKEN_TTL_S, SKEW).await;
    let row = Row::of(name, 1, &story).await;
    story.ends(&[]).await;
    row
}

/// The token that the call was sent with is dead when Strava reads it; another is held by then.
async fn replaced_token(name: &'static str) -> Row {
    let story = Story::with_runs(RUNS).await;
    let gate = Gate::default();
    story.world.strava.fail(On::List(2), Fault::Held(gate.clone()));
    let job_id = story.start(WHOLE_HISTORY).await;
    let replace = async {
        gate.arrival().await;
        story.world.connect(ATHLETE, story.world.user_id, TOKEN_TTL_S).await;
        gate.open();
    };
    tokio::join!(story.deliver(job_id), replace);
    assert_eq!((story.job(job_id).await.status.as_str(), story.world.strava.count("refresh")), ("completed", 0));
    let happened = story.world.strava.calls().iter().filter(|call| call.status == 401).count();
    let row = Row::of(name, happened, &story).await;
    story.ends(&[]).await;
    row
}

/// Nothing that is held is of use any more: the connection ends, and the next one begins where it stopped.
async fn rotated_token(name: &'static str) -> Row {
    let story = Story::with_runs(RUNS).await;
    let gate = Gate::default();
    story.world.strava.fail(On::List(2), Fault::Held(gate.clone()));
    let job_id = story.start(WHOLE_HISTORY).await;
    let rotate = async {
        gate.arrival().await;
        story.world.strava.connect(ATHLETE, "read,activity:read_all,profile:read_all", TOKEN_TTL_S);
        gate.open();
    };
    tokio::join!(story.deliver(job_id), rotate);
    let job = story.job(job_id).await;
    let sentence = "Strava no longer accepts the connection. Please connect Strava again.";
    assert_eq!((job.status.as_str(), job.error_message.as_deref()), ("failed", Some(sentence)));
    let happened = story.world.strava.calls().iter().filter(|call| call.status == 401).count();
    story.world.connect(ATHLETE, story.world.user_id, TOKEN_TTL_S).await;
    let job_id = story.start(WHOLE_HISTORY).await;
    story.deliver(job_id).await;
    assert_eq!(story.job(job_id).await.status, "completed");
    let row = Row::of(name, happened, &story).await;
    story.ends(&[]).await;
    row
}
