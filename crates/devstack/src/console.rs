//! What a person sees.

use std::io::{IsTerminal as _, Write as _, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Nothing takes longer than this without a word.
const SILENCE_MAX: Duration = Duration::from_secs(8);
/// Cells of a progress bar.
const BAR_CELLS: usize = 40;

/// One line.
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// An error with its causes.
pub(crate) fn failure(error: &anyhow::Error) {
    println!("\n{error:#}");
}

/// Waits for `work` and says every few seconds that it still goes on.
pub(crate) async fn patiently<T>(what: &str, work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let mut work = std::pin::pin!(work);
    loop {
        match tokio::time::timeout(SILENCE_MAX, &mut work).await {
            Ok(done) => return done,
            Err(_) => say(&format!("  … {what}, {} s so far", started.elapsed().as_secs())),
        }
    }
}

/// A progress bar that redraws itself on a terminal and is a line now and then elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    last: Option<(i64, Instant)>,
}

impl Progress {
    /// Shows `percent` with a few words behind it.
    pub(crate) fn show(&mut self, percent: i64, words: &str) {
        let filled = usize::try_from(percent.clamp(0, 100)).unwrap_or_default() * BAR_CELLS / 100;
        let bar = format!("  [{}{}] {percent:>3} % {words}", "█".repeat(filled), "·".repeat(BAR_CELLS - filled));
        if stdout().is_terminal() {
            print!("\r{bar}");
            // A bar that cannot be drawn is no reason to stop.
            stdout().flush().ok();
        } else if self.last.is_none_or(|(shown, at)| shown != percent || at.elapsed() > SILENCE_MAX) {
            say(&bar);
            self.last = Some((percent, Instant::now()));
        }
    }

    /// Ends the bar's line.
    pub(crate) fn end(&self) {
        if stdout().is_terminal() {
            println!();
        }
    }
}

/// Set while the world serves and stops itself in good order.
static SERVES: AtomicBool = AtomicBool::new(false);

/// From here on an interruption is for the world, which ends in good order.
pub(crate) fn world_serves() {
    SERVES.store(true, Ordering::Relaxed);
}

/// Returns with Ctrl-C or a request to terminate, unless the world takes care of it.
pub(crate) async fn interrupted_before_serving() {
    interrupted().await;
    if SERVES.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// Returns with Ctrl-C or a request to terminate.
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
