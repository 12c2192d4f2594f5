-- Authorisations that whoever began them confirms in the app before anything is linked.

ALTER TABLE oauth_states ADD COLUMN confirm boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN oauth_states.confirm IS 'Whether the callback links nothing and hands out a ticket instead.';

CREATE TABLE oauth_tickets (
  id            uuid PRIMARY KEY,
  ticket_hash   bytea NOT NULL UNIQUE CHECK (octet_length(ticket_hash) = 32),
  auth_user_id  uuid NOT NULL,
  athlete_id    bigint NOT NULL,
  exchange      bytea NOT NULL,
  refresh_token bytea NOT NULL,
  created_at    timestamptz(0) NOT NULL DEFAULT now(),
  expires_at    timestamptz(0) NOT NULL
);
CREATE INDEX oauth_tickets_expires_at ON oauth_tickets (expires_at);
CREATE INDEX oauth_tickets_auth_user_id ON oauth_tickets (auth_user_id);
CREATE INDEX oauth_tickets_athlete_id ON oauth_tickets (athlete_id);
COMMENT ON TABLE oauth_tickets IS 'What Strava gave for authorisations that are not confirmed yet; a row is deleted by its one use, or moved to pending_revocations.';
COMMENT ON COLUMN oauth_tickets.ticket_hash IS 'SHA-256 of the random ticket; the ticket itself is only in the athlete''s browser and app.';
COMMENT ON COLUMN oauth_tickets.auth_user_id IS 'The user who began the authorisation, and the only one who may confirm it.';
COMMENT ON COLUMN oauth_tickets.athlete_id IS 'Who finished it at Strava; no reference, as the athlete may be nobody''s yet.';
COMMENT ON COLUMN oauth_tickets.exchange IS 'Tokens, permissions and profile, sealed for this ticket.';
COMMENT ON COLUMN oauth_tickets.refresh_token IS 'The same refresh token, sealed as it is for a revocation.';

ALTER TABLE oauth_tickets ENABLE ROW LEVEL SECURITY;
ALTER TABLE oauth_tickets FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON oauth_tickets TO runaway_owner USING (true) WITH CHECK (true);
CREATE POLICY system_all ON oauth_tickets TO runaway_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_tickets TO runaway_system;
