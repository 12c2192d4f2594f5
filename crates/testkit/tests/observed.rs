//! What the operator sees of every flow: one line each, which counts what the line to the database counts, and every
//! metric there is.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]
#![expect(clippy::large_futures, reason = "a test has room for whole stories")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lambda_http::{Body, Request, Response};
use runaway_core::config::{DatabaseConfig, Settings};
use runaway_core::db::Db;
use runaway_core::telemetry::METRICS;
use serde_json::{Value, json};
use testkit::activity::daily_runs;
use testkit::call::{checked, request};
use testkit::emf::Sample;
use testkit::fake_strava::{Fault, On, event};
use testkit::wire::Wire;
use testkit::{ActivityBuilder, Reply, World};
use uuid::Uuid;

const ATHLETE: i64 = 94_451_852;
const TOKEN_TTL_S: i64 = 6 * 3600;
const CONNECTIONS_MAX: usize = 4;
const WHOLE_HISTORY: &str = r#"{"sync_type":"full"}"#;

/// A world whose functions reach their database through a line that counts.
struct Observed {
    world: World,
    wire: Wire,
    db: Db,
}

impl Observed {
    async fn new(world: World, runs: i64) -> Self {
        let now = world.clock.production().now();
        world.connected_athlete(ATHLETE, world.user_id, daily_runs(ATHLETE, 1000, runs, now), TOKEN_TTL_S).await;
        let wire = Wire::to(&world.database.app_url()).await;
        let url = wire.address(&world.database.app_url()).into();
        let db = Db::new(&DatabaseConfig { url, ca_pem: None }, CONNECTIONS_MAX).unwrap();
        Self { world, wire, db }
    }

    /// Does something; returns what came of it and its one line.
    async fn line<T>(&self, work: impl Future<Output = T>) -> (T, Value) {
        let (lines, trips) = (self.world.logs.tallies().len(), self.wire.round_trips());
        let outcome = work.await;
        let line = self.world.logs.tallies().split_off(lines);
        assert_eq!(line.len(), 1, "{line:?}");
        assert_eq!(line[0]["round_trips"], self.wire.round_trips() - trips, "{}", line[0]);
        assert!(line[0]["duration_ms"].is_u64() && line[0]["function"].is_string(), "{}", line[0]);
        (outcome, line[0].clone())
    }

