//! Questions nobody would ask: reading them never fails, and what they cost stays bounded.

use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use runaway_core::domain::DateRange;
use testkit::fuzz;

use crate::plan::{READS_MAX, Read, plan};
use crate::question::{Anchors, Question, long_date};
use crate::remember::command;
use crate::safety::Emergency;

const TODAY: Date = date(2026, 11, 27);
const CASES: u32 = 300;
/// Every word that some rule looks for, and numbers on both sides of every bound.
const WORDS: &str = "how many far long much did i run ride swim walk last next this past previous first newest second before after since until till \
between and from to in of on the a week weeks month months year years day days today yesterday tomorrow weekend quarter january feb march may june \
july sept october december monday tuesdays sunday spring summer autumn winter fall 0 1 2 7 12 13 28 29 30 31 99 100 1000 19999 20000 99999 100000 100001 \
9223372036854775807 -1 1.5 1e400 1990 2024 2026 2100 9999 10000 0000-00-00 2026-02-30 2024-02-29 9999-12-31 1st 2nd 31st 12/31 1/1/2026 00:00 25:99 \
km k miles mi m metres marathon half ultra 5k 10 10k race races long runs workout workouts treadmill outdoors trail fastest slowest longest shortest hilliest most least highest \
heart rate pace average compare vs than ago same time per weekly monthly record pb pr best top three couple few predict prediction sub-4 load fitness form \
easy hard rest streak break trend improve called named 'misty “Río” \" ' , . ? ! ; : - – ( ) remember forget hours minutes over under more less at least every";

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
        let question = question.clone().following(text, Some(&question));
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

/// Questions out of the words that rules look for.
fn question() -> impl Strategy<Value = String> {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    prop::collection::vec(prop::sample::select(words), 1..13).prop_map(|words| words.join(" "))
}

#[tokio::test]
async fn random_questions_are_read() {
    fuzz::check("questions of known words", CASES, &question(), async |text| {
        check(&text);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn random_characters_are_read() {
    const CHARACTERS: [char; 24] = [
        'a', 'Z', 'ß', 'İ', 'K', 'é', '\u{301}', '🏃', '\u{200d}', '9', '0', '-', '–', '/', ':', '.', ',', '\'', '’', '"', '“', '”', ' ',
        '\n',
    ];
    let characters = prop::collection::vec(prop::sample::select(CHARACTERS.to_vec()), 0..40).prop_map(String::from_iter);
    fuzz::check("questions of odd characters", CASES, &prop_oneof![3 => characters, 1 => any::<String>()], async |text| {
        check(&text);
        drop((Emergency::in_message(&text), command(&text, &[])));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn blanks_and_case_do_not_change_when_a_question_is_about() {
    let blanks = prop::collection::vec(prop::sample::select(vec![" ", "  ", "\n", "\t", "\u{a0}"]), 13);
    fuzz::check("questions with other blanks", CASES, &(question(), blanks), async |(text, blanks)| {
        let windows = |text: &str| Question::read(text, TODAY, &Anchors::default()).windows;
        let mut other = String::new();
        for (word, blank) in text.split(' ').zip(blanks.iter()) {
            other.push_str(blank);
            other.push_str(&word.to_uppercase());
        }
        prop_assert_eq!(windows(&text), windows(&other), "{:?}", other);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_day_is_understood_in_every_form_in_which_answers_name_it() {
    let day = (0_i32..12_000).prop_map(|days| date(1994, 1, 1).saturating_add(days.days()));
    fuzz::check("dates in questions", CASES, &day, async |day| {
        let forms = [day.to_string(), long_date(day), day.strftime("%-d %b %Y").to_string(), day.strftime("%B %-d, %Y").to_string()];
        for form in forms {
            let read = Question::read(&format!("What did I run on {form}?"), TODAY, &Anchors::default());
            let windows: Vec<DateRange> = read.windows.iter().map(|window| window.dates).collect();
            prop_assert_eq!(windows, [DateRange::day(day)], "{}", form);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn two_days_make_the_window_between_them() {
    let days = (0_i32..12_000, 0_i32..400).prop_map(|(first, length)| {
        let first = date(1994, 1, 1).saturating_add(first.days());
        (first, first.saturating_add(length.days()))
    });
    fuzz::check("windows in questions", CASES, &days, async |(first, last)| {
        let read = Question::read(&format!("how far did I run from {first} to {last}"), TODAY, &Anchors::default());
        let windows: Vec<DateRange> = read.windows.iter().map(|window| window.dates).collect();
        prop_assert!(first > TODAY || windows == [DateRange { first, last }], "{windows:?}");
        Ok(())
    })
    .await;
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
