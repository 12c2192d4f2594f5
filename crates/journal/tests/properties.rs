//! What holds for any activities whatever: zones and clock changes, week borders, empty and single weeks, missing heart
//! rates, no distance, nonsense.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use journal::chart;
use journal::entry::week_stats;
use journal::facts::{Facts, HISTORY_WEEKS, first_day_read, physiology, sunday_of, weeks_before};
use journal::prompt::{Texts, believed};
use journal::statistics::Week;
use journal::story::today;
use proptest::prelude::*;
use runaway_core::db::journal::Subject;
use runaway_core::domain::{Family, Physiology, Session, monday_of};
use serde_json::json;

/// Invented histories of each property.
const CASES: u32 = 128;
const MONDAY: Date = date(2026, 3, 23);
const ZONES: [&str; 10] = [
    "UTC",
    "Europe/Madrid",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Pacific/Apia",
    "Pacific/Auckland",
];
const SPORTS: [&str; 8] = ["Run", "Run", "TrailRun", "VirtualRun", "Ride", "Swim", "WeightTraining", "Quidditch"];

fn day(days: i64) -> Date {
    MONDAY.checked_add(Span::new().days(days)).unwrap()
}

/// Activities from fourteen months before the week to a month after it, most of them near it.
fn session() -> impl Strategy<Value = Session> {
    let days = prop_oneof![3 => 0_i64..7, 3 => -35_i64..0, 2 => -430_i64..40];
    let distance = prop_oneof![2 => Just(0.0), 6 => 500.0..45_000.0_f64, 1 => Just(21_709_000.0)];
    let heart = prop_oneof![2 => Just(None), 3 => (60.0..230.0_f64).prop_map(Some)];
    let climbed = prop_oneof![1 => Just(None), 3 => (0.0..2_000.0_f64).prop_map(Some)];
    let place = prop_oneof![1 => Just(None), 4 => (-11_i32..=14, 0_i8..24).prop_map(Some)];
    (
        days,
        0_usize..SPORTS.len(),
        distance,
        prop_oneof![1 => Just(0_i64), 8 => 60_i64..30_000],
        heart,
        climbed,
        place,
        any::<u32>(),
        any::<[bool; 3]>(),
    )
        .prop_map(|(days, sport, distance_m, moving_s, mean_bpm, elevation_m, place, id, [is_race, is_indoor, is_flagged])| Session {
            id: i64::from(id),
            local_date: day(days),
            hour: place.map(|(_, hour)| hour),
            utc_offset_s: place.map(|(hours, _)| hours * 3600),
            sport: SPORTS[sport].to_owned(),
            family: Family::of(SPORTS[sport]),
            distance_m,
            moving_s,
            elevation_m,
            mean_bpm,
            max_bpm: mean_bpm.map(|bpm| bpm + 12.0),
            is_race,
            is_indoor,
            is_flagged,
            source: "strava".to_owned(),
        })
}

fn sessions() -> impl Strategy<Value = Vec<Session>> {
    prop::collection::vec(session(), 0..60).prop_map(|mut sessions| {
        sessions.sort_by_key(|session| (session.local_date, session.id));
        sessions
    })
}

