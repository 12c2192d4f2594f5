//! The contract of the queues: a message names what to work on, the row holds the truth.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a record of the sync queue asks for. Messages under way outlive a deployment: what was once a message stays one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum SyncMessage {
    /// A job to work on.
    Job {
        /// Its id.
        job_id: Uuid,
    },
    /// An event of Strava's to work off.
    Event {
        /// Its id.
        event_id: Uuid,
    },
}

/// What a record of the journal queue asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalMessage {
    /// Whose week.
    pub athlete_id: i64,
    /// Its Monday.
    pub week_start_date: Date,
}

/// A body that is no message.
#[derive(Debug, thiserror::Error)]
#[error("the body is not a message of this queue")]
pub struct UnreadableMessage;

impl SyncMessage {
    /// Reads a record's body.
    ///
    /// # Errors
    /// [`UnreadableMessage`], which does not quote the body.
    pub fn parse(body: &str) -> Result<Self, UnreadableMessage> {
        serde_json::from_str(body).map_err(|_| UnreadableMessage)
    }

    /// The body of a record.
    pub fn to_body(self) -> String {
        match self {
            Self::Job { job_id } => format!(r#"{{"job_id":"{job_id}"}}"#),
            Self::Event { event_id } => format!(r#"{{"event_id":"{event_id}"}}"#),
        }
    }

    /// The row it names.
    pub const fn id(self) -> Uuid {
        match self {
            Self::Job { job_id } => job_id,
            Self::Event { event_id } => event_id,
        }
    }
}

impl JournalMessage {
    /// Reads a record's body.
    ///
    /// # Errors
    /// [`UnreadableMessage`], which does not quote the body.
    pub fn parse(body: &str) -> Result<Self, UnreadableMessage> {
        serde_json::from_str(body).map_err(|_| UnreadableMessage)
    }

    /// The body of a record.
    pub fn to_body(&self) -> String {
        format!(r#"{{"athlete_id":{},"week_start_date":"{}"}}"#, self.athlete_id, self.week_start_date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journal_messages_under_way_can_always_be_read() {
        let body = r#"{"athlete_id":94451852,"week_start_date":"2025-12-29"}"#;
        let message = JournalMessage::parse(body).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(message.to_body(), body);
        for bad in [
            "",
            "{}",
            r#"{"athlete_id":1}"#,
            r#"{"athlete_id":"1","week_start_date":"2025-12-29"}"#,
            r#"{"athlete_id":1,"week_start_date":"x"}"#,
        ] {
            assert!(JournalMessage::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn messages_under_way_can_always_be_read() {
        for body in [r#"{"job_id":"0198c0de-0000-7000-8000-000000000001"}"#, r#"{"event_id":"0198c0de-0000-7000-8000-000000000001"}"#] {
            let message = SyncMessage::parse(body).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(message.to_body(), body);
        }
        for bad in [
            "",
            "null",
            "{}",
            r#"{"job_id":7}"#,
            r#"{"job_id":"0198c0de-0000-7000-8000-000000000001","x":1}"#,
            r#"{"event_id":"0198c0de-0000-7000-8000-000000000001","job_id":"0198c0de-0000-7000-8000-000000000001"}"#,
        ] {
            assert!(SyncMessage::parse(bad).is_err(), "{bad}");
        }
    }
}
