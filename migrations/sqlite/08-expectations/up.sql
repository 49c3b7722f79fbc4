-- What users expect to be reported, such as a nightly backup. Times are milliseconds by the clock of
-- the sessions, which setting the system's clock does not change.
--
-- late_since is the deadline that passed, or the time of a report of a failure. is_told says whether
-- the message about that is in the message log; back_at is when a report ended it. The row is as
-- before once both messages are there. So a server that is killed at any moment, and another one on
-- the same database, send what is missing, under a key that is derived from late_since.
CREATE TABLE expectations (
    owner_id   INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    tell_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    every_ms   INTEGER NOT NULL,
    grace_ms   INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    started_at INTEGER,
    last_at    INTEGER,
    last_code  INTEGER,
    late_since INTEGER,
    late_code  INTEGER,
    is_told    INTEGER NOT NULL DEFAULT 0 CHECK (is_told IN (0, 1)),
    back_at    INTEGER,
    PRIMARY KEY (owner_id, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX expectations_by_deadline ON expectations (due_at) WHERE late_since IS NULL;
CREATE INDEX expectations_to_tell ON expectations (late_since)
    WHERE late_since IS NOT NULL AND (is_told = 0 OR back_at IS NOT NULL);
