//! The state of the fake, and what a test may ask and change.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::faults::{Fault, On};
use super::listing::{Listed, sorted};

/// How long an access token lives, seconds.
pub(super) const ACCESS_TTL_S: i64 = 6 * 60 * 60;
/// The limits of a new application: a quarter hour's and a day's reads.
const DEFAULT_LIMITS: (i64, i64) = (100, 1000);

/// The fake's own time: the machine's, moved by the test, or one that stands still until the test moves it.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<Time>);

#[derive(Debug, Default)]
struct Time {
    stands_still: AtomicBool,
    seconds: AtomicI64,
}

impl Clock {
    /// Now, epoch seconds.
    pub fn now_s(&self) -> i64 {
        let machine_s = if self.0.stands_still.load(Ordering::Relaxed) { 0 } else { Timestamp::now().as_second() };
        machine_s + self.0.seconds.load(Ordering::Relaxed)
    }

    /// Moves time forward.
    pub fn advance(&self, seconds: i64) {
        self.0.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Stops time at an instant: from here on only [`Clock::advance`] moves it.
    pub fn stop_at(&self, at: Timestamp) {
        self.0.stands_still.store(true, Ordering::Relaxed);
        self.0.seconds.store(at.as_second(), Ordering::Relaxed);
    }

    /// The same time for production code.
    pub fn production(&self) -> runaway_core::clock::Clock {
        let clock = self.clone();
        runaway_core::clock::Clock::from_fn(move || Timestamp::from_second(clock.now_s()).expect("a time in range"))
    }
}

/// One call the fake answered.
#[derive(Debug, Clone)]
pub struct Call {
    /// What was called: `list`, `detail` or `streams`.
    pub what: &'static str,
    /// The query.
    pub query: HashMap<String, String>,
    /// HTTP status of the answer.
    pub status: u16,
    /// When it came, epoch seconds of the fake's time.
    pub at_s: i64,
}

/// Tokens as Strava hands them out.
#[derive(Debug, Clone)]
pub struct TokenPair {
    /// Access token.
    pub access: String,
    /// Refresh token.
    pub refresh: String,
    /// End of the access token, epoch seconds.
    pub expires_at: i64,
}

pub(super) struct Athlete {
    pub(super) profile: Value,
    /// Newest first.
    pub(super) history: Vec<Listed>,
    pub(super) tokens: Option<TokenPair>,
    pub(super) scope: String,
}

pub(super) struct State {
    pub(super) athletes: HashMap<i64, Athlete>,
    pub(super) codes: HashMap<String, (i64, String)>,
    pub(super) faults: Vec<(On, Fault)>,
    pub(super) counts: HashMap<&'static str, usize>,
    pub(super) calls: Vec<Call>,
    pub(super) unexpected: Vec<String>,
    pub(super) secrets: Vec<String>,
    pub(super) limits: (i64, i64),
    pub(super) usage: HashMap<i64, i64>,
    pub(super) demo: Option<i64>,
    pub(super) details: HashMap<i64, Value>,
    pub(super) subscription: Option<Value>,
    pub(super) subscriptions_made: i64,
}

pub(super) struct Inner {
    pub(super) port: u16,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) clock: Clock,
    pub(super) state: Mutex<State>,
}

/// A running fake; clones are the same one.
#[derive(Clone)]
pub struct FakeStrava(pub(super) Arc<Inner>);

impl std::fmt::Debug for FakeStrava {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeStrava").field("port", &self.0.port).finish_non_exhaustive()
    }
}

/// Unguessable and recognisable, so that a search finds it wherever it should not be.
pub(crate) fn new_secret(kind: &str) -> String {
    let bytes: [u8; 18] = runaway_core::vault::random_bytes().expect("randomness");
    format!("{kind}-{}", URL_SAFE_NO_PAD.encode(bytes))
}

