-- Access tokens: see the step of SQLite with this table. Times are by the clock of the database.
SET LOCAL search_path = chat;

CREATE TABLE access_tokens (
    id             bigint NOT NULL UNIQUE,
    user_id        bigint NOT NULL,
    name           text COLLATE "C" NOT NULL,
    -- SHA-256 of the token. The token itself is stored nowhere.
    token_hash     bytea  NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    rights         text   NOT NULL CHECK (rights IN ('send', 'hook', 'read', 'all')),
    -- The mailboxes to which it may send; NULL for all to which its user may send.
    targets        bigint[] CHECK (targets IS NULL OR rights IN ('send', 'hook')),
    created_at     bigint NOT NULL,
    expires_at     bigint,
    last_used_at   bigint,
    last_used_from text,
    PRIMARY KEY (user_id, name)
);
CREATE INDEX access_tokens_by_end ON access_tokens (expires_at) WHERE expires_at IS NOT NULL;

INSERT INTO counters VALUES ('access_tokens', 0);

UPDATE meta SET value = '6' WHERE name = 'schema';
