//! A whole archive against the database.

use std::collections::HashMap;

use runaway_core::db::athlete_tables::{ATHLETE_TABLES, Key};
use serde_json::Value;

use crate::story::*;

const ACTIVITIES: i64 = 20_000;
/// Not every line is read as JSON: there are more than a hundred thousand.
const LINES_PER_LOOK: usize = 50;

/// The tables with the condition under which a row is the athlete's.
fn tables() -> Vec<(&'static str, String)> {
    let listed = ATHLETE_TABLES.iter().filter(|table| table.is_exported()).map(|table| {
        let whose = match table.key {
            Key::Athlete => format!("athlete_id = {ATHLETE}"),
            Key::User => format!("auth_user_id = (SELECT auth_user_id FROM athletes WHERE id = {ATHLETE})"),
        };
        (table.name, whose)
    });
    [("athletes", format!("id = {ATHLETE}"))].into_iter().chain(listed).collect()
}

#[tokio::test]
async fn a_long_history_is_exported_row_by_row() {
    let story = Story::with(ACTIVITIES).await;
    let database = &story.world.database;
    // As it is before: the export itself is counted when it has begun.
    let mut expected = Vec::new();
    for (table, whose) in tables() {
        expected.push((table, database.count(&format!("SELECT count(*) FROM {table} WHERE {whose}")).await));
        assert!(database.count(&format!("SELECT count(*) FROM {table} WHERE NOT ({whose})")).await > 0, "{table} has a foreign row");
    }
    let (bytes, is_whole) = rest(story.exported().await).await;
    assert!(is_whole);
    let files = files(bytes);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names[0], names[names.len() - 1], names.len()), ("README.txt", "manifest.json", expected.len() + 2));
    let texts: HashMap<&str, &str> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let manifest: Value = serde_json::from_str(texts["manifest.json"]).unwrap();
    assert_eq!((&manifest["athlete_id"], &manifest["exported_at"]), (&ATHLETE.into(), &"2026-11-27T12:00:00Z".into()));

    for (n, (table, rows)) in expected.iter().enumerate() {
        let name = format!("{table}.jsonl");
        let text = texts[name.as_str()];
        assert_eq!(text.lines().count() as i64, *rows, "{name}");
        assert!(*rows > 0 && text.ends_with("}\n"), "{name}");
        let listed = &manifest["files"][n];
        assert_eq!((&listed["file"], &listed["rows"]), (&Value::from(name.as_str()), &Value::from(*rows)));
        assert!(listed["about"].as_str().unwrap().ends_with('.'), "{name} is explained: {listed}");
        assert!(texts["README.txt"].contains(&format!("\n{name}\n    {}", listed["about"].as_str().unwrap())), "{name}");
        let own = [format!(r#""athlete_id":{ATHLETE}"#), format!(r#""auth_user_id":"{}""#, story.world.user_id)];
        assert!(text.lines().all(|line| own.iter().any(|own| line.contains(own))), "{name} has a foreign row");
        for line in text.lines().step_by(LINES_PER_LOOK) {
            let row: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
            let columns: Vec<&String> = row.as_object().unwrap().keys().collect();
            assert_eq!(columns, listed["columns"].as_object().unwrap().keys().collect::<Vec<_>>(), "{name}");
        }
    }
    assert!(expected.contains(&("activities", ACTIVITIES)) && expected.contains(&("activity_raw", ACTIVITIES)));
    assert!(files.iter().all(|(_, text)| !text.contains(FOREIGN_WORD)), "something of another athlete's");

    // Verbatim: the same key twice, in its order, with its blanks; only the line break is a blank here.
    let sql = format!("SELECT summary::text FROM activity_raw WHERE activity_id = {}", ATHLETE * 1_000_000 + 7);
    let summary: String = database.owner().await.query_one(&sql, &[]).await.unwrap().get(0);
    assert!(summary.contains('\n') && texts["activity_raw.jsonl"].contains(&summary.replace('\n', " ")));
    let message: Value = serde_json::from_str(texts["chat_conversations.jsonl"]).unwrap();
    assert_eq!(message["message"], "own says:\n\"Läuft 🏃\"");
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn tokens_are_told_of_and_not_included() {
    let story = Story::with(10).await;
    let files = files(rest(story.exported().await).await.0);
    let text = |name: &str| files.iter().find(|(file, _)| file == name).map(|(_, text)| text.clone()).unwrap();
    let tokens: Value = serde_json::from_str(&text("strava_tokens.jsonl")).unwrap();
    let columns: Vec<&String> = tokens.as_object().unwrap().keys().collect();
    assert_eq!(columns, ["athlete_id", "expires_at", "scopes", "created_at", "updated_at"]);
    assert_eq!(tokens["scopes"], serde_json::json!(["read", "activity:read_all", "profile:read_all"]));
    assert!(tokens["expires_at"].as_str().unwrap().ends_with("+00:00"), "{tokens}");

    let mut secrets = story.world.strava.secrets();
    let owner = story.world.database.owner().await;
    let sql = "
        SELECT format('SELECT encode(%I, ''hex'') FROM %I WHERE %I IS NOT NULL', attname, relname, attname) FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND atttypid = 'bytea'::regtype AND attnum > 0
        UNION ALL SELECT 'SELECT lease_token::text FROM detail_runs'";
    for statement in owner.query(sql, &[]).await.unwrap() {
        secrets.extend(owner.query(statement.get::<_, &str>(0), &[]).await.unwrap().iter().map(|row| row.get::<_, String>(0)));
    }
    assert!(secrets.len() > 10, "{}", secrets.len());
    for (name, text) in &files {
        assert!(secrets.iter().all(|secret| !text.contains(secret.as_str())), "{name} holds a token, a sealed value or a hash");
    }
    let telling = ["access_token", "refresh_token", "state_hash", "lease_token", "secret", "ticket"];
    let manifest = text("manifest.json");
    for word in telling {
        assert!(!manifest.contains(&format!("\"{word}")), "a column of {word} is exported");
    }
}

#[tokio::test]
async fn it_shows_one_moment_however_long_the_reader_takes() {
    let story = Story::with(2_000).await;
    let mut body = story.exported().await;
    let mut bytes = pieces(&mut body, 2).await;
    let change = format!(
        "DELETE FROM coach_facts; UPDATE athlete_ai_profiles SET core_memory = '{{\"x\": \"later\"}}';
         INSERT INTO request_limits (athlete_id, day, kind) VALUES ({ATHLETE}, '2026-01-06', 'later')"
    );
    story.world.database.owner().await.batch_execute(&change).await.unwrap();
    let (more, is_whole) = rest(body).await;
    bytes.extend(more);
    assert!(is_whole);
    let files = files(bytes);
    let lines = |name: &str| files.iter().find(|(file, _)| file == name).unwrap().1.lines().count();
    // The export itself is counted when it has begun.
    assert_eq!((lines("coach_facts.jsonl"), lines("request_limits.jsonl")), (1, 1));
    assert!(files.iter().all(|(_, text)| !text.contains("later\"")));
    story.world.assert_in_order(&[]).await;
}
