//! What one athlete may use in a day of what is paid for.

use super::Reader;

/// Messages a day where `CHAT_MESSAGES_PER_DAY` says nothing.
const CHAT_MESSAGES_DEFAULT: i32 = 100;
/// Model tokens a day where `CHAT_TOKENS_PER_DAY` says nothing.
const CHAT_TOKENS_DEFAULT: i64 = 600_000;

/// A day's allowance of one athlete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyLimit {
    /// Requests.
    pub requests_max: i32,
    /// Model tokens, read and written.
    pub tokens_max: i64,
}

impl DailyLimit {
    /// Reads `CHAT_MESSAGES_PER_DAY` and `CHAT_TOKENS_PER_DAY`.
    pub fn read_chat(from: &mut Reader<'_>) -> Self {
        let requests_max = number(from, "CHAT_MESSAGES_PER_DAY", i64::from(CHAT_MESSAGES_DEFAULT));
        Self {
            requests_max: i32::try_from(requests_max).unwrap_or(i32::MAX),
            tokens_max: number(from, "CHAT_TOKENS_PER_DAY", CHAT_TOKENS_DEFAULT),
        }
    }
}

fn number(from: &mut Reader<'_>, name: &str, default: i64) -> i64 {
    match from.optional(name).map(|text| text.parse()) {
        None => default,
        Some(Ok(number)) if number >= 0 => number,
        Some(_) => {
            from.problem(name, "is not a whole number");
            default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn limits_have_defaults_and_refuse_nonsense() {
        let read = |value: &str| Settings::from_pairs([("CHAT_MESSAGES_PER_DAY", value)]).read(DailyLimit::read_chat);
        assert_eq!(Settings::from_pairs::<&str, &str>([]).read(DailyLimit::read_chat).map(|limit| limit.requests_max).ok(), Some(100));
        assert_eq!(read("0").map(|limit| limit.requests_max).ok(), Some(0));
        for bad in ["-1", "many", "1.5"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
