//! When a question is about: "last Tuesday", "in March", "between June and August 2023", "since my last marathon".
//!
//! Everything is relative to the athlete's own today. What does not name a time is left to the rest of the grammar.

use jiff::ToSpan as _;
use jiff::civil::Date;
use runaway_core::domain::DateRange;

use super::anchors::Anchors;
use super::calendar::{Unit, day_number, long_date, month, month_name, shift, year};
use super::spans::{Span, span};
use super::words::Words;

/// Days a question speaks of, and in which words an answer names them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    /// The days.
    pub(crate) dates: DateRange,
    /// "in March 2024", "last week", "on Tuesday 24 November 2026".
    pub(crate) label: String,
}

/// What a window's expression is read against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now<'a> {
    /// The athlete's day.
    pub(crate) today: Date,
    /// Days of the athlete's own that a question may name.
    pub(crate) anchors: &'a Anchors,
}

/// Takes every window out of a question, in its order.
pub(crate) fn windows(words: &mut Words, now: Now<'_>) -> Vec<Window> {
    let mut found = Vec::new();
    let mut place = 0;
    while place < words.len() {
        match at(words, place, now) {
            Some((window, count)) => {
                words.take(place, count);
                found.push(window);
                place += count;
            }
            None => place += 1,
        }
    }
    found
}

/// The window that begins at a place, with the number of its words.
fn at(words: &Words, place: usize, now: Now<'_>) -> Option<(Window, usize)> {
    bounded(words, place, now).or_else(|| {
        let (span, count) = span(words, place, now)?;
        Some((Window { dates: span.dates, label: span.label }, count))
    })
}

/// "since X", "between X and Y", "from X to Y", "X to Y", "before X", "after X", "until X".
fn bounded(words: &Words, place: usize, now: Now<'_>) -> Option<(Window, usize)> {
    let window = |first, last, label: String, count| Some((Window { dates: DateRange { first, last }, label }, count));
    let word = words.at(place);
    let opens_pair = matches!(word, "between" | "from");
    let begin = place + usize::from(opens_pair);
    let begin = begin + usize::from(words.at(begin) == "the" && day_number(words.at(begin + 1)).is_some());
    if let Some((dates, taken)) = days_of_one_month(words, begin, now.today) {
        let label = format!("from {} to {}", long_date(dates.first), long_date(dates.last));
        return window(dates.first, dates.last, label, begin - place + taken);
    }
    if let Some((from, taken)) = span(words, begin, now)
        && let link = words.at(begin + taken)
        && (matches!(link, "to" | "until" | "till" | "through" | "thru") || (word == "between" && link == "and"))
        && let the = usize::from(words.at(begin + taken + 1) == "the")
        && let Some((to, taken_to)) = span(words, begin + taken + 1 + the, now)
    {
        let (from, to) = same_year(from, to);
        let label = format!("from {} to {}", bare(&from.label), bare(&to.label));
        return window(from.dates.first, to.dates.last.max(from.dates.first), label, begin - place + taken + 1 + the + taken_to);
    }
    let skip = usize::from(matches!(words.at(place + 1), "the" | "around"));
    let (named, taken) = span(words, place + 1 + skip, now)?;
    let count = 1 + skip + taken;
    match word {
        "since" | "from" => window(named.dates.first, now.today, format!("since {}", bare(&named.label)), count),
        "after" => window(named.dates.last.saturating_add(1.day()), now.today, format!("after {}", bare(&named.label)), count),
        "before" => {
            let last = named.dates.first.saturating_sub(1.day());
            window(DateRange::EVER.first, last, format!("before {}", bare(&named.label)), count)
        }
        "until" | "till" => window(DateRange::EVER.first, named.dates.last, format!("until {}", bare(&named.label)), count),
        _ => None,
    }
}

/// "10 to 23 December", "the 10th and the 23rd of May 2024", "December 10 to 23": two days of one month.
fn days_of_one_month(words: &Words, place: usize, today: Date) -> Option<(DateRange, usize)> {
    let link = |at: usize| usize::from(matches!(words.at(at), "to" | "and" | "until" | "till" | "through"));
    let the = |at: usize| usize::from(words.at(at) == "the");
    let named_first = month(words.at(place));
    let first_at = place + usize::from(named_first.is_some());
    let first = day_number(words.at(first_at))?;
    let second_at = first_at + 1 + link(first_at + 1);
    let second_at = second_at + the(second_at);
    let second = day_number(words.at(second_at)).filter(|second| *second > first)?;
    let (month_of_year, end) = match named_first {
        Some(number) => (number, second_at + 1),
        None => {
            let of = usize::from(words.at(second_at + 1) == "of");
            (month(words.at(second_at + 1 + of))?, second_at + 2 + of)
        }
    };
    let said_year = year(words.at(end));
    let day = |year: i16, day: i8| Date::new(year, month_of_year, day).ok();
    let this_year = said_year.unwrap_or(today.year());
    let year = if said_year.is_none() && day(this_year, first)? > today { this_year - 1 } else { this_year };
    let dates = DateRange { first: day(year, first)?, last: day(year, second)? };
    Some((dates, end + usize::from(said_year.is_some()) - place))
}

/// A label without the word that fits it into a sentence.
pub(crate) fn bare(label: &str) -> &str {
    ["in ", "on ", "over "].iter().find_map(|word| label.strip_prefix(word)).unwrap_or(label)
}

/// "between June and August 2023": the year belongs to both.
fn same_year(from: Span, to: Span) -> (Span, Span) {
    if to.year_said && !from.year_said && from.dates.first.year() != to.dates.first.year() {
        let years = i64::from(to.dates.first.year() - from.dates.first.year());
        let mut moved = moved_by(&from, years);
        if moved.dates.first > to.dates.last {
            moved = moved_by(&from, years - 1);
        }
        return (moved, to);
    }
    if !to.year_said && from.year_said && to.dates.first.year() != from.dates.first.year() {
        let years = i64::from(from.dates.first.year() - to.dates.first.year());
        let mut moved = moved_by(&to, years);
        if moved.dates.last < from.dates.first {
            moved = moved_by(&to, years + 1);
        }
        return (from, moved);
    }
    (from, to)
}

fn moved_by(span: &Span, years: i64) -> Span {
    let (first, last) = (shift(span.dates.first, years, Unit::Year), shift(span.dates.last, years, Unit::Year));
    let is_month = span.dates.first.day() == 1 && span.dates.last == span.dates.last.last_of_month();
    let last = if is_month { last.last_of_month() } else { last };
    let label = if first == last {
        format!("on {}", long_date(first))
    } else if is_month && first.month() == last.month() {
        format!("in {}", month_name(first))
    } else {
        span.label.clone()
    };
    Span { dates: DateRange { first, last }, label, year_said: true }
}
