-- Edits and deletions of messages.
--
-- An edit and a deletion are entries of the message log: each has an id of the log, and is never
-- changed. They are in a table of their own. So a read of messages, a count, the deliveries and the
-- keys meet no entry that is no message. No row of `messages` is rewritten.
CREATE TABLE message_changes (
    id         INTEGER PRIMARY KEY,
    changed_at INTEGER NOT NULL,
    -- Who changed the message. NULL for an operator.
    user_id    INTEGER,
    -- The mailbox that the message is in.
    mailbox_id INTEGER NOT NULL,
    message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    -- The idempotency key of an edit, where one was given.
    key        TEXT,
    -- The new text. NULL for a deletion, which is the last change of a message.
    body       TEXT
) STRICT;

CREATE INDEX message_changes_by_message ON message_changes (message_id, id);
CREATE INDEX message_changes_by_mailbox ON message_changes (mailbox_id, id);
CREATE UNIQUE INDEX message_changes_by_key ON message_changes (key, user_id) WHERE key IS NOT NULL;

-- The messages as people read them: with their newest text, and without those that were deleted.
-- The details of an edited message say when it was edited.
CREATE VIEW folded_messages AS
SELECT m.id,
       m.sent_at,
       m.sender_id,
       m.recipient_id,
       m.key,
       coalesce(c.body, m.body) AS body,
       CASE WHEN c.id IS NULL THEN m.details
            ELSE json_set(coalesce(m.details, '{}'), '$.edited',
                          strftime('%Y-%m-%dT%H:%M:%fZ', c.changed_at / 1000.0, 'unixepoch'))
            END AS details
  FROM messages m
  LEFT JOIN message_changes c
    ON c.id = (SELECT max(n.id) FROM message_changes n WHERE n.message_id = m.id)
 WHERE c.id IS NULL OR c.body IS NOT NULL;

-- The views keep their columns, and show messages as people read them.
DROP VIEW v2_inbox;
DROP VIEW v2_messages;
DROP VIEW v1_inbox;
DROP VIEW v1_messages;
DROP VIEW v1_dead_letters;
DROP VIEW unread_in_rooms;
DROP VIEW delivered;

-- Each message and whom it is for, by the runs and what comes after them. A deletion removes the
-- delivery, too.
CREATE VIEW delivered AS
SELECT d.user_id, d.message_id
  FROM delivery_runs t CROSS JOIN deliveries d ON d.run = t.run
 UNION ALL
SELECT m.recipient_id, m.id
  FROM folded_messages m
 WHERE m.id > (SELECT coalesce(max(upto_id), 0) FROM delivery_runs);

CREATE VIEW v1_messages AS
SELECT m.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.sent_at / 1000.0, 'unixepoch') AS sent_at,
       s.name AS sender,
       coalesce(r.name, o.name) AS recipient,
       m.body,
       m.key
  FROM folded_messages m
  JOIN users s ON s.id = m.sender_id
  LEFT JOIN users r ON r.id = m.recipient_id
  LEFT JOIN rooms o ON o.id = -m.recipient_id;

CREATE VIEW v2_messages AS
SELECT m.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.sent_at / 1000.0, 'unixepoch') AS sent_at,
       s.name AS sender,
       coalesce(r.name, o.name) AS recipient,
       m.body,
       m.key,
       json_extract(m.details, '$.title') AS title,
       coalesce(json_extract(m.details, '$.priority'), 3) AS priority,
       coalesce(json_extract(m.details, '$.tags'), '[]') AS tags,
       json_extract(m.details, '$.click') AS click,
       json_extract(m.details, '$.reply_to') AS reply_to,
       coalesce(t.thread_id, m.id) AS thread,
       json_extract(m.details, '$.edited') AS edited_at
  FROM folded_messages m
  JOIN users s ON s.id = m.sender_id
  LEFT JOIN users r ON r.id = m.recipient_id
  LEFT JOIN rooms o ON o.id = -m.recipient_id
  LEFT JOIN threads t ON t.message_id = m.id;

-- The messages of rooms that count as unread, for each reader: those that arrived while the reader
-- was a member, without the reader's own, and as the reader set the room.
CREATE VIEW unread_in_rooms AS
WITH parts AS NOT MATERIALIZED (
    SELECT p.user_id,
           u.name AS user,
           p.room_id,
           max(p.joined_after, coalesce(c.upto_id, 0), coalesce(k.upto_id, 0)) AS after_id,
           coalesce(p.left_upto, 9223372036854775807) AS upto_id,
           (SELECT n.notify FROM memberships n
             WHERE n.user_id = p.user_id AND n.room_id = p.room_id
             ORDER BY n.joined_after DESC LIMIT 1) AS notify
      FROM memberships p
      JOIN users u ON u.id = p.user_id AND u.deleted_at IS NULL
      LEFT JOIN cursors c ON c.user_id = p.user_id AND c.name = 'inbox'
      LEFT JOIN read_marks k ON k.user_id = p.user_id AND k.mailbox_id = -p.room_id),
