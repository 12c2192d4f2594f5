-- What the journal knows of a week beside its entry: how often its activities changed, what was written, who writes now.

SET LOCAL row_security = on;

CREATE TABLE journal_weeks (
  athlete_id       bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  week_start_date  date NOT NULL CHECK (extract(isodow FROM week_start_date) = 1),
  changes          integer NOT NULL DEFAULT 0,
  written_changes  integer,
  inputs_hash      bytea CHECK (octet_length(inputs_hash) = 32),
  is_complete      boolean NOT NULL DEFAULT false,
  is_provisional   boolean NOT NULL DEFAULT false,
  writes           integer NOT NULL DEFAULT 0,
  sent_at          timestamptz(0),
  lease_token      uuid,
  lease_expires_at timestamptz(0),
  PRIMARY KEY (athlete_id, week_start_date),
  CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL))
);
COMMENT ON TABLE journal_weeks IS 'One row per athlete and week with activities; the entry itself is in training_journal.';
COMMENT ON COLUMN journal_weeks.changes IS 'Counts the writes to activities that the week''s entry is made from: its own and those of the 52 weeks before.';
COMMENT ON COLUMN journal_weeks.written_changes IS 'The count at which the entry was made; another one makes the entry stale, none means there is no entry.';
COMMENT ON COLUMN journal_weeks.inputs_hash IS 'SHA-256 of the facts the entry was written from: equal facts are not written, or paid for, again.';
COMMENT ON COLUMN journal_weeks.is_complete IS 'Whether the week was over when the entry was written.';
COMMENT ON COLUMN journal_weeks.is_provisional IS 'Written without the model because it could not be reached: worth another try.';
COMMENT ON COLUMN journal_weeks.writes IS 'How often the entry was written.';
COMMENT ON COLUMN journal_weeks.sent_at IS 'When a message was last sent for it.';
COMMENT ON COLUMN journal_weeks.lease_token IS 'Who writes it; without the right token nothing is stored.';

ALTER TABLE journal_weeks ENABLE ROW LEVEL SECURITY;
ALTER TABLE journal_weeks FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON journal_weeks TO runaway_owner USING (true) WITH CHECK (true);
CREATE POLICY system_all ON journal_weeks TO runaway_system USING (true) WITH CHECK (true);
CREATE POLICY athlete_own ON journal_weeks TO runaway_athlete
  USING (athlete_id = (SELECT current_athlete_id())) WITH CHECK (athlete_id = (SELECT current_athlete_id()));
CREATE POLICY worker_own ON journal_weeks TO runaway_worker
  USING (athlete_id = (SELECT worker_athlete_id())) WITH CHECK (athlete_id = (SELECT worker_athlete_id()));
GRANT SELECT, INSERT, UPDATE ON journal_weeks TO runaway_athlete;
GRANT SELECT, INSERT, UPDATE, DELETE ON journal_weeks TO runaway_worker;
GRANT SELECT, UPDATE ON journal_weeks TO runaway_system;

-- Marks the touched weeks, and the 52 after each, which compare themselves with it: in the same transaction as the
-- write, after the sums of the days have made writers of one athlete take turns. An activity that arrives makes its
-- week's row, so that whoever writes the week and whoever uploads into it wait for each other on that row. A deletion
-- makes none: the athlete may be going too.
CREATE FUNCTION mark_journal_weeks(athletes_touched bigint[], weeks_touched date[], may_insert boolean) RETURNS void
  LANGUAGE plpgsql SECURITY INVOKER SET search_path = '' AS $$
BEGIN
  IF may_insert THEN
    INSERT INTO public.journal_weeks (athlete_id, week_start_date)
    SELECT athlete_id, week FROM unnest(athletes_touched, weeks_touched) t (athlete_id, week) ORDER BY 1, 2
    ON CONFLICT DO NOTHING;
  END IF;
  UPDATE public.journal_weeks w SET changes = w.changes + 1
    FROM unnest(athletes_touched, weeks_touched) t (athlete_id, week)
   WHERE w.athlete_id = t.athlete_id AND w.week_start_date BETWEEN t.week AND t.week + 52 * 7;
END $$;

CREATE FUNCTION activities_follow_journal() RETURNS trigger
  LANGUAGE plpgsql SECURITY INVOKER SET search_path = '' AS $$
DECLARE
  a bigint[];
  w date[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT array_agg(athlete_id), array_agg(week_start) INTO a, w FROM (SELECT DISTINCT athlete_id, week_start FROM new_rows) z;
  ELSIF TG_OP = 'DELETE' THEN
    SELECT array_agg(athlete_id), array_agg(week_start) INTO a, w FROM (SELECT DISTINCT athlete_id, week_start FROM old_rows) z;
  ELSE
    SELECT array_agg(athlete_id), array_agg(week_start) INTO a, w
      FROM (SELECT athlete_id, week_start FROM new_rows UNION SELECT athlete_id, week_start FROM old_rows) z;
  END IF;
  IF a IS NOT NULL THEN
    PERFORM public.mark_journal_weeks(a, w, TG_OP <> 'DELETE');
  END IF;
  RETURN NULL;
END $$;

-- Named to fire after the triggers of the days, which take the athlete's lock.
CREATE TRIGGER journal_after_insert AFTER INSERT ON activities REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION activities_follow_journal();
CREATE TRIGGER journal_after_update AFTER UPDATE ON activities REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION activities_follow_journal();
CREATE TRIGGER journal_after_delete AFTER DELETE ON activities REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION activities_follow_journal();

INSERT INTO journal_weeks (athlete_id, week_start_date) SELECT DISTINCT athlete_id, week_start FROM activities;
