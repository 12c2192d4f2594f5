//! The Lambda function `oauth-callback`.

use std::convert::Infallible;

use lambda_http::{Request, run, service_fn};
use oauth_callback::App;
use runaway_core::config::Settings;
use runaway_core::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let app = App::new(&Settings::load().await?).await?;
    run(service_fn(|request: Request| async { Ok::<_, Infallible>(oauth_callback::handle(&app, request).await) })).await
}
