//! A Strava that speaks HTTP: athletes with their lists, tokens that expire and rotate, rate limits with their
//! headers, and failures on demand. It refuses what the real one refuses and notes every call it did not expect.

mod detail;
mod faults;
mod listing;
mod model;
mod oauth;
mod server;
mod subscriptions;

pub use faults::{Fault, Gate, On};
pub(crate) use model::new_secret;
pub use model::{Call, Clock, FakeStrava, TokenPair};
pub use subscriptions::{FIRST_SUBSCRIPTION_ID, deauthorisation, event};
