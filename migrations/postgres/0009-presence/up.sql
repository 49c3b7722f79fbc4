-- What others see of a user who is connected: see the step of SQLite with these columns.
SET LOCAL search_path = chat;

ALTER TABLE users
    ADD COLUMN status       text    NOT NULL DEFAULT '',
    ADD COLUMN is_invisible boolean NOT NULL DEFAULT false;

-- The settings follow the other columns.
CREATE OR REPLACE VIEW v2_users AS
SELECT id, name, display_name, iso(created_at) AS created_at, iso(disabled_at) AS disabled_at,
       password_is_published::int AS password_is_published, iso(deleted_at) AS deleted_at,
       receipts::int AS receipts, status, is_invisible::int AS is_invisible
  FROM users;

UPDATE meta SET value = '9' WHERE name = 'schema';
