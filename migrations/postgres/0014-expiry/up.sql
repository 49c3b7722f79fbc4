-- Messages that expire: see the step of SQLite. Servers on one database have its clock alone, so the
-- details of a message say all.
--
-- A server that does not know them cannot read such details, and would go on counting these
-- messages. So it gets no lease any more.
SET LOCAL search_path = chat;

UPDATE meta SET value = '14' WHERE name IN ('schema', 'oldest_server');

-- When a message with these details expires. NULL if it does not.
CREATE FUNCTION expires_at(details text, sent_at bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    -- Most details have no such field, and need no parsing.
    IF details NOT LIKE '%"expires%' THEN RETURN NULL; END IF;
    RETURN coalesce(
        (extract(epoch FROM (details::json ->> 'expires')::timestamptz) * 1000)::bigint,
        sent_at + 1000 * (details::json ->> 'expires_in')::bigint);
END $$;

-- As before, and what has expired is not unread.
CREATE OR REPLACE FUNCTION purge(p_lane int, p_ids bigint[], p_unread_too boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE gone bigint[]; given text[]; senders bigint[]; v_now bigint := chat.now_ms();
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
                OR (coalesce(chat.expires_at(m.details, m.sent_at) <= v_now, false)
                    OR NOT EXISTS (SELECT FROM unread k
                                    WHERE k.mailbox_id = m.mailbox_id
                                      AND m.id > k.after_id AND m.id <= k.upto_id))
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

-- The views keep their columns, and leave out what has expired.
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
   AND NOT coalesce(expires_at(m.details, m.sent_at)
                    <= (SELECT extract(epoch FROM clock_timestamp()) * 1000), false)
   AND NOT EXISTS (SELECT FROM blocks w
                    WHERE w.user_id = u.id AND w.blocked_id = m.sender_id)
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
   AND NOT coalesce(expires_at(m.details, m.sent_at)
                    <= (SELECT extract(epoch FROM clock_timestamp()) * 1000), false)
   AND NOT EXISTS (SELECT FROM read_marks k
                    WHERE k.user_id = r.id AND k.mailbox_id = m.sender_id AND k.upto_id >= m.id)
 UNION ALL
SELECT m.recipient, m.id, iso(m.sent_at), s.name, shown(m.body)
  FROM unread_in_rooms m
  JOIN users s ON s.id = m.sender_id;

-- The column expires_at is NULL for a message that does not expire.
CREATE OR REPLACE VIEW v2_messages AS
SELECT m.id, iso(m.sent_at) AS sent_at, s.name AS sender, coalesce(r.name, o.name) AS recipient,
       shown(m.body) AS body, m.key,
       m.details::json ->> 'title' AS title,
       coalesce((m.details::json ->> 'priority')::int, 3) AS priority,
       coalesce(m.details::json ->> 'tags', '[]') AS tags,
       m.details::json ->> 'click' AS click,
       (m.details::json ->> 'reply_to')::bigint AS reply_to,
       coalesce(t.thread_id, m.id) AS thread,
       m.details::json ->> 'edited' AS edited_at,
       iso(expires_at(m.details, m.sent_at)) AS expires_at
  FROM folded_messages m
  JOIN users s ON s.id = m.sender_id
  LEFT JOIN users r ON r.id = m.mailbox_id
  LEFT JOIN rooms o ON o.id = -m.mailbox_id
  LEFT JOIN threads t ON t.message_id = m.id;

CREATE OR REPLACE VIEW v2_inbox AS
SELECT m.recipient, m.id, iso(m.sent_at) AS sent_at, s.name AS sender, shown(m.body) AS body,
       m.details::json ->> 'title' AS title,
       coalesce((m.details::json ->> 'priority')::int, 3) AS priority,
       coalesce(m.details::json ->> 'tags', '[]') AS tags,
       m.details::json ->> 'click' AS click,
       (m.details::json ->> 'reply_to')::bigint AS reply_to,
       coalesce(t.thread_id, m.id) AS thread,
       m.room,
       m.details::json ->> 'edited' AS edited_at,
       iso(expires_at(m.details, m.sent_at)) AS expires_at
  FROM (SELECT r.name AS recipient, m.id, m.sent_at, m.sender_id, m.body, m.details,
               NULL::text COLLATE "C" AS room
          FROM users r
          LEFT JOIN cursors c ON c.user_id = r.id AND c.name = 'inbox'
          JOIN folded_messages m ON m.mailbox_id = r.id AND m.id > coalesce(c.upto_id, 0)
         WHERE r.deleted_at IS NULL
           AND NOT coalesce(expires_at(m.details, m.sent_at)
                            <= (SELECT extract(epoch FROM clock_timestamp()) * 1000), false)
           AND NOT EXISTS (SELECT FROM read_marks k
                            WHERE k.user_id = r.id AND k.mailbox_id = m.sender_id
                              AND k.upto_id >= m.id)
         UNION ALL
        SELECT i.recipient, i.id, i.sent_at, i.sender_id, i.body, i.details, o.name
          FROM unread_in_rooms i
          JOIN rooms o ON o.id = -i.mailbox_id) m
  JOIN users s ON s.id = m.sender_id
  LEFT JOIN threads t ON t.message_id = m.id;