impl FakeStrava {
    /// Starts on `port`, or on a free one for 0.
    pub async fn start(port: u16, clock: Clock) -> Self {
        let client_secret = new_secret("clientsecret");
        let state = State {
            athletes: HashMap::new(),
            codes: HashMap::new(),
            faults: Vec::new(),
            counts: HashMap::new(),
            calls: Vec::new(),
            unexpected: Vec::new(),
            secrets: vec![client_secret.clone()],
            limits: DEFAULT_LIMITS,
            usage: HashMap::new(),
            demo: None,
            details: HashMap::new(),
            subscription: None,
            subscriptions_made: 0,
        };
        let inner = |port| Inner { port, client_id: "12345".to_owned(), client_secret, clock, state: Mutex::new(state) };
        super::server::start(port, inner).await
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// `http://127.0.0.1:PORT`, also the OAuth base.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port)
    }

    /// The API base.
    pub fn api_base(&self) -> String {
        format!("{}/api/v3", self.base_url())
    }

    /// The application's id.
    pub fn client_id(&self) -> &str {
        &self.0.client_id
    }

    /// The application's secret.
    pub fn client_secret(&self) -> &str {
        &self.0.client_secret
    }

    /// The fake's time.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Adds an athlete with a history of verbatim summary objects.
    pub fn add_athlete(&self, id: i64, first_name: &str, activities: impl IntoIterator<Item = Value>) {
        let profile = json!({
            "id": id, "username": null, "resource_state": 2, "firstname": first_name, "lastname": "Invented", "bio": null,
            "city": "Nowhere", "state": null, "country": "", "sex": null, "premium": true, "summit": true,
            "created_at": "2020-12-28T09:00:00Z", "updated_at": "2026-01-01T09:00:00Z", "badge_type_id": 1, "weight": 64.5,
            "profile_medium": "avatar/athlete/medium.png", "profile": "avatar/athlete/large.png", "friend": null, "follower": null
        });
        let history = sorted(activities.into_iter().map(|activity| Listed::of(&activity)).collect());
        let athlete = Athlete { profile, history, tokens: None, scope: String::new() };
        self.state().athletes.insert(id, athlete);
    }

    /// Sets fields of the athlete's profile.
    pub fn set_profile(&self, id: i64, fields: &[(&str, Value)]) {
        let mut state = self.state();
        let profile = &mut state.athletes.get_mut(&id).expect("the athlete").profile;
        for (name, value) in fields {
            profile[*name] = value.clone();
        }
    }

    /// The athlete whom `athlete=demo` means on the consent page.
    pub fn set_demo_athlete(&self, id: i64) {
        self.state().demo = Some(id);
    }

    /// The athlete's history, newest first.
    pub fn activities(&self, id: i64) -> Vec<Value> {
        self.state().athletes[&id].history.iter().map(Listed::value).collect()
    }

    /// Uploads an activity.
    pub fn add_activity(&self, id: i64, activity: impl Borrow<Value>) {
        self.change_history(id, |history| history.push(Listed::of(activity.borrow())));
    }

    /// Deletes an activity.
    pub fn delete_activity(&self, id: i64, activity_id: i64) {
        self.change_history(id, |history| history.retain(|listed| listed.id != Some(activity_id)));
    }

    /// Changes fields of an activity.
    pub fn edit_activity(&self, id: i64, activity_id: i64, fields: &[(&str, Value)]) {
        self.change_history(id, |history| {
            let listed = history.iter_mut().find(|listed| listed.id == Some(activity_id)).expect("the activity");
            let mut activity = listed.value();
            for (name, value) in fields {
                activity[*name] = value.clone();
            }
            *listed = Listed::of(&activity);
        });
    }

    fn change_history(&self, id: i64, change: impl FnOnce(&mut Vec<Listed>)) {
        let mut state = self.state();
        let history = &mut state.athletes.get_mut(&id).expect("the athlete").history;
        change(history);
        *history = sorted(std::mem::take(history));
    }

