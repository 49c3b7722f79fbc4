-- Rooms, and who is in them.
--
-- A room is a mailbox: `messages.recipient_id` and `deliveries.user_id` have the negative number of
-- the room. So a post to a room is one row, and no row of the message log is rewritten here.
CREATE TABLE rooms (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    -- With the # at its beginning. It never changes.
    name        TEXT    NOT NULL UNIQUE,
    topic       TEXT    NOT NULL,
    is_private  INTEGER NOT NULL CHECK (is_private IN (0, 1)),
    posting     TEXT    NOT NULL CHECK (posting IN ('members', 'moderators')),
    history     TEXT    NOT NULL CHECK (history IN ('all', 'joined')),
    created_at  INTEGER NOT NULL,
    archived_at INTEGER
) STRICT;

-- A membership is an interval of the message log. Its ends never change, so they decide for ever
-- what the member may read: the messages after `sees_after`, up to and with `left_upto`.
CREATE TABLE memberships (
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    room_id      INTEGER NOT NULL REFERENCES rooms (id),
    -- The newest message when the user joined. What comes after it counts as unread.
    joined_after INTEGER NOT NULL,
    -- 0 if the room showed its whole history to new members then.
    sees_after   INTEGER NOT NULL,
    -- The newest message when the user left. NULL for a member.
    left_upto    INTEGER,
    role         TEXT    NOT NULL CHECK (role IN ('owner', 'moderator', 'member')),
    notify       TEXT    NOT NULL CHECK (notify IN ('all', 'mentions', 'none')),
    PRIMARY KEY (user_id, room_id, joined_after)
) STRICT, WITHOUT ROWID;

CREATE INDEX memberships_by_room ON memberships (room_id, left_upto, user_id);

CREATE TABLE invitations (
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    room_id    INTEGER NOT NULL REFERENCES rooms (id),
    -- NULL for an operator.
    invited_by INTEGER,
    at         INTEGER NOT NULL,
    PRIMARY KEY (user_id, room_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX invitations_by_room ON invitations (room_id);

-- The views keep their columns. A message to a room has the name of the room as its recipient.
DROP VIEW v2_inbox;
DROP VIEW v2_messages;
DROP VIEW v1_inbox;
DROP VIEW v1_messages;

CREATE VIEW v1_messages AS
SELECT m.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.sent_at / 1000.0, 'unixepoch') AS sent_at,
       s.name AS sender,
       coalesce(r.name, o.name) AS recipient,
       m.body,
       m.key
  FROM messages m
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
       coalesce(t.thread_id, m.id) AS thread
  FROM messages m
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
           max(p.joined_after, coalesce(c.upto_id, 0)) AS after_id,
           coalesce(p.left_upto, 9223372036854775807) AS upto_id,
           (SELECT n.notify FROM memberships n
             WHERE n.user_id = p.user_id AND n.room_id = p.room_id
             ORDER BY n.joined_after DESC LIMIT 1) AS notify
      FROM memberships p
      JOIN users u ON u.id = p.user_id AND u.deleted_at IS NULL
      LEFT JOIN cursors c ON c.user_id = p.user_id AND c.name = 'inbox'),
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

CREATE VIEW v2_rooms AS
SELECT o.name AS room,
       o.topic,
       o.is_private,
       o.posting,
       o.history,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.created_at / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.archived_at / 1000.0, 'unixepoch') AS archived_at,
       (SELECT count(*) FROM memberships p
         WHERE p.room_id = o.id AND p.left_upto IS NULL) AS members
  FROM rooms o;

-- Members and former members. Those who left have a `left_upto`.
CREATE VIEW v2_members AS
SELECT o.name AS room,
       u.name AS user,
       p.role,
       p.notify,
       p.joined_after,
       p.sees_after,
       p.left_upto
  FROM memberships p
  JOIN rooms o ON o.id = p.room_id
  JOIN users u ON u.id = p.user_id;
