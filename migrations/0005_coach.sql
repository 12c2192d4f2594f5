-- The coach's tables under the names the product is known by.

CREATE TABLE chat_conversations (
  id              uuid PRIMARY KEY,
  athlete_id      bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  conversation_id uuid NOT NULL,
  role            text NOT NULL CHECK (role IN ('user', 'assistant')),
  message         text NOT NULL,
  "timestamp"     timestamptz(0) NOT NULL DEFAULT now()
);
CREATE INDEX chat_conversations_turns ON chat_conversations (athlete_id, conversation_id, "timestamp", id);
COMMENT ON TABLE chat_conversations IS 'One row per message of a conversation with the coach.';

CREATE TABLE athlete_ai_profiles (
  athlete_id  bigint PRIMARY KEY REFERENCES athletes (id) ON DELETE CASCADE,
  core_memory jsonb NOT NULL DEFAULT '{}',
  created_at  timestamptz(0) NOT NULL DEFAULT now(),
  updated_at  timestamptz(0) NOT NULL DEFAULT now()
);
COMMENT ON TABLE athlete_ai_profiles IS 'What the coach knows of an athlete beside the activities.';

CREATE TABLE training_journal (
  id                   uuid PRIMARY KEY,
  athlete_id           bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  week_start_date      date NOT NULL CHECK (extract(isodow FROM week_start_date) = 1),
  week_end_date        date NOT NULL GENERATED ALWAYS AS (week_start_date + 6) STORED,
  narrative            text NOT NULL,
  week_stats           jsonb NOT NULL,
  insights             jsonb NOT NULL DEFAULT '[]',
  generation_model     text NOT NULL,
  generation_timestamp timestamptz(0) NOT NULL DEFAULT now(),
  updated_at           timestamptz(0) NOT NULL DEFAULT now(),
  UNIQUE (athlete_id, week_start_date)
);
COMMENT ON TABLE training_journal IS 'One entry per athlete and week, Monday to Sunday.';

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['chat_conversations', 'athlete_ai_profiles', 'training_journal'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY owner_all ON %I TO runaway_owner USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY athlete_own ON %I TO runaway_athlete USING (athlete_id = (SELECT current_athlete_id())) '
      'WITH CHECK (athlete_id = (SELECT current_athlete_id()))', t);
    EXECUTE format('CREATE POLICY worker_own ON %I TO runaway_worker USING (athlete_id = (SELECT worker_athlete_id())) '
      'WITH CHECK (athlete_id = (SELECT worker_athlete_id()))', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO runaway_athlete, runaway_worker', t);
  END LOOP;
END $$;
