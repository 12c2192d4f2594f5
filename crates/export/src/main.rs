//! The Lambda function `export`.

use std::convert::Infallible;
use std::sync::Arc;

use export::App;
use lambda_http::{Request, run_with_streaming_response, service_fn};
use runaway_core::config::Settings;
use runaway_core::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let app = Arc::new(App::new(&Settings::load().await?)?);
    run_with_streaming_response(service_fn(|request: Request| async { Ok::<_, Infallible>(export::handle(&app, request).await) })).await
}
