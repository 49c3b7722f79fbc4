-- What a message carries beside its text, and which messages answer each other.
--
-- The details of a message are one JSON object: title, priority, tags, click, reply_to. The column
-- is the last one, and NULL where a message has none. So this step rewrites no row, and a plain
-- message is inserted by the same statement as before.
ALTER TABLE messages ADD COLUMN details TEXT;

-- The messages that answer another one, and the oldest message that they go back to. A message that
-- nobody answered has no row. A table of its own, because an index of the message log by thread
-- would have to read all of it once.
CREATE TABLE threads (
    message_id INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    thread_id  INTEGER NOT NULL
) STRICT;

CREATE INDEX threads_by_thread ON threads (thread_id, message_id);

-- The views of version 1 keep their columns. These have the details too. The tags are a JSON array.
CREATE VIEW v2_messages AS
SELECT m.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.sent_at / 1000.0, 'unixepoch') AS sent_at,
       s.name AS sender,
       r.name AS recipient,
       m.body,
       m.key,
       json_extract(m.details, '$.title') AS title,
       coalesce(json_extract(m.details, '$.priority'), 3) AS priority,
       coalesce(json_extract(m.details, '$.tags'), '[]') AS tags,
       json_extract(m.details, '$.click') AS click,
       json_extract(m.details, '$.reply_to') AS reply_to,
       coalesce(t.thread_id, m.id) AS thread
  FROM messages m
  JOIN users s ON s.id = m.sender_id
  JOIN users r ON r.id = m.recipient_id
  LEFT JOIN threads t ON t.message_id = m.id;

-- What each user has not read.
CREATE VIEW v2_inbox AS
SELECT i.recipient,
       i.id,
       i.sent_at,
       i.sender,
       i.body,
       json_extract(m.details, '$.title') AS title,
       coalesce(json_extract(m.details, '$.priority'), 3) AS priority,
       coalesce(json_extract(m.details, '$.tags'), '[]') AS tags,
       json_extract(m.details, '$.click') AS click,
       json_extract(m.details, '$.reply_to') AS reply_to,
       coalesce(t.thread_id, m.id) AS thread
  FROM v1_inbox i
  JOIN messages m ON m.id = i.id
  LEFT JOIN threads t ON t.message_id = m.id;
