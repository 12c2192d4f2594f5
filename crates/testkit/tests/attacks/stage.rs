//! Who is there: an attacker with an athlete of her own, somebody without one, and the victim, whose every text holds a
//! mark. Every attack is sent, judged and counted here.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::Timestamp;
use runaway_core::db::athlete_tables::{ATHLETE_TABLES, Key};
use serde_json::{Value, json};
use testkit::gateway::{Gateway, deployed_functions};
use testkit::{ActivityBuilder, Reply, World};
use uuid::Uuid;

use crate::client::{Answer, Request, exchange};
use crate::tally::Tally;

/// The attacker's athlete.
pub(crate) const ADA: i64 = 1_000_001;
/// The victim.
pub(crate) const BO: i64 = 7_735_919_001;
/// The athlete whom forged events name.
pub(crate) const CY: i64 = 1_000_003;
/// An athlete whom only Strava knows.
pub(crate) const DI: i64 = 1_000_004;
/// An id that is nobody's.
pub(crate) const NOBODYS: i64 = 999_999_999_999;
/// The word in every text of the victim's, and in nothing else.
pub(crate) const MARK: &str = "zqvictim";
/// What the victim's texts can be found by without naming the mark.
pub(crate) const FINDABLE: &str = "nightfall";
/// What an athlete may use in a day, each more than all attacks use up.
const LIMITS: [(&str, &str); 6] = [
    ("CHAT_MESSAGES_PER_DAY", "1000000"),
    ("CHAT_TOKENS_PER_DAY", "1000000000"),
    ("JOURNAL_TEXTS_PER_DAY", "1000000"),
    ("JOURNAL_TOKENS_PER_DAY", "1000000000"),
    ("SYNCS_PER_DAY", "1000000"),
    ("EXPORTS_PER_DAY", "1000000"),
];
const TOKEN_TTL_S: i64 = 6 * 3600;
/// Characters of an answer that a failure quotes.
const QUOTED_CHARS_MAX: usize = 200;
/// Processes of each function.
const INSTANCES: usize = 2;
/// Activities of each athlete.
pub(crate) const RUNS: i64 = 4;

/// What belongs to the victim.
#[derive(Debug)]
pub(crate) struct Victim {
    pub(crate) user: Uuid,
    pub(crate) job: Uuid,
    pub(crate) conversation: Uuid,
    pub(crate) fact: Uuid,
    pub(crate) client_message: Uuid,
}

/// What an attack must be answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expect {
    status: u16,
    code: &'static str,
}

/// An error of the contract.
pub(crate) const fn refused(status: u16, code: &'static str) -> Expect {
    Expect { status, code }
}

/// An answer that is no error: the attack has no effect.
pub(crate) const fn harmless(status: u16) -> Expect {
    Expect { status, code: "" }
}

pub(crate) const UNAUTHORIZED: Expect = refused(401, "UNAUTHORIZED");
pub(crate) const FORBIDDEN: Expect = refused(403, "FORBIDDEN");
pub(crate) const INVALID: Expect = refused(400, "INVALID_REQUEST");
pub(crate) const NOT_FOUND: Expect = refused(404, "NOT_FOUND");
pub(crate) const TOO_LARGE: Expect = refused(413, "PAYLOAD_TOO_LARGE");
pub(crate) const NOT_ALLOWED: Expect = refused(405, "METHOD_NOT_ALLOWED");

