//! What a question wants to know: sums, a record, a comparison, a trend, a prediction.

use jiff::civil::Weekday;
use runaway_core::domain::{Bucket, Order};

use super::calendar::weekday;
use super::distances::{Distances, standard_m};
use super::sports::is_activity_noun;
use super::windows::Window;
use super::words::{Words, number};

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// The coach itself, thanks, greetings.
    Smalltalk,
    /// Rest days, streaks, breaks.
    Rest,
    /// What a race could bring.
    Prediction,
    /// Fitness, fatigue, load, what to do today.
    Load,
    /// Easy and hard, zones.
    Intensity,
    /// The fastest time over a distance.
    Record,
    /// Two times, or several activities, side by side.
    Compare,
    /// The week, month or year with the most of something.
    BestPeriod,
    /// The most of something in one activity.
    Superlative,
    /// How something develops.
    Trend,
    /// The newest of a kind.
    Latest,
    /// The oldest of a kind.
    First,
    /// Sums and means.
    Totals,
    /// What was done at a time.
    Lookup,
}

/// What is summed or compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Metres.
    Distance,
    /// Moving time.
    Time,
    /// Climb.
    Climb,
    /// Number of activities.
    Count,
    /// Time a kilometre.
    Pace,
    /// Heart rate.
    HeartRate,
}

/// What the words say beside times, sports and distances.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Facets {
    pub(crate) topic: Topic,
    pub(crate) orders: Vec<Order>,
    pub(crate) per: Option<Bucket>,
    pub(crate) measure: Measure,
}

const PREDICTS: [&str; 11] = [
    "predict",
    "prediction",
    "predicted",
    "predictions",
    "realistic",
    "estimate",
    "capable",
    "potential",
    "achievable",
    "expect",
    "feasible",
];
const LOADS: [&str; 27] = [
    "load",
    "fitness",
    "fatigue",
    "ctl",
    "atl",
    "tsb",
    "acwr",
    "overtraining",
    "overtrained",
    "overtrain",
    "fresh",
    "tired",
    "ramp",
    "monotony",
    "strain",
    "spike",
    "overdoing",
    "recover",
    "recovered",
    "recovery",
    "form",
    "shape",
    "fit",
    "fitter",
    "taper",
    "overreaching",
    "ramping",
];
const INTENSITIES: [&str; 9] = ["zone", "zones", "intensity", "polarized", "polarised", "easy", "80", "aerobic", "threshold"];
const RECORDS: [&str; 9] = ["pb", "pbs", "pr", "prs", "record", "records", "pbest", "personal", "bests"];
const COMPARES: [&str; 10] = ["compare", "compared", "comparing", "comparison", "vs", "versus", "difference", "against", "differ", "side"];
const TRENDS: [&str; 19] = [
    "trend",
    "trends",
    "trending",
    "improve",
    "improving",
    "improved",
    "improvement",
    "progress",
    "progressing",
    "progressed",
    "progression",
    "develop",
    "developed",
    "developing",
    "evolved",
    "evolution",
    "change",
    "changed",
    "changing",
];
const EACH: [(&str, Bucket); 6] = [
    ("weekly", Bucket::Week),
    ("monthly", Bucket::Month),
    ("yearly", Bucket::Year),
    ("annual", Bucket::Year),
    ("annually", Bucket::Year),
    ("daily", Bucket::Day),
];

/// The number of activities a question asks for: "last three long runs", "top 5", "my two fastest".
pub(crate) fn number_asked(words: &Words) -> Option<i64> {
    const BEFORE: [&str; 9] = ["last", "top", "latest", "recent", "first", "past", "previous", "my", "the"];
    const TIMES: [&str; 12] = ["day", "days", "week", "weeks", "month", "months", "year", "years", "hour", "hours", "minutes", "times"];
    const UNITS: [&str; 8] = ["km", "k", "kms", "mile", "miles", "m", "of", "kilometers"];
    (0..words.len()).find_map(|place| {
        let n = number(words.at(place)).filter(|n| (1..=100).contains(n) && !matches!(words.at(place), "a" | "an"))?;
        let next = words.at(place + 1);
        (BEFORE.contains(&words.before(place)) && !TIMES.contains(&next) && !UNITS.contains(&next) && !next.is_empty()).then_some(n)
    })
}

/// "on Sundays", "every Tuesday": takes the day out.
pub(crate) fn recurring_weekday(words: &mut Words) -> Option<Weekday> {
    let place = (0..words.len()).find(|&place| {
        words.is_free(place)
            && weekday(words.at(place)).is_some_and(|(_, all)| {
                all || matches!(words.before(place), "every" | "each" | "any") || is_activity_noun(words.at(place + 1))
            })
    })?;
    let found = weekday(words.at(place)).map(|(day, _)| day);
    words.take(place, 1);
    found
}

