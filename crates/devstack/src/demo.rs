//! The tour: a runner connects Strava, the history arrives, and the numbers are the same as at the source.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use jiff::civil::{Date, DateTime, Weekday};
use reqwest::header::LOCATION;
use serde_json::{Value, json};
use tokio_postgres::{NoTls, Transaction};
use url::Url;

use crate::console::{Progress, say};
use crate::world::World;

/// Weeks that are shown.
const WEEKS: usize = 8;
/// Metres of a kilometre, seconds of an hour.
const KILOMETRE_M: f64 = 1000.0;
const HOUR_S: f64 = 3600.0;
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How long the sync may take, in polls: five minutes.
const POLLS_MAX: u32 = 1200;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Sums are compared to the millimetre.
const DISTANCE_TOLERANCE_M: f64 = 0.001;

/// Activities, metres and seconds of a week.
#[derive(Debug, Default, Clone, Copy)]
struct Week {
    n: i64,
    distance_m: f64,
    moving_s: i64,
}

/// Gives the tour; then serves on, unless `once`.
pub(crate) async fn run(once: bool) -> anyhow::Result<()> {
    let world = World::start().await?;
    let toured = tour(&world).await;
    if toured.is_err() || once {
        world.stop().await;
        return toured;
    }
    world.announce();
    world.serve().await
}

