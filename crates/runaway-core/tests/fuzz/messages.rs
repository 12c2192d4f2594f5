//! What lies in the queues.

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use jiff::ToSpan as _;
use jiff::civil::date;
use proptest::prelude::*;
use runaway_core::queue::{JournalMessage, Record, SyncMessage, Undone, dispatch};
use testkit::fuzz::{MARK, check, damaged, json, text};
use uuid::Uuid;

const CASES: u32 = 128;

fn sync_message() -> impl Strategy<Value = SyncMessage> {
    (any::<u128>(), any::<bool>()).prop_map(|(bits, is_job)| {
        let id = Uuid::from_u128(bits);
        if is_job { SyncMessage::Job { job_id: id } } else { SyncMessage::Event { event_id: id } }
    })
}

fn journal_message() -> impl Strategy<Value = JournalMessage> {
    (any::<i64>(), 0_i32..3_000_000).prop_map(|(athlete_id, day)| {
        let week_start_date = date(1, 1, 1).checked_add(day.days()).unwrap();
        JournalMessage { athlete_id, week_start_date }
    })
}

/// Bodies near to messages, and far from them.
fn body() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => sync_message().prop_flat_map(|message| damaged(message.to_body().into_bytes())),
        3 => journal_message().prop_flat_map(|message| damaged(message.to_body().into_bytes())),
        2 => json().prop_map(|value| value.to_string().into_bytes()),
        1 => text().prop_map(String::into_bytes),
    ]
    .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn a_message_that_was_written_is_read_again() {
    check("messages written", CASES, &(sync_message(), journal_message()), async |(sync, journal)| {
        prop_assert_eq!(SyncMessage::parse(&sync.to_body()).unwrap(), sync);
        prop_assert_eq!(JournalMessage::parse(&journal.to_body()).unwrap(), journal);
        prop_assert!(JournalMessage::parse(&sync.to_body()).is_err() && SyncMessage::parse(&journal.to_body()).is_err());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn whatever_is_taken_for_a_message_means_the_same_when_it_is_sent_on() {
    check("bodies of messages", CASES, &body(), async |body| {
        match SyncMessage::parse(&body) {
            Ok(message) => {
                prop_assert_eq!(SyncMessage::parse(&message.to_body()).unwrap(), message);
                let digits: String = body.to_lowercase().replace('-', "");
                prop_assert!(digits.contains(&message.id().simple().to_string()), "{} is not in it", message.id());
            }
            Err(error) => prop_assert!(!error.to_string().contains(MARK)),
        }
        if let Ok(message) = JournalMessage::parse(&body) {
            prop_assert_eq!(JournalMessage::parse(&message.to_body()).unwrap(), message);
            prop_assert!(body.contains(&message.athlete_id.to_string()));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn exactly_the_records_that_failed_come_again() {
    let record = (prop::option::of("[a-z0-9-]{0,12}"), prop::option::of(body()), any::<bool>());
    check("batches", CASES, &prop::collection::vec(record, 0..11), async |records| {
        let mut event = SqsEvent::default();
        for (message_id, body, _) in &records {
            let mut record = SqsMessage::default();
            (record.message_id, record.body) = (message_id.clone(), body.clone());
            event.records.push(record);
        }
        let mut n = 0;
        let work = async |record: Record<'_>| {
            n += 1;
            assert_eq!(record.body, records[n - 1].1.as_deref().unwrap_or_default());
            if records[n - 1].2 { Ok(()) } else { Err(Undone::Unreadable) }
        };
        let event = serde_json::to_value(&event).unwrap();
        let answer = dispatch("fuzz", event, |_| None::<()>, work, async |()| Ok(0)).await.unwrap();
        let failures = answer["batchItemFailures"].as_array().unwrap();
        let failed: Vec<String> = failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect();
        let expected: Vec<String> = records.iter().filter(|record| !record.2).map(|record| record.0.clone().unwrap_or_default()).collect();
        prop_assert_eq!((n, failed), (records.len(), expected));
        Ok(())
    })
    .await;
}
