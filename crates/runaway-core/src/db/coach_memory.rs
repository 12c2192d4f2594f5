//! What the coach knows of the caller beside activities: `athletes`, `athlete_ai_profiles`, `coach_facts`.

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::tx::{Params, Scope as _};
use super::{AthleteTx, DbError};

/// Facts that are kept for one athlete.
pub const FACTS_MAX: i64 = 50;
/// Characters of one fact.
pub const FACT_CHARS_MAX: usize = 300;

/// The caller as the coach knows them.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// Strava's id.
    pub athlete_id: i64,
    /// First name.
    pub first_name: Option<String>,
    /// IANA zone that decides what "today" is.
    pub timezone: String,
    /// `M`, `F` or what else Strava says.
    pub sex: Option<String>,
    /// Where activities came from, each source once.
    pub sources: Vec<String>,
    /// `core_memory`.
    pub memory: Value,
}

/// What the athlete asked the coach to remember.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Its id.
    pub id: Uuid,
    /// `preference`, `goal` or `concern`.
    pub kind: String,
    /// The words.
    pub text: String,
    /// Since when.
    pub created_at: Timestamp,
}

fn fact(row: &Row) -> Result<Fact, DbError> {
    Ok(Fact { id: row.try_get(0)?, kind: row.try_get(1)?, text: row.try_get(2)?, created_at: row.try_get(3)? })
}

/// The caller's athlete; `None` for a user who never connected.
///
/// # Errors
/// See [`DbError`].
pub async fn person(tx: &AthleteTx) -> Result<Option<Person>, DbError> {
    // The sources are found by one look into the index each, however many activities there are.
    let sql = "
        WITH RECURSIVE known AS (
            (SELECT source FROM activities WHERE athlete_id = (SELECT current_athlete_id()) ORDER BY source LIMIT 1)
            UNION ALL
            SELECT (SELECT x.source FROM activities x WHERE x.athlete_id = (SELECT current_athlete_id()) AND x.source > k.source
                     ORDER BY x.source LIMIT 1)
              FROM known k WHERE k.source IS NOT NULL)
        SELECT a.id, a.first_name, a.timezone, a.sex, a.source,
               (SELECT coalesce(array_agg(source), '{}') FROM known WHERE source IS NOT NULL),
               (SELECT core_memory FROM athlete_ai_profiles p WHERE p.athlete_id = a.id)
          FROM athletes a WHERE a.auth_user_id = $1";
    let row = tx.tx().query_opt(sql, &[(&tx.user_id(), Type::UUID)]).await?;
    row.map(|row| {
        let (own, mut sources): (String, Vec<String>) = (row.try_get(4)?, row.try_get(5)?);
        if !sources.contains(&own) {
            sources.push(own);
        }
        let memory: Option<Value> = row.try_get(6)?;
        Ok(Person {
            athlete_id: row.try_get(0)?,
            first_name: row.try_get(1)?,
            timezone: row.try_get(2)?,
            sex: row.try_get(3)?,
            sources,
            memory: memory.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        })
    })
    .transpose()
}

/// Replaces the caller's `core_memory`.
///
/// # Errors
/// See [`DbError`].
pub async fn set_memory(tx: &AthleteTx, athlete_id: i64, memory: &Value, now: Timestamp) -> Result<(), DbError> {
    let sql = "
        INSERT INTO athlete_ai_profiles (athlete_id, core_memory, created_at, updated_at) VALUES ($1, $2, $3, $3)
        ON CONFLICT (athlete_id) DO UPDATE SET core_memory = excluded.core_memory, updated_at = excluded.updated_at";
    tx.tx().query(sql, &[(&athlete_id, Type::INT8), (&memory, Type::JSONB), (&now, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}

/// The caller's `core_memory`, locked until the transaction ends: two replacements take turns, the first two as well.
///
/// # Errors
/// See [`DbError`].
pub async fn lock_memory(tx: &AthleteTx, athlete_id: i64, now: Timestamp) -> Result<Value, DbError> {
    let sql = "
        INSERT INTO athlete_ai_profiles (athlete_id, created_at, updated_at) VALUES ($1, $2, $2)
        ON CONFLICT (athlete_id) DO UPDATE SET athlete_id = excluded.athlete_id
        RETURNING core_memory";
    let row = tx.tx().query_opt(sql, &[(&athlete_id, Type::INT8), (&now, Type::TIMESTAMPTZ)]).await?;
    Ok(row.ok_or(DbError::Unexpected("athlete_ai_profiles"))?.try_get(0)?)
}

/// What the caller asked to remember, the newest first.
///
/// # Errors
/// See [`DbError`].
pub async fn facts(tx: &AthleteTx) -> Result<Vec<Fact>, DbError> {
    let sql = "
        SELECT id, kind, fact, created_at FROM coach_facts
         WHERE athlete_id = (SELECT current_athlete_id()) ORDER BY created_at DESC, id DESC LIMIT $1";
    tx.tx().query(sql, &[(&FACTS_MAX, Type::INT8)]).await?.iter().map(fact).collect()
}

/// Remembers a fact; `None` where [`FACTS_MAX`] are remembered already. The same words are remembered once.
///
/// # Errors
/// See [`DbError`].
pub async fn remember(tx: &AthleteTx, athlete_id: i64, kind: &str, text: &str, now: Timestamp) -> Result<Option<Fact>, DbError> {
    let sql = "
        WITH same AS (UPDATE coach_facts SET kind = $3, created_at = $5 WHERE athlete_id = $2 AND lower(fact) = lower($4)
                      RETURNING id, kind, fact, created_at),
             new AS (INSERT INTO coach_facts (id, athlete_id, kind, fact, created_at)
                     SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT 1 FROM same)
                        AND (SELECT count(*) FROM coach_facts WHERE athlete_id = $2) < $6
                     RETURNING id, kind, fact, created_at)
        SELECT * FROM same UNION ALL SELECT * FROM new LIMIT 1";
    let params: Params<'_> = &[
        (&Uuid::now_v7(), Type::UUID),
        (&athlete_id, Type::INT8),
        (&kind, Type::TEXT),
        (&text, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
        (&FACTS_MAX, Type::INT8),
    ];
    tx.tx().query_opt(sql, params).await?.as_ref().map(fact).transpose()
}

/// Forgets one fact of the caller's; `false` where there is none.
///
/// # Errors
/// See [`DbError`].
pub async fn forget(tx: &AthleteTx, id: Uuid) -> Result<bool, DbError> {
    Ok(tx.tx().query_opt("DELETE FROM coach_facts WHERE id = $1 RETURNING 1", &[(&id, Type::UUID)]).await?.is_some())
}

/// Forgets everything the caller asked to remember, `core_memory` included. Returns how many facts that were.
///
/// # Errors
/// See [`DbError`].
pub async fn forget_all(tx: &AthleteTx) -> Result<usize, DbError> {
    let sql = "DELETE FROM coach_facts WHERE athlete_id = (SELECT current_athlete_id()) RETURNING 1";
    let forgotten = tx.tx().query(sql, &[]).await?.len();
    tx.tx()
        .query(
            "UPDATE athlete_ai_profiles SET core_memory = '{}', updated_at = now() WHERE athlete_id = (SELECT current_athlete_id())",
            &[],
        )
        .await?;
    Ok(forgotten)
}