/// The contract's texts, and nothing that is no number.
fn assert_shapes(facts: &Facts) {
    let stats = week_stats(facts);
    let text = |name: &str| stats[name].as_str().unwrap().to_owned();
    for name in ["total_distance_miles", "total_time_hours", "longest_run_miles"] {
        assert!(text(name).parse::<f64>().is_ok_and(|value| value >= 0.0), "{stats}");
    }
    let pace = text("avg_pace");
    let seconds: Option<u32> = pace.rsplit_once(':').and_then(|(_, seconds)| seconds.parse().ok());
    assert!(pace == "--" || seconds.is_some_and(|seconds| seconds < 60), "{pace}");
    let texts = Texts::facts_only(facts);
    let all = format!(" {} {}", texts.narrative, texts.insights.join(" "));
    for wrong in ["NaN", "inf", ":60", " -", "  ", " 1 runs", " 1 days", " 1 weeks"] {
        assert!(!all.contains(wrong), "{wrong} in {all}");
    }
    assert!(!stats.to_string().contains("NaN"), "{stats}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

    #[test]
    fn every_activity_counts_in_exactly_one_week(sessions in sessions()) {
        let body = Physiology::observed(&[], None, None);
        let weeks: Vec<Week> = (-70..10).map(|n| Week::of(day(7 * n), &sessions, &body)).collect();
        prop_assert_eq!(weeks.iter().map(|week| week.n).sum::<usize>(), sessions.len());
        let runs: Vec<&Session> = sessions.iter().filter(|session| session.family == Family::Run).collect();
        prop_assert_eq!(weeks.iter().map(|week| week.runs.n).sum::<usize>(), runs.len());
        prop_assert_eq!(weeks.iter().map(|week| week.runs.moving_s).sum::<i64>(), runs.iter().map(|run| run.moving_s).sum::<i64>());
        for week in &weeks {
            let (by_days, days): (f64, f64) = (week.days.iter().map(|day| day.load.total()).sum(), week.load.total());
            prop_assert!((by_days - days).abs() < 1e-6);
            prop_assert_eq!(week.n, week.runs.n + week.others.iter().map(|sum| sum.n).sum::<usize>());
        }
    }

    #[test]
    fn whatever_is_said_is_shown_rightly_and_proven(sessions in sessions(), is_over in any::<bool>()) {
        let today = if is_over { day(7) } else { day(6) };
        let facts = Facts::of(MONDAY, &sessions, None, today);
        prop_assert_eq!(facts.is_some(), sessions.iter().any(|session| (MONDAY..=day(6)).contains(&session.local_date)));
        if let Some(facts) = facts {
            assert_shapes(&facts);
            let own = Texts::facts_only(&facts);
            let answer = json!({"narrative": own.narrative, "insights": []}).to_string();
            prop_assert_eq!(believed(&answer, &facts).map(|texts| texts.narrative), Ok(own.narrative));
            prop_assert!(!facts.insights.is_empty() && facts.insights.iter().all(|insight| !insight.activities.is_empty()));
        }
    }

    #[test]
    fn a_week_depends_on_itself_and_the_52_before_and_on_nothing_else(sessions in sessions(), other in session()) {
        let (first, sunday) = (first_day_read(MONDAY).unwrap(), sunday_of(MONDAY).unwrap());
        let inside = |session: &Session| (first..=sunday).contains(&session.local_date);
        let hash = |sessions: &[Session]| Facts::of(MONDAY, sessions, None, day(7)).map(|facts| facts.hash());
        let alone: Vec<Session> = sessions.iter().filter(|session| inside(session)).cloned().collect();
        prop_assert_eq!(hash(&alone), hash(&sessions));
        if !inside(&other) {
            let mut more = sessions.clone();
            more.push(other);
            more.sort_by_key(|session| (session.local_date, session.id));
            prop_assert_eq!(hash(&more), hash(&sessions));
        }
        prop_assert_eq!((MONDAY - first).get_days(), 7 * HISTORY_WEEKS);
    }

    #[test]
    fn one_activity_alone_is_a_week(session in session()) {
        let monday = monday_of(session.local_date).unwrap();
        let facts = Facts::of(monday, std::slice::from_ref(&session), None, monday.checked_add(Span::new().days(7)).unwrap()).unwrap();
        assert_shapes(&facts);
        prop_assert_eq!((facts.week.n, facts.week.days_trained), (1, 1));
        prop_assert!(facts.trends.iter().all(|trend| trend.last.is_none() && trend.mean.is_none()), "nothing to compare with");
    }

    #[test]
    fn the_picture_shows_numbers_only(sessions in sessions()) {
        let body = physiology(&sessions, None);
        let picture = chart::svg(&Week::of(MONDAY, &sessions, &body), &weeks_before(MONDAY, 11, &sessions, &body));
        prop_assert!(!picture.contains("NaN") && !picture.contains("inf") && picture.ends_with("</svg>"));
    }

    #[test]
    fn a_week_has_ended_exactly_when_the_athletes_day_is_past_its_sunday(zone in 0_usize..ZONES.len(), second in 1_500_000_000_i64..1_900_000_000) {
        let zone = TimeZone::get(ZONES[zone]).unwrap();
        let subject = Subject { timezone: zone.iana_name().unwrap().to_owned(), sex: None };
        let now = Timestamp::from_second(second).unwrap();
        let (here, monday) = (today(&subject, now), monday_of(today(&subject, now)).unwrap());
        // The first instant of the week and its last second, clock changes and left-out days included.
        let begins = monday.to_zoned(zone.clone()).unwrap().timestamp();
        let ends = monday.checked_add(Span::new().days(7)).unwrap().to_zoned(zone).unwrap().timestamp();
        prop_assert!(begins <= now && now < ends, "{here} {begins} {now} {ends}");
        prop_assert!(sunday_of(monday).unwrap() >= here);
        prop_assert_eq!(today(&Subject { timezone: "Nowhere/Nowhere".to_owned(), sex: None }, now), now.to_zoned(TimeZone::UTC).date());
    }
}
