//! The closed list of verbs. Metrics and the server log label requests with it.

use crate::model::Right;

/// Defines [`Verb`] together with each verb's word on the wire.
macro_rules! verbs {
    ($($(#[doc = $doc:literal])* $name:ident = $word:literal,)*) => {
        /// The verb of a request, without its arguments.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Verb {
            $($(#[doc = $doc])* $name,)*
        }

        impl Verb {
            /// Every verb.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What it does, as a sentence.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),*).trim_ascii(),)* }
            }

            /// Finds the verb by its word on the wire.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|verb| verb.as_str() == word)
            }
        }
    };
}

verbs! {
    /// Logs in.
    Auth = "auth",
    /// Sends one line of text.
    Send = "send",
    /// Reads the unread messages.
    Inbox = "inbox",
    /// Lists the logged-in users.
    List = "list",
    /// Lists all possible recipients.
    Users = "users",
    /// Ends the session.
    Logout = "logout",
    /// Sends any text to several recipients, at most once per key.
    Post = "post",
    /// Gives a message of the user another text.
    Edit = "edit",
    /// Deletes a message.
    Delete = "delete",
    /// Reads a part of the message log.
    Fetch = "fetch",
    /// Finds messages by their words.
    Search = "search",
    /// Lists conversations.
    Conversations = "conversations",
    /// Moves a cursor.
    Ack = "ack",
    /// Counts the unread messages.
    Unread = "unread",
    /// Lists who has read a message.
    Receipts = "receipts",
    /// Shows or changes the user's settings.
    Settings = "settings",
    /// Lists the users who are connected.
    Who = "who",
    /// Blocks a user.
    Block = "block",
    /// Ends a block.
    Unblock = "unblock",
    /// Lists the users whom the user blocks.
    Blocks = "blocks",
    /// Starts a stream of messages.
    Watch = "watch",
    /// Identifies the user and the session of a token.
    Whoami = "whoami",
    /// Lists the user's sessions.
    Sessions = "sessions",
    /// Ends sessions.
    Revoke = "revoke",
    /// Changes the password.
    Passwd = "passwd",
    /// Lists rooms.
    Rooms = "rooms",
    /// Shows a room.
    Room = "room",
    /// Creates a room.
    RoomCreate = "room_create",
    /// Joins a room.
    RoomJoin = "room_join",
    /// Leaves a room.
    RoomLeave = "room_leave",
    /// Invites users to a room.
    RoomInvite = "room_invite",
    /// Removes a member from a room.
    RoomKick = "room_kick",
    /// Lists the members of a room.
    RoomMembers = "room_members",
    /// Changes the settings of a room.
    RoomSet = "room_set",
    /// Archives a room.
    RoomArchive = "room_archive",
    /// Declares or removes an expectation.
    Expect = "expect",
    /// Lists the user's expectations.
    Expectations = "expectations",
    /// Reports that something expected was done.
    Report = "report",
    /// Lists the user's scheduled messages.
    Scheduled = "scheduled",
    /// Cancels a scheduled message.
    Cancel = "cancel",
    /// Makes an access token.
    TokenCreate = "token_create",
    /// Lists the user's access tokens.
    Tokens = "tokens",
    /// Revokes access tokens.
    TokenRevoke = "token_revoke",
    /// Shows an invitation by link.
    Invitation = "invitation",
    /// Makes the account of an invitation by link.
    Accept = "accept",
    /// Reports version and limits.
    Hello = "hello",
    /// Lists the verbs.
    Help = "help",
    /// An unknown verb, or a verb with invalid arguments.
    Invalid = "invalid",
}

impl Verb {
    /// The right that a request with this verb needs. There is no arm for the rest: a new verb
    /// compiles only with a decision.
    pub fn right(self) -> Right {
        match self {
            // A request that could not be parsed does nothing but get its refusal.
            Self::Auth
            | Self::Invitation
            | Self::Accept
            | Self::Hello
            | Self::Help
            | Self::Invalid => Right::Open,
            Self::Send | Self::Post => Right::Send,
            Self::Inbox
            | Self::List
            | Self::Users
            | Self::Fetch
            | Self::Search
            | Self::Conversations
            | Self::Ack
            | Self::Unread
            | Self::Receipts
            | Self::Who
            | Self::Blocks
            | Self::Watch
            | Self::Whoami
            | Self::Rooms
            | Self::Room
            | Self::RoomMembers
            | Self::Expectations
            | Self::Scheduled => Right::Read,
            Self::Edit
            | Self::Delete
            | Self::RoomCreate
            | Self::RoomJoin
            | Self::RoomLeave
            | Self::RoomInvite
            | Self::RoomKick
            | Self::RoomSet
            | Self::RoomArchive
            | Self::Expect
            | Self::Report
            | Self::Settings
            | Self::Block
            | Self::Unblock
            | Self::Cancel => Right::Change,
            Self::Logout
            | Self::Sessions
            | Self::Revoke
            | Self::Passwd
            | Self::TokenCreate
            | Self::Tokens
            | Self::TokenRevoke => Right::Account,
        }
    }
}
