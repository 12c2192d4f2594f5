//! Archives that do not come to their end: the reader leaves or sleeps, the database goes, time runs out.

use std::io::Cursor;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use export::PIECE_BYTES_MAX;
use lambda_http::{Context, RequestExt as _};
use testkit::call::request;
use zip::ZipArchive;

use crate::story::*;

/// Enough for many pieces.
const ACTIVITIES: i64 = 4_000;
/// How long a test waits for what has to come.
const SOON: Duration = Duration::from_secs(10);

async fn transactions_end(story: &Story) {
    let begun = std::time::Instant::now();
    while !story.open_transactions().await.is_empty() {
        assert!(begun.elapsed() < SOON, "a connection is still held");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn lines_with(story: &Story, text: &str) -> usize {
    story.world.logs.lines().iter().filter(|line| line.contains(text)).count()
}

fn assert_not_an_archive(bytes: Vec<u8>) {
    assert!(bytes.len() > PIECE_BYTES_MAX, "it had begun");
    assert!(ZipArchive::new(Cursor::new(bytes)).is_err(), "half an archive opens as a whole one");
}

#[tokio::test]
async fn a_reader_who_leaves_half_way_frees_the_connection() {
    let story = Story::with(ACTIVITIES).await;
    let mut body = story.exported().await;
    let bytes = pieces(&mut body, 3).await;
    assert_eq!(story.open_transactions().await.len(), 1);
    drop(body);
    transactions_end(&story).await;
    assert_not_an_archive(bytes);
    assert_eq!(lines_with(&story, "The reader of an export left before its end"), 1);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn a_reader_who_sleeps_holds_up_the_reading_and_then_counts_as_gone() {
    let story = Story::with_app(ACTIVITIES, |app| app.reader_patience = Duration::from_secs(2)).await;
    let mut body = story.exported().await;
    let mut bytes = pieces(&mut body, 3).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    // What is on its way and what waits are two pieces; the rest has not left the table that fills them.
    let asked_for = story.open_transactions().await;
    assert!(asked_for.len() == 1 && asked_for[0].ends_with("FROM activity_raw"), "{asked_for:?}");
    transactions_end(&story).await;
    let (more, is_whole) = rest(body).await;
    assert!(!is_whole && more.len() <= 2 * PIECE_BYTES_MAX, "{} bytes were kept", more.len());
    bytes.extend(more);
    assert_not_an_archive(bytes);
    story.world.assert_in_order(&[]).await;
}

#[tokio::test]
async fn a_database_that_goes_leaves_a_visibly_broken_archive_and_one_line() {
    let story = Story::with(ACTIVITIES).await;
    let mut body = story.exported().await;
    let mut bytes = pieces(&mut body, 2).await;
    assert!(story.world.database.shut().await >= 1);
    let (more, is_whole) = rest(body).await;
    story.world.database.reopen().await;
    assert!(!is_whole, "the body ends in an error");
    bytes.extend(more);
    assert_not_an_archive(bytes);
    assert_eq!(lines_with(&story, "The request failed"), 1);
    story.world.assert_in_order(&["The request failed"]).await;
}

#[tokio::test]
async fn when_the_functions_time_is_over_the_archive_is_visibly_broken() {
    let story = Story::with(10).await;
    let mut context = Context::default();
    let soon = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(1);
    context.deadline = u64::try_from(soon.as_millis()).unwrap();
    let request = request("GET", "/export", Some(&story.world.token()), "").with_lambda_context(context);
    let (bytes, is_whole) = rest(story.begin(request).await.into_body()).await;
    assert!(!is_whole && ZipArchive::new(Cursor::new(bytes)).is_err());
    transactions_end(&story).await;
    assert_eq!(lines_with(&story, "the export took longer than the function may"), 1);
    story.world.assert_in_order(&["The request failed"]).await;
}
