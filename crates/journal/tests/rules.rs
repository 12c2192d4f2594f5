//! Each rule on a history made for it: what it finds, by which activities, and when it keeps silent.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use jiff::Span;
use jiff::civil::{Date, date};
use journal::facts::Facts;
use journal::insights::{Finding, InsightKind, PartOfDay};
use journal::trends::Metric;
use journal::wording;
use runaway_core::domain::{Family, Session, SpikeBand};

const MONDAY: Date = date(2026, 3, 23);

fn day(days: i64) -> Date {
    MONDAY.checked_add(Span::new().days(days)).unwrap()
}

/// An easy run at seven in the morning, `days` from the Monday of the week; the id is the day's.
fn run(days: i64, km: f64) -> Session {
    Session {
        id: 10_000 + days,
        local_date: day(days),
        hour: Some(7),
        utc_offset_s: Some(0),
        sport: "Run".to_owned(),
        family: Family::Run,
        distance_m: km * 1000.0,
        moving_s: (km * 330.0) as i64,
        elevation_m: Some(20.0),
        mean_bpm: Some(135.0),
        max_bpm: Some(150.0),
        is_race: false,
        is_indoor: false,
        is_flagged: false,
        source: "strava".to_owned(),
    }
}

/// Three runs of 8 km in each of so many weeks before.
fn weeks_before(weeks: i64) -> Vec<Session> {
    (1..=weeks).rev().flat_map(|n| [0, 2, 5].map(|weekday| run(weekday - 7 * n, 8.0))).collect()
}

fn facts(before: Vec<Session>, own: Vec<Session>) -> Facts {
    let sessions: Vec<Session> = before.into_iter().chain(own).collect();
    Facts::of(MONDAY, &sessions, None, day(7)).unwrap()
}

fn found(facts: &Facts, which: impl Fn(&Finding) -> bool) -> Option<(&Finding, &[i64])> {
    let insight = facts.insights.iter().find(|insight| which(&insight.finding))?;
    Some((&insight.finding, &insight.activities))
}

fn is_longest(finding: &Finding) -> bool {
    matches!(finding, Finding::LongestRun { .. })
}

#[test]
fn the_longest_run_counts_the_weeks_to_its_rival() {
    let mut before = weeks_before(12);
    before.iter_mut().find(|run| run.id == 10_000 - 7 * 9).unwrap().distance_m = 15_000.0;
    let (finding, proof) = found(&facts(before.clone(), vec![run(6, 14.0)]), is_longest).map(|(f, p)| (f.clone(), p.to_vec())).unwrap();
    assert_eq!((finding, proof), (Finding::LongestRun { distance_m: 14_000.0, weeks: 9 }, vec![10_006]));
    assert!(found(&facts(weeks_before(12), vec![run(6, 8.0)]), is_longest).is_none(), "no longer than last week's");
    assert!(found(&facts(weeks_before(2), vec![run(6, 14.0)]), is_longest).is_none(), "three weeks are no record");
    let mut flagged = run(6, 30.0);
    flagged.is_flagged = true;
    assert!(found(&facts(weeks_before(12), vec![flagged]), is_longest).is_none());
    let mut impossible = run(6, 21_709.0);
    impossible.moving_s = 4000;
    assert!(found(&facts(weeks_before(12), vec![impossible]), is_longest).is_none());
}

#[test]
fn the_fastest_run_beats_somebody_over_the_same_distance() {
    let is_fastest = |finding: &Finding| matches!(finding, Finding::Fastest { .. });
    let quick = |days: i64, time_s: i64| Session { moving_s: time_s, ..run(days, 10.05) };
    let mut before = weeks_before(14);
    before.push(quick(-2, 3000));
    before.insert(0, quick(-98, 2400));
    before.sort_by_key(|run| run.local_date);
    let facts_ = facts(before, vec![quick(5, 2700)]);
    let (finding, proof) = found(&facts_, is_fastest).unwrap();
    assert!(matches!(finding, Finding::Fastest { distance, time_s: 2700, weeks: 14, .. } if distance.name == "10 km"), "{finding:?}");
    assert_eq!(proof, [10_005]);
    assert_eq!(wording::finding(finding), "Your fastest 10 km run in 14 weeks: 45:00 for 6.24 miles.");
    assert!(found(&facts(weeks_before(14), vec![quick(5, 2700)]), is_fastest).is_none(), "the first over a distance beats nobody");
}

#[test]
fn weeks_and_streaks() {
    let facts_ = facts(weeks_before(11), vec![run(0, 10.0), run(3, 10.0), run(5, 10.0)]);
    let (biggest, _) = found(&facts_, |finding| matches!(finding, Finding::BiggestWeek { .. })).unwrap();
    assert_eq!(*biggest, Finding::BiggestWeek { distance_m: 30_000.0, weeks: 12 });
    let (streak, proof) = found(&facts_, |finding| matches!(finding, Finding::WeekStreak { .. })).unwrap();
    assert_eq!((streak, proof), (&Finding::WeekStreak { weeks: 12 }, &[10_000, 10_003, 10_005][..]));
    let daily = facts((-3..0).map(|n| run(n, 5.0)).collect(), (0..5).map(|n| run(n, 5.0)).collect());
    let (streak, proof) = found(&daily, |finding| matches!(finding, Finding::DayStreak { .. })).unwrap();
    assert_eq!((streak, proof.len()), (&Finding::DayStreak { days: 8 }, 8));
}

