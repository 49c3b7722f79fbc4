//! The replies to `hello` and `help`.

use std::time::Duration;

use crate::model::{BODY_BYTES_MAX, CLICK_BYTES_MAX, TAG_BYTES_MAX, TAGS_MAX, TITLE_BYTES_MAX};
use crate::protocol::PROTOCOL_VERSION;
use crate::protocol::arguments::{FETCH_MESSAGES_MAX, KEY_BYTES_MAX, RECIPIENTS_MAX};
use crate::protocol::framing::LINE_BYTES_MAX;
use crate::protocol::reply::{Hello, Help, Limits, Reply};
use crate::protocol::standing::{Database, Node};
use crate::store::{Standing, Store};

/// Each verb with its help line.
const VERBS: &[(&str, &str)] = &[
    ("auth", "auth USER PASSWORD -> a token for the other commands"),
    ("send", "send TOKEN TO TEXT -> stores the message for TO"),
    ("inbox", "inbox TOKEN -> what is unread, by sender; it then counts as read"),
    ("list", "list TOKEN -> who is logged in"),
    ("users", r#"users TOKEN {"after": "neko"} -> everybody who can be written to"#),
    ("logout", "logout TOKEN -> ends the session"),
    (
        "post",
        r#"post TOKEN {"to": ["neko"], "body": "hai", "key": "k1"} -> stores any text, once a key"#,
    ),
    ("edit", r#"edit TOKEN {"id": 7, "body": "hai"} -> your message has this text now"#),
    ("delete", r#"delete TOKEN {"id": 7} -> nobody finds the message any more"#),
    ("fetch", r#"fetch TOKEN {"unread": true} -> messages; they stay unread"#),
    ("ack", r#"ack TOKEN {"upto": 7} -> what is up to this id counts as read"#),
    ("unread", "unread TOKEN -> how much is unread, by sender"),
    ("watch", r#"watch TOKEN {"from": "new"} -> messages as they come, until you hang up"#),
    ("whoami", "whoami TOKEN -> whose session it is"),
    ("sessions", "sessions TOKEN -> your sessions"),
    ("search", r#"search TOKEN {"query": "build -failed"} -> messages that have the words"#),
    ("revoke", r#"revoke TOKEN {"session": 3} -> ends it; {"others": true} ends all others"#),
    ("passwd", r#"passwd TOKEN {"old": "...", "new": "..."} -> changes it, ends other sessions"#),
    ("rooms", r##"rooms TOKEN {"after": "#build"} -> the rooms that you can see"##),
    ("room", r##"room TOKEN {"room": "#build"} -> one room"##),
    ("room_create", r##"room_create TOKEN {"room": "#build"} -> creates it; you are its owner"##),
    ("room_join", r##"room_join TOKEN {"room": "#build"} -> you get its messages from now on"##),
    ("room_leave", r##"room_leave TOKEN {"room": "#build"} -> you get no more of them"##),
    (
        "room_invite",
        r##"room_invite TOKEN {"room": "#build", "users": ["neko"]} -> they can join it"##,
    ),
    ("room_kick", r##"room_kick TOKEN {"room": "#build", "user": "neko"} -> neko is out"##),
    ("room_members", r##"room_members TOKEN {"room": "#build"} -> who is in it"##),
    ("room_set", r##"room_set TOKEN {"room": "#build", "topic": "builds"} -> changes it"##),
    ("room_archive", r##"room_archive TOKEN {"room": "#build"} -> nobody can post there"##),
    (
        "expect",
        r#"expect TOKEN {"name": "backup", "every": 86400, "tell": "neko"} -> neko is told if you do not report"#,
    ),
    ("expectations", "expectations TOKEN -> what you have declared, and when it is due"),
    ("report", r#"report TOKEN {"name": "backup"} -> it was done; {"code": 3} it failed"#),
    (
        "token_create",
        r##"token_create TOKEN {"name": "ci", "can": "send", "to": ["neko", "#build"], "expires_in": 7776000} -> an access token, shown once"##,
    ),
    ("invitation", r#"invitation {"invitation": "ci_..."} -> what a link invites you to"#),
    (
        "accept",
        r#"accept {"invitation": "ci_...", "user": "mia", "password": "..."} -> you have an account"#,
    ),
    ("tokens", "tokens TOKEN -> your access tokens"),
    (
        "token_revoke",
        r#"token_revoke TOKEN {"name": "ci"} -> it is valid no longer; {"all": true} all"#,
    ),
    ("hello", "hello -> version and limits of the server"),
    ("help", "help -> this"),
];

pub(super) fn hello(store: &Store) -> Reply {
    Reply::Hello(Box::new(Hello {
        server: "chat-server".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        protocol: PROTOCOL_VERSION,
        features: VERBS.iter().map(|(verb, _)| (*verb).into()).collect(),
        limits: Limits {
            line_bytes: LINE_BYTES_MAX,
            body_bytes: BODY_BYTES_MAX,
            key_bytes: KEY_BYTES_MAX,
            title_bytes: TITLE_BYTES_MAX,
            tags: TAGS_MAX,
            tag_bytes: TAG_BYTES_MAX,
            click_bytes: CLICK_BYTES_MAX,
            recipients: RECIPIENTS_MAX,
            fetch_messages: FETCH_MESSAGES_MAX,
        },
        database: Some(database(store)),
    }))
}

/// What the store knows of its database.
pub(super) fn database(store: &Store) -> Database {
    let Standing { engine, durability, node } = store.standing();
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let node = node.map(|node| Node {
        number: node.number,
        durability_found: node.found.map(Into::into),
        is_read_only: !node.is_promised,
        standbys: node.standbys,
        nodes: node.nodes,
        lease_age_ms: milliseconds(node.lease_age),
        is_lease_over: node.is_lease_over,
        lag_messages: node.lag_messages,
        lag_ms: milliseconds(node.lag),
    });
    Database { engine: engine.into(), durability: durability.into(), node }
}

pub(super) fn help() -> Reply {
    Reply::Help(Help { help: VERBS.iter().map(|(_, line)| (*line).into()).collect() })
}
