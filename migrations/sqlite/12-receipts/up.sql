-- Whether others see what a user has read, and the user what others have read.
ALTER TABLE users ADD COLUMN receipts INTEGER NOT NULL DEFAULT 1 CHECK (receipts IN (0, 1));

-- The columns of v1_users, and the setting.
CREATE VIEW v2_users AS
SELECT u.id,
       u.name,
       u.display_name,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.created_at / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.disabled_at / 1000.0, 'unixepoch') AS disabled_at,
       u.password_is_published,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.deleted_at / 1000.0, 'unixepoch') AS deleted_at,
       u.receipts
  FROM users u;
