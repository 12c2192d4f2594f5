//! Distances in a question, and what is meant by them: a bound, or a race's distance.

use runaway_core::domain::units::METRES_PER_MILE;
use runaway_core::domain::{STANDARD_DISTANCES, WHOLE_ACTIVITY_TOLERANCE};

use super::words::Words;

/// Distances a question names.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Distances {
    /// At least so many metres.
    pub(crate) min_m: Option<f64>,
    /// At most so many metres.
    pub(crate) max_m: Option<f64>,
    /// Distances named without a bound, metres: a race's, or that of a run.
    pub(crate) named_m: Vec<f64>,
}

const OVER: [&str; 9] = ["over", "above", "than", "least", "exceeding", "beyond", ">", "≥", "past"];
const UNDER: [&str; 7] = ["under", "below", "most", "<", "≤", "within", "shorter"];
const MARATHON_M: f64 = 42_195.0;
const HALF_MARATHON_M: f64 = 21_097.5;

/// Metres of the unit a word names.
fn unit_m(word: &str) -> Option<f64> {
    match word {
        "k" | "km" | "kms" | "kilometer" | "kilometers" | "kilometre" | "kilometres" | "ks" => Some(1000.0),
        "mi" | "mile" | "miles" | "mil" => Some(METRES_PER_MILE),
        "m" | "meter" | "meters" | "metre" | "metres" => Some(1.0),
        _ => None,
    }
}

fn amount(word: &str) -> Option<f64> {
    word.replace(',', ".").parse::<f64>().ok().filter(|n| *n > 0.0 && *n < 100_000.0)
}

/// Metres at a place and the number of words they take: "10k", "10 km", "half marathon".
fn distance_at(words: &Words, place: usize) -> Option<(f64, usize)> {
    let (word, next) = (words.at(place), words.at(place + 1));
    match (word, next) {
        ("half", "marathon" | "marathons") => return Some((HALF_MARATHON_M, 2)),
        ("half" | "halves" | "hm", next) if !["of", "an", "a", "hour", "the", "year"].contains(&next) => {
            // "I fade in the second half" is no race.
            return (words.before(place) != "second").then_some((HALF_MARATHON_M, 1));
        }
        ("marathon" | "marathons", _) => return Some((MARATHON_M, 1)),
        ("five" | "ten", "k") => return Some((if word == "ten" { 10_000.0 } else { 5_000.0 }, 2)),
        _ => {}
    }
    if let (Some(n), Some(metres)) = (amount(word), unit_m(next)) {
        return Some((n * metres, 2));
    }
    let digits = word.find(|c: char| c.is_ascii_alphabetic())?;
    let (n, unit) = word.split_at_checked(digits)?;
    Some((amount(n)? * unit_m(unit)?, 1))
}

/// Takes the distances out of a question.
pub(crate) fn distances(words: &mut Words) -> Distances {
    let mut found = Distances::default();
    let mut place = 0;
    while place < words.len() {
        let is_free = words.is_free(place);
        let Some((metres, count)) = distance_at(words, place).filter(|_| is_free) else {
            if is_free && words.at(place).starts_with("ultra") {
                found.min_m = Some(MARATHON_M * (1.0 + WHOLE_ACTIVITY_TOLERANCE));
                words.take(place, 1);
            }
            place += 1;
            continue;
        };
        let before = words.before(place);
        // "longer than a marathon", "at least 20 km", "20 km or more"
        let before = if matches!(before, "a" | "an" | "the") { words.before(place - 1) } else { before };
        let after = (words.at(place + count), words.at(place + count + 1));
        let more = OVER.contains(&before) && !is_less_than(words, place);
        if more || matches!(after, ("or", "more" | "longer" | "further") | ("plus", _)) || words.at(place + count) == "+" {
            found.min_m = Some(metres);
        } else if UNDER.contains(&before) || is_less_than(words, place) || matches!(after, ("or", "less" | "shorter")) {
            found.max_m = Some(metres);
        } else if words.at(place + count) == "and" && before == "between" {
            found.min_m = Some(metres);
        } else if before == "and" && found.min_m.is_some() && found.named_m.is_empty() {
            found.max_m = Some(metres);
        } else if !found.named_m.contains(&metres) {
            found.named_m.push(metres);
        }
        words.take(place, count);
        place += count;
    }
    bare_lower_border(words, &mut found);
    found
}

