//! Failures on demand.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Which call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The n-th listing from the start of the fake, counted from 1.
    List(usize),
    /// The n-th detailed activity.
    Detail(usize),
    /// The n-th call of streams.
    Streams(usize),
    /// The n-th refresh.
    Refresh(usize),
    /// The n-th exchange of a code.
    Exchange(usize),
    /// The n-th revocation of a token.
    Revoke(usize),
}

/// How it fails.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status with an empty JSON fault.
    Status(u16),
    /// 429, with the quarter hour's budget used up.
    RateLimitedShort,
    /// 429, with the day's budget used up.
    RateLimitedDaily,
    /// A page that ends in the middle.
    Truncated,
    /// A page of HTML with status 200.
    Html,
    /// An empty list.
    Empty,
    /// The access token has just been taken back: 401 from now on.
    TokenExpires,
    /// The application has no subscription: 403.
    Inactive,
    /// The object is not there: 404.
    NotFound,
    /// The answer is withheld until the gate opens.
    Held(Gate),
    /// Half of the answer comes at once, the other half when the gate opens.
    HeldBody(Gate),
}

/// Holds an answer back until the test lets it go.
#[derive(Debug, Clone)]
pub struct Gate {
    arrived: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { arrived: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }
}

impl Gate {
    /// Waits until a call stands at the gate.
    pub async fn arrival(&self) {
        self.arrived.acquire().await.expect("the gate stands").forget();
    }

    /// Lets one call through.
    pub fn open(&self) {
        self.open.add_permits(1);
    }

    pub(crate) async fn pass(&self) {
        self.arrived.add_permits(1);
        self.open.acquire().await.expect("the gate stands").forget();
    }
}
