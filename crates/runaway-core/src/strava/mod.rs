//! Strava: the HTTP client, OAuth, the wire types and the errors. The only room that knows a Strava field's name.

mod activity;
pub mod budget;
mod client;
mod detail;
mod error;
mod event;
mod oauth;
mod subscription;
mod wire;

pub use activity::{FetchedActivity, read_activity};
pub use client::{ActivitiesPage, Answer, ListBounds, PER_PAGE_MAX, StravaClient};
pub use error::{StravaError, Verbatim};
pub use event::{SIGNATURE_HEADER, Signature, StravaEvent, UnreadableEvent, read_event, verify_signature};
pub use oauth::{Exchanged, REQUIRED_SCOPE, SCOPES_ASKED, Tokens, authorize_url};
pub use subscription::Subscription;
pub use wire::{ReadObject, read_summary};
