-- Invitations by link: who has the secret of one makes an account. Times are milliseconds by the
-- clock of the sessions. A used one stays for a day at least, so that a repeated request finds out
-- that it was carried out.
--
-- rooms is a JSON array of the numbers of the rooms that the account joins.
CREATE TABLE account_invitations (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    -- SHA-256 of the secret. The secret itself is stored nowhere.
    secret_hash BLOB    NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    -- The name of the account. NULL: the person chooses one.
    name        TEXT,
    rooms       TEXT    NOT NULL CHECK (json_valid(rooms)),
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    used_at     INTEGER,
    user_id     INTEGER REFERENCES users (id) ON DELETE CASCADE,
    CHECK ((used_at IS NULL) = (user_id IS NULL))
) STRICT;

CREATE INDEX account_invitations_by_end ON account_invitations (expires_at);
