//! From a question to the reads that answer it. Bounded: a question costs a handful of statements in one flight.

use jiff::ToSpan as _;
use jiff::civil::Date;
use runaway_core::domain::{Bucket, DateRange, Family, Order, RunKind, STANDARD_DISTANCES, Selection};

use crate::question::{Measure, Question, Topic, Window, monday, standard_m};

/// Reads of one question at most.
pub(crate) const READS_MAX: usize = 10;
/// Windows of one question that are answered.
const WINDOWS_MAX: usize = 3;
/// Matches of a search that are looked at.
const SEARCHED_MAX: i32 = 50;
/// Weeks of a trend without a window.
const TREND_WEEKS: i32 = 12;
/// Efforts of a distance that are listed.
const RECORDS_LISTED: i64 = 3;

/// One read, with the words an answer uses for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Read {
    /// Sums.
    Totals {
        /// Of what.
        selection: Selection,
        /// Per what.
        bucket: Bucket,
        /// When, in words.
        label: String,
    },
    /// Single activities.
    List {
        /// Which.
        selection: Selection,
        /// In which order.
        order: Order,
        /// How many.
        most: i64,
        /// When, in words.
        label: String,
    },
    /// The fastest efforts over distances.
    Records {
        /// Metres, rounded up.
        distances_m: Vec<i32>,
        /// When.
        dates: DateRange,
        /// How many each.
        most: i64,
        /// When, in words.
        label: String,
    },
    /// Activities by name.
    Search {
        /// The words.
        words: String,
        /// When.
        dates: DateRange,
        /// Whether the question said that it is a name.
        explicit: bool,
        /// How many at most.
        most: i32,
    },
    /// Streaks and breaks.
    Calendar {
        /// When.
        dates: DateRange,
        /// Of which family.
        family: Option<Family>,
        /// When, in words.
        label: String,
    },
}

/// A distance as `best_efforts` keys it.
#[expect(clippy::cast_possible_truncation, reason = "a race's distance")]
pub(crate) fn effort_key(metres: f64) -> i32 {
    metres.ceil() as i32
}

/// All standard distances as `best_efforts` keys them.
pub(crate) fn standard_keys() -> Vec<i32> {
    STANDARD_DISTANCES.iter().map(|standard| effort_key(standard.metres)).collect()
}

/// What has to be read for a question.
pub(crate) fn plan(question: &Question) -> Vec<Read> {
    let mut reads = names(question);
    let windows = windows(question);
    match question.topic {
        Topic::Rest => reads.extend(windows.iter().map(|window| calendar(question, window))),
        Topic::Prediction => {
            reads.push(newest_races(question, 1));
            windows.iter().for_each(|window| reads.extend(records(question, window)));
        }
        Topic::Record => windows.iter().for_each(|window| reads.extend(records(question, window))),
        Topic::BestPeriod => windows.iter().for_each(|window| {
            let bucket = question.per.unwrap_or(Bucket::Week);
            reads.extend(alone_and_all(question, window, bucket));
        }),
        Topic::Compare => reads.extend(comparison(question)),
        Topic::Superlative => windows.iter().for_each(|window| {
            let list = |order: &Order| list(question, window, *order, question.most);
            reads.extend(question.orders.iter().map(list));
        }),
        Topic::Trend => reads.extend(trend(question)),
        Topic::Latest => windows.iter().for_each(|window| reads.push(list(question, window, Order::Newest, question.most))),
        Topic::First => windows.iter().for_each(|window| reads.push(list(question, window, Order::Oldest, question.most))),
        Topic::Totals | Topic::Lookup => windows.iter().for_each(|window| reads.extend(whole(question, window))),
        Topic::Load | Topic::Intensity => {
            if question.sports.kind == Some(RunKind::Race) {
                reads.push(newest_races(question, question.most));
            }
            // "What should I do today?" is not about what was done today.
            let looks_back = question.windows.iter().any(|window| window.dates.first < question.today);
            if looks_back {
                windows.iter().for_each(|window| reads.extend(whole(question, window)));
            }
        }
        Topic::Smalltalk => {}
    }
    reads.truncate(READS_MAX);
    reads
}

