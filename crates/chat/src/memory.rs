//! What the coach knows of the athlete beside activities, as the app shows and changes it.

use lambda_http::http::StatusCode;
use runaway_core::db::coach_memory::{self, Fact};
use runaway_core::http::{ApiError, Call, Caller, Reply};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::App;
use crate::conversations::{own, own_of};

/// Characters of the whole memory.
const MEMORY_CHARS_MAX: usize = 4_000;
/// The sections of the memory with their keys.
const SECTIONS: [(&str, &[&str]); 3] =
    [("personal", &["preferred_name", "experience_level"]), ("goals", &["primary"]), ("physical_profile", &["current_concerns"])];
const NO_FACT: ApiError = ApiError::NotFound { code: "FACT_NOT_FOUND", message: "There is no such remembered fact of yours." };

/// `GET /chat/memory`.
pub(crate) async fn show(app: &App, caller: Caller, call: &Call) -> Result<Reply, ApiError> {
    let (tx, _) = own(app, caller, call).await?;
    let (person, facts) = tokio::join!(biased; coach_memory::person(&tx), coach_memory::facts(&tx));
    let (person, facts) = (person?.ok_or_else(ApiError::no_athlete)?, facts?);
    tx.commit().await?;
    Ok(shown(&person.memory, &facts))
}

/// `PUT /chat/memory`: replaces the keys given, removes those given as null.
pub(crate) async fn replace(app: &App, caller: Caller, call: &Call) -> Result<Reply, ApiError> {
    let fields = call.fields()?;
    let changes = fields.object("memory")?.ok_or_else(|| ApiError::field("memory", "is missing"))?;
    check(changes)?;
    let (tx, athlete) = own_of(app, caller, &call.named(&fields)?).await?;
    let mut memory = coach_memory::lock_memory(&tx, athlete.id, app.clock.now()).await?;
    merge(&mut memory, changes);
    if memory.to_string().chars().count() > MEMORY_CHARS_MAX {
        return Err(ApiError::InvalidRequest(format!("memory has more than {MEMORY_CHARS_MAX} characters in all.")));
    }
    coach_memory::set_memory(&tx, athlete.id, &memory, app.clock.now()).await?;
    let facts = coach_memory::facts(&tx).await?;
    tx.commit().await?;
    Ok(shown(&memory, &facts))
}

/// `DELETE /chat/memory/{fact id}`.
pub(crate) async fn forget(app: &App, caller: Caller, call: &Call, id: &str) -> Result<Reply, ApiError> {
    let id = Uuid::try_parse(id).ok();
    let (tx, _) = own(app, caller, call).await?;
    let forgotten = match id {
        Some(id) => coach_memory::forget(&tx, id).await?,
        None => false,
    };
    tx.commit().await?;
    if !forgotten {
        return Err(NO_FACT);
    }
    Ok(Reply::json(StatusCode::OK, &json!({"success": true, "message": "I have forgotten it."})))
}

/// `DELETE /chat/memory?all=true`.
pub(crate) async fn forget_all(app: &App, caller: Caller, call: &Call) -> Result<Reply, ApiError> {
    if call.query.get("all").map(String::as_str) != Some("true") {
        return Err(ApiError::InvalidRequest("Name a fact's id, or all=true to forget everything.".to_owned()));
    }
    let (tx, _) = own(app, caller, call).await?;
    coach_memory::forget_all(&tx).await?;
    tx.commit().await?;
    Ok(Reply::json(StatusCode::OK, &json!({"success": true, "message": "I have forgotten everything you told me."})))
}

fn shown(memory: &Value, facts: &[Fact]) -> Reply {
    let value = |section: &str, key: &str| memory.get(section).and_then(|section| section.get(key)).cloned();
    let text = |section: &str, key: &str| value(section, key).unwrap_or(Value::Null);
    let memory = json!({
        "personal": {"preferred_name": text("personal", "preferred_name"), "experience_level": text("personal", "experience_level")},
        "goals": {"primary": text("goals", "primary")},
        "physical_profile": {"current_concerns": value("physical_profile", "current_concerns").unwrap_or_else(|| json!([]))},
    });
    let facts: Vec<Value> =
        facts.iter().map(|fact| json!({"id": fact.id, "text": fact.text, "kind": fact.kind, "created_at": fact.created_at})).collect();
    Reply::json(StatusCode::OK, &json!({"success": true, "memory": memory, "facts": facts}))
}

/// Every key is known and of its type.
fn check(changes: &Map<String, Value>) -> Result<(), ApiError> {
    for (section, value) in changes {
        let Some((_, keys)) = SECTIONS.iter().find(|(name, _)| name == section) else {
            return Err(ApiError::InvalidRequest("memory holds a key that is not known.".to_owned()));
        };
        let field = |key: &str| format!("memory.{section}.{key}");
        let Some(entries) = value.as_object() else {
            if value.is_null() {
                continue;
            }
            return Err(ApiError::field(&format!("memory.{section}"), "is not a JSON object"));
        };
        for (key, value) in entries {
            let Some(key) = keys.iter().find(|known| *known == key) else {
                return Err(ApiError::InvalidRequest(format!("memory.{section} holds a key that is not known.")));
            };
            let is_list = *key == "current_concerns";
            let texts = value.as_array().is_some_and(|list| list.iter().all(|entry| entry.as_str().is_some_and(is_plain)));
            if !(value.is_null() || (is_list && texts) || (!is_list && value.as_str().is_some_and(is_plain))) {
                return Err(ApiError::field(&field(key), if is_list { "is not a list of texts" } else { "is not a text" }));
            }
        }
    }
    Ok(())
}

/// PostgreSQL's JSON cannot hold U+0000.
fn is_plain(text: &str) -> bool {
    !text.contains('\0')
}

fn merge(memory: &mut Value, changes: &Map<String, Value>) {
    if !memory.is_object() {
        *memory = json!({});
    }
    for (section, value) in changes {
        let Some(entries) = value.as_object() else {
            if let Some(sections) = memory.as_object_mut() {
                sections.remove(section);
            }
            continue;
        };
        for (key, value) in entries {
            if value.is_null() {
                if let Some(section) = memory.get_mut(section).and_then(Value::as_object_mut) {
                    section.remove(key);
                }
            } else {
                if !memory.get(section).is_some_and(Value::is_object) {
                    memory[section] = json!({});
                }
                memory[section][key] = value.clone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn keys_are_replaced_one_by_one_and_null_removes() {
        let mut memory = json!({"personal": {"preferred_name": "Mira"}, "goals": {"primary": "a marathon"}});
        merge(&mut memory, &changes(&json!({"personal": {"experience_level": "new"}, "goals": {"primary": null}})));
        assert_eq!(memory, json!({"personal": {"preferred_name": "Mira", "experience_level": "new"}, "goals": {}}));
        merge(&mut memory, &changes(&json!({"personal": null, "physical_profile": {"current_concerns": ["knee"]}})));
        assert_eq!(memory, json!({"goals": {}, "physical_profile": {"current_concerns": ["knee"]}}));
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_refused() {
        for bad in [
            json!({"other": {}}),
            json!({"personal": {"age": 3}}),
            json!({"personal": {"preferred_name": 3}}),
            json!({"personal": "x"}),
            json!({"physical_profile": {"current_concerns": "knee"}}),
            json!({"physical_profile": {"current_concerns": [1]}}),
            json!({"goals": {"primary": "a\u{0}b"}}),
        ] {
            assert!(check(&changes(&bad)).is_err(), "{bad}");
        }
        assert!(check(&changes(&json!({"goals": {"primary": null}, "personal": null}))).is_ok());
    }
}
