-- What Strava announces, and what remains where a connection or an account ends.

CREATE TABLE strava_events (
  id               uuid PRIMARY KEY,
  athlete_id       bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  object_type      text NOT NULL CHECK (object_type IN ('activity', 'athlete', 'history')),
  object_id        bigint NOT NULL,
  aspect_type      text NOT NULL CHECK (aspect_type IN ('create', 'update', 'delete')),
  event_time       timestamptz(0) NOT NULL,
  arrivals         integer NOT NULL DEFAULT 1,
  claimed_arrivals integer NOT NULL DEFAULT 0,
  calls            integer NOT NULL DEFAULT 0,
  called_at        timestamptz(0),
  not_found        integer NOT NULL DEFAULT 0,
  not_before       timestamptz(0) NOT NULL DEFAULT now(),
  sent_at          timestamptz(0),
  lease_token      uuid,
  lease_expires_at timestamptz(0),
  strikes          integer NOT NULL DEFAULT 0,
  received_at      timestamptz(0) NOT NULL DEFAULT now(),
  handled_at       timestamptz(0),
  outcome          text,
  CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL)),
  CHECK ((handled_at IS NULL) = (outcome IS NULL))
);
-- The athlete belongs to the key: an event forged in one athlete's name must not stand in the way of another's.
CREATE UNIQUE INDEX strava_events_one_unhandled ON strava_events (athlete_id, object_type, object_id, aspect_type) WHERE handled_at IS NULL;
CREATE INDEX strava_events_due ON strava_events (not_before, id) WHERE handled_at IS NULL;
CREATE INDEX strava_events_object ON strava_events (athlete_id, object_type, object_id, handled_at);
CREATE INDEX strava_events_called ON strava_events (athlete_id, called_at);
CREATE INDEX strava_events_handled ON strava_events (handled_at) WHERE handled_at IS NOT NULL;
COMMENT ON TABLE strava_events IS 'What the webhook was told, as a hint: nothing is believed before Strava was asked. A queue message only wakes a row.';
COMMENT ON COLUMN strava_events.object_type IS 'activity; athlete: the permission was taken back; history: more changed than is kept one by one, so the last days are listed.';
COMMENT ON COLUMN strava_events.arrivals IS 'How often it was told while unhandled.';
COMMENT ON COLUMN strava_events.claimed_arrivals IS 'Arrivals when it was claimed; with more at the end, the object is asked for once more.';
COMMENT ON COLUMN strava_events.calls IS 'Calls of Strava made for it.';
COMMENT ON COLUMN strava_events.not_found IS 'How often Strava did not know the object.';
COMMENT ON COLUMN strava_events.not_before IS 'The event sleeps until then.';
COMMENT ON COLUMN strava_events.sent_at IS 'When a message was last sent for it.';
COMMENT ON COLUMN strava_events.lease_token IS 'Who works on it.';
COMMENT ON COLUMN strava_events.strikes IS 'Leases that ran out without being given back.';
COMMENT ON COLUMN strava_events.outcome IS 'What became of it, one word.';

CREATE TABLE pending_revocations (
  id            uuid PRIMARY KEY,
  athlete_id    bigint NOT NULL,
  refresh_token bytea NOT NULL,
  requested_at  timestamptz(0) NOT NULL DEFAULT now(),
  tried_at      timestamptz(0)
);
CREATE INDEX pending_revocations_athlete ON pending_revocations (athlete_id);
COMMENT ON TABLE pending_revocations IS 'Sealed tokens of ended connections, until Strava has revoked them or thirty days are over.';
COMMENT ON COLUMN pending_revocations.athlete_id IS 'For whom the token was sealed; no reference, as the athlete may be erased by now.';

CREATE TABLE erasure_receipts (
  id          uuid PRIMARY KEY,
  reason      text NOT NULL CHECK (reason IN ('account_deleted', 'disconnected')),
  rows_erased bigint NOT NULL,
  erased_at   timestamptz(0) NOT NULL
);
COMMENT ON TABLE erasure_receipts IS 'That something was erased, when and why; nothing says whose it was.';

ALTER TABLE athletes
  ADD COLUMN strava_erased_at timestamptz(0),
  ADD COLUMN retention_ran_at timestamptz(0);
COMMENT ON COLUMN athletes.strava_erased_at IS 'When what came from Strava was erased after the connection ended.';
COMMENT ON COLUMN athletes.retention_ran_at IS 'When what is older than the retention was last erased.';
CREATE INDEX athletes_to_erase ON athletes (strava_disconnected_at) WHERE NOT strava_connected AND strava_erased_at IS NULL;

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['strava_events', 'pending_revocations', 'erasure_receipts'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY owner_all ON %I TO runaway_owner USING (true) WITH CHECK (true)', t);
  END LOOP;
  FOREACH t IN ARRAY ARRAY['strava_events', 'pending_revocations'] LOOP
    EXECUTE format('CREATE POLICY system_all ON %I TO runaway_system USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY worker_own ON %I TO runaway_worker USING (athlete_id = (SELECT worker_athlete_id())) '
      'WITH CHECK (athlete_id = (SELECT worker_athlete_id()))', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO runaway_worker, runaway_system', t);
  END LOOP;
END $$;
-- A receipt is written and never read by a function: there is nothing in it that belongs to anybody.
CREATE POLICY worker_writes ON erasure_receipts FOR INSERT TO runaway_worker WITH CHECK (true);
GRANT INSERT ON erasure_receipts TO runaway_worker;

-- Ending deletes where the functions so far only wrote.
GRANT DELETE ON athletes TO runaway_worker;
GRANT DELETE ON sync_jobs TO runaway_worker, runaway_system;
CREATE POLICY athlete_finds ON oauth_states FOR SELECT TO runaway_athlete USING (auth_user_id = (SELECT claimed_user_id()));
CREATE POLICY athlete_erases ON oauth_states FOR DELETE TO runaway_athlete USING (auth_user_id = (SELECT claimed_user_id()));
CREATE POLICY worker_own ON oauth_states TO runaway_worker
  USING (auth_user_id = (SELECT auth_user_id FROM athletes WHERE id = (SELECT worker_athlete_id())));
GRANT SELECT (auth_user_id), DELETE ON oauth_states TO runaway_athlete, runaway_worker;
