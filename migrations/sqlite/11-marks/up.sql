-- How far each user has read a conversation, beside the cursor `inbox`. A message is unread if it
-- comes after both. Marks that are not after the cursor mean nothing, and may be missing.
CREATE TABLE read_marks (
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The user who sends the messages, or the negative number of the room.
    mailbox_id INTEGER NOT NULL,
    upto_id    INTEGER NOT NULL,
    moved_at   INTEGER NOT NULL,
    PRIMARY KEY (user_id, mailbox_id)
) STRICT, WITHOUT ROWID;

-- The views keep their columns, and leave out what a mark says was read.
DROP VIEW v2_inbox;
DROP VIEW v1_inbox;
DROP VIEW unread_in_rooms;

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
      FROM messages m
     CROSS JOIN parts p ON p.room_id = -m.recipient_id AND m.id > p.after_id AND m.id <= p.upto_id
     WHERE m.id > (SELECT coalesce(max(upto_id), 0) FROM delivery_runs))
SELECT f.user, f.room_id, f.message_id
  FROM found f
 CROSS JOIN messages m ON m.id = f.message_id
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
 CROSS JOIN messages m ON m.id = d.message_id
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
  FROM messages m
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
 CROSS JOIN messages m ON m.id = u.message_id
  JOIN users s ON s.id = m.sender_id;

-- The column `room` is NULL for a message to the user alone.
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
       o.name AS room
  FROM v1_inbox i
  JOIN messages m ON m.id = i.id
  LEFT JOIN rooms o ON o.id = -m.recipient_id
  LEFT JOIN threads t ON t.message_id = m.id;

-- How far each user has read a conversation, where that is further than the cursor `inbox`.
CREATE VIEW v2_marks AS
SELECT u.name AS user,
       coalesce(p.name, o.name) AS conversation,
       k.upto_id AS upto,
       strftime('%Y-%m-%dT%H:%M:%fZ', k.moved_at / 1000.0, 'unixepoch') AS moved_at
  FROM read_marks k
  JOIN users u ON u.id = k.user_id
  LEFT JOIN cursors c ON c.user_id = k.user_id AND c.name = 'inbox'
  LEFT JOIN users p ON p.id = k.mailbox_id
  LEFT JOIN rooms o ON o.id = -k.mailbox_id
 WHERE k.upto_id > coalesce(c.upto_id, 0);
