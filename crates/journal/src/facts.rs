//! Everything that is known of a week, computed from activities alone, and the hash by which one knows that nothing
//! of it has changed.

use jiff::Span;
use jiff::civil::Date;
use runaway_core::domain::{Family, Physiology, Session, Sex, threshold_speed, whole_activity_distance};
use serde_json::{Value, json};

use crate::insights::{Insight, Past, insights};
use crate::statistics::{WEEK_DAYS, Week};
use crate::trends::{Trend, trends};
use crate::wording;

/// How far back an entry looks, weeks before its own. The database marks entries stale by the same number.
pub const HISTORY_WEEKS: i32 = 52;
/// Part of the hash: raise it when the words or the rules change, and entries are written anew as they come up.
const FACTS_VERSION: u32 = 1;
/// The shortest race from which a threshold speed is taken, metres.
const THRESHOLD_RACE_MIN_M: f64 = 5_000.0;

/// What is known of a week that has activities.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The figures.
    pub week: Week,
    /// The weeks before, newest first, [`HISTORY_WEEKS`] of them.
    pub before: Vec<Week>,
    /// Comparisons; empty while the week is not over.
    pub trends: Vec<Trend>,
    /// Findings.
    pub insights: Vec<Insight>,
    /// Whether the week is over.
    pub is_complete: bool,
    /// Where the activities came from.
    pub sources: Vec<String>,
}

/// The first day that matters to the week of `monday`.
pub fn first_day_read(monday: Date) -> Option<Date> {
    monday.checked_sub(Span::new().days(7 * HISTORY_WEEKS)).ok()
}

/// The Sunday of the week of `monday`.
pub fn sunday_of(monday: Date) -> Option<Date> {
    monday.checked_add(Span::new().days(6)).ok()
}

impl Facts {
    /// The facts of the week of `monday`, from activities sorted by day that may reach beyond what it looks at. `today` is
    /// the athlete's. `None` for a week without activities.
    pub fn of(monday: Date, sessions: &[Session], sex: Option<Sex>, today: Date) -> Option<Self> {
        let (first, sunday) = (first_day_read(monday)?, sunday_of(monday)?);
        let known: Vec<Session> = sessions.iter().filter(|session| (first..=sunday).contains(&session.local_date)).cloned().collect();
        let first_day = known.first()?.local_date;
        let body = physiology(&known, sex);
        let week = Week::of(monday, &known, &body);
        if week.n == 0 {
            return None;
        }
        let before = weeks_before(monday, HISTORY_WEEKS, &known, &body);
        let is_complete = sunday < today;
        let found = insights(&Past { week: &week, before: &before, sessions: &known, first_day, body: &body });
        let trends = if is_complete { trends(&week, &before, Some(first_day)) } else { Vec::new() };
        let mut sources: Vec<String> = known.iter().map(|session| session.source.clone()).collect();
        sources.sort_unstable();
        sources.dedup();
        Some(Self { week, before, trends, insights: found, is_complete, sources })
    }

    /// The facts as the model reads them: finished phrases, nothing an athlete or a stranger wrote.
    pub fn to_json(&self) -> Value {
        let figures: serde_json::Map<String, Value> =
            wording::figures(&self.week).into_iter().map(|(name, text)| (name.to_owned(), Value::String(text))).collect();
        let trends: Vec<String> = self.trends.iter().map(wording::trend).collect();
        let insights: Vec<Value> = self
            .insights
            .iter()
            .enumerate()
            .map(|(n, insight)| json!({ "id": insight_id(n), "type": insight.finding.kind().as_str(), "text": wording::finding(&insight.finding) }))
            .collect();
        let others: Vec<String> = self.week.others.iter().map(wording::other).collect();
        json!({ "week_is_over": self.is_complete, "runs": figures, "other_sports": others, "trends": trends, "insights": insights })
    }

    /// SHA-256 of everything an entry says and is proven by.
    pub fn hash(&self) -> Vec<u8> {
        let proofs: Vec<&Vec<i64>> = self.insights.iter().map(|insight| &insight.activities).collect();
        let all = json!({
            "version": FACTS_VERSION, "facts": self.to_json(), "proofs": proofs, "stats": crate::entry::week_stats(self),
            "week": self.week.start.to_string(),
        });
        runaway_core::vault::fingerprint(all.to_string().as_bytes())
    }
}

/// The name by which the model refers to an insight.
pub fn insight_id(n: usize) -> String {
    format!("i{}", n + 1)
}

/// The weeks before the one of `monday`, newest first.
pub fn weeks_before(monday: Date, count: i32, sessions: &[Session], body: &Physiology) -> Vec<Week> {
    let mondays = (1..=count).filter_map(|n| monday.checked_sub(Span::new().days(7 * n)).ok());
    mondays.map(|monday| Week::of(monday, sessions, body)).collect()
}

/// What the activities tell of the athlete's body.
pub fn physiology(sessions: &[Session], sex: Option<Sex>) -> Physiology {
    let mut maxima: Vec<(Date, f64)> = Vec::new();
    for (day, bpm) in sessions.iter().filter_map(|session| Some((session.local_date, session.max_bpm?))) {
        match maxima.last_mut() {
            Some((last, highest)) if *last == day => *highest = highest.max(bpm),
            _ => maxima.push((day, bpm)),
        }
    }
    let maxima: Vec<f64> = maxima.into_iter().map(|(_, bpm)| bpm).collect();
    let races = sessions.iter().filter(|run| run.family == Family::Run && !run.is_flagged && run.distance_m >= THRESHOLD_RACE_MIN_M);
    let best = races
        .filter(|run| whole_activity_distance(run.distance_m).is_some())
        .filter_map(|run| {
            let (distance_m, time_s) = (run.distance_m, run.moving_s as f64);
            Some((threshold_speed(distance_m, time_s)?, (distance_m, time_s)))
        })
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    Physiology::observed(&maxima, sex, best.map(|(_, race)| race))
}

const _: () = assert!(WEEK_DAYS == 7, "a week of the calendar");