async fn tour(world: &World) -> anyhow::Result<()> {
    let http = runaway_core::http::client_builder(REQUEST_TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()?;
    let (base, token) = (world.variable("RUNAWAY_URL")?.to_owned(), world.issuer.token(world.demo_user()));
    connect(&http, &base, &token).await.context("connecting Strava")?;
    let job = json_of(http.post(format!("{base}/sync-beta")).bearer_auth(&token).json(&json!({"sync_type": "full"}))).await?;
    let job_id = job["job_id"].as_str().context("sync-beta named no job")?;
    follow(&http, &base, &token, job_id).await?;
    compare(world).await?;
    crate::demo_chat::talk(world, &http, &base, &token).await?;
    crate::demo_journal::show(world, &http, &base, &token).await.context("the journal")
}

async fn connect(http: &reqwest::Client, base: &str, token: &str) -> anyhow::Result<()> {
    let begun =
        json_of(http.post(format!("{base}/strava-auth")).bearer_auth(token).json(&json!({"redirect": "runaway://strava-connected"})))
            .await?;
    let mut url: Url = begun["authorization_url"].as_str().context("strava-auth named no address")?.parse()?;
    ensure!(url.host_str() == Some("127.0.0.1"), "the tour needs the invented Strava; with real keys use `make dev`");
    say("A runner opens Strava's consent page and allows access …");
    url.query_pairs_mut().append_pair("athlete", "demo");
    let callback = location(http.get(url)).await?;
    ensure!(callback.starts_with(base), "Strava sent the runner elsewhere");
    let app = location(http.get(callback)).await?;
    ensure!(app.starts_with("runaway://strava-connected?success=true&athlete_id="), "the app was told {app}");
    say(&format!("The app is told: {app}"));
    Ok(())
}

async fn location(request: reqwest::RequestBuilder) -> anyhow::Result<String> {
    let answer = request.send().await?;
    let status = answer.status();
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    location.with_context(|| format!("no redirect but {status}"))
}

/// A successful answer's JSON.
pub(crate) async fn json_of(request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
    let answer = request.send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{status}: {text}");
    Ok(serde_json::from_str(&text)?)
}

async fn follow(http: &reqwest::Client, base: &str, token: &str, job_id: &str) -> anyhow::Result<()> {
    say("The training history arrives:");
    let mut bar = Progress::default();
    for _ in 0..POLLS_MAX {
        let job = json_of(http.get(format!("{base}/job-status/{job_id}")).bearer_auth(token)).await?;
        let (progress, processed) =
            (job["progress"].as_i64().unwrap_or_default(), job["activities_processed"].as_i64().unwrap_or_default());
        bar.show(progress, &format!("{processed} activities"));
        match job["status"].as_str() {
            Some("completed") => {
                bar.end();
                return Ok(());
            }
            Some("failed") => bail!("the sync failed: {}", job["error"]),
            _ => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
    bail!("the sync does not end; .devstack/sync-processor.log may say why")
}

async fn compare(world: &World) -> anyhow::Result<()> {
    let source = weeks_of_source(&world.strava.activities(world.demo_athlete))?;
    let stored = weeks_of_database(world).await?;
    let count = |weeks: &BTreeMap<Date, Week>| weeks.values().map(|week| week.n).sum::<i64>();
    say("");
    say("Week of      Activities        km     hours   at Strava");
    for (monday, week) in source.iter().rev().take(WEEKS) {
        let own = stored.get(monday).copied().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "seconds of a week")]
        let hours = own.moving_s as f64 / HOUR_S;
        let verdict = if equal(own, *week) { "the same" } else { "DIFFERENT" };
        say(&format!("{monday}   {:>10}  {:>8.1}  {hours:>8.2}   {verdict}", own.n, own.distance_m / KILOMETRE_M));
    }
    let differing = source.iter().filter(|(monday, week)| !stored.get(monday).is_some_and(|own| equal(*own, **week))).count();
    ensure!(differing == 0 && count(&source) == count(&stored), "{differing} weeks differ from what Strava holds");
    say(&format!("All {} activities in {} weeks are stored, and every week's sums equal Strava's.", count(&stored), stored.len()));
    Ok(())
}

fn equal(a: Week, b: Week) -> bool {
    a.n == b.n && a.moving_s == b.moving_s && (a.distance_m - b.distance_m).abs() < DISTANCE_TOLERANCE_M
}

/// Straight from the objects Strava serves, without any of the backend's code.
fn weeks_of_source(activities: &[Value]) -> anyhow::Result<BTreeMap<Date, Week>> {
    let mut weeks: BTreeMap<Date, Week> = BTreeMap::new();
    for activity in activities {
        let local: DateTime =
            activity["start_date_local"].as_str().context("an activity without a start")?.trim_end_matches('Z').parse()?;
        let date = local.date();
        let monday = if date.weekday() == Weekday::Monday { date } else { date.nth_weekday(-1, Weekday::Monday)? };
        let week = weeks.entry(monday).or_default();
        week.n += 1;
        week.distance_m += activity["distance"].as_f64().unwrap_or_default();
        week.moving_s += activity["moving_time"].as_i64().unwrap_or_default();
    }
    Ok(weeks)
}

async fn weeks_of_database(world: &World) -> anyhow::Result<BTreeMap<Date, Week>> {
    let sql = "
        SELECT local_date - (extract(isodow FROM local_date)::int - 1) AS monday, sum(n)::bigint, sum(distance_m), sum(moving_s)::bigint
          FROM athlete_days GROUP BY 1";
    let rows = as_the_runner(world, async |tx: &Transaction<'_>| Ok(tx.query(sql, &[]).await?)).await?;
    Ok(rows.iter().map(|row| (row.get(0), Week { n: row.get(1), distance_m: row.get(2), moving_s: row.get(3) })).collect())
}

/// Reads as the app does: with the athlete's own role and claims.
pub(crate) async fn as_the_runner<T>(world: &World, read: impl AsyncFnOnce(&Transaction<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let (mut client, connection) = tokio_postgres::connect(world.variable("DATABASE_URL")?, NoTls).await?;
    tokio::spawn(connection);
    let tx = client.transaction().await?;
    let claims = json!({"sub": world.demo_user(), "role": "authenticated"}).to_string();
    tx.execute("SELECT set_config('role', 'runaway_athlete', true), set_config('request.jwt.claims', $1, true)", &[&claims]).await?;
    read(&tx).await
}
