//! The connection pool of one function.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::ExposeSecret;
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

use super::{AthleteTx, DbError, OneAthleteTx, SystemTx, WorkerTx};
use crate::config::DatabaseConfig;
use crate::telemetry;

/// How long a call waits for a connection, and how long making or checking one may take.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// Transactions for one function.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Db")
    }
}

impl Db {
    /// A pool of at most `connections_max` connections; none is made before the first use.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the address or the certificates cannot be used.
    pub fn new(config: &DatabaseConfig, connections_max: usize) -> Result<Self, DbError> {
        let unusable = |error: Box<dyn std::error::Error + Send + Sync>| DbError::Unavailable("its settings are unusable", Some(error));
        let mut address: tokio_postgres::Config =
            config.url.expose_secret().parse().map_err(|e: tokio_postgres::Error| unusable(e.into()))?;
        address.connect_timeout(CONNECTION_TIMEOUT).keepalives_idle(Duration::from_secs(60)).application_name("runaway");
        // An environment that was frozen may hold a connection the server has long closed: look before use.
        let recycling_method = RecyclingMethod::Verified;
        let manager = Manager::from_config(address, connector(config.ca_pem.as_deref()), ManagerConfig { recycling_method });
        let pool = Pool::builder(manager)
            .max_size(connections_max)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECTION_TIMEOUT))
            .create_timeout(Some(CONNECTION_TIMEOUT))
            .recycle_timeout(Some(CONNECTION_TIMEOUT))
            .build()
            .map_err(|e| unusable(e.into()))?;
        Ok(Self { pool })
    }

    async fn connection(&self) -> Result<Object, DbError> {
        // One to look whether an idle connection is alive, or to make a new one.
        telemetry::count_round_trip();
        self.pool.get().await.map_err(|error| DbError::Unavailable("no connection", Some(error.into())))
    }

    /// A transaction that sees what belongs to the user of a verified token.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] without a connection.
    pub async fn athlete(&self, user_id: Uuid) -> Result<AthleteTx, DbError> {
        Ok(AthleteTx::new(self.connection().await?, user_id))
    }

    /// A transaction that sees what belongs to one athlete.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] without a connection.
    pub async fn worker(&self, athlete_id: i64) -> Result<WorkerTx, DbError> {
        Ok(WorkerTx::new(self.connection().await?, athlete_id))
    }

    /// As [`Db::worker`], for reading only: everything as it was at one moment, however long the reading takes.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] without a connection.
    pub async fn snapshot(&self, athlete_id: i64) -> Result<WorkerTx, DbError> {
        Ok(WorkerTx::snapshot(self.connection().await?, athlete_id))
    }

    /// A transaction that sees one athlete's rows: as the caller where `user_id` says who calls, else as a worker.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] without a connection.
    pub async fn one_athlete(&self, user_id: Option<Uuid>, athlete_id: i64) -> Result<OneAthleteTx, DbError> {
        Ok(match user_id {
            Some(user_id) => OneAthleteTx::Caller(self.athlete(user_id).await?),
            None => OneAthleteTx::Worker(self.worker(athlete_id).await?),
        })
    }

    /// A transaction for the statements across athletes.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] without a connection.
    pub async fn system(&self) -> Result<SystemTx, DbError> {
        Ok(SystemTx::new(self.connection().await?))
    }
}

/// The certificate authorities in a PEM text.
///
/// # Errors
/// What is wrong with the text, in words that follow its name.
pub fn authorities(ca_pem: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(ca_pem.as_bytes()).collect();
    let found = found.map_err(|_| "is no PEM: a certificate has no end, or is not base64")?;
    if found.is_empty() {
        return Err("holds no certificate: it begins with -----BEGIN CERTIFICATE----- and has line breaks");
    }
    let mut roots = rustls::RootCertStore::empty();
    if found.iter().any(|certificate| roots.add(certificate.clone()).is_err()) {
        return Err("holds a certificate that cannot be read");
    }
    Ok(found)
}

/// TLS for connections to PostgreSQL: public certificate authorities and those in `ca_pem`, which the configuration has
/// looked into with [`authorities`].
pub fn connector(ca_pem: Option<&str>) -> MakeRustlsConnect {
    let mut roots = rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let own = CertificateDer::pem_slice_iter(ca_pem.unwrap_or_default().as_bytes());
    roots.add_parsable_certificates(own.flatten());
    MakeRustlsConnect::new(crate::http::tls_config(Arc::new(roots)))
}
