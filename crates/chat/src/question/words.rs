//! A question as a row of words.

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// Lower case, plain letters, without a possessive ending.
    pub(crate) text: String,
    /// As it was written.
    pub(crate) written: String,
    /// Whether a rule of the grammar has taken it.
    pub(crate) taken: bool,
}

/// The words of a question, with what is between quotation marks taken out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words {
    /// The words, in order.
    pub(crate) list: Vec<Word>,
    /// What stood between quotation marks.
    pub(crate) quoted: Vec<String>,
}

/// Pairs of quotation marks. A plain apostrophe is one only at the border of a word.
const QUOTES: [(char, char); 5] = [('"', '"'), ('“', '”'), ('„', '“'), ('«', '»'), ('‘', '’')];

impl Words {
    /// Splits a question.
    pub(crate) fn of(question: &str) -> Self {
        let (rest, quoted) = take_quoted(question);
        let mut list = Vec::new();
        for piece in rest.split(|c: char| c.is_whitespace() || ",;!?()[]/\"“”„«»".contains(c)) {
            // A hyphen joins ("sub-4", "half-marathon", "2026-01-04"): dates stay whole, words are split.
            let is_date = piece.len() == 10 && piece.bytes().filter(|b| *b == b'-').count() == 2;
            for part in if is_date { vec![piece] } else { piece.split(['-', '–', '—']).collect() } {
                let written = part.trim_matches(|c: char| ".:'’‘".contains(c));
                if written.is_empty() {
                    continue;
                }
                let text = plain(written);
                list.push(Word { text: text.strip_suffix("'s").unwrap_or(&text).to_owned(), written: written.to_owned(), taken: false });
            }
        }
        Self { list, quoted }
    }

    /// The word at a place; empty beyond the end.
    pub(crate) fn at(&self, place: usize) -> &str {
        self.list.get(place).map_or("", |word| word.text.as_str())
    }

    /// The word before a place; empty before the first.
    pub(crate) fn before(&self, place: usize) -> &str {
        place.checked_sub(1).map_or("", |place| self.at(place))
    }

    /// Whether these words stand at a place.
    pub(crate) fn are(&self, place: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(n, word)| self.at(place + n) == *word)
    }

    /// Whether any of the words occurs, taken or not.
    pub(crate) fn any(&self, words: &[&str]) -> bool {
        self.list.iter().any(|word| words.contains(&word.text.as_str()))
    }

    /// Whether any of the words occurs and no rule has taken it.
    pub(crate) fn any_free(&self, words: &[&str]) -> bool {
        self.list.iter().any(|word| !word.taken && words.contains(&word.text.as_str()))
    }

    /// Whether these words occur one after another.
    pub(crate) fn phrase(&self, words: &[&str]) -> bool {
        (0..self.list.len()).any(|place| self.are(place, words))
    }

    /// Marks `count` words from a place as understood.
    pub(crate) fn take(&mut self, place: usize, count: usize) {
        self.list.iter_mut().skip(place).take(count).for_each(|word| word.taken = true);
    }

    /// Whether the word at a place is free.
    pub(crate) fn is_free(&self, place: usize) -> bool {
        self.list.get(place).is_some_and(|word| !word.taken)
    }

    /// Number of words.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }
}

/// Takes out what stands between quotation marks.
fn take_quoted(question: &str) -> (String, Vec<String>) {
    let (mut rest, mut quoted) = (String::new(), Vec::new());
    let characters: Vec<char> = question.chars().collect();
    let mut place = 0;
    while let Some(&open) = characters.get(place) {
        let begins_word = place == 0 || characters.get(place - 1).is_none_or(|c| !c.is_alphanumeric());
        let close = match open {
            '\'' if begins_word => Some('\''),
            _ => QUOTES.iter().find(|(left, _)| *left == open).map(|(_, right)| *right),
        };
        let end = close.and_then(|close| {
            let ends_word = |at: usize| characters.get(at + 1).is_none_or(|c| !c.is_alphanumeric());
            (place + 1..characters.len()).find(|&at| characters.get(at) == Some(&close) && ends_word(at))
        });
        match end {
            Some(end) if end > place + 1 => {
                quoted.push(characters.get(place + 1..end).unwrap_or_default().iter().collect());
                rest.push(' ');
                place = end + 1;
            }
            _ => {
                rest.push(open);
                place += 1;
            }
        }
    }
    (rest, quoted)
}

/// Lower case, with the accents of western European letters taken off.
fn plain(word: &str) -> String {
    word.to_lowercase()
        .chars()
        .map(|c| match c {
            'á' | 'à' | 'â' | 'ä' | 'ã' | 'å' => 'a',
            'é' | 'è' | 'ê' | 'ë' => 'e',
            'í' | 'ì' | 'î' | 'ï' => 'i',
            'ó' | 'ò' | 'ô' | 'ö' | 'õ' => 'o',
            'ú' | 'ù' | 'û' | 'ü' => 'u',
            'ñ' => 'n',
            'ç' => 'c',
            '’' | '‘' => '\'',
            other => other,
        })
        .collect()
}

/// A whole number in digits or words; `couple` is two, `few` three.
pub(crate) fn number(word: &str) -> Option<i64> {
    const WORDS: [&str; 13] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    let spelt = || WORDS.iter().position(|spelt| *spelt == word).and_then(|n| i64::try_from(n).ok());
    let loose = || match word {
        "a" | "an" | "single" => Some(1),
        "couple" => Some(2),
        "few" => Some(3),
        _ => None,
    };
    word.parse().ok().filter(|n| (0..=100_000).contains(n)).or_else(spelt).or_else(loose)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_are_taken_out_and_apostrophes_are_not() {
        let words = Words::of("Didn't I name it 'Misty loop with Anna' or “Río y café ☕”? It's last week's.");
        assert_eq!(words.quoted, ["Misty loop with Anna", "Río y café ☕"]);
        let list: Vec<_> = words.list.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(list, ["didn't", "i", "name", "it", "or", "it", "last", "week"]);
    }

    #[test]
    fn hyphens_split_words_but_not_dates() {
        let words = Words::of("sub-4 on 2026-01-04, half-marathon: 10.5km");
        let list: Vec<_> = words.list.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(list, ["sub", "4", "on", "2026-01-04", "half", "marathon", "10.5km"]);
    }

    #[test]
    fn numbers_come_in_digits_and_words() {
        for (word, expected) in [("7", Some(7)), ("three", Some(3)), ("couple", Some(2)), ("x", None), ("-1", None)] {
            assert_eq!(number(word), expected, "{word}");
        }
    }
}
