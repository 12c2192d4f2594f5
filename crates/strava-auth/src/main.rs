//! The Lambda function `strava-auth`.

use std::convert::Infallible;

use lambda_http::{Request, run, service_fn};
use runaway_core::config::Settings;
use runaway_core::telemetry;
use strava_auth::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let app = App::new(&Settings::load().await?).await?;
    run(service_fn(|request: Request| async { Ok::<_, Infallible>(strava_auth::handle(&app, request).await) })).await
}
