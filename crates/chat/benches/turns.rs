//! How long a turn of the coach takes without a model, by what is asked, with 1,000 and with 100,000 activities on the
//! same days. It prints and asserts nothing: how fast a machine is proves nothing.
#![expect(clippy::unwrap_used, reason = "it ends where something is missing")]
#![expect(clippy::print_stdout, reason = "it speaks to a person")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat::App;
use jiff::Timestamp;
use runaway_core::clock::Clock;
use runaway_core::config::DailyLimit;
use serde_json::json;
use testkit::World;
use testkit::call::request;
use uuid::Uuid;

const NOW: &str = "2026-11-27T12:00:00Z";
/// Activities of the two athletes.
const COUNTS: [i64; 2] = [1_000, 100_000];
/// Turns of each kind and athlete, in turns, so that what else the machine does slows both.
const RUNS: usize = 15;
const QUESTIONS: [(&str, &str); 12] = [
    ("the opening facts", "Thanks!"),
    ("a lifetime total", "How many km have I run in all?"),
    ("a year's window", "How far did I run in 2025?"),
    ("a week", "What did I do last week?"),
    ("a superlative", "What was my longest run ever?"),
    ("a comparison", "Did I run more this month than last month?"),
    ("a trend", "How has my weekly distance developed?"),
    ("a record", "What is my fastest 10 km?"),
    ("a prediction", "What could I run for a half marathon?"),
    ("rest days", "What is my longest streak?"),
    ("single runs, all of them", "How many runs over 10 miles have I done?"),
    ("a name", "How was the Morning round 77?"),
];

async fn turn(app: &Arc<App>, token: &str, question: &str) -> Duration {
    let begun = Instant::now();
    let answer = chat::handle(app, request("POST", "/chat", Some(token), &json!({ "message": question }).to_string())).await;
    assert_eq!(answer.status(), 200, "{question}");
    drop(answer.into_body().collect().await);
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let world = World::new().await;
    let now: Timestamp = NOW.parse().unwrap();
    let mut tokens = Vec::new();
    for (id, count) in (1..).zip(COUNTS) {
        let user = Uuid::new_v4();
        world.athlete_with_many(id, user, count, now.to_zoned(jiff::tz::TimeZone::UTC).date()).await;
        tokens.push(world.issuer.token(user));
    }
    let mut app = App::new(&world.settings()).unwrap();
    (app.clock, app.limit) = (Clock::from_fn(move || now), DailyLimit { requests_max: i32::MAX, tokens_max: i64::MAX });
    let app = Arc::new(app);
    println!("{:<26}{:>14}{:>16}{:>8}", "medians, milliseconds", "1,000", "100,000", "ratio");
    for (what, question) in QUESTIONS {
        let mut times = [vec![], vec![]];
        for run in 0..=RUNS {
            for (token, times) in tokens.iter().zip(&mut times) {
                let time = turn(&app, token, question).await;
                // The first of each fills the caches.
                times.extend((run > 0).then_some(time));
            }
        }
        let [few, many] = times.map(median);
        println!("{what:<26}{few:>14.1}{many:>16.1}{:>8.2}", many / few);
    }
}
