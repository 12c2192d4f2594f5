//! The comparison of both sides, by other statements than those that copied.

use anyhow::Context as _;
use runaway_core::vault::Vault;
use tokio_postgres::Client;

use super::sources::Sources;
use super::tokens;

/// One thing compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// What.
    pub what: &'static str,
    /// How many the predecessor has that were to be moved.
    pub there: i64,
    /// How many of these are here and the same.
    pub here: i64,
}

impl Comparison {
    /// Whether nothing differs.
    pub fn is_equal(&self) -> bool {
        self.there == self.here
    }
}

/// What a metre or a second may differ by where sums of floating point numbers are compared.
const ROUNDING: &str = "1e-6";

/// Compares everything that was moved.
///
/// # Errors
/// When a statement fails.
pub(super) async fn all(client: &Client, sources: &Sources, vault: &Vault) -> anyhow::Result<Vec<Comparison>> {
    let mut all = Vec::new();
    for (what, sql) in statements(sources) {
        let row = client.query_one(&sql, &[]).await.with_context(|| format!("comparing {what}"))?;
        all.push(Comparison { what, there: row.get(0), here: row.get(1) });
    }
    if let Some(source) = &sources.tokens {
        let (there, here) = tokens::compare(client, source, vault).await?;
        all.push(Comparison { what: "tokens that open", there, here });
    }
    Ok(all)
}

fn statements(sources: &Sources) -> Vec<(&'static str, String)> {
    let mut statements = vec![
        (
            "athletes",
            "SELECT count(*), count(a.id) FROM moving_athletes m LEFT JOIN athletes a ON a.id = m.id WHERE m.reason IS NULL".to_owned(),
        ),
        (
            "links of athletes to users",
            "SELECT count(*), count(*) FILTER (WHERE a.id IS NOT NULL AND a.auth_user_id IS NOT DISTINCT FROM m.link)
               FROM moving_athletes m LEFT JOIN athletes a ON a.id = m.id WHERE m.reason IS NULL"
                .to_owned(),
        ),
        (
            "activities",
            format!(
                "SELECT count(*), count(a.id) FROM ({}) c LEFT JOIN activities a ON a.id = c.id AND a.athlete_id = c.athlete WHERE c.reason IS NULL",
                sources.activities
            ),
        ),
        ("sums of each athlete", sums(&sources.activities, "ROW(athlete)", "ROW(athlete_id)")),
        (
            "sums of each athlete's weeks",
            sums(&sources.activities, "ROW(athlete, date_trunc('week', local)::date)", "ROW(athlete_id, week_start)"),
        ),
        ("weeks whose days add up here", days_add_up()),
    ];
    if let Some(source) = &sources.memories {
        statements.push(("memories", format!("SELECT count(*), count(*) FILTER (WHERE h.core_memory = c.memory) FROM ({source}) c LEFT JOIN athlete_ai_profiles h ON h.athlete_id = c.athlete WHERE c.reason IS NULL")));
    }
    if let Some(source) = &sources.messages {
        statements.push(("messages of the coach", format!("SELECT count(*), count(*) FILTER (WHERE (h.conversation_id, h.role, h.message) = (c.conversation, c.role, c.message)) FROM ({source}) c LEFT JOIN chat_conversations h ON h.id = c.id AND h.athlete_id = c.athlete WHERE c.reason IS NULL")));
    }
    if let Some(source) = &sources.entries {
        statements.push(("weeks of the journal", format!("SELECT count(*), count(h.id) FROM ({source}) c LEFT JOIN training_journal h ON h.athlete_id = c.athlete AND h.week_start_date = c.week WHERE c.reason IS NULL")));
    }
    if let Some(source) = &sources.jobs {
        statements.push(("finished syncs", format!("SELECT count(*), count(h.id) FROM ({source}) c LEFT JOIN sync_jobs h ON h.id = c.id AND h.athlete_id = c.athlete WHERE c.reason IS NULL")));
    }
    statements
}

/// Number, distance and time of the moved activities, added up on both sides by the same key. Distances are added as
/// decimals, so that the order of rows does not matter. Activities that Strava has brought since do not count.
fn sums(source: &str, key_there: &str, key_here: &str) -> String {
    let figures = "count(*) AS n, sum(distance::numeric) AS metres, sum(moving_time) AS moving_s, sum(elapsed_time) AS elapsed_s";
    format!(
        "WITH moved AS MATERIALIZED (SELECT id, athlete, local, distance, moving_time, elapsed_time FROM ({source}) c WHERE reason IS NULL),
              there AS (SELECT ({key_there})::text AS key, {figures} FROM moved GROUP BY 1),
              here AS (SELECT ({key_here})::text AS key, {figures} FROM activities WHERE id IN (SELECT id FROM moved) GROUP BY 1)
         SELECT count(*), count(*) FILTER (WHERE (there.n, there.metres, there.moving_s, there.elapsed_s)
                IS NOT DISTINCT FROM (here.n, here.metres, here.moving_s, here.elapsed_s))
           FROM there FULL JOIN here USING (key)"
    )
}

/// Whether the sums of the days, which the triggers keep, are those of the activities.
fn days_add_up() -> String {
    format!(
        "WITH days AS (SELECT athlete_id, local_date - (extract(isodow FROM local_date)::integer - 1) AS week, sum(n) AS n, sum(distance_m) AS metres, sum(moving_s) AS moving_s
                        FROM athlete_days GROUP BY 1, 2),
              weeks AS (SELECT athlete_id, week_start AS week, count(*) AS n, coalesce(sum(distance), 0) AS metres, coalesce(sum(moving_time), 0) AS moving_s
                          FROM activities GROUP BY 1, 2)
         SELECT count(*), count(*) FILTER (WHERE days.n = weeks.n AND days.moving_s = weeks.moving_s AND abs(days.metres - weeks.metres) <= {ROUNDING})
           FROM weeks FULL JOIN days USING (athlete_id, week)"
    )
}
