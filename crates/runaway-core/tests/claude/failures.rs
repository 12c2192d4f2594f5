//! Stories in which something breaks.

use std::time::Duration;

use runaway_core::claude::{ClaudeError, IDLE_TIMEOUT, StreamEvent, user_text};
use serde_json::json;
use testkit::fake_strava::Gate;
use testkit::{FakeClaude, Reply};
use tokio::time::Instant;

use crate::story::*;

/// So that a story need not wait.
fn soon_again(reply: Reply) -> Reply {
    reply.with_header("retry-after-ms", "10")
}

#[tokio::test]
async fn a_short_overload_is_bridged_and_a_long_one_reported() {
    let story = Story::new().await;
    for reply in [soon_again(Reply::overloaded()), soon_again(Reply::status(500)), Reply::text("Far.")] {
        story.claude.reply(reply);
    }
    assert_eq!(story.complete(&question()).await.unwrap().text(), "Far.");
    for _ in 0..3 {
        story.claude.reply(soon_again(Reply::overloaded()));
    }
    let error = story.stream(&question()).await.unwrap_err();
    assert!(matches!(&error, ClaudeError::Overloaded { retry_after: Some(wait), .. } if wait.as_millis() == 10), "{error:?}");
    assert!(error.to_string().contains("req_"), "{error}");
    story.ends(6);
}

#[tokio::test]
async fn where_claude_names_no_pause_one_is_made() {
    let story = Story::new().await;
    story.claude.reply(Reply::status(529));
    story.claude.reply(Reply::text("Far."));
    let begun = Instant::now();
    story.complete(&question()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(500));
    story.ends(2);
}

