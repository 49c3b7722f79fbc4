-- Whom users block: see the step of SQLite with this table.
--
-- A server that does not know them would go on sending what is blocked. So it gets no lease any
-- more.
SET LOCAL search_path = chat;

UPDATE meta SET value = '13' WHERE name IN ('schema', 'oldest_server');

CREATE TABLE blocks (
    user_id    bigint NOT NULL,
    blocked_id bigint NOT NULL CHECK (blocked_id <> user_id),
    -- The newest message then. What comes after it never counts as read by the user: see receipts.
    after_id   bigint NOT NULL,
    at         bigint NOT NULL,
    PRIMARY KEY (user_id, blocked_id)
);

-- Whether a user may read a message: its sender, its recipient, or a member of its room who does
-- not block the sender.
CREATE OR REPLACE FUNCTION sees(p_lane int, p_reader bigint, p_id bigint, p_sender bigint,
                                p_mailbox bigint)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN p_reader IN (p_sender, p_mailbox) OR p_mailbox < 0 AND EXISTS (
        SELECT FROM chat.memberships b
         WHERE b.user_id = p_reader AND b.room_id = -p_mailbox
           AND b.sees_after < p_id AND p_id <= coalesce(b.left_upto, 9223372036854775807))
       AND NOT EXISTS (SELECT FROM chat.blocks w
                        WHERE w.user_id = p_reader AND w.blocked_id = p_sender);
END $$;

-- The views keep their columns, and leave out what readers block.
CREATE OR REPLACE VIEW unread_in_rooms AS
SELECT u.name AS recipient, m.id, m.sent_at, m.sender_id, m.mailbox_id, m.body, m.details
  FROM users u
  JOIN memberships b ON b.user_id = u.id
  LEFT JOIN cursors c ON c.user_id = u.id AND c.name = 'inbox'
  LEFT JOIN read_marks k ON k.user_id = u.id AND k.mailbox_id = -b.room_id
  JOIN folded_messages m ON m.mailbox_id = -b.room_id
   AND m.id > greatest(b.joined_after, coalesce(c.upto_id, 0), coalesce(k.upto_id, 0))
   AND m.id <= coalesce(b.left_upto, 9223372036854775807) AND m.sender_id <> u.id
 WHERE u.deleted_at IS NULL
   AND NOT EXISTS (SELECT FROM blocks w
                    WHERE w.user_id = u.id AND w.blocked_id = m.sender_id)
   AND CASE (SELECT n.notify FROM memberships n
              WHERE n.user_id = b.user_id AND n.room_id = b.room_id
              ORDER BY n.joined_after DESC LIMIT 1)
           WHEN 'all' THEN true
           WHEN 'mentions' THEN mentions(m.body, u.name)
           ELSE false END;

CREATE VIEW v2_blocks AS
SELECT u.name AS "user", o.name AS blocked, iso(w.at) AS blocked_at
  FROM blocks w
  JOIN users u ON u.id = w.user_id
  JOIN users o ON o.id = w.blocked_id;