/// Everything that is attacked, and who attacks.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) gateway: Gateway,
    pub(crate) victim: Victim,
    /// A user who never connected Strava.
    pub(crate) nobody: Uuid,
    pub(crate) tally: RefCell<Tally>,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let world = World::new().await.with_claude().await;
        let id = Uuid::new_v4;
        let victim = Victim { user: id(), job: id(), conversation: id(), fact: id(), client_message: id() };
        let now = Timestamp::now();
        for (athlete, user, name) in [(ADA, world.user_id, "Easy"), (CY, Uuid::new_v4(), "Steady"), (BO, victim.user, MARK)] {
            let history: Vec<Value> = (0..RUNS).map(|n| run(athlete, n, &format!("{name} {FINDABLE} run"), now)).collect();
            world.connected_athlete(athlete, user, history.clone(), TOKEN_TTL_S).await;
            world.import(athlete, &history, now).await;
        }
        world.strava.add_athlete(DI, "Di", []);
        world.database.owner().await.batch_execute(&texts(&victim)).await.expect("the victim's texts");
        let mut variables = world.variables();
        variables.extend(LIMITS.map(|(name, value)| (name, value.to_owned())));
        let gateway = Gateway::start(&deployed_functions(), INSTANCES, &variables).await;
        let stage = Self { world, gateway, victim, nobody: Uuid::new_v4(), tally: RefCell::default() };
        stage.write_the_victims_journal().await;
        stage
    }

    /// An entry as the journal writes it, but for a mark in its text.
    async fn write_the_victims_journal(&self) {
        self.world.claude().respond_with(|_| Reply::rate_limited(3600));
        let request =
            Request::new("POST", "/journal/generate-recent").bearer(&self.world.issuer.token(self.victim.user)).json(&json!({"weeks": 2}));
        let answer = self.send(&request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let sql = format!("UPDATE training_journal SET narrative = '{MARK}' WHERE athlete_id = {BO}");
        self.world.database.owner().await.batch_execute(&sql).await.expect("the victim's journal");
    }

    /// The attacker's token.
    pub(crate) fn token(&self) -> String {
        self.world.token()
    }

    /// What must never be seen by anybody but the victim.
    fn secrets(&self) -> Vec<String> {
        let Victim { user, job, conversation, fact, client_message } = &self.victim;
        let ids = [user, job, conversation, fact, client_message].map(Uuid::to_string);
        [MARK.to_owned(), BO.to_string()].into_iter().chain(ids).collect()
    }

    /// What attackers do not know even where they name the victim.
    pub(crate) fn unsaid(&self) -> [String; 3] {
        [MARK.to_owned(), self.victim.conversation.to_string(), self.victim.job.to_string()]
    }

    /// Whether something of the victim's stands in it.
    pub(crate) fn reveals(&self, text: &str) -> bool {
        self.secrets().iter().any(|secret| text.contains(secret.as_str()))
    }

    /// Sends a request that is no attack.
    pub(crate) async fn send(&self, request: &Request) -> Answer {
        exchange(self.gateway.address(), &request.bytes()).await
    }

    /// Sends an attack and counts how it was answered.
    pub(crate) async fn attack(&self, class: &'static str, what: &str, request: &Request, expected: Expect) -> Answer {
        let answer = self.send(request).await;
        self.judge(class, &format!("{what}: {} {}", request.method, request.path), &answer, expected);
        answer
    }

    /// Counts an answer to an attack.
    pub(crate) fn judge(&self, class: &'static str, what: &str, answer: &Answer, expected: Expect) {
        judge(&mut self.tally.borrow_mut(), &self.secrets(), class, what, answer, expected);
    }

    /// The victim's rows of every table, as they are, by the table and what makes them the victim's.
    pub(crate) async fn victims_rows(&self) -> BTreeMap<String, (i64, String)> {
        let owner = self.world.database.owner().await;
        let mut rows = BTreeMap::new();
        let own = [("athletes", format!("id = {BO}"))].into_iter();
        let others = ATHLETE_TABLES.iter().map(|table| match table.key {
            Key::Athlete => (table.name, format!("athlete_id = {BO}")),
            Key::User => (table.name, format!("auth_user_id = '{}'", self.victim.user)),
        });
        for (table, whose) in own.chain(others) {
            let sql = format!("SELECT count(*), md5(coalesce(string_agg(t::text, ' ' ORDER BY t::text), '')) FROM {table} t WHERE {whose}");
            let row = owner.query_one(&sql, &[]).await.expect("the victim's rows");
            rows.insert(format!("{table} WHERE {whose}"), (row.get(0), row.get(1)));
        }
        rows
    }

    /// Notes what must be so beside the answer to an attack.
    pub(crate) fn must(&self, is_so: bool, otherwise: impl FnOnce() -> String) {
        if !is_so {
            self.tally.borrow_mut().note(otherwise());
        }
    }

    /// No function failed, and the victim's rows are what they were.
    pub(crate) async fn all_is_as_before(&self, after: &str, rows: &BTreeMap<String, (i64, String)>) {
        let (faults, now) = (self.gateway.faults(), self.victims_rows().await);
        self.must(faults.is_empty(), || format!("after {after}: functions failed: {faults:?}"));
        let changed: Vec<_> = rows.iter().filter(|(table, content)| now.get(*table) != Some(content)).map(|(table, _)| table).collect();
        self.must(changed.is_empty(), || format!("after {after}: the victim's rows in {changed:?} are not what they were"));
    }

    /// The victim sees what is hidden from everybody else: the marks can be found.
    pub(crate) async fn victim_sees_the_marks(&self) {
        let token = self.world.issuer.token(self.victim.user);
        for path in [
            format!("/chat/conversations/{}", self.victim.conversation),
            "/chat/conversations".to_owned(),
            "/chat/memory".to_owned(),
            "/journal".to_owned(),
            "/export".to_owned(),
            format!("/job-status/{}", self.victim.job),
        ] {
            let answer = self.send(&Request::new("GET", &path).bearer(&token)).await;
            assert!(answer.status == 200 && self.reveals(&answer.body), "{path}: {answer:?}");
        }
    }
}

