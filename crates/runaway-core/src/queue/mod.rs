//! The queue: what a message says, how one is sent, and how a batch of records becomes partial failures.

mod batch;
mod dispatch;
mod message;
mod send;

pub use batch::Record;
pub use dispatch::{Undone, UnknownEvent, dispatch};
pub use message::{JournalMessage, SyncMessage, UnreadableMessage};
pub use send::{JournalQueue, QueueError, SEND_DELAY_S_MAX, SyncQueue, aws_behavior};
