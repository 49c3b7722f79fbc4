-- How long messages are kept. A server removes those that are older, unread ones too. Times are
-- seconds; 0 stands for ever.
CREATE TABLE retention (
    only_row   INTEGER PRIMARY KEY CHECK (only_row = 1),
    -- Where nothing is said for the room, and for messages to users.
    default_s  INTEGER NOT NULL DEFAULT 0
               CHECK (default_s = 0 OR default_s BETWEEN 86400 AND 316224000),
    -- Rises with every change of a time. A removal counts only under the version that it began with.
    version    INTEGER NOT NULL DEFAULT 0,
    -- The time by which ages were judged last. It lags behind a clock that has moved ahead by itself.
    trusted_at INTEGER,
    -- When a server looked last, by its clock.
    looked_at  INTEGER,
    -- How many messages were removed so far.
    removed    INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO retention (only_row) VALUES (1);

-- What an operator says of the room; NULL: the default.
ALTER TABLE rooms ADD COLUMN kept_s INTEGER
    CHECK (kept_s = 0 OR kept_s BETWEEN 86400 AND 316224000);
-- What an owner of the room says; NULL: nothing. The shorter time counts.
ALTER TABLE rooms ADD COLUMN owner_kept_s INTEGER
    CHECK (owner_kept_s BETWEEN 86400 AND 316224000);

-- The default has no room. `kept_s` is the time that counts.
CREATE VIEW v2_retention AS
SELECT NULL AS room, default_s AS operator_s, NULL AS owner_s, default_s AS kept_s
  FROM retention
 UNION ALL
SELECT o.name,
       o.kept_s,
       o.owner_kept_s,
       CASE coalesce(o.kept_s, t.default_s)
           WHEN 0 THEN coalesce(o.owner_kept_s, 0)
           ELSE min(coalesce(o.owner_kept_s, 316224000), coalesce(o.kept_s, t.default_s)) END
  FROM rooms o, retention t;
