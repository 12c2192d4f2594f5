//! What is worth saying about a week, by rule. Each finding has the kind it has by its type, and names the activities
//! that prove it.

use jiff::Span;
use jiff::civil::Date;
use runaway_core::domain::{
    Family, Physiology, SPIKE_LOOKBACK_DAYS, Session, Spike, SpikeBand, StandardDistance, monday_of, spike, whole_activity_distance,
};

use crate::statistics::{FamilySum, WEEK_DAYS, Week, in_week};

/// "Longest in N weeks" is said from so many weeks on.
const LONGEST_WEEKS_MIN: i64 = 4;
/// "Fastest in N weeks" is said from so many weeks on.
const FASTEST_WEEKS_MIN: i64 = 8;
/// A run, or a week's running, shorter than this is never the longest of anything, metres.
const LONGEST_MIN_M: f64 = 3_000.0;
/// Days in a row that make a streak.
const DAY_STREAK_MIN: usize = 7;
/// Weeks in a row with a run that are worth a word.
const WEEK_STREAKS: [usize; 8] = [4, 8, 12, 16, 20, 26, 39, 52];
/// Weeks of the comparison of consistency.
const CONSISTENCY_WEEKS: usize = 4;
/// The share of running time with a heart rate that lets the split speak for the week.
const SPLIT_RECORDED_MIN: f64 = 0.5;
/// Runs that a split, or a time of day, needs.
const PATTERN_RUNS_MIN: usize = 3;
/// The share of runs that makes a time of day a pattern.
const TIME_OF_DAY_MIN: f64 = 0.75;
/// Weeks compared for pace at equal heart rate: the newer, this week included, and the older.
const PACE_WEEKS: (i32, i32) = (4, 8);
/// Runs that each side of that comparison needs.
const PACE_RUNS_MIN: usize = 4;
/// A run that counts for it lasts at least so long, seconds.
const PACE_RUN_MIN_S: i64 = 1_200;
/// The least change that is told.
const PACE_CHANGE_MIN: f64 = 0.015;
/// Monotony from which days are said to be alike.
const MONOTONY_MAX: f64 = 2.0;
/// Days of training that monotony needs to be told.
const MONOTONY_DAYS_MIN: usize = 5;
/// Below this share of easy time, in percent, more of it is recommended.
const EASY_MIN_PERCENT: i64 = 60;
/// Offsets that differ by more than a clock change are travel, seconds.
const TRAVEL_MIN_S: i32 = 2 * 60 * 60;
/// Nobody runs faster than this over a run, metres a second, or longer in one, metres: such a run proves nothing.
const RUN_SPEED_MAX: f64 = 7.5;
const RUN_DISTANCE_MAX_M: f64 = 500_000.0;

/// The contract's four kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsightKind {
    /// Something done.
    Achievement,
    /// Something that repeats.
    Pattern,
    /// Something to do better.
    Recommendation,
    /// Something to know.
    Observation,
}

impl InsightKind {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Achievement => "achievement",
            Self::Pattern => "pattern",
            Self::Recommendation => "recommendation",
            Self::Observation => "observation",
        }
    }
}

/// Parts of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartOfDay {
    /// From four to twelve.
    Morning,
    /// From twelve to six.
    Afternoon,
    /// Later, and the small hours.
    Night,
}

