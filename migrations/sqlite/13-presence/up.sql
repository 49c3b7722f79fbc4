-- What others see of a user who is connected. An empty text is none.
ALTER TABLE users ADD COLUMN status TEXT NOT NULL DEFAULT '';
-- 1 if nobody sees that the user is connected.
ALTER TABLE users ADD COLUMN is_invisible INTEGER NOT NULL DEFAULT 0 CHECK (is_invisible IN (0, 1));

-- The settings follow the other columns.
DROP VIEW v2_users;

CREATE VIEW v2_users AS
SELECT u.id,
       u.name,
       u.display_name,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.created_at / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.disabled_at / 1000.0, 'unixepoch') AS disabled_at,
       u.password_is_published,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.deleted_at / 1000.0, 'unixepoch') AS deleted_at,
       u.receipts,
       u.status,
       u.is_invisible
  FROM users u;
