-- Details: what only the activity asked for by itself has, fetched later than its summary.

COMMENT ON COLUMN activities.description IS 'From the detailed activity; null until that is fetched, and where there is none.';

ALTER TABLE activity_details
  ADD COLUMN streams     text NOT NULL DEFAULT 'missing' CHECK (streams IN ('missing', 'fetched', 'absent')),
  ADD COLUMN attempts    integer NOT NULL DEFAULT 0,
  ADD COLUMN next_try_at timestamptz(0) NOT NULL DEFAULT 'epoch';
COMMENT ON COLUMN activity_details.state IS 'The detailed activity: laps and splits (verbatim in activity_raw), efforts, description.';
COMMENT ON COLUMN activity_details.streams IS 'The summary of the streams; absent for what was entered by hand.';
COMMENT ON COLUMN activity_details.attempts IS 'Answers that said "not found" or could not be read.';
COMMENT ON COLUMN activity_details.next_try_at IS 'What is missing is not asked for again before this.';

CREATE TABLE activity_streams (
  activity_id bigint NOT NULL REFERENCES activities (id) ON DELETE CASCADE,
  athlete_id  bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  kind        text NOT NULL,
  points      integer NOT NULL,
  minimum     double precision,
  maximum     double precision,
  mean        double precision,
  PRIMARY KEY (activity_id, kind)
);
CREATE INDEX activity_streams_athlete ON activity_streams (athlete_id);
COMMENT ON TABLE activity_streams IS 'What a recorded stream amounts to, in Strava''s units; the points themselves are not kept.';
COMMENT ON COLUMN activity_streams.points IS 'Points of the stream, those without a value included.';
COMMENT ON COLUMN activity_streams.mean IS 'Of the points with a value; null for time and distance, which only rise.';

CREATE TABLE detail_runs (
  athlete_id       bigint PRIMARY KEY REFERENCES athletes (id) ON DELETE CASCADE,
  id               uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  not_before       timestamptz(0) NOT NULL,
  sent_at          timestamptz(0),
  lease_token      uuid,
  lease_expires_at timestamptz(0),
  CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL))
);
CREATE INDEX detail_runs_due ON detail_runs (not_before, athlete_id);
COMMENT ON TABLE detail_runs IS 'One row per athlete with details still to be fetched; it goes when there are none.';
COMMENT ON COLUMN detail_runs.id IS 'The job_id of its queue messages.';

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['activity_streams', 'detail_runs'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY owner_all ON %I TO runaway_owner USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY worker_own ON %I TO runaway_worker USING (athlete_id = (SELECT worker_athlete_id())) '
      'WITH CHECK (athlete_id = (SELECT worker_athlete_id()))', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO runaway_worker', t);
  END LOOP;
END $$;
CREATE POLICY athlete_own ON activity_streams FOR SELECT TO runaway_athlete USING (athlete_id = (SELECT current_athlete_id()));
GRANT SELECT ON activity_streams TO runaway_athlete;
CREATE POLICY system_all ON detail_runs TO runaway_system USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON detail_runs TO runaway_system;
