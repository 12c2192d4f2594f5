//! Strava: the HTTP client, OAuth, the wire types and the errors. The only room that knows a Strava field's name.

mod client;
mod error;
mod oauth;
mod wire;

pub use client::{ActivitiesPage, ListBounds, PER_PAGE_MAX, StravaClient};
pub use error::StravaError;
pub use oauth::{Exchanged, REQUIRED_SCOPE, SCOPES_ASKED, Tokens, authorize_url};
pub use wire::{ReadObject, read_summary};
