//! A runner with a history talks to the coach.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chat::App;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use lambda_http::Request;
use runaway_core::clock::Clock;
use runaway_core::config::DatabaseConfig;
use runaway_core::db::Db;
use runaway_core::http::EventBody;
use serde_json::{Value, json};
use testkit::activity::daily_runs;
use testkit::call::request;
use testkit::history::{DEMO_ATHLETE_ID, demo_activities};
use testkit::{World, call};
use uuid::Uuid;

/// A Friday, at noon in Madrid.
pub(crate) const NOW: &str = "2026-11-27T12:00:00Z";
/// The runner of [`Story::of_a_runner`].
pub(crate) const RUNNER: i64 = 94_451_852;
/// What a chat environment has.
const CONNECTIONS_MAX: usize = 2;
const TOKEN_TTL_S: i64 = 6 * 3600;

/// The world and the function.
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) app: Arc<App>,
    clock: Arc<AtomicI64>,
}

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A pool as the function has it.
pub(crate) fn pool(address: &str) -> Db {
    Db::new(&DatabaseConfig { url: address.into(), ca_pem: None }, CONNECTIONS_MAX).unwrap()
}

/// Status and code of a refusal.
pub(crate) fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

/// A request that wants its answer as events.
pub(crate) fn as_events(mut request: Request) -> Request {
    request.headers_mut().insert("accept", "text/event-stream".parse().unwrap());
    request
}

impl Story {
    /// The demo athlete, whose whole history is stored.
    pub(crate) async fn of_the_demo_athlete(world: World) -> Self {
        world.athlete_with_history(DEMO_ATHLETE_ID, &demo_activities(now()), "Europe/Madrid", now()).await;
        Self::of(world)
    }

    /// A runner with a run of 10 km on each of the last ten days.
    pub(crate) async fn of_a_runner(world: World) -> Self {
        Self::of_a_runner_with(world, |_| {}).await
    }

    /// The same with settings changed.
    pub(crate) async fn of_a_runner_with(world: World, change: impl FnOnce(&mut App)) -> Self {
        world.athlete_with_history(RUNNER, &daily_runs(RUNNER, 1000, 10, now()), "Europe/Madrid", now()).await;
        Self::with(world, change)
    }

    /// The function in a world.
    pub(crate) fn of(world: World) -> Self {
        Self::with(world, |_| {})
    }

    /// The function in a world, with settings changed.
    pub(crate) fn with(world: World, change: impl FnOnce(&mut App)) -> Self {
        let mut app = App::new(&world.settings()).unwrap();
        let clock = Arc::new(AtomicI64::new(now().as_second()));
        let source = clock.clone();
        app.clock = Clock::from_fn(move || Timestamp::from_second(source.load(Ordering::Relaxed)).unwrap());
        change(&mut app);
        Self { world, app: Arc::new(app), clock }
    }

    /// Time passes.
    pub(crate) fn pass(&self, hours: i64) {
        self.clock.fetch_add(hours * 3600, Ordering::Relaxed);
    }

    /// Another user with an athlete of their own, who has no activities; returns their token.
    pub(crate) async fn another(&self, athlete_id: i64) -> String {
        let user = Uuid::new_v4();
        self.world.connected_athlete(athlete_id, user, vec![], TOKEN_TTL_S).await;
        self.world.issuer.token(user)
    }

    /// Sends a request and checks what holds for every answer.
    pub(crate) async fn send(&self, request: Request) -> (u16, Value) {
        let (parts, body) = chat::handle(&self.app, request).await.into_parts();
        let bytes = body.collect().await.unwrap();
        let text = String::from_utf8(bytes.to_bytes().to_vec()).unwrap();
        let body = if text.is_empty() { lambda_http::Body::Empty } else { lambda_http::Body::Text(text) };
        call::checked(&lambda_http::Response::from_parts(parts, body))
    }

    /// Asks the coach as the world's user.
    pub(crate) async fn post(&self, body: &Value) -> (u16, Value) {
        self.call("POST", "", &body.to_string()).await
    }

    /// Asks a question and returns the answer.
    pub(crate) async fn ask(&self, question: &str) -> Value {
        let (status, answer) = self.post(&json!({ "message": question })).await;
        assert_eq!(status, 200, "{question}: {answer}");
        answer
    }

    /// Calls a path below `/chat` as the world's user.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.call_as(&self.world.token(), method, path, body).await
    }

    /// Calls a path below `/chat` as the token's user.
    pub(crate) async fn call_as(&self, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.send(request(method, &format!("/chat{path}"), Some(token), body)).await
    }

    /// Asks for events as the world's user.
    pub(crate) async fn events(&self, body: &Value) -> Events {
        let request = as_events(request("POST", "/chat", Some(&self.world.token()), &body.to_string()));
        let (parts, body) = chat::handle(&self.app, request).await.into_parts();
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!((parts.status.as_u16(), header("content-type")), (200, "text/event-stream"));
        assert_eq!((header("cache-control"), header("access-control-allow-origin")), ("no-store", "*"));
        Events { body, text: String::new() }
    }

    /// How many conversations, messages and remembered facts there are.
    pub(crate) async fn stored(&self) -> [i64; 3] {
        let sql = "SELECT (SELECT count(*) FROM coach_conversations), (SELECT count(*) FROM chat_conversations), (SELECT count(*) FROM coach_facts)";
        let row = self.world.database.owner().await.query_one(sql, &[]).await.unwrap();
        [row.get(0), row.get(1), row.get(2)]
    }

    /// The model's last request.
    pub(crate) fn last_request(&self) -> Value {
        self.world.claude().requests().pop().unwrap()
    }
}

/// Server-sent events as they come.
pub(crate) struct Events {
    body: EventBody,
    text: String,
}

impl Events {
    /// The next event's name and data, or a comment, whose name is empty; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(comment) = event.strip_prefix(':') {
                    return Some((String::new(), json!(comment.trim())));
                }
                let (name, data) = event.strip_prefix("event: ").and_then(|event| event.split_once("\ndata: ")).expect("an event");
                return Some((name.to_owned(), serde_json::from_str(data).unwrap()));
            }
            let Some(piece) = self.body.next().await else {
                assert!(self.text.is_empty(), "half an event: {}", self.text);
                return None;
            };
            self.text.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
        }
    }

    /// The text of all deltas, and the name and data of what ends them.
    pub(crate) async fn rest(mut self) -> (String, String, Value) {
        let mut text = String::new();
        loop {
            let (name, data) = self.next().await.expect("done or error");
            match name.as_str() {
                "delta" => text.push_str(data["text"].as_str().unwrap()),
                "" => {}
                _ => {
                    assert!(self.next().await.is_none(), "nothing comes after {name}");
                    return (text, name, data);
                }
            }
        }
    }
}
