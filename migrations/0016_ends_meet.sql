-- A callback marks its state as used and deletes it with what it makes: an erasure meanwhile is seen. Allowances of
-- days that are over are cleaned up.

ALTER TABLE oauth_states ADD COLUMN used_at timestamptz(0);
COMMENT ON COLUMN oauth_states.used_at IS 'When the browser came back with it; it works once.';
GRANT UPDATE (used_at, expires_at) ON oauth_states TO runaway_system;
GRANT SELECT (used_at) ON oauth_states TO runaway_worker;

CREATE INDEX request_limits_day ON request_limits (day);
CREATE POLICY system_all ON request_limits TO runaway_system USING (true) WITH CHECK (true);
GRANT SELECT, DELETE ON request_limits TO runaway_system;
