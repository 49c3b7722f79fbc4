-- Messages that expire: after their time they count as unread for nobody, and stay in the history.
-- A message that expires says so in its details. It has a row here, until it is deleted.
--
-- expires_at is by the clock of the sessions, which setting the system's clock does not change. A
-- server that starts takes the system's clock, and so it takes said_at for expires_at.
CREATE TABLE expiring (
    message_id INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    mailbox_id INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- The same time by the system's clock, as it was when the message was sent.
    said_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX expiring_by_mailbox ON expiring (mailbox_id, message_id);
-- What a start has to change. It is empty unless the system's clock was set.
CREATE INDEX expiring_by_other_clock ON expiring (message_id) WHERE expires_at <> said_at;

DROP VIEW v2_inbox;
DROP VIEW v2_messages;
DROP VIEW v1_inbox;
DROP VIEW unread_in_rooms;

-- The messages whose time has passed.
CREATE VIEW expired AS
SELECT e.message_id
  FROM expiring e
 WHERE e.said_at <= CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER);

-- The column expires_at is NULL for a message that does not expire.
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
       json_extract(m.details, '$.edited') AS edited_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', e.said_at / 1000.0, 'unixepoch') AS expires_at
  FROM folded_messages m
  JOIN users s ON s.id = m.sender_id
  LEFT JOIN users r ON r.id = m.recipient_id
  LEFT JOIN rooms o ON o.id = -m.recipient_id
  LEFT JOIN threads t ON t.message_id = m.id
  LEFT JOIN expiring e ON e.message_id = m.id;

-- The messages of rooms that count as unread, for each reader: those that arrived while the reader
-- was a member, without the reader's own, those of users whom the reader blocks and those that have
-- expired, and as the reader set the room.
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
   AND NOT EXISTS (SELECT 1 FROM expired e WHERE e.message_id = f.message_id)
   AND NOT EXISTS (SELECT 1 FROM blocks b
                    WHERE b.user_id = f.user_id AND b.blocked_id = m.sender_id)
   AND CASE f.notify
           WHEN 'all' THEN 1
           WHEN 'mentions' THEN
               ' ' || m.body || ' ' GLOB '*[^a-zA-Z0-9_-]@' || f.user || '[^a-zA-Z0-9_-]*'
           ELSE 0 END;

-- What each user has not read, and has not expired.
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
   AND NOT EXISTS (SELECT 1 FROM expired e WHERE e.message_id = m.id)
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
   AND NOT EXISTS (SELECT 1 FROM expired e WHERE e.message_id = m.id)
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
       json_extract(m.details, '$.edited') AS edited_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', e.said_at / 1000.0, 'unixepoch') AS expires_at
  FROM v1_inbox i
  JOIN folded_messages m ON m.id = i.id
  LEFT JOIN rooms o ON o.id = -m.recipient_id
  LEFT JOIN threads t ON t.message_id = m.id
  LEFT JOIN expiring e ON e.message_id = m.id;
