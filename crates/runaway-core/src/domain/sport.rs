//! What kind of sport a word of Strava's means to the coach.

/// Sports that add up with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Running anywhere: road, trail, treadmill.
    Run,
    /// Anything on wheels that is driven by the athlete.
    Ride,
    /// In water.
    Swim,
    /// On foot, not running.
    Walk,
    /// With weights.
    Strength,
    /// Everything else, and every word not known here: it never enters running totals.
    Other,
}

impl Family {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 6] = [Self::Run, Self::Ride, Self::Swim, Self::Walk, Self::Strength, Self::Other];

    /// The family of Strava's `sport_type`, or of its older `type`.
    pub fn of(sport_type: &str) -> Self {
        match sport_type {
            "Run" | "TrailRun" | "VirtualRun" => Self::Run,
            "Ride" | "VirtualRide" | "GravelRide" | "MountainBikeRide" | "EBikeRide" | "EMountainBikeRide" | "Handcycle" | "Velomobile" => {
                Self::Ride
            }
            "Swim" => Self::Swim,
            "Walk" | "Hike" | "Snowshoe" => Self::Walk,
            "WeightTraining" | "Crossfit" => Self::Strength,
            _ => Self::Other,
        }
    }

    /// The word in tables and facts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Ride => "ride",
            Self::Swim => "swim",
            Self::Walk => "walk",
            Self::Strength => "strength",
            Self::Other => "other",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_sport_never_becomes_a_run() {
        for (word, family) in [
            ("Run", Family::Run),
            ("TrailRun", Family::Run),
            ("VirtualRun", Family::Run),
            ("GravelRide", Family::Ride),
            ("Swim", Family::Swim),
            ("Hike", Family::Walk),
            ("Crossfit", Family::Strength),
            ("Workout", Family::Other),
            ("Quidditch", Family::Other),
            ("run", Family::Other),
            ("", Family::Other),
        ] {
            assert_eq!(Family::of(word), family, "{word}");
        }
    }

    #[test]
    fn every_word_reads_back() {
        for family in Family::ALL {
            assert_eq!(Family::parse(family.as_str()), Some(family));
        }
        assert_eq!(Family::parse("Run"), None);
    }
}
