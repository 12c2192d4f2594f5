//! A database for each test: a clone of a template that is migrated once, owned and used by roles that are no
//! superusers.

use std::env;

use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};
use url::Url;
use uuid::Uuid;

/// Names the server and the login that may create databases and roles; set by `make test`.
pub const ADMIN_URL: &str = "DATABASE_ADMIN_URL";
/// Serialises the making of the template between test processes.
const TEMPLATE_LOCK_KEY: i64 = 0x74_65_6d_70_6c_61_74_65;
static TEMPLATE: OnceCell<String> = OnceCell::const_new();

/// A test's own database; dropped with the server's next start.
#[derive(Debug)]
pub struct TestDatabase {
    admin: Url,
    name: String,
}

/// A setting that `make test` provides.
///
/// # Panics
/// Loudly, when it is missing: a test that cannot run must not pass.
pub fn required(name: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "tests are configured by the environment")]
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with `make test`, which starts PostgreSQL and the queue"))
}

impl TestDatabase {
    /// A fresh clone of the migrated template.
    pub async fn new() -> Self {
        let admin: Url = required(ADMIN_URL).parse().expect("DATABASE_ADMIN_URL is an address");
        let template = TEMPLATE.get_or_init(|| template(admin.clone())).await;
        let name = format!("test_{}", Uuid::new_v4().simple());
        let client = open(&admin).await;
        // A clone needs the template to itself for a moment; another clone may be at it.
        client.execute("SELECT pg_advisory_lock($1)", &[&TEMPLATE_LOCK_KEY]).await.expect("the template's lock");
        client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.expect("cloning the template");
        Self { admin, name }
    }

    /// An empty database, in which the migration's login may make tables: what another application left is built here.
    pub async fn empty() -> Self {
        let admin: Url = required(ADMIN_URL).parse().expect("DATABASE_ADMIN_URL is an address");
        let database = Self { name: format!("empty_{}", Uuid::new_v4().simple()), admin };
        open(&database.admin).await.batch_execute(&format!("CREATE DATABASE {}", database.name)).await.expect("creating a database");
        let sql = "SET ROLE pg_database_owner; GRANT CREATE, USAGE ON SCHEMA public TO SESSION_USER; RESET ROLE";
        database.admin().await.batch_execute(sql).await.expect("a right in the schema");
        database
    }

    /// A connection with the login of the migration.
    pub async fn admin(&self) -> Client {
        open(&self.admin_url().parse().unwrap()).await
    }

    /// Address with the login of the functions.
    pub fn app_url(&self) -> String {
        self.url("runaway_app")
    }

    /// Address with the login of the migration.
    pub fn admin_url(&self) -> String {
        let user = self.admin.username().to_owned();
        self.url(&user)
    }

    fn url(&self, user: &str) -> String {
        let mut url = self.admin.clone();
        url.set_path(&self.name);
        url.set_username(user).expect("a user name");
        url.into()
    }

    /// A connection that sees everything: the owner of the tables.
    pub async fn owner(&self) -> Client {
        let client = open(&self.admin_url().parse().unwrap()).await;
        client.batch_execute("SET ROLE runaway_owner").await.expect("SET ROLE");
        client
    }

    /// A connection as the functions make it, without any right until it chooses a role.
    pub async fn app(&self) -> Client {
        open(&self.app_url().parse().unwrap()).await
    }

    /// Cuts every connection of the functions to the database and refuses new ones: what they see of a server that
    /// restarts. Returns how many were cut.
    pub async fn shut(&self) -> i64 {
        // Only the same login may end a connection.
        let app = self.app().await;
        let sql = format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", self.name);
        open(&self.admin).await.batch_execute(&sql).await.expect("shutting the database");
        let sql = "
            SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()";
        app.query_one(sql, &[]).await.expect("cutting connections").get(0)
    }

    /// Lets connections in again.
    pub async fn reopen(&self) {
        let sql = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name);
        open(&self.admin).await.batch_execute(&sql).await.expect("opening the database");
    }

    /// One number that a statement of the owner's returns.
    pub async fn count(&self, sql: &str) -> i64 {
        self.owner().await.query_one(sql, &[]).await.expect("the counting statement").get(0)
    }
}

async fn template(admin: Url) -> String {
    let client = open(&admin).await;
    client.execute("SELECT pg_advisory_lock($1)", &[&TEMPLATE_LOCK_KEY]).await.expect("the template's lock");
    let name = format!("template_{:016x}", fingerprint());
    let exists = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1 AND datistemplate", &[&name]).await.expect("the catalogue");
    if exists.is_none() {
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await.expect("removing a half-made template");
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("creating the template");
        let mut url = admin.clone();
        url.set_path(&name);
        migrate::run(url.as_str()).await.expect("migrating the template");
        // Only a complete one is marked, so that an interrupted run leaves none behind.
        client.batch_execute(&format!("ALTER DATABASE {name} IS_TEMPLATE true")).await.expect("marking the template");
    }
    name
}

/// Changes with every change of a migration.
fn fingerprint() -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    migrate::MIGRATIONS.hash(&mut hasher);
    migrate::BOOTSTRAP.hash(&mut hasher);
    hasher.finish()
}

async fn open(url: &Url) -> Client {
    let (client, connection) = tokio_postgres::connect(url.as_str(), NoTls)
        .await
        .unwrap_or_else(|error| panic!("PostgreSQL does not answer at {}: {error}", url.host_str().unwrap_or_default()));
    tokio::spawn(connection);
    client
}
