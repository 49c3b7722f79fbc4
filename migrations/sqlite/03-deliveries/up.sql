-- Which messages are for whom, beside the log instead of in its way.
--
-- An index of the log by recipient costs every message a page at a random place. So what it would say
-- is written behind the log, in runs: each has what came after the run before it, sorted by recipient,
-- and is written from its first row to its last, beside the messages that are taken meanwhile. A run
-- counts once it stands in delivery_runs; what comes after the newest run stands in the log alone. The
-- server has that part in memory. All of it can be told from the log (`chat-server check --rebuild`).

CREATE TABLE delivery_runs (
    -- The newest message that it covers: those after the run before it, up to and with this one.
    upto_id INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL
) STRICT;

CREATE TABLE deliveries (
    run        INTEGER NOT NULL,
    user_id    INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    PRIMARY KEY (run, user_id, message_id)
) STRICT, WITHOUT ROWID;

-- What is there already becomes the first run: the old index has it in this order.
INSERT INTO deliveries (run, user_id, message_id)
SELECT 1, recipient_id, id FROM messages ORDER BY recipient_id, id;

INSERT INTO delivery_runs (upto_id, run)
SELECT id, 1 FROM messages ORDER BY id DESC LIMIT 1;

DROP INDEX messages_by_recipient;

-- Each message and whom it is for, by the runs and what comes after them.
CREATE VIEW delivered AS
SELECT d.user_id, d.message_id
  FROM delivery_runs t CROSS JOIN deliveries d ON d.run = t.run
 UNION ALL
SELECT m.recipient_id, m.id
  FROM messages m
 WHERE m.id > (SELECT coalesce(max(upto_id), 0) FROM delivery_runs);

DROP VIEW v1_inbox;

CREATE VIEW v1_inbox AS
SELECT r.name AS recipient,
       m.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.sent_at / 1000.0, 'unixepoch') AS sent_at,
       s.name AS sender,
       m.body
  FROM users r
  LEFT JOIN cursors c ON c.user_id = r.id AND c.name = 'inbox'
 CROSS JOIN delivery_runs t ON t.upto_id > coalesce(c.upto_id, 0)
 CROSS JOIN deliveries d ON d.run = t.run AND d.user_id = r.id AND d.message_id > coalesce(c.upto_id, 0)
 CROSS JOIN messages m ON m.id = d.message_id
  JOIN users s ON s.id = m.sender_id
 WHERE r.deleted_at IS NULL
 UNION ALL
SELECT r.name,
       m.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.sent_at / 1000.0, 'unixepoch'),
       s.name,
       m.body
  FROM messages m
 CROSS JOIN users r ON r.id = m.recipient_id
  LEFT JOIN cursors c ON c.user_id = r.id AND c.name = 'inbox'
  JOIN users s ON s.id = m.sender_id
 WHERE m.id > (SELECT coalesce(max(upto_id), 0) FROM delivery_runs)
   AND m.id > coalesce(c.upto_id, 0)
   AND r.deleted_at IS NULL;
