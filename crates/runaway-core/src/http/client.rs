//! One TLS configuration for every client: aws-lc-rs and the public certificate authorities, without reading files.

use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};

/// TLS with these certificate authorities.
pub fn tls_config(roots: Arc<RootCertStore>) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    #[expect(clippy::expect_used, reason = "the provider supports the default versions")]
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS 1.2 and 1.3");
    builder.with_root_certificates(roots).with_no_client_auth()
}

/// An HTTP client that gives up after `timeout` and follows no redirect: what it sends holds secrets, and what it asks
/// for decides who is let in.
pub fn client_builder(timeout: Duration) -> reqwest::ClientBuilder {
    let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls_config(Arc::new(roots)));
    builder.redirect(reqwest::redirect::Policy::none()).timeout(timeout).user_agent("runaway")
}
