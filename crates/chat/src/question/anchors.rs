//! Days of the athlete's own by which a question may count: the last race, the last marathon.

use jiff::civil::Date;

use super::words::Words;

/// The newest day of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Anchors {
    /// Any race.
    pub(crate) race: Option<Date>,
    /// A run of a marathon's length.
    pub(crate) marathon: Option<Date>,
    /// A run of half a marathon's length that was a race.
    pub(crate) half_marathon: Option<Date>,
    /// A race of 10 km.
    pub(crate) ten_km: Option<Date>,
}

impl Anchors {
    /// What the words at a place name: its name, its day, the number of words.
    pub(super) fn named(&self, words: &Words, place: usize) -> Option<(&'static str, Date, usize)> {
        let (name, day, count) = match (words.at(place), words.at(place + 1)) {
            ("half", "marathon") => ("half marathon", self.half_marathon, 2),
            ("half", _) => ("half marathon", self.half_marathon, 1),
            ("marathon", _) => ("marathon", self.marathon, 1),
            ("10k", "race") => ("10 km race", self.ten_km, 2),
            ("10k", _) => ("10 km race", self.ten_km, 1),
            ("race", _) => ("race", self.race, 1),
            _ => return None,
        };
        Some((name, day?, count))
    }
}