    /// The line of a request that was answered as it was wanted.
    async fn answered(&self, work: impl Future<Output = Response<Body>>) -> (Value, Value) {
        let (response, line) = self.line(work).await;
        let (status, body) = checked(&response);
        assert_eq!((&line["status"], line["request_id"].as_str()), (&json!(status), response.headers()["x-request-id"].to_str().ok()));
        assert!(status < 300 && line["athlete.id"] == json!(ATHLETE), "{line} {body}");
        (body, line)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Request {
        request(method, path, Some(&self.world.token()), body)
    }

    async fn processor(&self) -> sync_processor::App {
        let mut app = sync_processor::App::new(&self.world.settings()).await.unwrap();
        (app.db, app.clock) = (self.db.clone(), self.world.clock.production());
        app
    }

    /// The next message, delivered.
    async fn deliver(&self, app: &sync_processor::App) -> Value {
        let batch = serde_json::to_value(self.world.queue.take().await).unwrap();
        let (answer, line) = self.line(sync_processor::handle(app, batch, in_fifteen_minutes())).await;
        assert_eq!(answer.unwrap(), json!({ "batchItemFailures": [] }));
        assert_eq!((&line["function"], &line["athlete.id"]), (&json!("sync-processor"), &json!(ATHLETE)));
        assert!(line["message.id"].is_string());
        line
    }

    async fn sync(&self) -> Uuid {
        let mut app = sync_beta::App::new(&self.world.settings()).await.unwrap();
        (app.db, app.clock) = (self.db.clone(), self.world.clock.production());
        let (body, line) = self.answered(sync_beta::handle(&app, self.ask("POST", "/sync-beta", WHOLE_HISTORY))).await;
        assert_eq!((&line["route"], &line["method"]), (&json!("/sync-beta"), &json!("POST")));
        body["job_id"].as_str().or(body["job"]["job_id"].as_str()).unwrap().parse().unwrap()
    }

    /// The sum of a metric without dimensions.
    fn sum(&self, name: &str) -> f64 {
        let samples = self.world.logs.metrics().into_iter();
        samples.filter(|sample| sample.name == name && sample.dimensions.is_empty()).map(|sample| sample.value).sum()
    }

    /// How often a word was counted.
    fn count_of(&self, name: &str, word: &str) -> usize {
        let is_word =
            |sample: &Sample| sample.name == name && sample.dimensions.len() == 1 && sample.dimensions.values().any(|w| w == word);
        self.world.logs.metrics().into_iter().filter(is_word).count()
    }

    fn names(&self) -> BTreeSet<String> {
        self.world.logs.metrics().into_iter().map(|sample| sample.name).collect()
    }
}

fn in_fifteen_minutes() -> SystemTime {
    SystemTime::now() + Duration::from_secs(900)
}

/// A sync, its schedule, and what Strava announces.
async fn of_syncing(observed: &Observed) {
    let processor = observed.processor().await;
    let job_id = observed.sync().await;
    let line = observed.deliver(&processor).await;
    assert_eq!((&line["kind"], &line["outcome"]), (&json!("job"), &json!("finished")));
    assert_eq!(line["job.id"], json!(job_id));
    assert_eq!(observed.sum("ActivitiesStored"), 30.0);

    let mut status = job_status::App::new(&observed.world.settings()).unwrap();
    status.db = observed.db.clone();
    let path = format!("/job-status/{job_id}");
    let (_, line) = observed.answered(job_status::handle(&status, observed.ask("GET", &path, ""))).await;
    assert_eq!(line["route"], "/job-status/{id}");

    let task = json!({ "task": "process-pending" });
    let (_, line) = observed.line(sync_processor::handle(&processor, task, in_fifteen_minutes())).await;
    assert_eq!((&line["task"], &line["outcome"], &line["rows"]), (&json!("process-pending"), &json!("done"), &json!(1)), "{line}");
    assert!(observed.sum("StravaCallsLeft15Min") > 0.0 && observed.sum("StravaCallsLeftToday") > observed.sum("StravaCallsLeft15Min"));
    let (histories, all) = (observed.sum("StravaCallsLeftForHistories"), observed.sum("StravaCallsLeftToday"));
    assert!(histories > 0.0 && histories < all, "{histories} of {all}");
    // The message of the details is nobody's here.
    observed.world.queue.take().await;

    let mut webhook = strava_webhook::App::new(&observed.world.settings()).await.unwrap();
    (webhook.db, webhook.clock) = (observed.db.clone(), observed.world.clock.production());
    let new = ActivityBuilder::run(ATHLETE, 5000, observed.world.clock.production().now()).build();
    observed.world.strava.add_activity(ATHLETE, new);
    let told = event("activity", 5000, "create", ATHLETE, &json!({})).to_string();
    let path = format!("/strava-webhook/{}", observed.world.webhook_path);
    let (_, line) = observed.answered(strava_webhook::handle(&webhook, request("POST", &path, None, &told))).await;
    assert_eq!(line["route"], "/strava-webhook/{secret}");
    let line = observed.deliver(&processor).await;
    assert_eq!((&line["kind"], &line["outcome"]), (&json!("event"), &json!("saved")));
    assert_eq!(observed.sum("ActivitiesStored"), 31.0);
}

/// The coach, whole and in pieces, and a week of the journal.
async fn of_talking(observed: &Observed) {
    let mut chat = chat::App::new(&observed.world.settings()).unwrap();
    (chat.db, chat.clock) = (observed.db.clone(), observed.world.clock.production());
    let chat = Arc::new(chat);
    let body = json!({ "message": "How far did I run this week?" }).to_string();
    for accept in ["application/json", "text/event-stream"] {
        observed.world.claude().reply(Reply::text("A good way."));
        let mut request = observed.ask("POST", "/chat", &body);
        request.headers_mut().insert("accept", accept.parse().unwrap());
        let whole = async {
            let (parts, body) = chat::handle(&chat, request).await.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            (parts.status.as_u16(), String::from_utf8(bytes.to_vec()).unwrap())
        };
        let ((status, text), line) = observed.line(whole).await;
        assert_eq!((status, text.contains("A good way.")), (200, true), "{text}");
        assert_eq!((&line["route"], &line["athlete.id"]), (&json!("/chat"), &json!(ATHLETE)));
        // A look at the connection, who asks, the facts, COMMIT; a look at the connection, the turn, COMMIT.
        assert_eq!(line["round_trips"], 7, "{line}");
    }
    assert!(observed.sum("ModelTokensRead") > 0.0 && observed.sum("ModelTokensWritten") > 0.0);
    let answered = observed.world.logs.holding("Claude answered");
    assert!(answered.iter().all(|line| line["function"] == "chat" && line["request_id"].is_string()), "{answered:?}");

    // Without a model.
    let mut journal = journal::api::App::new(&Settings::from_pairs(observed.world.environment())).unwrap();
    (journal.writer.db, journal.writer.clock) = (observed.db.clone(), observed.world.clock.production());
    let (body, _) = observed.answered(journal::api::handle(&journal, observed.ask("POST", "/journal/generate", "{}"))).await;
    assert_eq!(observed.count_of("JournalEntries", "facts_only"), 1);
    let path = format!("/journal/weeks/{}/chart.svg", body["journal"]["week_start_date"].as_str().unwrap());
    let (_, line) = observed.answered(journal::api::handle(&journal, observed.ask("GET", &path, ""))).await;
    assert_eq!(line["route"], "/journal/weeks/{date}/chart.svg");
}

/// Beginning and ending a connection, and what is refused.
async fn of_connecting(observed: &Observed) {
    let settings = observed.world.settings();
    let mut auth = strava_auth::App::new(&settings).await.unwrap();
    (auth.db, auth.clock) = (observed.db.clone(), observed.world.clock.production());
    let (_, line) = observed.answered(strava_auth::handle(&auth, observed.ask("POST", "/strava-auth", "{}"))).await;
    assert_eq!(line["route"], "/strava-auth");
    let refused = strava_auth::handle(&auth, observed.ask("POST", "/strava-auth/anna", "{}"));
    let (_, line) = observed.line(refused).await;
    assert_eq!((&line["status"], &line["code"]), (&json!(404), &json!("NOT_FOUND")));
    assert_eq!((&line["route"], line.get("athlete.id")), (&json!("/strava-auth/{other}"), None));
    let nowhere = DatabaseConfig { url: "postgres://runaway_app@127.0.0.1:1/x".into(), ca_pem: None };
    auth.db = Db::new(&nowhere, 1).unwrap();
    strava_auth::handle(&auth, observed.ask("POST", "/strava-auth", "{}")).await;
    assert_eq!(observed.count_of("Failures", "upstream_unavailable"), 1);

    let mut export = export::App::new(&settings).unwrap();
    (export.db, export.clock) = (observed.db.clone(), observed.world.clock.production());
    let export = Arc::new(export);
    let whole = async {
        let (parts, body) = export::handle(&export, observed.ask("GET", "/export", "")).await.into_parts();
        (parts.status.as_u16(), body.collect().await.unwrap().to_bytes().len())
    };
    let ((status, bytes), line) = observed.line(whole).await;
    assert!(status == 200 && bytes > 1_000, "{bytes} bytes: {line}");
    assert_eq!((&line["route"], &line["athlete.id"]), (&json!("/export"), &json!(ATHLETE)));

    let mut disconnect = disconnect::App::new(&settings).unwrap();
    (disconnect.db, disconnect.clock) = (observed.db.clone(), observed.world.clock.production());
    observed.answered(disconnect::handle(&disconnect, observed.ask("POST", "/disconnect", ""))).await;
    let mut delete = delete_account::App::new(&settings).unwrap();
    (delete.db, delete.clock) = (observed.db.clone(), observed.world.clock.production());
    let (answer, line) = observed.line(delete_account::handle(&delete, observed.ask("DELETE", "/delete-account", ""))).await;
    assert_eq!((checked(&answer).0, line.get("athlete.id")), (200, None), "who is erased is not named any more");
}

#[tokio::test]
async fn every_flow_ends_with_one_line_and_every_metric_is_emitted() {
    let observed = Observed::new(World::new().await.with_claude().await, 30).await;
    of_syncing(&observed).await;
    of_talking(&observed).await;
    of_connecting(&observed).await;
    let of_api = observed.world.logs.tallies().iter().filter(|line| line.get("status").is_some()).count();
    assert_eq!(observed.sum("Requests"), of_api as f64, "records and tasks are counted for their function alone");
    let mut emitted = observed.names();
    observed.world.assert_in_order(&["The request failed"]).await;
    drop(observed);

    let shut_out = Observed::new(World::new().await, 3).await;
    shut_out.world.strava.fail(On::List(1), Fault::Inactive);
    shut_out.sync().await;
    let processor = shut_out.processor().await;
    let line = shut_out.deliver(&processor).await;
    assert_eq!(line["outcome"], "refused");
    assert_eq!((shut_out.sum("ApplicationInactive"), shut_out.count_of("Failures", "strava_application_refused")), (1.0, 1));
    emitted.extend(shut_out.names());
    shut_out.world.assert_in_order(&["Strava refuses this application"]).await;

    let known: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(emitted, known);
}
