//! Whatever breaks at whichever step: both messages of a turn are stored, or neither.

use serde_json::{Value, json};
use testkit::fake_strava::Gate;
use testkit::wire::{Break, Wire};
use testkit::{Reply, World};

use crate::story::*;

/// The function behind a line that can break.
async fn wired(world: World) -> (Story, Wire) {
    let wire = Wire::to(&world.database.app_url()).await;
    let address = wire.address(&world.database.app_url());
    (Story::of_a_runner_with(world, |app| app.db = pool(&address)).await, wire)
}

/// Asks while something breaks. Returns whether the turn was stored, after looking that it was wholly or not at all, and
/// that the athlete was told so.
async fn ask(story: &Story, body: &Value, wants_events: bool) -> bool {
    let [conversations, messages, _] = story.stored().await;
    let is_told = if wants_events {
        let request = as_events(testkit::call::request("POST", "/chat", Some(&story.world.token()), &body.to_string()));
        let (parts, events) = chat::handle(&story.app, request).await.into_parts();
        let bytes = events.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        parts.status == 200 && text.contains("event: done") && !text.contains("event: error")
    } else {
        let answer = story.post(body).await;
        assert!(answer.0 == 200 || code(&answer) == (503, "UPSTREAM_UNAVAILABLE"), "{}", answer.1);
        answer.0 == 200
    };
    let [conversations_after, messages_after, _] = story.stored().await;
    let (more, turns) = (messages_after - messages, conversations_after - conversations);
    let is_first = body.get("conversation_id").is_none();
    assert!([0, 2].contains(&more) && turns == i64::from(is_first) * more / 2, "{more} messages in {turns} new conversations");
    assert!(!is_told || more == 2, "what was told is stored");
    let odd = "SELECT count(*) FROM (SELECT 1 FROM chat_conversations GROUP BY conversation_id, \"timestamp\" HAVING count(*) % 2 = 1) z";
    assert_eq!(story.world.database.count(odd).await, 0, "no question stands without its answer");
    more == 2
}

/// Breaks the line at each round trip of a message, on either side. Returns how many turns were stored in spite of it,
/// and how many were not.
async fn break_everywhere(story: &Story, wire: &Wire, body: &Value, wants_events: bool) -> (usize, usize) {
    ask(story, body, wants_events).await;
    let begun = wire.round_trips();
    assert!(ask(story, body, wants_events).await);
    let all = wire.round_trips() - begun;
    assert!(all >= 5, "{all} round trips");
    let (mut stored, mut lost) = (0, 0);
    for n in 1..=all {
        for place in [Break::Before, Break::After] {
            // With a connection that is open already, as it was when the round trips were counted.
            assert!(ask(story, body, wants_events).await);
            wire.breaks(n, place);
            let was_stored = ask(story, body, wants_events).await;
            assert!(wire.has_broken(), "nothing happened in round trip {n}");
            // A check of an idle connection may fail; a commit whose answer was lost has happened.
            stored += usize::from(was_stored);
            lost += usize::from(!was_stored);
        }
    }
    (stored, lost)
}

#[tokio::test]
async fn a_database_that_breaks_at_any_step_leaves_no_half_turn() {
    let (story, wire) = wired(World::new().await).await;
    let first = json!({"message": "How far did I run in all?"});
    let id = story.ask("Hello").await["conversation_id"].clone();
    let later = json!({"message": "Remember that I like hills.", "conversation_id": id});
    for (body, wants_events) in [(&first, false), (&later, false), (&first, true)] {
        let (stored, lost) = break_everywhere(&story, &wire, body, wants_events).await;
        assert!(stored > 0 && lost > stored, "{stored} stored, {lost} not");
    }
    story.world.assert_in_order(&["The request failed"]).await;
}

#[tokio::test]
async fn a_database_that_breaks_while_the_model_uses_tools_leaves_no_half_turn() {
    let (story, wire) = wired(World::new().await.with_claude().await).await;
    story.world.claude().respond_with(|request| {
        let is_first = request["messages"].as_array().is_some_and(|messages| messages.len() == 3);
        let remember = json!({"action": "remember", "kind": "goal", "text": "A marathon."});
        if is_first { Reply::tools([("aggregate", json!({"per": "week"})), ("memory", remember)]) } else { Reply::text("Far.") }
    });
    let body = json!({"message": "How far did I run in all?"});
    let (stored, lost) = break_everywhere(&story, &wire, &body, false).await;
    assert!(stored > 0 && lost > stored, "{stored} stored, {lost} not");
    let turns = story.stored().await[1] / 2;
    assert!(turns > 0 && story.stored().await[2] == 1, "what the turns remember is remembered once");
    story.world.assert_in_order(&["The request failed"]).await;
}

