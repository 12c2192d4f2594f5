-- The coach's conversations as the app lists them, what it was asked to remember, and what a day may cost.

SET LOCAL row_security = on;

CREATE TABLE coach_conversations (
  id         uuid PRIMARY KEY,
  athlete_id bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  preview    text NOT NULL,
  created_at timestamptz(0) NOT NULL DEFAULT now(),
  updated_at timestamptz(0) NOT NULL DEFAULT now(),
  UNIQUE (id, athlete_id)
);
CREATE INDEX coach_conversations_newest ON coach_conversations (athlete_id, updated_at DESC, id DESC);
COMMENT ON TABLE coach_conversations IS 'One row per conversation; its messages are in chat_conversations.';
COMMENT ON COLUMN coach_conversations.preview IS 'The beginning of the first message.';

INSERT INTO coach_conversations (id, athlete_id, preview, created_at, updated_at)
SELECT conversation_id, min(athlete_id), left((array_agg(message ORDER BY "timestamp", id))[1], 120), min("timestamp"), max("timestamp")
  FROM chat_conversations GROUP BY conversation_id HAVING count(DISTINCT athlete_id) = 1;

ALTER TABLE chat_conversations
  ADD COLUMN incomplete boolean NOT NULL DEFAULT false,
  ADD COLUMN client_message_id uuid,
  ADD COLUMN context jsonb,
  -- The pair, so that no message can stand in another athlete's conversation.
  ADD FOREIGN KEY (conversation_id, athlete_id) REFERENCES coach_conversations (id, athlete_id) ON DELETE CASCADE;
CREATE INDEX chat_conversations_client_message ON chat_conversations (athlete_id, client_message_id) WHERE client_message_id IS NOT NULL;
COMMENT ON COLUMN chat_conversations.incomplete IS 'An answer cut off by an error; shown to the athlete, not sent to a model again.';
COMMENT ON COLUMN chat_conversations.client_message_id IS 'The app''s own id of a message: sent again within a day, it brings the stored answer.';
COMMENT ON COLUMN chat_conversations.context IS 'What an answer was made from, as it was told to the app.';

CREATE TABLE coach_facts (
  id         uuid PRIMARY KEY,
  athlete_id bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  kind       text NOT NULL CHECK (kind IN ('preference', 'goal', 'concern')),
  fact       text NOT NULL CHECK (char_length(fact) BETWEEN 1 AND 300),
  created_at timestamptz(0) NOT NULL DEFAULT now()
);
CREATE INDEX coach_facts_athlete ON coach_facts (athlete_id, created_at DESC);
COMMENT ON TABLE coach_facts IS 'What the athlete asked the coach to remember.';

CREATE TABLE request_limits (
  athlete_id bigint NOT NULL REFERENCES athletes (id) ON DELETE CASCADE,
  day        date NOT NULL,
  kind       text NOT NULL,
  requests   integer NOT NULL DEFAULT 0,
  tokens     bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (athlete_id, day, kind)
);
COMMENT ON TABLE request_limits IS 'What an athlete has used of a day''s allowance; days are UTC.';
COMMENT ON COLUMN request_limits.tokens IS 'Model tokens, read and written.';

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['coach_conversations', 'coach_facts', 'request_limits'] LOOP
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
