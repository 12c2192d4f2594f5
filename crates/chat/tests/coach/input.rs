//! Bad input: each piece gets the contract's error, and nothing is stored.

use lambda_http::Body;
use serde_json::{Value, json};
use testkit::activity::shapes;
use testkit::call::request;
use testkit::{Reply, World};
use uuid::Uuid;

use crate::shapes::{ERROR, decode};
use crate::story::*;

#[tokio::test]
async fn bad_messages_are_refused_and_nothing_is_stored() {
    let story = Story::of_a_runner(World::new().await).await;
    let uuid = Uuid::new_v4();
    let deep = format!(r#"{{"message":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let cases: Vec<(String, &str)> = vec![
        (String::new(), "message"),
        ("{}".to_owned(), "message"),
        (r#"{"message":""}"#.to_owned(), "message"),
        (r#"{"message":" \n\t "}"#.to_owned(), "message"),
        (r#"{"message":null}"#.to_owned(), "message"),
        (r#"{"message":17}"#.to_owned(), "message"),
        (r#"{"message":["Hi"]}"#.to_owned(), "message"),
        (json!({"message": "x".repeat(4_001)}).to_string(), "message"),
        (json!({"message": "ö".repeat(4_001)}).to_string(), "message"),
        (r#"{"message":"a\u0000b"}"#.to_owned(), "message"),
        (r#"{"message":"a\u0007b"}"#.to_owned(), "message"),
        (r#"{"message":"\u001b[31mred"}"#.to_owned(), "message"),
        (r#"{"message":"a\u009fb"}"#.to_owned(), "message"),
        (r#"{"message":"half \ud800 of a character"}"#.to_owned(), "The body"),
        ("{".to_owned(), "The body"),
        (r#"{"message":"Hi""#.to_owned(), "The body"),
        (r#"{"message":'Hi'}"#.to_owned(), "The body"),
        (r#"["Hi"]"#.to_owned(), "The body"),
        (r#""Hi""#.to_owned(), "The body"),
        ("null".to_owned(), "The body"),
        ("NaN".to_owned(), "The body"),
        ("[".repeat(50_000), "The body"),
        (deep, "The body"),
        (r#"{"message":"Hi","conversation_id":1}"#.to_owned(), "conversation_id"),
        (r#"{"message":"Hi","conversation_id":"x"}"#.to_owned(), "conversation_id"),
        (r#"{"message":"Hi","conversation_id":""}"#.to_owned(), "conversation_id"),
        (format!(r#"{{"message":"Hi","conversation_id":["{uuid}"]}}"#), "conversation_id"),
        (format!(r#"{{"message":"Hi","conversation_id":"{uuid}'; DROP TABLE athletes"}}"#), "conversation_id"),
        (r#"{"message":"Hi","client_message_id":7}"#.to_owned(), "client_message_id"),
        (r#"{"message":"Hi","client_message_id":"x"}"#.to_owned(), "client_message_id"),
        (r#"{"message":"Hi","client_message_id":{}}"#.to_owned(), "client_message_id"),
        (r#"{"message":"Hi","athlete_id":1.5}"#.to_owned(), "athlete_id"),
        (r#"{"message":"Hi","athlete_id":"me"}"#.to_owned(), "athlete_id"),
        (r#"{"message":"Hi","athlete_id":true}"#.to_owned(), "athlete_id"),
        (r#"{"message":"Hi","athlete_id":9223372036854775808}"#.to_owned(), "athlete_id"),
    ];
    for (body, named) in &cases {
        let start: String = body.chars().take(80).collect();
        for wants_events in [false, true] {
            let plain = request("POST", "/chat", Some(&story.world.token()), body);
            let answer = story.send(if wants_events { as_events(plain) } else { plain }).await;
            assert_eq!(code(&answer), (400, "INVALID_REQUEST"), "{start}");
            decode(&answer.1, &ERROR);
            let message = answer.1["error"]["message"].as_str().unwrap();
            assert!(message.starts_with(named), "{start}: {message}");
        }
    }
    for bytes in [vec![0xff, 0xfe, 0x00], b"{\"message\":\"\xc3\x28\"}".to_vec(), (0..=255).collect()] {
        let mut binary = request("POST", "/chat", Some(&story.world.token()), "");
        *binary.body_mut() = Body::Binary(bytes);
        assert_eq!(code(&story.send(binary).await), (400, "INVALID_REQUEST"));
    }
    for large in [json!({"message": "x".repeat(100_000)}).to_string(), " ".repeat(100_000), "\0".repeat(100_000)] {
        assert_eq!(code(&story.call("POST", "", &large).await), (413, "PAYLOAD_TOO_LARGE"));
        assert_eq!(code(&story.call("PUT", "/memory", &large).await), (413, "PAYLOAD_TOO_LARGE"));
    }
    assert_eq!(story.stored().await, [0, 0, 0]);
    let used = story.world.database.count("SELECT count(*) FROM request_limits").await;
    assert_eq!(used, 0, "what was refused costs nothing of the day's allowance");
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn odd_messages_are_answered_all_the_same() {
    let story = Story::of_a_runner(World::new().await).await;
    let longest = "How far? ".repeat(444) + "Run!";
    assert_eq!(longest.chars().count(), 4_000);
    for message in [
        longest.as_str(),
        "🏃🏽‍♀️🏃🏽‍♀️🏃🏽‍♀️",
        "?",
        "'; DROP TABLE activities; --",
        "%_%\\ $1 {}",
        "How far\r\ndid I\trun?",
        "\u{202e}nur I did raf woH",
        "How many km in the last 100000 years?",
        "How many km in the last 100000 days? And since 99999 weeks, 100000 months?",
        "What did I do 100000 years ago?",
        "What did I do 8000 years ago?",
        "Compare 31 February 2100 with 29 February 2025",
        "How far between 2024-99-99 and 0000-00-00?",
        "Runs over 99999999999999999999 km at 0:00 pace",
        "runs of 0 km, -5 km, 1e400 km",
        "\"\" '' “” «»",
        "called",
        "last last last last last next next this this in in of the the and and or",
    ] {
        let (status, answer) = story.post(&json!({ "message": message })).await;
        assert_eq!(status, 200, "{message}: {answer}");
        assert!(!answer["answer"].as_str().unwrap().trim().is_empty(), "{message}");
    }
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn odd_activities_are_told_all_the_same() {
    let story = Story::of(World::new().await.with_claude().await);
    let history: Vec<Value> = shapes(RUNNER).into_iter().map(|(_, activity)| activity).collect();
    story.world.athlete_with_history(RUNNER, &history, "Europe/Madrid", now()).await;
    let nothing = "UPDATE activities SET distance = NULL, moving_time = NULL, elapsed_time = NULL, elevation_gain = NULL WHERE id % 3 = 0;
                   UPDATE activities SET distance = 0, moving_time = 0, average_heart_rate = 0 WHERE id % 7 = 0;
                   UPDATE activities SET distance = 1e12, moving_time = 2147483647 WHERE id % 11 = 0";
    story.world.database.owner().await.batch_execute(nothing).await.unwrap();
    for question in [
        "What did I do last December?",
        "How many miles have I run in all?",
        "What is my longest, shortest, fastest, slowest and hilliest run?",
        "What was my highest heart rate?",
        "How many swims, rides and strength sessions have I done?",
        "What are my records?",
        "Compare December 2025 with November 2025.",
        "How does my distance develop per month?",
        "What could I run for a marathon?",
        "How is my load? Am I doing 80/20?",
        "What was my last rest day?",
        "How was the Ёлка?",
        "How was Quidditch?",
    ] {
        story.world.claude().reply(Reply::text("Noted."));
        story.ask(question).await;
        let request = story.last_request().to_string();
        story.world.claude().reply(Reply::rate_limited(3600));
        let answer = story.ask(question).await.to_string();
        for text in [request, answer] {
            assert!(!text.contains("NaN") && !text.contains("inf ") && !text.contains("9223372036854775807"), "{question}: {text}");
        }
    }
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn bad_memories_are_refused_and_nothing_changes() {
    let story = Story::of_a_runner(World::new().await).await;
    story.call("PUT", "/memory", r#"{"memory":{"goals":{"primary":"a marathon"}}}"#).await;
    let before = story.call("GET", "/memory", "").await;
    for (body, named) in [
        (String::new(), "memory "),
        ("{}".to_owned(), "memory "),
        (r#"{"memory":[]}"#.to_owned(), "memory "),
        (r#"{"memory":{"shoes":{}}}"#.to_owned(), "memory "),
        (r#"{"memory":{"goals":{"secondary":"x"}}}"#.to_owned(), "memory.goals "),
        (r#"{"memory":{"goals":"x"}}"#.to_owned(), "memory.goals "),
        (r#"{"memory":{"goals":{"primary":1}}}"#.to_owned(), "memory.goals.primary "),
        (r#"{"memory":{"goals":{"primary":"a\u0000"}}}"#.to_owned(), "memory.goals.primary "),
        (r#"{"memory":{"physical_profile":{"current_concerns":[null]}}}"#.to_owned(), "memory.physical_profile.current_concerns "),
        (json!({"memory": {"goals": {"primary": "x".repeat(4_001)}}}).to_string(), "memory "),
        (json!({"memory": {"physical_profile": {"current_concerns": vec!["knee"; 1_000]}}}).to_string(), "memory "),
        ("{".to_owned(), "The body "),
        (r#"{"memory":{},"athlete_id":"x"}"#.to_owned(), "athlete_id "),
    ] {
        let answer = story.call("PUT", "/memory", &body).await;
        assert_eq!(code(&answer), (400, "INVALID_REQUEST"), "{body}");
        let message = answer.1["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(named), "{body}: {message}");
    }
    assert_eq!(story.call("GET", "/memory", "").await, before);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn what_is_said_is_in_no_log() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    story.world.claude().reply(Reply::text("You ran along the Zugersee."));
    story.ask("How was my run near Königsallee?").await;
    let chest = story.ask("Remember Brunhilde? I had chest pain today.").await;
    assert_eq!(chest["context"]["coach"], "safety");
    story.call("PUT", "/memory", r#"{"memory":{"personal":{"preferred_name":"Brunhilde"}}}"#).await;
    let private = ["Königsallee", "Zugersee", "Brunhilde", "chest pain"].map(str::to_owned);
    story.world.logs.assert_clean(&private, &[]);
    story.world.assert_in_order(&[]).await;
}

/// What refuses says nothing of what it refused.
#[tokio::test]
async fn a_refusal_quotes_nothing() {
    let story = Story::of_a_runner(World::new().await).await;
    for body in [
        r#"{"message":"Hi","conversation_id":"Brunhilde"}"#,
        r#"{"memory":{"Brunhilde":1}}"#,
        r#"{"message":"Hi","athlete_id":"Brunhilde"}"#,
    ] {
        for (method, path) in [("POST", ""), ("PUT", "/memory")] {
            let (status, answer): (u16, Value) = story.call(method, path, body).await;
            assert!(status == 400 && !answer.to_string().contains("Brunhilde"), "{answer}");
        }
    }
}
