//! The shape of the live database, and databases without a predecessor.

use migrate::move_over::{self, Comparison, Move};
use testkit::{TestDatabase, World};

use crate::{check, expected, fates, run};

const ROWS: &str = r#"
    INSERT INTO activity_types VALUES (103, 'Run'), (121, 'Trail Run');
    INSERT INTO athletes (id, auth_user_id, first_name, access_token, refresh_token, token_expires_at, strava_connected, strava_connected_at, strava_athlete_id, profile_medium) VALUES
      (17, '00000000-0000-4000-8000-000000000001', 'Ada', 'a-17', 'r-17', '2020-01-01', true, '2025-01-01', 4711, 'https://pictures/1'),
      (18, '00000000-0000-4000-8000-000000000002', 'Bo', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
      (4712, '00000000-0000-4000-8000-000000000003', 'Cy', NULL, 'r-4712', NULL, true, '2024-01-01', NULL, NULL),
      (20, '00000000-0000-4000-8000-000000000005', 'Ed', 'a-20', NULL, NULL, true, '2024-01-01', 4714, NULL),
      (19, '00000000-0000-4000-8000-000000000004', 'Di', 'a-19', 'r-19', NULL, false, '2024-01-01', 4713, NULL);
    UPDATE athletes SET strava_disconnected_at = '2025-06-01' WHERE id = 19;
    INSERT INTO activities (id, athlete_id, activity_type_id, name, description, activity_date, start_time, distance, moving_time, elevation_high, start_latitude, start_longitude, raw_data) VALUES
      (1, 17, 121, 'Hills', '', '2026-01-04 23:30+00', '2026-01-05 00:30', 9000, 3000, 120, 38.5, -120.2, NULL),
      (2, 17, 103, 'Flat', 'slowly', '2026-01-06 06:30+00', NULL, 5000, 1500, NULL, NULL, -120.2, '{"start_date_local": "2026-01-06T07:30:00Z", "sport_type": "VirtualRun"}'),
      (3, 17, NULL, 'What', NULL, '2026-01-07 06:30+00', '2026-01-07 06:30', 1, 1, NULL, NULL, NULL, NULL),
      (4, 18, 103, 'Own number', NULL, '2026-01-07 06:30+00', '2026-01-07 06:30', 1, 1, NULL, NULL, NULL, NULL);
    INSERT INTO conversations VALUES (gen_random_uuid(), '17', '[]');"#;

#[tokio::test]
async fn live_tables_move_views_and_functions_leave_the_public_and_numbers_become_stravas() {
    let world = World::new().await;
    let (database, vault) = (TestDatabase::empty().await, world.vault());
    let admin = database.admin().await;
    admin.batch_execute(include_str!("live.sql")).await.unwrap();
    admin.batch_execute(ROWS).await.unwrap();
    let url = database.admin_url();
    let what = Move { admin_url: &url, ca_pem: None, vault: &vault };
    let ahead = move_over::ahead(&what).await.unwrap();
    let moved = run(&database, &vault, |_| ()).await;
    assert!(moved.set_aside >= 10 && ahead == Some(moved.set_aside), "{ahead:?}, {}", moved.set_aside);
    assert_eq!(move_over::ahead(&what).await.unwrap(), None, "they are set aside once");

    let comparisons = check(&database, &vault).await;
    assert!(comparisons.iter().all(Comparison::is_equal), "{comparisons:#?}");
    let mut athletes = fates(&moved, "athletes");
    assert_eq!(athletes.remove("columns kept without a home: email, health_consent_status"), Some(2), "{athletes:?}");
    assert_eq!(
        athletes,
        expected(&[("moved", 4), ("kept: never connected to Strava", 1), ("  of these connected without a token: they connect again", 1),])
    );
    let mut activities = fates(&moved, "activities");
    assert_eq!(activities.remove("columns kept without a home: calories, splits"), Some(2), "{activities:?}");
    assert_eq!(activities, expected(&[("moved", 2), ("kept: no sport", 1), ("kept: of an athlete who is not moved", 1)]));
    assert_eq!(fates(&moved, "conversations"), expected(&[("kept: no home for this table", 1)]));
    let tokens = fates(&moved, "strava_tokens, athletes, oauth_tokens (tokens)");
    assert_eq!(tokens, expected(&[("moved", 2), ("kept: of an athlete who has disconnected", 1), ("kept: no refresh token", 1),]));

    let is = async |sql: &str| assert_eq!(database.count(&format!("SELECT count(*) FROM {sql}")).await, 1, "{sql}");
    is("activities WHERE id = 1 AND athlete_id = 4711 AND type = 'TrailRun' AND local_date = '2026-01-05' AND description IS NULL").await;
    is("activities WHERE id = 1 AND elev_high = 120 AND start_latlng = '{38.5,-120.2}' AND utc_offset_s = 3600").await;
    is("activities WHERE id = 2 AND type = 'VirtualRun' AND start_date_local = '2026-01-06 07:30' AND start_latlng IS NULL").await;
    is("athletes WHERE id = 4711 AND profile = 'https://pictures/1' AND strava_connected").await;
    is("athletes WHERE id = 4713 AND NOT strava_connected AND strava_disconnected_at = '2025-06-01'").await;
    is("strava_tokens WHERE athlete_id = 4712 AND expires_at = 'epoch'").await;
    let left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND pg_get_userbyid(relowner) <> 'runaway_owner'
                   AND relkind IN ('r', 'v', 'S')";
    assert_eq!(database.count(left).await, 0, "nothing of the predecessor's is in public");
    let routines = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'predecessor'::regnamespace
                       AND proname IN ('best_split_pr', 'update_updated_at_column', 'pace_of', 'was_given')";
    assert_eq!(database.count(routines).await, 4, "also those that take a row or a type of the predecessor's");
    let entries = "SELECT count(*) FROM unnest(ARRAY['anon', 'authenticated', 'runaway_athlete', 'runaway_worker', 'runaway_system', 'runaway_app']) r
                    WHERE has_schema_privilege(r, 'predecessor', 'USAGE')";
    assert_eq!(database.count(entries).await, 0, "nobody but the owner may look");
}

#[tokio::test]
async fn a_database_without_a_predecessor_is_refused_and_left_as_it_is() {
    let (database, world) = (TestDatabase::empty().await, World::new().await);
    let (vault, url) = (world.vault(), database.admin_url());
    let what = Move { admin_url: &url, ca_pem: None, vault: &vault };
    let error = move_over::run(&what, |_| ()).await.unwrap_err().to_string();
    assert!(error.starts_with("there is no predecessor"), "{error}");
    assert!(database.admin().await.query_opt("SELECT 1 FROM pg_tables WHERE schemaname = 'public'", &[]).await.unwrap().is_none());

    // Our own tables are nobody's predecessor.
    let url = world.database.admin_url();
    let what = Move { admin_url: &url, ca_pem: None, vault: &vault };
    assert!(move_over::run(&what, |_| ()).await.unwrap_err().to_string().starts_with("there is no predecessor"));
    assert!(move_over::check(&what).await.is_err());
}
