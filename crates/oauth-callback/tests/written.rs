//! What the built function writes to its log, its libraries included: nothing of what the browser or Strava brings.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::path::Path;

use runaway_core::strava::SCOPES_ASKED;
use serde_json::Value;
use testkit::World;
use testkit::call::{checked, request};
use testkit::fake_strava::{Fault, On};
use testkit::marks::{FIRST_NAME, Marks, NONSENSE, add_athlete};
use testkit::recorded::{rest_get, rest_post};
use testkit::runtime::{Process, RuntimeApi};
use url::Url;

const ATHLETE: i64 = 4711;

/// An authorisation that is begun: its state.
async fn begin(world: &World) -> String {
    let auth = strava_auth::App::new(&world.settings()).await.unwrap();
    let (_, answer) = checked(&strava_auth::handle(&auth, request("POST", "/strava-auth", Some(&world.token()), "")).await);
    let url: Url = answer["authorization_url"].as_str().unwrap().parse().unwrap();
    url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
}

#[tokio::test]
async fn the_callback_writes_nothing_of_what_it_is_brought_at_any_level() {
    for level in ["", "TRACE"] {
        let world = World::new().await;
        add_athlete(&world.strava, ATHLETE, 1, world.clock.production().now());
        let mut marks = Marks::default();
        let mut events = Vec::new();
        // Refused by the athlete, by Strava, not answered by Strava, and connected.
        for n in 0..4 {
            let (state, code) = (begin(&world).await, world.strava.authorize(ATHLETE, SCOPES_ASKED));
            marks.add("a state", &state);
            let query = match n {
                0 => format!("state={state}&error=access_denied&error_description={NONSENSE}"),
                1 => format!("state={state}&code={NONSENSE}"),
                _ => format!("state={state}&code={code}&scope={SCOPES_ASKED}"),
            };
            events.push(rest_get(&format!("/oauth-callback?{query}"), None));
        }
        events.push(rest_get(&format!("/oauth-callback?state={NONSENSE}&code={NONSENSE}&scope={NONSENSE}"), None));
        events.push(rest_post(&format!("/oauth-callback/{NONSENSE}"), None, NONSENSE));
        world.strava.fail(On::Exchange(2), Fault::Html);
        let mut environment = world.environment().to_vec();
        environment.push(("AWS_LAMBDA_LOG_LEVEL", level.to_owned()));
        let api = RuntimeApi::start().await;
        let mut function = Process::start(Path::new(env!("CARGO_BIN_EXE_oauth-callback")), "oauth-callback", &api, &environment);
        let mut answers = Vec::new();
        for event in events {
            answers.push(function.hand(event).await.json());
        }
        function.kill();
        let log = function.log();

        world.strava.secrets().iter().for_each(|secret| marks.add("a secret of Strava's", secret));
        for text in answers.iter().map(Value::to_string).chain(log.lines().map(str::to_owned)) {
            marks.assert_absent("an answer or the log", &text);
        }
        let statuses: Vec<&Value> = answers.iter().map(|answer| &answer["statusCode"]).collect();
        assert_eq!(statuses, [403, 502, 503, 200, 400, 404], "{answers:?}");
        assert_eq!(world.database.count(&format!("SELECT count(*) FROM athletes WHERE first_name = '{FIRST_NAME}'")).await, 1);
        assert!(log.contains("A Strava authorisation ended"), "{log}");
    }
}
