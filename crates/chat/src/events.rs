//! An answer as server-sent events: `delta` as often as text comes, then `done` or `error`, and a comment now and then
//! so that nothing between here and the phone hangs up.

use std::pin::pin;
use std::time::Duration;

use lambda_runtime::streaming::{Sender, channel};
use runaway_core::http::{ApiError, EventBody, log_failure};
use runaway_core::telemetry;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::coach::Deltas;

/// The longest silence on the line.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Runs `work`, which sends text to the given channel and returns the contract's answer, and shows it as events. The
/// work goes on to its end when the caller leaves: what was asked is answered and stored.
pub(crate) fn stream<F>(request_id: String, work: impl FnOnce(Deltas) -> F) -> EventBody
where
    F: Future<Output = Result<Value, ApiError>> + Send + 'static,
{
    let (texts, receiver) = unbounded_channel();
    let work = work(texts);
    let (sender, body) = channel();
    // The request's line is written before the line to the caller is closed, after which the environment may be frozen.
    let pumped = telemetry::carried(pump(request_id, work, receiver, sender));
    tokio::spawn(async move { drop(pumped.await) });
    body
}

async fn pump(
    request_id: String,
    work: impl Future<Output = Result<Value, ApiError>>,
    mut texts: UnboundedReceiver<String>,
    sender: Sender,
) -> Line {
    let mut line = Line(Some(sender));
    let mut work = pin!(work);
    let outcome = loop {
        tokio::select! {
            biased;
            Some(text) = texts.recv() => line.event("delta", &json!({ "text": text })).await,
            outcome = &mut work => break outcome,
            () = tokio::time::sleep(KEEP_ALIVE) => line.send(": still here\n\n".to_owned()).await,
        }
    };
    while let Ok(text) = texts.try_recv() {
        line.event("delta", &json!({ "text": text })).await;
    }
    match outcome {
        Ok(answer) => line.event("done", &answer).await,
        Err(error) => {
            log_failure("chat", &request_id, &error);
            line.event("error", &error.body(&request_id)).await;
        }
    }
    line
}

/// The way to the caller; closed once they have left.
struct Line(Option<Sender>);

impl Line {
    async fn event(&mut self, name: &str, data: &Value) {
        self.send(format!("event: {name}\ndata: {data}\n\n")).await;
    }

    async fn send(&mut self, text: String) {
        if let Some(sender) = &mut self.0
            && sender.send_data(text.into()).await.is_err()
        {
            self.0 = None;
        }
    }
}
