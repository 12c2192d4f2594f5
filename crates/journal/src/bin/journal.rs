//! The Lambda function `journal`.

use std::convert::Infallible;

use journal::api::{App, handle};
use lambda_http::{Request, run, service_fn};
use runaway_core::config::Settings;
use runaway_core::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let app = App::new(&Settings::load().await?)?;
    run(service_fn(|request: Request| async { Ok::<_, Infallible>(handle(&app, request).await) })).await
}
