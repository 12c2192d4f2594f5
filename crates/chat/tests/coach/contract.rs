//! The calls of the contract as the app reads them, and who may make them.

use serde_json::{Value, json};
use testkit::call::request;
use testkit::fake_strava::Gate;
use testkit::{Reply, World};
use uuid::Uuid;

use crate::shapes::{ANSWER, CONVERSATION, CONVERSATIONS, DELETED, ERROR, MEMORY, decode};
use crate::story::*;

const OTHER: i64 = 5;

fn id_of(answer: &Value) -> &str {
    answer["conversation_id"].as_str().unwrap()
}

#[tokio::test]
async fn a_conversation_is_held_listed_shown_and_deleted() {
    let story = Story::of_a_runner(World::new().await).await;
    let first = story.ask("How many km did I run this week?").await;
    decode(&first, &ANSWER);
    assert_eq!((&first["timestamp"], &first["context"]["totalActivities"]), (&json!(NOW), &json!(10)));
    assert_eq!(first["context"]["historyMessages"], 0);
    let id = id_of(&first);

    story.pass(1);
    let (status, second) = story.post(&json!({"message": "  And my longest run ever?\n", "conversation_id": id})).await;
    assert_eq!(status, 200);
    decode(&second, &ANSWER);
    assert_eq!((id_of(&second), &second["context"]["historyMessages"]), (id, &json!(2)));
    story.pass(1);
    let other = story.ask(&"Ö".repeat(130)).await;

    let (status, list) = story.call("GET", "/conversations", "").await;
    assert_eq!(status, 200);
    decode(&list, &CONVERSATIONS);
    let listed: Vec<&str> = list["conversations"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(listed, [id_of(&other), id], "newest first");
    assert_eq!(list["conversations"][1]["preview"], "How many km did I run this week?");
    assert_eq!(list["conversations"][0]["preview"], "Ö".repeat(120));
    assert_eq!(list["conversations"][1]["created_at"], NOW);
    assert_eq!(list["conversations"][1]["updated_at"], "2026-11-27T13:00:00Z");

    let (status, shown) = story.call("GET", &format!("/conversations/{id}"), "").await;
    assert_eq!(status, 200);
    decode(&shown, &CONVERSATION);
    let conversation = &shown["conversation"];
    assert_eq!(conversation["user_id"], story.world.user_id.to_string());
    let messages: Vec<(&str, &str)> = conversation["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["role"].as_str().unwrap(), m["content"].as_str().unwrap()))
        .collect();
    let answer = |answer: &'_ Value| answer["answer"].as_str().unwrap().to_owned();
    let (first_answer, second_answer) = (answer(&first), answer(&second));
    assert_eq!(
        messages,
        [
            ("user", "How many km did I run this week?"),
            ("assistant", first_answer.as_str()),
            ("user", "And my longest run ever?"),
            ("assistant", second_answer.as_str())
        ]
    );

    let (status, deleted) = story.call("DELETE", &format!("/conversations/{id}"), "").await;
    assert_eq!(status, 200);
    decode(&deleted, &DELETED);
    assert_eq!(story.stored().await, [1, 2, 0], "its messages went with it");
    for method in ["GET", "DELETE"] {
        assert_eq!(code(&story.call(method, &format!("/conversations/{id}"), "").await), (404, "CONVERSATION_NOT_FOUND"));
    }
    assert_eq!(code(&story.post(&json!({"message": "Hi", "conversation_id": id})).await), (404, "CONVERSATION_NOT_FOUND"));
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn the_history_given_to_the_coach_is_the_newest_ten_messages() {
    let story = Story::of_a_runner(World::new().await).await;
    let first = story.ask("Hello").await;
    for turns in 1..8 {
        let (_, answer) = story.post(&json!({"message": "Hello", "conversation_id": id_of(&first)})).await;
        assert_eq!(answer["context"]["historyMessages"], (2 * turns).min(10));
    }
}

#[tokio::test]
async fn lists_have_limits() {
    let story = Story::of_a_runner(World::new().await).await;
    for _ in 0..23 {
        story.pass(1);
        story.ask("Thanks!").await;
    }
    for (limit, expected) in [("", 20), ("?limit=1", 1), ("?limit=22", 22), ("?limit=100", 23)] {
        let (_, list) = story.call("GET", &format!("/conversations{limit}"), "").await;
        assert_eq!(list["conversations"].as_array().unwrap().len(), expected, "{limit}");
    }
    for wrong in ["0", "101", "-1", "x", "", "1.5", "99999999999999999999"] {
        let answer = story.call("GET", &format!("/conversations?limit={wrong}"), "").await;
        assert_eq!(code(&answer), (400, "INVALID_REQUEST"), "{wrong}");
        assert!(answer.1["error"]["message"].as_str().unwrap().starts_with("limit "));
    }
}

#[tokio::test]
async fn the_memory_is_shown_changed_and_forgotten() {
    let story = Story::of_a_runner(World::new().await).await;
    let (status, empty) = story.call("GET", "/memory", "").await;
    assert_eq!(status, 200);
    decode(&empty, &MEMORY);
    assert_eq!(empty["facts"], json!([]));

    let put = json!({"memory": {"personal": {"preferred_name": "Ada"}, "physical_profile": {"current_concerns": ["left knee"]}}});
    let (status, after) = story.call("PUT", "/memory", &put.to_string()).await;
    assert_eq!(status, 200);
    decode(&after, &MEMORY);
    assert_eq!(after["memory"]["personal"], json!({"preferred_name": "Ada", "experience_level": null}));
    let (_, after) =
        story.call("PUT", "/memory", r#"{"memory":{"personal":{"preferred_name":null},"goals":{"primary":"a marathon"}}}"#).await;
    assert_eq!(after["memory"]["personal"]["preferred_name"], Value::Null);
    assert_eq!(after["memory"]["physical_profile"]["current_concerns"], json!(["left knee"]), "what was not given stays");
    assert_eq!(story.call("GET", "/memory", "").await.1, after);

    story.ask("Remember that I prefer to run in the morning.").await;
    story.ask("Remember that my goal is a sub-4 marathon.").await;
    let (_, memory) = story.call("GET", "/memory", "").await;
    decode(&memory, &MEMORY);
    assert_eq!(memory["facts"].as_array().unwrap().len(), 2);
    let fact = memory["facts"][0]["id"].as_str().unwrap();
    let (status, forgotten) = story.call("DELETE", &format!("/memory/{fact}"), "").await;
    assert_eq!(status, 200);
    decode(&forgotten, &DELETED);
    assert_eq!(code(&story.call("DELETE", &format!("/memory/{fact}"), "").await), (404, "FACT_NOT_FOUND"));
    assert_eq!(story.call("GET", "/memory", "").await.1["facts"].as_array().unwrap().len(), 1);

    for incomplete in ["", "?all=", "?all=1", "?all=True", "?all=false"] {
        assert_eq!(code(&story.call("DELETE", &format!("/memory{incomplete}"), "").await), (400, "INVALID_REQUEST"), "{incomplete}");
    }
    let (status, forgotten) = story.call("DELETE", "/memory?all=true", "").await;
    assert_eq!(status, 200);
    decode(&forgotten, &DELETED);
    assert_eq!(story.call("GET", "/memory", "").await.1, empty);
    story.world.assert_in_order(&[]).await;
}

/// Waits until as many of the function's sessions wait for a lock.
async fn waiting(story: &Story, expected: i64) {
    let sql =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'runaway_app' AND wait_event_type = 'Lock'";
    let looker = story.world.database.app().await;
    let begun = std::time::Instant::now();
    while looker.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) != expected {
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "nobody waits");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_first_two_changes_of_the_memory_at_once_are_both_kept() {
    let story = Story::of_a_runner(World::new().await).await;
    let name = json!({"memory": {"personal": {"preferred_name": "Ada"}}}).to_string();
    let goal = json!({"memory": {"goals": {"primary": "a marathon"}}}).to_string();
    // A row that is never committed holds both back after they have begun.
    let owner = story.world.database.owner().await;
    owner.batch_execute("BEGIN; INSERT INTO athlete_ai_profiles (athlete_id) SELECT id FROM athletes").await.unwrap();
    let release = async {
        waiting(&story, 2).await;
        owner.batch_execute("ROLLBACK").await.unwrap();
    };
    let (first, second, ()) = tokio::join!(story.call("PUT", "/memory", &name), story.call("PUT", "/memory", &goal), release);
    assert_eq!((first.0, second.0), (200, 200));
    let memory = story.call("GET", "/memory", "").await.1["memory"].clone();
    assert_eq!((&memory["personal"]["preferred_name"], &memory["goals"]["primary"]), (&json!("Ada"), &json!("a marathon")));
}

#[tokio::test]
async fn a_slow_answer_does_not_put_its_conversation_back() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    story.world.claude().reply(Reply::text("Hello!"));
    let id = story.ask("Hello").await["conversation_id"].clone();
    let gate = Gate::default();
    story.world.claude().reply(Reply::text("Slow.").held(&gate));
    story.world.claude().reply(Reply::text("Quick."));
    let (slow, quick) = (json!({"message": "Slow?", "conversation_id": id}), json!({"message": "Quick?", "conversation_id": id}));
    let overtake = async {
        gate.arrival().await;
        story.pass(1);
        assert_eq!(story.post(&quick).await.0, 200);
        gate.open();
    };
    let (answer, ()) = tokio::join!(story.post(&slow), overtake);
    assert_eq!(answer.1["timestamp"], NOW);
    let (_, list) = story.call("GET", "/conversations", "").await;
    assert_eq!(list["conversations"][0]["updated_at"], "2026-11-27T13:00:00Z");
    let (_, shown) = story.call("GET", &format!("/conversations/{}", id.as_str().unwrap()), "").await;
    let words: Vec<&str> = shown["conversation"]["messages"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect();
    assert_eq!(words, ["Hello", "Hello!", "Slow?", "Slow.", "Quick?", "Quick."], "by the time they were asked");
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn methods_and_paths_are_the_contracts() {
    let story = Story::of_a_runner(World::new().await).await;
    let id = Uuid::new_v4();
    let (conversation, fact) = (format!("/conversations/{id}"), format!("/memory/{id}"));
    for (path, methods) in [
        ("", vec!["POST"]),
        ("/conversations", vec!["GET"]),
        (&conversation, vec!["GET", "DELETE"]),
        ("/memory", vec!["GET", "PUT", "DELETE"]),
        (&fact, vec!["DELETE"]),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"] {
            let (status, body) = story.call(method, path, "").await;
            assert_eq!(status == 405, !methods.contains(&method), "{method} {path}: {body}");
            if status == 405 {
                assert_eq!(body["error"]["code"], "METHOD_NOT_ALLOWED");
            }
        }
        let (status, body) = story.send(request("OPTIONS", &format!("/chat{path}"), None, "")).await;
        assert_eq!((status, body), (204, Value::Null), "OPTIONS {path}");
    }
    for unknown in [
        "/",
        "/conversations/",
        "/memory/",
        "/nonsense",
        "//",
        "/conversations//",
        &format!("{conversation}/"),
        &format!("{fact}/x"),
        "s",
        "/Memory",
    ] {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            assert_eq!(code(&story.call(method, unknown, "").await), (404, "NOT_FOUND"), "{method} {unknown}");
        }
    }
}

/// One call of each kind.
fn calls() -> Vec<(&'static str, String, String)> {
    let id = Uuid::new_v4();
    vec![
        ("POST", String::new(), r#"{"message":"Hi"}"#.to_owned()),
        ("GET", "/conversations".to_owned(), String::new()),
        ("GET", format!("/conversations/{id}"), String::new()),
        ("DELETE", format!("/conversations/{id}"), String::new()),
        ("GET", "/memory".to_owned(), String::new()),
        ("PUT", "/memory".to_owned(), r#"{"memory":{}}"#.to_owned()),
        ("DELETE", format!("/memory/{id}"), String::new()),
        ("DELETE", "/memory?all=true".to_owned(), String::new()),
    ]
}

#[tokio::test]
async fn nobody_gets_in_without_a_token_and_nobody_to_another_athlete() {
    let story = Story::of_a_runner(World::new().await).await;
    let nobody = story.world.issuer.token(Uuid::new_v4());
    let mine = story.world.token();
    for (method, path, body) in calls() {
        let url = format!("/chat{path}");
        for token in [None, Some("garbage"), Some(""), Some("a.b.c")] {
            let answer = story.send(request(method, &url, token, &body)).await;
            assert_eq!(code(&answer), (401, "UNAUTHORIZED"), "{method} {path} with {token:?}");
            decode(&answer.1, &ERROR);
        }
        assert_eq!(code(&story.call_as(&nobody, method, &path, &body).await), (404, "ATHLETE_NOT_FOUND"), "{method} {path}");
        let and = if path.contains('?') { '&' } else { '?' };
        for foreign in [OTHER, 0, -1, i64::MAX] {
            for name in ["athlete_id", "user_id"] {
                let path = format!("{path}{and}{name}={foreign}");
                for token in [&mine, &nobody] {
                    assert_eq!(code(&story.call_as(token, method, &path, &body).await), (403, "FORBIDDEN"), "{method} {path}");
                }
            }
        }
        assert_eq!(code(&story.call_as(&mine, method, &format!("{path}{and}athlete_id=x"), &body).await), (400, "INVALID_REQUEST"));
        let own = story.call_as(&mine, method, &format!("{path}{and}athlete_id={RUNNER}"), &body).await;
        assert!([200, 404].contains(&own.0) && own.1["error"]["code"] != "ATHLETE_NOT_FOUND", "{method} {path}: {}", own.1);
        if body.is_empty() {
            continue;
        }
        for foreign in [json!(OTHER), json!("5"), json!(i64::MAX), json!("-1")] {
            let mut with: Value = serde_json::from_str(&body).unwrap();
            with["athlete_id"] = foreign;
            for token in [&mine, &nobody] {
                assert_eq!(code(&story.call_as(token, method, &path, &with.to_string()).await), (403, "FORBIDDEN"), "{method} {with}");
            }
            with["athlete_id"] = json!(RUNNER.to_string());
            assert_eq!(story.call_as(&mine, method, &path, &with.to_string()).await.0, 200);
        }
    }
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn refusals_come_in_the_contracts_order() {
    let story = Story::of_a_runner(World::new().await).await;
    let (mine, nobody) = (story.world.token(), story.world.issuer.token(Uuid::new_v4()));
    let unknown = Uuid::new_v4();
    for (what, token, method, path, body, expected) in [
        ("token before method", "x", "PUT", "", "{", (401, "UNAUTHORIZED")),
        ("token before path", "x", "GET", "/nonsense", "", (401, "UNAUTHORIZED")),
        ("method before body", &mine, "PUT", "", "{", (405, "METHOD_NOT_ALLOWED")),
        ("body before foreign id", &nobody, "POST", "?athlete_id=5", r#"{"message":1}"#, (400, "INVALID_REQUEST")),
        ("memory's body before foreign id", &nobody, "PUT", "/memory?athlete_id=5", r#"{"memory":{"x":1}}"#, (400, "INVALID_REQUEST")),
        ("limit before foreign id", &nobody, "GET", "/conversations?athlete_id=5&limit=0", "", (400, "INVALID_REQUEST")),
        ("foreign id before no athlete", &nobody, "POST", "?athlete_id=5", r#"{"message":"Hi"}"#, (403, "FORBIDDEN")),
        (
            "foreign id before unknown conversation",
            &mine,
            "POST",
            "?athlete_id=5",
            &format!(r#"{{"message":"Hi","conversation_id":"{unknown}"}}"#),
            (403, "FORBIDDEN"),
        ),
        (
            "no athlete before unknown conversation",
            &nobody,
            "POST",
            "",
            &format!(r#"{{"message":"Hi","conversation_id":"{unknown}"}}"#),
            (404, "ATHLETE_NOT_FOUND"),
        ),
        ("no athlete before unknown conversation", &nobody, "GET", "/conversations/x", "", (404, "ATHLETE_NOT_FOUND")),
    ] {
        assert_eq!(code(&story.call_as(token, method, path, body).await), expected, "{what}");
    }
    assert_eq!(story.stored().await, [0, 0, 0]);
}

#[tokio::test]
async fn what_is_anothers_is_out_of_reach() {
    let story = Story::of_a_runner(World::new().await).await;
    let other = story.another(OTHER).await;
    let mine = story.ask("Remember that I prefer to run in the morning.").await;
    let id = id_of(&mine);
    let (_, memory) = story.call("GET", "/memory", "").await;
    let fact = memory["facts"][0]["id"].as_str().unwrap();
    let before = story.stored().await;

    assert_eq!(story.call_as(&other, "GET", "/conversations", "").await.1["conversations"], json!([]));
    assert_eq!(story.call_as(&other, "GET", "/memory", "").await.1["facts"], json!([]));
    for (method, path, body, expected) in [
        ("GET", format!("/conversations/{id}"), String::new(), "CONVERSATION_NOT_FOUND"),
        ("DELETE", format!("/conversations/{id}"), String::new(), "CONVERSATION_NOT_FOUND"),
        ("GET", format!("/conversations/{}", Uuid::new_v4()), String::new(), "CONVERSATION_NOT_FOUND"),
        ("GET", "/conversations/1".to_owned(), String::new(), "CONVERSATION_NOT_FOUND"),
        ("POST", String::new(), json!({"message": "Go on", "conversation_id": id}).to_string(), "CONVERSATION_NOT_FOUND"),
        ("DELETE", format!("/memory/{fact}"), String::new(), "FACT_NOT_FOUND"),
        ("DELETE", "/memory/x".to_owned(), String::new(), "FACT_NOT_FOUND"),
    ] {
        assert_eq!(code(&story.call_as(&other, method, &path, &body).await), (404, expected), "{method} {path}");
    }
    assert_eq!(story.call_as(&other, "DELETE", "/memory?all=true", "").await.0, 200);
    assert_eq!(story.stored().await, before, "nothing of the runner's is gone, nothing was added");
    assert_eq!(story.call_as(&other, "POST", "", r#"{"message":"How far did I run in all?"}"#).await.1["context"]["totalActivities"], 0);
    assert!(
        !story
            .call_as(&other, "POST", "", r#"{"message":"What do you remember about me? Forget what I said about the morning."}"#)
            .await
            .1
            .to_string()
            .contains("prefer")
    );
    assert_eq!(story.call("GET", "/memory", "").await.1, memory);
    story.world.assert_in_order(&[]).await;
}
