//! What all of Runaway's functions share. The rooms, in reading order:
//!
//! * [`domain`]: activities, sync walks, training formulas; pure, without clock, environment or database
//! * [`config`]: typed settings; the only reader of the environment and of Secrets Manager
//! * [`telemetry`]: JSON logs and how an error's whole chain is written once
//! * [`clock`]: where "now" comes from
//! * [`db`]: transactions bound to one athlete, and every SQL statement
//! * [`vault`]: sealing and opening OAuth tokens
//! * [`strava`]: the client, its wire types, its errors
//! * [`claude`]: the client of the model behind its gate: requests, streams, errors; knows nothing of running
//! * [`queue`]: the message contract and the SQS client
//! * [`http`]: bearer token to caller, errors to status and JSON, CORS
//! * [`flows`]: what two functions do alike: linking an athlete, a fresh Strava token, starting a sync

pub mod claude;
pub mod clock;
pub mod config;
pub mod db;
pub mod domain;
pub mod flows;
pub mod http;
pub mod queue;
pub mod strava;
pub mod telemetry;
pub mod vault;
