//! One expression for a stretch of time: "yesterday", "three weeks ago", "12 May", "last summer", "Christmas Day".

use jiff::civil::{Date, date};
use runaway_core::domain::DateRange;

use super::calendar::{Unit, around, day_number, long_date, monday, month, month_name, shift, unit, weekday, year};
use super::holidays::named_day;
use super::sports::is_activity_noun;
use super::windows::Now;
use super::words::{Words, number};

/// A stretch of time with a calendar's borders, as one expression names it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    pub(super) dates: DateRange,
    pub(super) label: String,
    /// Whether the year was said, and not guessed.
    pub(super) year_said: bool,
}

/// Words before which "may", "march" and "fall" are a time and not a verb.
const BEFORE_TIMES: [&str; 22] = [
    "in", "of", "since", "last", "this", "from", "to", "until", "till", "through", "between", "and", "during", "by", "before", "after",
    "past", "previous", "early", "late", "vs", "the",
];

/// One expression for a stretch of time.
pub(super) fn span(words: &Words, place: usize, now: Now<'_>) -> Option<(Span, usize)> {
    // "Tuesday 12 May 2024" is one day: that of the date.
    if weekday(words.at(place)).is_some_and(|(_, is_every)| !is_every)
        && let Some((day, count)) = day_of_month(words, place + 1, now)
    {
        return Some((day, count + 1));
    }
    [fixed, part_of_year, holiday, counted, relative, day_of_month, named_month, season, named_weekday, whole_year, own_day]
        .iter()
        .find_map(|rule| rule(words, place, now))
}

fn said(dates: DateRange, label: impl Into<String>, count: usize) -> Option<(Span, usize)> {
    Some((Span { dates, label: label.into(), year_said: true }, count))
}

fn guessed(dates: DateRange, label: impl Into<String>, count: usize) -> Option<(Span, usize)> {
    Some((Span { dates, label: label.into(), year_said: false }, count))
}

/// Words that stand for themselves.
fn fixed(words: &Words, place: usize, Now { today, .. }: Now<'_>) -> Option<(Span, usize)> {
    let day = |day: Date| DateRange::day(day);
    let named = |name: &str, day: Date| format!("{name}, {}", long_date(day));
    let yesterday = shift(today, -1, Unit::Day);
    let last_year = shift(today, -1, Unit::Year);
    if words.are(place, &["day", "before", "yesterday"]) {
        let before = shift(today, -2, Unit::Day);
        return said(day(before), format!("on {}", long_date(before)), 3);
    }
    if words.are(place, &["year", "to", "date"]) {
        return said(DateRange { first: today.first_of_year(), last: today }, "this year", 3);
    }
    let before_last = unit(words.at(place)).filter(|_| words.are(place + 1, &["before", "last"]));
    if let Some(unit) = before_last.filter(|unit| *unit != Unit::Day) {
        let dates = around(shift(today, -2, unit), unit);
        return said(dates, format!("from {} to {}", long_date(dates.first), long_date(dates.last)), 3);
    }
    let month_of_last_year = around(last_year, Unit::Month);
    for (phrase, extra) in [(["time", "last", "year"], "this"), (["month", "last", "year"], "same"), (["month", "last", "year"], "this")] {
        if words.at(place) == extra && words.are(place + 1, &phrase) {
            return said(month_of_last_year, format!("in {}", month_name(month_of_last_year.first)), 4);
        }
    }
    for noun in ["time", "period", "point"] {
        if words.are(place, &["same", noun, "last", "year"]) {
            return said(month_of_last_year, format!("in {}", month_name(month_of_last_year.first)), 4);
        }
    }
    if words.are(place, &["all", "time"]) {
        return said(DateRange::EVER, "in all", 2);
    }
    match words.at(place) {
        "today" | "tonight" => said(day(today), named("today", today), 1),
        "yesterday" => said(day(yesterday), named("yesterday", yesterday), 1),
        "tomorrow" => said(day(shift(today, 1, Unit::Day)), named("tomorrow", shift(today, 1, Unit::Day)), 1),
        "ytd" => said(DateRange { first: today.first_of_year(), last: today }, "this year", 1),
        "ever" | "lifetime" => said(DateRange::EVER, "in all", 1),
        word => {
            let date: Date = (word.len() == 10).then(|| word.parse().ok()).flatten()?;
            said(day(date), format!("on {}", long_date(date)), 1)
        }
    }
}

