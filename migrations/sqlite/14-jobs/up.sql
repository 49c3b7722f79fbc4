-- Messages that are sent later. A row is no message: that gets its id when it is due. Times are
-- milliseconds by the clock of the sessions, which setting the system's clock does not change. A
-- server that starts takes the system's clock, and so it takes said_at for due_at.
--
-- The message that is due is appended under its key, and then the row is deleted. A row without a
-- key has one that is derived from made_at and id. So a server that is killed in between, and
-- another one on the same database, append it once. begun says that it may be in the message log
-- already: then it cannot be cancelled.
CREATE TABLE scheduled (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    sender_id  INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- A JSON array of mailboxes: the number of a user, or the negative number of a room. So a
    -- renamed user stays the recipient.
    recipients TEXT    NOT NULL CHECK (json_valid(recipients)),
    key        TEXT,
    body       TEXT    NOT NULL,
    details    TEXT    CHECK (details IS NULL OR json_valid(details)),
    made_at    INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    -- The same time by the system's clock, as it was when the message was scheduled.
    said_at    INTEGER NOT NULL,
    begun      INTEGER NOT NULL DEFAULT 0 CHECK (begun IN (0, 1))
) STRICT;

CREATE INDEX scheduled_by_deadline ON scheduled (due_at, id);
-- What a start has to change. It is empty unless the system's clock was set.
CREATE INDEX scheduled_by_other_clock ON scheduled (id) WHERE due_at <> said_at;
CREATE INDEX scheduled_by_sender ON scheduled (sender_id, id);
CREATE UNIQUE INDEX scheduled_by_key ON scheduled (sender_id, key) WHERE key IS NOT NULL;

-- A row for each recipient. recipient is NULL if that user is gone.
CREATE VIEW v2_scheduled AS
SELECT c.id, u.name AS sender, coalesce(r.name, o.name) AS recipient,
       strftime('%Y-%m-%dT%H:%M:%fZ', c.said_at / 1000.0, 'unixepoch') AS due_at, c.body, c.key
  FROM scheduled c
  JOIN users u ON u.id = c.sender_id
  JOIN json_each(c.recipients) a
  LEFT JOIN users r ON r.id = a.value AND r.deleted_at IS NULL
  LEFT JOIN rooms o ON o.id = -a.value;

-- What was reported with the failure that late_since is about.
ALTER TABLE expectations ADD COLUMN late_text TEXT;
