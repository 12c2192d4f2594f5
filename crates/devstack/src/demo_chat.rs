//! The tour goes on: the runner asks the coach, and every number is the same as in the database.

use anyhow::{Context as _, ensure};
use reqwest::header::ACCEPT;
use runaway_core::domain::units::{clock, kilometres};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use crate::console::say;
use crate::demo::{as_the_runner, json_of};
use crate::world::World;

/// A question, and the words that must stand in its answer, computed by one statement on its own.
struct Asked {
    question: &'static str,
    sql: &'static str,
}

const ASKED: [Asked; 4] = [
    Asked {
        question: "What was my longest run ever?",
        sql: "SELECT distance, 0::bigint, trim(to_char(local_date, 'FMDay FMDD FMMonth YYYY')) FROM activities
               WHERE family = 'run' ORDER BY distance DESC NULLS LAST, start_date_local DESC LIMIT 1",
    },
    Asked {
        question: "What is my fastest half marathon?",
        sql: "SELECT distance, moving_time::bigint, trim(to_char(local_date, 'FMDay FMDD FMMonth YYYY')) FROM activities
               WHERE family = 'run' AND distance BETWEEN 21097.5 AND 21097.5 * 1.04 ORDER BY moving_time LIMIT 1",
    },
    Asked {
        question: "When did I last run the 'Misty loop with Anna'?",
        sql: "SELECT distance, moving_time::bigint, trim(to_char(local_date, 'FMDay FMDD FMMonth YYYY')) FROM activities
               WHERE name = 'Misty loop with Anna' ORDER BY start_date_local DESC LIMIT 1",
    },
    Asked { question: "How far did I run last month?", sql: LAST_MONTH },
];
const LAST_MONTH: &str = "
    SELECT sum(distance), 0::bigint, count(*)::text || ' run' FROM activities, (SELECT (now() AT TIME ZONE (SELECT timezone FROM athletes))::date AS d) today
     WHERE family = 'run' AND local_date >= date_trunc('month', d - interval '1 month') AND local_date < date_trunc('month', d)";
/// Understood only by who remembers the question before it.
const FOLLOW_UP: Asked = Asked {
    question: "And in the month before last?",
    sql: "SELECT sum(distance), 0::bigint, count(*)::text || ' run' FROM activities, (SELECT (now() AT TIME ZONE (SELECT timezone FROM athletes))::date AS d) today
           WHERE family = 'run' AND local_date >= date_trunc('month', d - interval '2 months') AND local_date < date_trunc('month', d - interval '1 month')",
};

/// Asks four questions and one that follows on, and compares every answer with the database.
pub(crate) async fn talk(world: &World, http: &reqwest::Client, base: &str, token: &str) -> anyhow::Result<()> {
    say("");
    say("The runner asks the coach:");
    let mut conversation: Option<String> = None;
    for asked in ASKED.iter().chain([&FOLLOW_UP]) {
        let mut body = json!({ "message": asked.question });
        if let Some(id) = &conversation {
            body["conversation_id"] = json!(id);
        }
        let answer = json_of(http.post(format!("{base}/chat")).bearer_auth(token).json(&body)).await.context("asking the coach")?;
        let text = answer["answer"].as_str().context("an answer without words")?;
        conversation = answer["conversation_id"].as_str().map(str::to_owned);
        say("");
        say(&format!("  {}", asked.question));
        say(&format!("  > {}", text.lines().next().unwrap_or_default()));
        compare(world, asked, text).await?;
    }
    stream(http, base, token).await?;
    say("");
    say("Every number in the answers equals the database's.");
    Ok(())
}

/// Whether the answer has the distance, the time and the day that the statement finds.
async fn compare(world: &World, asked: &Asked, answer: &str) -> anyhow::Result<()> {
    let row = as_the_runner(world, async |tx: &Transaction<'_>| Ok(tx.query_opt(asked.sql, &[]).await?)).await?;
    let Some(row) = row else { return Ok(()) };
    let (metres, seconds, words): (Option<f64>, i64, String) = (row.get(0), row.get(1), row.get(2));
    let time = (seconds > 0).then(|| clock(seconds));
    for expected in [metres.map(kilometres), time, Some(words)].into_iter().flatten() {
        ensure!(answer.contains(&expected), "the coach answers {:?} with {answer:?}, the database says {expected}", asked.question);
    }
    Ok(())
}

/// The same answer as server-sent events.
async fn stream(http: &reqwest::Client, base: &str, token: &str) -> anyhow::Result<()> {
    let body: Value = json!({ "message": "How many runs have I done this year?" });
    let answer = http.post(format!("{base}/chat")).bearer_auth(token).header(ACCEPT, "text/event-stream").json(&body).send().await?;
    let kind = answer.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let text = answer.text().await?;
    ensure!(kind.starts_with("text/event-stream"), "the answer was not streamed but {kind}");
    ensure!(text.contains("event: delta") && text.contains("event: done"), "the stream has no end: {text}");
    Ok(())
}
