//! `POST /chat` and what belongs to it: the coach's conversations and memory.

mod ask;
mod coach;
mod conversations;
mod document;
mod events;
mod facts;
mod findings;
#[cfg(test)]
mod fuzz;
mod memory;
mod plan;
mod prompt;
mod question;
mod remember;
mod safety;
mod sentences;
mod tools;
mod wording;

use std::sync::Arc;

use lambda_http::http::Method;
use lambda_http::{Request, Response};
use runaway_core::claude::ModelGate;
use runaway_core::clock::Clock;
use runaway_core::config::{AuthConfig, DailyLimit, DatabaseConfig, ModelConfig, Settings};
use runaway_core::db::Db;
use runaway_core::http::{ApiError, Call, EventBody, Streamed, Verifier, answer_streaming};

/// One request at a time is all an environment gets; its answer goes on while it is stored.
const CONNECTIONS_MAX: usize = 2;

/// What the function holds between calls.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub db: Db,
    /// Who calls.
    pub verifier: Verifier,
    /// The way to the model, where there is one.
    pub gate: ModelGate,
    /// What an athlete may ask in a day.
    pub limit: DailyLimit,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// Builds everything from the settings; nothing is connected yet.
    ///
    /// # Errors
    /// Names every setting that is missing or senseless.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (database, auth, model, limit) =
            settings.read(|s| (DatabaseConfig::read(s), AuthConfig::read(s), ModelConfig::read(s), DailyLimit::read_chat(s)))?;
        Ok(Self {
            db: Db::new(&database, CONNECTIONS_MAX)?,
            verifier: Verifier::new(auth)?,
            gate: ModelGate::new(model)?,
            limit,
            clock: Clock::system(),
        })
    }
}

/// Answers one request.
pub async fn handle(app: &Arc<App>, request: Request) -> Response<EventBody> {
    answer_streaming("chat", request, |call| route(app, call)).await
}

async fn route(app: &Arc<App>, call: Call) -> Result<Streamed, ApiError> {
    let caller = app.verifier.caller(&call.headers).await?;
    let path: Vec<&str> = call.path.split('/').skip(1).collect();
    let whole = match path.as_slice() {
        [] => {
            call.require_method(&Method::POST)?;
            return Box::pin(ask::ask(app, caller, &call)).await;
        }
        ["conversations"] => {
            call.require_method(&Method::GET)?;
            conversations::list(app, caller, &call).await?
        }
        ["conversations", id] if !id.is_empty() => match call.method {
            Method::GET => conversations::show(app, caller, &call, id).await?,
            Method::DELETE => conversations::delete(app, caller, &call, id).await?,
            _ => return Err(ApiError::MethodNotAllowed),
        },
        ["memory"] => match call.method {
            Method::GET => memory::show(app, caller, &call).await?,
            Method::PUT => memory::replace(app, caller, &call).await?,
            Method::DELETE => memory::forget_all(app, caller, &call).await?,
            _ => return Err(ApiError::MethodNotAllowed),
        },
        ["memory", id] if !id.is_empty() => {
            call.require_method(&Method::DELETE)?;
            memory::forget(app, caller, &call, id).await?
        }
        _ => return Err(ApiError::no_such_path()),
    };
    Ok(Streamed::Whole(whole))
}