/// What was found, with its figures: distances in metres, times in seconds, heart rates in beats a minute.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "a variant's own words name its fields")]
pub enum Finding {
    /// The longest run in so many weeks.
    LongestRun { distance_m: f64, weeks: i64 },
    /// The fastest whole run over a distance in so many weeks.
    Fastest { distance: StandardDistance, time_s: i64, distance_m: f64, weeks: i64 },
    /// The most running in so many weeks.
    BiggestWeek { distance_m: f64, weeks: i64 },
    /// Days in a row with an activity.
    DayStreak { days: usize },
    /// Weeks in a row with a run.
    WeekStreak { weeks: usize },
    /// Days trained against the mean of four weeks.
    Consistency { days: usize, mean_days: f64 },
    /// Easy, moderate and hard in percent.
    Split { percent: [i64; 3], recorded: usize, runs: usize },
    /// Most runs at the same part of the day.
    TimeOfDay { part: PartOfDay, n: usize, runs: usize },
    /// Pace at equal heart rate in four weeks against the eight before, seconds a metre.
    PaceAtHeartRate { bpm: f64, now: f64, before: f64 },
    /// A run much longer than any of the 30 days before.
    Spike(Spike),
    /// Days too much alike.
    Monotony { monotony: f64 },
    /// No day of rest.
    NoRestDay,
    /// Little easy running.
    LittleEasy { percent: i64 },
    /// Runs without a heart rate.
    HeartRateMissing { missing: usize, runs: usize },
    /// Runs indoors or on trails are among the runs.
    Included { indoor: usize, trail: usize },
    /// The other sports.
    OtherSports(Vec<FamilySum>),
    /// Activities at different offsets.
    Travelled,
    /// Nothing lies before this week.
    NothingBefore,
    /// What there is when nothing else is.
    Plain { n: usize, days: usize },
}

/// A finding and its proof.
#[derive(Debug, Clone, PartialEq)]
pub struct Insight {
    /// What was found.
    pub finding: Finding,
    /// Ids of the activities that prove it.
    pub activities: Vec<i64>,
}

impl Finding {
    /// The kind, by construction.
    pub const fn kind(&self) -> InsightKind {
        match self {
            Self::LongestRun { .. }
            | Self::Fastest { .. }
            | Self::BiggestWeek { .. }
            | Self::DayStreak { .. }
            | Self::WeekStreak { .. } => InsightKind::Achievement,
            Self::Consistency { .. } | Self::Split { .. } | Self::TimeOfDay { .. } | Self::PaceAtHeartRate { .. } => InsightKind::Pattern,
            Self::Spike(_) | Self::Monotony { .. } | Self::NoRestDay | Self::LittleEasy { .. } => InsightKind::Recommendation,
            Self::HeartRateMissing { .. }
            | Self::Included { .. }
            | Self::OtherSports(_)
            | Self::Travelled
            | Self::NothingBefore
            | Self::Plain { .. } => InsightKind::Observation,
        }
    }
}

/// What the rules look at: the week, and what lies before it.
pub struct Past<'a> {
    /// The week.
    pub week: &'a Week,
    /// The weeks before, newest first.
    pub before: &'a [Week],
    /// All activities from the oldest of those weeks to the week's Sunday, oldest first.
    pub sessions: &'a [Session],
    /// The first day of the history.
    pub first_day: Date,
    /// The athlete.
    pub body: &'a Physiology,
}

/// All findings: achievements first, then patterns, recommendations, observations.
pub fn insights(past: &Past<'_>) -> Vec<Insight> {
    let own = in_week(past.week.start, past.sessions);
    let mut found: Vec<Insight> = [
        past.longest_run(&own),
        past.fastest(&own),
        past.biggest_week(&own),
        past.day_streak(),
        past.week_streak(&own),
        past.consistency(&own),
        past.split(&own),
        time_of_day(&own),
        past.pace_at_heart_rate(&own),
        past.spike(&own),
        past.monotony(&own),
        past.no_rest_day(&own),
        past.little_easy(&own),
        past.heart_rate_missing(&own),
        past.included(&own),
        past.other_sports(&own),
        travelled(&own),
        past.nothing_before(&own),
    ]
    .into_iter()
    .flatten()
    .collect();
    if found.is_empty() {
        let finding = Finding::Plain { n: own.len(), days: past.week.days_trained };
        found.push(proven(finding, &own));
    }
    found
}

fn proven(finding: Finding, by: &[&Session]) -> Insight {
    Insight { finding, activities: by.iter().map(|session| session.id).collect() }
}

