//! The coach with and without a model, its memory, and the journal.

use std::sync::Arc;

use runaway_core::claude::ModelGate;
use runaway_core::config::{ModelConfig, Settings};
use serde_json::{Value, json};
use testkit::Reply;
use testkit::call::request;
use testkit::marks::{ANSWER, FACT, FIRST_NAME, MESSAGE, NONSENSE};

use super::connection::connect;
use super::story::Story;

async fn ask(story: &Story, message: &str) -> Value {
    let (status, answer) = story.call("POST", "/chat", &json!({ "message": message }).to_string()).await;
    assert!([200, 503].contains(&status), "{answer}");
    serde_json::from_str(&answer).unwrap()
}

/// Asks for events.
async fn ask_for_events(story: &Story, message: &str) -> String {
    let mut request = request("POST", "/chat", Some(story.token()), &json!({ "message": message }).to_string());
    request.headers_mut().insert("accept", "text/event-stream".parse().unwrap());
    story.send(request).await.1
}

#[tokio::test]
async fn the_coach_answered_by_a_model_or_not() {
    let story = Story::begin().await;
    connect(&story).await;
    story.deliver_all().await;
    let claude = story.world().claude();
    claude.reply(Reply::text(ANSWER));
    let answer = ask(&story, MESSAGE).await;
    assert_eq!(answer["answer"], ANSWER);
    let request = claude.requests().pop().unwrap().to_string();
    assert!(request.contains("Zqmessage") && request.contains("Zqactivity"), "the model sees the marks");
    claude.reply(Reply::tools([
        ("search_activities", json!({"words": NONSENSE})),
        ("list_activities", json!({"from": NONSENSE})),
        ("memory", json!({"action": "remember", "kind": "goal", "text": FACT})),
    ]));
    claude.reply(Reply::text(ANSWER));
    assert!(ask_for_events(&story, MESSAGE).await.contains(ANSWER));
    story.happened(&format!("SELECT count(*) FROM coach_facts WHERE fact = '{FACT}'")).await;
    // What goes wrong at Claude's, before and after the first word.
    for reply in [
        Reply::status(400),
        Reply::status(401),
        Reply::spend_limit(),
        Reply::refusal(),
        Reply::truncated(ANSWER),
        Reply::cut_after(ANSWER),
        Reply::reset_after(ANSWER),
        Reply::overload_after(ANSWER),
        Reply::text(""),
    ] {
        claude.reply(reply.clone());
        ask_for_events(&story, MESSAGE).await;
        claude.reply(reply);
        ask(&story, MESSAGE).await;
    }
    for reply in [Reply::overloaded, || Reply::status(500), || Reply::rate_limited(0)] {
        (0..3).for_each(|_| claude.reply(reply()));
        ask(&story, MESSAGE).await;
    }
    ask(&story, &format!("I have chest pain, says {FIRST_NAME} Zqmessage")).await;
    story.happened("SELECT count(*) FROM chat_conversations WHERE message LIKE '%Zqmessage%'").await;
    let conversation = answer["conversation_id"].as_str().unwrap().to_owned();
    for (method, path, body) in [
        ("GET", "/conversations".to_owned(), String::new()),
        ("GET", format!("/conversations/{conversation}"), String::new()),
        ("DELETE", format!("/conversations/{conversation}"), String::new()),
        (
            "PUT",
            "/memory".to_owned(),
            json!({"memory": {"personal": {"preferred_name": FIRST_NAME}, "goals": {"primary": FACT}}}).to_string(),
        ),
        ("PUT", "/memory".to_owned(), json!({"memory": {"personal": {FACT: FIRST_NAME}}}).to_string()),
        ("PUT", "/memory".to_owned(), json!({"memory": {"goals": {"primary": FACT.repeat(1000)}}}).to_string()),
        ("GET", "/memory".to_owned(), String::new()),
        ("DELETE", "/memory?all=true".to_owned(), String::new()),
    ] {
        story.call(method, &format!("/chat{path}"), &body).await;
    }
    // An answer that the database refuses.
    let owner = story.world().database.owner().await;
    let planted = "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM NEW.message::integer; RETURN NEW; END$$;
        CREATE TRIGGER planted BEFORE INSERT ON chat_conversations FOR EACH ROW EXECUTE FUNCTION planted()";
    owner.batch_execute(planted).await.unwrap();
    claude.reply(Reply::text(ANSWER));
    assert_eq!(story.call("POST", "/chat", &json!({ "message": MESSAGE }).to_string()).await.0, 500);
    owner.batch_execute("DROP TRIGGER planted ON chat_conversations").await.unwrap();
    story.ends().await;
}

#[tokio::test]
async fn the_coach_and_the_journal_from_facts_alone_and_with_a_model() {
    let mut story = Story::begin().await;
    // Without a key there is no model.
    let without = ModelGate::new(Settings::from_pairs::<&str, &str>([]).read(ModelConfig::read).unwrap()).unwrap();
    let with = std::mem::replace(&mut Arc::get_mut(&mut story.functions.chat).unwrap().gate, without);
    connect(&story).await;
    story.deliver_all().await;
    for message in [MESSAGE, "Remember that Zqfact hurts", "What is my longest run called Zqactivity?", "Forget Zqfact"] {
        assert!(ask(&story, message).await["answer"].is_string());
    }
    story.happened("SELECT count(*) FROM chat_conversations WHERE message LIKE '%Zqmessage%'").await;
    drop(with);
    let claude = story.world().claude();
    claude.respond_with(|_| Reply::json(&json!({"narrative": ANSWER, "insights": []})));
    for (method, path, body) in [
        ("POST", "/generate", r#"{"force":true}"#),
        ("POST", "/generate-recent", r#"{"weeks":2}"#),
        ("GET", "?limit=3", ""),
        ("POST", "/generate", ""),
    ] {
        let (status, answer) = story.call(method, &format!("/journal{path}"), body).await;
        assert!([200, 404].contains(&status), "{path}: {answer}");
    }
    claude.respond_with(|_| Reply::status(400));
    story.call("POST", "/journal/generate", r#"{"force":true}"#).await;
    story.write_weeks(json!({"task": "due-weeks"})).await;
    story.deliver_all().await;
    story.world().clock.advance(8 * 86_400);
    story.write_weeks(json!({"task": "due-weeks"})).await;
    story.deliver_all().await;
    story.happened("SELECT count(*) FROM training_journal").await;
    story.ends().await;
}
