//! Which sports a question is about, and what kind of run.

use runaway_core::domain::{Family, RunKind, Without};

use super::words::Words;

/// Sports a question names.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Sports {
    /// Families, in the question's order.
    pub(crate) families: Vec<Family>,
    /// Strava's words, where one member of a family or a rarer sport is meant.
    pub(crate) words: Vec<String>,
    /// How an answer calls them, where it is no family.
    pub(crate) called: Option<&'static str>,
    /// Indoors or outdoors.
    pub(crate) indoor: Option<bool>,
    /// A race, a long run, a workout.
    pub(crate) kind: Option<RunKind>,
    /// What is left out.
    pub(crate) without: Without,
}

/// Words of each family.
const FAMILIES: [(Family, &[&str]); 5] = [
    (Family::Run, &["run", "runs", "running", "ran", "runner", "jog", "jogs", "jogging", "jogged", "parkrun", "parkruns"]),
    (
        Family::Ride,
        &["ride", "rides", "riding", "rode", "ridden", "bike", "bikes", "biking", "biked", "bicycle", "cycling", "cycle", "cycled"],
    ),
    (Family::Swim, &["swim", "swims", "swimming", "swam", "swum", "pool"]),
    (Family::Walk, &["walk", "walks", "walking", "walked"]),
    (Family::Strength, &["strength", "gym", "weights", "lifting", "lift", "lifted", "weightlifting"]),
];

/// Words of single sports, what an answer calls them, and Strava's words.
const SINGLE: [(&[&str], &str, &[&str]); 26] = [
    (&["hike", "hikes", "hiking", "hiked"], "hikes", &["Hike"]),
    (&["yoga"], "yoga", &["Yoga"]),
    (&["pilates"], "pilates", &["Pilates"]),
    (&["rowing", "row", "rowed", "rows"], "rowing", &["Rowing", "VirtualRow"]),
    (&["kayak", "kayaking", "kayaked"], "kayaking", &["Kayaking"]),
    (&["canoe", "canoeing"], "canoeing", &["Canoeing"]),
    (&["paddle", "paddling", "sup"], "stand-up paddling", &["StandUpPaddling"]),
    (&["surf", "surfing", "surfed"], "surfing", &["Surfing"]),
    (&["ski", "skis", "skiing", "skied"], "skiing", &["AlpineSki", "BackcountrySki", "NordicSki", "RollerSki"]),
    (&["snowboard", "snowboarding", "snowboarded"], "snowboarding", &["Snowboard"]),
    (&["snowshoe", "snowshoeing"], "snowshoeing", &["Snowshoe"]),
    (&["skate", "skating", "skated"], "skating", &["IceSkate", "InlineSkate"]),
    (&["skateboard", "skateboarding"], "skateboarding", &["Skateboard"]),
    (&["elliptical"], "elliptical", &["Elliptical"]),
    (&["bouldering", "boulder"], "climbing on rock", &["RockClimbing"]),
    (&["tennis"], "tennis", &["Tennis"]),
    (&["padel"], "padel", &["Padel"]),
    (&["squash"], "squash", &["Squash"]),
    (&["badminton"], "badminton", &["Badminton"]),
    (&["golf", "golfing", "golfed"], "golf", &["Golf"]),
    (&["soccer", "football"], "football", &["Soccer"]),
    (&["basketball"], "basketball", &["Basketball"]),
    (&["crossfit"], "CrossFit", &["Crossfit"]),
    (&["hiit"], "HIIT", &["HighIntensityIntervalTraining"]),
    (&["mtb"], "mountain bike rides", &["MountainBikeRide", "EMountainBikeRide"]),
    (&["gravel"], "gravel rides", &["GravelRide"]),
];

/// Words that leave out what follows them, and words that let a list go on.
const LEAVES_OUT: [&str; 8] = ["no", "without", "except", "excluding", "excl", "minus", "not", "exclude"];
const GOES_ON: [&str; 9] = ["and", "or", "nor", "counting", "including", "for", "the", "any", "my"];

/// Takes the sports out of a question. What follows "without", "no" or "except" is left out of what is meant.
pub(crate) fn sports(words: &mut Words) -> Sports {
    let (mut found, mut left_out) = (Sports::default(), Sports::default());
    let (mut place, mut leaves_out) = (0, false);
    while place < words.len() {
        if LEAVES_OUT.contains(&words.at(place)) {
            leaves_out = true;
            place += 1;
            continue;
        }
        let side = if leaves_out { &mut left_out } else { &mut found };
        let kind_before = side.kind.take();
        let count = if words.is_free(place) { sport_at(words, place, side) } else { 0 };
        if leaves_out && count > 0 {
            note(&mut found.without, &mut left_out);
        } else {
            leaves_out &= GOES_ON.contains(&words.at(place));
            found.kind = found.kind.take().or(kind_before);
        }
        words.take(place, count);
        place += count.max(1);
    }
    // "easy runs" are those that are nothing else.
    if found.kind.is_none() && words.any(&["easy", "normal", "regular", "ordinary"]) && found.families == [Family::Run] {
        found.without.kinds.extend([RunKind::Race, RunKind::LongRun, RunKind::Workout].iter().flat_map(|kind| kind.codes()));
    }
    found
}

/// Moves what was read into what is left out.
fn note(without: &mut Without, left_out: &mut Sports) {
    let read = std::mem::take(left_out);
    without.kinds.extend(read.kind.iter().flat_map(|kind| kind.codes()));
    if read.indoor == Some(true) {
        without.indoor = true;
    } else if !read.words.is_empty() {
        without.sports.extend(read.words);
    } else if read.kind.is_none() {
        without.families.extend(read.families);
    }
}

