//! The model's tools: what they answer, whose data they see, and that they come to an end.

use serde_json::{Value, json};
use testkit::activity::daily_runs;
use testkit::{ActivityBuilder, Reply, World};

use crate::model::facts;
use crate::story::*;

const OTHER: i64 = 5;

/// Lets the model call tools at once; returns what each was answered, and whether that was an error.
async fn round(story: &Story, calls: &[(&str, Value)]) -> Vec<(Value, bool)> {
    story.world.claude().reply(Reply::tools(calls.iter().map(|(name, input)| (*name, input.clone()))));
    story.world.claude().reply(Reply::text("Done."));
    assert_eq!(story.ask("Tell me.").await["answer"], "Done.");
    let request = story.last_request();
    let results = request["messages"].as_array().unwrap().last().unwrap()["content"].as_array().unwrap().clone();
    assert_eq!(results.len(), calls.len());
    let read = |result: &Value| (serde_json::from_str(result["content"].as_str().unwrap()).unwrap(), result["is_error"] == true);
    results.iter().map(read).collect()
}

async fn call(story: &Story, name: &str, input: Value) -> (Value, bool) {
    round(story, &[(name, input)]).await.remove(0)
}

#[tokio::test]
async fn answers_have_their_window_weekdays_units_and_number() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    let week = json!({"from": "2026-11-23", "to": "2026-11-27"});
    let with = |more: Value| {
        let mut input = week.clone();
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let window = json!({"from": {"date": "2026-11-23", "weekday": "Monday"}, "to": {"date": "2026-11-27", "weekday": "Friday"}, "days": 5});

    let (list, _) = call(&story, "list_activities", with(json!({"order": "oldest", "limit": 2, "family": "RUN"}))).await;
    let found = &list[0]["found"];
    assert_eq!((&list[0]["of"]["window"], &found["total_matched"], &found["listed"]), (&window, &json!(5), &json!(2)));
    let first = &found["activities"][0];
    assert_eq!((&first["date"], &first["weekday"], &first["distance"]), (&json!("2026-11-23"), &json!("Monday"), &json!("10.00 km")));
    assert_eq!(
        (&first["pace_or_speed"], &first["moving_time"], &first["heart_rate"]),
        (&json!("5:00 /km"), &json!("50:00"), &json!("142 bpm"))
    );

    let (sums, _) = call(&story, "aggregate", with(json!({"per": "weekday"}))).await;
    assert_eq!((&sums[0]["of"]["window"], &sums[0]["total_matched"]), (&window, &json!(5)));
    assert_eq!(sums[0]["groups"].as_array().unwrap().len(), 5);
    assert!(sums[0]["groups"][0]["sums"].as_str().unwrap().contains("10.00 km in 50 min"), "{sums}");

    let (both, _) = call(&story, "compare", with(json!({"other_from": "2026-11-18", "other_to": "2026-11-19"}))).await;
    assert_eq!((&both[0]["total_matched"], &both[1]["total_matched"], &both[0]["of"]["window"]), (&json!(5), &json!(2), &window));
    assert_eq!(both[1]["of"]["window"]["to"], json!({"date": "2026-11-19", "weekday": "Thursday"}));

    let (records, _) = call(&story, "records", with(json!({"distance_km": 10, "limit": 9}))).await;
    assert_eq!((&records[0]["window"], &records[0]["distances"], &records[0]["total_matched"]), (&window, &json!(["10 km"]), &json!(5)));
    assert_eq!((&records[0]["records"][0]["time"], &records[0]["records"][0]["weekday"]), (&json!("50:00"), &json!("Monday")));
    assert!(records[0]["records"][0]["basis"].as_str().unwrap().contains("4 %"));

    let (days, _) = call(&story, "training_days", with(json!({"family": "run"}))).await;
    assert_eq!((&days[0]["window"], &days[0]["calendar"]["training_days"]), (&window, &json!(5)));
    assert_eq!(days[0]["calendar"]["longest_streak"]["days"], 5);

    let (load, _) = call(&story, "training_load", json!({})).await;
    assert_eq!(load["load_unit"], "100 is one hour at threshold");
    assert_eq!(load, facts(&story.last_request())["training_state"]);

    let (search, _) = call(&story, "search_activities", with(json!({"words": "morning"}))).await;
    assert_eq!(
        (&search[0]["window"], &search[0]["has_all_words"], &search[0]["found"]["total_matched"]),
        (&window, &json!(true), &json!(5))
    );

    let (everything, _) = call(&story, "aggregate", json!({"per": "all"})).await;
    assert_eq!((&everything[0]["of"]["window"], &everything[0]["total_matched"]), (&json!("all time"), &json!(10)));
    let (nothing, is_error) = call(&story, "list_activities", json!({"order": "newest", "from": "1990-01-01", "to": "1990-12-31"})).await;
    assert_eq!((&nothing[0]["found"]["total_matched"], is_error), (&json!(0), false), "nothing found is said as such");
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn every_selection_can_be_asked_for() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    for order in ["newest", "oldest", "longest", "shortest", "longest_time", "hilliest", "fastest", "slowest", "highest_heart_rate"] {
        let (list, is_error) = call(&story, "list_activities", json!({"order": order})).await;
        assert_eq!((&list[0]["found"]["total_matched"], is_error), (&json!(10), false), "{order}: {list}");
    }
    for per in ["all", "day", "week", "month", "year", "weekday", "family"] {
        let (sums, is_error) = call(&story, "aggregate", json!({"per": per})).await;
        assert_eq!((&sums[0]["total_matched"], is_error), (&json!(10), false), "{per}");
    }
    for (select, expected) in [
        (json!({"sport": "Run"}), 10),
        (json!({"sport": "Yoga"}), 0),
        (json!({"family": "ride"}), 0),
        (json!({"indoor": true}), 0),
        (json!({"indoor": false}), 10),
        (json!({"kind": "race"}), 0),
        (json!({"kind": "Long_Run"}), 0),
        (json!({"kind": "workout"}), 0),
        (json!({"weekday": "Friday"}), 2),
        (json!({"distance_min_km": 10}), 10),
        (json!({"distance_min_km": 10.1}), 0),
        (json!({"distance_max_km": 9.9}), 0),
        (json!({"distance_max_km": 1e308}), 10),
        (json!({"from": "2026-11-27"}), 1),
        (json!({"to": "2026-11-18"}), 1),
        (json!({"from": null, "to": null, "family": null}), 10),
        (json!({"athlete_id": OTHER, "user_id": OTHER, "and": {"other": ["nonsense"]}}), 10),
    ] {
        let (mut list, mut sums) = (select.clone(), select.clone());
        (list["order"], sums["per"]) = (json!("newest"), json!("all"));
        let answers = round(&story, &[("list_activities", list), ("aggregate", sums)]).await;
        let found = (&answers[0].0[0]["found"]["total_matched"], &answers[1].0[0]["total_matched"]);
        assert_eq!(found, (&json!(expected), &json!(expected)), "{select}");
    }
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn calls_that_make_no_sense_are_told_why_and_do_no_harm() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    for (name, input, named) in [
        ("list_activities", json!({"order": "best"}), "order is none of newest"),
        ("list_activities", json!({"order": 1}), "order is not a text"),
        ("list_activities", json!({"order": "newest", "from": "yesterday"}), "from is not a date"),
        ("list_activities", json!({"order": "newest", "from": "2026-02-30"}), "from is not a date"),
        ("list_activities", json!({"order": "newest", "from": "2026-12-01"}), "from lies after to"),
        ("list_activities", json!({"order": "newest", "limit": "many"}), "limit is not a whole number"),
        ("list_activities", json!({"order": "newest", "family": "chess"}), "family is none of run"),
        ("list_activities", json!({"order": "newest", "sport": "a\u{0}b"}), "sport holds"),
        ("list_activities", json!({"order": "newest", "indoor": "yes"}), "indoor is neither"),
        ("list_activities", json!({"order": "newest", "distance_min_km": -1}), "distance_min_km is not"),
        ("list_activities", json!({"order": "newest", "distance_max_km": "far"}), "distance_max_km is not"),
        ("list_activities", json!({"order": "newest", "weekday": "someday"}), "weekday is none of"),
        ("aggregate", json!({"per": "decade"}), "per is none of"),
        ("compare", json!({"from": "2026-01-01", "to": "2026-01-31", "other_from": "x"}), "other_from is not a date"),
        ("records", json!({"distance_km": 7}), "distance_km is no standard distance"),
        ("training_days", json!({"family": true}), "family is not a text"),
        ("search_activities", json!({}), "words is missing"),
        ("search_activities", json!({"words": "  "}), "words is missing"),
        ("search_activities", json!({"words": "a\u{0}"}), "words holds"),
        ("opening_facts", json!({}), "the facts stand in the conversation"),
        ("memory", json!({"action": "erase"}), "action is none of"),
        ("memory", json!({"action": "remember", "kind": "secret", "text": "x"}), "kind is none of"),
        ("memory", json!({"action": "remember", "kind": "goal"}), "text is missing"),
        ("memory", json!({"action": "remember", "kind": "goal", "text": " "}), "text is missing"),
        ("memory", json!({"action": "remember", "kind": "goal", "text": "a\u{0}b"}), "text holds"),
        ("memory", json!({"action": "remember", "kind": "goal", "text": "x".repeat(301)}), "text has more than 300"),
        ("memory", json!({"action": "forget"}), "fact_id is missing"),
        ("memory", json!({"action": "forget", "fact_id": "1"}), "fact_id is not a UUID"),
    ] {
        let (answer, is_error) = call(&story, name, input.clone()).await;
        assert!(is_error && answer["error"].as_str().is_some_and(|error| error.starts_with(named)), "{name} {input}: {answer}");
    }
    for (name, input) in [
        ("list_activities", json!({"order": "newest", "limit": 1_000_000, "sport": "'; DROP TABLE activities; --"})),
        ("list_activities", json!({"order": "newest", "from": "-009999-01-01", "to": "9999-12-31"})),
        ("search_activities", json!({"words": "' OR 1=1 -- %_\\ & | ! :*"})),
        ("search_activities", json!({"words": "x".repeat(5_000)})),
        ("records", json!({"limit": -5})),
    ] {
        let (answer, is_error) = call(&story, name, input.clone()).await;
        assert!(!is_error, "{name} {input}: {answer}");
    }
    assert_eq!(story.stored().await[2], 0);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn more_calls_than_allowed_are_answered_with_an_error() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    let calls: Vec<(&str, Value)> = (0..9).map(|n| ("aggregate", json!({"per": "all", "from": format!("2026-11-{}", 18 + n)}))).collect();
    let answers = round(&story, &calls).await;
    let errors: Vec<bool> = answers.iter().map(|(_, is_error)| *is_error).collect();
    assert_eq!(errors, [false, false, false, false, false, false, true, true, true]);
    for (n, (answer, _)) in answers.iter().take(6).enumerate() {
        assert_eq!(answer[0]["total_matched"], 10 - n, "results stand in their calls' order");
    }
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn endless_calls_come_to_an_end() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    story.world.claude().respond_with(|_| Reply::tools([("aggregate", json!({"per": "week"}))]));
    let answer = story.ask("How far did I run in all?").await;
    assert_eq!((&answer["context"]["coach"], &answer["context"]["coach_reason"]), (&json!("facts_only"), &json!("model_silent")));
    assert!(answer["answer"].as_str().unwrap().contains("100.0 km"));
    let requests = story.world.claude().requests();
    assert_eq!(requests.len(), 6, "four rounds of tools, one that is refused, one to speak");
    let result = |request: &Value| request["messages"].as_array().unwrap().last().unwrap()["content"][0]["is_error"] == true;
    assert_eq!(requests.iter().map(result).collect::<Vec<_>>(), [false, false, false, false, false, true]);

    story.world.claude().respond_with(|request| {
        let told_to_stop = request["messages"].as_array().unwrap().last().unwrap()["content"][0]["is_error"] == true;
        if told_to_stop { Reply::text("Far.") } else { Reply::tools([("aggregate", json!({"per": "week"}))]).with_text("Let me look.") }
    });
    let answer = story.ask("How far did I run in all?").await;
    assert_eq!(answer["answer"], "Let me look.\n\nLet me look.\n\nLet me look.\n\nLet me look.\n\nLet me look.\n\nFar.");
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn what_the_athlete_states_is_remembered_and_forgotten() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    let remember = |text: &str| json!({"action": "remember", "kind": "Goal", "text": text});
    let (answer, is_error) = call(&story, "memory", remember(" Wants to run a marathon. ")).await;
    assert_eq!((&answer["remembered"], is_error), (&json!("Wants to run a marathon."), false));
    call(&story, "memory", remember("wants to run a MARATHON.")).await;
    let (_, memory) = story.call("GET", "/memory", "").await;
    let known = memory["facts"].as_array().unwrap();
    assert_eq!(
        (known.len(), &known[0]["kind"], &known[0]["text"]),
        (1, &json!("goal"), &json!("Wants to run a marathon.")),
        "the same words once"
    );
    let id = known[0]["id"].clone();

    story.world.claude().reply(Reply::text("Hello."));
    story.ask("Hello").await;
    assert_eq!(facts(&story.last_request())["athlete"]["asked_to_remember"][0]["id"], id);
    let (answer, is_error) = call(&story, "memory", json!({"action": "forget", "fact_id": id})).await;
    assert_eq!((&answer["forgotten"], is_error, story.stored().await[2]), (&json!(true), false, 0));
    let (answer, is_error) = call(&story, "memory", json!({"action": "forget", "fact_id": id})).await;
    assert_eq!((&answer["forgotten"], is_error), (&json!(false), true));

    let fill = "INSERT INTO coach_facts (id, athlete_id, kind, fact) SELECT gen_random_uuid(), id, 'goal', 'goal ' || n FROM athletes, generate_series(1, 49) n";
    story.world.database.owner().await.batch_execute(fill).await.unwrap();
    let answers =
        round(&story, &[("memory", remember("the fiftieth")), ("memory", remember("one too many")), ("memory", remember("Goal 7"))]).await;
    assert_eq!(answers.iter().map(|(_, is_error)| *is_error).collect::<Vec<_>>(), [false, true, false], "{answers:?}");
    assert_eq!(story.stored().await[2], 50);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn tools_see_and_change_the_callers_own_only() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    let other = story.another(OTHER).await;
    story.world.import(OTHER, &daily_runs(OTHER, 5_000, 3, now()), now()).await;
    let secret = ActivityBuilder::run(OTHER, 6_000, now()).with("name", "Zugersee").with("distance", 33_333.0).build();
    story.world.import(OTHER, &[secret], now()).await;
    story.world.claude().respond_with(|_| Reply::text("Done."));
    let fact =
        "INSERT INTO coach_facts (id, athlete_id, kind, fact) VALUES ('0197c000-0000-7000-8000-000000000001', 5, 'goal', 'Zugersee')";
    story.world.database.owner().await.batch_execute(fact).await.unwrap();
    for (name, input) in [
        ("list_activities", json!({"order": "longest", "athlete_id": OTHER, "user_id": "5"})),
        ("search_activities", json!({"words": "Zugersee", "athlete_id": OTHER})),
        ("aggregate", json!({"per": "all", "athlete_id": OTHER})),
        ("records", json!({"athlete_id": OTHER})),
        ("training_days", json!({"athlete_id": OTHER})),
        ("memory", json!({"action": "forget", "fact_id": "0197c000-0000-7000-8000-000000000001", "athlete_id": OTHER})),
        ("memory", json!({"action": "remember", "kind": "goal", "text": "mine", "athlete_id": OTHER})),
    ] {
        story.world.claude().reply(Reply::tools([(name, input.clone())]));
        story.ask("Tell me of the Zugersee.").await;
        let request = story.last_request();
        let result = request["messages"].as_array().unwrap().last().unwrap()["content"][0]["content"].as_str().unwrap().to_owned();
        assert!(!result.contains("6000") && !result.contains("33.33"), "{name}: {result}");
        assert!(!facts(&request).to_string().contains("33.33"));
    }
    let (_, theirs) = story.call_as(&other, "GET", "/memory", "").await;
    assert_eq!((theirs["facts"].as_array().unwrap().len(), &theirs["facts"][0]["text"]), (1, &json!("Zugersee")));
    let (_, mine) = story.call("GET", "/memory", "").await;
    assert_eq!((mine["facts"].as_array().unwrap().len(), &mine["facts"][0]["text"]), (1, &json!("mine")));
    story.world.assert_in_order(&[]).await;
}
