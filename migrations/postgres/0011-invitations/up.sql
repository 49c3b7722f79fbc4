-- Invitations by link: see the step of SQLite with this table. Times are by the clock of the
-- database.
SET LOCAL search_path = chat;

CREATE TABLE account_invitations (
    id          bigint PRIMARY KEY,
    -- SHA-256 of the secret. The secret itself is stored nowhere.
    secret_hash bytea  NOT NULL UNIQUE CHECK (octet_length(secret_hash) = 32),
    -- The name of the account. NULL: the person chooses one.
    name        text COLLATE "C",
    -- The rooms that the account joins.
    rooms       bigint[] NOT NULL,
    created_at  bigint NOT NULL,
    expires_at  bigint NOT NULL,
    used_at     bigint,
    user_id     bigint,
    CHECK ((used_at IS NULL) = (user_id IS NULL))
);
CREATE INDEX account_invitations_by_end ON account_invitations (expires_at);

INSERT INTO counters VALUES ('account_invitations', 0);

UPDATE meta SET value = '11' WHERE name = 'schema';