fn windows(question: &Question) -> Vec<Window> {
    match question.windows.as_slice() {
        [] => vec![question.window()],
        several => several.iter().take(WINDOWS_MAX).cloned().collect(),
    }
}

/// Sums of running by itself where no sport is named, and of everything: a big week may be either.
fn alone_and_all(question: &Question, window: &Window, bucket: Bucket) -> Vec<Read> {
    let all = question.selection(window.dates);
    let is_open = all.family.is_none() && all.sports.is_empty();
    let runs = is_open.then(|| Selection { family: Some(Family::Run), ..all.clone() });
    let totals = |selection| Read::Totals { selection, bucket, label: window.label.clone() };
    runs.into_iter().chain([all]).map(totals).collect()
}

fn newest_races(question: &Question, most: i64) -> Read {
    let past = DateRange { first: DateRange::EVER.first, last: question.today };
    let selection = Selection { kind: Some(RunKind::Race), ..Selection::family(past, Family::Run) };
    Read::List { selection, order: Order::Newest, most, label: "so far".to_owned() }
}

fn names(question: &Question) -> Vec<Read> {
    // Of several windows, each may hold one: "the marathons of 2022 and 2024".
    let dates = if question.windows.len() == 1 { question.window().dates } else { DateRange::EVER };
    let search = |words: &String| Read::Search { words: words.clone(), dates, explicit: question.names_are_explicit, most: SEARCHED_MAX };
    question.names.iter().map(search).collect()
}

fn list(question: &Question, window: &Window, order: Order, most: i64) -> Read {
    let mut selection = question.selection(window.dates);
    // The fastest of all sports would always be a ride.
    if matches!(order, Order::Fastest | Order::Slowest) && selection.family.is_none() && selection.sports.is_empty() {
        selection.family = Some(Family::Run);
    }
    Read::List { selection, order, most, label: window.label.clone() }
}

fn totals(question: &Question, window: &Window, bucket: Bucket) -> Read {
    Read::Totals { selection: question.selection(window.dates), bucket, label: window.label.clone() }
}

fn calendar(question: &Question, window: &Window) -> Read {
    let past = DateRange { first: DateRange::EVER.first, last: question.today };
    Read::Calendar { dates: window.dates.intersect(&past), family: question.family(), label: window.label.clone() }
}

fn records(question: &Question, window: &Window) -> Vec<Read> {
    let standard: Vec<i32> = question.distances.named_m.iter().filter_map(|m| standard_m(*m)).map(|(_, m)| effort_key(m)).collect();
    let odd = question.distances.named_m.iter().find(|metres| standard_m(**metres).is_none());
    let mut reads = Vec::new();
    if let Some(metres) = odd {
        let selection =
            Selection { distance_min_m: Some(*metres), distance_max_m: Some(metres * 1.04), ..question.selection(window.dates) };
        reads.push(Read::List { selection, order: Order::Fastest, most: RECORDS_LISTED, label: window.label.clone() });
    }
    if !standard.is_empty() || odd.is_none() {
        let distances_m = if standard.is_empty() { standard_keys() } else { standard };
        let most = if distances_m.len() > 2 { 1 } else { question.most.max(RECORDS_LISTED) };
        reads.push(Read::Records { distances_m, dates: window.dates, most, label: window.label.clone() });
    }
    reads
}

/// Everything about a window: sums, by sport where none is named, the activities, the longest.
fn whole(question: &Question, window: &Window) -> Vec<Read> {
    let order = if window.dates.days() <= 31 { Order::Oldest } else { Order::Newest };
    let mut reads = vec![totals(question, window, Bucket::All)];
    if question.family().is_none() && question.sports.words.is_empty() {
        reads.push(totals(question, window, Bucket::Family));
    }
    reads.push(list(question, window, order, question.most));
    if window.dates.days() > 7 {
        reads.push(list(question, window, Order::Longest, 1));
    }
    reads
}

