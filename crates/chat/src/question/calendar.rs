//! Names and arithmetic of the calendar.

use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};
use runaway_core::domain::DateRange;

const MONTHS: [(&str, &str); 12] = [
    ("january", "jan"),
    ("february", "feb"),
    ("march", "mar"),
    ("april", "apr"),
    ("may", "may"),
    ("june", "jun"),
    ("july", "jul"),
    ("august", "aug"),
    ("september", "sep"),
    ("october", "oct"),
    ("november", "nov"),
    ("december", "dec"),
];

const WEEKDAYS: [(&str, &str, Weekday); 7] = [
    ("monday", "mon", Weekday::Monday),
    ("tuesday", "tue", Weekday::Tuesday),
    ("wednesday", "wed", Weekday::Wednesday),
    ("thursday", "thu", Weekday::Thursday),
    ("friday", "fri", Weekday::Friday),
    ("saturday", "sat", Weekday::Saturday),
    ("sunday", "sun", Weekday::Sunday),
];

/// The month a word names, 1 to 12.
pub(super) fn month(word: &str) -> Option<i8> {
    let place = MONTHS.iter().position(|(long, short)| word == *long || word == *short || (word == "sept" && *short == "sep"))?;
    i8::try_from(place + 1).ok()
}

/// The day of the week a word names, and whether it means all of them ("Sundays").
pub(crate) fn weekday(word: &str) -> Option<(Weekday, bool)> {
    WEEKDAYS.iter().find_map(|(long, short, day)| match word {
        word if word == *long || word == *short || (word == "tues" && *short == "tue") || (word == "thurs" && *short == "thu") => {
            Some((*day, false))
        }
        word if word.strip_suffix('s') == Some(long) => Some((*day, true)),
        _ => None,
    })
}

pub(super) fn year(word: &str) -> Option<i16> {
    (word.len() == 4).then(|| word.parse().ok()).flatten().filter(|year| (1990..=2100).contains(year))
}

/// A day of a month, with or without its ending: 12, 12th.
pub(super) fn day_number(word: &str) -> Option<i8> {
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word);
    digits.parse().ok().filter(|day| (1..=31).contains(day))
}

/// The Monday of a day's week.
pub(crate) fn monday(day: Date) -> Date {
    day.saturating_sub(i32::from(day.weekday().to_monday_zero_offset()).days())
}

/// The day `n` of a unit before or after, as far as days of activities reach.
pub(super) fn shift(day: Date, n: i64, unit: Unit) -> Date {
    let none = jiff::Span::new();
    let span = match unit {
        Unit::Day => none.try_days(n),
        Unit::Week => none.try_weeks(n),
        Unit::Month => none.try_months(n),
        Unit::Year => none.try_years(n),
    };
    let edge = if n < 0 { DateRange::EVER.first } else { DateRange::EVER.last };
    span.map_or(edge, |span| day.saturating_add(span)).clamp(DateRange::EVER.first, DateRange::EVER.last)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Day,
    Week,
    Month,
    Year,
}

pub(super) fn unit(word: &str) -> Option<Unit> {
    match word.strip_suffix('s').unwrap_or(word) {
        "day" => Some(Unit::Day),
        "week" | "wk" => Some(Unit::Week),
        "month" | "mo" => Some(Unit::Month),
        "year" | "yr" => Some(Unit::Year),
        _ => None,
    }
}

/// The calendar's day, week, month or year around a day.
pub(super) fn around(day: Date, unit: Unit) -> DateRange {
    match unit {
        Unit::Day => DateRange::day(day),
        Unit::Week => DateRange { first: monday(day), last: monday(day).saturating_add(6.days()) },
        Unit::Month => DateRange { first: day.first_of_month(), last: day.last_of_month() },
        Unit::Year => DateRange { first: day.first_of_year(), last: day.last_of_year() },
    }
}

/// A day as an answer names it: "Sunday 13 October 2024".
pub(crate) fn long_date(day: Date) -> String {
    day.strftime("%A %-d %B %Y").to_string()
}

pub(super) fn month_name(first: Date) -> String {
    first.strftime("%B %Y").to_string()
}