fn runs<'a>(of: &[&'a Session]) -> Vec<&'a Session> {
    of.iter().copied().filter(|session| session.family == Family::Run).collect()
}

/// A run whose figures can be true.
fn is_sound(session: &Session) -> bool {
    let moving_s = session.moving_s as f64;
    session.family == Family::Run
        && !session.is_flagged
        && moving_s > 0.0
        && session.distance_m <= RUN_DISTANCE_MAX_M
        && session.distance_m / moving_s <= RUN_SPEED_MAX
}

impl Past<'_> {
    fn earlier(&self) -> impl DoubleEndedIterator<Item = &Session> {
        self.sessions.iter().filter(|session| session.local_date < self.week.start)
    }

    /// Weeks from the one of `day`, exclusive, to this one, inclusive.
    fn weeks_since(&self, day: Date) -> i64 {
        monday_of(day).map_or(0, |monday| i64::from((self.week.start - monday).get_days()) / 7)
    }

    /// Weeks of the history, this one included.
    fn all_weeks(&self) -> i64 {
        self.weeks_since(self.first_day) + 1
    }

    fn longest_run(&self, own: &[&Session]) -> Option<Insight> {
        let longest = own.iter().filter(|run| is_sound(run)).max_by(|a, b| a.distance_m.total_cmp(&b.distance_m))?;
        let rival = self.earlier().rev().find(|run| is_sound(run) && run.distance_m >= longest.distance_m);
        let weeks = rival.map_or_else(|| self.all_weeks(), |rival| self.weeks_since(rival.local_date));
        let finding = Finding::LongestRun { distance_m: longest.distance_m, weeks };
        (weeks >= LONGEST_WEEKS_MIN && longest.distance_m >= LONGEST_MIN_M).then(|| proven(finding, &[longest]))
    }

    fn fastest(&self, own: &[&Session]) -> Option<Insight> {
        let standard = |run: &Session| whole_activity_distance(run.distance_m).filter(|_| is_sound(run));
        let candidates = own.iter().filter_map(|run| {
            let distance = standard(run)?;
            let is_rival = |other: &&Session| standard(other).is_some_and(|other| other == distance);
            let rival = self.earlier().rev().find(|other| is_rival(other) && other.moving_s <= run.moving_s);
            let weeks = rival.map_or_else(|| self.all_weeks(), |rival| self.weeks_since(rival.local_date));
            let beaten = self.earlier().filter(is_rival).any(|other| self.weeks_since(other.local_date) < weeks);
            let finding = Finding::Fastest { distance, time_s: run.moving_s, distance_m: run.distance_m, weeks };
            // The first over a distance beats nobody.
            (beaten && weeks >= FASTEST_WEEKS_MIN).then(|| (weeks, run.moving_s, proven(finding, &[run])))
        });
        candidates.min_by_key(|(weeks, time_s, _)| (-weeks, *time_s)).map(|(_, _, insight)| insight)
    }

    fn biggest_week(&self, own: &[&Session]) -> Option<Insight> {
        let distance_m = self.week.runs.distance_m;
        let rival = self.before.iter().position(|week| week.runs.distance_m >= distance_m);
        let weeks = rival.map_or_else(|| self.all_weeks(), |position| i64::try_from(position + 1).unwrap_or_default());
        let finding = Finding::BiggestWeek { distance_m, weeks };
        (weeks >= LONGEST_WEEKS_MIN && distance_m >= LONGEST_MIN_M).then(|| proven(finding, &runs(own)))
    }

    fn day_streak(&self) -> Option<Insight> {
        let mut day = self.sessions.last()?.local_date;
        let mut proof: Vec<&Session> = Vec::new();
        let mut days = 0;
        for session in self.sessions.iter().rev() {
            if session.local_date != day {
                let yesterday = day.yesterday().ok()?;
                if session.local_date != yesterday {
                    break;
                }
                day = yesterday;
            } else if days > 0 {
                continue;
            }
            days += 1;
            proof.push(session);
        }
        (days >= DAY_STREAK_MIN).then(|| proven(Finding::DayStreak { days }, &proof))
    }

    fn week_streak(&self, own: &[&Session]) -> Option<Insight> {
        let before = self.before.iter().take_while(|week| week.runs.n > 0).count();
        let weeks = before + 1;
        (self.week.runs.n > 0 && WEEK_STREAKS.contains(&weeks)).then(|| proven(Finding::WeekStreak { weeks }, &runs(own)))
    }

    fn consistency(&self, own: &[&Session]) -> Option<Insight> {
        if self.all_weeks() <= i64::try_from(CONSISTENCY_WEEKS).ok()? {
            return None;
        }
        let weeks = self.before.get(..CONSISTENCY_WEEKS)?;
        let mean_days = weeks.iter().map(|week| week.days_trained as f64).sum::<f64>() / weeks.len() as f64;
        Some(proven(Finding::Consistency { days: self.week.days_trained, mean_days }, own))
    }

    /// The split, where enough of the week's running was recorded.
    fn spoken_split(&self) -> Option<[i64; 3]> {
        let runs = &self.week.runs;
        let recorded = runs.heart_s as f64 >= runs.moving_s as f64 * SPLIT_RECORDED_MIN;
        self.week.split.percent().filter(|_| recorded && runs.heart_n >= PATTERN_RUNS_MIN)
    }

    fn split(&self, own: &[&Session]) -> Option<Insight> {
        let percent = self.spoken_split()?;
        let recorded: Vec<&Session> = runs(own).into_iter().filter(|run| run.mean_bpm.is_some()).collect();
        Some(proven(Finding::Split { percent, recorded: recorded.len(), runs: self.week.runs.n }, &recorded))
    }

    fn pace_at_heart_rate(&self, own: &[&Session]) -> Option<Insight> {
        let monday = |weeks: i32| self.week.start.checked_sub(Span::new().days(7 * weeks)).ok();
        let (newer, older) = (monday(PACE_WEEKS.0 - 1)?, monday(PACE_WEEKS.0 + PACE_WEEKS.1 - 1)?);
        let steady = |run: &&Session| {
            is_sound(run)
                && run.sport == "Run"
                && !run.is_race
                && !run.is_indoor
                && run.moving_s >= PACE_RUN_MIN_S
                && run.mean_bpm.is_some()
        };
        let side = |first: Date, end: Option<Date>| -> Vec<&Session> {
            self.sessions
                .iter()
                .filter(|run| run.local_date >= first && end.is_none_or(|end| run.local_date < end))
                .filter(steady)
                .collect()
        };
        let (now, before) = (side(newer, None), side(older, Some(newer)));
        let proof: Vec<&Session> = runs(own).into_iter().filter(|run| steady(run)).collect();
        if proof.is_empty() || now.len() < PACE_RUNS_MIN || before.len() < PACE_RUNS_MIN {
            return None;
        }
        let bpm = mean_of(&now, |run| run.mean_bpm.unwrap_or_default());
        // Metres a heart beat, held to the newer runs' heart rate.
        let pace =
            |of: &[&Session]| 60.0 / (bpm * mean_of(of, |run| run.distance_m / (run.mean_bpm.unwrap_or(1.0) * run.moving_s as f64 / 60.0)));
        let (now, before) = (pace(&now), pace(&before));
        let told = now.is_finite() && before.is_finite() && (now / before - 1.0).abs() >= PACE_CHANGE_MIN;
        told.then(|| proven(Finding::PaceAtHeartRate { bpm, now, before }, &proof))
    }

    fn spike(&self, own: &[&Session]) -> Option<Insight> {
        let spikes = own.iter().filter(|run| is_sound(run)).filter_map(|run| {
            let first = run.local_date.checked_sub(Span::new().days(SPIKE_LOOKBACK_DAYS)).ok()?;
            let month =
                self.sessions.iter().filter(|other| is_sound(other) && other.local_date >= first && other.local_date < run.local_date);
            let longest = month.max_by(|a, b| a.distance_m.total_cmp(&b.distance_m)).filter(|_| self.first_day <= first)?;
            Some((spike(run.distance_m, longest.distance_m)?, *run, longest))
        });
        let (worst, run, longest) = spikes.max_by(|(a, ..), (b, ..)| a.ratio.total_cmp(&b.ratio))?;
        (worst.band > SpikeBand::Usual).then(|| proven(Finding::Spike(worst), &[run, longest]))
    }

    fn monotony(&self, own: &[&Session]) -> Option<Insight> {
        let monotony = self.week.monotony?.monotony;
        let told = monotony > MONOTONY_MAX && self.week.days_trained >= MONOTONY_DAYS_MIN;
        told.then(|| proven(Finding::Monotony { monotony }, own))
    }

    fn no_rest_day(&self, own: &[&Session]) -> Option<Insight> {
        (self.week.days_trained == WEEK_DAYS).then(|| proven(Finding::NoRestDay, own))
    }

    fn little_easy(&self, own: &[&Session]) -> Option<Insight> {
        let [percent, ..] = self.spoken_split()?;
        (percent < EASY_MIN_PERCENT).then(|| proven(Finding::LittleEasy { percent }, &runs(own)))
    }

    fn heart_rate_missing(&self, own: &[&Session]) -> Option<Insight> {
        let missing: Vec<&Session> = runs(own).into_iter().filter(|run| run.mean_bpm.is_none()).collect();
        let finding = Finding::HeartRateMissing { missing: missing.len(), runs: self.week.runs.n };
        (!missing.is_empty()).then(|| proven(finding, &missing))
    }

    fn included(&self, own: &[&Session]) -> Option<Insight> {
        let (indoor, trail) = (self.week.runs.indoor_n, self.week.runs.trail_n);
        (indoor + trail > 0).then(|| proven(Finding::Included { indoor, trail }, &runs(own)))
    }

    fn other_sports(&self, own: &[&Session]) -> Option<Insight> {
        let others: Vec<&Session> = own.iter().copied().filter(|session| session.family != Family::Run).collect();
        (!others.is_empty()).then(|| proven(Finding::OtherSports(self.week.others.clone()), &others))
    }

    fn nothing_before(&self, own: &[&Session]) -> Option<Insight> {
        (self.first_day >= self.week.start).then(|| proven(Finding::NothingBefore, own))
    }
}

