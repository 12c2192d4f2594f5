//! Setting the predecessor's objects aside, so that the migrations find their names free.

use anyhow::{Context as _, bail};
use tokio_postgres::Client;

use super::OLD;

/// Everything in `public` that belongs neither to us nor to an extension, with the statement's word for it. A sequence
/// of a column goes with its table. Views and functions go too: left behind, they would show the moved rows to whom
/// they were granted, or mean our tables by the old names. Functions go first: their signatures name tables and types by
/// where these are.
const FOREIGN_OBJECTS: &str = "
    SELECT kind, name FROM (
        SELECT 2 AS turn, CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                                       WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END AS kind,
               format('public.%I', relname) AS name, relowner AS owner, 'pg_class'::regclass AS catalogue, oid
          FROM pg_class c
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
           AND NOT (relkind = 'S' AND EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                                                 AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
        UNION ALL
        SELECT 3, CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, format('public.%I', typname), typowner, 'pg_type'::regclass, oid
          FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
        UNION ALL
        SELECT 1, 'ROUTINE', format('public.%I(%s)', proname, pg_get_function_identity_arguments(oid)), proowner, 'pg_proc'::regclass, oid
          FROM pg_proc WHERE pronamespace = 'public'::regnamespace) o
     WHERE NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = o.catalogue AND d.objid = o.oid AND d.deptype IN ('e', 'i'))
       AND pg_get_userbyid(o.owner) <> 'runaway_owner'
     ORDER BY turn, name";

/// How many objects of the predecessor's are in `public`; `None` where they were set aside before.
///
/// # Errors
/// When there is no predecessor in the database.
pub(super) async fn ahead(client: &Client) -> anyhow::Result<Option<usize>> {
    let sql = "SELECT count(*) = 2 FROM pg_tables
                WHERE schemaname = 'public' AND tablename IN ('athletes', 'activities') AND tableowner <> 'runaway_owner'";
    let is_here: bool = client.query_one(sql, &[]).await.context("looking for the predecessor's tables")?.get(0);
    let sql = "SELECT to_regclass($1 || '.athletes') IS NOT NULL AND to_regclass($1 || '.activities') IS NOT NULL";
    let was_here: bool = client.query_one(sql, &[&OLD]).await.context("looking for the predecessor's tables")?.get(0);
    match (is_here, was_here) {
        (false, true) => Ok(None),
        (false, false) => bail!("there is no predecessor: athletes and activities are neither in public, owned by another, nor in {OLD}"),
        (true, true) => bail!("the predecessor is in public and in {OLD}: which of the two is meant?"),
        (true, false) => Ok(Some(client.query(FOREIGN_OBJECTS, &[]).await.context("listing the predecessor's objects")?.len())),
    }
}

/// Moves the predecessor's objects out of `public`, all or none. Returns how many; 0 where that was done before.
///
/// # Errors
/// When there is no predecessor in the database, or an object is not the login's to move.
pub(super) async fn set_aside(client: &mut Client) -> anyhow::Result<usize> {
    if ahead(client).await?.is_none() {
        return Ok(0);
    }
    let transaction = client.transaction().await?;
    let objects = transaction.query(FOREIGN_OBJECTS, &[]).await.context("listing the predecessor's objects")?;
    transaction.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {OLD}")).await.context("making the schema")?;
    for object in &objects {
        let (kind, name): (&str, &str) = (object.get(0), object.get(1));
        transaction.batch_execute(&format!("ALTER {kind} {name} SET SCHEMA {OLD}")).await.with_context(|| format!("moving {name}"))?;
    }
    // Who may sign in is noted while the login may look: our own roles may not enter the sign-in's schema.
    let sql = "SELECT coalesce(has_schema_privilege(to_regnamespace('auth')::oid, 'USAGE')
                           AND has_table_privilege(to_regclass('auth.users')::oid, 'SELECT'), false)";
    if transaction.query_one(sql, &[]).await.context("looking for the sign-in's users")?.get(0) {
        let sql = format!("CREATE TABLE {OLD}.sign_in_users AS SELECT id FROM auth.users");
        transaction.batch_execute(&sql).await.context("noting the sign-in's users")?;
    }
    let sql = format!("CREATE TABLE {OLD}.move_over_progress (step text PRIMARY KEY, last bigint NOT NULL, done boolean NOT NULL)");
    transaction.batch_execute(&sql).await.context("making the table of progress")?;
    transaction.commit().await.context("setting aside")?;
    Ok(objects.len())
}

/// Lets `runaway_owner` read the tables set aside, past policies that name others, and keeps everybody else out.
///
/// # Errors
/// When a statement fails.
pub(super) async fn open_to_the_owner(client: &mut Client) -> anyhow::Result<()> {
    let sql = format!(
        "REVOKE ALL ON SCHEMA {OLD} FROM PUBLIC, anon, authenticated;
         GRANT USAGE ON SCHEMA {OLD} TO runaway_owner;
         GRANT SELECT ON ALL TABLES IN SCHEMA {OLD} TO runaway_owner;
         GRANT INSERT, UPDATE ON {OLD}.move_over_progress TO runaway_owner;
         DO $$
         DECLARE t text;
         BEGIN
           FOR t IN SELECT c.relname FROM pg_class c
                     WHERE c.relnamespace = '{OLD}'::regnamespace AND c.relkind IN ('r', 'p') AND c.relrowsecurity
                       AND NOT EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'move_over_reads') LOOP
             EXECUTE format('CREATE POLICY move_over_reads ON {OLD}.%I FOR SELECT TO runaway_owner USING (true)', t);
           END LOOP;
         END $$"
    );
    client.batch_execute(&sql).await.context("opening the predecessor's tables to the owner")
}