/// "less than 10 km", "shorter than 10 km".
fn is_less_than(words: &Words, place: usize) -> bool {
    words.before(place) == "than" && place >= 2 && matches!(words.at(place - 2), "less" | "shorter" | "fewer" | "smaller")
}

/// "between 10 and 15 km": the unit of the second belongs to both.
fn bare_lower_border(words: &Words, found: &mut Distances) {
    let Some(place) = (0..words.len()).find(|&place| words.at(place) == "between" && words.at(place + 2) == "and") else { return };
    if let (Some(low), Some((high, _)), [named]) = (amount(words.at(place + 1)), distance_at(words, place + 3), found.named_m.as_slice())
        && (high - named).abs() < 1.0
    {
        let unit = distance_at(words, place + 3).and_then(|_| unit_m(words.at(place + 4))).unwrap_or(1000.0);
        (found.min_m, found.max_m) = (Some(low * unit), Some(high));
        found.named_m.clear();
    }
}

/// "longer than two hours", "over 90 minutes", "at least 1.5 h": takes the time out, in seconds.
pub(crate) fn moving_min_s(words: &mut Words) -> Option<i32> {
    const HOUR_S: f64 = 3600.0;
    for place in 1..words.len() {
        let n =
            amount(words.at(place)).or_else(|| super::words::number(words.at(place)).and_then(|n| i32::try_from(n).ok()).map(f64::from));
        let unit_s = match words.at(place + 1) {
            "hour" | "hours" | "h" | "hrs" | "hr" => HOUR_S,
            "minutes" | "minute" | "min" | "mins" => 60.0,
            _ => continue,
        };
        if let Some(n) = n.filter(|_| OVER.contains(&words.before(place)) && !is_less_than(words, place)) {
            words.take(place, 2);
            #[expect(clippy::cast_possible_truncation, reason = "hours of one activity")]
            return Some((n * unit_s) as i32);
        }
    }
    None
}

/// The standard distance of which a named one is: "10k" is 10 km, "21k" a half marathon.
pub(crate) fn standard_m(metres: f64) -> Option<(&'static str, f64)> {
    const ROUNDED: f64 = 0.006;
    STANDARD_DISTANCES
        .iter()
        .find(|standard| (standard.metres - metres).abs() <= standard.metres * ROUNDED)
        .map(|standard| (standard.name, standard.metres))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(question: &str) -> Distances {
        distances(&mut Words::of(question))
    }

    #[test]
    fn bounds_and_named_distances_are_told_apart() {
        for (question, min_km, max_km, named_km) in [
            ("over 10 miles", Some(16.09344), None, vec![]),
            ("more than 30km", Some(30.0), None, vec![]),
            ("less than 5 k", None, Some(5.0), vec![]),
            ("runs of at least a half marathon", Some(21.0975), None, vec![]),
            ("20 km or more", Some(20.0), None, vec![]),
            ("between 10 and 15 km", Some(10.0), Some(15.0), vec![]),
            ("between 10k and 15k", Some(10.0), Some(15.0), vec![]),
            ("my fastest 10k", None, None, vec![10.0]),
            ("5k or half marathon", None, None, vec![5.0, 21.0975]),
            ("in the first half of 2024", None, None, vec![]),
        ] {
            let found = of(question);
            let km = |metres: Option<f64>| metres.map(|m| m / 1000.0);
            let named: Vec<_> = found.named_m.iter().map(|m| m / 1000.0).collect();
            assert_eq!((km(found.min_m), km(found.max_m), named), (min_km, max_km, named_km), "{question}");
        }
    }

    #[test]
    fn times_can_be_bounds() {
        for (question, expected) in [
            ("when did I last run for more than two hours", Some(7200)),
            ("runs over 90 minutes", Some(5400)),
            ("rides of at least 1.5 h", Some(5400)),
            ("how many hours did I train", None),
            ("less than 2 hours", None),
        ] {
            assert_eq!(moving_min_s(&mut Words::of(question)), expected, "{question}");
        }
    }

    #[test]
    fn rounded_distances_are_standard_ones() {
        assert_eq!(standard_m(21_100.0).map(|(name, _)| name), Some("half marathon"));
        assert_eq!(standard_m(42_000.0).map(|(name, _)| name), Some("marathon"));
        assert_eq!(standard_m(12_000.0), None);
    }
}
