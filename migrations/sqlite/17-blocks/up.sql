-- Whom users block. A blocked user cannot send to the user alone, and the user does not see their
-- messages in rooms. No message changes by that: reads leave them out as long as the row is here.
CREATE TABLE blocks (
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    blocked_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The newest message then. What comes after it never counts as read by the user: see receipts.
    after_id   INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (user_id, blocked_id),
    CHECK (user_id <> blocked_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX blocks_by_blocked ON blocks (blocked_id);

DROP VIEW unread_in_rooms;

-- The messages of rooms that count as unread, for each reader: those that arrived while the reader
-- was a member, without the reader's own and those of users whom the reader blocks, and as the
-- reader set the room.
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
   AND NOT EXISTS (SELECT 1 FROM blocks b
                    WHERE b.user_id = f.user_id AND b.blocked_id = m.sender_id)
   AND CASE f.notify
           WHEN 'all' THEN 1
           WHEN 'mentions' THEN
               ' ' || m.body || ' ' GLOB '*[^a-zA-Z0-9_-]@' || f.user || '[^a-zA-Z0-9_-]*'
           ELSE 0 END;

CREATE VIEW v2_blocks AS
SELECT u.name AS user,
       o.name AS blocked,
       strftime('%Y-%m-%dT%H:%M:%fZ', b.at / 1000.0, 'unixepoch') AS blocked_at
  FROM blocks b
  JOIN users u ON u.id = b.user_id
  JOIN users o ON o.id = b.blocked_id;