/// "Q3 2025", "the first half of 2024", "the week of 12 May", "two Sundays ago".
fn part_of_year(words: &Words, place: usize, now: Now<'_>) -> Option<(Span, usize)> {
    let months = |year: i16, first: i8, count: i8, label: String, taken: usize| {
        let first = Date::new(year, first, 1).ok()?;
        said(DateRange { first, last: shift(first, i64::from(count) - 1, Unit::Month).last_of_month() }, label, taken)
    };
    let quarter = words.at(place).strip_prefix('q').and_then(|n| n.parse::<i8>().ok()).filter(|n| (1..=4).contains(n));
    if let Some(quarter) = quarter {
        let said_year = year(words.at(place + 1));
        let year = said_year.unwrap_or(now.today.year());
        return months(year, quarter * 3 - 2, 3, format!("in Q{quarter} {year}"), 1 + usize::from(said_year.is_some()));
    }
    let which = match words.at(place) {
        "first" => 1,
        "second" => 7,
        _ => 0,
    };
    if which > 0 && words.are(place + 1, &["half", "of"]) {
        let (span, taken) = whole_year(words, place + 3, now).or_else(|| relative(words, place + 3, now))?;
        let year = span.dates.first.year();
        return months(year, which, 6, format!("in the {} half of {year}", words.at(place)), 3 + taken);
    }
    if words.are(place, &["week", "of"]) {
        let the = usize::from(words.at(place + 2) == "the");
        let (day, taken) = day_of_month(words, place + 2 + the, now)?;
        let dates = around(day.dates.first, Unit::Week);
        return said(dates, format!("in the week of {}", long_date(dates.first)), 2 + the + taken);
    }
    let n = number(words.at(place)).filter(|n| (1..=50).contains(n))?;
    let (day, _) = weekday(words.at(place + 1)).filter(|_| words.at(place + 2) == "ago")?;
    let newest = shift(monday(now.today), i64::from(day.to_monday_zero_offset()), Unit::Day);
    let back = if newest < now.today { n - 1 } else { n };
    let day = shift(newest, -back, Unit::Week);
    said(DateRange::day(day), format!("on {}", long_date(day)), 3)
}

/// "last 3 weeks", "past year", "three weeks ago".
fn counted(words: &Words, place: usize, Now { today, .. }: Now<'_>) -> Option<(Span, usize)> {
    let first = words.at(place);
    if matches!(first, "last" | "past" | "previous" | "recent") {
        if words.at(place + 1) == "fortnight" {
            return said(DateRange { first: shift(today, -13, Unit::Day), last: today }, "in the last 14 days", 2);
        }
        let of = usize::from(words.at(place + 2) == "of");
        let given = number(words.at(place + 1)).filter(|n| *n > 0).and_then(|n| Some((n, unit(words.at(place + 2 + of))?, 3 + of)));
        let bare_past = || (first == "past").then(|| Some((1, unit(words.at(place + 1))?, 2))).flatten();
        let (n, unit, count) = given.or_else(bare_past)?;
        let begin = match unit {
            Unit::Day => shift(today, 1 - n, Unit::Day),
            Unit::Week => shift(today, 1 - 7 * n, Unit::Day),
            Unit::Month if first == "past" && n == 1 => shift(today, -29, Unit::Day),
            Unit::Year if n == 1 => shift(today, -364, Unit::Day),
            _ => shift(shift(today, -n, unit), 1, Unit::Day),
        };
        let what = match (n, unit) {
            (1, Unit::Week) => "in the past week".to_owned(),
            (1, Unit::Month) => "in the past month".to_owned(),
            (1, Unit::Year) => "in the past year".to_owned(),
            _ => format!("in the last {n} {}", words.at(place + count - 1)),
        };
        return said(DateRange { first: begin, last: today }, what, count);
    }
    let n = number(first).filter(|n| *n > 0)?;
    let of = usize::from(words.at(place + 1) == "of");
    let unit = unit(words.at(place + 1 + of))?;
    if words.at(place + 2 + of) != "ago" {
        return None;
    }
    let dates = around(shift(today, -n, unit), unit);
    let label = match unit {
        Unit::Day => format!("on {}", long_date(dates.first)),
        Unit::Week => format!("in the week of {}", long_date(dates.first)),
        Unit::Month => format!("in {}", month_name(dates.first)),
        Unit::Year => format!("in {}", dates.first.year()),
    };
    said(dates, label, 3 + of)
}

