//! "Remember that …" and "forget …" for the coach without a model. With one, the model has a tool for it.

use runaway_core::db::coach_memory::{FACT_CHARS_MAX, FACTS_MAX, Fact};
use uuid::Uuid;

use crate::safety::hurts;

/// What a turn changes in the memory; stored with the turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A new fact.
    Remember {
        /// `preference`, `goal` or `concern`.
        kind: &'static str,
        /// The words.
        text: String,
    },
    /// A fact less.
    Forget(Uuid),
}

/// Words too common to tell facts apart.
const COMMON: [&str; 24] = [
    "what",
    "told",
    "about",
    "that",
    "this",
    "with",
    "from",
    "have",
    "your",
    "mine",
    "said",
    "please",
    "everything",
    "thing",
    "things",
    "forget",
    "anything",
    "fact",
    "remembered",
    "memory",
    "know",
    "them",
    "does",
    "again",
];

/// What a message asks of the memory: the effects, and the answer.
pub(crate) fn command(message: &str, remembered: &[Fact]) -> Option<(Vec<Effect>, String)> {
    let message = message.trim();
    let lower = message.to_lowercase();
    let behind = |opening: &str| lower.starts_with(opening).then(|| message.get(opening.len()..)).flatten().map(str::trim);
    if let Some(text) =
        ["please remember that ", "remember that ", "please remember ", "note that "].iter().find_map(|opening| behind(opening))
    {
        return remember(text.trim_end_matches(['.', '!']), remembered);
    }
    let forgets = lower.split(['.', '?', '!', ',']).map(str::trim).find(|part| {
        let part = part.strip_prefix("and ").unwrap_or(part);
        part.starts_with("forget ") || part.starts_with("please forget ")
    })?;
    Some(forget(forgets, remembered))
}

/// Whether a fact can be remembered beside what is known and what the turn changes already. The same words need no room.
pub(crate) fn has_room(text: &str, remembered: &[Fact], effects: &[Effect]) -> bool {
    let is_known = remembered.iter().any(|fact| fact.text.to_lowercase() == text.to_lowercase());
    let more = effects.iter().filter(|effect| matches!(effect, Effect::Remember { .. })).count();
    is_known || i64::try_from(remembered.len() + more).is_ok_and(|n| n < FACTS_MAX)
}

fn remember(text: &str, remembered: &[Fact]) -> Option<(Vec<Effect>, String)> {
    if text.is_empty() || text.ends_with('?') {
        return None;
    }
    if text.chars().count() > FACT_CHARS_MAX {
        return Some((vec![], format!("That is more than I can remember at once: please say it in at most {FACT_CHARS_MAX} characters.")));
    }
    if !has_room(text, remembered, &[]) {
        return Some((vec![], "My memory is full: please let me forget something first.".to_owned()));
    }
    let lower = text.to_lowercase();
    let kind = if hurts(text) {
        "concern"
    } else if ["goal", "want to run", "training for", "aim", "hope to"].iter().any(|word| lower.contains(word)) {
        "goal"
    } else {
        "preference"
    };
    let answer = format!("I will remember this {kind}: {text}.");
    Some((vec![Effect::Remember { kind, text: text.to_owned() }], answer))
}

fn forget(what: &str, remembered: &[Fact]) -> (Vec<Effect>, String) {
    let words: Vec<&str> = what.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3 && !COMMON.contains(word)).collect();
    // Of what shares a word with the message, only what shares most: the rest was not meant.
    let shared = |fact: &Fact| {
        let text = fact.text.to_lowercase();
        words.iter().filter(|word| text.contains(**word)).count()
    };
    let most = remembered.iter().map(shared).max().unwrap_or_default();
    let is_everything = words.is_empty() && what.split_whitespace().any(|word| word == "everything");
    let matching: Vec<&Fact> = remembered.iter().filter(|fact| is_everything || (most > 0 && shared(fact) == most)).collect();
    if matching.is_empty() {
        return (vec![], "I remember nothing like that, so there is nothing to forget.".to_owned());
    }
    let told: Vec<String> = matching.iter().map(|fact| format!("“{}”", fact.text)).collect();
    let effects = matching.iter().map(|fact| Effect::Forget(fact.id)).collect();
    (effects, format!("I have forgotten {}.", told.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(text: &str) -> Fact {
        Fact { id: Uuid::nil(), kind: "concern".to_owned(), text: text.to_owned(), created_at: jiff::Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn facts_are_remembered_by_kind() {
        for (message, kind) in [
            ("Remember that I prefer to run in the morning.", "preference"),
            ("please remember that my goal is a sub-4 marathon", "goal"),
            ("remember that my left knee hurts downhill", "concern"),
        ] {
            let (effects, _) = command(message, &[]).unwrap_or_default();
            assert!(matches!(effects.as_slice(), [Effect::Remember { kind: found, .. }] if *found == kind), "{message}");
        }
        assert_eq!(command("Remember the run I called 'Misty loop'?", &[]), None);
        assert_eq!(command("How far did I run?", &[]), None);
    }

    #[test]
    fn forgetting_names_what_is_gone() {
        let facts = [fact("my left knee hurts downhill")];
        let (effects, answer) =
            command("Where did that number come from? And forget what I told you about my knee.", &facts).unwrap_or_default();
        assert_eq!((effects.len(), answer.contains("knee")), (1, true));
        let (effects, _) = command("forget about my achilles", &facts).unwrap_or_default();
        assert!(effects.is_empty());
    }

    #[test]
    fn only_what_is_meant_is_forgotten() {
        let facts = [fact("I like running in the morning"), fact("I like running on trails"), fact("my knee hurts")];
        let forgotten = |message: &str| command(message, &facts).unwrap_or_default().1;
        assert_eq!(forgotten("Forget that I like running in the morning."), "I have forgotten “I like running in the morning”.");
        assert_eq!(
            forgotten("please forget everything you know about me"),
            "I have forgotten “I like running in the morning” and “I like running on trails” and “my knee hurts”."
        );
        assert!(command("forget everything", &[]).unwrap_or_default().0.is_empty());
    }
}
