//! The JSON Schemas of every verb: what a request has beside its token, and what a reply has. They
//! come from the types that read the requests and write the replies.

use std::borrow::Cow;
use std::str::FromStr;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::arguments::{
    AckFields, Delete, EditFields, FetchFields, ListConversations, Parsed, PasswdFields,
    PostFields, Recipient, RevokeFields, Search, True, Users, Watch,
};
use super::command::Nothing;
use super::event::Event;
use super::expectation::{ExpectFields, Expectations, Expected, ReportFields};
use super::invitations::{AcceptFields, Accepted, InvitationFields, InvitationInfo};
use super::object::{AuthFields, SendFields};
use super::people::{
    BlockList, BlockState, ChangeSettings, Connected, ListReceipts, OtherUser, ReceiptList,
    SettingsInfo, Who,
};
use super::refusal::{Code, RefusalFields};
use super::reply::{
    Authenticated, Changed, Conversations, Ended, Found, Hello, Help, Identity, InboxFields, Page,
    SentTo, Sessions, TextFields, Unread, UserList, Watching,
};
use super::rooms::{
    MemberList, MembersAfter, OfRoom, RoomArchive, RoomCreate, RoomInfo, RoomInvite, RoomInvited,
    RoomKick, RoomKicked, RoomLeave, RoomLeft, RoomList, RoomSet, RoomsAfter,
};
use super::scheduled::{Cancel, CancelReply, ListScheduled, ScheduledList};
use super::tokens::{TokenCreate, TokenCreated, TokenRevokeFields, Tokens};
use super::verb::Verb;
use crate::model::{
    CursorName, MailboxName, MessageId, RoomName, ScheduledId, Timestamp, UserName,
};

/// What a verb takes and returns.
pub struct Shape {
    /// The arguments.
    pub fields: Schema,
    /// The reply to a request that was carried out.
    pub reply: Schema,
}

/// Makes the schemas of verbs. They refer to others by name.
pub struct Shapes {
    requests: SchemaGenerator,
    replies: SchemaGenerator,
}

/// The reply to `send`.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is needed: `reply` has the text")]
struct SentFields {
    /// `Message Sent`.
    message: String,
}

/// The reply to `post`: of a message, or of one that is sent later.
#[derive(Serialize, JsonSchema)]
#[allow(dead_code, reason = "only its schema is needed: `Posted` and `Later` are the replies")]
struct PostReply {
    /// The id of the first recipient's copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<MessageId>,
    /// When the server accepted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    /// The number of a message that is sent later.
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled: Option<ScheduledId>,
    /// When it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    /// An earlier request with the same key had stored or scheduled the message.
    duplicate: bool,
    /// Each recipient's copy, in the order of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Vec<SentTo>>,
}

/// The reply to `ack`: of a cursor or of a conversation.
#[derive(Serialize, JsonSchema)]
#[allow(dead_code, reason = "only its schema is needed: `Acked` and `Marked` are the replies")]
struct AckReply {
    /// The cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<CursorName>,
    /// The other user.
    #[serde(skip_serializing_if = "Option::is_none")]
    with: Option<UserName>,
    /// The room.
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<RoomName>,
    /// Every message up to and including this id counts as read.
    upto: MessageId,
}

impl Shapes {
    /// Schemas that find others at `{path}/NAME`.
    pub fn new(path: &str) -> Self {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = path.to_owned().into();
        settings.meta_schema = None;
        let replies = settings.clone().for_serialize().into_generator();
        Self { requests: settings.for_deserialize().into_generator(), replies }
    }

