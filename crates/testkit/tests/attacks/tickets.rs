//! The ticket of an authorisation that is to be confirmed. Mallory begins, and somebody else's browser finishes: she never
//! gets to their athlete, not even where she gets hold of the ticket of somebody who is connected already.

use serde_json::{Value, json};
use testkit::world::{ALL_SCOPES, APP_REDIRECT};
use url::Url;
use url::form_urlencoded::byte_serialize;
use uuid::Uuid;

use crate::client::Request;
use crate::oauth::{CLASS, PAGE, begin_with, call_back};
use crate::stage::{ADA, BO, DI, Expect, FORBIDDEN, INVALID, NOT_ALLOWED, NOT_FOUND, Stage, UNAUTHORIZED, harmless, refused};

pub(crate) const NO_TICKET: Expect = refused(404, "TICKET_NOT_FOUND");
const ALREADY_LINKED: Expect = refused(409, "ALREADY_LINKED");
/// Longer than any ticket.
const HUGE_BYTES: usize = 4 * 1024;
const CONFIRM: &str = "/strava-auth/confirm";

pub(crate) async fn attacks(stage: &Stage) {
    let mut tickets = guesses(stage).await;
    tickets.extend(of_the_connected(stage).await);
    tickets.extend(of_the_own(stage).await);
    let logs = stage.gateway.logs();
    stage.must(!tickets.iter().any(|ticket| logs.contains(ticket)), || "a ticket was logged".to_owned());
}

/// One begins, and an athlete's browser comes back from Strava: the state, and the ticket that only that browser is given.
async fn finished(stage: &Stage, token: &str, athlete: i64) -> (String, String) {
    let state = begin_with(stage, token, &json!({ "redirect": APP_REDIRECT, "confirm": true })).await;
    let code = stage.world.strava.authorize(athlete, ALL_SCOPES);
    let answer = stage.send(&call_back(&[("state", &state), ("code", &code), ("scope", ALL_SCOPES)])).await;
    let told: Url = answer.header("location").parse().expect("the app's address");
    let ticket = told.query_pairs().find(|(name, _)| name == "ticket").expect("a ticket").1.into_owned();
    (state, ticket)
}

fn present(ticket: impl Into<Value>, token: &str) -> Request {
    Request::new("POST", CONFIRM).bearer(token).json(&json!({ "ticket": ticket.into() }))
}

async fn count(stage: &Stage, what: &str) -> i64 {
    stage.world.database.count(&format!("SELECT count(*) FROM {what}")).await
}

/// Mallory, who has no athlete, begins; Alice, whom only Strava knows, finishes. Mallory tries whatever she knows, can
/// guess, or could read in the database.
async fn guesses(stage: &Stage) -> Vec<String> {
    let issuer = &stage.world.issuer;
    let (mallory, alice) = (issuer.token(stage.nobody), issuer.token(Uuid::new_v4()));
    let (state, ticket) = finished(stage, &mallory, DI).await;
    let stored = "SELECT id::text, encode(ticket_hash, 'hex'), encode(ticket_hash, 'base64'), '\\x' || encode(ticket_hash, 'hex') FROM oauth_tickets";
    let stored = stage.world.database.owner().await.query_one(stored, &[]).await.expect("the ticket's row");
    let stored = (0..4).map(|column| stored.get::<_, String>(column));
    let known = [state.clone(), state.chars().rev().collect(), DI.to_string(), stage.nobody.to_string(), mallory.clone()];
    let (half, _) = ticket.split_at(ticket.len() / 2);
    let near =
        [half.to_owned(), format!("{ticket}x"), format!("{ticket}="), format!(" {ticket}"), format!("{ticket}\0"), ticket.to_uppercase()];
    let near = near.into_iter().chain([byte_serialize(format!("{ticket}\n").as_bytes()).collect()]);
    let garbage = [
        "",
        "0",
        "null",
        "%",
        "_",
        "*",
        "..",
        "\0",
        "' OR '1'='1",
        "' UNION SELECT id FROM oauth_tickets --",
        "🏃",
        "<script>alert(1)</script>",
    ];
    let garbage = garbage.map(str::to_owned).into_iter().chain(["t".repeat(HUGE_BYTES)]);
    for guess in known.into_iter().chain(stored).chain(near).chain(garbage) {
        stage.attack(CLASS, "a guessed ticket", &present(guess, &mallory), NO_TICKET).await;
    }
    for no_text in [json!(7), json!(true), json!(null), json!([ticket]), json!({ "$ne": "" }), json!({ "ticket": ticket })] {
        stage.attack(CLASS, "a ticket that is no text", &present(no_text, &mallory), INVALID).await;
    }
    // In other places than the one, and with other names.
    let post = |path: String| Request::new("POST", &path).bearer(&mallory);
    for request in [
        post(format!("{CONFIRM}?ticket={ticket}")),
        post(CONFIRM.to_owned()).header("x-ticket", &ticket).json(&json!({ "state": state })),
        post(CONFIRM.to_owned()).json(&json!({ "Ticket": ticket, "ticket ": ticket, "code": ticket })),
        present(ticket.clone(), &mallory).body(format!("ticket={ticket}")),
    ] {
        stage.attack(CLASS, "a ticket elsewhere", &request, INVALID).await;
    }
    stage.attack(CLASS, "a ticket in the path", &post(format!("{CONFIRM}/{ticket}")), NOT_FOUND).await;
    stage.attack(CLASS, "a ticket by GET", &Request::new("GET", &format!("{CONFIRM}?ticket={ticket}")).bearer(&mallory), NOT_ALLOWED).await;
    stage.attack(CLASS, "a ticket without a token", &Request::new("POST", CONFIRM).json(&json!({ "ticket": ticket })), UNAUTHORIZED).await;
    // The state is spent, and what else she may ask says nothing of the ticket.
    let code = stage.world.strava.authorize(DI, ALL_SCOPES);
    for request in [
        call_back(&[("state", &state), ("code", &code), ("scope", ALL_SCOPES)]),
        call_back(&[("state", &state), ("error", "access_denied")]),
        call_back(&[("ticket", &ticket), ("code", &code)]),
    ] {
        let answer = stage.attack(CLASS, "a finished state again", &request, PAGE).await;
        stage.must(!answer.body.contains(&ticket) && answer.header("location").is_empty(), || "the page tells the ticket".to_owned());
    }
    let own =
        stage.attack(CLASS, "her own data", &Request::new("GET", "/export").bearer(&mallory), refused(404, "ATHLETE_NOT_FOUND")).await;
    stage.must(!own.body.contains(&ticket), || "the ticket is exported".to_owned());
    let stands = (count(stage, "oauth_tickets").await, stage.world.strava.is_granted(DI));
    stage.must(stands == (1, true), || format!("a guess spent the ticket: {stands:?}"));

    // Alice's own app presents it, with Alice's token; then it is nobody's any more.
    stage.attack(CLASS, "another's ticket", &present(ticket.clone(), &alice), FORBIDDEN).await;
    for token in [&mallory, &alice, &stage.token()] {
        stage.attack(CLASS, "a spent ticket", &present(ticket.clone(), token), NO_TICKET).await;
    }
    // One that nobody presents in time.
    let (_, late) = finished(stage, &mallory, DI).await;
    stage
        .world
        .database
        .owner()
        .await
        .batch_execute("UPDATE oauth_tickets SET expires_at = now() - interval '1 second'")
        .await
        .expect("time passes");
    stage.attack(CLASS, "an old ticket", &present(late.clone(), &mallory), NO_TICKET).await;
    stage.world.database.owner().await.batch_execute("DELETE FROM oauth_tickets").await.expect("the night");
    let linked = format!("athletes WHERE id = {DI} OR auth_user_id = '{}'", stage.nobody);
    stage.must(count(stage, &linked).await == 0, || "an athlete was linked by a guess".to_owned());
    vec![ticket, late]
}

