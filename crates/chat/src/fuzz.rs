//! Questions nobody would ask: reading them never fails, and what they cost stays bounded.

use jiff::civil::{Date, date};
use runaway_core::domain::DateRange;

use crate::plan::{READS_MAX, Read, plan};
use crate::question::{Anchors, Question};

const TODAY: Date = date(2026, 11, 27);
const QUESTIONS: u64 = 10_000;
/// Every word that some rule looks for, and numbers on both sides of every bound.
const WORDS: &str = "how many far long much did i run ride swim walk last next this past previous first newest second before after since until till \
between and from to in of on the a week weeks month months year years day days today yesterday tomorrow weekend quarter january feb march may june \
july sept october december monday tuesdays sunday spring summer autumn winter fall 0 1 2 7 12 13 28 29 30 31 99 100 1000 19999 20000 99999 100000 100001 \
9223372036854775807 -1 1.5 1e400 1990 2024 2026 2100 9999 10000 0000-00-00 2026-02-30 2024-02-29 9999-12-31 1st 2nd 31st 12/31 1/1/2026 00:00 25:99 \
km k miles mi m metres marathon half ultra 5k 10 10k race races long runs workout workouts treadmill outdoors trail fastest slowest longest shortest hilliest most least highest \
heart rate pace average compare vs than ago same time per weekly monthly record pb pr best top three couple few predict prediction sub-4 load fitness form \
easy hard rest streak break trend improve called named 'misty “Río” \" ' , . ? ! ; : - – ( ) remember forget hours minutes over under more less at least every";

/// A row of numbers that is the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % n as u64).unwrap_or_default()
    }
}

fn dates(read: &Read) -> DateRange {
    match read {
        Read::Totals { selection, .. } | Read::List { selection, .. } => selection.dates,
        Read::Records { dates, .. } | Read::Search { dates, .. } | Read::Calendar { dates, .. } => *dates,
    }
}

fn most(read: &Read) -> i64 {
    match read {
        Read::List { most, .. } | Read::Records { most, .. } => *most,
        Read::Search { most, .. } => i64::from(*most),
        Read::Totals { .. } | Read::Calendar { .. } => 1,
    }
}

fn check(text: &str) {
    let anchors = Anchors { race: Some(TODAY), marathon: Some(date(1900, 1, 1)), half_marathon: None, ten_km: Some(date(2999, 12, 31)) };
    for anchors in [Anchors::default(), anchors] {
        let question = Question::read(text, TODAY, &anchors);
        let reads = plan(&question);
        assert!(reads.len() <= READS_MAX, "{text}: {} reads", reads.len());
        for read in &reads {
            let DateRange { first, last } = dates(read);
            // What the database can hold.
            let bounds = DateRange { first: date(1, 1, 1), last: date(9999, 12, 31) };
            assert!(bounds.contains(first) && bounds.contains(last), "{text}: {first} to {last}");
            assert!((1..=50).contains(&most(read)), "{text}: {read:?}");
        }
    }
}

#[test]
fn random_questions_are_read() {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let mut dice = Dice(1);
    for _ in 0..QUESTIONS {
        let length = 1 + dice.below(12);
        let text: Vec<&str> = (0..length).map(|_| words[dice.below(words.len())]).collect();
        check(&text.join(" "));
    }
}

#[test]
fn random_characters_are_read() {
    const CHARACTERS: [char; 24] = [
        'a', 'Z', 'ß', 'İ', 'K', 'é', '\u{301}', '🏃', '\u{200d}', '9', '0', '-', '–', '/', ':', '.', ',', '\'', '’', '"', '“', '”', ' ',
        '\n',
    ];
    let mut dice = Dice(2);
    for _ in 0..QUESTIONS {
        let length = dice.below(40);
        let text: String = (0..length).map(|_| CHARACTERS[dice.below(CHARACTERS.len())]).collect();
        check(&text);
    }
}

#[test]
fn long_questions_are_read_in_no_time() {
    for word in ["A ", "last ", "Ab'", "1-", "from ", "the Run of ", "\"", "in March 2024 and ", "z"] {
        let text: String = word.chars().cycle().take(4_000).collect();
        let begun = std::time::Instant::now();
        check(&text);
        // Without optimisation; a rule that looks at everything from every place would take many times as long.
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{word:?} took {:?}", begun.elapsed());
    }
}
