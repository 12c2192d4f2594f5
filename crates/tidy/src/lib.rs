//! The repository's own rules, as functions that return what breaks them, and the reading of `template.yaml`, which
//! is the one truth for routes, queues and schedules.

pub mod rules;
pub mod template;
pub mod trust;