#[tokio::test]
async fn what_is_remembered_is_stored_with_the_turn_only() {
    let (story, wire) = wired(World::new().await).await;
    story.ask("Hello").await;
    let begun = wire.round_trips();
    story.ask("Hello").await;
    let all = wire.round_trips() - begun;
    let body = json!({"message": "Remember that I like hills."});
    for n in 1..all {
        assert!(ask(&story, &json!({"message": "Hello"}), false).await);
        wire.breaks(n, Break::Before);
        let was_stored = ask(&story, &body, false).await;
        assert!(wire.has_broken());
        assert_eq!(story.stored().await[2], i64::from(was_stored), "round trip {n}");
        story.call("DELETE", "/memory?all=true", "").await;
    }
    story.world.assert_in_order(&["The request failed"]).await;
}

#[tokio::test]
async fn connections_that_end_while_the_model_speaks_do_no_harm() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    let gate = Gate::default();
    story.world.claude().reply(Reply::text("Far.").held(&gate));
    let body = json!({"message": "How far?"});
    let answer = async {
        gate.arrival().await;
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                       AND usename = 'runaway_app'";
        assert!(!story.world.database.app().await.query(kill, &[]).await.unwrap().is_empty());
        gate.open();
    };
    let ((status, answer), ()) = tokio::join!(story.post(&body), answer);
    assert_eq!((status, &answer["answer"]), (200, &json!("Far.")));
    assert_eq!(story.stored().await, [1, 2, 0]);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn a_model_that_breaks_at_any_step_leaves_whole_turns() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    let claude = story.world.claude();
    let tools = || Reply::tools([("aggregate", json!({"per": "week"}))]);
    let breaks = [
        || vec![Reply::status(400)],
        || vec![Reply::spend_limit()],
        || vec![Reply::rate_limited(3600)],
        || vec![Reply::cut_after("You ran ")],
        || vec![Reply::reset_after("You ran ")],
        || vec![Reply::overload_after("You ran ")],
        || vec![Reply::overload_after("").with_header("retry-after-ms", "1"); 3],
        || vec![Reply::refusal()],
        || vec![Reply::truncated("You")],
    ];
    for broken in &breaks {
        for (is_later, has_words) in [(false, false), (true, false), (true, true)] {
            for wants_events in [false, true] {
                if is_later {
                    claude.reply(if has_words { tools().with_text("Let me look.") } else { tools() });
                }
                broken().into_iter().for_each(|reply| claude.reply(reply));
                assert!(ask(&story, &json!({"message": "How far?"}), wants_events).await);
            }
        }
    }
    let turns = i64::try_from(breaks.len() * 6).unwrap();
    assert_eq!(story.stored().await, [turns, 2 * turns, 0]);
    story.world.assert_in_order(&["Claude refuses our requests", "The request failed"]).await;
}

#[tokio::test]
async fn a_conversation_deleted_meanwhile_takes_no_turn() {
    let story = Story::of_a_runner(World::new().await.with_claude().await).await;
    story.world.claude().reply(Reply::text("Hello!"));
    let id = story.ask("Hello").await["conversation_id"].clone();
    let gate = Gate::default();
    story.world.claude().reply(Reply::text("Far.").held(&gate));
    let body = json!({"message": "How far?", "conversation_id": id});
    let delete = async {
        gate.arrival().await;
        assert_eq!(story.call("DELETE", &format!("/conversations/{}", id.as_str().unwrap()), "").await.0, 200);
        gate.open();
    };
    let (answer, ()) = tokio::join!(story.post(&body), delete);
    assert_eq!(code(&answer), (404, "CONVERSATION_NOT_FOUND"));
    assert_eq!(story.stored().await, [0, 0, 0]);
    story.world.assert_in_order(&[]).await;
}
