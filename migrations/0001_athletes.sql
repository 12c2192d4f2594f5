-- One row per Strava athlete, and the three functions by which every policy knows whose turn it is.

CREATE TABLE athletes (
  id                     bigint PRIMARY KEY CHECK (id > 0),
  auth_user_id           uuid UNIQUE,
  first_name             text,
  last_name              text,
  profile                text,
  city                   text,
  state                  text,
  country                text,
  sex                    text,
  weight                 double precision,
  premium                boolean,
  timezone               text NOT NULL DEFAULT 'UTC',
  member_since           timestamptz(0),
  source                 text NOT NULL DEFAULT 'strava',
  strava_connected       boolean NOT NULL DEFAULT false,
  strava_connected_at    timestamptz(0),
  strava_disconnected_at timestamptz(0),
  created_at             timestamptz(0) NOT NULL DEFAULT now(),
  updated_at             timestamptz(0) NOT NULL DEFAULT now()
);
COMMENT ON TABLE athletes IS 'An athlete, keyed by the id Strava gave.';
COMMENT ON COLUMN athletes.auth_user_id IS 'The one user of the app to whom the athlete belongs: the claim sub of the token.';
COMMENT ON COLUMN athletes.weight IS 'Kilograms, as the athlete told Strava.';
COMMENT ON COLUMN athletes.timezone IS 'IANA zone of the latest activity that names a known one; decides only what "today" is.';
COMMENT ON COLUMN athletes.member_since IS 'When the account at Strava was made; a full sync measures its progress against it.';

-- The caller, as `auth.uid()` says it. Not called by that name: where the schema `auth` is Supabase's, roles of our own
-- may not enter it, and nobody but its owner can let them in.
CREATE FUNCTION claimed_user_id() RETURNS uuid
  LANGUAGE sql STABLE SECURITY INVOKER SET search_path = ''
  AS $$ SELECT (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
COMMENT ON FUNCTION claimed_user_id() IS 'The claim sub of the token; null without one.';

-- The caller's athlete, from the claims alone. The policy of `athletes` applies to it.
CREATE FUNCTION current_athlete_id() RETURNS bigint
  LANGUAGE sql STABLE SECURITY INVOKER SET search_path = ''
  AS $$ SELECT id FROM public.athletes WHERE auth_user_id = (SELECT public.claimed_user_id()) $$;
COMMENT ON FUNCTION current_athlete_id() IS 'Athlete of the token''s user; null without one.';

-- The athlete a worker acts for: set for one transaction, never for a session.
CREATE FUNCTION worker_athlete_id() RETURNS bigint
  LANGUAGE sql STABLE SECURITY INVOKER SET search_path = ''
  AS $$ SELECT nullif(current_setting('runaway.athlete_id', true), '')::bigint $$;
COMMENT ON FUNCTION worker_athlete_id() IS 'Athlete named by the setting runaway.athlete_id; null without one.';

ALTER TABLE athletes ENABLE ROW LEVEL SECURITY;
ALTER TABLE athletes FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON athletes TO runaway_owner USING (true) WITH CHECK (true);
CREATE POLICY system_all ON athletes TO runaway_system USING (true) WITH CHECK (true);
CREATE POLICY athlete_own ON athletes FOR SELECT TO runaway_athlete, authenticated USING (auth_user_id = (SELECT claimed_user_id()));
CREATE POLICY worker_own ON athletes TO runaway_worker
  USING (id = (SELECT worker_athlete_id())) WITH CHECK (id = (SELECT worker_athlete_id()));

GRANT SELECT ON athletes TO authenticated, runaway_athlete;
GRANT SELECT, UPDATE ON athletes TO runaway_worker;
GRANT SELECT, INSERT, UPDATE ON athletes TO runaway_system;
