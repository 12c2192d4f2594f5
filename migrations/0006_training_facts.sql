-- What the coach and the journal read: sport families, richer sums per day, records, and search over names.

-- Extensions may lie in `public` or, on Supabase, in `extensions`.
SET LOCAL search_path = public, extensions;
-- The runner forbids statements that row security would filter; here the owner's own policy shows every row.
SET LOCAL row_security = on;

CREATE FUNCTION sport_family(sport text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = ''
  AS $$ SELECT CASE
    WHEN sport IN ('Run', 'TrailRun', 'VirtualRun') THEN 'run'
    WHEN sport IN ('Ride', 'VirtualRide', 'GravelRide', 'MountainBikeRide', 'EBikeRide', 'EMountainBikeRide', 'Handcycle', 'Velomobile') THEN 'ride'
    WHEN sport = 'Swim' THEN 'swim'
    WHEN sport IN ('Walk', 'Hike', 'Snowshoe') THEN 'walk'
    WHEN sport IN ('WeightTraining', 'Crossfit') THEN 'strength'
    ELSE 'other' END $$;
COMMENT ON FUNCTION sport_family(text) IS 'The family a sport counts for; the same as Family::of in the shared library.';

-- `unaccent` is only stable, because its dictionary could be changed; here it never is.
DO $$
DECLARE
  place text := (SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'unaccent');
BEGIN
  EXECUTE format('CREATE FUNCTION plain_words(words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = '''' '
    'AS $f$ SELECT pg_catalog.lower(%1$I.unaccent(''%1$I.unaccent''::pg_catalog.regdictionary, words)) $f$', place);
END $$;
COMMENT ON FUNCTION plain_words(text) IS 'Lower case and without accents, so that "Rio" finds "Río".';

ALTER TABLE activities
  ADD COLUMN IF NOT EXISTS description text,
  ADD COLUMN family text NOT NULL GENERATED ALWAYS AS (sport_family(type)) STORED;
ALTER TABLE activities
  ADD COLUMN search_text text NOT NULL GENERATED ALWAYS AS (plain_words(name || ' ' || coalesce(description, ''))) STORED;
CREATE INDEX activities_words ON activities USING gin (athlete_id, to_tsvector('simple', search_text));
CREATE INDEX activities_trigrams ON activities USING gin (athlete_id, search_text gin_trgm_ops);
CREATE INDEX activities_sources ON activities (athlete_id, source);
CREATE INDEX activities_races ON activities (athlete_id, local_date DESC) WHERE workout_type = 1;
COMMENT ON COLUMN activities.family IS 'run, ride, swim, walk, strength or other.';
COMMENT ON COLUMN activities.search_text IS 'Name and description in plain words.';

ALTER TABLE athlete_days
  ADD COLUMN family    text NOT NULL DEFAULT 'other',
  ADD COLUMN paced_m   double precision NOT NULL DEFAULT 0,
  ADD COLUMN paced_s   bigint NOT NULL DEFAULT 0,
  ADD COLUMN heart_s   bigint NOT NULL DEFAULT 0,
  ADD COLUMN beats     double precision NOT NULL DEFAULT 0,
  ADD COLUMN heart_max double precision,
  ADD COLUMN longest_s integer NOT NULL DEFAULT 0,
  ADD COLUMN hilliest_m double precision NOT NULL DEFAULT 0,
  ADD COLUMN fastest_m_s double precision;
COMMENT ON COLUMN athlete_days.paced_m IS 'Metres of the activities that have both a distance and a moving time: a pace is paced_s over paced_m.';
COMMENT ON COLUMN athlete_days.heart_s IS 'Moving seconds of the activities with a heart rate.';
COMMENT ON COLUMN athlete_days.beats IS 'Heart rate times moving seconds, summed, over sixty: heart beats.';
COMMENT ON COLUMN athlete_days.longest_s IS 'Moving seconds of the longest activity.';
COMMENT ON COLUMN athlete_days.hilliest_m IS 'Climb of the hilliest activity, metres.';
COMMENT ON COLUMN athlete_days.fastest_m_s IS 'Greatest average speed of an activity of at least 3 km, metres a second.';

CREATE OR REPLACE FUNCTION recompute_athlete_days(athletes_touched bigint[], days_touched date[]) RETURNS void
  LANGUAGE plpgsql SECURITY INVOKER SET search_path = '' AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(a) FROM (SELECT DISTINCT a FROM unnest(athletes_touched) a ORDER BY a) z;
  DELETE FROM public.athlete_days d USING unnest(athletes_touched, days_touched) t (athlete_id, local_date)
   WHERE d.athlete_id = t.athlete_id AND d.local_date = t.local_date;
  INSERT INTO public.athlete_days (athlete_id, local_date, sport, family, n, distance_m, moving_s, elapsed_s, elevation_m, longest_m,
                                   paced_m, paced_s, heart_s, beats, heart_max, longest_s, hilliest_m, fastest_m_s)
  SELECT x.athlete_id, x.local_date, x.type, min(x.family), count(*), coalesce(sum(x.distance), 0), coalesce(sum(x.moving_time), 0),
         coalesce(sum(x.elapsed_time), 0), coalesce(sum(x.elevation_gain), 0), coalesce(max(x.distance), 0),
         coalesce(sum(x.distance) FILTER (WHERE x.distance > 0 AND x.moving_time > 0), 0),
         coalesce(sum(x.moving_time) FILTER (WHERE x.distance > 0 AND x.moving_time > 0), 0),
         coalesce(sum(x.moving_time) FILTER (WHERE x.average_heart_rate > 0), 0),
         coalesce(sum(x.average_heart_rate * x.moving_time) FILTER (WHERE x.average_heart_rate > 0), 0) / 60,
         max(x.max_heart_rate), coalesce(max(x.moving_time), 0), coalesce(max(x.elevation_gain), 0),
         max(x.distance / x.moving_time) FILTER (WHERE x.distance >= 3000 AND x.moving_time > 0)
    FROM public.activities x
    JOIN (SELECT DISTINCT * FROM unnest(athletes_touched, days_touched)) t (athlete_id, local_date)
      ON x.athlete_id = t.athlete_id AND x.local_date = t.local_date
   GROUP BY x.athlete_id, x.local_date, x.type;
END $$;

-- A record is the fastest stretch inside an activity where its details are known, else a whole run that is at most
-- 4 % longer than the distance.
ALTER TABLE best_efforts
  ADD COLUMN kind text NOT NULL DEFAULT 'stretch' CHECK (kind IN ('stretch', 'whole')),
  ADD COLUMN record_s integer NOT NULL GENERATED ALWAYS AS
    (CASE kind WHEN 'whole' THEN coalesce(moving_time, elapsed_time) ELSE elapsed_time END) STORED;
DROP INDEX best_efforts_athlete;
CREATE INDEX best_efforts_records ON best_efforts (athlete_id, distance_m, record_s, activity_id);
COMMENT ON COLUMN best_efforts.kind IS 'stretch: inside the activity, by its details; whole: the activity itself, at most 4 % longer.';
COMMENT ON COLUMN best_efforts.record_s IS 'What records are compared by: elapsed seconds of a stretch, moving seconds of a whole run.';

CREATE FUNCTION whole_run_efforts(activities_touched bigint[]) RETURNS void
  LANGUAGE sql SECURITY INVOKER SET search_path = '' AS $$
  DELETE FROM public.best_efforts WHERE activity_id = ANY (activities_touched) AND kind = 'whole';
  INSERT INTO public.best_efforts (activity_id, athlete_id, distance_m, elapsed_time, moving_time, kind)
  SELECT a.id, a.athlete_id, ceil(d.metres), coalesce(a.elapsed_time, a.moving_time), a.moving_time, 'whole'
    FROM public.activities a
    JOIN (VALUES (1000), (1609.344), (5000), (10000), (15000), (21097.5), (42195)) AS d (metres)
      ON a.distance >= d.metres AND a.distance <= d.metres * 1.04
   WHERE a.id = ANY (activities_touched) AND a.family = 'run' AND a.moving_time > 0 AND a.flagged IS NOT TRUE
  ON CONFLICT (activity_id, distance_m) DO NOTHING;
$$;
COMMENT ON FUNCTION whole_run_efforts(bigint[]) IS 'Efforts of whole runs; a stretch known from details stays.';

CREATE FUNCTION activities_follow_efforts() RETURNS trigger
  LANGUAGE plpgsql SECURITY INVOKER SET search_path = '' AS $$
BEGIN
  PERFORM public.whole_run_efforts((SELECT array_agg(id) FROM new_rows));
  RETURN NULL;
END $$;
CREATE TRIGGER efforts_after_insert AFTER INSERT ON activities REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION activities_follow_efforts();
CREATE TRIGGER efforts_after_update AFTER UPDATE ON activities REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION activities_follow_efforts();

-- Text operators are not leakproof, so under a policy no index on words is used. This function filters by the caller's
-- athlete itself; its owner's policy shows every row.
CREATE FUNCTION search_activities(words text, from_date date, to_date date, most integer)
  RETURNS TABLE (id bigint, score real, total bigint)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, extensions, pg_temp AS $$
#variable_conflict use_column
DECLARE
  caller bigint := public.current_athlete_id();
  plain  text := public.plain_words(words);
BEGIN
  IF caller IS NULL OR btrim(plain) = '' THEN
    RETURN;
  END IF;
  RETURN QUERY
    SELECT x.id, 1::real, count(*) OVER () FROM public.activities x
     WHERE x.athlete_id = caller AND to_tsvector('simple', x.search_text) @@ plainto_tsquery('simple', plain)
       AND x.local_date BETWEEN coalesce(from_date, '-infinity') AND coalesce(to_date, 'infinity')
     ORDER BY x.local_date DESC, x.id DESC LIMIT most;
  IF NOT FOUND THEN
    PERFORM set_config('pg_trgm.word_similarity_threshold', '0.55', true);
    RETURN QUERY
      SELECT x.id, word_similarity(plain, x.search_text), count(*) OVER () FROM public.activities x
       WHERE x.athlete_id = caller AND plain <% x.search_text
         AND x.local_date BETWEEN coalesce(from_date, '-infinity') AND coalesce(to_date, 'infinity')
       ORDER BY 2 DESC, x.local_date DESC, x.id DESC LIMIT most;
  END IF;
END $$;
COMMENT ON FUNCTION search_activities(text, date, date, integer) IS
  'Activities of the caller whose name or description has all the words, else words like them; score 1 is exact.';
REVOKE ALL ON FUNCTION search_activities(text, date, date, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_activities(text, date, date, integer) TO runaway_athlete;

-- What is stored already gets its sums and efforts.
SELECT recompute_athlete_days(array_agg(athlete_id), array_agg(local_date)) FROM (SELECT DISTINCT athlete_id, local_date FROM activities) z
 HAVING count(*) > 0;
SELECT whole_run_efforts(array_agg(id)) FROM activities HAVING count(*) > 0;
