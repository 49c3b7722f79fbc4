-- The log of messages, who may read and write it, and how far each has read.
--
-- Times are milliseconds since 1970-01-01T00:00:00Z. The tables are for the server; people and
-- programs read the views, whose names begin with the version of their shape.

-- What the server remembers about the file itself.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id                    INTEGER PRIMARY KEY AUTOINCREMENT,
    name                  TEXT    NOT NULL UNIQUE,
    display_name          TEXT    NOT NULL,
    -- argon2id, in the PHC string format.
    password_hash         TEXT    NOT NULL,
    -- 1 while the password is the published one of seed/users.json.
    password_is_published INTEGER NOT NULL DEFAULT 0 CHECK (password_is_published IN (0, 1)),
    created_at            INTEGER NOT NULL,
    disabled_at           INTEGER
) STRICT;

CREATE TABLE sessions (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of the token. The token itself is stored nowhere.
    token_hash   BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_by_user ON sessions (user_id);

-- Append only. One row for each recipient of a message; ids rise in the order of the commits.
CREATE TABLE messages (
    id           INTEGER PRIMARY KEY,
    sent_at      INTEGER NOT NULL,
    sender_id    INTEGER NOT NULL REFERENCES users (id),
    recipient_id INTEGER NOT NULL REFERENCES users (id),
    -- The sender's idempotency key, where one was given.
    key          TEXT,
    body         TEXT    NOT NULL
) STRICT;

CREATE INDEX messages_by_recipient ON messages (recipient_id);

-- The key comes first: keys that rise with time then touch one page, not one a sender.
CREATE UNIQUE INDEX messages_by_key ON messages (key, sender_id, recipient_id) WHERE key IS NOT NULL;

-- Everything up to and with upto_id counts as read.
CREATE TABLE cursors (
    user_id  INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name     TEXT    NOT NULL,
    upto_id  INTEGER NOT NULL,
    moved_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, name)
) STRICT, WITHOUT ROWID;

-- What a reader could not deal with, and went on from.
CREATE TABLE dead_letters (
    user_id    INTEGER NOT NULL,
    cursor     TEXT    NOT NULL,
    message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, cursor, message_id),
    FOREIGN KEY (user_id, cursor) REFERENCES cursors (user_id, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX dead_letters_by_message ON dead_letters (message_id);

CREATE VIEW v1_messages AS
SELECT m.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.sent_at / 1000.0, 'unixepoch') AS sent_at,
       s.name AS sender,
       r.name AS recipient,
       m.body,
       m.key
  FROM messages m
  JOIN users s ON s.id = m.sender_id
  JOIN users r ON r.id = m.recipient_id;

-- What each user has not read.
CREATE VIEW v1_inbox AS
SELECT r.name AS recipient,
       m.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.sent_at / 1000.0, 'unixepoch') AS sent_at,
       s.name AS sender,
       m.body
  FROM users r
  LEFT JOIN cursors c ON c.user_id = r.id AND c.name = 'inbox'
  JOIN messages m ON m.recipient_id = r.id AND m.id > coalesce(c.upto_id, 0)
  JOIN users s ON s.id = m.sender_id;

CREATE VIEW v1_cursors AS
SELECT u.name AS user,
       c.name AS cursor,
       c.upto_id,
       strftime('%Y-%m-%dT%H:%M:%fZ', c.moved_at / 1000.0, 'unixepoch') AS moved_at
  FROM cursors c
  JOIN users u ON u.id = c.user_id;

CREATE VIEW v1_dead_letters AS
SELECT u.name AS user,
       d.cursor,
       d.message_id AS id,
       s.name AS sender,
       m.body
  FROM dead_letters d
  JOIN users u ON u.id = d.user_id
  JOIN messages m ON m.id = d.message_id
  JOIN users s ON s.id = m.sender_id;

-- The sessions that have not been ended; last_seen_at lags by up to a minute.
CREATE VIEW v1_sessions AS
SELECT s.id,
       u.name AS user,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.created_at / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.last_seen_at / 1000.0, 'unixepoch') AS last_seen_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.expires_at / 1000.0, 'unixepoch') AS expires_at
  FROM sessions s
  JOIN users u ON u.id = s.user_id;

CREATE VIEW v1_users AS
SELECT u.id,
       u.name,
       u.display_name,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.created_at / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.disabled_at / 1000.0, 'unixepoch') AS disabled_at,
       u.password_is_published
  FROM users u;
