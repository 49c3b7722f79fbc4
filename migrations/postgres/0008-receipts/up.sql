-- Receipts: see the step of SQLite with this column.
SET LOCAL search_path = chat;

ALTER TABLE users ADD COLUMN receipts boolean NOT NULL DEFAULT true;

-- The readers of a message to a room are also those who have left since.
CREATE INDEX memberships_that_ended ON memberships (room_id, left_upto)
    WHERE left_upto IS NOT NULL;

-- The columns of v1_users, and the setting.
CREATE VIEW v2_users AS
SELECT id, name, display_name, iso(created_at) AS created_at, iso(disabled_at) AS disabled_at,
       password_is_published::int AS password_is_published, iso(deleted_at) AS deleted_at,
       receipts::int AS receipts
  FROM users;

UPDATE meta SET value = '8' WHERE name = 'schema';
