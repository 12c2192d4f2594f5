//! A batch of SQS records, each on its own: one that fails does not fail its neighbours.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};

/// One record.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// SQS's id of the message.
    pub message_id: &'a str,
    /// The body, unread.
    pub body: &'a str,
}

/// Lets `handle` work on each record in turn and answers which ones SQS shall deliver again. A record without an id
/// cannot be named; it fails the whole batch by an empty name, which SQS takes for "all".
pub(super) async fn partial_failures<'a>(event: &'a SqsEvent, mut handle: impl AsyncFnMut(Record<'a>) -> bool) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for record in &event.records {
        let message_id = record.message_id.as_deref().unwrap_or_default();
        let body = record.body.as_deref().unwrap_or_default();
        if !handle(Record { message_id, body }).await {
            response.add_failure(message_id);
        }
    }
    response
}