/// The victim, who is connected, finishes what others began. Their tickets lead to nothing, even in their own hands.
async fn of_the_connected(stage: &Stage) -> Vec<String> {
    let issuer = &stage.world.issuer;
    let (nobody, victim) = (issuer.token(stage.nobody), issuer.token(stage.victim.user));
    let mut tickets = Vec::new();
    for (mallory, whose) in [(stage.token(), harmless(200)), (nobody, refused(404, "ATHLETE_NOT_FOUND"))] {
        let (_, caught) = finished(stage, &mallory, BO).await;
        // What waits to be confirmed is nobody's yet.
        let own = stage.attack(CLASS, "her own data", &Request::new("GET", "/export").bearer(&mallory), whose).await;
        stage.must(!own.body.contains(&caught), || "the ticket is exported".to_owned());
        stage.attack(CLASS, "a caught ticket", &present(caught.clone(), &mallory), ALREADY_LINKED).await;
        stage.attack(CLASS, "a caught ticket again", &present(caught.clone(), &mallory), NO_TICKET).await;
        // The victim is talked into presenting it.
        let (_, presented) = finished(stage, &mallory, BO).await;
        stage.attack(CLASS, "another's ticket", &present(presented.clone(), &victim), FORBIDDEN).await;
        stage.attack(CLASS, "a spent ticket", &present(presented.clone(), &mallory), NO_TICKET).await;
        // Or into presenting one for Mallory's athlete, where the runs of both would become one's.
        let (_, planted) = finished(stage, &mallory, ADA).await;
        stage.attack(CLASS, "a planted ticket", &present(planted.clone(), &victim), FORBIDDEN).await;
        tickets.extend([caught, presented, planted]);
    }
    let ends = (count(stage, "oauth_tickets").await, stage.world.strava.is_granted(BO), stage.world.strava.is_granted(ADA));
    stage.must(ends == (0, true, true), || format!("tickets, and whether the connections stand: {ends:?}"));
    tickets
}

/// What must be accepted, or the refusals would prove nothing; and that once.
async fn of_the_own(stage: &Stage) -> Vec<String> {
    let token = stage.token();
    let (_, ticket) = finished(stage, &token, ADA).await;
    let named = Request::new("POST", CONFIRM).bearer(&token).json(&json!({ "ticket": ticket, "athlete_id": BO }));
    stage.attack(CLASS, "another's athlete beside a ticket", &named, FORBIDDEN).await;
    let (request, again) = (present(ticket.clone(), &token), present(ticket.clone(), &token));
    let (a, b) = tokio::join!(stage.send(&request), stage.send(&again));
    let (first, second) = if a.status == 200 { (a, b) } else { (b, a) };
    stage.must(first.status == 200 && first.json()["athlete_id"] == ADA, || format!("the own ticket is refused: {first:?}"));
    stage.judge(CLASS, "a ticket twice at once", &second, NO_TICKET);
    stage.attack(CLASS, "a ticket again", &present(ticket.clone(), &token), NO_TICKET).await;
    vec![ticket]
}
