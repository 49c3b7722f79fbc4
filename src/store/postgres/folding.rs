//! The messages as people read them, for statements that read many of them.

/// What the view `chat.folded_messages` has. The planner can look up the newest change of a message
/// in one way only here. For the view it has several, of which none is good for all mailboxes. So
/// it plans each page anew while few messages are changed: see docs/experiments/deliveries.md.
macro_rules! folded {
    () => {
        r#"(SELECT f.id, f.sent_at, f.sender_id, f.mailbox_id, coalesce(c.body, f.body) AS body,
                   CASE WHEN c.id IS NULL THEN f.details
                        ELSE (coalesce(f.details, '{}')::jsonb
                              || jsonb_build_object('edited', chat.iso(c.changed_at)))::text
                             COLLATE "C"
                        END AS details
              FROM chat.messages f
              LEFT JOIN LATERAL (SELECT n.id, n.changed_at, n.body FROM chat.message_changes n
                                  WHERE n.message_id = f.id ORDER BY n.id DESC LIMIT 1) c ON true
             WHERE c.id IS NULL OR c.body IS NOT NULL)"#
    };
}

pub(super) use folded;
