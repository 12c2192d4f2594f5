-- Activities in narrow rows, their verbatim objects beside them, and sums per day that follow every write.

CREATE TABLE activities (
  id                   bigint PRIMARY KEY,
  athlete_id           bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  name                 text NOT NULL,
  type                 text NOT NULL,
  distance             double precision,
  moving_time          integer,
  elapsed_time         integer,
  activity_date        timestamptz(0) NOT NULL,
  start_date_local     timestamp(0) NOT NULL,
  timezone             text,
  utc_offset_s         integer,
  local_date           date NOT NULL GENERATED ALWAYS AS (start_date_local::date) STORED,
  week_start           date NOT NULL GENERATED ALWAYS AS
    (start_date_local::date - (extract(isodow FROM start_date_local)::integer - 1)) STORED,
  elevation_gain       double precision,
  elev_high            double precision,
  elev_low             double precision,
  average_speed        double precision,
  max_speed            double precision,
  average_cadence      double precision,
  average_heart_rate   double precision,
  max_heart_rate       double precision,
  average_watts        double precision,
  max_watts            double precision,
  kilojoules           double precision,
  device_watts         boolean,
  suffer_score         double precision,
  workout_type         integer,
  trainer              boolean,
  commute              boolean,
  manual               boolean,
  private              boolean,
  flagged              boolean,
  start_latlng         double precision[],
  end_latlng           double precision[],
  upload_id            bigint,
  external_id          text,
  device_name          text,
  map_summary_polyline text,
  source               text NOT NULL DEFAULT 'strava',
  created_at           timestamptz(0) NOT NULL DEFAULT now(),
  updated_at           timestamptz(0) NOT NULL DEFAULT now()
);
CREATE INDEX activities_athlete_date ON activities (athlete_id, local_date DESC, id DESC);
CREATE INDEX activities_athlete_start ON activities (athlete_id, activity_date DESC);
COMMENT ON TABLE activities IS 'One recorded or hand-entered activity. SI units: metres, seconds, metres a second.';
COMMENT ON COLUMN activities.type IS 'Strava''s sport_type, else its older type; words not known here are kept.';
COMMENT ON COLUMN activities.activity_date IS 'Start as an instant.';
COMMENT ON COLUMN activities.start_date_local IS 'Start on the athlete''s wall clock.';
COMMENT ON COLUMN activities.utc_offset_s IS 'Offset of the wall clock in seconds; null where the start is hidden.';
COMMENT ON COLUMN activities.local_date IS 'The athlete''s calendar day; never derived from a time zone.';
COMMENT ON COLUMN activities.week_start IS 'Monday of the local date''s week.';
COMMENT ON COLUMN activities.average_cadence IS 'Runs: steps of one leg a minute; rides: revolutions a minute.';
COMMENT ON COLUMN activities.source IS 'Where the data came from; decides what may be done with it.';

CREATE TABLE activity_raw (
  activity_id bigint PRIMARY KEY REFERENCES activities (id) ON DELETE CASCADE,
  athlete_id  bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  summary     json,
  summary_at  timestamptz(0),
  detail      json,
  detail_at   timestamptz(0)
);
CREATE INDEX activity_raw_athlete ON activity_raw (athlete_id);
COMMENT ON TABLE activity_raw IS 'Strava''s objects, byte for byte as they came.';

CREATE TABLE unreadable_activities (
  athlete_id   bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
  object       text NOT NULL,
  reason       text NOT NULL,
  created_at   timestamptz(0) NOT NULL DEFAULT now(),
  PRIMARY KEY (athlete_id, content_hash)
);
COMMENT ON TABLE unreadable_activities IS 'Objects of a page that could not be read, kept so that nothing is lost.';

CREATE TABLE athlete_days (
  athlete_id  bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  local_date  date NOT NULL,
  sport       text NOT NULL,
  n           integer NOT NULL,
  distance_m  double precision NOT NULL,
  moving_s    bigint NOT NULL,
  elapsed_s   bigint NOT NULL,
  elevation_m double precision NOT NULL,
  longest_m   double precision NOT NULL,
  PRIMARY KEY (athlete_id, local_date, sport)
);
COMMENT ON TABLE athlete_days IS 'Sums of a day and sport, recomputed with every write to activities; weeks and totals add these up.';

