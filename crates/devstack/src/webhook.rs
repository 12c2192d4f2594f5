//! The webhook's subscription at Strava: made, listed and ended with the settings of the functions. They are taken from
//! the person's environment where it has them, else from the running world.

use anyhow::{Context as _, ensure};
use runaway_core::config::{AuthorizeConfig, Settings, StravaConfig, WebhookConfig};
use runaway_core::strava::StravaClient;
use secrecy::ExposeSecret as _;

use crate::console::say;
use crate::operator::settings;

/// The longest address that Strava takes, bytes.
const CALLBACK_BYTES_MAX: usize = 255;

async fn client() -> anyhow::Result<(Settings, StravaClient)> {
    let settings = settings(&["STRAVA_CLIENT_SECRET", "RUNAWAY_SECRET_ARN"]).await?;
    let strava = StravaClient::new(settings.read(StravaConfig::read)?)?;
    Ok((settings, strava))
}

/// Says whether the application is subscribed.
pub(crate) async fn list() -> anyhow::Result<()> {
    let (settings, strava) = client().await?;
    let (webhook, authorize) = settings.read(|s| (WebhookConfig::read(s), AuthorizeConfig::read(s)))?;
    let address = address(&webhook, &authorize);
    let subscriptions = strava.list_subscriptions().await.context("asking Strava")?;
    if subscriptions.is_empty() {
        say("There is no subscription. `make webhook CREATE=1` makes one.");
    }
    for subscription in subscriptions {
        let is_ours = subscription.callback_url.as_ref().is_some_and(|url| url.expose_secret() == address);
        let leads = if is_ours { "to the configured address" } else { "to ANOTHER address" };
        let is_known = webhook.subscription_id == Some(subscription.id);
        let known = if is_known { "is this one" } else { "is NOT this one: its events are left alone" };
        say(&format!("Subscription {} leads {leads}; STRAVA_SUBSCRIPTION_ID {known}.", subscription.id));
    }
    Ok(())
}

/// Subscribes the configured address; Strava calls it before it answers.
pub(crate) async fn create() -> anyhow::Result<()> {
    let (settings, strava) = client().await?;
    let (webhook, authorize) = settings.read(|s| (WebhookConfig::read(s), AuthorizeConfig::read(s)))?;
    let address = address(&webhook, &authorize);
    ensure!(address.len() <= CALLBACK_BYTES_MAX, "the address is longer than the {CALLBACK_BYTES_MAX} bytes that Strava takes");
    let made = strava
        .create_subscription(&address, &webhook.verify_token)
        .await
        .context("Strava did not subscribe: does the address answer from outside, and is there no other subscription?")?;
    say(&format!("Subscribed. Set STRAVA_SUBSCRIPTION_ID={} for the functions.", made.id));
    Ok(())
}

/// Ends a subscription.
pub(crate) async fn delete(id: i64) -> anyhow::Result<()> {
    let (_, strava) = client().await?;
    strava.delete_subscription(id).await.context("asking Strava")?;
    say(&format!("Subscription {id} has ended."));
    Ok(())
}

/// Ends in a secret: never printed.
fn address(webhook: &WebhookConfig, authorize: &AuthorizeConfig) -> String {
    format!("{}/strava-webhook/{}", authorize.public_base_url, webhook.path.expose_secret())
}
