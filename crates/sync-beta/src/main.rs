//! The Lambda function `sync-beta`.

use std::convert::Infallible;

use lambda_http::{Request, run, service_fn};
use runaway_core::config::Settings;
use runaway_core::telemetry;
use sync_beta::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let app = App::new(&Settings::load().await?).await?;
    run(service_fn(|request: Request| async { Ok::<_, Infallible>(sync_beta::handle(&app, request).await) })).await
}
