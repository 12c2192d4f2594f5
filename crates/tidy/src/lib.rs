//! The repository's own rules, as functions that return what breaks them, and the reading of `template.yaml`, which
//! is the one truth for routes, queues and schedules.
//!
//! * [`template`], [`stack`]: what the template says
//! * [`sources`]: what the functions' sources say of their settings and connections
//! * [`rules`]: routes, queues, schedules, settings
//! * [`permissions`]: what each function may do
//! * [`operation`]: connections, logs, alarms, parameters, the gateway's own answers
//! * [`documents`]: what is written into documents, and what they must name
//! * [`scale`]: cost and limits, computed from the inputs of docs/scale
//! * [`supply_chain`]: which crates are built, where they are from, under which licences

pub mod documents;
pub mod operation;
pub mod permissions;
pub mod rules;
pub mod scale;
pub mod sources;
pub mod stack;
pub mod supply_chain;
pub mod template;
pub mod trust;
