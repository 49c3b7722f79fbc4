-- The schema on PostgreSQL 15 or newer: the message log, its users, and what the nodes share.
--
-- Times are milliseconds since 1970-01-01T00:00:00Z, by the clock of the database. Bodies are bytea,
-- because text cannot hold U+0000. A mailbox is the number of its user.
--
-- A lane is a part of the log with an order of its own. There is one lane, 0. Six rules keep the way
-- to more of them open: see docs/decisions/0064 and the test postgres_schema.
CREATE SCHEMA chat;
SET LOCAL search_path = chat;

CREATE TABLE meta (name text PRIMARY KEY, value text NOT NULL);
INSERT INTO meta VALUES ('application', 'chat'), ('schema', '1'), ('oldest_server', '1');

-- What the servers note. They may not change meta.
CREATE TABLE marks (name text PRIMARY KEY, value text NOT NULL);

-- The newest number given to users, sessions and nodes. Numbers are never given again.
CREATE TABLE counters (name text PRIMARY KEY, value bigint NOT NULL);
INSERT INTO counters VALUES ('users', 0), ('sessions', 0), ('nodes', 0);

CREATE TABLE users (
    id                    bigint PRIMARY KEY,
    name                  text COLLATE "C" NOT NULL UNIQUE,
    display_name          text    NOT NULL,
    -- argon2id, in the PHC string format.
    password_hash         text    NOT NULL,
    password_is_published boolean NOT NULL DEFAULT false,
    created_at            bigint  NOT NULL,
    disabled_at           bigint,
    deleted_at            bigint
);

-- When a session that has ended since was last used. Not in users, whose rows seldom change.
CREATE TABLE last_seen (user_id bigint PRIMARY KEY, at bigint NOT NULL) WITH (fillfactor = 70);

-- The user who had this name up to and including this message.
CREATE TABLE former_names (
    name    text COLLATE "C" NOT NULL,
    upto_id bigint NOT NULL,
    user_id bigint NOT NULL,
    PRIMARY KEY (name, upto_id)
);

CREATE TABLE sessions (
    id           bigint NOT NULL UNIQUE,
    user_id      bigint NOT NULL,
    -- SHA-256 of the token. The token itself is stored nowhere.
    token_hash   bytea  NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    created_at   bigint NOT NULL,
    last_seen_at bigint NOT NULL,
    expires_at   bigint NOT NULL,
    PRIMARY KEY (user_id, id)
);

-- Append only. One row for each recipient of a message. Ids rise in the order of the commits.
CREATE TABLE messages (
    id         bigint PRIMARY KEY,
    sent_at    bigint NOT NULL,
    sender_id  bigint NOT NULL,
    mailbox_id bigint NOT NULL,
    -- The sender's idempotency key, where one was given.
    key        text COLLATE "C",
    body       bytea  NOT NULL,
    -- One JSON object: title, priority, tags, click, reply_to. As text, so that the same details
    -- are the same bytes. JSON escapes U+0000.
    details    text COLLATE "C"
);
ALTER TABLE messages ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX messages_by_mailbox ON messages (mailbox_id, id);

-- The messages that answer another one, and the oldest message that they go back to. A message that
-- nobody answered has no row.
CREATE TABLE threads (
    message_id bigint PRIMARY KEY,
    thread_id  bigint NOT NULL
);
CREATE INDEX threads_by_thread ON threads (thread_id, message_id);

-- The copies of the message that has a key are among these ids. The key comes first: keys that rise
-- with time touch the end of the index alone.
CREATE TABLE keys (
    key       text COLLATE "C" NOT NULL,
    sender_id bigint NOT NULL,
    first_id  bigint NOT NULL,
    last_id   bigint NOT NULL,
    PRIMARY KEY (key, sender_id)
);

-- One row for each commit of the log. The newest row is the head of the log. A node whose connection
-- broke finds its commit by (node, batch).
CREATE TABLE batches (
    last_id  bigint PRIMARY KEY,
    first_id bigint NOT NULL,
    node     bigint NOT NULL,
    batch    bigint NOT NULL,
    at       bigint NOT NULL,
    UNIQUE (node, batch)
);

