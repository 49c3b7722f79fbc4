-- The room of everybody: see the step of SQLite with this column.
--
-- A server that does not know it would create users without a membership, and let users leave. So it
-- gets no lease any more.
SET LOCAL search_path = chat;

UPDATE meta SET value = '15' WHERE name IN ('schema', 'oldest_server');

ALTER TABLE rooms ADD COLUMN is_of_everybody boolean NOT NULL DEFAULT false
    CHECK (NOT is_of_everybody OR name = '#all');

-- Notes a change of each of these users, as note_change does, in one statement. Call it with the log's
-- lock.
CREATE FUNCTION note_changes(p_lane int, p_kind text, p_users bigint[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE number bigint := chat.newest_change(p_lane); v_now bigint := chat.now_ms();
BEGIN
    INSERT INTO chat.changes (id, at, kind, user_id)
    SELECT number + t.place, v_now, p_kind, t.user_id
      FROM unnest(p_users) WITH ORDINALITY AS t (user_id, place);
    PERFORM pg_notify('chat', 'change');
END $$;

CREATE OR REPLACE VIEW v2_rooms AS
SELECT o.name AS room, o.topic, o.is_private::int AS is_private, o.posting, o.history,
       iso(o.created_at) AS created_at, iso(o.archived_at) AS archived_at,
       (SELECT count(*) FROM memberships b
         WHERE b.room_id = o.id AND b.left_upto IS NULL) AS members,
       o.is_of_everybody::int AS is_of_everybody
  FROM rooms o;