#[tokio::test]
async fn the_pause_that_claude_names_is_kept_where_time_is_left_for_it() {
    let story = Story::new().await;
    story.claude.reply(Reply::rate_limited(1));
    story.claude.reply(Reply::text("Far."));
    let begun = Instant::now();
    story.complete(&question()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    for pause_s in [3600, 1 << 60] {
        story.claude.reply(Reply::rate_limited(pause_s));
        let begun = Instant::now();
        let error = story.stream(&question()).await.unwrap_err();
        assert!(matches!(error, ClaudeError::RateLimited { retry_after, .. } if retry_after != Some(Duration::ZERO)), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(1), "there is no use in waiting");
    }
    story.ends(4);
}

#[tokio::test]
async fn what_no_second_try_cures_is_tried_once() {
    let story = Story::new().await;
    story.claude.reply(Reply::spend_limit().with_header("x-should-retry", "true"));
    assert!(matches!(story.stream(&question()).await.unwrap_err(), ClaudeError::SpendLimit { .. }));
    for status in [400, 401, 402, 403, 404, 413] {
        story.claude.reply(Reply::status(status));
        let error = story.stream(&question()).await.unwrap_err();
        assert!(matches!(error, ClaudeError::Rejected { status: told, .. } if told == status), "{error:?}");
    }
    story.claude.reply(Reply::status(503).with_header("x-should-retry", "false"));
    assert!(matches!(story.stream(&question()).await.unwrap_err(), ClaudeError::Unavailable { .. }));
    story.ends(8);
}

#[tokio::test]
async fn nothing_is_tried_again_once_the_answer_has_begun() {
    let story = Story::new().await;
    for (reply, expected) in [
        (Reply::overload_after("So far "), "overloaded_error"),
        (Reply::cut_after("So far "), "it ended too soon"),
        (Reply::reset_after("So far "), "it ended too soon"),
    ] {
        story.claude.reply(reply);
        let mut stream = story.stream(&question()).await.unwrap();
        let mut text = String::new();
        let error = loop {
            match stream.next().await {
                Ok(Some(StreamEvent::Text(piece))) => text.push_str(&piece),
                Ok(other) => panic!("{expected}: {other:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(text, "So far ");
        assert!(matches!(&error, ClaudeError::CutOff { after_text: true, what, .. } if what == expected), "{error:?}");
        let usage = stream.usage();
        assert!(usage.cache_creation_input_tokens + usage.cache_read_input_tokens > 0, "what was read is known: {usage:?}");
        assert!(stream.next().await.unwrap().is_none() && stream.into_message().is_none());
    }
    assert!(story.answered().is_empty());
    story.ends(3);
}

#[tokio::test]
async fn an_answer_that_breaks_before_it_begins_is_tried_again() {
    let story = Story::new().await;
    for reply in [Reply::overload_after(""), Reply::cut_after(""), Reply::text("Far.")] {
        story.claude.reply(soon_again(reply));
    }
    assert_eq!(story.complete(&question()).await.unwrap().text(), "Far.");
    for _ in 0..3 {
        story.claude.reply(Reply::reset_after(""));
    }
    assert!(matches!(story.complete(&question()).await.unwrap_err(), ClaudeError::Unavailable { .. }));
    story.ends(6);
}

#[tokio::test]
async fn the_deadline_ends_everything() {
    let story = Story::new().await;
    let gate = Gate::default();
    let (permit, in_a_moment) = (story.gate.permit([]).unwrap(), || Instant::now() + Duration::from_millis(300));
    story.claude.reply(Reply::text("So far").held(&gate));
    let error = permit.stream(&question(), in_a_moment()).await.unwrap_err();
    assert!(matches!(error, ClaudeError::Timeout { after_text: false, .. }), "{error:?}");

    story.claude.reply(Reply::text("So far").held_midway(&gate));
    let mut stream = permit.stream(&question(), in_a_moment()).await.unwrap();
    let error = drain(&mut stream).await.unwrap_err();
    assert!(matches!(error, ClaudeError::Timeout { after_text: true, .. }), "{error:?}");
    story.ends(2);
}

#[tokio::test]
async fn silence_is_borne_for_a_while_only() {
    let story = Story::new().await;
    let gate = Gate::default();
    story.claude.reply(Reply::text("So far").held_midway(&gate));
    let permit = story.gate.permit([]).unwrap();
    let mut stream = permit.stream(&question(), Instant::now() + 10 * IDLE_TIMEOUT).await.unwrap();
    let mut heard = String::new();
    while heard != "So far" {
        let Some(StreamEvent::Text(piece)) = stream.next().await.unwrap() else { panic!("after {heard:?}") };
        heard.push_str(&piece);
    }
    tokio::time::pause();
    let begun = Instant::now();
    assert!(matches!(stream.next().await.unwrap_err(), ClaudeError::Timeout { after_text: true, .. }));
    let waited = begun.elapsed();
    assert!(waited > IDLE_TIMEOUT - Duration::from_secs(1) && waited <= IDLE_TIMEOUT + Duration::from_secs(1), "{waited:?}");
    story.ends(1);
}

#[tokio::test]
async fn an_athlete_who_leaves_and_waits_again_hears_the_rest() {
    let story = Story::new().await;
    let gate = Gate::default();
    story.claude.reply(Reply::text("So far and so on").held_midway(&gate));
    let mut stream = story.stream(&question()).await.unwrap();
    let mut heard = String::new();
    loop {
        // A caller may look after something else between two events.
        match tokio::time::timeout(Duration::from_millis(20), stream.next()).await {
            Err(_) => gate.open(),
            Ok(event) => match event.unwrap() {
                Some(StreamEvent::Text(piece)) => heard.push_str(&piece),
                Some(_) => {}
                None => break,
            },
        }
    }
    assert_eq!(heard, "So far and so on");
    story.ends(1);
}

#[tokio::test]
async fn nobody_at_the_address_is_no_fault_of_the_request() {
    let nowhere = [("ANTHROPIC_BASE_URL", "http://127.0.0.1:1".to_owned()), ("ANTHROPIC_API_KEY", "sk-ant-hunter2".to_owned())];
    let gate = gate(nowhere);
    let error = gate.permit([]).unwrap().stream(&question(), Instant::now() + Duration::from_millis(400)).await.unwrap_err();
    assert_eq!(error.to_string(), "Claude is not available: no connection (request -)");
    assert!(!format!("{error:?} {gate:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_wrong_key_alarms_and_is_not_shown() {
    let (claude, logs) = (FakeClaude::start().await, testkit::logs::LogCapture::start());
    let pairs = [("ANTHROPIC_BASE_URL", claude.base_url()), ("ANTHROPIC_API_KEY", "sk-ant-hunter2".to_owned())];
    let error = gate(pairs).permit([]).unwrap().stream(&question(), soon()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("Claude refuses the request: status 401 authentication_error (request req_"), "{text}");
    assert_eq!(claude.unexpected(), ["401 invalid x-api-key"]);
    logs.assert_clean(&["hunter2".to_owned()], &[]);
}

#[tokio::test]
async fn an_answer_begun_for_the_model_is_not_even_sent() {
    let story = Story::new().await;
    let mut request = question();
    request.messages.push(json!({ "role": "assistant", "content": "You ran" }));
    assert!(matches!(story.stream(&request).await.unwrap_err(), ClaudeError::Rejected { status: 400, .. }));
    request.messages.push(user_text("Go on"));
    story.claude.reply(Reply::text("42 km."));
    story.complete(&request).await.unwrap();
    story.ends(1);
}