-- What makes the memory of nodes untrue, in the order of the commits.
CREATE TABLE changes (
    id         bigint PRIMARY KEY,
    at         bigint NOT NULL,
    kind       text   NOT NULL CHECK (kind IN ('session', 'user', 'purge')),
    user_id    bigint,
    token_hash bytea
);

-- The servers on this database. A node has its lease for three seconds after heard_at.
CREATE TABLE nodes (
    id           bigint PRIMARY KEY,
    name         text   NOT NULL,
    started_at   bigint NOT NULL,
    heard_at     bigint NOT NULL,
    -- It has forgotten what the changes up to this one made untrue.
    seen_changes bigint NOT NULL,
    -- The newest batch of moves, and what became of each: see move_cursors.
    moved_batch  bigint NOT NULL DEFAULT 0,
    moved        bigint[]
) WITH (fillfactor = 50);

CREATE TABLE cursors (
    user_id  bigint NOT NULL,
    name     text COLLATE "C" NOT NULL,
    upto_id  bigint NOT NULL,
    moved_at bigint NOT NULL,
    PRIMARY KEY (user_id, name)
) WITH (fillfactor = 70);

CREATE TABLE dead_letters (
    user_id    bigint NOT NULL,
    cursor     text COLLATE "C" NOT NULL,
    message_id bigint NOT NULL,
    PRIMARY KEY (user_id, cursor, message_id)
);
CREATE INDEX dead_letters_by_message ON dead_letters (message_id);

-- Failed logins of the last minute, for all nodes. They are lost with a crash or a failover, like
-- the memory of a server, and their commits wait for no disk and no standby. An account is the
-- SHA-256 of the name: a user who confuses the fields sends a password there.
CREATE UNLOGGED TABLE login_failures (
    account  bytea   NOT NULL,
    network  text    NOT NULL,
    is_local boolean NOT NULL,
    at       bigint  NOT NULL
);
CREATE INDEX login_failures_by_account ON login_failures (account, at);

-- A row to lock while a failure of the account is counted.
CREATE UNLOGGED TABLE login_accounts (
    account bytea PRIMARY KEY,
    at      bigint NOT NULL
) WITH (fillfactor = 70);

-- Where each account was logged in from.
CREATE UNLOGGED TABLE login_networks (
    account bytea  NOT NULL,
    network text   NOT NULL,
    at      bigint NOT NULL,
    PRIMARY KEY (account, network)
);

-- The time in milliseconds. All nodes use this clock.
CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
END $$;

-- The only places that know the lock of a lane and its newest id.
CREATE FUNCTION lock_log(p_lane int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1667785076, p_lane);
END $$;

