//! Strava subscribes the address: it calls the function over HTTP before it says yes.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::sync::Arc;

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::{Request, State};
use axum::http::Response;
use lambda_http::Body;
use runaway_core::strava::StravaError;
use secrecy::{ExposeSecret as _, SecretString};
use testkit::World;
use testkit::call::request;
use testkit::fake_strava::FIRST_SUBSCRIPTION_ID;

/// Plays the gateway: hands each call to the function.
async fn gateway(app: strava_webhook::App) -> String {
    let serve = async |State(app): State<Arc<strava_webhook::App>>, call: Request| {
        let path = call.uri().path_and_query().unwrap().as_str().strip_prefix("/functions/v1").unwrap().to_owned();
        let (parts, body) = strava_webhook::handle(&app, request(call.method().as_str(), &path, None, "")).await.into_parts();
        let text = if let Body::Text(text) = body { text } else { String::new() };
        Response::from_parts(parts, HttpBody::from(text))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/functions/v1", listener.local_addr().unwrap());
    let router = Router::new().fallback(serve).with_state(Arc::new(app));
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

#[tokio::test]
async fn a_subscription_is_made_listed_and_ended() {
    let world = World::new().await;
    let base = gateway(strava_webhook::App::new(&world.settings()).await.unwrap()).await;
    let (strava, verify_token) = (world.strava_client(), SecretString::from(world.verify_token.clone()));
    let address = format!("{base}/strava-webhook/{}", world.webhook_path);

    // An address that does not answer as it should is not subscribed, whichever part is wrong.
    for (wrong, token) in [
        (format!("{base}/strava-webhook"), &verify_token),
        (format!("{base}/strava-webhook/elsewhere"), &verify_token),
        (address.clone(), &SecretString::from("another-token")),
        ("http://127.0.0.1:1/".to_owned(), &verify_token),
    ] {
        let refused = strava.create_subscription(&wrong, token).await;
        assert!(matches!(refused, Err(StravaError::Unexpected { status: 400 })), "{refused:?}");
    }
    assert!(strava.list_subscriptions().await.unwrap().is_empty());

    assert_eq!(strava.create_subscription(&address, &verify_token).await.unwrap().id, FIRST_SUBSCRIPTION_ID);
    let second = strava.create_subscription(&address, &verify_token).await;
    assert!(matches!(second, Err(StravaError::Unexpected { status: 400 })), "there is one per application");
    let listed = strava.list_subscriptions().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].callback_url.as_ref().unwrap().expose_secret(), address);
    assert!(!format!("{listed:?}").contains(&world.webhook_path), "the address is not to be printed");

    assert!(matches!(strava.delete_subscription(17).await, Err(StravaError::NotFound)));
    strava.delete_subscription(FIRST_SUBSCRIPTION_ID).await.unwrap();
    assert!(strava.list_subscriptions().await.unwrap().is_empty());
    world.strava.assert_nothing_unexpected();
}
