//! What two functions do alike, and nothing else.

mod endings;
mod linking;
mod reseal;
mod start_sync;
mod strava_access;

pub use endings::{Revocation, disconnect, give_up_tickets, lose_connection, revoke};
pub use linking::{Granted, LinkError, TICKET_TTL, announce_first_sync, give_back, keep_exchange, link, open_exchange};
pub use reseal::{Resealed, Unopened, reseal};
pub use start_sync::{Started, start_sync};
pub use strava_access::{AccessError, Grant, check_grant, fresh_token, seal_tokens};