/// Counts an answer to an attack: whether it is the expected one and keeps what holds for every answer, and whether one
/// of the secrets stands in it.
pub(crate) fn judge(tally: &mut Tally, secrets: &[String], class: &'static str, what: &str, answer: &Answer, expected: Expect) {
    let found = (answer.status, answer.code());
    let mut wrong = Vec::new();
    if found != (expected.status, expected.code.to_owned()) {
        wrong.push(format!(
            "answered {found:?} instead of {expected:?}: {}",
            answer.body.chars().take(QUOTED_CHARS_MAX).collect::<String>()
        ));
    }
    for (header, value) in [("cache-control", "no-store"), ("x-content-type-options", "nosniff"), ("access-control-allow-origin", "*")] {
        if answer.header(header) != value {
            wrong.push(format!("the header {header} is missing"));
        }
    }
    if answer.head.to_ascii_lowercase().contains("x-evil") {
        wrong.push("a header was injected".to_owned());
    }
    let reached = secrets.iter().any(|secret| answer.head.contains(secret.as_str()) || answer.body.contains(secret.as_str()));
    tally.count(class, what, &wrong, reached);
}

/// A run of the last days.
pub(crate) fn run(athlete: i64, n: i64, name: &str, now: Timestamp) -> Value {
    let start = now - jiff::SignedDuration::from_hours(24 * (n + 1));
    ActivityBuilder::run(athlete, athlete * 10 + n, start).with("name", name).build()
}

/// A row with a mark wherever the victim has texts.
fn texts(victim: &Victim) -> String {
    let Victim { job, conversation, fact, client_message, .. } = victim;
    let memory =
        json!({"personal": {"preferred_name": MARK}, "goals": {"primary": MARK}, "physical_profile": {"current_concerns": [MARK]}});
    format!(
        "UPDATE athletes SET first_name = '{MARK}', last_name = '{MARK}', city = '{MARK}', profile = '{MARK}' WHERE id = {BO};
         UPDATE activities SET description = '{MARK} {FINDABLE}' WHERE athlete_id = {BO};
         INSERT INTO sync_jobs (id, athlete_id, sync_type, status, error_message, completed_at)
             VALUES ('{job}', {BO}, 'full', 'failed', '{MARK}', now());
         INSERT INTO coach_conversations (id, athlete_id, preview) VALUES ('{conversation}', {BO}, '{MARK}');
         INSERT INTO chat_conversations (id, athlete_id, conversation_id, role, message, client_message_id)
             VALUES (gen_random_uuid(), {BO}, '{conversation}', 'user', '{MARK}', '{client_message}'),
                    (gen_random_uuid(), {BO}, '{conversation}', 'assistant', '{MARK}', NULL);
         INSERT INTO coach_facts (id, athlete_id, kind, fact) VALUES ('{fact}', {BO}, 'concern', '{MARK} {FINDABLE}');
         INSERT INTO athlete_ai_profiles (athlete_id, core_memory) VALUES ({BO}, '{memory}');"
    )
}
