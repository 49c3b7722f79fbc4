-- The room of everybody: every user who is not deleted has a membership of it that is not over. It
-- is found by its name. An older database may have an ordinary room of that name.
ALTER TABLE rooms ADD COLUMN is_of_everybody INTEGER NOT NULL DEFAULT 0
    CHECK (is_of_everybody = 0 OR is_of_everybody = 1 AND name = '#all');

DROP VIEW v2_rooms;

CREATE VIEW v2_rooms AS
SELECT o.name AS room,
       o.topic,
       o.is_private,
       o.posting,
       o.history,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.created_at / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.archived_at / 1000.0, 'unixepoch') AS archived_at,
       (SELECT count(*) FROM memberships p
         WHERE p.room_id = o.id AND p.left_upto IS NULL) AS members,
       o.is_of_everybody
  FROM rooms o;