fn mean_of(of: &[&Session], value: impl Fn(&Session) -> f64) -> f64 {
    of.iter().map(|session| value(session)).sum::<f64>() / of.len() as f64
}

fn time_of_day(own: &[&Session]) -> Option<Insight> {
    let part_of = |session: &Session| {
        session.hour.map(|hour| match hour {
            4..=11 => PartOfDay::Morning,
            12..=17 => PartOfDay::Afternoon,
            _ => PartOfDay::Night,
        })
    };
    let runs = runs(own);
    let timed: Vec<&Session> = runs.iter().copied().filter(|run| run.hour.is_some()).collect();
    [PartOfDay::Morning, PartOfDay::Afternoon, PartOfDay::Night].into_iter().find_map(|part| {
        let at: Vec<&Session> = timed.iter().copied().filter(|run| part_of(run) == Some(part)).collect();
        let is_pattern = timed.len() >= PATTERN_RUNS_MIN && at.len() as f64 >= runs.len() as f64 * TIME_OF_DAY_MIN;
        is_pattern.then(|| proven(Finding::TimeOfDay { part, n: at.len(), runs: runs.len() }, &at))
    })
}

fn travelled(own: &[&Session]) -> Option<Insight> {
    let offsets: Vec<i32> = own.iter().filter_map(|session| session.utc_offset_s).collect();
    let (least, most) = (offsets.iter().min()?, offsets.iter().max()?);
    (most - least >= TRAVEL_MIN_S).then(|| proven(Finding::Travelled, own))
}
