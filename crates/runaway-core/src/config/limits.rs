//! What one athlete may use in a day of what is paid for.

use super::Reader;

/// Messages a day where `CHAT_MESSAGES_PER_DAY` says nothing.
const CHAT_MESSAGES_DEFAULT: i64 = 100;
/// Model tokens a day where `CHAT_TOKENS_PER_DAY` says nothing.
const CHAT_TOKENS_DEFAULT: i64 = 600_000;
/// Texts a day where `JOURNAL_TEXTS_PER_DAY` says nothing: a year's last weeks, and some written anew.
const JOURNAL_TEXTS_DEFAULT: i64 = 40;
/// Model tokens a day where `JOURNAL_TOKENS_PER_DAY` says nothing.
const JOURNAL_TOKENS_DEFAULT: i64 = 300_000;
/// Syncs a day where `SYNCS_PER_DAY` says nothing: an app that asks whenever it is opened.
const SYNCS_DEFAULT: i64 = 50;
/// Exports a day where `EXPORTS_PER_DAY` says nothing.
const EXPORTS_DEFAULT: i64 = 3;

/// A day's allowance of one athlete; days are UTC.
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
        let tokens_max = from.number("CHAT_TOKENS_PER_DAY", 0).unwrap_or(CHAT_TOKENS_DEFAULT);
        Self { tokens_max, ..Self::requests(from, "CHAT_MESSAGES_PER_DAY", CHAT_MESSAGES_DEFAULT) }
    }

    /// Reads `JOURNAL_TEXTS_PER_DAY` and `JOURNAL_TOKENS_PER_DAY`.
    pub fn read_journal(from: &mut Reader<'_>) -> Self {
        let tokens_max = from.number("JOURNAL_TOKENS_PER_DAY", 0).unwrap_or(JOURNAL_TOKENS_DEFAULT);
        Self { tokens_max, ..Self::requests(from, "JOURNAL_TEXTS_PER_DAY", JOURNAL_TEXTS_DEFAULT) }
    }

    /// Reads `SYNCS_PER_DAY`.
    pub fn read_syncs(from: &mut Reader<'_>) -> Self {
        Self::requests(from, "SYNCS_PER_DAY", SYNCS_DEFAULT)
    }

    /// Reads `EXPORTS_PER_DAY`.
    pub fn read_exports(from: &mut Reader<'_>) -> Self {
        Self::requests(from, "EXPORTS_PER_DAY", EXPORTS_DEFAULT)
    }

    /// A limit of requests for which no model is asked.
    fn requests(from: &mut Reader<'_>, name: &str, default: i64) -> Self {
        let requests_max = from.number(name, 0).unwrap_or(default);
        Self { requests_max: i32::try_from(requests_max).unwrap_or(i32::MAX), tokens_max: i64::MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SETTINGS, Settings};
    use super::*;

    fn limits(from: &mut Reader<'_>) -> [DailyLimit; 4] {
        [DailyLimit::read_chat(from), DailyLimit::read_journal(from), DailyLimit::read_syncs(from), DailyLimit::read_exports(from)]
    }

    const NAMES: [&str; 6] = [
        "CHAT_MESSAGES_PER_DAY",
        "JOURNAL_TEXTS_PER_DAY",
        "SYNCS_PER_DAY",
        "EXPORTS_PER_DAY",
        "CHAT_TOKENS_PER_DAY",
        "JOURNAL_TOKENS_PER_DAY",
    ];

    #[test]
    fn limits_have_defaults_as_the_settings_say() {
        let read = Settings::from_pairs::<&str, &str>([]).read(limits).unwrap();
        let [chat, journal, syncs, exports] = read;
        let requests = read.map(|limit| i64::from(limit.requests_max));
        let defaults = requests.into_iter().chain([chat.tokens_max, journal.tokens_max]);
        assert_eq!((syncs.tokens_max, exports.tokens_max), (i64::MAX, i64::MAX), "no model is asked");
        for (name, default) in NAMES.iter().zip(defaults) {
            let said =
                SETTINGS.iter().any(|setting| setting.name == *name && setting.description.contains(&format!("; {default} where absent")));
            assert!(said, "{name} is not described with its default {default}");
        }
    }

    #[test]
    fn nothing_and_very_much_are_limits_and_nonsense_is_named() {
        let nothing = Settings::from_pairs(NAMES.map(|name| (name, "0"))).read(limits).unwrap();
        assert!(nothing.iter().all(|limit| limit.requests_max == 0));
        let much = Settings::from_pairs(NAMES.map(|name| (name, "9000000000"))).read(limits).unwrap();
        assert!(much.iter().all(|limit| limit.requests_max == i32::MAX && limit.tokens_max >= 9_000_000_000));
        for bad in ["-1", "many", "1.5"] {
            let text = Settings::from_pairs(NAMES.map(|name| (name, bad))).read(limits).unwrap_err().to_string();
            assert!(NAMES.iter().all(|name| text.contains(name)), "{bad}: {text}");
        }
    }
}
