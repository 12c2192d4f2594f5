//! Stories of authorisations that meet an ending, or another authorisation of the same athlete.

use std::time::Duration;

use runaway_core::db::athletes::Profile;
use runaway_core::db::oauth_states;
use runaway_core::flows::{self, Granted};
use runaway_core::strava::Tokens;
use runaway_core::vault::fingerprint;
use testkit::fake_strava::Gate;

use super::confirm::{TICKET_NOT_FOUND, code, ticket};
use super::*;

impl Story {
    async fn delete_account(&self, user: Uuid) -> u16 {
        let mut app = delete_account::App::new(&self.world.settings()).unwrap();
        app.clock = self.world.clock.production();
        let token = self.world.issuer.token(user);
        delete_account::handle(&app, request("DELETE", "/delete-account", Some(&token), "")).await.status().as_u16()
    }

    async fn disconnect(&self, user: Uuid) -> u16 {
        let mut app = disconnect::App::new(&self.world.settings()).unwrap();
        app.clock = self.world.clock.production();
        let token = self.world.issuer.token(user);
        disconnect::handle(&app, request("POST", "/disconnect", Some(&token), "")).await.status().as_u16()
    }

    /// The tokens that are held, sealed.
    async fn tokens(&self) -> (Vec<u8>, Vec<u8>) {
        let sql = "SELECT access_token, refresh_token FROM strava_tokens";
        let row = self.world.database.owner().await.query_one(sql, &[]).await.unwrap();
        (row.get(0), row.get(1))
    }
}

#[tokio::test]
async fn who_deletes_the_account_has_begun_nothing() {
    let story = Story::begin().await;
    story.world.strava.add_athlete(ATHLETE + 1, "Bo", vec![]);
    let (user, stranger) = (Uuid::new_v4(), Uuid::new_v4());
    story.connect(user).await;
    // Begun by the user with another athlete, and by a stranger with the user's.
    let begun = ticket(&story.to_confirm(user, ATHLETE + 1).await);
    let strangers = ticket(&story.to_confirm(stranger, ATHLETE).await);
    assert_eq!(story.delete_account(user).await, 200);
    assert_eq!(story.stored().await, [0, 0, 0, 0, 0]);
    assert!(!story.world.strava.is_granted(ATHLETE) && !story.world.strava.is_granted(ATHLETE + 1));
    for (user, ticket) in [(user, &begun), (stranger, &strangers)] {
        assert_eq!(code(&story.present(user, ticket).await), TICKET_NOT_FOUND);
    }
    story.world.queue.take().await;
    story.ends(&[begun, strangers], &[]).await;
}

#[tokio::test]
async fn who_disconnects_has_begun_nothing() {
    let story = Story::begin().await;
    story.world.strava.add_athlete(ATHLETE + 1, "Bo", vec![]);
    let (user, stranger) = (Uuid::new_v4(), Uuid::new_v4());
    story.connect(user).await;
    let begun = ticket(&story.to_confirm(user, ATHLETE + 1).await);
    let strangers = ticket(&story.to_confirm(stranger, ATHLETE).await);
    assert_eq!(story.disconnect(user).await, 200);
    assert_eq!(story.stored().await, [1, 0, 1, 0, 0]);
    assert!(!story.world.strava.is_granted(ATHLETE) && !story.world.strava.is_granted(ATHLETE + 1));
    for (user, ticket) in [(user, &begun), (stranger, &strangers)] {
        assert_eq!(code(&story.present(user, ticket).await), TICKET_NOT_FOUND);
    }
    // Nor has somebody who never had an athlete.
    let begun = ticket(&story.to_confirm(stranger, ATHLETE + 1).await);
    assert_eq!(story.disconnect(stranger).await, 200);
    assert_eq!(code(&story.present(stranger, &begun).await), TICKET_NOT_FOUND);
    story.world.queue.take().await;
    story.ends(&[begun, strangers], &[]).await;
}

