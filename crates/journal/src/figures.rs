//! Whether every figure in a text is one of the facts. Figures are read out of both alike, with what they count and
//! which way they point; a figure of the text must be a fact's, rounded at most.

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Mile,
    Kilometre,
    Metre,
    Foot,
    Hour,
    Minute,
    Second,
    Bpm,
    Percent,
    Run,
    Ride,
    Swim,
    Walk,
    Activity,
    Day,
    Week,
    /// Minutes and seconds, hours, minutes and seconds; of a day or of a pace.
    Clock,
}

/// Which way a change points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// What a change is a change of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    Distance,
    Time,
    Pace,
    Elevation,
    HeartRate,
    Load,
}

/// What a change is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Against {
    WeekBefore,
    FourWeeks,
}

/// A figure in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    text: String,
    /// `None` for one that cannot be a fact: half, twice, ½.
    value: Option<f64>,
    decimals: usize,
    unit: Option<Unit>,
    change: Option<Change>,
    /// Whether it is a value of an earlier time: one that stands behind the word "before".
    is_past: bool,
    /// Whether its sentence speaks of an earlier time.
    may_be_past: bool,
}

/// What a figure says that tells of a change; `None` is what its words leave open.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Change {
    direction: Direction,
    topic: Option<Topic>,
    against: Option<Against>,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(String),
    Word(String),
    /// The end of a clause.
    Stop,
    /// The end of a sentence.
    End,
}

/// How many words after a figure may name what it counts.
const UNIT_WORDS_MAX: usize = 3;
/// How many words beside a change may name its direction.
const DIRECTION_WORDS_MAX: usize = 3;
/// Words that are a share or a multiple: such a figure is never given.
const MULTIPLES: [&str; 14] = [
    "half", "halved", "halving", "twice", "thrice", "double", "doubled", "doubling", "triple", "tripled", "quarter", "dozen", "dozens",
    "hundred",
];
/// Numbers in words. "One" is left out: it is more often a word than a number.
const NUMBER_WORDS: [&str; 19] = [
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];
/// Words that speak of an earlier time.
const PAST: [&str; 12] =
    ["before", "last", "previous", "prior", "earlier", "than", "from", "usual", "usually", "typical", "normally", "against"];
const UP: [&str; 13] =
    ["more", "up", "higher", "increase", "increased", "rose", "risen", "longer", "bigger", "faster", "quicker", "grew", "above"];
const DOWN: [&str; 13] =
    ["less", "down", "lower", "decrease", "decreased", "fell", "fallen", "shorter", "smaller", "slower", "fewer", "dropped", "below"];

/// The figures of the text that are none of the facts, as they stand in it.
pub fn unproven(text: &str, facts: &[Figure]) -> Vec<String> {
    let is_proven = |figure: &Figure| facts.iter().any(|fact| figure.is(fact));
    figures(text).into_iter().filter(|figure| !is_proven(figure)).map(|figure| figure.text).collect()
}

/// All figures of a text.
pub fn figures(text: &str) -> Vec<Figure> {
    let tokens = tokens(text);
    (0..tokens.len()).filter_map(|at| figure(&tokens, at)).collect()
}

impl Figure {
    /// Whether this is the fact's figure, perhaps rounded.
    fn is(&self, fact: &Self) -> bool {
        /// What binary fractions lose.
        const TINY: f64 = 1e-9;
        let (Some(own), Some(given)) = (self.value, fact.value) else { return false };
        let clocks = [self, fact].map(|figure| figure.unit == Some(Unit::Clock));
        let same_unit = clocks[0] == clocks[1] && (self.unit.is_none() || self.unit == fact.unit);
        let same_time = self.may_be_past || !fact.is_past;
        let same_change = self.change.zip(fact.change).is_none_or(|(own, given)| own.agrees_with(given));
        // A fact that was rounded before may lie half a step of either rounding away.
        let step = |decimals: usize| 0.5 * 0.1_f64.powi(i32::try_from(decimals).unwrap_or(i32::MAX));
        let tolerance = if self.decimals < fact.decimals { step(self.decimals) + TINY } else { TINY };
        same_unit && same_time && same_change && (own - given).abs() <= tolerance
    }
}

