-- What users expect to be reported, such as a nightly backup: see the step of SQLite with this table.
-- Times are by the clock of the database.
SET LOCAL search_path = chat;

CREATE TABLE expectations (
    owner_id   bigint NOT NULL,
    name       text COLLATE "C" NOT NULL,
    tell_id    bigint NOT NULL,
    every_ms   bigint NOT NULL,
    grace_ms   bigint NOT NULL,
    due_at     bigint NOT NULL,
    started_at bigint,
    last_at    bigint,
    last_code  bigint,
    late_since bigint,
    late_code  bigint,
    is_told    boolean NOT NULL DEFAULT false,
    back_at    bigint,
    PRIMARY KEY (owner_id, name)
);

CREATE INDEX expectations_by_deadline ON expectations (due_at) WHERE late_since IS NULL;
CREATE INDEX expectations_to_tell ON expectations (late_since, owner_id, name)
    WHERE late_since IS NOT NULL AND (NOT is_told OR back_at IS NOT NULL);

UPDATE meta SET value = '4' WHERE name = 'schema';