/// What the words say.
pub(crate) fn facets(words: &Words, distances: &Distances, windows: &[Window]) -> Facets {
    let orders = orders(words);
    let measure = measure(words);
    let (per, is_best_period) = period(words, &orders);
    let topic = topic(words, distances, windows, &orders, per, is_best_period);
    Facets { topic, orders, per, measure }
}

fn topic(words: &Words, distances: &Distances, windows: &[Window], orders: &[Order], per: Option<Bucket>, is_best_period: bool) -> Topic {
    let names_standard = distances.named_m.iter().any(|metres| standard_m(*metres).is_some());
    let best = words.any(&["best", "fastest", "quickest", "top"]) && !words.any(&["month", "week", "year"]);
    if rests(words) {
        Topic::Rest
    } else if predicts(words, names_standard) {
        Topic::Prediction
    } else if is_best_period {
        Topic::BestPeriod
    } else if (words.any(&RECORDS) && (names_standard || orders.is_empty())) || (names_standard && best) {
        Topic::Record
    } else if words.any(&COMPARES) || (windows.len() > 1 && orders.is_empty()) || compares_in_words(words) {
        Topic::Compare
    } else if trends(words) || (per.is_some() && !words.any(&["average", "avg", "mean", "typical"])) {
        Topic::Trend
    } else if !orders.is_empty() {
        Topic::Superlative
    } else if words.any(&INTENSITIES) && !words.any(&["average", "avg", "mean", "typical", "usual", "many", "far"]) {
        Topic::Intensity
    } else if words.any(&LOADS) || advises(words) {
        Topic::Load
    } else if latest(words) {
        Topic::Latest
    } else if words.any_free(&["first", "oldest", "earliest"]) {
        Topic::First
    } else if sums(words) {
        Topic::Totals
    } else if words.any(&["thanks", "thank", "hello", "hi", "hey"]) && windows.is_empty() && words.len() < 6 {
        Topic::Smalltalk
    } else {
        Topic::Lookup
    }
}

fn rests(words: &Words) -> bool {
    words.any(&["streak", "streaks", "consecutive", "layoff", "hiatus", "rested"])
        || words.any(&["rest", "off", "without"]) && words.any(&["day", "days", "time", "longest", "break", "going"])
        || words.phrase(&["in", "a", "row"])
        || words.any(&["break", "breaks", "gap", "gaps", "pause"])
}

fn predicts(words: &Words, names_standard: bool) -> bool {
    let asks = [["could", "i"], ["can", "i"], ["should", "i"], ["would", "i"], ["will", "i"], ["i", "could"], ["i", "can"], ["i", "run"]];
    let asks = asks.iter().any(|phrase| words.phrase(phrase)) && !words.any(&["did", "when", "ran"]);
    words.any(&PREDICTS)
        || (words.any(&["sub"]) && !words.any(&["did", "many"]))
        || (asks && names_standard && !words.any(&["today", "tomorrow"]))
}

fn advises(words: &Words) -> bool {
    [["should", "i"], ["shall", "i"], ["can", "i"], ["too", "much"], ["too", "hard"], ["too", "fast"], ["am", "i"]]
        .iter()
        .any(|phrase| words.phrase(phrase))
}

/// "more in May than in June", "better than", "or".
fn compares_in_words(words: &Words) -> bool {
    let more = words.any(&["more", "less", "faster", "slower", "further", "farther", "better", "worse", "fewer", "bigger"]);
    more && words.any(&["than"]) && !words.any(&["how"]) && !words.any(&["km", "k", "miles", "kms"])
}

fn trends(words: &Words) -> bool {
    words.any(&TRENDS)
        || words.phrase(&["year", "on", "year"])
        || words.phrase(&["over", "time"])
        || words.phrase(&["getting", "faster"])
        || words.phrase(&["getting", "slower"])
        || words.phrase(&["getting", "better"])
        || words.phrase(&["month", "by", "month"])
        || words.phrase(&["week", "by", "week"])
        || words.phrase(&["year", "by", "year"])
        || words.phrase(&["year", "over", "year"])
}

fn latest(words: &Words) -> bool {
    words.any_free(&["last", "latest", "newest"])
        || words.phrase(&["most", "recent"])
        || words.phrase(&["how", "long", "since"])
        || words.phrase(&["how", "long", "ago"])
        || words.phrase(&["how", "long", "has", "it"])
}

fn sums(words: &Words) -> bool {
    words.phrase(&["how", "many"])
        || words.phrase(&["how", "much"])
        || words.phrase(&["how", "far"])
        || words.phrase(&["how", "often"])
        || words.phrase(&["how", "long"])
        || words.any(&[
            "total",
            "totals",
            "sum",
            "mileage",
            "volume",
            "number",
            "count",
            "average",
            "avg",
            "typical",
            "usual",
            "mean",
            "usually",
            "normally",
            "altogether",
            "hours",
        ])
}

