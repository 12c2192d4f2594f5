//! The copying: step by step, each in batches that commit together with the mark of how far the step has come. A step
//! that is done is never done again, so that nothing deleted here since comes back.

use anyhow::Context as _;
use runaway_core::vault::Vault;
use tokio_postgres::{Client, Transaction};

use super::sources::{Sources, offset_s};
use super::{OLD, tokens};

/// Activities of one batch.
const ACTIVITIES_PER_BATCH: i64 = 500;
/// Athletes of one batch, of whom all rows of a table are moved at once.
const ATHLETES_PER_BATCH: i64 = 50;

/// One kind of rows.
struct Step {
    name: &'static str,
    /// The greatest key of the batch behind $1, of $2 keys at most; null when there is none.
    upper_key: String,
    per_batch: i64,
    /// What is written for the keys from $1, exclusive, to $2, inclusive, one after the other.
    statements: Vec<String>,
}

/// Runs all steps. Returns how many rows each has written now.
///
/// # Errors
/// When a statement fails; what was committed before stays.
pub(super) async fn all(
    client: &mut Client,
    sources: &Sources,
    vault: &Vault,
    say: &impl Fn(&str),
) -> anyhow::Result<Vec<(&'static str, u64)>> {
    let mut written = Vec::new();
    for step in steps(sources) {
        say(&format!("Moving {} …", step.name));
        written.push((step.name, run(client, &step, None).await.with_context(|| format!("moving {}", step.name))?));
        // Right behind the athletes and their activities: what needs both comes later.
        if let (tokens::NAME_BEFORE, Some(source)) = (step.name, &sources.tokens) {
            say("Sealing tokens …");
            let step = by_athlete(tokens::NAME, Vec::new());
            written.push((tokens::NAME, run(client, &step, Some((source, vault))).await.context("moving tokens")?));
        }
    }
    Ok(written)
}

fn steps(sources: &Sources) -> Vec<Step> {
    let mut steps = vec![by_athlete("athletes", vec![athletes()]), activities(&sources.activities)];
    steps.extend(sources.memories.as_deref().map(|source| by_athlete("memories", vec![memories(source)])));
    steps.extend(sources.messages.as_deref().map(|source| by_athlete("conversations", conversations(source))));
    steps.extend(sources.entries.as_deref().map(|source| by_athlete("journal", vec![entries(source)])));
    steps.extend(sources.jobs.as_deref().map(|source| by_athlete("finished syncs", vec![jobs(source)])));
    steps
}

fn by_athlete(name: &'static str, statements: Vec<String>) -> Step {
    let upper_key =
        "SELECT max(id) FROM (SELECT id FROM moving_athletes WHERE reason IS NULL AND id > $1 ORDER BY id LIMIT $2) k".to_owned();
    Step { name, upper_key, per_batch: ATHLETES_PER_BATCH, statements }
}

/// A link that somebody else has taken here by now is not taken from them.
fn athletes() -> String {
    "INSERT INTO athletes (id, auth_user_id, first_name, last_name, profile, city, state, country, sex, weight, premium, strava_connected,
                           strava_connected_at, strava_disconnected_at, created_at, updated_at)
     SELECT m.id, CASE WHEN NOT EXISTS (SELECT 1 FROM athletes o WHERE o.auth_user_id = m.link) THEN m.link END, m.first_name, m.last_name,
            m.profile, m.city, m.state, m.country, m.sex, m.weight, m.premium, false, m.connected_at,
            CASE WHEN m.connected IS NOT TRUE THEN m.disconnected_at END, coalesce(m.created_at, now()), coalesce(m.updated_at, now())
       FROM moving_athletes m WHERE m.reason IS NULL AND m.id > $1 AND m.id <= $2 ORDER BY m.id
     ON CONFLICT (id) DO NOTHING"
        .to_owned()
}

fn activities(source: &str) -> Step {
    let statement = format!(
        "INSERT INTO activities (id, athlete_id, name, description, type, distance, moving_time, elapsed_time, activity_date, start_date_local,
                timezone, utc_offset_s, elevation_gain, elev_high, elev_low, average_speed, max_speed, average_cadence, average_heart_rate,
                max_heart_rate, average_watts, max_watts, kilojoules, device_watts, suffer_score, workout_type, trainer, commute, manual,
                private, flagged, start_latlng, end_latlng, upload_id, external_id, device_name, map_summary_polyline, source, created_at, updated_at)
         SELECT id, athlete, coalesce(name, ''), description, type, distance, moving_time::integer, elapsed_time::integer, start, local,
                timezone, {offset}, elevation_gain, elev_high, elev_low, average_speed, max_speed, average_cadence, average_heart_rate,
                max_heart_rate, average_watts, max_watts, kilojoules, device_watts, suffer_score, workout_type::integer, trainer, commute, manual,
                private, flagged, start_latlng, end_latlng, upload_id, external_id, device_name, map_summary_polyline, coalesce(source, 'strava'),
                coalesce(created_at, now()), coalesce(updated_at, now())
           FROM ({source}) c WHERE reason IS NULL AND id > $1 AND id <= $2 ORDER BY id
         ON CONFLICT (id) DO NOTHING",
        offset = offset_s(),
    );
    Step {
        name: "activities",
        upper_key: format!(
            "SELECT max(id) FROM (SELECT DISTINCT p.id::bigint AS id FROM {OLD}.activities p WHERE p.id > $1 ORDER BY 1 LIMIT $2) k"
        ),
        per_batch: ACTIVITIES_PER_BATCH,
        statements: vec![statement],
    }
}

