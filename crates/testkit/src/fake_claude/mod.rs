//! A Claude that speaks HTTP: it answers what the test scripts, in the real one's event sequences and in awkward
//! pieces. It refuses what the real one refuses, remembers what it said, and notes every request it did not expect.

mod cache;
mod conversation;
mod events;
mod model;
mod reply;
mod rules;
mod schema;
mod server;

pub use model::FakeClaude;
pub use reply::Reply;