/// How activities are ranked.
fn orders(words: &Words) -> Vec<Order> {
    let climb = ["climb", "climbing", "elevation", "ascent", "vert", "vertical", "gain", "hill", "hills", "hilly", "climbs"];
    let heart = ["heart", "hr", "heartrate", "bpm", "pulse"];
    let most = words.any(&["most", "highest", "biggest", "greatest", "max", "maximum", "top", "peak", "hardest"]);
    let mut orders = Vec::new();
    let mut add = |is_said: bool, order: Order| {
        if is_said && !orders.contains(&order) {
            orders.push(order);
        }
    };
    let by_time = words.any(&["duration", "hours", "minutes"]) || words.phrase(&["longest", "time"]) || words.phrase(&["in", "time"]);
    add(words.any(&["longest", "furthest", "farthest", "longes"]) && !by_time, Order::Longest);
    add(words.any(&["longest"]) && by_time, Order::LongestTime);
    add(words.any(&["hilliest"]) || (most && words.any(&climb)), Order::Hilliest);
    add(most && words.any(&heart), Order::HighestHeartRate);
    add(
        words.any(&["fastest", "quickest", "speediest"]) || words.phrase(&["best", "pace"]) || words.phrase(&["top", "speed"]),
        Order::Fastest,
    );
    add(words.any(&["slowest"]), Order::Slowest);
    add(words.any(&["shortest"]), Order::Shortest);
    let named = words.any(&["biggest", "greatest"]) && !words.any(&climb) && !words.any(&heart);
    add(named && !words.any(&["week", "month", "year", "day", "weeks", "months", "years"]), Order::Longest);
    orders
}

fn measure(words: &Words) -> Measure {
    if words.any(&["heart", "hr", "heartrate", "bpm", "pulse"]) {
        Measure::HeartRate
    } else if words.any(&["climb", "climbing", "climbed", "elevation", "ascent", "vert", "vertical", "uphill"]) {
        Measure::Climb
    } else if words.any(&["pace", "paces", "speed", "faster", "slower", "fast", "slow", "fastest", "slowest", "quick"]) {
        Measure::Pace
    } else if words.any(&["hours", "hour", "minutes", "duration", "time"])
        && !words.phrase(&["over", "time"])
        && !words.phrase(&["last", "time"])
    {
        Measure::Time
    } else if (words.any(&["many", "often", "count", "number", "times", "frequently"])
        && !words.any(&["km", "kms", "k", "miles", "kilometers", "kilometres", "mi", "meters"]))
        || words.phrase(&["most", "runs"])
        || words.phrase(&["most", "rides"])
        || words.phrase(&["most", "activities"])
        || words.phrase(&["most", "swims"])
    {
        Measure::Count
    } else {
        Measure::Distance
    }
}

/// Weeks, months or years as what is ranked or followed, and whether the best of them is asked for.
fn period(words: &Words, orders: &[Order]) -> (Option<Bucket>, bool) {
    let unit = |word: &str| match word {
        "week" | "weeks" => Some(Bucket::Week),
        "month" | "months" => Some(Bucket::Month),
        "year" | "years" => Some(Bucket::Year),
        "day" | "days" => Some(Bucket::Day),
        "weekday" => Some(Bucket::Weekday),
        _ => None,
    };
    const RANKS: [&str; 12] =
        ["biggest", "best", "highest", "greatest", "busiest", "heaviest", "hardest", "strongest", "which", "peak", "longest", "laziest"];
    for place in 0..words.len() {
        let Some(bucket) = unit(words.at(place)).filter(|_| words.is_free(place)) else { continue };
        let before = [
            words.before(place),
            place.checked_sub(2).map_or("", |place| words.at(place)),
            place.checked_sub(3).map_or("", |p| words.at(p)),
        ];
        if matches!(words.before(place), "per" | "each" | "every" | "by") {
            return (Some(bucket), false);
        }
        let ranked = before.iter().any(|word| RANKS.contains(word)) || words.at(place + 1) == "with" && words.any(&["most", "highest"]);
        let most_in =
            matches!(words.before(place), "a" | "one" | "single" | "any" | "in") && words.any(&["most", "best", "biggest", "ever"]);
        if (ranked || most_in) && (bucket != Bucket::Day || orders.is_empty()) {
            return (Some(bucket), true);
        }
    }
    let over = |unit: &str| ["over", "by", "on", "to"].iter().any(|link| words.phrase(&[unit, link, unit]));
    let course = [("year", Bucket::Year), ("month", Bucket::Month), ("week", Bucket::Week)].into_iter().find(|(unit, _)| over(unit));
    if let Some((_, bucket)) = course {
        return (Some(bucket), false);
    }
    (EACH.iter().find(|(word, _)| words.any(&[word])).map(|(_, bucket)| *bucket), false)
}
