-- Edits and deletions of messages: see the step of SQLite with this table.
--
-- A server that does not know them would go on sending what was deleted. So it gets no lease any
-- more.
SET LOCAL search_path = chat;

UPDATE meta SET value = '12' WHERE name IN ('schema', 'oldest_server');

-- Entries of the log, as messages are: their ids are of the log, and no row is ever changed.
CREATE TABLE message_changes (
    id         bigint PRIMARY KEY,
    changed_at bigint NOT NULL,
    -- Who changed the message. NULL for an operator.
    user_id    bigint,
    -- The mailbox that the message is in.
    mailbox_id bigint NOT NULL,
    message_id bigint NOT NULL,
    -- The idempotency key of an edit, where one was given. The log's lock makes it unique.
    key        text COLLATE "C",
    -- The new text. NULL for a deletion, which is the last change of a message.
    body       bytea
);
ALTER TABLE message_changes ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX message_changes_by_message ON message_changes (message_id, id);
CREATE INDEX message_changes_by_mailbox ON message_changes (mailbox_id, id);
CREATE INDEX message_changes_by_key ON message_changes (key, user_id) WHERE key IS NOT NULL;

-- The messages as people read them: with their newest text, and without those that were deleted.
-- The details of an edited message say when it was edited.
CREATE VIEW folded_messages AS
SELECT m.id, m.sent_at, m.sender_id, m.mailbox_id, m.key, coalesce(c.body, m.body) AS body,
       CASE WHEN c.id IS NULL THEN m.details
            ELSE (coalesce(m.details, '{}')::jsonb
                  || jsonb_build_object('edited', iso(c.changed_at)))::text COLLATE "C"
            END AS details
  FROM messages m
  LEFT JOIN message_changes c ON c.mailbox_id = m.mailbox_id
   AND c.id = (SELECT max(n.id) FROM message_changes n WHERE n.message_id = m.id)
 WHERE c.id IS NULL OR c.body IS NOT NULL;

-- The thread of each of these messages: itself, if it answers none. NULL where the reader can read
-- no such message.
CREATE OR REPLACE FUNCTION find_threads(p_lane int, p_id bigint[], p_reader bigint[])
RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT array_agg(CASE WHEN m.id IS NULL THEN NULL ELSE coalesce(t.thread_id, m.id) END
                             ORDER BY a.place)
              FROM unnest(p_id, p_reader) WITH ORDINALITY AS a (id, reader, place)
              LEFT JOIN chat.folded_messages m ON m.id = a.id
               AND chat.sees(p_lane, a.reader, m.id, m.sender_id, m.mailbox_id)
              LEFT JOIN chat.threads t ON t.message_id = m.id);
END $$;

