//! The queue: what a message says, how one is sent, and how a batch of records becomes partial failures.

mod batch;
mod message;
mod send;

pub use batch::{Record, partial_failures};
pub use message::{JournalMessage, SyncMessage, UnreadableMessage};
pub use send::{JournalQueue, QueueError, SEND_DELAY_S_MAX, SyncQueue, aws_behavior};
