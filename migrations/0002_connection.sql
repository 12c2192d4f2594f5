-- What connects an athlete to Strava: the sealed tokens, and the states of authorisations under way.

CREATE TABLE strava_tokens (
  athlete_id    bigint PRIMARY KEY REFERENCES athletes (id) ON DELETE CASCADE,
  access_token  bytea NOT NULL,
  refresh_token bytea NOT NULL,
  expires_at    timestamptz(0) NOT NULL,
  scopes        text[] NOT NULL,
  created_at    timestamptz(0) NOT NULL DEFAULT now(),
  updated_at    timestamptz(0) NOT NULL DEFAULT now()
);
COMMENT ON TABLE strava_tokens IS 'OAuth tokens, sealed with AES-256-GCM; only workers and the callback read them.';
COMMENT ON COLUMN strava_tokens.access_token IS 'Version, key id, nonce and ciphertext; bound to the athlete and the purpose.';
COMMENT ON COLUMN strava_tokens.scopes IS 'What the athlete granted, which may be less than what was asked for.';

CREATE TABLE oauth_states (
  state_hash   bytea PRIMARY KEY CHECK (octet_length(state_hash) = 32),
  auth_user_id uuid NOT NULL,
  redirect     text,
  created_at   timestamptz(0) NOT NULL DEFAULT now(),
  expires_at   timestamptz(0) NOT NULL
);
CREATE INDEX oauth_states_expires_at ON oauth_states (expires_at);
COMMENT ON TABLE oauth_states IS 'Authorisations begun and not yet finished; a row is deleted by its one use.';
COMMENT ON COLUMN oauth_states.state_hash IS 'SHA-256 of the random state; the state itself is only in the athlete''s browser.';

ALTER TABLE strava_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE strava_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON strava_tokens TO runaway_owner USING (true) WITH CHECK (true);
CREATE POLICY system_all ON strava_tokens TO runaway_system USING (true) WITH CHECK (true);
CREATE POLICY worker_own ON strava_tokens TO runaway_worker
  USING (athlete_id = (SELECT worker_athlete_id())) WITH CHECK (athlete_id = (SELECT worker_athlete_id()));

ALTER TABLE oauth_states ENABLE ROW LEVEL SECURITY;
ALTER TABLE oauth_states FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON oauth_states TO runaway_owner USING (true) WITH CHECK (true);
CREATE POLICY system_all ON oauth_states TO runaway_system USING (true) WITH CHECK (true);
-- The caller may have no athlete yet: the row belongs to the user.
CREATE POLICY athlete_own ON oauth_states FOR INSERT TO runaway_athlete WITH CHECK (auth_user_id = (SELECT claimed_user_id()));

GRANT SELECT, INSERT, UPDATE, DELETE ON strava_tokens TO runaway_worker;
GRANT SELECT, INSERT, UPDATE ON strava_tokens TO runaway_system;
GRANT INSERT ON oauth_states TO runaway_athlete;
GRANT SELECT, DELETE ON oauth_states TO runaway_system;
