//! What the built function writes to its log, its libraries included: nothing of the person who asks.

use std::path::Path;

use serde_json::{Value, json};
use testkit::marks::{ANSWER, EMAIL, MESSAGE, Marks, NONSENSE, activity};
use testkit::process::{gateway_event, run};
use testkit::{Reply, World};

const ATHLETE: i64 = 4711;

/// What the function is asked, and the error that the answer has to name, if any.
fn asked(token: &str) -> Vec<(Value, &'static str)> {
    let message = json!({ "message": MESSAGE }).to_string();
    let mut events = gateway_event("POST", "/chat", Some(token), &message);
    events["headers"]["Accept"] = json!("text/event-stream");
    events["multiValueHeaders"]["Accept"] = json!(["text/event-stream"]);
    vec![
        (gateway_event("POST", "/chat", Some(token), &message), ""),
        (events, ""),
        (gateway_event("POST", "/chat", Some(token), &message), ""),
        (gateway_event("POST", "/chat", Some(NONSENSE), &message), "UNAUTHORIZED"),
        (gateway_event("POST", "/chat", Some(token), NONSENSE), "INVALID_REQUEST"),
        (gateway_event("GET", &format!("/chat/conversations/{NONSENSE}"), Some(token), ""), "CONVERSATION_NOT_FOUND"),
        (gateway_event("GET", "/chat/conversations", Some(token), ""), ""),
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
        let (events, errors): (Vec<Value>, Vec<&str>) = asked(&token).into_iter().unzip();
        let ran = run(Path::new(env!("CARGO_BIN_EXE_chat")), &environment, events).await;
        assert!(ran.answers[0].contains(ANSWER) && ran.answers[1].contains(ANSWER), "{:?}", ran.answers);
        for (answer, error) in ran.answers.iter().zip(errors) {
            assert!(answer.contains(error), "{error}: {answer}");
            if !error.is_empty() || answer.starts_with("error") {
                marks.assert_absent("an answer", answer);
            }
        }
        assert!(
            ran.written.matches("Answered POST /chat with 200").count() == 3 && ran.written.contains("Claude refuses our requests"),
            "{}",
            ran.written
        );
        for line in ran.written.lines() {
            marks.assert_absent("the log", line);
        }
    }
}
