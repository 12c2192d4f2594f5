//! Whether a text holds a fact: a number with its unit, a date in words or digits, a name.

use serde_json::Value;

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const METRES_PER_MILE: f64 = 1609.344;

/// What a text is searched for.
pub(crate) struct Text {
    text: String,
    /// Numbers with what follows them.
    numbers: Vec<(f64, String)>,
    /// Clock times in seconds, with what follows them.
    clocks: Vec<(f64, String)>,
}

impl Text {
    pub(crate) fn of(text: &str) -> Self {
        let (mut numbers, mut clocks) = (Vec::new(), Vec::new());
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let begins = bytes[at].is_ascii_digit() && (at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'.'));
            if !begins {
                at += 1;
                continue;
            }
            let end = at + bytes[at..].iter().take_while(|b| b.is_ascii_digit() || b",.:".contains(b)).count();
            let token = text[at..end].trim_end_matches([',', '.', ':']);
            let after: String = text[at + token.len()..].chars().take(40).collect();
            if token.contains(':') {
                let parts: Option<Vec<f64>> = token.split(':').map(|part| part.parse().ok()).collect();
                clocks.extend(parts.map(|parts| (parts.iter().fold(0.0, |sum, part| sum * 60.0 + part), after)));
            } else if let Ok(number) = token.replace(',', "").parse() {
                numbers.push((number, after));
            }
            at = end.max(at + 1);
        }
        Self { text: text.to_owned(), numbers, clocks }
    }

    fn any_number(&self, is_right: impl Fn(f64, &str) -> bool) -> bool {
        self.numbers.iter().any(|(number, after)| is_right(*number, after.trim_start()))
    }

    fn is_unit(after: &str, unit: &str) -> bool {
        after.strip_prefix(unit).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/'))
    }

    /// Whether the fact stands in the text; `is_request` is for what the model is sent.
    pub(crate) fn holds(&self, fact: &Value, is_request: bool) -> bool {
        let (key, value) = fact.as_object().and_then(|fact| fact.iter().next()).unwrap();
        let number = value.as_f64().unwrap_or_default();
        match key.as_str() {
            "activity" => !is_request || self.any_number(|found, _| (found - number).abs() < 0.5),
            "date" => self.has_date(value.as_str().unwrap()),
            "km" => {
                let tolerance = if number > 1000.0 { 0.5 } else { 0.06 };
                self.any_number(|found, after| {
                    (Self::is_unit(after, "km") && (found - number).abs() <= tolerance)
                        || (Self::is_unit(after, "mi") && (found * METRES_PER_MILE / 1000.0 - number).abs() <= tolerance)
                })
            }
            "duration_s" => self.has_duration(number),
            "pace_s" => self.clocks.iter().any(|(seconds, after)| after.trim_start().starts_with("/km") && (seconds - number).abs() <= 1.0),
            "elevation_m" => self.any_number(|found, after| Self::is_unit(after, "m") && (found - number).abs() <= 1.0),
            "bpm" => self.any_number(|found, after| after.starts_with("bpm") && (found - number).abs() <= 1.0),
            "count" => self.any_number(|found, after| (found - number).abs() < 0.01 && is_counted(after)),
            "percent" => self.any_number(|found, after| after.starts_with('%') && (found - number.abs()).abs() <= 1.0),
            "name" => self.text.contains(value.as_str().unwrap()),
            "none" => {
                let text = self.text.to_lowercase();
                ["no ", "nothing", "none", "not "].iter().any(|word| text.contains(word))
                    || (is_request && text.contains("\"total_matched\":0"))
            }
            other => panic!("{other} is no kind of fact"),
        }
    }

    fn has_date(&self, date: &str) -> bool {
        let date: jiff::civil::Date = date.parse().unwrap();
        let month = MONTHS[usize::try_from(date.month() - 1).unwrap()];
        let spelt = format!("{} {month} {}", date.day(), date.year());
        let whole = self.text.match_indices(&spelt).any(|(at, _)| !self.text[..at].ends_with(|c: char| c.is_ascii_digit()));
        whole || self.text.contains(&date.to_string())
    }

    fn has_duration(&self, seconds: f64) -> bool {
        let by_clock = self.clocks.iter().any(|(found, after)| (found - seconds).abs() <= 1.0 && !after.trim_start().starts_with('/'));
        let in_words = self.any_number(|hours, after| {
            let minutes =
                after.strip_prefix("h ").and_then(|rest| rest.split_once(" min")).and_then(|(minutes, _)| minutes.parse::<f64>().ok());
            minutes.is_some_and(|minutes| (hours * 3600.0 + minutes * 60.0 - seconds).abs() <= 60.0)
        });
        let minutes = self.any_number(|minutes, after| Self::is_unit(after, "min") && (minutes * 60.0 - seconds).abs() <= 60.0);
        let hours = self.any_number(|hours, after| Self::is_unit(after, "h") && (hours - seconds / 3600.0).abs() <= 0.06);
        by_clock || in_words || (minutes && seconds < 3600.0) || hours
    }
}

/// Whether what follows a number is counted by it, within two words.
fn is_counted(after: &str) -> bool {
    const NOUNS: [&str; 15] = [
        "activit", "run", "ride", "swim", "walk", "hike", "session", "day", "week", "time", "race", "month", "workout", "marathon",
        "strength",
    ];
    after.split_whitespace().take(3).map(str::to_lowercase).any(|word| NOUNS.iter().any(|noun| word.starts_with(noun)))
}

#[test]
fn facts_are_found_with_their_units_only() {
    let text = Text::of("18 runs: 210.40 km in 20 h 12 min (5:46 /km), 1,204 m of climbing, 144 bpm, on Sunday 13 October 2024; 1:45:03");
    let holds = |fact: Value| text.holds(&fact, false);
    for fact in [
        serde_json::json!({"km": 210.43}),
        serde_json::json!({"count": 18}),
        serde_json::json!({"duration_s": 72_740}),
        serde_json::json!({"duration_s": 6303}),
        serde_json::json!({"pace_s": 346}),
        serde_json::json!({"elevation_m": 1204}),
        serde_json::json!({"bpm": 143.6}),
        serde_json::json!({"date": "2024-10-13"}),
    ] {
        assert!(holds(fact.clone()), "{fact}");
    }
    for fact in [
        serde_json::json!({"km": 18}),
        serde_json::json!({"count": 144}),
        serde_json::json!({"duration_s": 346}),
        serde_json::json!({"pace_s": 6303}),
        serde_json::json!({"date": "2024-10-03"}),
        serde_json::json!({"elevation_m": 144}),
        serde_json::json!({"none": true}),
    ] {
        assert!(!holds(fact.clone()), "{fact}");
    }
}