impl Change {
    fn agrees_with(self, other: Self) -> bool {
        self.direction == other.direction
            && self.topic.zip(other.topic).is_none_or(|(own, given)| own == given)
            && self.against.zip(other.against).is_none_or(|(own, given)| own == given)
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let characters: Vec<char> = text.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(&character) = characters.get(at) {
        let begin = at;
        at += 1;
        let follows_digit = |at: usize| characters.get(at).is_some_and(char::is_ascii_digit);
        if character.is_numeric() {
            while let Some(&next) = characters.get(at) {
                let joins = [',', '.', ':'].contains(&next) && follows_digit(at + 1);
                if !(next.is_numeric() || joins) {
                    break;
                }
                at += 1;
            }
            tokens.push(Token::Number(characters[begin..at].iter().collect()));
        } else if character.is_alphabetic() {
            while characters.get(at).is_some_and(|next| next.is_alphabetic() || ['\'', '’'].contains(next)) {
                at += 1;
            }
            tokens.push(Token::Word(characters[begin..at].iter().collect::<String>().to_lowercase()));
        } else if character == '%' {
            tokens.push(Token::Word("percent".to_owned()));
        } else if ['.', '!', '?'].contains(&character) {
            tokens.push(Token::End);
        } else if !character.is_whitespace() && !['-', '–', '~', '≈', '"', '“', '”', '+', '/'].contains(&character) {
            tokens.push(Token::Stop);
        }
    }
    tokens
}

fn figure(tokens: &[Token], at: usize) -> Option<Figure> {
    let text = match tokens.get(at)? {
        Token::Number(text) => text,
        Token::Word(word) if NUMBER_WORDS.contains(&word.as_str()) => word,
        Token::Word(word) if MULTIPLES.contains(&word.as_str()) && !is_name(tokens, at, word) => word,
        Token::Word(_) | Token::Stop | Token::End => return None,
    };
    let (value, decimals, is_clock) = read(text);
    let unit = if is_clock { Some(Unit::Clock) } else { unit_after(tokens, at + 1) };
    let can_change = matches!(unit, Some(Unit::Percent | Unit::Second | Unit::Bpm | Unit::Clock));
    let behind = words(tokens.iter().skip(at + 1), DIRECTION_WORDS_MAX + 1).find_map(direction);
    let before = words(tokens.get(..at).unwrap_or_default().iter().rev(), DIRECTION_WORDS_MAX).find_map(direction);
    let change = behind.or(before).filter(|_| can_change).map(|direction| Change {
        direction,
        // Other units say by themselves what they are of.
        topic: if unit == Some(Unit::Percent) { topic(tokens, at) } else { None },
        against: against(tokens, at + 1),
    });
    let is_value = change.is_none() && !matches!(unit, Some(Unit::Week | Unit::Day));
    Some(Figure {
        text: text.clone(),
        value,
        decimals,
        unit,
        change,
        is_past: is_value && sentence_words(tokens, at, true).any(|word| word == "before"),
        may_be_past: sentence_words(tokens, at, false).any(|word| PAST.contains(&word)),
    })
}

/// The words of the figure's sentence, or only those before it.
fn sentence_words(tokens: &[Token], at: usize, is_only_before: bool) -> impl Iterator<Item = &str> {
    let (before, behind) = tokens.split_at_checked(at).unwrap_or_default();
    let before = before.iter().rev().take_while(|token| **token != Token::End);
    let behind = behind.iter().take_while(move |token| **token != Token::End && !is_only_before);
    before.chain(behind).filter_map(|token| match token {
        Token::Word(word) => Some(word.as_str()),
        Token::Number(_) | Token::Stop | Token::End => None,
    })
}

/// What the words after a figure say it counts; in "4 of 5 runs" both count runs.
fn unit_after(tokens: &[Token], at: usize) -> Option<Unit> {
    if let (Some(Token::Word(of)), Some(Token::Number(_))) = (tokens.get(at), tokens.get(at + 1))
        && of == "of"
    {
        return unit_after(tokens, at + 2);
    }
    words(tokens.iter().skip(at), UNIT_WORDS_MAX).find_map(unit)
}

/// The nearest thing named before a change in its sentence, else after it.
fn topic(tokens: &[Token], at: usize) -> Option<Topic> {
    let within = |token: &&Token| **token != Token::End;
    let (before, behind) = tokens.split_at_checked(at)?;
    let named = |(token, previous): (&Token, Option<&Token>)| match token {
        Token::Word(word) => topic_of(word, previous),
        Token::Number(_) | Token::Stop | Token::End => None,
    };
    let previous = |n: usize| n.checked_sub(1).and_then(|n| tokens.get(n));
    let backwards = before.iter().enumerate().rev().take_while(|(_, token)| within(token));
    let forwards = behind.iter().enumerate().take_while(|(_, token)| within(token)).map(|(n, token)| (n + at, token));
    backwards.chain(forwards).find_map(|(n, token)| named((token, previous(n))))
}

fn topic_of(word: &str, previous: Option<&Token>) -> Option<Topic> {
    /// "The first time" is no time.
    const TIMES: [&str; 8] = ["first", "second", "this", "last", "next", "same", "each", "every"];
    let is_a_time = previous.is_some_and(|previous| matches!(previous, Token::Word(word) if TIMES.contains(&word.as_str())));
    Some(match word {
        "distance" | "mileage" | "volume" => Topic::Distance,
        "time" | "hours" if !is_a_time => Topic::Time,
        "pace" | "speed" => Topic::Pace,
        "elevation" | "climb" | "climbed" | "climbing" | "ascent" => Topic::Elevation,
        "heart" => Topic::HeartRate,
        "load" => Topic::Load,
        _ => return None,
    })
}

/// What the rest of the clause compares with: the figure 4, an average, or a single week.
fn against(tokens: &[Token], at: usize) -> Option<Against> {
    let clause = tokens.iter().skip(at).take_while(|token| !matches!(token, Token::Stop | Token::End));
    clause.into_iter().find_map(|token| match token {
        Token::Number(text) => (text == "4").then_some(Against::FourWeeks),
        Token::Word(word) => match word.as_str() {
            "four" | "average" | "mean" | "weeks" => Some(Against::FourWeeks),
            "week" => Some(Against::WeekBefore),
            _ => None,
        },
        Token::Stop | Token::End => None,
    })
}

/// "Half marathon" is a distance, "the second half" a part.
fn is_name(tokens: &[Token], at: usize, word: &str) -> bool {
    let neighbour = |at: Option<usize>, names: &[&str]| {
        at.and_then(|at| tokens.get(at)).is_some_and(|token| matches!(token, Token::Word(word) if names.contains(&word.as_str())))
    };
    word == "half" && (neighbour(Some(at + 1), &["marathon", "marathons"]) || neighbour(at.checked_sub(1), &["first", "second"]))
}

/// The words up to the end of the clause or the next figure.
fn words<'a>(tokens: impl Iterator<Item = &'a Token>, most: usize) -> impl Iterator<Item = &'a str> {
    let words = tokens.map_while(|token| match token {
        Token::Word(word) => Some(word.as_str()),
        Token::Number(_) | Token::Stop | Token::End => None,
    });
    words.take(most)
}