-- The newest edit or deletion.
CREATE FUNCTION newest_message_change(p_lane int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((SELECT c.id FROM chat.message_changes c ORDER BY c.id DESC LIMIT 1), 0);
END $$;

-- As before. The texts were read before the lock, when p_changed was the newest change of a message.
-- If there is a newer one, they may be old: then nothing is added, and false is the answer.
DROP FUNCTION index_words(int, text, bigint, bigint, bigint[], text[]);
CREATE FUNCTION index_words(p_lane int, p_mark text, p_from bigint, p_upto bigint, p_id bigint[],
                            p_words text[], p_changed bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE v_end bigint;
BEGIN
    PERFORM m.name FROM chat.marks m WHERE m.name = 'search' FOR UPDATE;
    -- Each statement has a new snapshot: it sees what a purge has done under the lock.
    SELECT m.value::bigint INTO v_end FROM chat.marks m WHERE m.name = p_mark;
    IF v_end IS NULL THEN
        DELETE FROM chat.search;
        DELETE FROM chat.marks m WHERE m.name LIKE 'search\_upto.%';
        v_end := 0;
    END IF;
    IF v_end <> p_from OR chat.newest_message_change(p_lane) <> p_changed THEN
        RETURN false;
    END IF;
    INSERT INTO chat.search (message_id, words)
    SELECT t.id, t.words::tsvector
      FROM unnest(p_id, p_words) AS t (id, words)
      JOIN chat.messages m ON m.id = t.id;
    INSERT INTO chat.marks (name, value) VALUES (p_mark, p_upto::text)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value;
    RETURN true;
END $$;

-- Notes the words of a message that was edited, or that it has none any more (NULL). A message that
-- is not indexed yet gets none now.
CREATE FUNCTION replace_words(p_lane int, p_id bigint, p_words text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM m.name FROM chat.marks m WHERE m.name = 'search' FOR UPDATE;
    IF p_words IS NULL THEN
        DELETE FROM chat.search s WHERE s.message_id = p_id;
    ELSE
        UPDATE chat.search s SET words = p_words::tsvector WHERE s.message_id = p_id;
    END IF;
END $$;

-- Stores an edit, or a deletion if there is no text, as a commit of the log of its own. A deletion
-- takes what is derived from the message with it, and no node answers from memory before it has
-- forgotten the text.
CREATE FUNCTION change_message(p_lane int, p_node bigint, p_user bigint, p_mailbox bigint,
                               p_message bigint, p_key text, p_body bytea)
RETURNS TABLE (id bigint, at bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE v_id bigint; v_now bigint;
BEGIN
    PERFORM chat.lock_log(p_lane);
    v_id := chat.head(p_lane) + 1;
    v_now := chat.now_ms();
    INSERT INTO chat.message_changes (id, changed_at, user_id, mailbox_id, message_id, key, body)
    VALUES (v_id, v_now, p_user, p_mailbox, p_message, p_key, p_body);
    INSERT INTO chat.batches (last_id, first_id, node, batch, at)
    VALUES (v_id, v_id, p_node, -v_id, v_now);
    IF p_body IS NULL THEN
        DELETE FROM chat.dead_letters d WHERE d.message_id = p_message;
        PERFORM chat.replace_words(p_lane, p_message, NULL);
        PERFORM chat.note_change(p_lane, 'purge', NULL, NULL);
    END IF;
    PERFORM pg_notify('chat', v_id::text);
    RETURN QUERY SELECT v_id, v_now;
END $$;

-- As before, and the edits and the deletion of a message go with it. Nobody can read a deleted
-- message, so it is not unread.
CREATE OR REPLACE FUNCTION purge(p_lane int, p_ids bigint[], p_unread_too boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE gone bigint[]; given text[]; senders bigint[];
BEGIN
    PERFORM chat.lock_log(p_lane);
    PERFORM m.name FROM chat.marks m WHERE m.name = 'search' FOR UPDATE;
    WITH unread AS MATERIALIZED (
        SELECT p.mailbox_id, (p.part).after_id, (p.part).upto_id
          FROM (SELECT b.mailbox_id, chat.unread_parts(p_lane, b.mailbox_id) AS part
                  FROM (SELECT DISTINCT m.mailbox_id FROM chat.messages m
                         WHERE m.id = ANY (p_ids) AND NOT p_unread_too) b) p),
    deleted AS (
        DELETE FROM chat.messages m
         WHERE m.id = ANY (p_ids)
           AND (p_unread_too
                OR EXISTS (SELECT FROM chat.message_changes c
                            WHERE c.message_id = m.id AND c.body IS NULL)
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
    DELETE FROM chat.message_changes c WHERE c.message_id = ANY (gone);
    DELETE FROM chat.search s WHERE s.message_id = ANY (gone);
    DELETE FROM chat.keys k USING unnest(given, senders) AS g (key, sender)
     WHERE k.key = g.key AND k.sender_id = g.sender
       AND NOT EXISTS (SELECT FROM chat.messages m
                        WHERE m.id BETWEEN k.first_id AND k.last_id
                          AND m.key = k.key AND m.sender_id = k.sender_id);
    PERFORM chat.note_change(p_lane, 'purge', NULL, NULL);
    RETURN cardinality(gone);
END $$;

-- The views keep their columns, and show messages as people read them.
CREATE OR REPLACE VIEW v1_messages AS
SELECT m.id, iso(m.sent_at) AS sent_at, s.name AS sender, coalesce(r.name, o.name) AS recipient,
       shown(m.body) AS body, m.key
  FROM folded_messages m
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
       coalesce(t.thread_id, m.id) AS thread,
       m.details::json ->> 'edited' AS edited_at
  FROM folded_messages m
  JOIN users s ON s.id = m.sender_id
  LEFT JOIN users r ON r.id = m.mailbox_id
  LEFT JOIN rooms o ON o.id = -m.mailbox_id
  LEFT JOIN threads t ON t.message_id = m.id;

CREATE OR REPLACE VIEW unread_in_rooms AS
SELECT u.name AS recipient, m.id, m.sent_at, m.sender_id, m.mailbox_id, m.body, m.details
  FROM users u
  JOIN memberships b ON b.user_id = u.id
  LEFT JOIN cursors c ON c.user_id = u.id AND c.name = 'inbox'
  LEFT JOIN read_marks k ON k.user_id = u.id AND k.mailbox_id = -b.room_id
  JOIN folded_messages m ON m.mailbox_id = -b.room_id
   AND m.id > greatest(b.joined_after, coalesce(c.upto_id, 0), coalesce(k.upto_id, 0))
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
  JOIN folded_messages m ON m.mailbox_id = r.id AND m.id > coalesce(c.upto_id, 0)
  JOIN users s ON s.id = m.sender_id
 WHERE r.deleted_at IS NULL
   AND NOT EXISTS (SELECT FROM read_marks k
                    WHERE k.user_id = r.id AND k.mailbox_id = m.sender_id AND k.upto_id >= m.id)
 UNION ALL
SELECT m.recipient, m.id, iso(m.sent_at), s.name, shown(m.body)
  FROM unread_in_rooms m
  JOIN users s ON s.id = m.sender_id;

-- The column room is NULL for a message to the user alone, and edited_at for one that was never
-- edited.
CREATE OR REPLACE VIEW v2_inbox AS
SELECT m.recipient, m.id, iso(m.sent_at) AS sent_at, s.name AS sender, shown(m.body) AS body,
       m.details::json ->> 'title' AS title,
       coalesce((m.details::json ->> 'priority')::int, 3) AS priority,
       coalesce(m.details::json ->> 'tags', '[]') AS tags,
       m.details::json ->> 'click' AS click,
       (m.details::json ->> 'reply_to')::bigint AS reply_to,
       coalesce(t.thread_id, m.id) AS thread,
       m.room,
       m.details::json ->> 'edited' AS edited_at
  FROM (SELECT r.name AS recipient, m.id, m.sent_at, m.sender_id, m.body, m.details,
               NULL::text COLLATE "C" AS room
          FROM users r
          LEFT JOIN cursors c ON c.user_id = r.id AND c.name = 'inbox'
          JOIN folded_messages m ON m.mailbox_id = r.id AND m.id > coalesce(c.upto_id, 0)
         WHERE r.deleted_at IS NULL
           AND NOT EXISTS (SELECT FROM read_marks k
                            WHERE k.user_id = r.id AND k.mailbox_id = m.sender_id
                              AND k.upto_id >= m.id)
         UNION ALL
        SELECT i.recipient, i.id, i.sent_at, i.sender_id, i.body, i.details, o.name
          FROM unread_in_rooms i
          JOIN rooms o ON o.id = -i.mailbox_id) m
  JOIN users s ON s.id = m.sender_id
  LEFT JOIN threads t ON t.message_id = m.id;

CREATE OR REPLACE VIEW v1_dead_letters AS
SELECT u.name AS "user", d.cursor, d.message_id AS id, s.name AS sender, shown(m.body) AS body
  FROM dead_letters d
  JOIN users u ON u.id = d.user_id
  JOIN folded_messages m ON (m.mailbox_id = d.user_id OR m.mailbox_id < 0) AND m.id = d.message_id
  JOIN users s ON s.id = m.sender_id;

-- Each edit and each deletion, with the text that an edit has made. Edits of a deleted message have no
-- text any more.
CREATE VIEW v2_changes AS
SELECT c.id, iso(c.changed_at) AS changed_at, u.name AS "user",
       coalesce(r.name, o.name) AS mailbox, c.message_id AS message,
       CASE WHEN c.body IS NULL THEN 'deletion' ELSE 'edit' END AS kind,
       CASE WHEN NOT EXISTS (SELECT FROM message_changes d
                              WHERE d.message_id = c.message_id AND d.body IS NULL)
            THEN shown(c.body) END AS body
  FROM message_changes c
  LEFT JOIN users u ON u.id = c.user_id
  LEFT JOIN users r ON r.id = c.mailbox_id
  LEFT JOIN rooms o ON o.id = -c.mailbox_id;
