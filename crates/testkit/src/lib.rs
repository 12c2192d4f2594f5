//! What tests stand on: a migrated database of their own, a Strava, a Claude and a sign-in that speak the real
//! protocols over HTTP, a queue on a real SQS-protocol server, and activities to play with. Only tests and `devstack` use it.
#![recursion_limit = "256"]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test's tools end the test when they fail")]

pub mod activity;
pub mod call;
pub mod canned;
pub mod database;
pub mod emf;
pub mod fake_claude;
pub mod fake_strava;
pub mod fuzz;
pub mod gateway;
pub mod history;
mod import;
pub mod issuer;
pub mod logs;
pub mod marks;
pub mod measured;
pub mod mixer;
pub mod queue;
pub mod recorded;
pub mod runtime;
pub mod traveller;
pub mod wire;
pub mod world;

pub use activity::ActivityBuilder;
pub use canned::{Canned, CannedServer};
pub use database::TestDatabase;
pub use fake_claude::{FakeClaude, Reply};
pub use fake_strava::{FakeStrava, Fault};
pub use import::MANY_DAYS;
pub use issuer::TokenIssuer;
pub use world::World;

/// Certificate of an authority that signed nothing, PEM.
pub const AUTHORITY_PEM: &str = include_str!("authority.pem");
