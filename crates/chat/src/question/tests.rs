//! Questions and how they are read, for a Friday: 27 November 2026.

use jiff::civil::{Date, date};

use super::*;

const TODAY: Date = date(2026, 11, 27);

fn read(text: &str) -> Question {
    let anchors = Anchors { race: Some(date(2026, 10, 11)), marathon: Some(date(2026, 10, 11)), ..Anchors::default() };
    Question::read(text, TODAY, &anchors)
}

fn check_windows(text: &str, expected: &[(&str, &str)]) {
    let found: Vec<_> = read(text).windows.iter().map(|w| (w.dates.first.to_string(), w.dates.last.to_string())).collect();
    let expected: Vec<_> = expected.iter().map(|(first, last)| ((*first).to_owned(), (*last).to_owned())).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn single_days() {
    for (text, day) in [
        ("what did I do today?", "2026-11-27"),
        ("what did I do yesterday", "2026-11-26"),
        ("the day before yesterday", "2026-11-25"),
        ("what did I do last Tuesday?", "2026-11-24"),
        ("how far did I run on Friday", "2026-11-20"),
        ("3 days ago", "2026-11-24"),
        ("on 12 May", "2026-05-12"),
        ("on December 24th", "2025-12-24"),
        ("the 3rd of March, 2023", "2023-03-03"),
        ("on 2024-02-29?", "2024-02-29"),
        ("May 12, 2024", "2024-05-12"),
        ("what was that run on Sunday 13 October 2024?", "2024-10-13"),
        ("on Tuesday, May 12th", "2026-05-12"),
    ] {
        check_windows(text, &[(day, day)]);
    }
}

#[test]
fn weeks_months_seasons_and_years() {
    for (text, first, last) in [
        ("this week", "2026-11-23", "2026-11-27"),
        ("last week", "2026-11-16", "2026-11-22"),
        ("three weeks ago", "2026-11-02", "2026-11-08"),
        ("last weekend", "2026-11-21", "2026-11-22"),
        ("in the last 4 weeks", "2026-10-31", "2026-11-27"),
        ("over the past 30 days", "2026-10-29", "2026-11-27"),
        ("in the past year", "2025-11-28", "2026-11-27"),
        ("the last couple of weeks", "2026-11-14", "2026-11-27"),
        ("last month", "2026-10-01", "2026-10-31"),
        ("how many km in March 2024", "2024-03-01", "2024-03-31"),
        ("in March", "2026-03-01", "2026-03-31"),
        ("in December", "2025-12-01", "2025-12-31"),
        ("last November", "2025-11-01", "2025-11-30"),
        ("in august last year", "2025-08-01", "2025-08-31"),
        ("in may", "2026-05-01", "2026-05-31"),
        ("this time last year", "2025-11-01", "2025-11-30"),
        ("last year", "2025-01-01", "2025-12-31"),
        ("this year", "2026-01-01", "2026-11-27"),
        ("in 2023", "2023-01-01", "2023-12-31"),
        ("2 years ago", "2024-01-01", "2024-12-31"),
        ("so far this month", "2026-11-01", "2026-11-27"),
        ("in Q3 2025", "2025-07-01", "2025-09-30"),
        ("in the first half of 2024", "2024-01-01", "2024-06-30"),
        ("the week of 12 May", "2026-05-11", "2026-05-17"),
        ("two Sundays ago", "2026-11-15", "2026-11-15"),
        ("the week before last", "2026-11-09", "2026-11-15"),
        ("the last fortnight", "2026-11-14", "2026-11-27"),
        ("this summer", "2026-06-01", "2026-08-31"),
        ("last winter", "2025-12-01", "2026-02-28"),
        ("in the summer of 2023", "2023-06-01", "2023-08-31"),
    ] {
        check_windows(text, &[(first, last)]);
    }
}

#[test]
fn bounded_windows() {
    for (text, first, last) in [
        ("since January", "2026-01-01", "2026-11-27"),
        ("since 2023", "2023-01-01", "2026-11-27"),
        ("between June and August 2023", "2023-06-01", "2023-08-31"),
        ("from 3 May to 12 May 2024", "2024-05-03", "2024-05-12"),
        ("from november 2024 to february 2025", "2024-11-01", "2025-02-28"),
        ("between november and february 2025", "2024-11-01", "2025-02-28"),
        ("before 2022", "1900-01-01", "2021-12-31"),
        ("since my last marathon", "2026-10-11", "2026-11-27"),
        ("since last Tuesday", "2026-11-24", "2026-11-27"),
        ("jan to mar 2025", "2025-01-01", "2025-03-31"),
        ("between 10 and 23 December 2025", "2025-12-10", "2025-12-23"),
        ("from the 10th to the 23rd of december", "2025-12-10", "2025-12-23"),
        ("December 10-23, 2024", "2024-12-10", "2024-12-23"),
        ("from the 3rd of may to the 4th of june 2024", "2024-05-03", "2024-06-04"),
    ] {
        check_windows(text, &[(first, last)]);
    }
}

#[test]
fn several_windows_and_none() {
    check_windows("compare March 2024 with March 2025", &[("2024-03-01", "2024-03-31"), ("2025-03-01", "2025-03-31")]);
    check_windows("this month vs the same month last year", &[("2026-11-01", "2026-11-27"), ("2025-11-01", "2025-11-30")]);
    for text in
        ["may I run more?", "do I fall apart on hills", "my last three long runs", "what's my fastest marathon", "the Autumn half marathon"]
    {
        check_windows(text, &[]);
    }
}

#[test]
fn topics() {
    for (text, topic) in [
        ("When did I last run over 10 miles?", Topic::Latest),
        ("What did I do last Tuesday?", Topic::Lookup),
        ("How many km in March 2024, runs only?", Topic::Totals),
        ("How long since my last rest day?", Topic::Rest),
        ("longest streak", Topic::Rest),
        ("What's my longest run ever, and the hilliest?", Topic::Superlative),
        ("Fastest 5k since 2023?", Topic::Record),
        ("my half marathon PR", Topic::Record),
        ("Which week was my biggest?", Topic::BestPeriod),
        ("Highest heart rate I ever recorded", Topic::Superlative),
        ("Compare my last three long runs.", Topic::Compare),
        ("How does this month compare with the same month last year?", Topic::Compare),
        ("Am I getting faster?", Topic::Trend),
        ("How many km per week did I run this year?", Topic::Trend),
        ("Am I really doing 80/20?", Topic::Intensity),
        ("How is my fitness?", Topic::Load),
        ("What could I run for a half in six weeks?", Topic::Prediction),
        ("Is sub-4 realistic given my volume?", Topic::Prediction),
        ("What should I do today?", Topic::Load),
        ("did I run more in May than in June", Topic::Compare),
    ] {
        assert_eq!(read(text).topic, topic, "{text}");
    }
}

#[test]
fn selections() {
    let far = read("When did I last run over 10 miles?");
    let selection = far.selection(DateRange::EVER);
    assert_eq!((selection.family, selection.distance_min_m.map(f64::round)), (Some(Family::Run), Some(16_093.0)));
    let two = read("What's my longest run ever, and the hilliest?");
    assert_eq!(two.orders, [Order::Longest, Order::Hilliest]);
    assert_eq!(read("Compare my last three long runs").most, 3);
    assert_eq!(read("how far do I run on Sundays").weekday, Some(Weekday::Sunday));
    assert_eq!(read("the run called 'Misty loop with Anna'").names, ["Misty loop with Anna"]);
    let week = read("Which week was my biggest?");
    assert_eq!(week.per.unwrap(), Bucket::Week);
}

#[test]
fn follow_ups_go_on_from_the_question_before() {
    let follow = |before: &str, text: &str| read(text).following(text, Some(&read(before)));
    let longest = follow("What was my longest run in 2024?", "And in 2023?");
    assert_eq!(
        (longest.topic, longest.orders.as_slice(), longest.family()),
        (Topic::Superlative, [Order::Longest].as_slice(), Some(Family::Run))
    );
    assert_eq!(longest.windows[0].dates.first, date(2023, 1, 1));
    let rides = follow("How many km did I run last month?", "What about rides?");
    assert_eq!((rides.topic, rides.family(), rides.windows.len()), (Topic::Totals, Some(Family::Ride), 1));
    let fast = follow("What was my longest run in 2024?", "How fast was that?");
    assert_eq!((fast.topic, fast.windows.len()), (Topic::Superlative, 1));
    let anew = follow("What was my longest run in 2024?", "How many swims did I do in 2025?");
    assert_eq!((anew.topic, anew.family(), anew.orders.len()), (Topic::Totals, Some(Family::Swim), 0));
}
