//! Training days, days off, streaks and breaks in sentences.

use jiff::ToSpan as _;
use jiff::civil::Date;
use runaway_core::db::athlete_days::Calendar;
use runaway_core::domain::{DateRange, Family};

use super::capitalised;
use crate::facts::Facts;
use crate::question::{long_date, nouns};
use crate::wording::{ago, counted, grouped_int};

/// What the calendar says about a window.
pub(super) fn calendar(facts: &Facts, dates: DateRange, family: Option<Family>, label: &str, calendar: &Calendar) -> String {
    let what = family.map_or("training".to_owned(), |family| format!("a {}", nouns(Some(family)).0));
    let Some((first, last, length)) = calendar.newest_streak else {
        return format!("{}: no day with {what} found.", capitalised(label));
    };
    let began = facts.lifetime.iter().filter_map(|family| family.first).min().unwrap_or(first);
    let days = DateRange { first: dates.first.max(began), last: dates.last.min(facts.today) };
    let off = days.days() - calendar.trained_days;
    let mut sentences = vec![format!(
        "{}: {} with {what} and {} without.",
        capitalised(label),
        counted(calendar.trained_days, ("day", "days")),
        counted(off, ("day", "days"))
    )];
    if dates.last >= facts.today {
        sentences.push(current(facts.today, first, last, length, &what));
    }
    if let Some((first, last, n)) = calendar.longest_streak {
        sentences.push(format!("The longest streak was {}, {}.", counted(n, ("day", "days")), span(first, last)));
    }
    match calendar.longest_break {
        Some((first, last, n)) => sentences.push(format!("The longest break was {}, {}.", counted(n, ("day", "days")), span(first, last))),
        None => sentences.push(format!("There was no day without {what} in between.")),
    }
    if let Some((first, last, n)) = calendar.newest_break.filter(|newest| calendar.longest_break != Some(*newest)) {
        sentences.push(format!("The newest break was {}, {}.", counted(n, ("day", "days")), span(first, last)));
    }
    sentences.join(" ")
}

/// The streak that goes on, or the days off since it ended. Today is not over: it counts as a day off only tomorrow.
fn current(today: Date, first: Date, last: Date, length: i64, what: &str) -> String {
    let since = i64::from((today - last).get_days());
    if since <= 1 {
        let rest = first.saturating_sub(1.day());
        return format!(
            "Your current streak is {}, since {}; your last rest day was {}, {}.",
            counted(length, ("day", "days")),
            long_date(first),
            long_date(rest),
            ago(rest, today)
        );
    }
    let yesterday = today.saturating_sub(1.day());
    format!(
        "Your last day with {what} was {}, {}; your last rest day was yesterday, {} ({} days off so far).",
        long_date(last),
        ago(last, today),
        long_date(yesterday),
        grouped_int(since - 1)
    )
}

fn span(first: Date, last: Date) -> String {
    if first == last { format!("on {}", long_date(first)) } else { format!("from {} to {}", long_date(first), long_date(last)) }
}
