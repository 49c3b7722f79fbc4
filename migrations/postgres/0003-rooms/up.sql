-- Rooms: their members, and who may see which of their messages.
--
-- A room's messages are in a mailbox of the log like a user's; its number is the negative number of
-- the room. This step only adds: a server that does not know rooms works on beside.
SET LOCAL search_path = chat;

UPDATE meta SET value = '3' WHERE name = 'schema';
INSERT INTO counters VALUES ('rooms', 0);

CREATE TABLE rooms (
    id          bigint PRIMARY KEY,
    -- With the # at its beginning.
    name        text COLLATE "C" NOT NULL UNIQUE,
    topic       text    NOT NULL DEFAULT '',
    is_private  boolean NOT NULL DEFAULT false,
    posting     text    NOT NULL CHECK (posting IN ('members', 'moderators')),
    -- What a new member sees.
    history     text    NOT NULL CHECK (history IN ('all', 'joined')),
    created_at  bigint  NOT NULL,
    archived_at bigint
);

-- Each time that a user was in a room, as a part of the log: it decides for ever what the user may
-- see. That is every message of the room after sees_after, up to left_upto, or up to the newest
-- one while the user is in the room.
CREATE TABLE memberships (
    user_id      bigint NOT NULL,
    room_id      bigint NOT NULL,
    -- The newest message when the user joined.
    joined_after bigint NOT NULL,
    sees_after   bigint NOT NULL,
    -- The newest message when the user left.
    left_upto    bigint,
    role         text   NOT NULL CHECK (role IN ('owner', 'moderator', 'member')),
    -- Which messages are unread, and pushed.
    notify       text   NOT NULL CHECK (notify IN ('all', 'mentions', 'none')),
    PRIMARY KEY (user_id, room_id, joined_after)
);
CREATE INDEX memberships_by_room ON memberships (room_id, user_id) WHERE left_upto IS NULL;

CREATE TABLE invitations (
    user_id    bigint NOT NULL,
    room_id    bigint NOT NULL,
    -- NULL for an operator.
    invited_by bigint,
    at         bigint NOT NULL,
    PRIMARY KEY (user_id, room_id)
);

-- A change of a room, of its members, or of a member's setting. It names the user, if it is of one.
ALTER TABLE changes DROP CONSTRAINT changes_kind_check;
ALTER TABLE changes ADD CONSTRAINT changes_kind_check
    CHECK (kind IN ('session', 'user', 'purge', 'room'));

-- What has changed: the newest change, whether more than sessions and rooms changed, and how many
-- other nodes must learn of it.
CREATE OR REPLACE FUNCTION changed_since(p_lane int, p_before bigint, p_node bigint)
RETURNS TABLE (newest bigint, of_users boolean, others bigint) LANGUAGE plpgsql AS $$
DECLARE v_now bigint := chat.now_ms();
BEGIN
    RETURN QUERY
    SELECT chat.newest_change(p_lane),
           coalesce((SELECT bool_or(c.kind NOT IN ('session', 'room')) FROM chat.changes c
                      WHERE c.id > p_before), false),
           (SELECT count(*) FROM chat.nodes n
             WHERE n.id <> p_node AND n.heard_at > v_now - 3000);
END $$;

-- Whether a user may read a message: its sender, its recipient, or a member of its room.
CREATE FUNCTION sees(p_lane int, p_reader bigint, p_id bigint, p_sender bigint, p_mailbox bigint)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN p_reader IN (p_sender, p_mailbox) OR p_mailbox < 0 AND EXISTS (
        SELECT FROM chat.memberships b
         WHERE b.user_id = p_reader AND b.room_id = -p_mailbox
           AND b.sees_after < p_id AND p_id <= coalesce(b.left_upto, 9223372036854775807));
END $$;

-- The thread of each of these messages: itself, if it answers none. NULL where the reader can read
-- no such message.
CREATE OR REPLACE FUNCTION find_threads(p_lane int, p_id bigint[], p_reader bigint[])
RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT array_agg(CASE WHEN m.id IS NULL THEN NULL ELSE coalesce(t.thread_id, m.id) END
                             ORDER BY a.place)
              FROM unnest(p_id, p_reader) WITH ORDINALITY AS a (id, reader, place)
              LEFT JOIN chat.messages m ON m.id = a.id
               AND chat.sees(p_lane, a.reader, m.id, m.sender_id, m.mailbox_id)
              LEFT JOIN chat.threads t ON t.message_id = m.id);
END $$;

