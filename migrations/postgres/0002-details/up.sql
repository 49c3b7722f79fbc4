-- What a message carries beside its text, and which messages answer each other.
--
-- An expansion: a server that knows only the step before goes on with the old functions, which
-- store messages without details. The new column is NULL in every row there is, so no row changes.
SET LOCAL search_path = chat;

-- One JSON object: title, priority, tags, click, reply_to. As text, so that the same details are
-- the same bytes. JSON escapes U+0000.
ALTER TABLE messages ADD COLUMN details text COLLATE "C";

-- The messages that answer another one, and the oldest message that they go back to. A message that
-- nobody answered has no row.
CREATE TABLE threads (
    message_id bigint PRIMARY KEY,
    thread_id  bigint NOT NULL
);
CREATE INDEX threads_by_thread ON threads (thread_id, message_id);

-- The thread of each of these messages: itself, if it answers none. NULL where the reader can read
-- no such message.
CREATE FUNCTION find_threads(p_lane int, p_id bigint[], p_reader bigint[]) RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT array_agg(CASE WHEN m.id IS NULL THEN NULL ELSE coalesce(t.thread_id, m.id) END
                             ORDER BY a.place)
              FROM unnest(p_id, p_reader) WITH ORDINALITY AS a (id, reader, place)
              LEFT JOIN chat.messages m ON m.id = a.id AND a.reader IN (m.sender_id, m.mailbox_id)
              LEFT JOIN chat.threads t ON t.message_id = m.id);
END $$;

-- As the first `append`, with the details of each post and the thread that it joins: NULL where it
-- has none.
CREATE FUNCTION append(p_lane int, p_node bigint, p_batch bigint, p_changes bigint,
                       p_sender bigint[], p_key text[], p_body bytea[], p_details text[],
                       p_thread bigint[], p_post int[], p_mailbox bigint[])
