//! How things stand: counts, ages, the rate limit and the queues, of the running world, or of a deployed one whose
//! settings are in the person's environment.

use anyhow::Context as _;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use jiff::Timestamp;
use runaway_core::config::{DatabaseConfig, JournalQueueConfig, QueueConfig};
use runaway_core::db::rate_budget::{self, Left};
use runaway_core::db::status::{self, Counts};
use runaway_core::db::{Db, sync_lag};
use runaway_core::domain::Lane;
use runaway_core::strava::budget::Terms;

use crate::console::say;
use crate::dead_letters::{dead_letter_queue, local_client};
use crate::operator::settings;
use crate::world::own;
use crate::{env_file, tools};

/// One transaction.
const CONNECTIONS_MAX: usize = 1;

/// Settings that say where all of them are from.
const DECISIVE: [&str; 2] = ["DATABASE_URL", "RUNAWAY_SECRET_ARN"];

/// A client for the queues of the settings.
async fn client() -> anyhow::Result<Client> {
    if DECISIVE.into_iter().any(|name| own(name).is_some()) {
        return Ok(Client::new(&aws_config::load_defaults(runaway_core::queue::aws_behavior()).await));
    }
    let world = env_file::read(&tools::state()?)?;
    Ok(local_client(world.get("AWS_ENDPOINT_URL_SQS").context(".devstack/env lacks AWS_ENDPOINT_URL_SQS")?))
}

/// Shows everything.
pub(crate) async fn run() -> anyhow::Result<()> {
    let (settings, client) = (settings(&DECISIVE).await?, client().await?);
    let (database, sync, journal) = settings.read(|s| (DatabaseConfig::read(s), QueueConfig::read(s), JournalQueueConfig::read(s)))?;
    let now = Timestamp::now();
    let tx = Db::new(&database, CONNECTIONS_MAX)?.system().await?;
    let counts = status::counts(&tx, now).await?;
    let lag_s = sync_lag::seconds(&tx, now).await?;
    let left = rate_budget::left(&tx, &Terms::of(Lane::Interactive, now)).await?;
    let paused_until = Some(rate_budget::paused_until(&tx).await?).filter(|until| *until > now);
    tx.commit().await?;
    for line in lines(&counts, lag_s, left, paused_until) {
        say(&line);
    }
    for (name, address) in [("Sync queue", &sync.sync_queue_url), ("Journal queue", &journal.journal_queue_url)] {
        say(&format!("{name:<15} {}", queue(&client, address).await?));
    }
    Ok(())
}

fn lines(counts: &Counts, lag_s: u64, left: Option<Left>, paused_until: Option<Timestamp>) -> Vec<String> {
    let waits = match lag_s {
        0 => "nothing is due that nobody works on, but for whole histories, which wait for their turn".to_owned(),
        _ => format!("the oldest that is due and nobody works on has waited for {lag_s} s"),
    };
    let left = match left {
        None => "no limit named yet".to_owned(),
        Some(left) => format!("{} calls left in the quarter hour, {} today", left.short, left.day),
    };
    let pause = paused_until.map(|until| format!("; nobody calls before {until:.0}")).unwrap_or_default();
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
        format!("Strava's limit  {left}{pause}"),
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
        let counts = Counts {
            athletes: 13,
            connected: 12,
            jobs_pending: 3,
            jobs_in_progress: 1,
            jobs_completed: 40,
            jobs_failed: 2,
            events_unhandled: 5,
            revocations_pending: 1,
        };
        let until: Timestamp = "2026-01-04T06:45:00Z".parse().unwrap();
        let text = lines(&counts, 720, Some(Left { short: 186, day: 1914, day_share: 1914 }), Some(until)).join("\n");
        for expected in
            ["12 connected, 13 in all", "3 pending, 1 in progress", "40 completed, 2 failed", "720 s", "186 calls left", "1914 today"]
        {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert!(text.contains("nobody calls before 2026-01-04T06:45:00Z"), "{text}");
        let idle = lines(&counts, 0, None, None).join("\n");
        assert!(idle.contains("nothing is due") && idle.contains("no limit named yet") && !idle.contains("nobody calls"), "{idle}");
    }
}
