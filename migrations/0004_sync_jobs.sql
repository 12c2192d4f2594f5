-- A sync job: what was asked for, how far it has come, and who works on it now.

CREATE TABLE sync_jobs (
  id                   uuid PRIMARY KEY,
  athlete_id           bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  sync_type            text NOT NULL CHECK (sync_type IN ('full', 'incremental')),
  status               text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'in_progress', 'completed', 'failed')),
  after_s              bigint,
  before_s             bigint,
  max_activities       integer CHECK (max_activities > 0),
  walk_before_s        bigint,
  walk_oldest_s        bigint,
  walk_ids             bigint[] NOT NULL DEFAULT '{}',
  walk_step            text NOT NULL DEFAULT 'page' CHECK (walk_step IN ('page', 'past_second', 'confirm_end')),
  progress             integer NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100 AND (progress < 100 OR status = 'completed')),
  pages_done           integer NOT NULL DEFAULT 0,
  activities_processed integer NOT NULL DEFAULT 0,
  activities_failed    integer NOT NULL DEFAULT 0,
  error_message        text,
  not_before           timestamptz(0) NOT NULL DEFAULT now(),
  sent_at              timestamptz(0),
  lease_token          uuid,
  lease_expires_at     timestamptz(0),
  strikes              integer NOT NULL DEFAULT 0,
  created_at           timestamptz(0) NOT NULL DEFAULT now(),
  started_at           timestamptz(0),
  updated_at           timestamptz(0) NOT NULL DEFAULT now(),
  completed_at         timestamptz(0),
  CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL))
);
CREATE UNIQUE INDEX sync_jobs_one_unfinished ON sync_jobs (athlete_id, sync_type) WHERE status IN ('pending', 'in_progress');
CREATE INDEX sync_jobs_due ON sync_jobs (not_before, id) WHERE status IN ('pending', 'in_progress');
CREATE INDEX sync_jobs_athlete ON sync_jobs (athlete_id, created_at DESC);
COMMENT ON TABLE sync_jobs IS 'Imports of an athlete''s activities. The row is the truth; a queue message only wakes it.';
COMMENT ON COLUMN sync_jobs.after_s IS 'Only activities that started later than this epoch second.';
COMMENT ON COLUMN sync_jobs.before_s IS 'Only activities that started earlier than this epoch second.';
COMMENT ON COLUMN sync_jobs.walk_before_s IS 'The bound of the next page, epoch seconds; null before the first.';
COMMENT ON COLUMN sync_jobs.walk_oldest_s IS 'Start of the oldest activity seen so far, epoch seconds.';
COMMENT ON COLUMN sync_jobs.walk_ids IS 'Ids seen on the last page that brought something new.';
COMMENT ON COLUMN sync_jobs.error_message IS 'A sentence for the athlete.';
COMMENT ON COLUMN sync_jobs.not_before IS 'The job sleeps until then.';
COMMENT ON COLUMN sync_jobs.sent_at IS 'When a message was last sent for it.';
COMMENT ON COLUMN sync_jobs.lease_token IS 'Who works on it; a checkpoint without the right token changes nothing.';
COMMENT ON COLUMN sync_jobs.strikes IS 'Leases that ran out without being given back.';

ALTER TABLE sync_jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE sync_jobs FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON sync_jobs TO runaway_owner USING (true) WITH CHECK (true);
CREATE POLICY system_all ON sync_jobs TO runaway_system USING (true) WITH CHECK (true);
CREATE POLICY athlete_own ON sync_jobs TO runaway_athlete
  USING (athlete_id = (SELECT current_athlete_id())) WITH CHECK (athlete_id = (SELECT current_athlete_id()));
CREATE POLICY worker_own ON sync_jobs TO runaway_worker
  USING (athlete_id = (SELECT worker_athlete_id())) WITH CHECK (athlete_id = (SELECT worker_athlete_id()));

GRANT SELECT, INSERT, UPDATE ON sync_jobs TO runaway_athlete, runaway_worker, runaway_system;
