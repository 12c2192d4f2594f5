//! `make status` and `make logs`.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use testkit::World;
use uuid::Uuid;

use crate::Clone;

const TOKEN_TTL_S: i64 = 6 * 3600;

/// A queue with a dead-letter queue that holds `dead` messages.
async fn queue(client: &Client, dead: usize) -> String {
    let name = format!("status-{}", Uuid::new_v4().simple());
    let letters = client.create_queue().queue_name(format!("{name}-dead")).send().await.unwrap().queue_url.unwrap();
    let request = client.get_queue_attributes().queue_url(&letters).attribute_names(QueueAttributeName::QueueArn);
    let arn = request.send().await.unwrap().attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
    for _ in 0..dead {
        client.send_message().queue_url(&letters).message_body("dead").send().await.unwrap();
    }
    let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": 5 }).to_string();
    let request = client.create_queue().queue_name(name).attributes(QueueAttributeName::RedrivePolicy, policy);
    request.send().await.unwrap().queue_url.unwrap()
}

#[tokio::test]
async fn how_things_stand_is_told_without_anything_of_anybodys() {
    let world = World::new().await;
    world.connected_athlete(94_451_852, world.user_id, vec![], TOKEN_TTL_S).await;
    let sql = "INSERT INTO sync_jobs (id, athlete_id, sync_type, lane, not_before) VALUES (gen_random_uuid(), 94451852, 'full', 'interactive', now() - interval '1 hour 30 seconds')";
    world.database.owner().await.batch_execute(sql).await.unwrap();
    let client = Client::new(&aws_config::load_defaults(runaway_core::queue::aws_behavior()).await);
    let (sync, journal) = (queue(&client, 2).await, queue(&client, 0).await);
    client.send_message().queue_url(&sync).message_body("{}").send().await.unwrap();

    let database = world.database.app_url();
    let variables = [("DATABASE_URL", database.as_str()), ("SYNC_QUEUE_URL", &sync), ("JOURNAL_QUEUE_URL", &journal)];
    let clone = Clone::new();
    let outcome = clone.run(&["status"], &variables);
    outcome.assert_done(&["1 connected, 1 in all", "1 pending, 0 in progress", "has waited for 36", "no limit named yet"]);
    outcome.assert_done(&["Sync queue      1 messages waiting, 0 under way, 0 delayed; 2 dead letters"]);
    outcome.assert_done(&["Journal queue   0 messages waiting, 0 under way, 0 delayed; 0 dead letters"]);
    assert!(!outcome.text.contains("94451852"), "{}", outcome.text);

    clone.run(&["status"], &variables[..1]).assert_refused(&["SYNC_QUEUE_URL is missing"]);
    clone.run(&["status"], &[]).assert_refused(&["neither DATABASE_URL nor RUNAWAY_SECRET_ARN is set", "make dev"]);
}

#[test]
fn the_worlds_files_are_shown_from_a_time_on() {
    let clone = Clone::new();
    let line = |ago_min: i64, text: &str| {
        json!({ "timestamp": Timestamp::now() - SignedDuration::from_mins(ago_min), "level": "INFO", "message": text }).to_string()
    };
    clone.write(".devstack/chat.log", &format!("{}\n{}\n", line(90, "long ago"), line(1, "just now")));
    clone.write(".devstack/journal.log", &format!("{}\n", line(1, "of the journal")));
    let here = ("AWS_REGION", "");
    let outcome = clone.run(&["logs"], &[here]);
    outcome.assert_done(&["--- chat", "just now", "of the journal"]);
    assert!(!outcome.text.contains("long ago"), "{}", outcome.text);
    let outcome = clone.run(&["logs"], &[here, ("FUNCTION", "chat"), ("SINCE", "2h")]);
    outcome.assert_done(&["long ago", "just now"]);
    assert!(!outcome.text.contains("of the journal"), "{}", outcome.text);
    clone.run(&["logs"], &[here, ("FUNCTION", "chatter")]).assert_refused(&["FUNCTION is none of", "sync-processor"]);
    clone.run(&["logs"], &[here, ("SINCE", "soon")]).assert_refused(&["SINCE=soon is unclear"]);
}

#[test]
fn the_deployed_functions_logs_are_sams() {
    let clone = Clone::new();
    clone.stand_in("aws", "exit 1");
    clone.stand_in("sam", "echo a line of CloudWatch");
    let variables = [("FUNCTION", "sync-processor"), ("SINCE", "30m"), ("FOLLOW", "1"), ("AWS_REGION", "eu-west-1")];
    clone.run(&["logs"], &variables).assert_done(&["a line of CloudWatch", "Since 30 minutes ago"]);
    let expected = "sam logs --stack-name runaway --region eu-west-1 --start-time 30 minutes ago --name SyncProcessorFunction --tail";
    assert_eq!(clone.calls(), [expected]);
}