/// Value, decimals, and whether it is a clock.
fn read(text: &str) -> (Option<f64>, usize, bool) {
    if let Some(position) = NUMBER_WORDS.iter().position(|word| *word == text) {
        return (Some(position as f64 + 2.0), 0, false);
    }
    if text.contains(':') {
        let parts: Option<Vec<f64>> = text.split(':').map(|part| part.parse::<u32>().ok().map(f64::from)).collect();
        return (parts.map(|parts| parts.iter().fold(0.0, |sum, part| sum * 60.0 + part)), 0, true);
    }
    let decimals = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let groups: Vec<&str> = text.split_once('.').map_or(text, |(whole, _)| whole).split(',').collect();
    let is_grouped = groups.iter().skip(1).all(|group| group.len() == 3);
    (text.replace(',', "").parse().ok().filter(|_| is_grouped), decimals, false)
}

fn direction(word: &str) -> Option<Direction> {
    match word {
        word if UP.contains(&word) => Some(Direction::Up),
        word if DOWN.contains(&word) => Some(Direction::Down),
        _ => None,
    }
}

fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "mile" | "miles" | "mi" => Unit::Mile,
        "km" | "k" | "kilometre" | "kilometres" | "kilometer" | "kilometers" => Unit::Kilometre,
        "m" | "metre" | "metres" | "meter" | "meters" => Unit::Metre,
        "foot" | "feet" | "ft" => Unit::Foot,
        "hour" | "hours" | "h" | "hr" | "hrs" => Unit::Hour,
        "minute" | "minutes" | "min" | "mins" => Unit::Minute,
        "second" | "seconds" | "sec" | "secs" | "s" => Unit::Second,
        "bpm" | "beats" => Unit::Bpm,
        "percent" => Unit::Percent,
        "run" | "runs" => Unit::Run,
        "ride" | "rides" => Unit::Ride,
        "swim" | "swims" => Unit::Swim,
        "walk" | "walks" => Unit::Walk,
        "activity" | "activities" | "session" | "sessions" | "workout" | "workouts" => Unit::Activity,
        "day" | "days" => Unit::Day,
        "week" | "weeks" => Unit::Week,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: &str = "31.42 miles in 5 runs. 4.6 hours. 8:47 a mile. 1,204 feet climbed. 148 bpm on average, recorded in 4 of 5 runs. \
        Distance: 12% more than in the week before (28.01 miles). 5 seconds a mile faster than before. Your fastest 10 km run in 20 weeks: 41:20.";

    fn unproven_in(text: &str) -> Vec<String> {
        unproven(text, &figures(FACTS))
    }

    #[test]
    fn true_figures_pass_rounded_or_not() {
        for text in [
            "You ran 31.42 miles in five runs.",
            "About 31 miles, or 31.4 miles, in 4.6 hours at 8:47 per mile.",
            "You climbed 1,204 feet; 1204 ft is a lot.",
            "That is up 12% on last week, when you ran 28 miles.",
            "Your pace was 5 seconds a mile faster.",
            "Heart rate averaged 148 bpm in 4 of 5 runs.",
            "A 10K in 41:20 - the best in 20 weeks. And a half marathon in the second half of the year?",
            "No figures at all.",
        ] {
            assert_eq!(unproven_in(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn wrong_figures_are_found() {
        for (text, wrong) in [
            ("You ran 31.52 miles.", "31.52"),
            ("You ran 31.425 miles.", "31.425"),
            ("You ran 30 miles.", "30"),
            ("You ran 31.42 km.", "31.42"),
            ("You did 6 runs.", "6"),
            ("You did six easy runs.", "six"),
            ("You ran 5 days.", "5"),
            ("At 8:48 a mile.", "8:48"),
            ("In 8.47 hours.", "8.47"),
            ("Twice as far as last week.", "twice"),
            ("Half of it was easy.", "half"),
            ("You climbed 1,20,4 feet.", "1,20,4"),
            ("You climbed 12,04 feet.", "12,04"),
            ("½ marathon", "½"),
            ("١٢% more", "١٢"),
            ("148.0 bpm and 149 bpm", "149"),
            ("The distance was down 12%.", "12"),
            ("12% less than last week.", "12"),
            ("5 seconds a mile slower.", "5"),
            ("You ran 28 miles.", "28"),
            ("Your training load was up 12%.", "12"),
            ("Distance was 12% more than the average.", "12"),
        ] {
            assert_eq!(unproven_in(text), [wrong], "{text}");
        }
    }
}