CREATE FUNCTION head(p_lane int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((SELECT b.last_id FROM chat.batches b ORDER BY b.last_id DESC LIMIT 1), 0);
END $$;

CREATE FUNCTION newest_change(p_lane int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((SELECT c.id FROM chat.changes c ORDER BY c.id DESC LIMIT 1), 0);
END $$;

-- The next number. Call it with the log's lock.
CREATE FUNCTION next_number(p_lane int, p_name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE given bigint;
BEGIN
    UPDATE chat.counters c SET value = c.value + 1 WHERE c.name = p_name RETURNING c.value INTO given;
    RETURN given;
END $$;

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

-- One commit of the log. Posts are numbered from 1. A copy names its post; copies come in the order
-- of the posts. Details and threads are NULL for posts without. The first row has post 0, the id of
-- the first new copy and the time. A further row tells of a post whose key was there: its copies,
-- and whether their text and details are the same. No row means that what the node remembers is
-- old, and that nothing was stored.
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

-- The stored copies of these posts, which have keys.
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

-- After a broken connection: whether a batch was committed. With the lock, its transaction is over.
-- The write makes this commit, and all commits before it, wait for the standby before the answer.
CREATE FUNCTION find_batch(p_lane int, p_node bigint, p_batch bigint)
RETURNS TABLE (first_id bigint, at bigint) LANGUAGE plpgsql AS $$
DECLARE v_now bigint := chat.now_ms();
BEGIN
    PERFORM chat.lock_log(p_lane);
    UPDATE chat.nodes n SET heard_at = v_now WHERE n.id = p_node;
    RETURN QUERY SELECT b.first_id, b.at FROM chat.batches b
                  WHERE b.node = p_node AND b.batch = p_batch;
END $$;

-- Moves cursors, in one order everywhere, so that there is no deadlock. Kind 0 moves a cursor that
-- is still at p_seen, 1 acknowledges, 2 may also move backwards. The answer has two numbers for each
-- cursor: the outcome (0 moved, 1 kept, 2 beyond the log, 3 elsewhere, 4 too many) and its place.
CREATE FUNCTION move_cursors(p_lane int, p_node bigint, p_batch bigint, p_max int,
                             p_user bigint[], p_name text[], p_kind smallint[], p_seen bigint[],
                             p_upto bigint[])
RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    a record; stood bigint; newest bigint; now bigint := chat.now_ms();
    outcome bigint; place bigint; is_there boolean; done bigint; earlier bigint[];
    answer bigint[] := array_fill(0::bigint, ARRAY[2 * cardinality(p_user)]);
BEGIN
    -- A node asks again after a broken connection. The lock waits until the first call is over.
    SELECT n.moved_batch, n.moved INTO done, earlier FROM chat.nodes n WHERE n.id = p_node FOR UPDATE;
    IF p_batch > 0 AND done = p_batch THEN RETURN earlier; END IF;
    IF p_batch > 0 AND done > p_batch THEN RAISE 'the batch % of node % is over', p_batch, p_node; END IF;
    newest := chat.head(p_lane);
    FOR a IN SELECT * FROM unnest(p_user, p_name, p_kind, p_seen, p_upto) WITH ORDINALITY
                        AS asked (usr, name, kind, seen, upto, n)
              ORDER BY asked.usr, asked.name, asked.n LOOP
        SELECT c.upto_id INTO stood FROM chat.cursors c
         WHERE c.user_id = a.usr AND c.name = a.name FOR UPDATE;
        is_there := FOUND; place := coalesce(stood, 0); outcome := 1;
        IF a.kind > 0 AND a.upto > newest THEN outcome := 2;
        ELSIF a.kind = 0 AND place <> a.seen THEN outcome := 3;
        ELSIF is_there AND (a.upto = place OR a.kind = 1 AND a.upto < place) THEN
            outcome := CASE a.kind WHEN 0 THEN 0 ELSE 1 END;
        ELSIF a.kind > 0 AND NOT is_there AND a.name <> 'inbox'
          AND (SELECT count(*) FROM chat.cursors c
                WHERE c.user_id = a.usr AND c.name <> 'inbox') >= p_max THEN outcome := 4;
        ELSIF is_there THEN
            UPDATE chat.cursors c SET upto_id = a.upto, moved_at = now
             WHERE c.user_id = a.usr AND c.name = a.name;
            place := a.upto; outcome := 0;
        ELSE
            -- Another node may create the cursor at this moment.
            INSERT INTO chat.cursors AS c (user_id, name, upto_id, moved_at)
            VALUES (a.usr, a.name, a.upto, now)
                ON CONFLICT (user_id, name) DO UPDATE
               SET upto_id = excluded.upto_id, moved_at = excluded.moved_at
             WHERE CASE a.kind WHEN 0 THEN c.upto_id = a.seen
                               WHEN 1 THEN c.upto_id < excluded.upto_id ELSE true END
            RETURNING c.upto_id INTO place;
            IF FOUND THEN outcome := 0;
            ELSE
                SELECT c.upto_id INTO place FROM chat.cursors c
                 WHERE c.user_id = a.usr AND c.name = a.name;
                outcome := CASE a.kind WHEN 0 THEN 3 ELSE 1 END;
            END IF;
        END IF;
        answer[2 * a.n - 1] := outcome;
        answer[2 * a.n] := place;
    END LOOP;
    UPDATE chat.nodes n SET moved_batch = p_batch, moved = answer
     WHERE n.id = p_node AND p_batch > 0;
    RETURN answer;
END $$;

-- Notes that what nodes remember is no longer true, and wakes them. Call it with the log's lock.
CREATE FUNCTION note_change(p_lane int, p_kind text, p_user bigint, p_token bytea)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE number bigint := chat.newest_change(p_lane) + 1; v_now bigint := chat.now_ms();
BEGIN
    INSERT INTO chat.changes (id, at, kind, user_id, token_hash)
    VALUES (number, v_now, p_kind, p_user, p_token);
    PERFORM pg_notify('chat', 'change');
    RETURN number;
END $$;

-- Begins a change: nobody else changes anything or appends until this transaction is over. The
-- answer is the newest change before.
CREATE FUNCTION begin_change(p_lane int) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM chat.lock_log(p_lane);
    RETURN chat.newest_change(p_lane);
END $$;

-- What has changed: the newest change, whether more than sessions changed, and how many other nodes
-- must learn of it.
CREATE FUNCTION changed_since(p_lane int, p_before bigint, p_node bigint)
RETURNS TABLE (newest bigint, of_users boolean, others bigint) LANGUAGE plpgsql AS $$
DECLARE v_now bigint := chat.now_ms();
BEGIN
    RETURN QUERY
    SELECT chat.newest_change(p_lane),
           coalesce((SELECT bool_or(c.kind <> 'session') FROM chat.changes c
                      WHERE c.id > p_before), false),
           (SELECT count(*) FROM chat.nodes n
             WHERE n.id <> p_node AND n.heard_at > v_now - 3000);
END $$;

-- The oldest change that a node with a lease has not yet seen is after this one.
CREATE FUNCTION seen_everywhere(p_lane int, p_node bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE v_now bigint := chat.now_ms();
BEGIN
    RETURN coalesce((SELECT min(n.seen_changes) FROM chat.nodes n
                      WHERE n.id <> p_node AND n.heard_at > v_now - 3000),
                    chat.newest_change(p_lane));
END $$;

-- Ends sessions, and notes that for every node. NULL matches every user and every session.
CREATE FUNCTION end_sessions(p_lane int, p_user bigint, p_only bigint, p_but bigint)
RETURNS TABLE (user_id bigint, token_hash bytea) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE s record;
BEGIN
    PERFORM chat.lock_log(p_lane);
    FOR s IN DELETE FROM chat.sessions s
              WHERE (p_user IS NULL OR s.user_id = p_user) AND (p_only IS NULL OR s.id = p_only)
                AND (p_but IS NULL OR s.id <> p_but)
             RETURNING s.user_id, s.token_hash, s.last_seen_at LOOP
        PERFORM chat.note_seen(p_lane, s.user_id, s.last_seen_at);
        PERFORM chat.note_change(p_lane, 'session', s.user_id, s.token_hash);
        user_id := s.user_id; token_hash := s.token_hash;
        RETURN NEXT;
    END LOOP;
END $$;

CREATE FUNCTION note_seen(p_lane int, p_user bigint, p_at bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chat.last_seen AS l (user_id, at) VALUES (p_user, p_at)
        ON CONFLICT (user_id) DO UPDATE SET at = greatest(l.at, excluded.at);
END $$;

-- Removes what no node needs any more, but never the newest row: it is the head.
CREATE FUNCTION clean(p_lane int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_now bigint := chat.now_ms(); old bigint := v_now - 3600000;
    newest bigint := chat.head(p_lane); change bigint := chat.newest_change(p_lane);
BEGIN
    DELETE FROM chat.batches b WHERE b.at < old AND b.last_id < newest;
    DELETE FROM chat.changes c WHERE c.at < old AND c.id < change;
    DELETE FROM chat.nodes n WHERE n.heard_at < old;
    -- Times in the future are from a clock that was set back.
    DELETE FROM chat.login_failures f WHERE f.at NOT BETWEEN v_now - 60000 AND v_now + 60000;
    DELETE FROM chat.login_accounts a WHERE a.at NOT BETWEEN v_now - 60000 AND v_now + 60000;
    DELETE FROM chat.login_networks n WHERE n.at < (
        SELECT k.at FROM chat.login_networks k ORDER BY k.at DESC OFFSET 65536 LIMIT 1);
END $$;

-- How long an account is held from a network because of failed logins: the time of the decisive one,
-- and the limit that was reached. Failures elsewhere hold neither a network that the account was
-- logged in from nor a process of the server's machine. No row: it is not held.
CREATE FUNCTION login_held(p_lane int, p_now bigint, p_account bytea, p_network text,
                           p_is_local boolean, p_per_network int, p_per_account int)
RETURNS TABLE (until_at bigint, reached text) LANGUAGE plpgsql STABLE AS $$
DECLARE since bigint := p_now - 60000; is_known boolean;
BEGIN
    is_known := EXISTS (SELECT FROM chat.login_networks n
                         WHERE n.account = p_account AND n.network = p_network);
    RETURN QUERY
    SELECT h.at + 60000, h.reached FROM (
        (SELECT f.at, 'address' AS reached FROM chat.login_failures f
          WHERE f.account = p_account AND f.at > since AND f.network = p_network
          ORDER BY f.at DESC OFFSET greatest(p_per_network - 1, 0) LIMIT 1)
        UNION ALL
        (SELECT f.at, 'account' FROM chat.login_failures f
          WHERE f.account = p_account AND f.at > since AND NOT is_known
            AND (NOT p_is_local OR f.is_local)
          ORDER BY f.at DESC OFFSET greatest(p_per_account - 1, 0) LIMIT 1)) AS h
     ORDER BY h.at DESC LIMIT 1;
END $$;

-- Judges a login, for all nodes: p_outcome is 'asked' before the password is compared, then 'right'
-- or 'wrong'. A failure is counted under a lock of the account, so no more of them are answered
-- than the limit, however many nodes compare at once. The answer: for how many milliseconds the
-- login is refused (NULL: it is not), and the limit that was reached, by this failure or before.
CREATE FUNCTION judge_login(p_lane int, p_account bytea, p_network text, p_is_local boolean,
                            p_outcome text, p_per_network int, p_per_account int)
RETURNS TABLE (is_refused boolean, held_ms bigint, reached text) LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE v_now bigint := chat.now_ms(); v_until bigint; v_reached text;
BEGIN
    IF p_outcome = 'wrong' THEN
        INSERT INTO chat.login_accounts AS a (account, at) VALUES (p_account, v_now)
            ON CONFLICT (account) DO UPDATE SET at = greatest(a.at, excluded.at);
        v_now := chat.now_ms();
    END IF;
    SELECT h.until_at, h.reached INTO v_until, v_reached
      FROM chat.login_held(p_lane, v_now, p_account, p_network, p_is_local,
                           p_per_network, p_per_account) h;
    is_refused := v_until IS NOT NULL;
    IF p_outcome = 'wrong' AND NOT is_refused THEN
        INSERT INTO chat.login_failures (account, network, is_local, at)
        VALUES (p_account, p_network, p_is_local, v_now);
        SELECT h.until_at, h.reached INTO v_until, v_reached
          FROM chat.login_held(p_lane, v_now, p_account, p_network, p_is_local,
                               p_per_network, p_per_account) h;
    ELSIF p_outcome = 'right' AND NOT is_refused THEN
        INSERT INTO chat.login_networks (account, network, at)
        VALUES (p_account, p_network, v_now) ON CONFLICT DO NOTHING;
    END IF;
    held_ms := least(v_until - v_now, 60000); reached := v_reached;
    RETURN NEXT;
END $$;

-- Whether a message is unread: a cursor of its reader is before it, or it is a dead letter. The
-- cursor inbox is at 0 until it is moved. A deleted user has read everything.
CREATE FUNCTION is_unread(p_lane int, p_mailbox bigint, p_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM chat.dead_letters d WHERE d.message_id = p_id)
        OR p_id > (SELECT CASE
               WHEN EXISTS (SELECT FROM chat.users u
                             WHERE u.id = p_mailbox AND u.deleted_at IS NOT NULL)
               THEN 9223372036854775807
               WHEN bool_or(c.name = 'inbox') THEN min(c.upto_id) ELSE 0 END
                     FROM chat.cursors c WHERE c.user_id = p_mailbox);
END $$;

-- Deletes messages, with their dead letters, their places in threads, and a key whose last copy
-- goes. Their ids are never given again, because the head of the log stays.
CREATE FUNCTION purge(p_lane int, p_ids bigint[], p_unread_too boolean) RETURNS bigint
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

-- No new message gets an id up to and including this one.
CREATE FUNCTION raise_floor(p_lane int, p_id bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_now bigint := chat.now_ms();
BEGIN
    PERFORM chat.lock_log(p_lane);
    IF p_id > chat.head(p_lane) THEN
        -- A commit of no node, without messages.
        INSERT INTO chat.batches (last_id, first_id, node, batch, at)
        VALUES (p_id, p_id, 0, -p_id, v_now);
    END IF;
END $$;

-- The views for people: the same names and columns as on SQLite.
CREATE FUNCTION iso(ms bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT to_char(to_timestamp(ms / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- A text with U+0000, which PostgreSQL's text cannot hold, is shown escaped.
CREATE FUNCTION shown(body bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN position('\x00'::bytea IN body) > 0 THEN encode(body, 'escape')
                ELSE convert_from(body, 'UTF8') END
$$;

CREATE VIEW v1_messages AS
SELECT m.id, iso(m.sent_at) AS sent_at, s.name AS sender, r.name AS recipient,
       shown(m.body) AS body, m.key
  FROM messages m
  JOIN users s ON s.id = m.sender_id
  JOIN users r ON r.id = m.mailbox_id;

CREATE VIEW v1_inbox AS
SELECT r.name AS recipient, m.id, iso(m.sent_at) AS sent_at, s.name AS sender,
       shown(m.body) AS body
  FROM users r
  LEFT JOIN cursors c ON c.user_id = r.id AND c.name = 'inbox'
  JOIN messages m ON m.mailbox_id = r.id AND m.id > coalesce(c.upto_id, 0)
  JOIN users s ON s.id = m.sender_id
 WHERE r.deleted_at IS NULL;

CREATE VIEW v1_cursors AS
SELECT u.name AS "user", c.name AS cursor, c.upto_id, iso(c.moved_at) AS moved_at
  FROM cursors c
  JOIN users u ON u.id = c.user_id;

CREATE VIEW v1_dead_letters AS
SELECT u.name AS "user", d.cursor, d.message_id AS id, s.name AS sender, shown(m.body) AS body
  FROM dead_letters d
  JOIN users u ON u.id = d.user_id
  JOIN messages m ON m.mailbox_id = d.user_id AND m.id = d.message_id
  JOIN users s ON s.id = m.sender_id;

CREATE VIEW v1_sessions AS
SELECT s.id, u.name AS "user", iso(s.created_at) AS created_at,
       iso(s.last_seen_at) AS last_seen_at, iso(s.expires_at) AS expires_at
  FROM sessions s
  JOIN users u ON u.id = s.user_id;

CREATE VIEW v1_users AS
SELECT id, name, display_name, iso(created_at) AS created_at, iso(disabled_at) AS disabled_at,
       password_is_published::int AS password_is_published, iso(deleted_at) AS deleted_at
  FROM users;

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
