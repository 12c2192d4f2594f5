//! The Lambda function `disconnect`.

use std::convert::Infallible;

use disconnect::App;
use lambda_http::{Request, run, service_fn};
use runaway_core::config::Settings;
use runaway_core::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let app = App::new(&Settings::load().await?)?;
    run(service_fn(|request: Request| async { Ok::<_, Infallible>(disconnect::handle(&app, request).await) })).await
}
