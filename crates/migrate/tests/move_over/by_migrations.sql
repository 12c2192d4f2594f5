-- Tables as the predecessor's own migrations describe them. Without primary keys: older copies had doubled rows.
CREATE SCHEMA auth;
CREATE TABLE auth.users (id uuid PRIMARY KEY);

CREATE TABLE athletes (
  id bigint, first_name text, last_name text, profile_picture text, city text, state text, country text, sex text, weight numeric,
  auth_user_id uuid, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE strava_tokens (
  athlete_id bigint, access_token text NOT NULL, refresh_token text NOT NULL, expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE activities (
  id bigint, athlete_id bigint, name text, distance numeric, moving_time integer, elapsed_time integer, elevation_gain numeric, type text,
  activity_date timestamptz, start_date_local timestamptz, timezone text, start_latlng numeric[], end_latlng numeric[],
  average_speed numeric, max_speed numeric, average_cadence numeric, average_heart_rate integer, max_heart_rate integer,
  elev_high numeric, elev_low numeric, upload_id bigint, external_id text, trainer boolean DEFAULT false, commute boolean DEFAULT false,
  manual boolean DEFAULT false, private boolean DEFAULT false, flagged boolean DEFAULT false, workout_type integer,
  average_watts numeric, max_watts numeric, kilojoules numeric, device_watts boolean DEFAULT false, suffer_score numeric,
  map_summary_polyline text, source text DEFAULT 'strava', auth_user_id uuid, raw_data jsonb, device_name text,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON activities (id);
CREATE TABLE chat_conversations (
  id bigserial, athlete_id bigint, conversation_id text, role text, message text, context_used jsonb, "timestamp" timestamptz DEFAULT now());
CREATE TABLE athlete_ai_profiles (athlete_id bigint, core_memory jsonb, preferences jsonb, version integer, last_updated timestamptz);
CREATE TABLE training_journal (
  id uuid DEFAULT gen_random_uuid(), athlete_id bigint, week_start_date date, week_end_date date, narrative text, week_stats jsonb,
  insights jsonb, generation_model text, generation_timestamp timestamptz DEFAULT now());
CREATE TABLE sync_jobs (
  id uuid DEFAULT gen_random_uuid(), athlete_id bigint, sync_type text, status text, after_timestamp timestamptz, before_timestamp timestamptz,
  created_at timestamptz DEFAULT now(), started_at timestamptz, completed_at timestamptz, total_activities integer,
  processed_activities integer, failed_activities integer, error_message text, retry_count integer, metadata jsonb);
CREATE TABLE research_articles (id bigserial, title text);
