-- Access tokens: what programs show in the place of a session. Times are milliseconds by the clock
-- of the sessions.
--
-- targets is a JSON array of mailboxes: the number of a user, or the negative number of a room. So
-- a renamed user stays a target. NULL means that the token may send to all to whom its user may
-- send. 'hook' is for the secrets of incoming hooks, which have one target each.
CREATE TABLE access_tokens (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id        INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name           TEXT    NOT NULL,
    -- SHA-256 of the token. The token itself is stored nowhere.
    token_hash     BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    rights         TEXT    NOT NULL CHECK (rights IN ('send', 'hook', 'read', 'all')),
    targets        TEXT    CHECK (targets IS NULL
                                  OR rights IN ('send', 'hook') AND json_valid(targets)),
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER,
    last_used_at   INTEGER,
    last_used_from TEXT,
    UNIQUE (user_id, name)
) STRICT;

CREATE INDEX access_tokens_by_end ON access_tokens (expires_at) WHERE expires_at IS NOT NULL;
