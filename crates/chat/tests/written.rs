//! What the built function writes to its log, its libraries included: nothing of the person who asks.

use std::path::Path;

use serde_json::{Value, json};
use testkit::marks::{ANSWER, EMAIL, MESSAGE, Marks, NONSENSE, activity};
use testkit::recorded::{rest_get, rest_post, rest_post_streaming};
use testkit::runtime::{Answer, Process, RuntimeApi};
use testkit::{Reply, World};

const ATHLETE: i64 = 4711;

/// What the function is asked, and the error that the answer has to name, if any.
fn asked(token: &str) -> [(Value, &'static str); 9] {
    let message = json!({ "message": MESSAGE }).to_string();
    [
        (rest_post("/chat", Some(token), &message), ""),
        (rest_post_streaming("/chat", Some(token), &message), ""),
        (rest_post("/chat", Some(token), &message), ""),
        (rest_post("/chat", Some(NONSENSE), &message), "UNAUTHORIZED"),
        (rest_post("/chat", Some(token), NONSENSE), "INVALID_REQUEST"),
        (rest_get(&format!("/chat/conversations/{NONSENSE}"), Some(token)), "CONVERSATION_NOT_FOUND"),
        (rest_get("/chat/conversations", Some(token)), ""),
        (json!(NONSENSE), ""),
        (json!({"httpMethod": NONSENSE, "body": {"message": NONSENSE}}), ""),
    ]
}

#[tokio::test]
async fn the_coach_writes_nothing_of_who_asks_at_any_level() {
    let world = World::new().await.with_claude().await;
    let now = world.clock.production().now();
    world.athlete_with_history(ATHLETE, &[activity(ATHLETE, 1, now)], "Europe/Madrid", now).await;
    let mut claims = world.issuer.claims(world.user_id);
    claims["email"] = json!(EMAIL);
    let token = world.issuer.sign(&world.issuer.header(), &claims);
    let mut marks = Marks::default();
    marks.add("the bearer token", &token);
    marks.add("the model's key", world.claude().api_key());
    for level in ["", "TRACE"] {
        for reply in [Reply::text(ANSWER), Reply::text(ANSWER), Reply::status(400)] {
            world.claude().reply(reply);
        }
        let mut environment = world.environment().to_vec();
        environment.extend(world.claude().settings("strava"));
        environment.push(("AWS_LAMBDA_LOG_LEVEL", level.to_owned()));
        let api = RuntimeApi::start().await;
        let mut function = Process::start(Path::new(env!("CARGO_BIN_EXE_chat")), "chat", &api, &environment);
        for (n, (event, error)) in asked(&token).into_iter().enumerate() {
            let answer = function.hand(event).await;
            let has_failed = matches!(answer, Answer::Failed(_));
            let answer = answer.text().await;
            assert!(answer.contains(if n < 2 { ANSWER } else { error }), "{n}: {answer}");
            if !error.is_empty() || has_failed {
                marks.assert_absent("an answer", &answer);
            }
        }
        function.kill();
        let log = function.log();
        assert!(log.matches("Answered POST /chat with 200").count() == 3 && log.contains("Claude refuses our requests"), "{log}");
        for line in log.lines() {
            marks.assert_absent("the log", line);
        }
    }
}
