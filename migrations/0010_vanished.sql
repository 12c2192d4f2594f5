-- Activities that a walk should have met and did not.

CREATE TABLE vanished_candidates (
  job_id      uuid NOT NULL REFERENCES sync_jobs (id) ON DELETE CASCADE,
  activity_id bigint NOT NULL REFERENCES activities (id) ON DELETE CASCADE,
  athlete_id  bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  PRIMARY KEY (job_id, activity_id)
);
CREATE INDEX vanished_candidates_activity ON vanished_candidates (activity_id);
CREATE INDEX vanished_candidates_athlete ON vanished_candidates (athlete_id);
COMMENT ON TABLE vanished_candidates IS 'Stored activities that a job''s walk did not list; each is asked for by itself before it is removed.';

ALTER TABLE vanished_candidates ENABLE ROW LEVEL SECURITY;
ALTER TABLE vanished_candidates FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON vanished_candidates TO runaway_owner USING (true) WITH CHECK (true);
CREATE POLICY worker_own ON vanished_candidates TO runaway_worker
  USING (athlete_id = (SELECT worker_athlete_id())) WITH CHECK (athlete_id = (SELECT worker_athlete_id()));
GRANT SELECT, INSERT, DELETE ON vanished_candidates TO runaway_worker;

ALTER TABLE sync_jobs ADD COLUMN saw_private boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN sync_jobs.saw_private IS 'Whether the walk met a private activity: proof that Strava still shows them.';