    /// The shape of a verb. `None` for [`Verb::Invalid`], which no request has.
    pub fn of(&mut self, verb: Verb) -> Option<Shape> {
        Some(match verb {
            Verb::Auth => self.shape::<AuthFields, Authenticated<'_>>(),
            Verb::Hello => self.shape::<Nothing, Hello>(),
            Verb::Help => self.shape::<Nothing, Help>(),
            Verb::Send => self.shape::<SendFields, SentFields>(),
            Verb::Inbox => self.shape::<Nothing, InboxFields<'_>>(),
            Verb::List => self.shape::<Nothing, TextFields>(),
            Verb::Logout => self.shape::<Nothing, TextFields>(),
            Verb::Users => self.shape::<Users, UserList>(),
            Verb::Post => self.shape::<PostFields, PostReply>(),
            Verb::Edit => self.shape::<EditFields, Changed>(),
            Verb::Delete => self.shape::<Delete, Changed>(),
            Verb::Fetch => self.shape::<FetchFields, Page>(),
            Verb::Search => self.shape::<Search, Found>(),
            Verb::Conversations => self.shape::<ListConversations, Conversations>(),
            Verb::Ack => self.shape::<AckFields, AckReply>(),
            Verb::Unread => self.shape::<Nothing, Unread>(),
            Verb::Receipts => self.shape::<ListReceipts, ReceiptList>(),
            Verb::Settings => self.shape::<ChangeSettings, SettingsInfo>(),
            Verb::Who => self.shape::<Who, Connected>(),
            Verb::Block | Verb::Unblock => self.shape::<OtherUser, BlockState>(),
            Verb::Blocks => self.shape::<Nothing, BlockList>(),
            Verb::Watch => self.shape::<Watch, Watching>(),
            Verb::Whoami => self.shape::<Nothing, Identity>(),
            Verb::Sessions => self.shape::<Nothing, Sessions>(),
            Verb::Revoke => self.shape::<RevokeFields, Ended>(),
            Verb::Passwd => self.shape::<PasswdFields, Ended>(),
            Verb::Rooms => self.shape::<RoomsAfter, RoomList>(),
            Verb::Room => self.shape::<OfRoom, RoomInfo>(),
            Verb::RoomCreate => self.shape::<RoomCreate, RoomInfo>(),
            Verb::RoomJoin => self.shape::<OfRoom, RoomInfo>(),
            Verb::RoomLeave => self.shape::<RoomLeave, RoomLeft>(),
            Verb::RoomInvite => self.shape::<RoomInvite, RoomInvited>(),
            Verb::RoomKick => self.shape::<RoomKick, RoomKicked>(),
            Verb::RoomMembers => self.shape::<MembersAfter, MemberList>(),
            Verb::RoomSet => self.shape::<RoomSet, RoomInfo>(),
            Verb::RoomArchive => self.shape::<RoomArchive, RoomInfo>(),
            Verb::Expect => self.shape::<ExpectFields, Expected>(),
            Verb::Expectations => self.shape::<Nothing, Expectations>(),
            Verb::Report => self.shape::<ReportFields, Expected>(),
            Verb::Scheduled => self.shape::<ListScheduled, ScheduledList>(),
            Verb::Cancel => self.shape::<Cancel, CancelReply>(),
            Verb::TokenCreate => self.shape::<TokenCreate, TokenCreated>(),
            Verb::Tokens => self.shape::<Nothing, Tokens>(),
            Verb::TokenRevoke => self.shape::<TokenRevokeFields, Ended>(),
            Verb::Invitation => self.shape::<InvitationFields, InvitationInfo>(),
            Verb::Accept => self.shape::<AcceptFields, Accepted>(),
            Verb::Invalid => return None,
        })
    }

    /// The schema of a refusal.
    pub fn refusal(&mut self) -> Schema {
        let mut schema = RefusalFields::json_schema(&mut self.replies);
        let words: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        // A later version may have more.
        let code = json!({
            "description": "Why, as a word that never changes its meaning. More may be added.",
            "anyOf": [{"enum": words}, {"type": "string"}],
        });
        set_property(&mut schema, "code", code);
        set_property(&mut schema, "status", json!({"const": "ERROR"}));
        schema
    }

    /// The schema of an event.
    pub fn event(&mut self) -> Schema {
        let mut schema = Event::json_schema(&mut self.replies);
        set_property(&mut schema, "status", json!({"const": "OK"}));
        schema
    }

    /// The named schemas that the others refer to.
    pub fn definitions(mut self) -> Map<String, Value> {
        let mut definitions = self.requests.take_definitions(true);
        definitions.extend(self.replies.take_definitions(true));
        definitions
    }

    fn shape<F: JsonSchema, R: JsonSchema>(&mut self) -> Shape {
        let mut reply = R::json_schema(&mut self.replies);
        set_property(&mut reply, "status", json!({"const": "OK"}));
        Shape { fields: F::json_schema(&mut self.requests), reply }
    }
}

/// Sets a required property of an object.
fn set_property(schema: &mut Schema, name: &str, property: Value) {
    let object = schema.ensure_object();
    let properties = object.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        properties.insert(name.to_owned(), property);
    }
    let required = object.entry("required").or_insert_with(|| json!([]));
    if let Some(required) = required.as_array_mut()
        && !required.iter().any(|known| known == name)
    {
        required.push(name.into());
    }
}

impl JsonSchema for True {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "True".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"const": true})
    }
}

/// A type that is checked later has the schema of the checked one.
macro_rules! same_schema {
    ($([$($parameters:tt)*] $type:ty = $same:ty;)*) => {$(
        impl<$($parameters)*> JsonSchema for $type {
            fn inline_schema() -> bool {
                <$same>::inline_schema()
            }

            fn schema_name() -> Cow<'static, str> {
                <$same>::schema_name()
            }

            fn schema_id() -> Cow<'static, str> {
                <$same>::schema_id()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                <$same>::json_schema(generator)
            }
        }
    )*};
}

same_schema! {
    [] Recipient = MailboxName;
    [T: FromStr + JsonSchema] Parsed<T> = T;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_stands_for_one_schema_in_requests_and_replies() {
        let mut shapes = Shapes::new("/components/schemas");
        for verb in Verb::ALL {
            assert_eq!(shapes.of(*verb).is_none(), *verb == Verb::Invalid, "{verb:?}");
        }
        let requests = shapes.requests.take_definitions(true);
        let replies = shapes.replies.take_definitions(true);
        for (name, schema) in &requests {
            assert!(replies.get(name).is_none_or(|other| other == schema), "{name}");
        }
        assert!(requests.contains_key("Filter") && replies.contains_key("Message"));
    }
}
