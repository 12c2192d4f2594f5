//! A question, read: when, which sports, how far, and what about them.
//!
//! A small grammar over words, not a language model: what it finds goes to SQL. It never guesses silently; what it
//! does not understand is searched for among the names of activities, and left to the model.

mod anchors;
mod distances;
mod holidays;
mod names;
mod sports;
mod topics;
mod windows;
mod words;

use jiff::civil::{Date, Weekday};
use runaway_core::domain::{Bucket, DateRange, Family, Order, Selection};

pub(crate) use anchors::Anchors;
pub(crate) use distances::standard_m;
pub(crate) use sports::nouns;
pub(crate) use topics::{Measure, Topic};
pub(crate) use windows::{Window, bare, long_date, monday};

use distances::Distances;
use sports::Sports;
use windows::Now;
use words::Words;

/// Activities of a list, where a question names no number.
const LISTED_DEFAULT: i64 = 5;
/// Activities of a list at most.
const LISTED_MAX: i64 = 20;

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

#[cfg(test)]
mod tests;
