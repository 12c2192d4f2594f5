//! PostgreSQL: over TCP only, with an owner and a login that are no superusers.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};
use tokio_postgres::NoTls;

use crate::console::{patiently, say};
use crate::{process, tools};

/// Functions, tests and tools together.
const CONNECTIONS_MAX: u32 = 300;
/// How often is asked whether the server is up, and how long.
const READY_INTERVAL: Duration = Duration::from_millis(100);
const READY_TRIES_MAX: u32 = 300;
/// Owns the databases, makes roles, is no superuser; like the main login of a managed PostgreSQL.
const ADMIN: &str = "runaway_admin";

/// A running server.
pub(crate) struct Postgres {
    child: Child,
    port: u16,
}

impl Postgres {
    /// Starts a server on a free port. `name` tells its data apart from that of others; `fresh` begins with none.
    pub(crate) async fn start(name: &str, fresh: bool) -> anyhow::Result<Self> {
        let mut bin = tools::postgres().await?;
        let unprivileged = process::is_root();
        let home = if unprivileged { outside_home(name)? } else { tools::state()?.join(name) };
        // No version reads another's data; the system's server may serve one day and the pinned one the next.
        let data = home.join(format!("data-{}", major_version(&bin).await?));
        if fresh && data.exists() {
            std::fs::remove_dir_all(&data).context("removing the old data of the tests")?;
        }
        std::fs::create_dir_all(&home).context("creating PostgreSQL's folder")?;
        if unprivileged {
            process::run("handing PostgreSQL its folder", Command::new("chown").arg("-R").arg("nobody").arg(&home)).await?;
            bin = reachable(&bin, &home).await?;
        }
        if !data.join("PG_VERSION").exists() {
            if data.exists() {
                std::fs::remove_dir_all(&data).context("removing half-made data")?;
            }
            let mut initdb = process::command(&bin.join("initdb"), "KILL", unprivileged);
            initdb.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
            process::run("making a database cluster", initdb.current_dir(&home)).await?;
        }
        // The server of a killed run was told to end with it and may still be at it.
        let port = free_port(0)?;
        let mut server = process::command(&bin.join("postgres"), "INT", unprivileged);
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        for setting in
            ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        {
            server.args(["-c", setting]);
        }
        server.args(["-c", &format!("max_connections={CONNECTIONS_MAX}")]).current_dir(&home);
        process::log_to(&mut server, &tools::state()?.join(format!("{name}.log")))?;
        let child = server.spawn().context("starting PostgreSQL")?;
        let mut started = Self { child, port };
        patiently("PostgreSQL is starting", started.prepare(name)).await?;
        Ok(started)
    }

    async fn prepare(&mut self, name: &str) -> anyhow::Result<()> {
        let superuser = format!("postgres://postgres@127.0.0.1:{}/postgres", self.port);
        for _ in 0..READY_TRIES_MAX {
            if let Some(status) = self.child.try_wait().context("looking after PostgreSQL")? {
                bail!("PostgreSQL ended with {status}; .devstack/{name}.log says why");
            }
            let Ok((client, connection)) = tokio_postgres::connect(&superuser, NoTls).await else {
                tokio::time::sleep(READY_INTERVAL).await;
                continue;
            };
            tokio::spawn(connection);
            // The superuser's only act.
            let sql = format!(
                "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{ADMIN}') THEN
                   CREATE ROLE {ADMIN} LOGIN NOSUPERUSER NOINHERIT CREATEDB CREATEROLE; END IF; END $$"
            );
            client.batch_execute(&sql).await.context("creating the administrator's role")?;
            return Ok(());
        }
        bail!("PostgreSQL does not answer; .devstack/{name}.log may say why")
    }

    /// Address of a database with the administrator's login.
    pub(crate) fn admin_url(&self, database: &str) -> String {
        format!("postgres://{ADMIN}@127.0.0.1:{}/{database}", self.port)
    }

    /// Address of a database with the functions' login.
    pub(crate) fn app_url(&self, database: &str) -> String {
        format!("postgres://runaway_app@127.0.0.1:{}/{database}", self.port)
    }

    /// Creates the database if it is missing and migrates it.
    pub(crate) async fn database(&self, name: &str) -> anyhow::Result<()> {
        let (client, connection) = tokio_postgres::connect(&self.admin_url("postgres"), NoTls).await.context("connecting to PostgreSQL")?;
        tokio::spawn(connection);
        if client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await.context("the catalogue")?.is_none() {
            client.batch_execute(&format!("CREATE DATABASE {name}")).await.context("creating the database")?;
        }
        let report = migrate::run(&self.admin_url(name)).await.context("migrating the database")?;
        if !report.applied.is_empty() {
            say(&format!("  migrated: {}", report.applied.join(", ")));
        }
        Ok(())
    }

    /// Takes back what an earlier world worked on: its functions are gone, and its queue with every message.
    pub(crate) async fn take_back_work(&self, database: &str) -> anyhow::Result<()> {
        let (client, connection) = tokio_postgres::connect(&self.admin_url(database), NoTls).await.context("connecting to PostgreSQL")?;
        tokio::spawn(connection);
        let sql = "SET ROLE runaway_owner; UPDATE sync_jobs SET lease_token = NULL, lease_expires_at = NULL, sent_at = NULL
                    WHERE status IN ('pending', 'in_progress')";
        client.batch_execute(sql).await.context("taking back unfinished syncs")
    }

    /// Ends it in good order.
    pub(crate) async fn stop(self) {
        process::stop(self.child).await;
    }
}

/// 17 of `postgres (PostgreSQL) 17.10`.
async fn major_version(bin: &Path) -> anyhow::Result<u32> {
    let output = process::command(&bin.join("postgres"), "KILL", false).arg("--version").output().await.context("starting PostgreSQL")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.rsplit_once("PostgreSQL) ").map(|(_, version)| version.chars().take_while(char::is_ascii_digit).collect::<String>());
    version.and_then(|major| major.parse().ok()).with_context(|| format!("{} does not tell its version: {text}", bin.display()))
}

/// A folder that the unprivileged user can reach even when the clone lies in somebody's home; one per clone and name.
fn outside_home(name: &str) -> anyhow::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    tools::state()?.hash(&mut hasher);
    Ok(std::env::temp_dir().join(format!("runaway-{:016x}-{name}", hasher.finish())))
}

/// The programs where the unprivileged user can run them: in place, or copied beside the data.
async fn reachable(bin: &Path, home: &Path) -> anyhow::Result<PathBuf> {
    let mut probe = process::command(&bin.join("postgres"), "KILL", true);
    let in_place = probe.arg("--version").current_dir(home).output().await.is_ok_and(|output| output.status.success());
    if in_place {
        return Ok(bin.to_owned());
    }
    let copy = home.join("postgres");
    let native = bin.parent().context("PostgreSQL's folder")?;
    process::run("copying PostgreSQL to where its user can reach it", Command::new("cp").arg("-a").arg("-T").arg(native).arg(&copy))
        .await?;
    Ok(copy.join("bin"))
}

/// The preferred port if it is free, else any free one.
pub(crate) fn free_port(preferred: u16) -> anyhow::Result<u16> {
    use std::net::TcpListener;
    let listener = TcpListener::bind(("127.0.0.1", preferred)).or_else(|_| TcpListener::bind(("127.0.0.1", 0)));
    Ok(listener.and_then(|listener| listener.local_addr()).context("finding a free port")?.port())
}
