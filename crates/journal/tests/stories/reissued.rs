//! What happens inside a written week changes its entry; what changes nothing costs nothing.

use journal::story::FACTS_ONLY;
use serde_json::json;

use crate::story::*;

#[tokio::test]
async fn a_late_upload_an_edit_and_a_deletion_each_reissue_the_entry() {
    let story = Story::with_claude(&[]).await;
    let week = story.monday(1);
    story.store(&runs(100, week, &[0, 2, 3, 6])).await;
    let first = story.generate(week).await;
    let mut edited = runs(100, week, &[0]);
    edited[0]["distance"] = json!(12_000.0);
    for (n, (what, miles, count)) in
        [("a late upload", "31.07", 5), ("an edit", "32.31", 5), ("a deletion", "26.10", 4)].into_iter().enumerate()
    {
        match what {
            "a late upload" => story.store(&runs(200, week, &[4])).await,
            "an edit" => story.store(&edited).await,
            _ => story.execute("DELETE FROM activities WHERE id = 200").await,
        }
        story.world.clock.advance(3600);
        assert_eq!(story.schedule().await, [(ATHLETE, week)], "{what}");
        let entry = &story.entries().await[0];
        let stats = &entry["week_stats"];
        assert_eq!((stats["total_distance_miles"].as_str(), stats["activities_count"].as_u64()), (Some(miles), Some(count)), "{what}");
        assert!(entry["narrative"].as_str().unwrap().contains(miles), "{what}: {entry}");
        assert_eq!((entry["id"] == first["id"], story.model_calls()), (true, n + 2), "{what}: the same entry, written once more");
    }
    story.execute("DELETE FROM activities").await;
    story.world.clock.advance(3600);
    assert_eq!(story.schedule().await, [(ATHLETE, week)]);
    assert!(story.entries().await.is_empty(), "a week without activities has no entry");
    story.world.clock.advance(3600);
    assert_eq!(story.schedule().await, []);
    story.ends(&[]).await;
}

#[tokio::test]
async fn a_rename_and_an_identical_sync_cost_nothing() {
    let story = Story::with_claude(&[]).await;
    let week = story.monday(1);
    let mut objects = runs(100, week, &[0, 2, 3, 6]);
    story.store(&objects).await;
    let entry = story.generate(week).await;
    story.store(&objects).await;
    story.world.clock.advance(3600);
    assert_eq!(story.schedule().await, [], "an identical page writes nothing");
    objects[0]["name"] = json!("Misty loop");
    story.store(&objects).await;
    assert_eq!(story.schedule().await, [(ATHLETE, week)]);
    assert_eq!((&story.entries().await[0], story.model_calls()), (&entry, 1), "the facts are the same");
    story.world.clock.advance(3600);
    assert_eq!(story.schedule().await, []);
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_upload_into_an_older_week_reissues_the_weeks_that_compare_with_it() {
    let story = Story::with_claude(&[]).await;
    let week = |n: i64| story.monday(n);
    for n in 1..=6 {
        story.store(&runs(1000 * n, week(n), &[0, 2, 5])).await;
    }
    for n in 1..=6 {
        story.generate(week(n)).await;
    }
    // A long run in the week before last changes that week, and what the last week is compared with.
    let mut long = runs(9000, week(2), &[6]);
    long[0]["distance"] = json!(30_000.0);
    long[0]["moving_time"] = json!(9_600);
    story.store(&long).await;
    let trend = |entries: &[serde_json::Value]| entries[0]["week_stats"]["trends"][0]["text"].as_str().unwrap().to_owned();
    let before = story.model_calls();
    let read = story.entries().await;
    assert!(trend(&read).contains("50% less than in the week before (37.28 miles)"), "read at once: {}", trend(&read));
    assert_eq!((read[0]["generation_model"].as_str(), story.model_calls()), (Some(FACTS_ONLY), before), "reading costs nothing");
    assert_eq!(story.schedule().await, [(ATHLETE, week(2)), (ATHLETE, week(1))]);
    assert_eq!(story.model_calls(), before + 2);
    assert!(trend(&story.entries().await).contains("37.28 miles"));
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_upload_while_the_week_is_written_makes_it_stale_again() {
    let story = Story::with_claude(&[]).await;
    let week = story.monday(1);
    story.store(&runs(100, week, &[0, 2])).await;
    let gate = testkit::fake_strava::Gate::default();
    let answer = json!({"narrative": "You did 2 runs.", "insights": []});
    story.world.claude().reply(testkit::fake_claude::Reply::json(&answer).held(&gate));
    let upload = async {
        gate.arrival().await;
        story.store(&runs(200, week, &[4])).await;
        gate.open();
    };
    let (written, ()) = tokio::join!(story.generate(week), upload);
    assert_eq!(written["week_stats"]["activities_count"], 2, "as it was when it was looked at");
    assert_eq!(story.entries().await[0]["week_stats"]["activities_count"], 3, "and true when it is read");
    assert_eq!(story.schedule().await, [(ATHLETE, week)]);
    assert_eq!(story.entries().await[0]["week_stats"]["activities_count"], 3);
    story.ends(&[]).await;
}

#[tokio::test]
async fn entries_older_than_twelve_weeks_are_reissued_when_they_are_read() {
    let story = Story::with_claude(&[]).await;
    let old = story.monday(20);
    story.store(&runs(100, old, &[0, 2])).await;
    story.generate(old).await;
    story.store(&runs(200, old, &[4])).await;
    assert_eq!(story.schedule().await, []);
    let entry = &story.entries().await[0];
    assert_eq!((entry["week_stats"]["activities_count"].as_u64(), entry["generation_model"].as_str()), (Some(3), Some(FACTS_ONLY)));
    assert_eq!(story.world.database.count("SELECT count(*) FROM journal_weeks WHERE written_changes = changes").await, 1);
    story.execute("DELETE FROM activities").await;
    assert!(story.entries().await.is_empty());
    story.ends(&[]).await;
}

#[tokio::test]
async fn an_athlete_can_be_erased_with_a_journal() {
    let story = Story::with_claude(&[]).await;
    let week = story.monday(1);
    story.store(&runs(100, week, &[0, 2])).await;
    story.generate(week).await;
    story.execute("DELETE FROM athletes").await;
    assert_eq!(story.world.database.count("SELECT count(*) FROM journal_weeks").await, 0);
    assert_eq!(story.deliver(ATHLETE, week).await, nothing_failed(), "a message that comes too late is done with");
    story.ends(&[]).await;
}
