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