found AS NOT MATERIALIZED (
    SELECT p.user_id, p.user, p.room_id, p.notify, d.message_id
      FROM parts p
     CROSS JOIN delivery_runs t ON t.upto_id > p.after_id
     CROSS JOIN deliveries d ON d.run = t.run AND d.user_id = -p.room_id
            AND d.message_id > p.after_id AND d.message_id <= p.upto_id
     UNION ALL
    SELECT p.user_id, p.user, p.room_id, p.notify, m.id
      FROM folded_messages m
     CROSS JOIN parts p ON p.room_id = -m.recipient_id AND m.id > p.after_id AND m.id <= p.upto_id
     WHERE m.id > (SELECT coalesce(max(upto_id), 0) FROM delivery_runs))
SELECT f.user, f.room_id, f.message_id
  FROM found f
 CROSS JOIN folded_messages m ON m.id = f.message_id
 WHERE m.sender_id <> f.user_id
   AND CASE f.notify
           WHEN 'all' THEN 1
           WHEN 'mentions' THEN
               ' ' || m.body || ' ' GLOB '*[^a-zA-Z0-9_-]@' || f.user || '[^a-zA-Z0-9_-]*'
           ELSE 0 END;

-- What each user has not read.
CREATE VIEW v1_inbox AS
SELECT r.name AS recipient,
       m.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.sent_at / 1000.0, 'unixepoch') AS sent_at,
       s.name AS sender,
       m.body
  FROM users r
  LEFT JOIN cursors c ON c.user_id = r.id AND c.name = 'inbox'
 CROSS JOIN delivery_runs t ON t.upto_id > coalesce(c.upto_id, 0)
 CROSS JOIN deliveries d ON d.run = t.run AND d.user_id = r.id AND d.message_id > coalesce(c.upto_id, 0)
 CROSS JOIN folded_messages m ON m.id = d.message_id
  JOIN users s ON s.id = m.sender_id
 WHERE r.deleted_at IS NULL
   AND NOT EXISTS (SELECT 1 FROM read_marks k
                    WHERE k.user_id = r.id AND k.mailbox_id = m.sender_id AND k.upto_id >= m.id)
 UNION ALL
SELECT r.name,
       m.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.sent_at / 1000.0, 'unixepoch'),
       s.name,
       m.body
  FROM folded_messages m
 CROSS JOIN users r ON r.id = m.recipient_id
  LEFT JOIN cursors c ON c.user_id = r.id AND c.name = 'inbox'
  JOIN users s ON s.id = m.sender_id
 WHERE m.id > (SELECT coalesce(max(upto_id), 0) FROM delivery_runs)
   AND m.id > coalesce(c.upto_id, 0)
   AND r.deleted_at IS NULL
   AND NOT EXISTS (SELECT 1 FROM read_marks k
                    WHERE k.user_id = r.id AND k.mailbox_id = m.sender_id AND k.upto_id >= m.id)
 UNION ALL
SELECT u.user,
       m.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.sent_at / 1000.0, 'unixepoch'),
       s.name,
       m.body
  FROM unread_in_rooms u
 CROSS JOIN folded_messages m ON m.id = u.message_id
  JOIN users s ON s.id = m.sender_id;

-- The column `room` is NULL for a message to the user alone, and `edited_at` for one that was never
-- edited.
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
       coalesce(t.thread_id, m.id) AS thread,
       o.name AS room,
       json_extract(m.details, '$.edited') AS edited_at
  FROM v1_inbox i
  JOIN folded_messages m ON m.id = i.id
  LEFT JOIN rooms o ON o.id = -m.recipient_id
  LEFT JOIN threads t ON t.message_id = m.id;

CREATE VIEW v1_dead_letters AS
SELECT u.name AS user,
       d.cursor,
       d.message_id AS id,
       s.name AS sender,
       m.body
  FROM dead_letters d
  JOIN users u ON u.id = d.user_id
  JOIN folded_messages m ON m.id = d.message_id
  JOIN users s ON s.id = m.sender_id;

-- Each edit and each deletion, with the text that an edit has made. Edits of a deleted message have no
-- text any more.
CREATE VIEW v2_changes AS
SELECT c.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', c.changed_at / 1000.0, 'unixepoch') AS changed_at,
       u.name AS user,
       coalesce(r.name, o.name) AS mailbox,
       c.message_id AS message,
       CASE WHEN c.body IS NULL THEN 'deletion' ELSE 'edit' END AS kind,
       CASE WHEN NOT EXISTS (SELECT 1 FROM message_changes d
                              WHERE d.message_id = c.message_id AND d.body IS NULL)
            THEN c.body END AS body
  FROM message_changes c
  LEFT JOIN users u ON u.id = c.user_id
  LEFT JOIN users r ON r.id = c.mailbox_id
  LEFT JOIN rooms o ON o.id = -c.mailbox_id;