/// Whether a word names an activity: "run", "ride", "session".
pub(crate) fn is_activity_noun(word: &str) -> bool {
    matches!(
        word,
        "long" | "session" | "sessions" | "workout" | "workouts" | "activity" | "activities" | "training" | "morning" | "evening"
    ) || FAMILIES.iter().any(|(_, names)| names.contains(&word))
}

/// Number of words of the sport at a place; 0 where none stands there.
fn sport_at(words: &Words, place: usize, found: &mut Sports) -> usize {
    let (word, next) = (words.at(place), words.at(place + 1));
    let single = |found: &mut Sports, family: Option<Family>, called: &'static str, sports: &[&str]| {
        found.words.extend(sports.iter().map(|sport| (*sport).to_owned()));
        found.called = Some(called);
        if let Some(family) = family {
            add(found, family);
        }
    };
    match (word, next) {
        ("trail" | "trails", next) => {
            single(found, Some(Family::Run), "trail runs", &["TrailRun"]);
            return 1 + usize::from(is_of(Family::Run, next));
        }
        ("mountain", "bike" | "biking" | "bikes") => {
            single(found, Some(Family::Ride), "mountain bike rides", &["MountainBikeRide", "EMountainBikeRide"]);
            return 2;
        }
        ("rock", "climbing" | "climb" | "climbs") => {
            single(found, None, "climbing on rock", &["RockClimbing"]);
            return 2;
        }
        ("cross", "country") if words.at(place + 2).starts_with("ski") => {
            single(found, None, "cross-country skiing", &["NordicSki"]);
            return 3;
        }
        ("weight", "training" | "lifting") | ("strength", "training" | "work") => {
            add(found, Family::Strength);
            return 2;
        }
        ("treadmill" | "treadmills", next) => {
            found.indoor = Some(true);
            add(found, Family::Run);
            return 1 + usize::from(is_of(Family::Run, next));
        }
        ("indoor" | "indoors" | "inside", _) => {
            found.indoor = Some(true);
            return 1;
        }
        ("outdoor" | "outdoors" | "outside", _) => {
            found.indoor = Some(false);
            return 1;
        }
        ("race" | "races" | "raced" | "racing", _) => {
            found.kind = Some(RunKind::Race);
            return 1;
        }
        ("long", "run" | "runs") => {
            found.kind = Some(RunKind::LongRun);
            add(found, Family::Run);
            return 2;
        }
        ("track" | "interval" | "intervals" | "tempo" | "speedwork", _) => {
            found.kind = Some(RunKind::Workout);
            return 1 + usize::from(matches!(next, "session" | "sessions" | "workout" | "workouts"));
        }
        ("speed", "work" | "session" | "sessions") => {
            found.kind = Some(RunKind::Workout);
            return 2;
        }
        _ => {}
    }
    if let Some((_, called, sports)) = SINGLE.iter().find(|(names, _, _)| names.contains(&word)) {
        let family = sports.first().map(|sport| Family::of(sport)).filter(|family| *family != Family::Other);
        single(found, family, called, sports);
        return 1;
    }
    match FAMILIES.iter().find(|(_, names)| names.contains(&word)) {
        Some((family, _)) => {
            add(found, *family);
            1
        }
        None => 0,
    }
}

fn is_of(family: Family, word: &str) -> bool {
    FAMILIES.iter().any(|(own, names)| *own == family && names.contains(&word))
}

fn add(found: &mut Sports, family: Family) {
    if !found.families.contains(&family) {
        found.families.push(family);
    }
}

/// What an answer calls one and several activities of a family.
pub(crate) const fn nouns(family: Option<Family>) -> (&'static str, &'static str) {
    match family {
        Some(Family::Run) => ("run", "runs"),
        Some(Family::Ride) => ("ride", "rides"),
        Some(Family::Swim) => ("swim", "swims"),
        Some(Family::Walk) => ("walk", "walks"),
        Some(Family::Strength) => ("strength session", "strength sessions"),
        Some(Family::Other) => ("other session", "other sessions"),
        None => ("activity", "activities"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(question: &str) -> Sports {
        sports(&mut Words::of(question))
    }

    #[test]
    fn families_single_sports_and_kinds_are_read() {
        assert_eq!(of("How far did I run and swim?").families, [Family::Run, Family::Swim]);
        assert_eq!(of("my treadmill runs").indoor, Some(true));
        assert_eq!(of("longest trail run").words, ["TrailRun"]);
        assert_eq!(of("my last three long runs").kind, Some(RunKind::LongRun));
        assert_eq!(of("have I ever done yoga").called, Some("yoga"));
        assert_eq!(of("did i go rock climbing").words, ["RockClimbing"]);
        assert_eq!(of("fastest race").kind, Some(RunKind::Race));
        assert_eq!(of("how much climbing did I do"), Sports::default());
        assert_eq!(of("hikes in 2024").families, [Family::Walk]);
        let easy = of("my runs without races, long runs and the treadmill");
        assert_eq!((easy.families.as_slice(), easy.kind, easy.without.indoor), ([Family::Run].as_slice(), None, true));
        assert!(easy.without.kinds.contains(&1) && easy.without.kinds.contains(&2));
        assert_eq!(of("all activities except rides").without.families, [Family::Ride]);
        assert_eq!(of("no trail runs, only races").kind, Some(RunKind::Race));
    }
}
