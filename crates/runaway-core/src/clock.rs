//! Where "now" comes from: a field of every `App`, so that a test can turn it.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// A source of the current instant, in whole seconds as the database keeps them.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that says what `source` says.
    pub fn from_fn(source: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// The current instant. Cut to the second: a rounded-up instant would lie in the future of the next question.
    pub fn now(&self) -> Timestamp {
        let instant = (self.0)();
        Timestamp::from_second(instant.as_second()).unwrap_or(instant)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
