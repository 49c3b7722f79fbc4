-- What operators see and do of users: who was deleted, and when somebody was there last.

-- A deleted user is disabled as well (disabled_at is set), and cannot be written to. The row stays
-- for the messages, and so that nobody can take the name over.
ALTER TABLE users ADD COLUMN deleted_at INTEGER;

-- When a session that has ended since was last used; sessions know it while they last.
ALTER TABLE users ADD COLUMN last_seen_at INTEGER;

CREATE TRIGGER last_seen_outlives_sessions AFTER DELETE ON sessions
BEGIN
    UPDATE users SET last_seen_at = max(coalesce(last_seen_at, 0), OLD.last_seen_at)
     WHERE id = OLD.user_id;
END;

-- Nobody reads the inbox of a deleted user any more.
DROP VIEW v1_inbox;

CREATE VIEW v1_inbox AS
SELECT r.name AS recipient,
       m.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.sent_at / 1000.0, 'unixepoch') AS sent_at,
       s.name AS sender,
       m.body
  FROM users r
  LEFT JOIN cursors c ON c.user_id = r.id AND c.name = 'inbox'
  JOIN messages m ON m.recipient_id = r.id AND m.id > coalesce(c.upto_id, 0)
  JOIN users s ON s.id = m.sender_id
 WHERE r.deleted_at IS NULL;

DROP VIEW v1_users;

CREATE VIEW v1_users AS
SELECT u.id,
       u.name,
       u.display_name,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.created_at / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.disabled_at / 1000.0, 'unixepoch') AS disabled_at,
       u.password_is_published,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.deleted_at / 1000.0, 'unixepoch') AS deleted_at
  FROM users u;