/// "this week", "last month", "next year", "last weekend".
fn relative(words: &Words, place: usize, Now { today, .. }: Now<'_>) -> Option<(Span, usize)> {
    let back = match words.at(place) {
        "this" | "current" => 0,
        "last" | "previous" => -1,
        "next" | "coming" => 1,
        _ => return None,
    };
    let which = ["last", "this", "next"].get(usize::try_from(back + 1).unwrap_or_default()).copied().unwrap_or_default();
    if matches!(words.at(place + 1), "weekend" | "weekends") {
        let saturday = shift(shift(monday(today), 5, Unit::Day), back, Unit::Week);
        return said(DateRange { first: saturday, last: shift(saturday, 1, Unit::Day) }, format!("{which} weekend"), 2);
    }
    if matches!(words.at(place + 1), "morning" | "afternoon" | "evening") && back == 0 {
        return said(DateRange::day(today), "today", 2);
    }
    if words.at(place + 1) == "season" {
        let dates = around(shift(today, back, Unit::Year), Unit::Year);
        return said(DateRange { last: dates.last.min(today), ..dates }, format!("{which} year"), 2);
    }
    let unit = unit(words.at(place + 1))?;
    let dates = around(shift(today, back, unit), unit);
    let label = match unit {
        Unit::Day => return None,
        Unit::Week => format!("{which} week (from {})", long_date(dates.first)),
        Unit::Month => format!("{which} month ({})", month_name(dates.first)),
        Unit::Year => format!("{which} year ({})", dates.first.year()),
    };
    let dates = if back == 0 { DateRange { last: today, ..dates } } else { dates };
    said(dates, label, 2)
}

/// "Christmas Day", "Easter 2024", "last Thanksgiving". Without a year the latest that has come.
fn holiday(words: &Words, place: usize, Now { today, .. }: Now<'_>) -> Option<(Span, usize)> {
    let which = usize::from(matches!(words.at(place), "on" | "last" | "this" | "over"));
    let (in_year, count) = named_day(words, place + which)?;
    let after = place + which + count;
    let said_year = year(words.at(after)).map(|year| (year, 1)).or_else(|| match (words.at(after), words.at(after + 1)) {
        ("last", "year") => Some((today.year() - 1, 2)),
        ("this", "year") => Some((today.year(), 2)),
        _ => None,
    });
    let day = match said_year {
        Some((year, _)) => in_year(year)?,
        // A leap day may lie four years back, over a turn of a century eight.
        None => (0..9).filter_map(|back| in_year(today.year() - back)).find(|day| *day <= today)?,
    };
    let count = which + count + said_year.map_or(0, |(_, count)| count);
    Some((Span { dates: DateRange::day(day), label: format!("on {}", long_date(day)), year_said: said_year.is_some() }, count))
}

