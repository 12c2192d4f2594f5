//! All functions in one world.

use std::sync::Arc;

use futures_util::StreamExt as _;
use lambda_http::{Body, Request, Response};
use testkit::World;

/// The athlete of the world's user.
pub(crate) const ATHLETE: i64 = 4711;

/// What the functions hold between calls.
pub(crate) struct Functions {
    pub(crate) world: World,
    pub(crate) chat: Arc<chat::App>,
    pub(crate) processor: sync_processor::App,
    pub(crate) journal_worker: journal::worker::App,
    auth: strava_auth::App,
    callback: oauth_callback::App,
    sync: sync_beta::App,
    status: job_status::App,
    webhook: strava_webhook::App,
    disconnect: disconnect::App,
    delete: delete_account::App,
    journal: journal::api::App,
}

impl Functions {
    /// All functions in a world.
    pub(crate) async fn of(world: World) -> Self {
        let (settings, clock) = (world.settings(), world.clock.production());
        let mut chat = chat::App::new(&settings).unwrap();
        let mut auth = strava_auth::App::new(&settings).await.unwrap();
        let mut callback = oauth_callback::App::new(&settings).await.unwrap();
        let mut sync = sync_beta::App::new(&settings).await.unwrap();
        let status = job_status::App::new(&settings).unwrap();
        let mut webhook = strava_webhook::App::new(&settings).await.unwrap();
        let mut disconnect = disconnect::App::new(&settings).unwrap();
        let mut delete = delete_account::App::new(&settings).unwrap();
        let mut journal = journal::api::App::new(&settings).unwrap();
        let mut journal_worker = journal::worker::App::new(&settings).await.unwrap();
        let mut processor = sync_processor::App::new(&settings).await.unwrap();
        for its_clock in [
            &mut chat.clock,
            &mut auth.clock,
            &mut callback.clock,
            &mut sync.clock,
            &mut webhook.clock,
            &mut disconnect.clock,
            &mut delete.clock,
            &mut journal.writer.clock,
            &mut journal_worker.writer.clock,
            &mut processor.clock,
        ] {
            *its_clock = clock.clone();
        }
        (chat.limit.requests_max, chat.limit.tokens_max) = (i32::MAX, i64::MAX);
        let chat = Arc::new(chat);
        Self { world, chat, processor, journal_worker, auth, callback, sync, status, webhook, disconnect, delete, journal }
    }

    /// Hands a request to the function that its path names; an answer that goes on is collected.
    pub(crate) async fn call(&self, request: Request) -> Response<Body> {
        Box::pin(self.hand_over(request)).await
    }

    async fn hand_over(&self, request: Request) -> Response<Body> {
        let path = request.uri().path().trim_start_matches("/functions/v1/").to_owned();
        match path.split('/').next().unwrap_or_default() {
            "strava-auth" => strava_auth::handle(&self.auth, request).await,
            "oauth-callback" => oauth_callback::handle(&self.callback, request).await,
            "sync-beta" => sync_beta::handle(&self.sync, request).await,
            "job-status" => job_status::handle(&self.status, request).await,
            "strava-webhook" => strava_webhook::handle(&self.webhook, request).await,
            "disconnect" => disconnect::handle(&self.disconnect, request).await,
            "delete-account" => delete_account::handle(&self.delete, request).await,
            "journal" => Box::pin(journal::api::handle(&self.journal, request)).await,
            "chat" => {
                let (parts, mut body) = chat::handle(&self.chat, request).await.into_parts();
                let mut text = Vec::new();
                while let Some(piece) = body.next().await {
                    text.extend_from_slice(&piece.unwrap());
                }
                let body = if text.is_empty() { Body::Empty } else { Body::Text(String::from_utf8(text).unwrap()) };
                Response::from_parts(parts, body)
            }
            other => panic!("no function {other}"),
        }
    }
}