-- Recomputing, not adding: an edit or a deletion cannot make the sums drift. The lock makes two writers of one
-- athlete take turns here, and each then sees what the other has committed.
CREATE FUNCTION recompute_athlete_days(athletes_touched bigint[], days_touched date[]) RETURNS void
  LANGUAGE plpgsql SECURITY INVOKER SET search_path = '' AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(a) FROM (SELECT DISTINCT a FROM unnest(athletes_touched) a ORDER BY a) z;
  DELETE FROM public.athlete_days d USING unnest(athletes_touched, days_touched) t (athlete_id, local_date)
   WHERE d.athlete_id = t.athlete_id AND d.local_date = t.local_date;
  INSERT INTO public.athlete_days (athlete_id, local_date, sport, n, distance_m, moving_s, elapsed_s, elevation_m, longest_m)
  SELECT x.athlete_id, x.local_date, x.type, count(*), coalesce(sum(x.distance), 0), coalesce(sum(x.moving_time), 0),
         coalesce(sum(x.elapsed_time), 0), coalesce(sum(x.elevation_gain), 0), coalesce(max(x.distance), 0)
    FROM public.activities x
    JOIN (SELECT DISTINCT * FROM unnest(athletes_touched, days_touched)) t (athlete_id, local_date)
      ON x.athlete_id = t.athlete_id AND x.local_date = t.local_date
   GROUP BY x.athlete_id, x.local_date, x.type;
END $$;

CREATE FUNCTION activities_follow_days() RETURNS trigger
  LANGUAGE plpgsql SECURITY INVOKER SET search_path = '' AS $$
DECLARE
  a bigint[];
  d date[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT array_agg(athlete_id), array_agg(local_date) INTO a, d FROM (SELECT DISTINCT athlete_id, local_date FROM new_rows) z;
  ELSIF TG_OP = 'DELETE' THEN
    SELECT array_agg(athlete_id), array_agg(local_date) INTO a, d FROM (SELECT DISTINCT athlete_id, local_date FROM old_rows) z;
  ELSE
    SELECT array_agg(athlete_id), array_agg(local_date) INTO a, d
      FROM (SELECT athlete_id, local_date FROM new_rows UNION SELECT athlete_id, local_date FROM old_rows) z;
  END IF;
  IF a IS NOT NULL THEN
    PERFORM public.recompute_athlete_days(a, d);
  END IF;
  RETURN NULL;
END $$;

-- A transition table belongs to one kind of event: three triggers for one function.
CREATE TRIGGER days_after_insert AFTER INSERT ON activities REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION activities_follow_days();
CREATE TRIGGER days_after_update AFTER UPDATE ON activities REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION activities_follow_days();
CREATE TRIGGER days_after_delete AFTER DELETE ON activities REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION activities_follow_days();

CREATE TABLE activity_details (
  activity_id bigint PRIMARY KEY REFERENCES activities (id) ON DELETE CASCADE,
  athlete_id  bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  state       text NOT NULL DEFAULT 'missing' CHECK (state IN ('missing', 'fetched', 'absent')),
  fetched_at  timestamptz(0)
);
CREATE INDEX activity_details_athlete ON activity_details (athlete_id, state);
COMMENT ON TABLE activity_details IS 'Whether an activity''s details (laps, splits, efforts) have been fetched.';

CREATE TABLE best_efforts (
  activity_id  bigint NOT NULL REFERENCES activities (id) ON DELETE CASCADE,
  athlete_id   bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  distance_m   integer NOT NULL,
  elapsed_time integer NOT NULL,
  moving_time  integer,
  start_index  integer,
  end_index    integer,
  PRIMARY KEY (activity_id, distance_m)
);
CREATE INDEX best_efforts_athlete ON best_efforts (athlete_id, distance_m, elapsed_time);
COMMENT ON TABLE best_efforts IS 'Fastest stretch of a distance inside an activity, in seconds.';

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['activities', 'activity_raw', 'unreadable_activities', 'athlete_days', 'activity_details', 'best_efforts'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY owner_all ON %I TO runaway_owner USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY athlete_own ON %I FOR SELECT TO runaway_athlete USING (athlete_id = (SELECT current_athlete_id()))', t);
    EXECUTE format('CREATE POLICY worker_own ON %I TO runaway_worker USING (athlete_id = (SELECT worker_athlete_id())) '
      'WITH CHECK (athlete_id = (SELECT worker_athlete_id()))', t);
    EXECUTE format('GRANT SELECT ON %I TO runaway_athlete', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO runaway_worker', t);
  END LOOP;
END $$;
CREATE POLICY app_own ON activities FOR SELECT TO authenticated USING (athlete_id = (SELECT current_athlete_id()));
GRANT SELECT ON activities TO authenticated;