#[tokio::test]
async fn an_account_deleted_while_strava_is_asked_stays_deleted() {
    for confirm in [false, true] {
        let story = Story::begin().await;
        let user = Uuid::new_v4();
        let url = story.authorization_url(user, &format!(r#"{{"redirect":"{APP_REDIRECT}","confirm":{confirm}}}"#)).await;
        let path = story.approve(&url, SCOPES_ASKED).await;
        let gate = Gate::default();
        story.world.strava.fail(On::Exchange(1), Fault::Held(gate.clone()));
        let deleted = async {
            gate.arrival().await;
            let status = story.delete_account(user).await;
            gate.open();
            status
        };
        let (told, status) = tokio::join!(story.call_back(&path), deleted);
        assert_eq!((status, location(&told)), (200, format!("{APP_REDIRECT}?success=false&error=state_invalid").as_str()));
        assert_eq!((story.stored().await, story.world.strava.is_granted(ATHLETE)), ([0; 5], false));
        assert!(story.world.queue.take().await.records.is_empty());
        story.ends(&[], &[]).await;
    }
}

#[tokio::test]
async fn an_athlete_linked_beside_the_erasure_is_erased_by_it() {
    let story = Story::begin().await;
    let user = Uuid::new_v4();
    let url = story.authorization_url(user, "").await;
    let state_hash = fingerprint(url.query_pairs().find(|(name, _)| name == "state").unwrap().1.as_bytes());
    let (db, now) = (story.world.db(), story.world.clock.production().now());
    let tx = db.system().await.unwrap();
    assert!(oauth_states::take(&tx, &state_hash, now).await.unwrap().is_some());
    tx.commit().await.unwrap();

    let tokens = Tokens { access: "invented access".to_owned().into(), refresh: "invented refresh".to_owned().into(), expires_at: now };
    let granted = Granted { tokens, athlete: Profile { id: ATHLETE, ..Profile::default() }, scopes: vec![], at: now };
    let tx = db.system().await.unwrap();
    assert!(flows::link(&tx, &story.world.vault(), user, &granted, now).await.unwrap().is_some());
    assert!(oauth_states::spend(&tx, &state_hash).await.unwrap());
    let linked = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        tx.commit().await.unwrap();
    };
    let (status, ()) = tokio::join!(story.delete_account(user), linked);
    assert_eq!((status, story.stored().await), (200, [0; 5]));
    assert_eq!(story.count("SELECT count(*) FROM erasure_receipts").await, 1);
    story.ends(&[], &[]).await;
}

#[tokio::test]
async fn a_ticket_that_ends_leaves_the_grant_of_a_newer_one() {
    let story = Story::begin().await;
    let (mallory, alice) = (Uuid::new_v4(), Uuid::new_v4());
    let older = ticket(&story.to_confirm(mallory, ATHLETE).await);
    story.world.clock.advance(500);
    let newer = ticket(&story.to_confirm(alice, ATHLETE).await);
    story.world.clock.advance(200);
    story.night().await;
    assert_eq!(code(&story.present(alice, &older).await), TICKET_NOT_FOUND);
    assert!(story.world.strava.is_granted(ATHLETE) && story.world.strava.count("revoke") == 0);
    assert_eq!(story.present(alice, &newer).await.0, 200);
    assert_eq!((story.linked_to(alice).await, story.stored().await), (1, [1, 1, 1, 0, 0]));
    story.world.queue.take().await;
    story.ends(&[older, newer], &[]).await;
}

#[tokio::test]
async fn a_confirmation_replaces_older_tokens_and_no_newer_ones() {
    for is_refreshed in [false, true] {
        let story = Story::begin().await;
        let user = Uuid::new_v4();
        story.connect(user).await;
        let ticket = ticket(&story.to_confirm(user, ATHLETE).await);
        let refreshed = format!(
            "UPDATE strava_tokens SET scopes = '{{}}', updated_at = updated_at + make_interval(mins => {})",
            i32::from(is_refreshed)
        );
        story.world.database.owner().await.batch_execute(&refreshed).await.unwrap();
        let before = story.tokens().await;
        assert_eq!(story.present(user, &ticket).await.0, 200);
        assert_eq!(story.tokens().await == before, is_refreshed);
        assert_eq!(story.count("SELECT cardinality(scopes)::bigint FROM strava_tokens").await, 3, "the scopes are the confirmed ones");
        story.world.queue.take().await;
        story.ends(&[ticket], &[]).await;
    }
}
