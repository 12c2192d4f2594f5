//! The HTTP edge: who calls, what is answered, and how a request becomes a story and a story a response.

mod answer;
mod auth;
mod body;
mod client;
mod error;
mod route;

pub use answer::{Call, EventBody, Reply, Streamed, answer, answer_streaming, log_failure, own_athlete, refuse_foreign};
pub use auth::{AuthError, Caller, Verifier};
pub use body::Fields;
pub use client::{client_builder, tls_config};
pub use error::ApiError;
