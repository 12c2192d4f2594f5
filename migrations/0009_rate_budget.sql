-- Strava's rate limit as one budget for the whole application, and which part of it a job may use.

CREATE TABLE strava_rate_budget (
  id            boolean PRIMARY KEY DEFAULT true CHECK (id),
  short_limit   integer,
  short_window  bigint NOT NULL DEFAULT 0,
  short_used    integer NOT NULL DEFAULT 0,
  short_refused integer NOT NULL DEFAULT 0,
  day_limit     integer,
  day_window    bigint NOT NULL DEFAULT 0,
  day_used      integer NOT NULL DEFAULT 0,
  not_before    timestamptz(0) NOT NULL DEFAULT 'epoch'
);
COMMENT ON TABLE strava_rate_budget IS 'One row for the application: what Strava allows, and what all workers together have used of it.';
COMMENT ON COLUMN strava_rate_budget.short_limit IS 'Calls of a quarter hour, from the headers of the last answer; null before the first.';
COMMENT ON COLUMN strava_rate_budget.short_window IS 'The quarter hour that is counted, in quarter hours since 1970.';
COMMENT ON COLUMN strava_rate_budget.short_used IS 'Calls reserved in it, or the usage Strava named, whichever is more.';
COMMENT ON COLUMN strava_rate_budget.short_refused IS 'Reservations refused in it: so many come back for what is left in its last minute.';
COMMENT ON COLUMN strava_rate_budget.day_limit IS 'Calls of a day in UTC.';
COMMENT ON COLUMN strava_rate_budget.day_window IS 'The day that is counted, in days since 1970.';
COMMENT ON COLUMN strava_rate_budget.day_used IS 'As short_used, of the day.';
COMMENT ON COLUMN strava_rate_budget.not_before IS 'Nobody calls Strava before this: it refused a call for its limit, is down, or shuts the application out.';
INSERT INTO strava_rate_budget DEFAULT VALUES;

-- No athlete's data: the row is the system's alone.
ALTER TABLE strava_rate_budget ENABLE ROW LEVEL SECURITY;
ALTER TABLE strava_rate_budget FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON strava_rate_budget TO runaway_owner USING (true) WITH CHECK (true);
CREATE POLICY system_all ON strava_rate_budget TO runaway_system USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON strava_rate_budget TO runaway_system;

ALTER TABLE sync_jobs
  ADD COLUMN lane text NOT NULL DEFAULT 'backfill' CHECK (lane IN ('interactive', 'incremental', 'backfill')),
  ADD COLUMN failing_since timestamptz(0);
COMMENT ON COLUMN sync_jobs.lane IS 'Whose turn it is at Strava: a waiting athlete''s, the daily comparison''s, or that of whole histories.';
COMMENT ON COLUMN sync_jobs.failing_since IS 'Since when no page has come, for reasons other than the rate limit; null while they come.';
