//! Every function, called with anything: it answers by the contract, fails nobody but the caller, and quotes nothing.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod functions;

use functions::{ATHLETE, Functions};
use testkit::World;
use testkit::activity::daily_runs;
use testkit::logs::LogCapture;

/// Days of the history in the database.
const RUNS: i64 = 10;

/// A world whose log stays short however long it is fuzzed.
async fn quiet_world() -> World {
    World::with_logs(LogCapture::start_at(tracing::Level::INFO)).await
}

/// All functions, and the world's user with a short history.
async fn with_history(world: World) -> Functions {
    let now = world.clock.production().now();
    world.athlete_with_history(ATHLETE, &daily_runs(ATHLETE, 1000, RUNS, now), "Europe/Madrid", now).await;
    Functions::of(world).await
}

mod fuzz {
    mod callbacks;
    mod calls;
    mod events;
    mod tools;
}