fn memories(source: &str) -> String {
    format!(
        "INSERT INTO athlete_ai_profiles (athlete_id, core_memory, created_at, updated_at)
         SELECT athlete, memory, coalesce(created_at, now()), coalesce(updated_at, now()) FROM ({source}) c
          WHERE reason IS NULL AND athlete > $1 AND athlete <= $2
         ON CONFLICT (athlete_id) DO NOTHING"
    )
}

/// The conversation first, then its messages.
fn conversations(source: &str) -> Vec<String> {
    /// As many characters as the coach shows of a conversation in the list.
    const PREVIEW_CHARS: usize = 120;
    let first = format!(
        "INSERT INTO coach_conversations (id, athlete_id, preview, created_at, updated_at)
         SELECT conversation, min(athlete), left((array_agg(message ORDER BY at, id))[1], {PREVIEW_CHARS}), min(at), max(at) FROM ({source}) c
          WHERE reason IS NULL AND athlete > $1 AND athlete <= $2 GROUP BY conversation
         ON CONFLICT (id) DO NOTHING"
    );
    let second = format!(
        "INSERT INTO chat_conversations (id, athlete_id, conversation_id, role, message, \"timestamp\")
         SELECT c.id, c.athlete, c.conversation, c.role, c.message, c.at FROM ({source}) c
           JOIN coach_conversations o ON o.id = c.conversation AND o.athlete_id = c.athlete
          WHERE reason IS NULL AND athlete > $1 AND athlete <= $2
         ON CONFLICT (id) DO NOTHING"
    );
    vec![first, second]
}

/// An entry counts as stale, as its week has no record of what it was written from.
fn entries(source: &str) -> String {
    format!(
        "INSERT INTO training_journal (id, athlete_id, week_start_date, narrative, week_stats, insights, generation_model, generation_timestamp, updated_at)
         SELECT id, athlete, week, narrative, stats, insights, model, at, updated_at FROM ({source}) c
          WHERE reason IS NULL AND athlete > $1 AND athlete <= $2
         ON CONFLICT DO NOTHING"
    )
}

fn jobs(source: &str) -> String {
    const FAILED: &str = "This sync failed before the app moved to its new home.";
    format!(
        "INSERT INTO sync_jobs (id, athlete_id, sync_type, status, after_s, before_s, progress, activities_processed, activities_failed,
                error_message, created_at, started_at, updated_at, completed_at)
         SELECT id, athlete, kind, status, after_s, before_s, CASE status WHEN 'completed' THEN 100 ELSE 0 END, coalesce(processed, 0),
                coalesce(failed, 0), CASE status WHEN 'failed' THEN '{FAILED}' END, created_at, started_at,
                coalesce(completed_at, created_at), coalesce(completed_at, created_at)
           FROM ({source}) c WHERE reason IS NULL AND athlete > $1 AND athlete <= $2
         ON CONFLICT (id) DO NOTHING"
    )
}

async fn run(client: &mut Client, step: &Step, sealing: Option<(&String, &Vault)>) -> anyhow::Result<u64> {
    let mut written = 0;
    loop {
        let transaction = client.transaction().await?;
        let sql = format!("SELECT last, done FROM {OLD}.move_over_progress WHERE step = $1");
        let (last, is_done) = transaction.query_opt(&sql, &[&step.name]).await?.map_or((0, false), |row| (row.get(0), row.get(1)));
        if is_done {
            return Ok(written);
        }
        let upper: Option<i64> = transaction.query_one(&step.upper_key, &[&last, &step.per_batch]).await?.get(0);
        if let Some(upper) = upper {
            for statement in &step.statements {
                written += transaction.execute(statement, &[&last, &upper]).await?;
            }
            if let Some((source, vault)) = sealing {
                written += tokens::seal_batch(&transaction, source, vault, last, upper).await?;
            }
        }
        mark(&transaction, step.name, upper.unwrap_or(last), upper.is_none()).await?;
        transaction.commit().await?;
    }
}

async fn mark(transaction: &Transaction<'_>, step: &str, last: i64, is_done: bool) -> anyhow::Result<()> {
    let sql = format!(
        "INSERT INTO {OLD}.move_over_progress (step, last, done) VALUES ($1, $2, $3)
         ON CONFLICT (step) DO UPDATE SET last = excluded.last, done = excluded.done"
    );
    transaction.execute(&sql, &[&step, &last, &is_done]).await?;
    Ok(())
}