fn comparison(question: &Question) -> Vec<Read> {
    match question.windows.as_slice() {
        [] if question.sports.families.len() > 1 => vec![totals(question, &question.window(), Bucket::Family)],
        [] => vec![list(question, &question.window(), Order::Newest, question.most.max(2))],
        [only] => {
            let mut reads = whole(question, only);
            reads.extend(counterparts(only).iter().map(|window| totals(question, window, Bucket::All)));
            reads
        }
        several => {
            let mut reads: Vec<Read> = several.iter().take(WINDOWS_MAX).map(|window| totals(question, window, Bucket::All)).collect();
            reads.extend(same_part(question.today, several).iter().map(|window| totals(question, window, Bucket::All)));
            if question.family().is_none() && question.sports.words.is_empty() {
                reads.extend(several.iter().take(2).map(|window| totals(question, window, Bucket::Family)));
            }
            let looks_closer = several.iter().any(|window| !question.selection(window.dates).is_by_day());
            if looks_closer || several.iter().all(|window| window.dates.days() <= 7) {
                reads.extend(several.iter().take(2).map(|window| list(question, window, Order::Oldest, question.most)));
            }
            reads
        }
    }
}

/// What one window is compared with: the same days before it, and those of the year before.
fn counterparts(window: &Window) -> Vec<Window> {
    if window.dates.is_ever() || window.dates.first <= DateRange::EVER.first {
        return vec![];
    }
    let length = i32::try_from(window.dates.days()).unwrap_or(i32::MAX / 4);
    let is_month = window.dates.first.day() == 1 && (20..=31).contains(&length);
    let before = if is_month {
        let first = window.dates.first.saturating_sub(1.month());
        DateRange { first, last: first.saturating_add((length - 1).days()).min(first.last_of_month()) }
    } else {
        DateRange { first: window.dates.first.saturating_sub(length.days()), last: window.dates.first.saturating_sub(1.day()) }
    };
    let a_year = |day: Date| day.saturating_sub(1.year());
    let year_before = DateRange { first: a_year(window.dates.first), last: a_year(window.dates.last) };
    let label =
        |dates: DateRange| format!("from {} to {}", crate::question::long_date(dates.first), crate::question::long_date(dates.last));
    [before, year_before].map(|dates| Window { dates, label: label(dates) }).to_vec()
}

/// A window that is not over is compared with the same part of the other one.
fn same_part(today: Date, windows: &[Window]) -> Option<Window> {
    let (first, second) = (windows.first()?, windows.get(1)?);
    let (running, other) = if first.dates.last == today { (first, second) } else { (second, first) };
    if running.dates.last != today || other.dates.days() <= running.dates.days() {
        return None;
    }
    let length = i32::try_from(running.dates.days() - 1).ok()?;
    let dates = DateRange { first: other.dates.first, last: other.dates.first.saturating_add(length.days()) };
    Some(Window { dates, label: format!("{} up to the same day ({})", other.label, crate::question::long_date(dates.last)) })
}

fn trend(question: &Question) -> Vec<Read> {
    let bucket = question.per.unwrap_or(match question.windows.first() {
        Some(window) if window.dates.days() > 800 => Bucket::Year,
        Some(window) if window.dates.days() > 200 => Bucket::Month,
        _ => Bucket::Week,
    });
    let window = question.windows.first().cloned().unwrap_or_else(|| trend_window(question.today, bucket));
    let mut reads = alone_and_all(question, &window, bucket);
    reads.push(totals(question, &window, Bucket::All));
    if question.windows.is_empty() || question.measure == Measure::Pace {
        let before = DateRange { first: window.dates.first.saturating_sub(1.year()), last: window.dates.last.saturating_sub(1.year()) };
        reads.push(totals(question, &Window { dates: before, label: "in the same time a year before".to_owned() }, Bucket::All));
    }
    reads
}

fn trend_window(today: Date, bucket: Bucket) -> Window {
    let (first, label) = match bucket {
        Bucket::Month => (today.first_of_month().saturating_sub(11.months()), "in the last 12 months".to_owned()),
        Bucket::Year => (DateRange::EVER.first, "in all".to_owned()),
        _ => (monday(today).saturating_sub((TREND_WEEKS - 1).weeks()), format!("in the last {TREND_WEEKS} weeks")),
    };
    Window { dates: DateRange { first, last: today }, label }
}
