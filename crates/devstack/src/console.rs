//! What a person sees, and what they are asked.

use std::io::{IsTerminal as _, Write as _, stdin, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::world::own;

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

/// A yes to a question: typed, or given beforehand by `YES=1`.
pub(crate) async fn confirmed(question: &str) -> anyhow::Result<bool> {
    if own("YES").is_some() {
        return Ok(true);
    }
    let answer = typed(&format!("{question} [y/N]")).await?.context("there is nobody to ask here: say YES=1")?;
    Ok(["y", "yes"].contains(&answer.to_lowercase().as_str()))
}

/// A line that the person types; `None` where nobody sits at a terminal.
pub(crate) async fn typed(prompt: &str) -> anyhow::Result<Option<String>> {
    if !stdin().is_terminal() {
        return Ok(None);
    }
    print!("{prompt} ");
    stdout().flush().context("showing a question")?;
    // A thread of its own, which an interruption need not wait for.
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        sender.send(stdin().read_line(&mut line).map(|_| line)).ok();
    });
    let line = receiver.await.context("reading the answer")?.context("reading the answer")?;
    Ok(Some(line.trim().to_owned()))
}

/// [`typed`] without showing it.
pub(crate) async fn typed_secret(prompt: &str) -> anyhow::Result<Option<String>> {
    if !stdin().is_terminal() {
        return Ok(None);
    }
    let hidden = Hidden::begin()?;
    let line = typed(prompt).await;
    drop(hidden);
    say("");
    line
}

/// While it lives, the terminal does not show what is typed; an interruption ends it too.
struct Hidden;

impl Hidden {
    fn begin() -> anyhow::Result<Self> {
        let status = std::process::Command::new("stty").arg("-echo").status().context("hiding what is typed")?;
        if status.success() { Ok(Self) } else { bail!("what is typed cannot be hidden here: use FILE=") }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        std::process::Command::new("stty").arg("echo").status().ok();
    }
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
