-- Tables as the predecessor's live database had them, cut to what matters: other names, tokens beside names, a table of
-- sports, policies, views and functions that show everybody's rows.
CREATE TYPE consent AS ENUM ('asked', 'given');
CREATE TABLE activity_types (id integer PRIMARY KEY, name text);
CREATE TABLE athletes (
  id bigserial PRIMARY KEY, auth_user_id uuid, email text, first_name text, last_name text, weight double precision,
  health_consent_status consent, access_token text, refresh_token text, token_expires_at timestamptz, strava_connected boolean,
  strava_connected_at timestamptz, strava_disconnected_at timestamptz, profile text, profile_medium text, strava_athlete_id bigint,
  created_at timestamptz, updated_at timestamptz);
CREATE TABLE activities (
  id bigint PRIMARY KEY, athlete_id bigint NOT NULL REFERENCES athletes (id), activity_type_id integer REFERENCES activity_types (id),
  name varchar(255), description text, activity_date timestamptz, start_time timestamp, elapsed_time integer, moving_time integer,
  distance double precision, elevation_gain double precision, elevation_low double precision, elevation_high double precision,
  max_heart_rate integer, average_heart_rate integer, calories double precision, manual boolean, external_id text,
  start_latitude double precision, start_longitude double precision, source text, auth_user_id uuid, raw_data jsonb, splits jsonb,
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
CREATE TABLE conversations (id uuid, user_id text, messages jsonb);
ALTER TABLE athletes ENABLE ROW LEVEL SECURITY;
ALTER TABLE activities ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Users can view own activities" ON activities USING (false);
CREATE VIEW activity_summary AS SELECT athlete_id, count(*) AS n FROM activities GROUP BY 1;
CREATE FUNCTION best_split_pr(p_athlete bigint, p_kind integer) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
  'SELECT max(id) FROM activities WHERE athlete_id = p_athlete';
CREATE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at = now(); RETURN NEW; END';
CREATE TRIGGER update_activities_updated_at BEFORE UPDATE ON activities FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
CREATE FUNCTION pace_of(activity activities) RETURNS double precision LANGUAGE sql AS 'SELECT $1.distance / $1.moving_time';
CREATE FUNCTION was_given(answer consent, asked consent[]) RETURNS boolean LANGUAGE sql AS 'SELECT answer = ANY (asked)';
