//! Stories of what Strava announces: every event comes in through the webhook and is worked off by the processor.

use runaway_core::queue::SyncMessage;
use serde_json::json;
use testkit::activity::ActivityBuilder;
use testkit::fake_strava::{Fault, Gate, On, deauthorisation, event};
use testkit::queue::batch;
use uuid::Uuid;

use crate::story::*;
use crate::told::Told;

const OTHER_ATHLETE: i64 = 4712;
/// An activity of the story's thirty.
const KNOWN: i64 = 1010;
#[tokio::test]
async fn a_new_activity_is_fetched_and_an_edit_changes_it() {
    let told = Told::with_runs(30).await;
    let new = ActivityBuilder::run(ATHLETE, 5000, told.story.now()).build();
    told.story.world.strava.add_activity(ATHLETE, new);
    told.tell_of(5000, "create").await;
    told.deliver_all().await;
    assert_eq!((told.story.stored().await, told.asked("detail")), (31, 1));
    let detail_only = "SELECT count(*) FROM activity_raw WHERE activity_id = 5000 AND summary IS NULL AND detail->>'calories' = '612.0'";
    assert_eq!(told.count(detail_only).await, 1);

    told.story.world.strava.edit_activity(ATHLETE, KNOWN, &[("sport_type", json!("TrailRun"))]);
    told.story.world.strava.set_detail(KNOWN, json!({"description": "Through the woods"}));
    told.tell(&event("activity", KNOWN, "update", ATHLETE, &json!({"type": "TrailRun"}))).await;
    told.deliver_all().await;
    let kept = format!(
        "SELECT count(*) FROM activities a JOIN activity_raw r ON r.activity_id = a.id
                         WHERE a.id = {KNOWN} AND a.type = 'TrailRun' AND r.summary IS NOT NULL AND a.description = 'Through the woods'"
    );
    assert_eq!(told.count(&kept).await, 1, "the summary stays beside the detail");
    assert_eq!(told.outcomes().await, [("saved".to_owned(), 2)]);
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn an_event_before_its_activity_is_asked_for_again_and_at_last_given_up() {
    let told = Told::with_runs(3).await;
    told.tell_of(5000, "create").await;
    told.tell_of(5001, "create").await;
    told.deliver_all().await;
    assert_eq!((told.story.stored().await, told.asked("detail")), (3, 2));
    told.story.world.strava.add_activity(ATHLETE, ActivityBuilder::run(ATHLETE, 5000, told.story.now()).build());
    told.later(31).await;
    assert_eq!(told.story.stored().await, 4);
    for seconds in [125, 305, 605, 605, 605] {
        told.later(seconds).await;
    }
    assert_eq!(told.asked("detail"), 2 + 1 + 4, "five times for the one that never came");
    assert_eq!(told.outcomes().await, [("saved".to_owned(), 1), ("unknown".to_owned(), 1)]);
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn only_what_strava_confirms_is_deleted() {
    let told = Told::with_runs(30).await;
    told.tell_of(KNOWN, "delete").await;
    told.deliver_all().await;
    assert_eq!(told.story.stored().await, 30, "a forged deletion erases nothing");

    told.story.world.strava.delete_activity(ATHLETE, KNOWN);
    told.tell_of(KNOWN, "delete").await;
    told.deliver_all().await;
    assert_eq!(told.story.stored().await, 30, "the object has its quiet");
    told.later(125).await;
    assert_eq!(told.story.stored().await, 29);
    // An update of what is gone deletes nothing by itself.
    told.story.world.strava.delete_activity(ATHLETE, KNOWN + 1);
    told.tell_of(KNOWN + 1, "update").await;
    told.deliver_all().await;
    assert_eq!(told.story.stored().await, 29);
    assert_eq!(told.outcomes().await, [("deleted".to_owned(), 1), ("saved".to_owned(), 1)]);
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn another_athletes_public_activity_is_not_stored() {
    let told = Told::with_runs(3).await;
    let foreign = ActivityBuilder::run(OTHER_ATHLETE, 9000, told.story.now()).build();
    told.story.world.strava.add_athlete(OTHER_ATHLETE, "Bo", vec![foreign]);
    told.tell_of(9000, "create").await;
    told.deliver_all().await;
    assert_eq!(told.outcomes().await, [("foreign".to_owned(), 1)]);
    assert_eq!((told.story.stored().await, told.count("SELECT count(*) FROM unreadable_activities").await), (3, 0));
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn an_unreadable_detail_is_kept_aside() {
    let told = Told::with_runs(3).await;
    told.story.world.strava.edit_activity(ATHLETE, 1001, &[("distance", json!("a long way"))]);
    told.tell_of(1001, "update").await;
    told.deliver_all().await;
    assert_eq!(told.outcomes().await, [("unreadable".to_owned(), 1)]);
    assert_eq!((told.story.stored().await, told.count("SELECT count(*) FROM unreadable_activities").await), (3, 1));
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn ten_thousand_events_for_one_activity_cost_a_handful_of_calls() {
    let told = Told::with_runs(30).await;
    let before = told.asked("list");
    for n in 0..10_000 {
        told.tell_of(KNOWN, ["create", "update", "delete"][n % 3]).await;
        if n % 1000 == 500 {
            // The processor keeps up, and time passes.
            told.later(20).await;
        }
    }
    told.later(3600).await;
    told.later(3600).await;
    assert!((1..=8).contains(&told.asked("detail")), "{} calls", told.asked("detail"));
    assert_eq!((told.asked("list"), told.story.stored().await), (before, 30));
    assert_eq!(told.count("SELECT count(*) FROM strava_events WHERE handled_at IS NULL").await, 0);
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn ten_thousand_events_for_invented_activities_cost_at_most_forty_calls() {
    let told = Told::with_runs(30).await;
    let before = told.asked("list");
    for n in 0..10_000 {
        told.tell_of(1_000_000 + n, ["create", "update", "delete"][usize::try_from(n).unwrap() % 3]).await;
        if n % 1000 == 500 {
            told.deliver_all().await;
        }
    }
    told.deliver_all().await;
    for seconds in [31, 125, 305, 605, 605, 605, 3600] {
        told.later(seconds).await;
    }
    let calls = told.asked("detail") + told.asked("list") - before;
    assert!((30..=40).contains(&calls), "{calls} calls");
    assert_eq!(told.count("SELECT count(*) FROM strava_events WHERE handled_at IS NULL").await, 0);
    let sweeps = told.count("SELECT count(*) FROM sync_jobs WHERE sync_type = 'incremental' AND status = 'completed'").await;
    assert_eq!(sweeps, 2, "one at once, and one an hour later for what was told after it");
    assert_eq!(told.story.stored().await, 30);
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn what_is_told_while_strava_answers_is_asked_for_again() {
    let told = Told::with_runs(3).await;
    let gate = Gate::default();
    told.story.world.strava.fail(On::Detail(1), Fault::Held(gate.clone()));
    told.tell_of(1001, "update").await;
    let meanwhile = async {
        gate.arrival().await;
        told.tell_of(1001, "update").await;
        gate.open();
    };
    tokio::join!(told.deliver_all(), meanwhile);
    let open = "SELECT count(*) FROM strava_events WHERE handled_at IS NULL";
    assert_eq!((told.count(open).await, told.asked("detail")), (1, 1), "it is not answered by what was fetched before it");
    told.story.world.strava.edit_activity(ATHLETE, 1001, &[("name", json!("Renamed"))]);
    told.tell_of(1001, "create").await;
    told.later(130).await;
    assert_eq!((told.count(open).await, told.asked("detail")), (0, 2), "one more call answers all");
    assert_eq!(told.count("SELECT count(*) FROM activities WHERE name = 'Renamed'").await, 1);
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn what_is_deleted_while_a_page_with_it_is_under_way_stays_deleted() {
    let told = Told::with_runs(3).await;
    let gate = Gate::default();
    told.story.world.strava.fail(On::List(told.asked("list") + 1), Fault::HeldBody(gate.clone()));
    let job_id = told.story.start(WHOLE_HISTORY).await;
    let deleted = async {
        gate.arrival().await;
        told.story.world.strava.delete_activity(ATHLETE, 1001);
        told.tell_of(1001, "delete").await;
        told.deliver_all().await;
        assert_eq!(told.story.stored().await, 2);
        gate.open();
    };
    tokio::join!(told.story.deliver(job_id), deleted);
    assert_eq!((told.story.stored().await, told.count("SELECT count(*) FROM activities WHERE id = 1001").await), (2, 0));
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn many_processors_ask_once_for_one_object_and_keep_the_limit_for_many() {
    let told = Told::with_runs(30).await;
    for aspect in ["create", "update", "delete"] {
        told.tell_of(KNOWN, aspect).await;
    }
    told.deliver_to_eight().await;
    assert_eq!(told.asked("detail"), 1, "one call for the three");
    for n in 0..29 {
        told.tell_of(2_000_000 + n, "create").await;
    }
    told.deliver_to_eight().await;
    // Told again in the next minute: thirty are spent.
    told.story.world.clock.advance(40);
    for n in 0..29 {
        told.tell_of(3_000_000 + n, "create").await;
    }
    told.deliver_to_eight().await;
    assert_eq!(told.asked("detail"), 30);
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn an_interrupted_worker_is_followed_by_another_and_three_give_up() {
    let told = Told::with_runs(3).await;
    told.tell_of(1001, "update").await;
    for n in 1..=3 {
        let gate = Gate::default();
        told.story.world.strava.fail(On::Detail(n), Fault::Held(gate.clone()));
        tokio::select! {
            () = told.deliver_all() => panic!("it should have been killed"),
            () = gate.arrival() => {}
        }
        // The lease stands, then it runs out.
        assert_eq!(told.story.task("process-pending").await, 0);
        told.story.world.clock.advance(200);
        assert_eq!(told.story.task("process-pending").await, 1);
    }
    told.deliver_all().await;
    assert_eq!(told.outcomes().await, [("interrupted".to_owned(), 1), ("sync_begun".to_owned(), 1)]);
    told.story.ends(&["was interrupted too often"]).await;
}

#[tokio::test]
async fn a_lost_message_is_made_up_for_and_a_doubled_one_costs_nothing() {
    let told = Told::with_runs(3).await;
    told.tell_of(1001, "update").await;
    let lost = told.story.world.queue.take().await;
    let body = lost.records[0].body.clone().unwrap();
    told.later(60).await;
    assert_eq!(told.asked("detail"), 0, "the message may still be under way");
    told.later(61).await;
    assert_eq!(told.asked("detail"), 1);
    let unknown = SyncMessage::Event { event_id: Uuid::new_v4() }.to_body();
    let answer = sync_processor::handle(&told.story.app, batch(&[body.clone(), body, unknown]), in_fifteen_minutes()).await.unwrap();
    assert_eq!((answer, told.asked("detail")), (nothing_failed(), 1));
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn strava_s_refusals_put_an_event_off() {
    let told = Told::with_runs(3).await;
    // With the times it happens before the event is put off, and how long that is.
    let faults = [
        (Fault::RateLimitedShort, 1, 16 * 60),
        (Fault::Status(503), 3, 6 * 60),
        (Fault::Inactive, 1, 16 * 60),
        (Fault::Truncated, 3, 6 * 60),
    ];
    let mut calls = 0;
    for (fault, times, _) in &faults {
        for _ in 0..*times {
            calls += 1;
            told.story.world.strava.fail(On::Detail(calls), fault.clone());
        }
    }
    told.tell_of(1001, "update").await;
    told.deliver_all().await;
    let mut calls = 0;
    for (n, (fault, times, sleep_s)) in faults.iter().enumerate() {
        calls += times;
        assert_eq!((told.asked("detail"), told.outcomes().await), (calls, vec![]), "{fault:?}");
        if n > 0 {
            told.later(sleep_s / 2).await;
            assert_eq!(told.asked("detail"), calls, "{fault:?}: it sleeps");
        }
        told.later(*sleep_s).await;
    }
    assert_eq!((told.asked("detail"), told.outcomes().await), (calls + 1, vec![("saved".to_owned(), 1)]));
    assert_eq!(told.count("SELECT count(*) FROM unreadable_activities").await, 1, "what could not be read is kept");
    told.story.ends(&["Strava refuses this application"]).await;
}

#[tokio::test]
async fn a_forged_deauthorisation_erases_nothing() {
    let told = Told::with_runs(30).await;
    told.tell(&deauthorisation(ATHLETE)).await;
    told.deliver_all().await;
    assert_eq!(told.outcomes().await, [("still_connected".to_owned(), 1)]);
    let connected = "SELECT count(*) FROM athletes JOIN strava_tokens ON athlete_id = id WHERE strava_connected";
    assert_eq!((told.count(connected).await, told.story.stored().await), (1, 30));
    // Nor do many: the question is asked ever more seldom.
    let before = told.asked("refresh");
    for _ in 0..1000 {
        told.tell(&deauthorisation(ATHLETE)).await;
    }
    told.later(3700).await;
    assert!(told.asked("refresh") - before <= 2);
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn an_unreachable_strava_is_no_deauthorisation() {
    let told = Told::with_runs(3).await;
    let before = told.asked("refresh");
    told.story.world.strava.fail(On::Refresh(before + 1), Fault::Status(503));
    told.tell(&deauthorisation(ATHLETE)).await;
    told.deliver_all().await;
    assert_eq!(told.count("SELECT count(*) FROM strava_tokens").await, 1);
    told.story.world.strava.revoke(ATHLETE);
    told.later(330).await;
    assert_eq!(told.count("SELECT count(*) FROM strava_tokens").await, 0);
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn a_real_deauthorisation_leaves_no_token_at_once() {
    let told = Told::with_runs(30).await;
    let job_id = told.story.start(WHOLE_HISTORY).await;
    told.tell_of(KNOWN, "update").await;
    told.story.world.queue.take().await;
    told.story.world.strava.revoke(ATHLETE);
    told.tell(&deauthorisation(ATHLETE)).await;
    told.deliver_all().await;
    let gone = "SELECT count(*) FROM athletes WHERE NOT strava_connected AND strava_disconnected_at IS NOT NULL";
    assert_eq!((told.count("SELECT count(*) FROM strava_tokens").await, told.count(gone).await), (0, 1));
    let job = told.story.job(job_id).await;
    let sentence = "Strava no longer accepts the connection. Please connect Strava again.";
    assert_eq!((job.status.as_str(), job.error_message.as_deref()), ("failed", Some(sentence)));
    assert_eq!(told.outcomes().await, [("disconnected".to_owned(), 2)]);
    assert_eq!(told.count("SELECT count(*) FROM pending_revocations").await, 0, "there is nothing to revoke");
    told.story.ends(&[]).await;
}

#[tokio::test]
async fn a_token_refused_on_the_way_ends_the_connection() {
    let told = Told::with_runs(3).await;
    told.story.world.strava.revoke(ATHLETE);
    told.tell_of(1001, "update").await;
    told.deliver_all().await;
    assert_eq!(told.outcomes().await, [("disconnected".to_owned(), 1)]);
    assert_eq!(told.count("SELECT count(*) FROM strava_tokens").await, 0);
    assert_eq!(told.story.stored().await, 3);
    told.story.ends(&[]).await;
}
