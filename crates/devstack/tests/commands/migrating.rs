//! `make migrate`.

use serde_json::{Value, json};
use testkit::TestDatabase;
use testkit::database::required;
use tokio_postgres::NoTls;
use uuid::Uuid;

use crate::Clone;

/// Address of a new and empty database.
async fn empty_database() -> String {
    let mut url: url::Url = required("DATABASE_ADMIN_URL").parse().unwrap();
    let (client, connection) = tokio_postgres::connect(url.as_str(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let name = format!("pending_{}", Uuid::new_v4().simple());
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    url.set_path(&name);
    url.into()
}

#[tokio::test]
async fn pending_migrations_are_shown_and_applied_on_a_yes_only() {
    let clone = Clone::new();
    let url = empty_database().await;
    let (first, last) = (migrate::MIGRATIONS[0].0, migrate::MIGRATIONS.last().unwrap().0);
    let all = migrate::MIGRATIONS.len();

    clone.run(&["migrate"], &[("DATABASE_ADMIN_URL", &url)]).assert_refused(&["Pending in", first, last, "say YES=1"]);
    assert_eq!(migrate::pending_with_ca(&url, None).await.unwrap().pending.len(), all, "looking changes nothing");
    clone.run(&["migrate"], &[("DATABASE_ADMIN_URL", &url), ("YES", "1")]).assert_done(&[
        first,
        last,
        &format!("Applied {all} migrations"),
    ]);
    clone.run(&["migrate"], &[("DATABASE_ADMIN_URL", &url)]).assert_done(&["Nothing is pending"]);
}

#[tokio::test]
async fn only_what_is_missing_is_pending() {
    let database = TestDatabase::new().await;
    let last = migrate::MIGRATIONS.last().unwrap().0;
    let sql = "DELETE FROM runaway_migrations WHERE version = (SELECT max(version) FROM runaway_migrations)";
    database.owner().await.batch_execute(sql).await.unwrap();
    assert_eq!(migrate::pending_with_ca(&database.admin_url(), None).await.unwrap().pending, [last]);
}

#[tokio::test]
async fn moving_over_says_where_and_what_and_begins_on_a_yes_only() {
    let (clone, database) = (Clone::new(), TestDatabase::empty().await);
    let admin = database.admin().await;
    admin.batch_execute(include_str!("../../../migrate/tests/move_over/live.sql")).await.unwrap();
    let (url, ring) = (database.admin_url(), testkit::world::new_token_key("k1"));
    let name = url::Url::parse(&url).unwrap().path().trim_start_matches('/').to_owned();
    let variables = [("DATABASE_ADMIN_URL", url.as_str()), ("TOKEN_KEYS", &ring), ("YES", "1")];
    let place = format!("in the database {name} on ");
    clone.run(&["move-over"], &variables[..2]).assert_refused(&[&place, "objects of the predecessor's leave public", "say YES=1"]);
    let is_untouched = "SELECT to_regclass('public.activity_types') IS NOT NULL AND to_regnamespace('predecessor') IS NULL";
    assert!(admin.query_one(is_untouched, &[]).await.unwrap().get::<_, bool>(0));
    clone.run(&["move-over"], &variables).assert_done(&[&place, "were set aside into the schema predecessor now", "Both sides are equal"]);
    clone.run(&["move-over"], &variables).assert_done(&["are in the schema predecessor already"]);
}

/// The function answers into the file that stands last.
fn answering(dry_run: &Value, applied: &Value) -> String {
    format!(
        r#"for last; do :; done
event=$(cat "$(printf '%s' "$6" | sed 's,fileb://,,')")
case "$event" in
'{{"dry_run":true}}') printf '%s' '{dry_run}' > "$last" ;;
'{{"dry_run":false}}') printf '%s' '{applied}' > "$last" ;;
esac
echo '{{"StatusCode":200}}'"#
    )
}

#[test]
fn a_deployed_database_is_migrated_by_its_function() {
    let clone = Clone::new();
    let (pending, applied) = (json!({ "pending": ["0012_endings"], "applied": [] }), json!({ "pending": [], "applied": ["V12__endings"] }));
    clone.stand_in_for_aws(&[], &answering(&pending, &applied));
    let region = ("AWS_REGION", "eu-west-3");
    clone.run(&["migrate"], &[region, ("STACK", "blue")]).assert_refused(&["0012_endings", "the stack blue in eu-west-3", "say YES=1"]);
    clone.run(&["migrate"], &[region, ("STACK", "blue"), ("YES", "1")]).assert_done(&["Applied 1 migrations"]);
    let calls = clone.calls();
    assert_eq!(calls.len(), 3, "looked, looked and applied: {calls:?}");
    for call in calls {
        assert!(call.starts_with("aws lambda invoke --function-name blue-migrate --payload fileb://"), "{call}");
        assert!(call.contains("--region eu-west-3") && call.contains("--cli-read-timeout 900"), "{call}");
    }
}

#[test]
fn a_function_that_fails_says_why_and_without_a_place_nothing_is_done() {
    let clone = Clone::new();
    let failing = r#"for last; do :; done
echo '{"errorMessage":"connecting to the database"}' > "$last"; echo '{"StatusCode":200,"FunctionError":"Unhandled"}'"#;
    clone.stand_in_for_aws(&[], failing);
    clone.run(&["migrate"], &[]).assert_refused(&["runaway-migrate failed: connecting to the database"]);
    clone.run(&["migrate"], &[("AWS_REGION", "")]).assert_refused(&["neither DATABASE_ADMIN_URL nor a stack", "AWS_REGION is not set"]);
}
