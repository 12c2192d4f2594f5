//! Stories of the confirm step: the callback links nothing, and whoever began confirms.

use std::time::{Duration, SystemTime};

use runaway_core::vault::Vault;
use serde_json::{Value, json};

use super::*;

const MALLORYS_ATHLETE: i64 = 666;
const DAY_S: i64 = 86_400;
pub(crate) const TICKET_NOT_FOUND: (u16, &str) = (404, "TICKET_NOT_FOUND");

impl Story {
    /// An authorisation that is to be confirmed is begun by a user and finished by an athlete; what the app is told.
    pub(crate) async fn to_confirm(&self, user: Uuid, athlete_id: i64) -> Url {
        let url = self.authorization_url(user, &format!(r#"{{"redirect":"{APP_REDIRECT}","confirm":true}}"#)).await;
        let path = self.approve_as(athlete_id, &url, SCOPES_ASKED);
        let told: Url = location(&self.call_back(&path).await).parse().unwrap();
        assert!(told.as_str().starts_with(&format!("{APP_REDIRECT}?success=true&athlete_id={athlete_id}&ticket=")), "{told}");
        told
    }

    async fn confirm(&self, user: Uuid, body: &str) -> (u16, Value) {
        let token = self.world.issuer.token(user);
        checked(&strava_auth::handle(&self.auth, request("POST", "/strava-auth/confirm", Some(&token), body)).await)
    }

    pub(crate) async fn present(&self, user: Uuid, ticket: &str) -> (u16, Value) {
        self.confirm(user, &json!({ "ticket": ticket }).to_string()).await
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.world.database.count(sql).await
    }

    /// Athletes, tokens, jobs, tickets and revocations that are stored.
    pub(crate) async fn stored(&self) -> [i64; 5] {
        let mut rows = [0; 5];
        let tables = ["athletes", "strava_tokens", "sync_jobs", "oauth_tickets", "pending_revocations"];
        for (row, table) in rows.iter_mut().zip(tables) {
            *row = self.count(&format!("SELECT count(*) FROM {table}")).await;
        }
        rows
    }

    pub(crate) async fn linked_to(&self, user: Uuid) -> i64 {
        self.count(&format!("SELECT count(*) FROM athletes WHERE auth_user_id = '{user}' AND strava_connected")).await
    }

    async fn processor(&self) -> sync_processor::App {
        let mut app = sync_processor::App::new(&self.world.settings()).await.unwrap();
        app.clock = self.world.clock.production();
        app
    }

    pub(crate) async fn night(&self) {
        let deadline = SystemTime::now() + Duration::from_secs(900);
        sync_processor::handle(&self.processor().await, json!({ "task": "cleanup" }), deadline).await.unwrap();
    }

    /// The message that waits is worked off.
    async fn sync(&self) {
        let event = serde_json::to_value(self.world.queue.take().await).unwrap();
        let deadline = SystemTime::now() + Duration::from_secs(900);
        let answer = sync_processor::handle(&self.processor().await, event, deadline).await.unwrap();
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
    }

    /// The last look, also for tickets: none stands in a log or a table.
    pub(crate) async fn ends(self, tickets: &[String], expected_errors: &[&str]) {
        for line in self.world.logs.lines() {
            assert!(!tickets.iter().any(|ticket| line.contains(ticket.as_str())), "a ticket was logged: {line}");
        }
        self.world.assert_in_order(expected_errors).await;
    }
}

pub(crate) fn ticket(told: &Url) -> String {
    told.query_pairs().find(|(name, _)| name == "ticket").unwrap().1.into_owned()
}

pub(crate) fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn nothing_is_linked_until_whoever_began_confirms() {
    let story = Story::begin().await;
    let user = Uuid::new_v4();
    let ticket = ticket(&story.to_confirm(user, ATHLETE).await);
    assert!(ticket.len() >= 43);
    assert_eq!(story.stored().await, [0, 0, 0, 1, 0]);
    assert!(story.world.queue.take().await.records.is_empty());

    let (status, answer) = story.present(user, &ticket).await;
    assert_eq!((status, &answer["success"], &answer["athlete_id"]), (200, &json!(true), &json!(ATHLETE)));
    assert_eq!(story.stored().await, [1, 1, 1, 0, 0]);
    let sql = format!("SELECT count(*) FROM sync_jobs WHERE id = '{}'", answer["job_id"].as_str().unwrap());
    assert_eq!((story.linked_to(user).await, story.count(&sql).await), (1, 1));
    assert_eq!(story.count("SELECT count(*) FROM athletes WHERE first_name = 'Ada' AND weight = 64.5").await, 1);
    assert_eq!(story.count("SELECT cardinality(scopes)::bigint FROM strava_tokens").await, 3);
    story.sync().await;
    assert_eq!(story.count("SELECT count(*) FROM activities").await, 3);

    assert_eq!(code(&story.present(user, &ticket).await), TICKET_NOT_FOUND, "once is enough");
    assert_eq!(story.stored().await, [1, 1, 1, 0, 0]);
    story.ends(&[ticket], &[]).await;
}

#[tokio::test]
async fn somebody_who_sends_their_own_address_to_another_gets_nothing() {
    // The open risk where nothing is to be confirmed: Mallory begins, Alice finishes, and is Mallory's from then on.
    let story = Story::begin().await;
    let (mallory, alice) = (Uuid::new_v4(), Uuid::new_v4());
    let url = story.authorization_url(mallory, &format!(r#"{{"redirect":"{APP_REDIRECT}"}}"#)).await;
    story.call_back(&story.approve(&url, SCOPES_ASKED).await).await;
    assert_eq!(story.linked_to(mallory).await, 1);
    story.world.assert_in_order(&[]).await;

    // Where it is, the ticket comes to Alice's own app, which presents it with Alice's token.
    let story = Story::begin().await;
    let told = story.to_confirm(mallory, ATHLETE).await;
    assert_eq!(code(&story.present(mallory, "a guess").await), TICKET_NOT_FOUND);
    let spent = ticket(&told);
    assert_eq!(code(&story.present(alice, &spent).await), (403, "FORBIDDEN"));
    assert!(!story.world.strava.is_granted(ATHLETE), "what Alice granted is revoked");
    assert_eq!(story.stored().await, [0, 0, 0, 0, 0]);
    assert_eq!(code(&story.present(mallory, &spent).await), TICKET_NOT_FOUND, "it is spent for everybody");

    // Alice has no such app: the ticket stays where nobody finds it, and what she granted ends with it.
    let abandoned = ticket(&story.to_confirm(mallory, ATHLETE).await);
    story.night().await;
    assert!(story.world.strava.is_granted(ATHLETE), "the ten minutes are not over");
    story.world.clock.advance(601);
    assert_eq!(code(&story.present(mallory, &abandoned).await), TICKET_NOT_FOUND);
    story.night().await;
    assert!(!story.world.strava.is_granted(ATHLETE));
    assert_eq!(story.stored().await, [0, 0, 0, 0, 0]);
    assert!(story.world.queue.take().await.records.is_empty());
    story.ends(&[spent, abandoned], &[]).await;
}

#[tokio::test]
async fn nobody_can_make_another_confirm_a_strangers_athlete() {
    let story = Story::begin().await;
    story.world.strava.add_athlete(MALLORYS_ATHLETE, "Mallory", vec![]);
    let (mallory, alice) = (Uuid::new_v4(), Uuid::new_v4());
    let ticket = ticket(&story.to_confirm(mallory, MALLORYS_ATHLETE).await);
    assert_eq!(code(&story.present(alice, &ticket).await), (403, "FORBIDDEN"));
    assert_eq!(story.stored().await, [0, 0, 0, 0, 0]);
    story.ends(&[ticket], &[]).await;
}

#[tokio::test]
async fn a_connection_that_stands_survives_what_others_begin() {
    let story = Story::begin().await;
    let (mallory, alice) = (Uuid::new_v4(), Uuid::new_v4());
    story.connect(alice).await;
    let presented = ticket(&story.to_confirm(mallory, ATHLETE).await);
    assert_eq!(code(&story.present(alice, &presented).await), (403, "FORBIDDEN"));
    story.to_confirm(mallory, ATHLETE).await;
    story.world.clock.advance(DAY_S);
    story.night().await;
    assert_eq!((story.linked_to(alice).await, story.stored().await), (1, [1, 1, 1, 0, 0]));
    assert!(story.world.strava.is_granted(ATHLETE) && story.world.strava.count("revoke") == 0);
    story.ends(&[presented], &[]).await;
}

#[tokio::test]
async fn a_revocation_that_strava_does_not_answer_is_made_up_for() {
    let story = Story::begin().await;
    let (mallory, alice) = (Uuid::new_v4(), Uuid::new_v4());
    story.world.strava.fail(On::Revoke(1), Fault::Status(503));
    let ticket = ticket(&story.to_confirm(mallory, ATHLETE).await);
    assert_eq!(code(&story.present(alice, &ticket).await), (403, "FORBIDDEN"));
    assert_eq!((story.stored().await, story.world.strava.is_granted(ATHLETE)), ([0, 0, 0, 0, 1], true));
    story.night().await;
    assert_eq!((story.stored().await, story.world.strava.is_granted(ATHLETE)), ([0, 0, 0, 0, 0], false));
    story.ends(&[ticket], &[]).await;
}

#[tokio::test]
async fn an_athlete_or_a_user_who_is_taken_is_refused_and_nothing_changes() {
    let story = Story::begin().await;
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    story.connect(first).await;
    let taken = ticket(&story.to_confirm(second, ATHLETE).await);
    assert_eq!(code(&story.present(second, &taken).await), (409, "ALREADY_LINKED"));
    assert_eq!((story.linked_to(first).await, story.linked_to(second).await), (1, 0));
    assert!(story.world.strava.is_granted(ATHLETE), "the first user's connection stands");
    // Nor may a user have two athletes; what the second one granted is given back.
    story.world.strava.add_athlete(ATHLETE + 1, "Bo", vec![]);
    let another = ticket(&story.to_confirm(first, ATHLETE + 1).await);
    assert_eq!(code(&story.present(first, &another).await), (409, "ALREADY_LINKED"));
    assert!(!story.world.strava.is_granted(ATHLETE + 1));
    assert_eq!(story.stored().await, [1, 1, 1, 0, 0]);
    story.ends(&[taken, another], &[]).await;
}

#[tokio::test]
async fn an_athlete_who_disconnected_connects_again() {
    let story = Story::begin().await;
    let user = Uuid::new_v4();
    let first = ticket(&story.to_confirm(user, ATHLETE).await);
    assert_eq!(story.present(user, &first).await.0, 200);
    let mut app = disconnect::App::new(&story.world.settings()).unwrap();
    app.clock = story.world.clock.production();
    story.world.strava.fail(On::Revoke(1), Fault::Status(503));
    let token = story.world.issuer.token(user);
    assert_eq!(disconnect::handle(&app, request("POST", "/disconnect", Some(&token), "")).await.status(), 200);
    assert_eq!((story.linked_to(user).await, story.stored().await), (0, [1, 0, 1, 0, 1]));

    let second = ticket(&story.to_confirm(user, ATHLETE).await);
    // The night between authorisation and confirmation does not end the new grant for the old one's sake.
    story.night().await;
    assert!(story.world.strava.is_granted(ATHLETE));
    assert_eq!(story.present(user, &second).await.0, 200);
    story.night().await;
    assert_eq!((story.linked_to(user).await, story.stored().await), (1, [1, 1, 2, 0, 0]));
    story.world.queue.take().await;
    assert!(story.world.strava.is_granted(ATHLETE));
    story.ends(&[first, second], &[]).await;
}

#[tokio::test]
async fn two_confirmations_at_once_make_one_connection() {
    let story = Story::begin().await;
    let user = Uuid::new_v4();
    for _ in 0..5 {
        let ticket = ticket(&story.to_confirm(user, ATHLETE).await);
        let (a, b) = tokio::join!(story.present(user, &ticket), story.present(user, &ticket));
        let mut codes = [code(&a), code(&b)];
        codes.sort_unstable();
        assert_eq!(codes, [(200, ""), TICKET_NOT_FOUND]);
        assert_eq!(story.stored().await, [1, 1, 1, 0, 0]);
    }
    assert_eq!(story.world.strava.count("revoke"), 0);
    story.ends(&[], &[]).await;
}

#[tokio::test]
async fn where_it_is_required_every_authorisation_ends_in_a_ticket() {
    let mut story = Story::begin().await;
    let user = Uuid::new_v4();
    let begun_before = story.authorization_url(user, &format!(r#"{{"redirect":"{APP_REDIRECT}"}}"#)).await;
    story.auth.authorize.is_confirm_required = true;
    story.callback.authorize.is_confirm_required = true;
    let begun_after = story.authorization_url(user, &format!(r#"{{"redirect":"{APP_REDIRECT}","confirm":false}}"#)).await;
    for url in [begun_before, begun_after] {
        let told: Url = location(&story.call_back(&story.approve(&url, SCOPES_ASKED).await).await).parse().unwrap();
        assert!(ticket(&told).len() >= 43);
    }
    assert_eq!(story.stored().await, [0, 0, 0, 1, 0], "the newer one stands for the grant");

    // Without an address of the app's the page leads there.
    let url = story.authorization_url(user, "").await;
    let page = story.call_back(&story.approve(&url, SCOPES_ASKED).await).await;
    let (status, body) = checked(&page);
    let body = body.as_str().unwrap();
    assert!(status == 200 && body.contains("Nothing is connected yet") && !body.contains("Strava is connected"), "{body}");
    let (_, link) = body.split_once(r#"<a href=""#).unwrap();
    let link = link.split_once('"').unwrap().0.replace("&#38;", "&").replace("&amp;", "&");
    assert!(link.starts_with(&format!("{APP_REDIRECT}?success=true&athlete_id={ATHLETE}&ticket=")), "{link}");
    assert_eq!(story.present(user, &ticket(&link.parse().unwrap())).await.0, 200);
    assert_eq!(story.linked_to(user).await, 1);
    story.ends(&[], &[]).await;
}

#[tokio::test]
async fn what_is_no_confirmation_is_refused_and_spends_nothing() {
    let story = Story::begin().await;
    let user = Uuid::new_v4();
    let ticket = ticket(&story.to_confirm(user, ATHLETE).await);
    let token = story.world.issuer.token(user);
    let with = |more: &str| format!(r#"{{"ticket":"{ticket}"{more}}}"#);
    for (method, path, token, body, status) in [
        ("POST", "/strava-auth/confirm", None, with(""), 401),
        ("GET", "/strava-auth/confirm", Some(&token), String::new(), 405),
        ("POST", "/strava-auth/confirm/", Some(&token), with(""), 404),
        ("POST", "/strava-auth/confirmed", Some(&token), with(""), 404),
        ("POST", "/strava-auth/confirm", Some(&token), String::new(), 400),
        ("POST", "/strava-auth/confirm", Some(&token), r#"{"ticket":7}"#.to_owned(), 400),
        ("POST", "/strava-auth/confirm", Some(&token), r#"{"ticket":""}"#.to_owned(), 404),
        ("POST", "/strava-auth/confirm", Some(&token), with(r#","athlete_id":5"#), 403),
        ("POST", "/strava-auth/confirm?athlete_id=x", Some(&token), with(""), 400),
        ("OPTIONS", "/strava-auth/confirm", None, String::new(), 204),
    ] {
        let answer = checked(&strava_auth::handle(&story.auth, request(method, path, token.map(String::as_str), &body)).await);
        assert_eq!(answer.0, status, "{method} {path} {}", answer.1);
    }
    assert_eq!(story.stored().await, [0, 0, 0, 1, 0]);
    story.world.clock.advance(590);
    assert_eq!(story.present(user, &ticket).await.0, 200);
    story.ends(&[ticket], &[]).await;
}

#[tokio::test]
async fn a_fault_of_ours_leaves_the_ticket_for_another_try() {
    let story = Story::begin().await;
    let user = Uuid::new_v4();
    let ticket = ticket(&story.to_confirm(user, ATHLETE).await);
    let owner = story.world.database.owner().await;
    owner.batch_execute("ALTER TABLE strava_tokens RENAME TO hidden").await.unwrap();
    assert_eq!(code(&story.present(user, &ticket).await), (500, "INTERNAL_ERROR"));
    owner.batch_execute("ALTER TABLE hidden RENAME TO strava_tokens").await.unwrap();
    assert_eq!(story.stored().await, [0, 0, 0, 1, 0], "nothing is half connected");
    assert_eq!(story.present(user, &ticket).await.0, 200);
    story.ends(&[ticket], &["The request failed"]).await;
}

#[tokio::test]
async fn what_is_sealed_for_one_ticket_opens_for_no_other() {
    let story = Story::begin().await;
    story.world.strava.add_athlete(MALLORYS_ATHLETE, "Mallory", vec![]);
    let user = Uuid::new_v4();
    story.to_confirm(Uuid::new_v4(), ATHLETE).await;
    let owner = story.world.database.owner().await;
    owner.batch_execute("CREATE TEMP TABLE older AS SELECT exchange FROM oauth_tickets").await.unwrap();
    let own = ticket(&story.to_confirm(user, ATHLETE).await);
    story.to_confirm(Uuid::new_v4(), MALLORYS_ATHLETE).await;
    // Of another ticket of the same athlete, of another athlete, of another column.
    let of_same = "SELECT exchange FROM older".to_owned();
    let of_other = format!("SELECT exchange FROM oauth_tickets WHERE athlete_id = {MALLORYS_ATHLETE}");
    let of_column = format!("SELECT refresh_token FROM oauth_tickets WHERE auth_user_id = '{user}'");
    owner.batch_execute("CREATE TEMP TABLE kept AS SELECT id, exchange FROM oauth_tickets").await.unwrap();
    for source in [of_same, of_other, of_column] {
        owner.batch_execute(&format!("UPDATE oauth_tickets SET exchange = ({source}) WHERE auth_user_id = '{user}'")).await.unwrap();
        assert_eq!(code(&story.present(user, &own).await), (500, "INTERNAL_ERROR"));
        assert_eq!(story.stored().await, [0, 0, 0, 2, 0]);
        owner.batch_execute("UPDATE oauth_tickets t SET exchange = k.exchange FROM kept k WHERE k.id = t.id").await.unwrap();
    }
    assert_eq!(story.present(user, &own).await.0, 200);
    story.ends(&[own], &["does not open for this athlete and purpose"]).await;
}

#[tokio::test]
async fn a_ticket_whose_key_is_lost_names_it_and_opens_when_the_key_is_back() {
    let mut story = Story::begin().await;
    let user = Uuid::new_v4();
    let ticket = ticket(&story.to_confirm(user, ATHLETE).await);
    let ring = testkit::world::new_token_key("other");
    let right = std::mem::replace(&mut story.auth.vault, Vault::from_ring(&ring.into()).unwrap());
    assert_eq!(code(&story.present(user, &ticket).await), (500, "INTERNAL_ERROR"));
    story.auth.vault = right;
    assert_eq!(story.present(user, &ticket).await.0, 200);
    story.ends(&[ticket], &[r#"sealed with key \"test\", which TOKEN_KEYS does not hold"#]).await;
}