    /// Sets fields that only the detailed activity has.
    pub fn set_detail(&self, activity_id: i64, fields: Value) {
        self.state().details.insert(activity_id, fields);
    }

    /// Whether the athlete's permission stands.
    pub fn is_granted(&self, id: i64) -> bool {
        self.state().athletes.get(&id).is_some_and(|athlete| athlete.tokens.is_some())
    }

    /// Approves the application without the consent page and returns the code.
    pub fn authorize(&self, id: i64, scope: &str) -> String {
        let code = new_secret("code");
        let mut state = self.state();
        state.secrets.push(code.clone());
        state.codes.insert(code.clone(), (id, scope.to_owned()));
        code
    }

    /// Issues tokens without OAuth, valid for `ttl_s` seconds.
    pub fn connect(&self, id: i64, scope: &str, ttl_s: i64) -> TokenPair {
        let mut state = self.state();
        let tokens = state.issue(id, self.0.clock.now_s() + ttl_s);
        state.athletes.get_mut(&id).expect("the athlete").scope = scope.to_owned();
        tokens
    }

    /// The athlete has changed what is granted; the tokens stay.
    pub fn set_scope(&self, id: i64, scope: &str) {
        self.state().athletes.get_mut(&id).expect("the athlete").scope = scope.to_owned();
    }

    /// The athlete takes the permission back: every token is dead.
    pub fn revoke(&self, id: i64) {
        self.state().athletes.get_mut(&id).expect("the athlete").tokens = None;
    }

    /// Makes a call fail.
    pub fn fail(&self, on: On, fault: Fault) {
        self.state().faults.push((on, fault));
    }

    /// How many of the faults it was given have not happened yet.
    pub fn faults_left(&self) -> usize {
        self.state().faults.len()
    }

    /// Reads a quarter hour and a day.
    pub fn set_limits(&self, short: i64, daily: i64) {
        self.state().limits = (short, daily);
    }

    /// Everything it answered.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// How many calls of a kind it answered, failures included.
    pub fn count(&self, what: &str) -> usize {
        self.state().counts.get(what).copied().unwrap_or_default()
    }

    /// Every token, code and secret it ever handed out.
    pub fn secrets(&self) -> Vec<String> {
        self.state().secrets.clone()
    }

    /// Ends the test when a call came that the real Strava would not understand.
    ///
    /// # Panics
    /// With all such calls.
    pub fn assert_nothing_unexpected(&self) {
        let unexpected = self.state().unexpected.clone();
        assert!(unexpected.is_empty(), "Strava did not expect: {unexpected:#?}");
    }
}

impl State {
    /// New tokens for an athlete; the ones before are dead.
    pub(super) fn issue(&mut self, id: i64, expires_at: i64) -> TokenPair {
        let tokens = TokenPair { access: new_secret("access"), refresh: new_secret("refresh"), expires_at };
        self.secrets.extend([tokens.access.clone(), tokens.refresh.clone()]);
        self.athletes.get_mut(&id).expect("the athlete").tokens = Some(tokens.clone());
        tokens
    }

    /// Counts a call of a kind and returns the fault it was given.
    pub(super) fn arrive(&mut self, what: &'static str) -> Option<Fault> {
        let count = self.counts.entry(what).or_default();
        *count += 1;
        let n = *count;
        let position = self.faults.iter().position(|(on, _)| match *on {
            On::List(wanted) => what == "list" && n == wanted,
            On::Detail(wanted) => what == "detail" && n == wanted,
            On::Streams(wanted) => what == "streams" && n == wanted,
            On::Refresh(wanted) => what == "refresh" && n == wanted,
            On::Exchange(wanted) => what == "exchange" && n == wanted,
            On::Revoke(wanted) => what == "revoke" && n == wanted,
        })?;
        Some(self.faults.remove(position).1)
    }
}
