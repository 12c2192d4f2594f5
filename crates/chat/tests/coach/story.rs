//! A runner with a history talks to the coach.

use std::sync::Arc;

use chat::App;
use jiff::Timestamp;
use lambda_http::Request;
use runaway_core::clock::Clock;
use serde_json::{Value, json};
use testkit::call::request;
use testkit::history::{DEMO_ATHLETE_ID, demo_activities};
use testkit::{World, call};

/// A Friday, at noon in Madrid.
pub(crate) const NOW: &str = "2026-11-27T12:00:00Z";

/// The world and the function.
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) app: Arc<App>,
}

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

impl Story {
    /// The demo athlete, whose whole history is stored.
    pub(crate) async fn of_the_demo_athlete(world: World) -> Self {
        world.athlete_with_history(DEMO_ATHLETE_ID, &demo_activities(now()), "Europe/Madrid", now()).await;
        Self::of(world)
    }

    /// The function in a world.
    pub(crate) fn of(world: World) -> Self {
        Self::with(world, |_| {})
    }

    /// The function in a world, with settings changed.
    pub(crate) fn with(world: World, change: impl FnOnce(&mut App)) -> Self {
        let mut app = App::new(&world.settings()).unwrap();
        app.clock = Clock::from_fn(now);
        change(&mut app);
        Self { world, app: Arc::new(app) }
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
        self.send(request("POST", "/chat", Some(&self.world.token()), &body.to_string())).await
    }

    /// Asks a question and returns the answer.
    pub(crate) async fn ask(&self, question: &str) -> Value {
        let (status, answer) = self.post(&json!({ "message": question })).await;
        assert_eq!(status, 200, "{question}: {answer}");
        answer
    }
}