/// "12 May", "12th of May 2024", "May 12th, 2024".
fn day_of_month(words: &Words, place: usize, Now { today, .. }: Now<'_>) -> Option<(Span, usize)> {
    let (day, month_of_year, mut count) = if let Some(day) = day_number(words.at(place)) {
        let of = usize::from(words.at(place + 1) == "of");
        (day, month(words.at(place + 1 + of))?, 2 + of)
    } else {
        let month_of_year = month(words.at(place))?;
        let the = usize::from(words.at(place + 1) == "the");
        (day_number(words.at(place + 1 + the))?, month_of_year, 2 + the)
    };
    let year_said = year(words.at(place + count));
    count += usize::from(year_said.is_some());
    let this_year = Date::new(year_said.unwrap_or(today.year()), month_of_year, day).ok();
    let day = match (year_said, this_year) {
        (None, Some(day)) if day > today => Date::new(today.year() - 1, month_of_year, day.day()).ok()?,
        (_, day) => day?,
    };
    Some((Span { dates: DateRange::day(day), label: format!("on {}", long_date(day)), year_said: year_said.is_some() }, count))
}

/// "March", "March 2024", "last March", "March last year". A month without a year is the latest that has begun.
fn named_month(words: &Words, place: usize, Now { today, .. }: Now<'_>) -> Option<(Span, usize)> {
    let which = matches!(words.at(place), "last" | "this" | "early" | "late" | "mid" | "previous");
    let at = place + usize::from(which);
    let word = words.at(at);
    let number = month(word)?;
    let after = at + 1 + usize::from(words.at(at + 1) == "of");
    let said_year = year(words.at(after)).or_else(|| match (words.at(after), words.at(after + 1)) {
        ("last", "year") => Some(today.year() - 1),
        ("this", "year") => Some(today.year()),
        _ => None,
    });
    let is_verb = matches!(word, "may" | "march" | "mar" | "sun") && !which && said_year.is_none();
    if is_verb && !BEFORE_TIMES.contains(&words.before(place)) {
        return None;
    }
    let year_count = match said_year {
        Some(_) if year(words.at(after)).is_some() => after - at,
        Some(_) => after + 1 - at,
        None => 0,
    };
    let this_year = date(today.year(), number, 1);
    let first = match said_year {
        Some(year) => Date::new(year, number, 1).ok()?,
        None if words.at(place) == "last" && number == today.month() => shift(this_year, -1, Unit::Year),
        None if this_year > today => shift(this_year, -1, Unit::Year),
        None => this_year,
    };
    let dates = around(first, Unit::Month);
    let label = format!("in {}", month_name(first));
    let count = usize::from(which) + 1 + year_count;
    if said_year.is_some() { said(dates, label, count) } else { guessed(dates, label, count) }
}

/// "last summer", "winter 2024", "this autumn". Winter begins in December of the year it is named by.
fn season(words: &Words, place: usize, Now { today, .. }: Now<'_>) -> Option<(Span, usize)> {
    let which = matches!(words.at(place), "last" | "this" | "past" | "previous" | "the");
    let at = place + usize::from(which);
    let (name, begin) = match words.at(at) {
        "spring" => ("spring", 3),
        "summer" => ("summer", 6),
        "autumn" => ("autumn", 9),
        "fall" => ("autumn", 9),
        "winter" => ("winter", 12),
        _ => return None,
    };
    let after = at + 1 + usize::from(words.at(at + 1) == "of");
    let said_year = year(words.at(after)).or_else(|| match (words.at(after), words.at(after + 1)) {
        ("last", "year") => Some(today.year() - 1),
        ("this", "year") => Some(today.year()),
        _ => None,
    });
    if said_year.is_none() && !which && !BEFORE_TIMES.contains(&words.before(at)) {
        return None;
    }
    let of_year = |year: i16| {
        let first = date(year, begin, 1);
        DateRange { first, last: shift(first, 2, Unit::Month).last_of_month() }
    };
    let newest = |is_right: &dyn Fn(&DateRange) -> bool| (0..3).map(|back| of_year(today.year() - back)).find(|dates| is_right(dates));
    let dates = match (said_year, words.at(place)) {
        (Some(year), _) => of_year(year),
        (None, "last" | "past" | "previous") => newest(&|dates| dates.last < today)?,
        _ => newest(&|dates| dates.first <= today)?,
    };
    // "the autumn half marathon" is a race.
    if said_year.is_none() && matches!(words.at(at + 1), "half" | "marathon" | "10k" | "race" | "classic" | "trail") {
        return None;
    }
    let count = match said_year {
        Some(_) if year(words.at(after)).is_some() => after + 1 - place,
        Some(_) => after + 2 - place,
        None => 1 + usize::from(which),
    };
    let years = if dates.first.year() == dates.last.year() {
        dates.first.year().to_string()
    } else {
        format!("{}/{}", dates.first.year(), dates.last.year() % 100)
    };
    said(DateRange { last: dates.last.min(today.max(dates.first)), ..dates }, format!("in {name} {years}"), count)
}

