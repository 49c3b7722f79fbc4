-- Which words are in which message, beside the message log instead of in its way.
--
-- The nodes write it behind the message log, one node at a time. It has all messages up to and
-- including the id in the row of marks whose name begins with search_upto. The messages after it are
-- searched in the message log itself. The nodes split a text into folded words, so the lexemes are
-- ready tokens. Beside words there are tokens for the sender (from:2), the mailbox (to:3, or in:4
-- for a room) and tags.
SET LOCAL search_path = chat;

CREATE TABLE search (
    message_id bigint PRIMARY KEY,
    words      tsvector NOT NULL
);
CREATE INDEX search_by_words ON search USING gin (words) WITH (fastupdate = off);

-- A row to lock while words are added or removed.
INSERT INTO marks (name, value) VALUES ('search', '');

-- Adds the words of the messages after p_from, up to p_upto. A message that was purged meanwhile
-- gets none. False if the index does not end at p_from: another node was faster. The name of the
-- mark has the version of the words. An index of another version is emptied first.
CREATE FUNCTION index_words(p_lane int, p_mark text, p_from bigint, p_upto bigint, p_id bigint[],
                            p_words text[])
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
    IF v_end <> p_from THEN RETURN false; END IF;
    INSERT INTO chat.search (message_id, words)
    SELECT t.id, t.words::tsvector
      FROM unnest(p_id, p_words) AS t (id, words)
      JOIN chat.messages m ON m.id = t.id;
    INSERT INTO chat.marks (name, value) VALUES (p_mark, p_upto::text)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value;
    RETURN true;
END $$;

-- As before, and the words of the messages go with them.
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
    DELETE FROM chat.search s WHERE s.message_id = ANY (gone);
    DELETE FROM chat.keys k USING unnest(given, senders) AS g (key, sender)
     WHERE k.key = g.key AND k.sender_id = g.sender
       AND NOT EXISTS (SELECT FROM chat.messages m
                        WHERE m.id BETWEEN k.first_id AND k.last_id
                          AND m.key = k.key AND m.sender_id = k.sender_id);
    PERFORM chat.note_change(p_lane, 'purge', NULL, NULL);
    RETURN cardinality(gone);
END $$;

UPDATE meta SET value = '5' WHERE name = 'schema';
