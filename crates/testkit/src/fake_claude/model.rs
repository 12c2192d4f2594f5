//! The state of the fake, and what a test may ask and change.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

use super::reply::Reply;
use crate::fake_strava::new_secret;

/// A thinking block it sent.
pub(super) struct Thought {
    /// The block.
    pub(super) block: Value,
    /// What it is bound to: everything the model had read.
    pub(super) prefix: String,
}

type Respond = Box<dyn Fn(&Value) -> Reply + Send>;

#[derive(Default)]
pub(super) struct State {
    pub(super) script: VecDeque<Reply>,
    pub(super) respond: Option<Respond>,
    pub(super) requests: Vec<Value>,
    pub(super) unexpected: Vec<String>,
    /// By signature.
    pub(super) thoughts: HashMap<String, Thought>,
    /// The content in which a call of a tool was sent, by the call's id.
    pub(super) calls: HashMap<String, Vec<Value>>,
    /// Prefixes kept for later requests.
    pub(super) cached: HashSet<String>,
    pub(super) ids: usize,
}

impl State {
    /// A new id, such as `msg_7`.
    pub(super) fn id(&mut self, kind: &str) -> String {
        self.ids += 1;
        format!("{kind}_{:04}", self.ids)
    }

    /// The next answer.
    pub(super) fn next_reply(&mut self, request: &Value) -> Option<Reply> {
        let scripted = self.script.pop_front();
        scripted.or_else(|| self.respond.as_ref().map(|respond| respond(request)))
    }
}

pub(super) struct Inner {
    pub(super) port: u16,
    pub(super) api_key: String,
    pub(super) state: Mutex<State>,
}

/// A running fake; clones are the same one.
#[derive(Clone)]
pub struct FakeClaude(pub(super) Arc<Inner>);

impl std::fmt::Debug for FakeClaude {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeClaude").field("port", &self.0.port).finish_non_exhaustive()
    }
}

impl FakeClaude {
    /// Starts on a free port.
    pub async fn start() -> Self {
        super::server::start(|port| Inner { port, api_key: new_secret("sk-ant"), state: Mutex::default() }).await
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port)
    }

    /// The key it accepts.
    pub fn api_key(&self) -> &str {
        &self.0.api_key
    }

    /// The settings that lead here, with the sources whose data may be sent, separated by commas.
    pub fn settings(&self, sources: &str) -> Vec<(&'static str, String)> {
        vec![
            ("ANTHROPIC_BASE_URL", self.base_url()),
            ("ANTHROPIC_API_KEY", self.api_key().to_owned()),
            ("MODEL_SOURCES", sources.to_owned()),
        ]
    }

    /// Answers the next request that has no answer yet.
    pub fn reply(&self, reply: Reply) {
        self.state().script.push_back(reply);
    }

    /// Decides the answer from the request, once the scripted ones are used up.
    pub fn respond_with(&self, respond: impl Fn(&Value) -> Reply + Send + 'static) {
        self.state().respond = Some(Box::new(respond));
    }

    /// The bodies of all requests, refused ones included.
    pub fn requests(&self) -> Vec<Value> {
        self.state().requests.clone()
    }

    /// The same, which it then forgets: a test of many requests keeps the newest only.
    pub fn take_requests(&self) -> Vec<Value> {
        std::mem::take(&mut self.state().requests)
    }

    /// What the real Claude would not have understood.
    pub fn unexpected(&self) -> Vec<String> {
        self.state().unexpected.clone()
    }

    /// What must stand in no log and no table.
    pub fn secrets(&self) -> Vec<String> {
        vec![self.api_key().to_owned()]
    }

    /// Ends the test when a request came that the real Claude would not understand, or an answer was never asked for.
    ///
    /// # Panics
    /// With all such requests, or the number of such answers.
    pub fn assert_nothing_unexpected(&self) {
        let unexpected = self.unexpected();
        assert!(unexpected.is_empty(), "Claude did not expect: {unexpected:#?}");
        let left = self.state().script.len();
        assert!(left == 0, "{left} of Claude's answers were never asked for");
    }
}