/// "last Tuesday", "on Tuesday", "this Sunday": the latest one before today, or the one of this week.
fn named_weekday(words: &Words, place: usize, now: Now<'_>) -> Option<(Span, usize)> {
    let today = now.today;
    let which = matches!(words.at(place), "last" | "this" | "next" | "on" | "past");
    let (day, all) = weekday(words.at(place + usize::from(which)))?;
    // Of "on Tuesday 12 May" the date says which.
    if all || day_of_month(words, place + usize::from(which) + 1, now).is_some() {
        return None;
    }
    // "my Sunday runs" are all of them; "last Sunday's run" is one.
    if is_activity_noun(words.at(place + usize::from(which) + 1)) && !matches!(words.at(place), "last" | "this" | "next" | "past") {
        return None;
    }
    // "sat" and "sun" are words too.
    if matches!(words.at(place + usize::from(which)), "sat" | "sun" | "mon" | "wed") && !which {
        return None;
    }
    let of_this_week = shift(monday(today), i64::from(day.to_monday_zero_offset()), Unit::Day);
    let date = match words.at(place) {
        "this" => of_this_week,
        "next" if of_this_week > today => of_this_week,
        "next" => shift(of_this_week, 1, Unit::Week),
        _ if of_this_week < today => of_this_week,
        _ => shift(of_this_week, -1, Unit::Week),
    };
    said(DateRange::day(date), format!("on {}", long_date(date)), 1 + usize::from(which))
}

/// "2023", "in 2023", where no unit follows.
fn whole_year(words: &Words, place: usize, Now { today, .. }: Now<'_>) -> Option<(Span, usize)> {
    let year = year(words.at(place))?;
    if matches!(words.at(place + 1), "m" | "meters" | "metres" | "km" | "kms" | "k" | "miles" | "calories" | "feet") {
        return None;
    }
    let dates = around(Date::new(year, 1, 1).ok()?, Unit::Year);
    let label = format!("in {year}");
    said(DateRange { last: if year == today.year() { today } else { dates.last }, ..dates }, label, 1)
}

/// "my last marathon", "my last race": a day of the athlete's own.
fn own_day(words: &Words, place: usize, now: Now<'_>) -> Option<(Span, usize)> {
    let my = usize::from(matches!(words.at(place), "my" | "the"));
    let which = usize::from(matches!(words.at(place + my), "last" | "latest" | "recent" | "newest"));
    // Only as a border ("since my last race", "before the marathon"): alone it asks for the race itself.
    if my + which == 0 || !matches!(words.before(place), "since" | "before" | "after" | "until" | "till" | "from" | "to") {
        return None;
    }
    let (name, day, count) = now.anchors.named(words, place + my + which)?;
    said(DateRange::day(day), format!("your last {name} on {}", long_date(day)), my + which + count)
}
