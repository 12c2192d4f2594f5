//! Nothing personal and nothing secret is ever written to a log, into an error, into a message of a queue, or into a
//! column that an operator reads. One marked athlete goes through every flow, in success and in every failure, with our own
//! crates logging all they can; then everything that was written is searched.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod functions;

mod marked {
    mod coach;
    mod connection;
    mod story;
    mod sync;
}
