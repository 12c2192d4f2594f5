//! Everything that arrives from outside, held against properties: what is accepted satisfies its own definition, what is
//! refused is named and not quoted, and nothing panics. `make fuzz` runs these for as long as it is told.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod fuzz {
    mod callers;
    mod claude;
    mod messages;
    mod requests;
    mod settings;
    mod stored;
    mod strava;
    mod strava_answers;
    mod vault;
    mod walk;
    mod webhook;
}
