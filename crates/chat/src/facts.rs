//! What the coach knows before it answers: the athlete, the state of the training, and what the question points at.
//!
//! Two flights: the first brings the athlete's own today, by which the question is read; the second brings the facts,
//! as many statements as there are, at once.

use futures_util::future::join_all;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use runaway_core::db::activity_lists::{self, Matches};
use runaway_core::db::athlete_days::{self, DayEffort, Totals};
use runaway_core::db::best_efforts::{self, Record};
use runaway_core::db::coach_memory::{Fact, Person};
use runaway_core::db::conversations::Message;
use runaway_core::db::{AthleteTx, DbError};
use runaway_core::domain::{
    Bucket, DateRange, DayOfTraining, Effort, Family, HeartRate, Order, Physiology, Selection, Sex, TrainingState, training_state,
};

use crate::findings::{Finding, find};
use crate::plan::{Read, standard_keys};
use crate::question::{Question, monday};

/// Days that are told activity by activity.
pub(crate) const RECENT_DAYS: i32 = 14;
/// Activities of those days at most.
const RECENT_MAX: i64 = 20;
/// Weeks whose volumes are always told.
pub(crate) const VOLUME_WEEKS: i32 = 12;
/// Days from which fitness is computed: more than nine of its time constants.
const FITNESS_DAYS: i32 = 400;
/// Days in which a record is recent enough to predict by.
pub(crate) const RECENT_RECORD_DAYS: i32 = 365;

/// Everything an answer is made from.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Who asks.
    pub(crate) person: Person,
    /// The athlete's day.
    pub(crate) today: Date,
    /// What the coach was asked to remember.
    pub(crate) remembered: Vec<Fact>,
    /// The newest messages of the conversation.
    pub(crate) history: Vec<Message>,
    /// The question, as it was understood.
    pub(crate) question: Question,
    /// The last two weeks, activity by activity.
    pub(crate) recent: Matches,
    /// Sums of all time, by family.
    pub(crate) lifetime: Vec<Totals>,
    /// Sums of the last weeks' running.
    pub(crate) weeks: Vec<Totals>,
    /// The record of each distance.
    pub(crate) records: Vec<Record>,
    /// The record of each distance in the last year.
    pub(crate) recent_records: Vec<Record>,
    /// What the heart rate and the threshold are taken to be.
    pub(crate) physiology: Physiology,
    /// Load, fitness, form; `None` without any training.
    pub(crate) state: Option<TrainingState>,
    /// What the question points at.
    pub(crate) findings: Vec<Finding>,
}

/// The athlete's own day.
pub(crate) fn local_today(timezone: &str, now: Timestamp) -> Date {
    let zone = TimeZone::get(timezone).unwrap_or(TimeZone::UTC);
    now.to_zoned(zone).date()
}

impl Facts {
    /// Reads the facts for a question, all in one flight.
    pub(crate) async fn read(
        tx: &AthleteTx,
        person: Person,
        remembered: Vec<Fact>,
        history: Vec<Message>,
        question: Question,
        reads: &[Read],
    ) -> Result<Self, DbError> {
        let (id, today) = (person.athlete_id, question.today);
        let days_back = |days: i32| DateRange { first: today.saturating_sub((days - 1).days()), last: today };
        let (recent_days, ever) = (Selection::of(days_back(RECENT_DAYS)), Selection::of(DateRange::EVER));
        let first_week = monday(today).saturating_sub((VOLUME_WEEKS - 1).weeks());
        let volume = Selection::family(DateRange { first: first_week, last: today }, Family::Run);
        let distances = standard_keys();
        let (recent, lifetime, weeks, records, recent_records, efforts, findings) = tokio::join!(
            biased;
            activity_lists::list(tx, id, &recent_days, Order::Newest, RECENT_MAX),
            athlete_days::totals(tx, id, &ever, Bucket::Family),
            athlete_days::totals(tx, id, &volume, Bucket::Week),
            best_efforts::records(tx, id, &distances, DateRange::EVER, 1),
            best_efforts::records(tx, id, &distances, days_back(RECENT_RECORD_DAYS), 1),
            athlete_days::efforts(tx, id, days_back(FITNESS_DAYS)),
            join_all(reads.iter().map(|read| find(tx, id, read))),
        );
        let (efforts, recent_records) = (efforts?, recent_records?);
        let physiology = physiology(&person, &efforts, &recent_records);
        let days: Vec<DayOfTraining> = efforts.iter().map(day_of_training).collect();
        Ok(Self {
            state: training_state(&days, &physiology, today),
            person,
            today,
            remembered,
            history,
            question,
            recent: recent?,
            lifetime: lifetime?,
            weeks: weeks?,
            records: records?,
            recent_records,
            physiology,
            findings: findings.into_iter().collect::<Result<_, _>>()?,
        })
    }

    /// Activities of all time.
    pub(crate) fn total_activities(&self) -> i64 {
        self.lifetime.iter().map(|family| family.n).sum()
    }

    /// Different activities that the question points at.
    pub(crate) fn relevant_activities(&self) -> usize {
        let mut ids: Vec<i64> = self.findings.iter().flat_map(Finding::activities).map(|activity| activity.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len()
    }
}

fn day_of_training(day: &DayEffort) -> DayOfTraining {
    let heart_rate = day.heart_rate.map(|mean_bpm| HeartRate { mean_bpm, recorded_s: day.heart_s });
    let family = Family::parse(&day.family).unwrap_or(Family::Other);
    // A pace over all of the day's moving time, where some of it has no distance, would be too slow.
    let distance_m = if day.paced_s == day.moving_s { day.paced_m } else { 0.0 };
    DayOfTraining { date: day.date, effort: Effort { family, moving_s: day.moving_s, distance_m, heart_rate }, longest_m: day.longest_m }
}

fn physiology(person: &Person, efforts: &[DayEffort], recent_records: &[Record]) -> Physiology {
    let maxima: Vec<f64> = efforts.iter().filter_map(|day| day.heart_max).collect();
    let best = best_race(recent_records).map(|record| (f64::from(record.distance_m), f64::from(record.record_s)));
    Physiology::observed(&maxima, person.sex.as_deref().and_then(Sex::parse), best)
}

/// The record that says most of what an athlete can do: the one with the highest running index, of 5 km or more.
pub(crate) fn best_race(records: &[Record]) -> Option<&Record> {
    const DISTANCE_MIN_M: i32 = 5_000;
    let index = |record: &Record| runaway_core::domain::running_index(f64::from(record.distance_m), f64::from(record.record_s));
    records.iter().filter(|record| record.distance_m >= DISTANCE_MIN_M).max_by(|a, b| index(a).total_cmp(&index(b)))
}