-- Whether a text mentions a user: @name, with no character of a name before or after it. Bytes that
-- are no ASCII, and U+0000, are characters of no name.
CREATE FUNCTION mentions(body bytea, name text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT position(convert_to('@' || name, 'UTF8') IN body) > 0
       AND regexp_replace(encode(body, 'escape'), '\\(\\|[0-7]{3})', ' ', 'g')
           ~ ('(^|[^A-Za-z0-9_-])@' || name || '($|[^A-Za-z0-9_-])')
$$;

-- The intervals of a mailbox that somebody has not read: after the first id, up to the second. The
-- cursor inbox is at 0 until it is moved. A deleted user has read everything. A member need not
-- read what was in a room before joining or after leaving, nor a room whose newest membership is
-- muted.
CREATE FUNCTION unread_parts(p_lane int, p_mailbox bigint)
RETURNS TABLE (after_id bigint, upto_id bigint) LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_mailbox < 0 THEN
        RETURN QUERY
        SELECT min(g.begins), g.ends
          FROM (SELECT greatest(b.joined_after, coalesce((
                           SELECT CASE WHEN bool_or(c.name = 'inbox') THEN min(c.upto_id) END
                             FROM chat.cursors c WHERE c.user_id = b.user_id), 0)) AS begins,
                       coalesce(b.left_upto, 9223372036854775807) AS ends
                  FROM chat.memberships b
                  JOIN chat.users u ON u.id = b.user_id AND u.deleted_at IS NULL
                 WHERE b.room_id = -p_mailbox
                   AND (SELECT n.notify FROM chat.memberships n
                         WHERE n.user_id = b.user_id AND n.room_id = b.room_id
                         ORDER BY n.joined_after DESC LIMIT 1) <> 'none') g
         WHERE g.begins < g.ends
         GROUP BY g.ends;
    ELSE
        RETURN QUERY
        SELECT coalesce((SELECT CASE WHEN bool_or(c.name = 'inbox') THEN min(c.upto_id) END
                           FROM chat.cursors c WHERE c.user_id = p_mailbox), 0),
               9223372036854775807
         WHERE NOT EXISTS (SELECT FROM chat.users u
                            WHERE u.id = p_mailbox AND u.deleted_at IS NOT NULL);
    END IF;
END $$;

-- Whether somebody has not read a message, or it is a dead letter.
CREATE OR REPLACE FUNCTION is_unread(p_lane int, p_mailbox bigint, p_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM chat.dead_letters d WHERE d.message_id = p_id)
        OR EXISTS (SELECT FROM chat.unread_parts(p_lane, p_mailbox) k
                    WHERE p_id > k.after_id AND p_id <= k.upto_id);
END $$;

-- Deletes messages, with their dead letters, their places in threads, and a key whose last copy
-- goes. Their ids are never given again, because the head of the log stays.
CREATE OR REPLACE FUNCTION purge(p_lane int, p_ids bigint[], p_unread_too boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE gone bigint[]; given text[]; senders bigint[];
BEGIN
    PERFORM chat.lock_log(p_lane);
    WITH unread AS MATERIALIZED (
        SELECT p.mailbox_id, (p.part).after_id, (p.part).upto_id
          FROM (SELECT b.mailbox_id, chat.unread_parts(p_lane, b.mailbox_id) AS part
                  FROM (SELECT DISTINCT m.mailbox_id FROM chat.messages m
                         WHERE m.id = ANY (p_ids) AND NOT p_unread_too) b) p),
    deleted AS (
        DELETE FROM chat.messages m
         WHERE m.id = ANY (p_ids)
           AND (p_unread_too
                OR NOT EXISTS (SELECT FROM unread k
                                WHERE k.mailbox_id = m.mailbox_id
                                  AND m.id > k.after_id AND m.id <= k.upto_id)
               AND NOT EXISTS (SELECT FROM chat.dead_letters d WHERE d.message_id = m.id))
        RETURNING m.id, m.sender_id, m.key)
    SELECT array_agg(d.id), array_agg(d.key), array_agg(d.sender_id)
      INTO gone, given, senders FROM deleted d;
    IF gone IS NULL THEN RETURN 0; END IF;
    DELETE FROM chat.dead_letters d WHERE d.message_id = ANY (gone);
    DELETE FROM chat.threads t WHERE t.message_id = ANY (gone);
    DELETE FROM chat.keys k USING unnest(given, senders) AS g (key, sender)
     WHERE k.key = g.key AND k.sender_id = g.sender
       AND NOT EXISTS (SELECT FROM chat.messages m
                        WHERE m.id BETWEEN k.first_id AND k.last_id
                          AND m.key = k.key AND m.sender_id = k.sender_id);
    PERFORM chat.note_change(p_lane, 'purge', NULL, NULL);
    RETURN cardinality(gone);
END $$;

-- The views keep their columns. A message to a room has the name of the room as its recipient.
CREATE OR REPLACE VIEW v1_messages AS
SELECT m.id, iso(m.sent_at) AS sent_at, s.name AS sender, coalesce(r.name, o.name) AS recipient,
       shown(m.body) AS body, m.key
  FROM messages m
  JOIN users s ON s.id = m.sender_id
  LEFT JOIN users r ON r.id = m.mailbox_id
  LEFT JOIN rooms o ON o.id = -m.mailbox_id;

CREATE OR REPLACE VIEW v2_messages AS
SELECT m.id, iso(m.sent_at) AS sent_at, s.name AS sender, coalesce(r.name, o.name) AS recipient,
       shown(m.body) AS body, m.key,
       m.details::json ->> 'title' AS title,
       coalesce((m.details::json ->> 'priority')::int, 3) AS priority,
       coalesce(m.details::json ->> 'tags', '[]') AS tags,
       m.details::json ->> 'click' AS click,
       (m.details::json ->> 'reply_to')::bigint AS reply_to,
       coalesce(t.thread_id, m.id) AS thread
  FROM messages m
  JOIN users s ON s.id = m.sender_id
  LEFT JOIN users r ON r.id = m.mailbox_id
  LEFT JOIN rooms o ON o.id = -m.mailbox_id
  LEFT JOIN threads t ON t.message_id = m.id;

-- The messages of rooms that count as unread, for each reader: those that arrived while the reader
-- was a member, without the reader's own, and as the reader set the room.
CREATE VIEW unread_in_rooms AS
SELECT u.name AS recipient, m.id, m.sent_at, m.sender_id, m.mailbox_id, m.body, m.details
  FROM users u
  JOIN memberships b ON b.user_id = u.id
  LEFT JOIN cursors c ON c.user_id = u.id AND c.name = 'inbox'
  JOIN messages m ON m.mailbox_id = -b.room_id
   AND m.id > greatest(b.joined_after, coalesce(c.upto_id, 0))
   AND m.id <= coalesce(b.left_upto, 9223372036854775807) AND m.sender_id <> u.id
 WHERE u.deleted_at IS NULL
   AND CASE (SELECT n.notify FROM memberships n
              WHERE n.user_id = b.user_id AND n.room_id = b.room_id
              ORDER BY n.joined_after DESC LIMIT 1)
           WHEN 'all' THEN true
           WHEN 'mentions' THEN mentions(m.body, u.name)
           ELSE false END;

CREATE OR REPLACE VIEW v1_inbox AS
SELECT r.name AS recipient, m.id, iso(m.sent_at) AS sent_at, s.name AS sender,
       shown(m.body) AS body
  FROM users r
  LEFT JOIN cursors c ON c.user_id = r.id AND c.name = 'inbox'
  JOIN messages m ON m.mailbox_id = r.id AND m.id > coalesce(c.upto_id, 0)
  JOIN users s ON s.id = m.sender_id
 WHERE r.deleted_at IS NULL
 UNION ALL
SELECT m.recipient, m.id, iso(m.sent_at), s.name, shown(m.body)
  FROM unread_in_rooms m
  JOIN users s ON s.id = m.sender_id;

-- The column room is NULL for a message to the user alone.
CREATE OR REPLACE VIEW v2_inbox AS
SELECT m.recipient, m.id, iso(m.sent_at) AS sent_at, s.name AS sender, shown(m.body) AS body,
       m.details::json ->> 'title' AS title,
       coalesce((m.details::json ->> 'priority')::int, 3) AS priority,
       coalesce(m.details::json ->> 'tags', '[]') AS tags,
       m.details::json ->> 'click' AS click,
       (m.details::json ->> 'reply_to')::bigint AS reply_to,
       coalesce(t.thread_id, m.id) AS thread,
       m.room
  FROM (SELECT r.name AS recipient, m.id, m.sent_at, m.sender_id, m.body, m.details,
               NULL::text COLLATE "C" AS room
          FROM users r
          LEFT JOIN cursors c ON c.user_id = r.id AND c.name = 'inbox'
          JOIN messages m ON m.mailbox_id = r.id AND m.id > coalesce(c.upto_id, 0)
         WHERE r.deleted_at IS NULL
         UNION ALL
        SELECT i.recipient, i.id, i.sent_at, i.sender_id, i.body, i.details, o.name
          FROM unread_in_rooms i
          JOIN rooms o ON o.id = -i.mailbox_id) m
  JOIN users s ON s.id = m.sender_id
  LEFT JOIN threads t ON t.message_id = m.id;

-- What a user could not deal with may be in a room.
CREATE OR REPLACE VIEW v1_dead_letters AS
SELECT u.name AS "user", d.cursor, d.message_id AS id, s.name AS sender, shown(m.body) AS body
  FROM dead_letters d
  JOIN users u ON u.id = d.user_id
  JOIN messages m ON (m.mailbox_id = d.user_id OR m.mailbox_id < 0) AND m.id = d.message_id
  JOIN users s ON s.id = m.sender_id;

CREATE VIEW v2_rooms AS
SELECT o.name AS room, o.topic, o.is_private::int AS is_private, o.posting, o.history,
       iso(o.created_at) AS created_at, iso(o.archived_at) AS archived_at,
       (SELECT count(*) FROM memberships b
         WHERE b.room_id = o.id AND b.left_upto IS NULL) AS members
  FROM rooms o;

-- Members and former members. Those who left have a left_upto.
CREATE VIEW v2_members AS
SELECT o.name AS room, u.name AS "user", b.role, b.notify, b.joined_after, b.sees_after,
       b.left_upto
  FROM memberships b
  JOIN rooms o ON o.id = b.room_id
  JOIN users u ON u.id = b.user_id;
