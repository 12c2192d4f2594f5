//! A week in figures, from its activities alone. Runs are everything run-like, treadmill and trail included; every
//! other sport is counted apart and never enters a pace.

use jiff::Span;
use jiff::civil::Date;
use runaway_core::domain::{Effort, Family, HeartRate, IntensitySplit, LoadSum, Monotony, Physiology, Session, load, monotony};

/// Days of a week.
pub const WEEK_DAYS: usize = 7;

/// Runs added up.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Runs {
    /// How many.
    pub n: usize,
    /// Metres.
    pub distance_m: f64,
    /// Seconds in motion.
    pub moving_s: i64,
    /// Metres of the runs that have both distance and time: only these have a pace.
    pub paced_m: f64,
    /// Seconds of the same runs.
    pub paced_s: i64,
    /// Metres climbed; `None` where no run recorded any.
    pub elevation_m: Option<f64>,
    /// Seconds for which there is a heart rate.
    pub heart_s: i64,
    /// How many runs have a heart rate.
    pub heart_n: usize,
    /// Mean heart rate of those seconds; `None` without any.
    pub mean_bpm: Option<f64>,
    /// Metres of the longest; 0 without distance.
    pub longest_m: f64,
    /// How many were indoors.
    pub indoor_n: usize,
    /// How many were on trails.
    pub trail_n: usize,
}

impl Runs {
    /// Adds up the runs among the activities.
    pub fn of<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> Self {
        let (mut runs, mut weighted) = (Self::default(), 0.0);
        for run in sessions.into_iter().filter(|session| session.family == Family::Run) {
            runs.n += 1;
            runs.distance_m += run.distance_m;
            runs.moving_s += run.moving_s;
            if run.distance_m > 0.0 && run.moving_s > 0 {
                runs.paced_m += run.distance_m;
                runs.paced_s += run.moving_s;
            }
            if let Some(climbed) = run.elevation_m {
                runs.elevation_m = Some(runs.elevation_m.unwrap_or_default() + climbed);
            }
            if let Some(bpm) = run.mean_bpm.filter(|_| run.moving_s > 0) {
                runs.heart_s += run.moving_s;
                runs.heart_n += 1;
                weighted += bpm * run.moving_s as f64;
            }
            runs.longest_m = runs.longest_m.max(run.distance_m);
            runs.indoor_n += usize::from(run.is_indoor || run.sport == "VirtualRun");
            runs.trail_n += usize::from(run.sport == "TrailRun");
        }
        runs.mean_bpm = (runs.heart_s > 0).then(|| weighted / runs.heart_s as f64);
        runs
    }
}

/// The activities of one family added up.
#[derive(Debug, Clone, PartialEq)]
pub struct FamilySum {
    /// Which.
    pub family: Family,
    /// How many.
    pub n: usize,
    /// Metres.
    pub distance_m: f64,
    /// Seconds in motion.
    pub moving_s: i64,
}

/// One day.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Day {
    /// Activities of all sports.
    pub n: usize,
    /// Metres run.
    pub run_m: f64,
    /// Training load of all sports.
    pub load: LoadSum,
}

/// A week, Monday to Sunday in the athlete's local dates.
#[derive(Debug, Clone, PartialEq)]
pub struct Week {
    /// Monday.
    pub start: Date,
    /// Activities of all sports.
    pub n: usize,
    /// The runs.
    pub runs: Runs,
    /// The other sports that occurred.
    pub others: Vec<FamilySum>,
    /// Monday to Sunday.
    pub days: [Day; WEEK_DAYS],
    /// Training load of all sports, by method.
    pub load: LoadSum,
    /// How even the load was; `None` without any.
    pub monotony: Option<Monotony>,
    /// How hard the runs were, where their heart rate was recorded.
    pub split: IntensitySplit,
    /// Days with an activity.
    pub days_trained: usize,
}

impl Week {
    /// The week that begins on `start`, from activities sorted by day that may reach beyond it.
    pub fn of(start: Date, sessions: &[Session], body: &Physiology) -> Self {
        let own = in_week(start, sessions);
        let mut days: [Day; WEEK_DAYS] = Default::default();
        let mut split = IntensitySplit::default();
        for session in &own {
            let number = usize::try_from(session.local_date.weekday().to_monday_zero_offset()).unwrap_or_default();
            let Some(day) = days.get_mut(number) else { continue };
            day.n += 1;
            day.load.add(load(&effort(session), body));
            if session.family == Family::Run {
                day.run_m += session.distance_m;
                if let Some(bpm) = session.mean_bpm {
                    split.add(bpm, session.moving_s, body);
                }
            }
        }
        let loads: Vec<f64> = days.iter().map(|day| day.load.total()).collect();
        Self {
            start,
            n: own.len(),
            runs: Runs::of(own.iter().copied()),
            others: others(&own),
            load: own.iter().map(|session| load(&effort(session), body)).collect(),
            monotony: monotony(&loads),
            split,
            days_trained: days.iter().filter(|day| day.n > 0).count(),
            days,
        }
    }
}

/// The activities of the week that begins on `start`, from activities sorted by day.
pub fn in_week(start: Date, sessions: &[Session]) -> Vec<&Session> {
    let end = start.saturating_add(Span::new().days(WEEK_DAYS as i64 - 1));
    let first = sessions.partition_point(|session| session.local_date < start);
    sessions.iter().skip(first).take_while(|session| session.local_date <= end).collect()
}

fn effort(session: &Session) -> Effort {
    let heart_rate = session.mean_bpm.map(|mean_bpm| HeartRate { mean_bpm, recorded_s: session.moving_s });
    Effort { family: session.family, moving_s: session.moving_s, distance_m: session.distance_m, heart_rate }
}

fn others(own: &[&Session]) -> Vec<FamilySum> {
    let sums = Family::ALL.into_iter().filter(|family| *family != Family::Run).map(|family| {
        let of_family = own.iter().filter(|session| session.family == family);
        of_family.fold(FamilySum { family, n: 0, distance_m: 0.0, moving_s: 0 }, |sum, session| FamilySum {
            n: sum.n + 1,
            distance_m: sum.distance_m + session.distance_m,
            moving_s: sum.moving_s + session.moving_s,
            ..sum
        })
    });
    sums.filter(|sum| sum.n > 0).collect()
}
