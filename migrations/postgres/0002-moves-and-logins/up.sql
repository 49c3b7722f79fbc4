-- What became of moves of cursors has a table of its own, and a login is one call.
SET LOCAL search_path = chat;

-- The newest batch of moves of each node, and what became of each move. A batch inserts a row and
-- deletes the one before. If it updated a row instead, that row would have a version for each batch
-- beside a held snapshot, and each statement that looks for it would read them all. No server of
-- this step uses nodes.moved_batch and nodes.moved.
CREATE TABLE moves (
    node   bigint NOT NULL,
    batch  bigint NOT NULL,
    -- As move_cursors gives it.
    answer bigint[],
    PRIMARY KEY (node, batch)
) WITH (fillfactor = 70);

-- Moves cursors as move_cursors does, each batch once. A node asks again after a broken connection,
-- and gets the same answer.
CREATE FUNCTION move_cursors_once(p_lane int, p_node bigint, p_batch bigint, p_max int,
                                  p_user bigint[], p_name text[], p_kind smallint[],
                                  p_seen bigint[], p_upto bigint[])
RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE v_new bigint; v_answer bigint[];
BEGIN
    -- The key waits until the first call of this batch is over.
    INSERT INTO chat.moves AS m (node, batch) VALUES (p_node, p_batch)
        ON CONFLICT DO NOTHING RETURNING m.batch INTO v_new;
    IF v_new IS NULL THEN
        -- The row is locked, which is a write: the commit waits for the standbys, as the first one
        -- should have.
        SELECT m.answer INTO v_answer FROM chat.moves m
         WHERE m.node = p_node AND m.batch = p_batch FOR UPDATE;
        RETURN v_answer;
    END IF;
    IF EXISTS (SELECT FROM chat.moves m WHERE m.node = p_node AND m.batch > p_batch) THEN
        RAISE 'the batch % of node % is over', p_batch, p_node;
    END IF;
    DELETE FROM chat.moves m
     WHERE m.node = p_node AND m.batch = (SELECT max(e.batch) FROM chat.moves e
                                           WHERE e.node = p_node AND e.batch < p_batch);
    -- There is no node 0, so it notes nothing in nodes.
    v_answer := chat.move_cursors(p_lane, 0, 0, p_max, p_user, p_name, p_kind, p_seen, p_upto);
    UPDATE chat.moves m SET answer = v_answer WHERE m.node = p_node AND m.batch = p_batch;
    RETURN v_answer;
END $$;

-- Removes what is left of nodes that are gone.
CREATE FUNCTION clean_moves(p_lane int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM chat.moves m WHERE NOT EXISTS (SELECT FROM chat.nodes n WHERE n.id = m.node);
END $$;

-- Opens a session, and ends those of p_end to make room. The outcome is 0 if it is open, and 1 if
-- the user has another password or is disabled. It is 2 if the user has too many sessions, and each
-- of them has a row then. The change is the newest one, if the call made one, and the others are
-- the nodes that must learn of it. After a broken connection it may be called again.
CREATE FUNCTION open_session(p_lane int, p_node bigint, p_user bigint, p_password_hash text,
                             p_token bytea, p_lifetime bigint, p_max bigint, p_end bigint[])
RETURNS TABLE (outcome int, change bigint, others bigint,
               id bigint, token_hash bytea, last_seen_at bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE v_now bigint; v_before bigint; v_id bigint; v_change bigint; v_others bigint;
BEGIN
    PERFORM chat.lock_log(p_lane);
    v_now := chat.now_ms();
    v_before := chat.newest_change(p_lane);
    IF EXISTS (SELECT FROM chat.sessions s
                WHERE s.token_hash = p_token AND s.user_id = p_user) THEN
        -- The first call has opened it. This write waits for the standbys, as that one did. The
        -- sessions that it has ended may be the newest change.
        UPDATE chat.nodes n SET heard_at = v_now WHERE n.id = p_node;
        v_before := v_before - 1;
    ELSIF NOT EXISTS (SELECT FROM chat.users u
                       WHERE u.id = p_user AND u.password_hash = p_password_hash
                         AND u.disabled_at IS NULL) THEN
        RETURN QUERY SELECT 1, NULL::bigint, 0::bigint, NULL::bigint, NULL::bytea, NULL::bigint;
        RETURN;
    ELSIF (SELECT count(*) FROM chat.sessions s
            WHERE s.user_id = p_user AND s.id <> ALL (p_end)) >= p_max THEN
        RETURN QUERY SELECT 2, NULL::bigint, 0::bigint, s.id, s.token_hash, s.last_seen_at
                       FROM chat.sessions s WHERE s.user_id = p_user ORDER BY s.id;
        RETURN;
    ELSE
        FOREACH v_id IN ARRAY p_end LOOP
            PERFORM chat.end_sessions(p_lane, p_user, v_id, NULL);
        END LOOP;
        v_id := chat.next_number(p_lane, 'sessions');
        INSERT INTO chat.sessions (id, user_id, token_hash, created_at, last_seen_at, expires_at)
        VALUES (v_id, p_user, p_token, v_now, v_now, v_now + p_lifetime);
    END IF;
    SELECT c.newest, c.others INTO v_change, v_others
      FROM chat.changed_since(p_lane, v_before, p_node) c WHERE c.newest > v_before;
    RETURN QUERY SELECT 0, v_change, coalesce(v_others, 0), NULL::bigint, NULL::bytea, NULL::bigint;
END $$;

UPDATE meta SET value = '2' WHERE name = 'schema';