RETURNS TABLE (post int, id bigint, at bigint, ids bigint[], mailboxes bigint[], same boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_first bigint; v_now bigint; v_refused int[];
    v_post int[] := p_post; v_mailbox bigint[] := p_mailbox;
    v_keyed boolean := cardinality(p_key) <> coalesce(cardinality(array_positions(p_key, NULL)), 0);
BEGIN
    PERFORM chat.lock_log(p_lane);
    -- Each statement has a new snapshot: it sees all that was committed under the lock before.
    IF chat.newest_change(p_lane) <> p_changes THEN RETURN; END IF;
    v_first := chat.head(p_lane) + 1;
    v_now := chat.now_ms();
    IF v_keyed THEN
        SELECT array_agg(p.number::int) INTO v_refused
          FROM (SELECT p.sender, p.key, p.number,
                       row_number() OVER (PARTITION BY p.sender, p.key ORDER BY p.number) AS nth
                  FROM unnest(p_sender, p_key) WITH ORDINALITY AS p (sender, key, number)
                 WHERE p.key IS NOT NULL) p
         WHERE p.nth > 1
            OR EXISTS (SELECT FROM chat.keys k WHERE k.key = p.key AND k.sender_id = p.sender);
        IF v_refused IS NOT NULL THEN
            SELECT array_agg(c.post ORDER BY c.place), array_agg(c.mailbox ORDER BY c.place)
              INTO v_post, v_mailbox
              FROM unnest(p_post, p_mailbox) WITH ORDINALITY AS c (post, mailbox, place)
             WHERE c.post <> ALL (v_refused);
        END IF;
        INSERT INTO chat.keys (key, sender_id, first_id, last_id)
        SELECT p.key, p.sender, v_first + c.first - 1, v_first + c.last - 1
          FROM unnest(p_sender, p_key) WITH ORDINALITY AS p (sender, key, number)
          JOIN (SELECT c.post, min(c.place) AS first, max(c.place) AS last
                  FROM unnest(v_post) WITH ORDINALITY AS c (post, place)
                 GROUP BY c.post) c ON c.post = p.number
         WHERE p.key IS NOT NULL;
    END IF;
    IF v_post IS NOT NULL THEN
        INSERT INTO chat.messages (id, sent_at, sender_id, mailbox_id, key, body, details)
        SELECT v_first + c.place - 1, v_now, p.sender, c.mailbox, p.key, p.body, p.details
          FROM unnest(v_post, v_mailbox) WITH ORDINALITY AS c (post, mailbox, place)
          JOIN unnest(p_sender, p_key, p_body, p_details)
               WITH ORDINALITY AS p (sender, key, body, details, number) ON p.number = c.post;
        IF p_thread IS NOT NULL THEN
            INSERT INTO chat.threads (message_id, thread_id)
            SELECT v_first + c.place - 1, p_thread[c.post]
              FROM unnest(v_post) WITH ORDINALITY AS c (post, place)
             WHERE p_thread[c.post] IS NOT NULL;
        END IF;
        INSERT INTO chat.batches (last_id, first_id, node, batch, at)
        VALUES (v_first + cardinality(v_post) - 1, v_first, p_node, p_batch, v_now);
        PERFORM pg_notify('chat', (v_first + cardinality(v_post) - 1)::text);
    END IF;
    RETURN QUERY SELECT 0, v_first, v_now, NULL::bigint[], NULL::bigint[], NULL::boolean;
    IF v_refused IS NOT NULL THEN
        RETURN QUERY SELECT f.* FROM chat.find_posts(p_lane, v_refused, p_sender, p_key, p_body,
                                                     p_details) f;
    END IF;
END $$;

-- The stored copies of these posts, which have keys. The same post has the same details too.
CREATE FUNCTION find_posts(p_lane int, p_posts int[], p_sender bigint[], p_key text[],
                           p_body bytea[], p_details text[])
RETURNS TABLE (post int, id bigint, at bigint, ids bigint[], mailboxes bigint[], same boolean)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT p.number::int, min(m.id), min(m.sent_at), array_agg(m.id ORDER BY m.id),
           array_agg(m.mailbox_id ORDER BY m.id),
           bool_and(m.body = p.body AND m.details IS NOT DISTINCT FROM p.details)
      FROM unnest(p_sender, p_key, p_body, p_details)
           WITH ORDINALITY AS p (sender, key, body, details, number)
      JOIN chat.keys k ON k.key = p.key AND k.sender_id = p.sender
      JOIN chat.messages m ON m.id BETWEEN k.first_id AND k.last_id
       AND m.key = k.key AND m.sender_id = k.sender_id
     WHERE p.number = ANY (p_posts)
     GROUP BY p.number;
END $$;

-- Puts a message into the thread of the one that it answers. If that one was purged, it may still
-- be where the thread begins.
CREATE FUNCTION join_thread(p_lane int, p_id bigint, p_reply_to bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chat.threads (message_id, thread_id)
    VALUES (p_id, coalesce((SELECT t.thread_id FROM chat.threads t
                             WHERE t.message_id = p_reply_to), p_reply_to));
END $$;

-- As before, and a message that goes leaves its thread.
CREATE OR REPLACE FUNCTION purge(p_lane int, p_ids bigint[], p_unread_too boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE gone bigint[]; given text[]; senders bigint[];
BEGIN
    PERFORM chat.lock_log(p_lane);
    WITH deleted AS (
        DELETE FROM chat.messages m
         WHERE m.id = ANY (p_ids) AND (p_unread_too OR NOT chat.is_unread(p_lane, m.mailbox_id, m.id))
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

-- The views of version 1 keep their columns. These have the details too. The tags are a JSON array.
CREATE VIEW v2_messages AS
SELECT m.id, iso(m.sent_at) AS sent_at, s.name AS sender, r.name AS recipient,
       shown(m.body) AS body, m.key,
       m.details::json ->> 'title' AS title,
       coalesce((m.details::json ->> 'priority')::int, 3) AS priority,
       coalesce(m.details::json ->> 'tags', '[]') AS tags,
       m.details::json ->> 'click' AS click,
       (m.details::json ->> 'reply_to')::bigint AS reply_to,
       coalesce(t.thread_id, m.id) AS thread
  FROM messages m
  JOIN users s ON s.id = m.sender_id
  JOIN users r ON r.id = m.mailbox_id
  LEFT JOIN threads t ON t.message_id = m.id;

CREATE VIEW v2_inbox AS
SELECT r.name AS recipient, m.id, iso(m.sent_at) AS sent_at, s.name AS sender,
       shown(m.body) AS body,
       m.details::json ->> 'title' AS title,
       coalesce((m.details::json ->> 'priority')::int, 3) AS priority,
       coalesce(m.details::json ->> 'tags', '[]') AS tags,
       m.details::json ->> 'click' AS click,
       (m.details::json ->> 'reply_to')::bigint AS reply_to,
       coalesce(t.thread_id, m.id) AS thread
  FROM users r
  LEFT JOIN cursors c ON c.user_id = r.id AND c.name = 'inbox'
  JOIN messages m ON m.mailbox_id = r.id AND m.id > coalesce(c.upto_id, 0)
  JOIN users s ON s.id = m.sender_id
  LEFT JOIN threads t ON t.message_id = m.id
 WHERE r.deleted_at IS NULL;

UPDATE meta SET value = '2' WHERE name = 'schema';
