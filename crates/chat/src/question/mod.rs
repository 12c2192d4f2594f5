//! A question, read: when, which sports, how far, and what about them.
//!
//! A small grammar over words, not a language model: what it finds goes to SQL. It never guesses silently; what it
//! does not understand is searched for among the names of activities, and left to the model.

mod anchors;
mod calendar;
mod distances;
mod holidays;
mod names;
mod spans;
mod sports;
mod topics;
mod windows;
mod words;

use jiff::civil::{Date, Weekday};
use runaway_core::domain::{Bucket, DateRange, Family, Order, Selection};

pub(crate) use anchors::Anchors;
pub(crate) use calendar::{long_date, monday};
pub(crate) use distances::standard_m;
pub(crate) use sports::nouns;
pub(crate) use topics::{Measure, Topic};
pub(crate) use windows::{Window, bare};

use distances::Distances;
use sports::Sports;
use windows::Now;
use words::Words;

/// Activities of a list, where a question names no number.
const LISTED_DEFAULT: i64 = 5;
/// Activities of a list at most.
const LISTED_MAX: i64 = 20;

/// Words of a question that points back with "that" or "it".
const FOLLOW_UP_WORDS_MAX: usize = 8;

/// What a question asks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    /// What it is about.
    pub(crate) topic: Topic,
    /// When; empty where no time is named.
    pub(crate) windows: Vec<Window>,
    /// Which sports.
    pub(crate) sports: Sports,
    /// How far.
    pub(crate) distances: Distances,
    /// Only of at least so many moving seconds.
    pub(crate) moving_min_s: Option<i32>,
    /// Only on this day of the week.
    pub(crate) weekday: Option<Weekday>,
    /// By what activities are ranked.
    pub(crate) orders: Vec<Order>,
    /// Weeks, months or years that are compared with each other.
    pub(crate) per: Option<Bucket>,
    /// By what they are.
    pub(crate) measure: Measure,
    /// How many were asked for.
    pub(crate) most: i64,
    /// Names of activities it may mean.
    pub(crate) names: Vec<String>,
    /// Whether it says that a name is meant.
    pub(crate) names_are_explicit: bool,
    /// Whether it counts in miles.
    pub(crate) in_miles: bool,
    /// The athlete's day.
    pub(crate) today: Date,
}

impl Question {
    /// Reads a question.
    pub(crate) fn read(text: &str, today: Date, anchors: &Anchors) -> Self {
        let mut words = Words::of(text);
        let in_miles = words.any(&["mile", "miles", "mi"]);
        let asked = topics::number_asked(&words);
        let mut windows = windows::windows(&mut words, Now { today, anchors });
        // "I race next month. What did I run last week?" asks about what has been.
        if windows.iter().any(|window| window.dates.first <= today) {
            windows.retain(|window| window.dates.first <= today);
        }
        let distances = distances::distances(&mut words);
        let moving_min_s = distances::moving_min_s(&mut words);
        let weekday = topics::recurring_weekday(&mut words);
        let sports = sports::sports(&mut words);
        let names = names::names(&words, text);
        let facets = topics::facets(&words, &distances, &windows);
        let names_are_explicit = names.explicit;
        Self {
            topic: facets.topic,
            windows,
            sports,
            distances,
            moving_min_s,
            weekday,
            orders: facets.orders,
            per: facets.per,
            measure: facets.measure,
            most: asked.unwrap_or(LISTED_DEFAULT).clamp(1, LISTED_MAX),
            names: names.candidates,
            names_are_explicit,
            in_miles,
            today,
        }
    }

    /// A question that goes on from the one before: "And in 2024?", "what about rides?". What it does not say is what was
    /// said before.
    #[must_use]
    pub(crate) fn following(mut self, text: &str, before: Option<&Self>) -> Self {
        let Some(before) = before.filter(|_| is_follow_up(text)) else { return self };
        if self.topic == Topic::Lookup || (self.topic == Topic::Latest && before.topic != Topic::Lookup) {
            (self.topic, self.orders, self.per) = (before.topic, before.orders.clone(), before.per);
        }
        if self.measure == Measure::Distance {
            self.measure = before.measure;
        }
        if self.windows.is_empty() {
            self.windows.clone_from(&before.windows);
        }
        if self.sports == Sports::default() {
            self.sports = before.sports.clone();
        }
        if self.distances == Distances::default() {
            self.distances = before.distances.clone();
        }
        if self.names.is_empty() {
            self.names.clone_from(&before.names);
            self.names_are_explicit = before.names_are_explicit;
        }
        self.weekday = self.weekday.or(before.weekday);
        self.moving_min_s = self.moving_min_s.or(before.moving_min_s);
        self.in_miles |= before.in_miles;
        self
    }

