-- How far each user has read a conversation, beside the cursor inbox: see the step of SQLite with
-- this table.
SET LOCAL search_path = chat;

CREATE TABLE read_marks (
    user_id    bigint NOT NULL,
    -- The user who sends the messages, or the negative number of the room.
    mailbox_id bigint NOT NULL,
    upto_id    bigint NOT NULL,
    moved_at   bigint NOT NULL,
    PRIMARY KEY (user_id, mailbox_id)
);

-- The views keep their columns, and leave out what a mark says was read.
CREATE OR REPLACE VIEW unread_in_rooms AS
SELECT u.name AS recipient, m.id, m.sent_at, m.sender_id, m.mailbox_id, m.body, m.details
  FROM users u
  JOIN memberships b ON b.user_id = u.id
  LEFT JOIN cursors c ON c.user_id = u.id AND c.name = 'inbox'
  LEFT JOIN read_marks k ON k.user_id = u.id AND k.mailbox_id = -b.room_id
  JOIN messages m ON m.mailbox_id = -b.room_id
   AND m.id > greatest(b.joined_after, coalesce(c.upto_id, 0), coalesce(k.upto_id, 0))
   AND m.id <= coalesce(b.left_upto, 9223372036854775807) AND m.sender_id <> u.id
 WHERE u.deleted_at IS NULL
   AND CASE (SELECT n.notify FROM memberships n
              WHERE n.user_id = b.user_id AND n.room_id = b.room_id
              ORDER BY n.joined_after DESC LIMIT 1)
           WHEN 'all' THEN true
           WHEN 'mentions' THEN mentions(m.body, u.name)
           ELSE false END;

CREATE OR REPLACE VIEW v1_inbox AS
SELECT r.name AS recipient, m.id, iso(m.sent_at) AS sent_at, s.name AS sender,
       shown(m.body) AS body
  FROM users r
  LEFT JOIN cursors c ON c.user_id = r.id AND c.name = 'inbox'
  JOIN messages m ON m.mailbox_id = r.id AND m.id > coalesce(c.upto_id, 0)
  JOIN users s ON s.id = m.sender_id
 WHERE r.deleted_at IS NULL
   AND NOT EXISTS (SELECT FROM read_marks k
                    WHERE k.user_id = r.id AND k.mailbox_id = m.sender_id AND k.upto_id >= m.id)
 UNION ALL
SELECT m.recipient, m.id, iso(m.sent_at), s.name, shown(m.body)
  FROM unread_in_rooms m
  JOIN users s ON s.id = m.sender_id;

-- The column room is NULL for a message to the user alone.
CREATE OR REPLACE VIEW v2_inbox AS
SELECT m.recipient, m.id, iso(m.sent_at) AS sent_at, s.name AS sender, shown(m.body) AS body,
       m.details::json ->> 'title' AS title,
       coalesce((m.details::json ->> 'priority')::int, 3) AS priority,
       coalesce(m.details::json ->> 'tags', '[]') AS tags,
       m.details::json ->> 'click' AS click,
       (m.details::json ->> 'reply_to')::bigint AS reply_to,
       coalesce(t.thread_id, m.id) AS thread,
       m.room
  FROM (SELECT r.name AS recipient, m.id, m.sent_at, m.sender_id, m.body, m.details,
               NULL::text COLLATE "C" AS room
          FROM users r
          LEFT JOIN cursors c ON c.user_id = r.id AND c.name = 'inbox'
          JOIN messages m ON m.mailbox_id = r.id AND m.id > coalesce(c.upto_id, 0)
         WHERE r.deleted_at IS NULL
           AND NOT EXISTS (SELECT FROM read_marks k
                            WHERE k.user_id = r.id AND k.mailbox_id = m.sender_id
                              AND k.upto_id >= m.id)
         UNION ALL
        SELECT i.recipient, i.id, i.sent_at, i.sender_id, i.body, i.details, o.name
          FROM unread_in_rooms i
          JOIN rooms o ON o.id = -i.mailbox_id) m
  JOIN users s ON s.id = m.sender_id
  LEFT JOIN threads t ON t.message_id = m.id;

-- How far each user has read a conversation, where that is further than the cursor inbox.
CREATE VIEW v2_marks AS
SELECT u.name AS "user", coalesce(p.name, o.name) AS conversation, k.upto_id AS upto,
       iso(k.moved_at) AS moved_at
  FROM read_marks k
  JOIN users u ON u.id = k.user_id
  LEFT JOIN cursors c ON c.user_id = k.user_id AND c.name = 'inbox'
  LEFT JOIN users p ON p.id = k.mailbox_id
  LEFT JOIN rooms o ON o.id = -k.mailbox_id
 WHERE k.upto_id > coalesce(c.upto_id, 0);

UPDATE meta SET value = '7' WHERE name = 'schema';
