-- Roles and the sign-in schema. Runs before the numbered migrations on every start of the migration command, as the
-- database's owner (a login with CREATEROLE, never a superuser), and changes nothing where all is in place.
-- Roles belong to the whole cluster: another database may have made them, at this very moment.

DO $$
DECLARE
  r text;
BEGIN
  FOREACH r IN ARRAY ARRAY['anon', 'authenticated', 'runaway_owner', 'runaway_athlete', 'runaway_worker', 'runaway_system'] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = r) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', r);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
      END;
    END IF;
  END LOOP;
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'runaway_app') THEN
    BEGIN
      CREATE ROLE runaway_app LOGIN NOINHERIT;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;
    END;
  END IF;
END $$;

-- Membership without inheritance: a statement outside a transaction that chose its role is refused, not answered.
DO $$
DECLARE
  r text;
  options text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN ' WITH INHERIT FALSE, SET TRUE' ELSE '' END;
BEGIN
  FOREACH r IN ARRAY ARRAY['runaway_athlete', 'runaway_worker', 'runaway_system'] LOOP
    IF NOT pg_has_role('runaway_app', r, 'MEMBER') THEN
      EXECUTE format('GRANT %I TO runaway_app', r) || options;
    END IF;
  END LOOP;
  IF NOT EXISTS (
    SELECT 1 FROM pg_auth_members m
      JOIN pg_roles g ON g.oid = m.roleid AND g.rolname = 'runaway_owner'
      JOIN pg_roles u ON u.oid = m.member AND u.rolname = current_user
     WHERE current_setting('server_version_num')::int < 160000 OR to_jsonb(m) ->> 'set_option' = 'true'
  ) THEN
    EXECUTE format('GRANT runaway_owner TO %I', current_user) || options;
  END IF;
END $$;

-- The schema belongs to whoever owns the database, through a role that a login without inheritance has to take up.
DO $$
BEGIN
  IF NOT has_schema_privilege('public', 'CREATE WITH GRANT OPTION') AND pg_has_role('pg_database_owner', 'MEMBER') THEN
    SET LOCAL ROLE pg_database_owner;
  END IF;
  GRANT USAGE, CREATE ON SCHEMA public TO runaway_owner;
  GRANT USAGE ON SCHEMA public TO runaway_athlete, runaway_worker, runaway_system, authenticated, anon;
  RESET ROLE;
END $$;

-- Supabase brings its own `auth.uid()`; it is left alone, and the policies do without it.
DO $$
BEGIN
  IF to_regprocedure('auth.uid()') IS NULL THEN
    CREATE SCHEMA IF NOT EXISTS auth;
    -- After a transaction the setting is an empty string, not null.
    CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS
      $f$ SELECT (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $f$;
    GRANT USAGE ON SCHEMA auth TO runaway_owner, runaway_athlete, runaway_worker, runaway_system, authenticated;
  END IF;
END $$;

-- Trusted extensions: the database's owner may create them. Search in names needs them.
CREATE EXTENSION IF NOT EXISTS unaccent;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;
