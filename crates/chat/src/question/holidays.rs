//! Days that have a name instead of a number.

use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};

use super::words::Words;

/// Names, month and day; longer names first.
const FIXED: [(&[&str], i8, i8); 12] = [
    (&["christmas", "eve"], 12, 24),
    (&["christmas", "day"], 12, 25),
    (&["christmas"], 12, 25),
    (&["xmas"], 12, 25),
    (&["boxing", "day"], 12, 26),
    (&["new", "year", "eve"], 12, 31),
    (&["new", "years", "eve"], 12, 31),
    (&["nye"], 12, 31),
    (&["new", "year", "day"], 1, 1),
    (&["new", "years", "day"], 1, 1),
    (&["halloween"], 10, 31),
    (&["valentine", "day"], 2, 14),
];

/// How a named day is found in a year.
type InYear = Box<dyn Fn(i16) -> Option<Date>>;

/// The named day at a place: how it is found in a year, and the number of its words.
pub(super) fn named_day(words: &Words, place: usize) -> Option<(InYear, usize)> {
    if let Some((name, month, day)) = FIXED.iter().find(|(name, ..)| words.are(place, name)) {
        let (month, day) = (*month, *day);
        return Some((Box::new(move |year| Date::new(year, month, day).ok()), name.len()));
    }
    match (words.at(place), words.at(place + 1)) {
        ("leap", "day") => Some((Box::new(|year| Date::new(year, 2, 29).ok()), 2)),
        ("thanksgiving", _) => Some((Box::new(|year| Date::new(year, 11, 1).ok()?.nth_weekday_of_month(4, Weekday::Thursday).ok()), 1)),
        ("good", "friday") => Some((Box::new(|year| Some(easter(year)?.saturating_sub(2.days()))), 2)),
        ("easter", "monday") => Some((Box::new(|year| Some(easter(year)?.saturating_add(1.day()))), 2)),
        ("easter", "sunday") => Some((Box::new(easter), 2)),
        ("easter", _) => Some((Box::new(easter), 1)),
        _ => None,
    }
}

/// Easter Sunday of the Gregorian calendar (Meeus, Astronomical Algorithms, 1991).
fn easter(year: i16) -> Option<Date> {
    let year = i32::from(year);
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    Date::new(i16::try_from(year).ok()?, i8::try_from(n / 31).ok()?, i8::try_from(n % 31 + 1).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_falls_where_the_calendar_says() {
        for (year, day) in [(2024, "2024-03-31"), (2025, "2025-04-20"), (2026, "2026-04-05"), (1961, "1961-04-02")] {
            assert_eq!(easter(year).map(|day| day.to_string()).as_deref(), Some(day));
        }
    }
}
