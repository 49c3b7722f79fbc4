//! JSON Schemas of the types that serde reads and writes by hand.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{
    AccessTokenName, BODY_BYTES_MAX, Body, CLICK_BYTES_MAX, Click, CursorName,
    DISPLAY_NAME_BYTES_MAX, DisplayName, ExpectationName, InvitationSecret, Key, MailboxName,
    Message, MessageId, PASSWORD_BYTES_MAX, Password, Priority, RoomName, STATUS_BYTES_MAX,
    SessionId, StatusText, TAGS_MAX, TITLE_BYTES_MAX, TOPIC_BYTES_MAX, Tag, Tags, Timestamp, Title,
    Topic, UserName,
};

/// Gives a type this schema. A limit in bytes is written as one in characters, which is never less.
macro_rules! schemas {
    ($($type:ident { $($schema:tt)* })*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ $($schema)* })
            }
        }
    )*};
}

schemas! {
    UserName {
        "description": "The name of a user.",
        "type": "string",
        "pattern": "^[a-z0-9_-]{1,32}$",
    }
    RoomName {
        "description": "The name of a room.",
        "type": "string",
        "pattern": "^#[a-z0-9_-]{1,32}$",
    }
    MailboxName {
        "description": "A user, a room with its `#`, or `@all`, which is the room `#all`.",
        "type": "string",
        "pattern": "^(#?[a-z0-9_-]{1,32}|@all)$",
    }
    CursorName {
        "description": "The name of a cursor.",
        "type": "string",
        "pattern": "^[a-z0-9_.-]{1,64}$",
    }
    ExpectationName {
        "description": "The name of an expectation.",
        "type": "string",
        "pattern": "^[a-z0-9_.-]{1,32}$",
    }
    DisplayName {
        "description": "The name that people use for a user.",
        "type": "string",
        "minLength": 1,
        "maxLength": DISPLAY_NAME_BYTES_MAX,
    }
    InvitationSecret {
        "description": "The secret of an invitation, which is in its link.",
        "type": "string",
        "pattern": "^ci_[0-9a-f]{32}$",
    }
    AccessTokenName {
        "description": "The name of an access token.",
        "type": "string",
        "pattern": "^[a-z0-9_.-]{1,32}$",
    }
    Key {
        "description": "Makes a message once: the same sender and key is the same message.",
        "type": "string",
        "pattern": "^[!-~]{1,64}$",
    }
    Password {
        "description": "A password.",
        "type": "string",
        "format": "password",
        "minLength": 1,
        "maxLength": PASSWORD_BYTES_MAX,
    }
    Body {
        "description": "The text of a message, of up to 32768 bytes of UTF-8.",
        "type": "string",
        "minLength": 1,
        "maxLength": BODY_BYTES_MAX,
    }
    Title {
        "description": "One line above the text, of up to 256 bytes of UTF-8.",
        "type": "string",
        "minLength": 1,
        "maxLength": TITLE_BYTES_MAX,
    }
    StatusText {
        "description": "What a user does now, in up to 256 bytes of UTF-8.",
        "type": "string",
        "maxLength": STATUS_BYTES_MAX,
    }
    Topic {
        "description": "What a room is about, in up to 256 bytes of UTF-8.",
        "type": "string",
        "maxLength": TOPIC_BYTES_MAX,
    }
    Click {
        "description": "What to open: an http or https URL.",
        "type": "string",
        "pattern": "^https?://",
        "maxLength": CLICK_BYTES_MAX,
    }
    Priority {
        "description": "1 (min), 2 (low), 3 (default), 4 (high) or 5 (urgent).",
        "type": "integer",
        "minimum": 1,
        "maximum": 5,
    }
    Tag {
        "description": "A word to select messages by.",
        "type": "string",
        "pattern": "^[!-+\\-.-~]{1,32}$",
    }
    Timestamp {
        "description": "A time in UTC.",
        "type": "string",
        "format": "date-time",
    }
    MessageId {
        "description": "The id of a message: its place in the message log.",
        "type": "integer",
        "format": "int64",
        "minimum": 0,
    }
    SessionId {
        "description": "The number of a session.",
        "type": "integer",
        "format": "int64",
    }
}

impl JsonSchema for Tags {
    fn schema_name() -> Cow<'static, str> {
        "Tags".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let items = generator.subschema_for::<Tag>();
        json_schema!({"type": "array", "items": items, "maxItems": TAGS_MAX})
    }
}

impl JsonSchema for Message {
    fn schema_name() -> Cow<'static, str> {
        "Message".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A message. It has `to` or `room`; what it lacks has no field.",
            "type": "object",
            "properties": {
                "id": generator.subschema_for::<MessageId>(),
                "at": generator.subschema_for::<Timestamp>(),
                "from": generator.subschema_for::<UserName>(),
                "to": generator.subschema_for::<UserName>(),
                "room": generator.subschema_for::<RoomName>(),
                "body": generator.subschema_for::<Body>(),
                "title": generator.subschema_for::<Title>(),
                "priority": generator.subschema_for::<Priority>(),
                "tags": generator.subschema_for::<Tags>(),
                "click": generator.subschema_for::<Click>(),
                "reply_to": generator.subschema_for::<MessageId>(),
                "expires": generator.subschema_for::<Timestamp>(),
                "due_at": generator.subschema_for::<Timestamp>(),
                "edited": generator.subschema_for::<Timestamp>(),
            },
            "required": ["id", "at", "from", "body"],
        })
    }
}