#[test]
fn a_run_much_longer_than_the_months_longest_is_a_spike() {
    let is_spike = |finding: &Finding| matches!(finding, Finding::Spike(_));
    let facts_ = facts(weeks_before(6), vec![run(6, 14.0)]);
    let (finding, proof) = found(&facts_, is_spike).unwrap();
    assert!(matches!(finding, Finding::Spike(spike) if spike.band == SpikeBand::Moderate), "{finding:?}");
    assert_eq!((finding.kind(), proof[0], proof.len()), (InsightKind::Recommendation, 10_006, 2));
    let text = wording::finding(finding);
    assert!(text.contains("75% longer") && !text.to_lowercase().contains("injur"), "{text}");
    assert!(found(&facts(weeks_before(6), vec![run(6, 8.5)]), is_spike).is_none());
    assert!(found(&facts(weeks_before(2), vec![run(6, 14.0)]), is_spike).is_none(), "less than 30 days are known");
}

#[test]
fn days_alike_no_rest_and_little_easy_time() {
    let hard = |days: i64| Session { mean_bpm: Some(175.0), max_bpm: Some(188.0), ..run(days, 8.0) };
    let facts_ = facts(vec![], (0..7).map(hard).collect());
    for wanted in [Finding::NoRestDay, Finding::LittleEasy { percent: 0 }, Finding::Monotony { monotony: 10.0 }, Finding::NothingBefore] {
        let (_, proof) = found(&facts_, |finding| *finding == wanted).unwrap_or_else(|| panic!("{wanted:?} in {:?}", facts_.insights));
        assert_eq!(proof.len(), 7, "{wanted:?}");
    }
    let easy = facts(weeks_before(6), vec![run(0, 8.0), run(2, 8.0), run(5, 8.0)]);
    assert!(easy.insights.iter().all(|insight| insight.finding.kind() != InsightKind::Recommendation), "{:?}", easy.insights);
}

#[test]
fn patterns_of_time_of_day_and_of_pace_at_equal_heart_rate() {
    let faster = |days: i64| Session { moving_s: 2500, ..run(days, 8.0) };
    let mut before = weeks_before(12);
    before.iter_mut().filter(|run| run.local_date >= day(-21)).for_each(|run| run.moving_s = 2500);
    let facts_ = facts(before, vec![faster(0), faster(2), faster(5)]);
    let (finding, proof) = found(&facts_, |finding| matches!(finding, Finding::PaceAtHeartRate { .. })).unwrap();
    assert_eq!(proof, [10_000, 10_002, 10_005]);
    assert_eq!(
        wording::finding(finding),
        "At the same heart rate (135 bpm) you have lately run 8:23 a mile, 28 seconds a mile faster than in the 8 weeks before."
    );
    let part = Finding::TimeOfDay { part: PartOfDay::Morning, n: 3, runs: 3 };
    assert!(found(&facts_, |finding| *finding == part).is_some());
    let hidden = facts(vec![], (0..4).map(|n| Session { hour: None, utc_offset_s: None, ..run(n, 5.0) }).collect());
    assert!(found(&hidden, |finding| matches!(finding, Finding::TimeOfDay { .. })).is_none(), "a hidden start has no hour");
}

#[test]
fn what_was_not_recorded_is_said_and_not_made_up() {
    let without = |days: i64| Session { mean_bpm: None, max_bpm: None, elevation_m: None, ..run(days, 8.0) };
    let facts_ = facts(weeks_before(5), vec![without(0), run(2, 8.0)]);
    let (finding, proof) = found(&facts_, |finding| matches!(finding, Finding::HeartRateMissing { .. })).unwrap();
    assert_eq!((finding, proof), (&Finding::HeartRateMissing { missing: 1, runs: 2 }, &[10_000][..]));
    let nothing = facts(weeks_before(5), vec![without(0), without(2)]);
    assert_eq!((nothing.week.runs.mean_bpm, nothing.week.runs.elevation_m), (None, None));
    assert!(nothing.trends.iter().all(|trend| ![Metric::HeartRate, Metric::Elevation].contains(&trend.metric)), "{:?}", nothing.trends);
}

#[test]
fn trends_compare_only_with_weeks_that_are_known() {
    let own = || vec![run(0, 12.0), run(2, 12.0)];
    for (weeks, has_last, has_mean) in [(0, false, false), (1, true, false), (3, true, false), (4, true, true), (30, true, true)] {
        let facts_ = facts(weeks_before(weeks), own());
        let distance = facts_.trends.iter().find(|trend| trend.metric == Metric::Distance).unwrap();
        assert_eq!((distance.last.is_some(), distance.mean.is_some()), (has_last, has_mean), "{weeks} weeks");
    }
    // A week of rest inside the history is a week of nothing, not a week that is unknown.
    let mut before = weeks_before(5);
    before.retain(|run| run.local_date < day(-7));
    let facts_ = facts(before, own());
    let text = |metric: Metric| wording::trend(facts_.trends.iter().find(|trend| trend.metric == metric).unwrap());
    assert_eq!(
        text(Metric::Distance),
        "distance 14.91 miles: after nothing in the week before and 33% more than in the 4 weeks before on average (11.18 miles)"
    );
    assert_eq!(text(Metric::Pace), "pace 8:51 a mile: the same as in the 4 weeks before on average (8:51 a mile)");
    let running_week = Facts::of(MONDAY, &weeks_before(5).into_iter().chain(own()).collect::<Vec<_>>(), None, day(6)).unwrap();
    assert!(running_week.trends.is_empty(), "a week that is not over is compared with nothing");
}
