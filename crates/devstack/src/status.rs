//! How things stand: counts, ages, the rate limit and the queues, of the running world, or of a deployed one whose
//! settings are in the person's environment.

use anyhow::Context as _;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use jiff::Timestamp;
use runaway_core::config::{DatabaseConfig, JournalQueueConfig, QueueConfig, SETTINGS, Settings};
use runaway_core::db::Db;
use runaway_core::db::status::{self, Budget, Counts};
use runaway_core::domain::Lane;
use runaway_core::strava::budget::{Terms, Usage};

use crate::console::say;
use crate::dead_letters::{dead_letter_queue, local_client};
use crate::world::own;
use crate::{env_file, tools};

/// One transaction.
const CONNECTIONS_MAX: usize = 1;

/// The functions' settings and a client for their queues. The presence of a database decides where all of them are from.
async fn settings() -> anyhow::Result<(Settings, Client)> {
    if ["DATABASE_URL", "RUNAWAY_SECRET_ARN"].into_iter().any(|name| own(name).is_some()) {
        let shared = aws_config::load_defaults(runaway_core::queue::aws_behavior()).await;
        return Ok((Settings::load().await?, Client::new(&shared)));
    }
    let world =
        env_file::read(&tools::state()?).context("neither DATABASE_URL nor RUNAWAY_SECRET_ARN is set, nor does a world run here")?;
    let client = local_client(world.get("AWS_ENDPOINT_URL_SQS").context(".devstack/env lacks AWS_ENDPOINT_URL_SQS")?);
    let known = world.into_iter().filter(|(name, value)| SETTINGS.iter().any(|setting| setting.name == name) && !value.is_empty());
    Ok((Settings::from_pairs(known), client))
}

/// Shows everything.
pub(crate) async fn run() -> anyhow::Result<()> {
    let (settings, client) = settings().await?;
    let (database, sync, journal) = settings.read(|s| (DatabaseConfig::read(s), QueueConfig::read(s), JournalQueueConfig::read(s)))?;
    let now = Timestamp::now();
    let tx = Db::new(&database, CONNECTIONS_MAX)?.system().await?;
    let counts = status::counts(&tx, now).await?;
    let budget = status::budget(&tx, &Terms::of(Lane::Interactive, now)).await?;
    tx.commit().await?;
    for line in lines(&counts, &budget, now) {
        say(&line);
    }
    for (name, address) in [("Sync queue", &sync.sync_queue_url), ("Journal queue", &journal.journal_queue_url)] {
        say(&format!("{name:<15} {}", queue(&client, address).await?));
    }
    Ok(())
}

fn lines(counts: &Counts, budget: &Budget, now: Timestamp) -> Vec<String> {
    let waits = match counts.oldest_due {
        None => "nothing is due that nobody works on".to_owned(),
        Some(at) => format!("the oldest that is due and nobody works on has waited for {} s", (now.as_second() - at.as_second()).max(0)),
    };
    let window = |usage: Option<Usage>| match usage {
        None => "no limit named yet".to_owned(),
        Some(usage) => format!("{} calls left of {}", (usage.limit - usage.used).max(0), usage.limit),
    };
    let pause = if budget.not_before > now { format!("; nobody calls before {:.0}", budget.not_before) } else { String::new() };
    vec![
        format!(
            "Athletes        {} connected, {} in all; {} revocations pending",
            counts.connected, counts.athletes, counts.revocations_pending
        ),
        format!(
            "Sync jobs       {} pending, {} in progress; in the last 24 hours {} completed, {} failed",
            counts.jobs_pending, counts.jobs_in_progress, counts.jobs_completed, counts.jobs_failed
        ),
        format!("Announcements   {} not worked off", counts.events_unhandled),
        format!("Lag             {waits}"),
        format!("Strava's limit  quarter hour: {}; day: {}{pause}", window(budget.short), window(budget.day)),
    ]
}

/// One line about a queue and its dead letters. SQS counts about right, not exactly.
async fn queue(client: &Client, address: &str) -> anyhow::Result<String> {
    use QueueAttributeName::{
        ApproximateNumberOfMessages as Waiting, ApproximateNumberOfMessagesDelayed as Delayed,
        ApproximateNumberOfMessagesNotVisible as UnderWay,
    };
    let count = async |address: &str, attribute: QueueAttributeName| -> anyhow::Result<String> {
        let request = client.get_queue_attributes().queue_url(address).attribute_names(attribute.clone());
        let attributes = request.send().await.context("reading a queue")?.attributes.unwrap_or_default();
        attributes.get(&attribute).cloned().context("a queue without a count")
    };
    let dead = dead_letter_queue(client, address).await?;
    Ok(format!(
        "{} messages waiting, {} under way, {} delayed; {} dead letters",
        count(address, Waiting).await?,
        count(address, UnderWay).await?,
        count(address, Delayed).await?,
        count(&dead, Waiting).await?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_and_what_waits_are_said_and_nothing_is_made_up() {
        let now: Timestamp = "2026-01-04T06:30:00Z".parse().unwrap();
        let counts = Counts {
            athletes: 13,
            connected: 12,
            jobs_pending: 3,
            jobs_in_progress: 1,
            jobs_completed: 40,
            jobs_failed: 2,
            events_unhandled: 5,
            revocations_pending: 1,
            oldest_due: Some("2026-01-04T06:18:00Z".parse().unwrap()),
        };
        let usage = Usage { limit: 200, used: 14 };
        let paused = Budget { short: Some(usage), day: None, not_before: "2026-01-04T06:45:00Z".parse().unwrap() };
        let text = lines(&counts, &paused, now).join("\n");
        for expected in ["12 connected, 13 in all", "3 pending, 1 in progress", "40 completed, 2 failed", "720 s", "186 calls left of 200"]
        {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert!(text.contains("day: no limit named yet; nobody calls before 2026-01-04T06:45:00Z"), "{text}");
        let idle = lines(&Counts { oldest_due: None, ..counts }, &Budget { not_before: now, ..paused }, now).join("\n");
        assert!(idle.contains("nothing is due") && !idle.contains("nobody calls"), "{idle}");
    }
}