    /// The window of a question that names one, else all days.
    pub(crate) fn window(&self) -> Window {
        self.windows.first().cloned().unwrap_or_else(|| Window { dates: DateRange::EVER, label: "in all".to_owned() })
    }

    /// The family of sports meant: the only one named, or running where the question speaks of pace or runs' distances.
    pub(crate) fn family(&self) -> Option<Family> {
        match self.sports.families.as_slice() {
            [only] => Some(*only),
            [] if self.sports.words.is_empty() && self.speaks_of_running() => Some(Family::Run),
            _ => None,
        }
    }

    fn speaks_of_running(&self) -> bool {
        let paced = self.orders.iter().any(|order| matches!(order, Order::Fastest | Order::Slowest));
        let races = self.sports.kind.is_some() || self.distances.named_m.iter().any(|metres| standard_m(*metres).is_some());
        paced || races || self.measure == Measure::Pace || matches!(self.topic, Topic::Record | Topic::Prediction)
    }

    /// The activities meant, on these days.
    pub(crate) fn selection(&self, dates: DateRange) -> Selection {
        let (min_m, max_m) = self.bounds();
        Selection {
            dates,
            family: self.family(),
            sports: self.sports.words.clone(),
            indoor: self.sports.indoor,
            kind: self.sports.kind,
            distance_min_m: min_m,
            distance_max_m: max_m,
            moving_min_s: self.moving_min_s,
            without: self.sports.without.clone(),
            weekday: self.weekday,
        }
    }

    /// Bounds of the distance: those that were said, or those of the race that was named.
    fn bounds(&self) -> (Option<f64>, Option<f64>) {
        use runaway_core::domain::WHOLE_ACTIVITY_TOLERANCE;
        if self.distances.min_m.is_some() || self.distances.max_m.is_some() {
            return (self.distances.min_m, self.distances.max_m);
        }
        match (self.topic, self.distances.named_m.as_slice()) {
            (Topic::Record | Topic::Prediction, _) | (_, []) => (None, None),
            (_, [metres, ..]) => {
                let metres = standard_m(*metres).map_or(*metres, |(_, exact)| exact);
                (Some(metres), Some(metres * (1.0 + WHOLE_ACTIVITY_TOLERANCE)))
            }
        }
    }

    /// What an answer calls one and several of the activities meant.
    pub(crate) fn nouns(&self) -> (&'static str, &'static str) {
        use runaway_core::domain::RunKind;
        match (self.sports.called, self.sports.kind, self.sports.indoor, self.family()) {
            (_, Some(RunKind::Race), ..) => ("race", "races"),
            (Some("trail runs"), ..) => ("trail run", "trail runs"),
            (Some("hikes"), ..) => ("hike", "hikes"),
            (_, Some(RunKind::LongRun), ..) => ("long run", "long runs"),
            (_, Some(RunKind::Workout), ..) => ("workout", "workouts"),
            (_, None, Some(true), Some(Family::Run)) => ("treadmill run", "treadmill runs"),
            (Some(_), ..) => ("session", "sessions"),
            (.., family) => nouns(family),
        }
    }
}

/// Whether a message goes on from the one before rather than beginning anew.
fn is_follow_up(text: &str) -> bool {
    const OPENINGS: [&str; 8] = ["and ", "what about", "how about", "same ", "or in ", "but ", "also ", "then "];
    const BACKWARDS: [&str; 5] = ["that", "it", "those", "them", "then"];
    let lower = text.trim().to_lowercase();
    let points_back = lower.split(|c: char| !c.is_alphanumeric()).any(|word| BACKWARDS.contains(&word));
    OPENINGS.iter().any(|opening| lower.starts_with(opening)) || (points_back && lower.split_whitespace().count() <= FOLLOW_UP_WORDS_MAX)
}

#[cfg(test)]
mod tests;
