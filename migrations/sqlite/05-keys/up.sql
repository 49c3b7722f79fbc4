-- Which message a sender's key belongs to, beside the log instead of in its way.
--
-- An index of the log by key is changed with every message, and as keys that rise with time come somewhat
-- out of order, three of its pages are put in order for every thirteen. So what it would say is written
-- behind the log: some thousand keys at a time, sorted, beside the messages that are taken meanwhile, and
-- mostly at the end of the table. It has the key of every message up to and with `keys_upto` of `meta`, and
-- some of those after it; the server has these in memory. All of it can be told from the log (`chat-server
-- check --rebuild`).

CREATE TABLE keys (
    key        TEXT    NOT NULL,
    sender_id  INTEGER NOT NULL,
    -- A message to several is several rows of the log.
    message_id INTEGER NOT NULL,
    PRIMARY KEY (key, sender_id, message_id)
) STRICT, WITHOUT ROWID;

-- The old index has what is there in this order.
INSERT INTO keys (key, sender_id, message_id)
SELECT key, sender_id, id FROM messages WHERE key IS NOT NULL ORDER BY key, sender_id, recipient_id;

INSERT INTO meta (name, value) SELECT 'keys_upto', CAST(coalesce(max(id), 0) AS TEXT) FROM messages;

DROP INDEX messages_by_key;
