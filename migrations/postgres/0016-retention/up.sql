-- How long messages are kept: see the step of SQLite with this table.
--
-- A server that does not know it leaves messages that another one removes. What it remembers of
-- them ends as with a purge.
SET LOCAL search_path = chat;

UPDATE meta SET value = '16' WHERE name = 'schema';

CREATE TABLE retention (
    only_row   int PRIMARY KEY CHECK (only_row = 1),
    default_s  bigint NOT NULL DEFAULT 0
               CHECK (default_s = 0 OR default_s BETWEEN 86400 AND 316224000),
    version    bigint NOT NULL DEFAULT 0,
    trusted_at bigint,
    looked_at  bigint,
    removed    bigint NOT NULL DEFAULT 0,
    -- The server that removes messages. Another one takes over when its lease has ended: see nodes.
    node       bigint
);

INSERT INTO retention (only_row) VALUES (1);

ALTER TABLE rooms ADD COLUMN kept_s bigint
    CHECK (kept_s = 0 OR kept_s BETWEEN 86400 AND 316224000);
ALTER TABLE rooms ADD COLUMN owner_kept_s bigint
    CHECK (owner_kept_s BETWEEN 86400 AND 316224000);

CREATE VIEW v2_retention AS
SELECT NULL::text AS room, default_s AS operator_s, NULL::bigint AS owner_s, default_s AS kept_s
  FROM retention
 UNION ALL
SELECT o.name,
       o.kept_s,
       o.owner_kept_s,
       CASE coalesce(o.kept_s, t.default_s)
           WHEN 0 THEN coalesce(o.owner_kept_s, 0)
           ELSE least(coalesce(o.owner_kept_s, 316224000), coalesce(o.kept_s, t.default_s)) END
  FROM rooms o, retention t;
