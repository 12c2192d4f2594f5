//! Strava: the HTTP client, OAuth, the wire types and the errors. The only room that knows a Strava field's name.

pub mod budget;
mod client;
mod detail;
mod error;
mod oauth;
mod wire;

pub use client::{ActivitiesPage, Answer, ListBounds, PER_PAGE_MAX, StravaClient};
pub use detail::read_detail;
pub use error::{StravaError, Verbatim};
pub use oauth::{Exchanged, REQUIRED_SCOPE, SCOPES_ASKED, Tokens, authorize_url};
pub use wire::{ReadObject, read_summary};
