//! Faults on purpose. Each row of `docs/faults.md` is measured here: that the fault really happened, what arrived, and
//! what it cost.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is missing")]

mod killed;
#[path = "../stories/story.rs"]
#[expect(dead_code, reason = "the stories use more of it")]
mod story;
mod strava;
mod table;

use testkit::fake_strava::Fault;

#[tokio::test]
async fn nothing_is_lost_and_nothing_doubled() {
    let quarter_s = 15 * 60 + 30;
    let inactive = ["Strava refuses this application"];
    let rows = [
        killed::over_an_answer("killed while the first page is asked for", 1, Fault::Held).await,
        killed::over_an_answer("killed over half of the first page", 1, Fault::HeldBody).await,
        killed::over_a_lock("killed while the first page's mark is written", "SELECT 1 FROM sync_jobs FOR UPDATE", 1).await,
        killed::over_a_lock("killed while the first page's activities are written", "LOCK TABLE activities IN EXCLUSIVE MODE", 1).await,
        killed::over_an_answer("killed after the first page is saved", 2, Fault::Held).await,
        killed::over_an_answer("killed over half of the second page", 2, Fault::HeldBody).await,
        killed::over_a_lock("killed while the budget of a call is counted", "SELECT 1 FROM strava_rate_budget FOR UPDATE", 2).await,
        killed::over_an_answer("killed before the end is believed", 6, Fault::Held).await,
        strava::messages("message lost", 0).await,
        strava::messages("message delivered three times", 3).await,
        strava::answers("429 of a quarter hour", Fault::RateLimitedShort, &[2], quarter_s, &[]).await,
        strava::answers("429 of a day", Fault::RateLimitedDaily, &[2], 24 * 3600 + 60, &[]).await,
        strava::answers("401 in the middle", Fault::TokenExpires, &[2], 0, &[]).await,
        strava::answers("403, the application is inactive", Fault::Inactive, &[2], quarter_s, &inactive).await,
        strava::answers("404 of a listing", Fault::NotFound, &[2], quarter_s, &[]).await,
        strava::answers("500, once", Fault::Status(500), &[2], 0, &[]).await,
        strava::answers("503, three times", Fault::Status(503), &[2, 3, 4], quarter_s, &[]).await,
        strava::answers("truncated JSON", Fault::Truncated, &[2], 0, &[]).await,
        strava::answers("a page of HTML, three times", Fault::Html, &[2, 3, 4], quarter_s, &[]).await,
        strava::answers("an empty page in the middle", Fault::Empty, &[2], 0, &[]).await,
        strava::changes("uploaded during the walk", strava::Change::Uploaded).await,
        strava::changes("back-dated during the walk", strava::Change::BackDated).await,
        strava::changes("deleted during the walk", strava::Change::Deleted).await,
    ];
    table::settle(&rows);
}
