//! The Lambda function `sync-processor`.

use lambda_runtime::{LambdaEvent, run, service_fn};
use runaway_core::config::Settings;
use runaway_core::telemetry;
use serde_json::Value;
use sync_processor::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let app = App::new(&Settings::load().await?).await?;
    run(service_fn(|LambdaEvent { payload, context, .. }: LambdaEvent<Value>| {
        telemetry::invocation(context.request_id.clone(), sync_processor::handle(&app, payload, context.deadline()))
    }))
    .await
}
