//! Parses a line into a request and, for the client, encodes a request as a line. This module is
//! the only implementation of the grammar that `docs/protocol.md` describes.
//!
//! There are two forms. The seed's five verbs take fields separated by single spaces. The newer
//! verbs take a token and one JSON object: `VERB TOKEN {json}`.

use memchr::memchr;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::arguments::{
    Ack, AckFields, Delete, Edit, EditFields, Fetch, FetchFields, ListConversations, Mark, Passwd,
    PasswdFields, Post, PostFields, Revoke, RevokeFields, Search, Users, Watch, bad_argument,
    bad_body, unknown_recipients,
};
use super::expectation::{Expect, ExpectFields, Report, ReportFields};
use super::invitations::{Accept, AcceptFields, InvitationFields};
use super::json;
use super::people::{ChangeSettings, ListReceipts, OtherUser, Who};
use super::proxy;
use super::refusal::{Code, Refusal};
use super::rooms::RoomAction;
use super::scheduled::{Cancel, ListScheduled};
use super::tokens::{TokenCreate, TokenRevoke, TokenRevokeFields};
use super::verb::Verb;
use crate::model::{
    Body, InvitationSecret, MailboxName, PASSWORD_BYTES_MAX, Password, Token, UserName,
};

/// In the place of a token: the one that the transport has carried beside the line.
const OWN_TOKEN: &str = "-";
/// Stands for a token in a line that is written only to be parsed.
pub(super) const NO_TOKEN: &str = "00000000-0000-0000-0000-000000000000";

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `auth USER PASSWORD`
    Auth {
        /// The user name.
        user: UserName,
        /// The password.
        password: Password,
    },
    /// `auth`: as the user whom the kernel names at the other end of a Unix-domain socket.
    AuthPeer,
    /// `hello`
    Hello,
    /// `help`
    Help,
    /// `invitation {json}`
    Invitation(InvitationSecret),
    /// `accept {json}`
    Accept(Box<Accept>),
    /// A verb that needs a session. The session is checked first: a client with an invalid token
    /// does not learn what is wrong with its other arguments.
    InSession {
        /// The token that the client sent.
        token: Token,
        /// What the client requests, or what is wrong with it.
        action: Result<Action, Refusal>,
    },
}

/// What the holder of a session can request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// `send TOKEN TO TEXT`
    Send {
        /// The recipient: a user or a room.
        to: MailboxName,
        /// The text, without surrounding white space.
        body: Body,
    },
    /// `inbox TOKEN`
    Inbox,
    /// `list TOKEN`
    List,
    /// `users TOKEN {json}`
    Users(Users),
    /// `logout TOKEN`
    Logout,
    /// `post TOKEN {json}`
    Post(Post),
    /// `edit TOKEN {json}`
    Edit(Edit),
    /// `delete TOKEN {json}`
    Delete(Delete),
    /// `fetch TOKEN {json}`
    Fetch(Fetch),
    /// `search TOKEN {json}`
    Search(Search),
    /// `conversations TOKEN {json}`
    Conversations(ListConversations),
    /// `ack TOKEN {json}`
    Ack(Ack),
    /// `ack TOKEN {json}` for a conversation
    Mark(Mark),
    /// `unread TOKEN`
    Unread,
    /// `receipts TOKEN {json}`
    Receipts(ListReceipts),
    /// `settings TOKEN {json}`
    Settings(Box<ChangeSettings>),
    /// `who TOKEN {json}`
    Who(Who),
    /// `block TOKEN {json}`
    Block(OtherUser),
    /// `unblock TOKEN {json}`
    Unblock(OtherUser),
    /// `blocks TOKEN`
    Blocks,
    /// `watch TOKEN {json}`
    Watch(Watch),
    /// `whoami TOKEN`
    Whoami,
    /// `sessions TOKEN`
    Sessions,
    /// `revoke TOKEN {json}`
    Revoke(Revoke),
    /// `passwd TOKEN {json}`
    Passwd(Passwd),
    /// A verb of rooms.
    Room(Box<RoomAction>),
    /// `expect TOKEN {json}`
    Expect(Expect),
    /// `expectations TOKEN`
    Expectations,
    /// `report TOKEN {json}`
    Report(Report),
    /// `scheduled TOKEN {json}`
    Scheduled(ListScheduled),
    /// `cancel TOKEN {json}`
    Cancel(Cancel),
    /// `token_create TOKEN {json}`
    TokenCreate(Box<TokenCreate>),
    /// `tokens TOKEN`
    Tokens,
    /// `token_revoke TOKEN {json}`
    TokenRevoke(TokenRevoke),
}

impl Request {
    /// Parses `line`, which comes without its ending.
    pub fn parse(line: &str) -> Result<Self, Refusal> {
        if line.trim_ascii().is_empty() {
            return Err(Code::BadRequest.into());
        }
        if is_http(line) {
            return Err(Code::WrongProtocol.into());
        }
        if line.starts_with(proxy::TEXT_START) {
            return Err(Refusal::new(Code::WrongProtocol, proxy::NOT_TAKEN));
        }
        let (verb, rest) = split_at_space(line).unwrap_or((line, ""));
        match verb {
            "auth" => parse_auth(rest),
            "send" => parse_send(rest),
            "inbox" => parse_bare(rest, Action::Inbox),
            "list" => parse_bare(rest, Action::List),
            "logout" => parse_bare(rest, Action::Logout),
            "hello" => parse_open(rest, Self::Hello),
            "help" => parse_open(rest, Self::Help),
            "invitation" => open_object(rest).and_then(invitation),
            "accept" => open_object(rest).and_then(accept),
            "post" => parse_json(rest, |post: PostFields| post.check().map(Action::Post)),
            "edit" => parse_json(rest, |edit: EditFields| edit.check().map(Action::Edit)),
            "delete" => parse_json(rest, |delete| Ok(Action::Delete(delete))),
            "fetch" => parse_json(rest, |fetch: FetchFields| fetch.check().map(Action::Fetch)),
            "search" => parse_json(rest, |search: Search| search.check().map(Action::Search)),
            "conversations" => {
                parse_json(rest, |list: ListConversations| list.check().map(Action::Conversations))
            }
            "users" => parse_json(rest, |users: Users| users.check().map(Action::Users)),
            "ack" => parse_json(rest, |ack: AckFields| {
                ack.check().map(|of| of.map_or_else(Action::Mark, Action::Ack))
            }),
            "unread" => parse_json(rest, |Nothing {}| Ok(Action::Unread)),
            "receipts" => parse_json(rest, |list: ListReceipts| list.check().map(Action::Receipts)),
            "settings" => parse_json(rest, |change| Ok(Action::Settings(Box::new(change)))),
            "who" => parse_json(rest, |who: Who| who.check().map(Action::Who)),
            "block" => parse_json(rest, |other| Ok(Action::Block(other))),
            "unblock" => parse_json(rest, |other| Ok(Action::Unblock(other))),
            "blocks" => parse_json(rest, |Nothing {}| Ok(Action::Blocks)),
            "watch" => parse_json(rest, |watch: Watch| watch.check().map(Action::Watch)),
            "whoami" => parse_json(rest, |Nothing {}| Ok(Action::Whoami)),
            "sessions" => parse_json(rest, |Nothing {}| Ok(Action::Sessions)),
            "revoke" => parse_json(rest, |revoke: RevokeFields| revoke.check().map(Action::Revoke)),
            "passwd" => parse_json(rest, |passwd: PasswdFields| passwd.check().map(Action::Passwd)),
            "expect" => parse_json(rest, |expect: ExpectFields| expect.check().map(Action::Expect)),
            "expectations" => parse_json(rest, |Nothing {}| Ok(Action::Expectations)),
            "report" => parse_json(rest, |report: ReportFields| report.check().map(Action::Report)),
            "scheduled" => {
                parse_json(rest, |list: ListScheduled| list.check().map(Action::Scheduled))
            }
            "cancel" => parse_json(rest, |cancel| Ok(Action::Cancel(cancel))),
            "token_create" => parse_json(rest, |create: TokenCreate| {
                create.check().map(|create| Action::TokenCreate(Box::new(create)))
            }),
            "tokens" => parse_json(rest, |Nothing {}| Ok(Action::Tokens)),
            "token_revoke" => parse_json(rest, |revoke: TokenRevokeFields| {
                revoke.check().map(Action::TokenRevoke)
            }),
            _ => parse_room_verb(verb, rest),
        }
    }

    /// Parses `line`, in which `-` stands for the token `own`, if there is one.
    pub fn parse_as(line: &str, own: Option<Token>) -> Result<Self, Refusal> {
        let Some(own) = own else { return Self::parse(line) };
        let mut words = line.splitn(3, ' ');
        let (Some(verb), Some(OWN_TOKEN)) = (words.next(), words.next().map(trim_end)) else {
            return Self::parse(line);
        };
        let rest = words.next().unwrap_or_default();
        match Self::parse(&format!("{verb} {NO_TOKEN} {rest}")) {
            Ok(Self::InSession { action, token: _ }) => Ok(Self::InSession { token: own, action }),
            // A verb without a token, or none at all.
            _ => Self::parse(line),
        }
    }

    /// The request as a line with its ending. The seed's verbs are written exactly as the seed's
    /// client writes them. A `send` cannot express a text that contains line breaks or has white
    /// space at its ends; use `post` for such a text.
    pub fn encode(&self) -> String {
        match self {
            Self::Auth { user, password } => format!("auth {user} {} \r\n", password.reveal()),
            Self::AuthPeer => "auth \r\n".to_owned(),
            Self::Hello => "hello \r\n".to_owned(),
            Self::Help => "help \r\n".to_owned(),
            Self::Invitation(secret) => {
                let fields = json::to_string(&InvitationFields::of(*secret));
                format!("invitation {fields}\r\n")
            }
            Self::Accept(accept) => {
                format!("accept {}\r\n", json::to_string(&AcceptFields::of(accept)))
            }
            Self::InSession { token, action } => {
                let token = token.reveal();
                match action {
                    Ok(action) => action.encode(&token),
                    // A request that could not be parsed has no encoding.
                    Err(_) => format!("{token} \r\n"),
                }
            }
        }
    }

    /// Whether later requests of the same connection may start before this one has its reply. Only
    /// requests that just append to the message log may. The message log keeps the order of the
    /// requests, so the overlap is not observable. Every other request waits for all earlier ones
    /// and delays all later ones.
    pub fn may_overlap(&self) -> bool {
        matches!(self, Self::InSession { action: Ok(Action::Send { .. } | Action::Post(_)), .. })
    }

    /// The verb, for the server log and the metrics.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Auth { .. } | Self::AuthPeer => Verb::Auth,
            Self::Hello => Verb::Hello,
            Self::Help => Verb::Help,
            Self::Invitation(_) => Verb::Invitation,
            Self::Accept(_) => Verb::Accept,
            Self::InSession { action: Ok(action), .. } => action.verb(),
            Self::InSession { action: Err(_), .. } => Verb::Invalid,
        }
    }
}

impl Action {
    /// The verb, which decides what right the action needs.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Send { .. } => Verb::Send,
            Self::Inbox => Verb::Inbox,
            Self::List => Verb::List,
            Self::Users(_) => Verb::Users,
            Self::Logout => Verb::Logout,
            Self::Post(_) => Verb::Post,
            Self::Edit(_) => Verb::Edit,
            Self::Delete(_) => Verb::Delete,
            Self::Fetch(_) => Verb::Fetch,
            Self::Search(_) => Verb::Search,
            Self::Conversations(_) => Verb::Conversations,
            Self::Ack(_) | Self::Mark(_) => Verb::Ack,
            Self::Unread => Verb::Unread,
            Self::Receipts(_) => Verb::Receipts,
            Self::Settings(_) => Verb::Settings,
            Self::Who(_) => Verb::Who,
            Self::Block(_) => Verb::Block,
            Self::Unblock(_) => Verb::Unblock,
            Self::Blocks => Verb::Blocks,
            Self::Watch(_) => Verb::Watch,
            Self::Whoami => Verb::Whoami,
            Self::Sessions => Verb::Sessions,
            Self::Revoke(_) => Verb::Revoke,
            Self::Passwd(_) => Verb::Passwd,
            Self::Room(action) => action.verb(),
            Self::Expect(_) => Verb::Expect,
            Self::Expectations => Verb::Expectations,
            Self::Report(_) => Verb::Report,
            Self::Scheduled(_) => Verb::Scheduled,
            Self::Cancel(_) => Verb::Cancel,
            Self::TokenCreate(_) => Verb::TokenCreate,
            Self::Tokens => Verb::Tokens,
            Self::TokenRevoke(_) => Verb::TokenRevoke,
        }
    }

    fn encode(&self, token: &str) -> String {
        let verb = self.verb().as_str();
        let fields = match self {
            // Two spaces before the text: the seed's client joins its words with a leading space.
            Self::Send { to, body } => format!("{to}  {} ", body.as_str()),
            Self::Inbox | Self::List | Self::Logout => String::new(),
            // Unescaped UTF-8: with `\u` escapes a long text in another script would exceed the
            // line limit.
            Self::Post(post) => serde_json::to_string(post).unwrap_or_default(),
            Self::Edit(edit) => serde_json::to_string(edit).unwrap_or_default(),
            Self::Delete(delete) => json::to_string(delete),
            Self::Fetch(fetch) => json::to_string(&FetchFields::of(fetch)),
            Self::Users(users) => json::to_string(users),
            Self::Search(search) => json::to_string(search),
            Self::Conversations(list) => json::to_string(list),
            Self::Ack(ack) => json::to_string(ack),
            Self::Mark(mark) => json::to_string(&AckFields::of(mark)),
            Self::Receipts(list) => json::to_string(list),
            Self::Settings(change) => json::to_string(change),
            Self::Who(who) => json::to_string(who),
            Self::Block(other) | Self::Unblock(other) => json::to_string(other),
            Self::Watch(watch) => json::to_string(watch),
            Self::Revoke(revoke) => json::to_string(&RevokeFields::of(*revoke)),
            Self::Passwd(passwd) => json::to_string(&PasswdFields::of(passwd)),
            Self::Room(action) => action.encode(),
            Self::Expect(expect) => json::to_string(&ExpectFields::of(expect)),
            Self::Report(report) => json::to_string(&ReportFields::of(report)),
            Self::Scheduled(list) => json::to_string(list),
            Self::Cancel(cancel) => json::to_string(cancel),
            Self::TokenCreate(create) => json::to_string(create),
            Self::TokenRevoke(revoke) => json::to_string(&TokenRevokeFields::of(revoke)),
            Self::Unread
            | Self::Blocks
            | Self::Whoami
            | Self::Sessions
            | Self::Expectations
            | Self::Tokens => json::to_string(&Nothing {}),
        };
        format!("{verb} {token} {fields}\r\n")
    }
}

/// Parses a verb of rooms.
fn parse_room_verb(verb: &str, rest: &str) -> Result<Request, Refusal> {
    fn parse<F: DeserializeOwned>(
        rest: &str,
        action: fn(F) -> RoomAction,
    ) -> Result<Request, Refusal> {
        let check = |fields| action(fields).check().map(|action| Action::Room(Box::new(action)));
        parse_json(rest, check)
    }
    match verb {
        "rooms" => parse(rest, RoomAction::List),
        "room" => parse(rest, RoomAction::Show),
        "room_create" => parse(rest, RoomAction::Create),
        "room_join" => parse(rest, RoomAction::Join),
        "room_leave" => parse(rest, RoomAction::Leave),
        "room_invite" => parse(rest, RoomAction::Invite),
        "room_kick" => parse(rest, RoomAction::Kick),
        "room_members" => parse(rest, RoomAction::Members),
        "room_set" => parse(rest, RoomAction::Set),
        "room_archive" => parse(rest, RoomAction::Archive),
        _ => Err(Code::UnknownCommand.into()),
    }
}

/// Whether the line is like `GET / HTTP/1.1`: a browser or an HTTP health check.
fn is_http(line: &str) -> bool {
    let mut words = line.split(' ');
    let method = words.next().unwrap_or("");
    method.bytes().all(|byte| byte.is_ascii_uppercase())
        && words.next_back().is_some_and(|last| last.starts_with("HTTP/"))
}

fn parse_auth(rest: &str) -> Result<Request, Refusal> {
    if trim(rest).is_empty() {
        return Ok(Request::AuthPeer);
    }
    let (user, password) = split_at_space(rest).ok_or(Code::Usage)?;
    let password = trim(password);
    if user.is_empty() || password.is_empty() {
        return Err(Code::Usage.into());
    }
    auth(user, password)
}

/// A login with texts that are not empty.
pub(super) fn auth(user: &str, password: &str) -> Result<Request, Refusal> {
    Ok(Request::Auth {
        user: user.parse().map_err(|_| Code::UnknownUser)?,
        password: Password::shown(password).map_err(|_| {
            let message = format!("the password is longer than {PASSWORD_BYTES_MAX} bytes");
            Refusal::new(Code::TooLong, message)
        })?,
    })
}

fn parse_send(rest: &str) -> Result<Request, Refusal> {
    let (token, rest) = split_at_space(rest).ok_or(Code::Usage)?;
    let (to, text) = split_at_space(rest).ok_or(Code::Usage)?;
    if token.is_empty() || to.is_empty() {
        return Err(Code::Usage.into());
    }
    in_session(token, || send(to, text))
}

/// A message without the ASCII white space at its ends.
pub(super) fn send(to: &str, text: &str) -> Result<Action, Refusal> {
    let body = trim(text).parse().map_err(bad_body)?;
    let to = to.parse().map_err(|_| unknown_recipients([to.to_owned()]))?;
    Ok(Action::Send { to, body })
}

fn parse_bare(rest: &str, action: Action) -> Result<Request, Refusal> {
    let token = trim_end(rest);
    if token.is_empty() || token.contains(' ') {
        return Err(Code::Usage.into());
    }
    in_session(token, || Ok(action))
}

fn parse_open(rest: &str, request: Request) -> Result<Request, Refusal> {
    if trim(rest).is_empty() { Ok(request) } else { Err(Code::Usage.into()) }
}

/// The JSON object of a verb that needs no token.
fn open_object(rest: &str) -> Result<&str, Refusal> {
    match trim(rest) {
        "" => Err(Code::Usage.into()),
        fields if fields.starts_with('{') => Ok(fields),
        _ => Err(bad_argument("give one JSON object")),
    }
}

/// `invitation` with this object.
pub(super) fn invitation(object: &str) -> Result<Request, Refusal> {
    read_arguments::<InvitationFields>(object)?.check().map(Request::Invitation)
}

/// `accept` with this object.
pub(super) fn accept(object: &str) -> Result<Request, Refusal> {
    let accept = read_arguments::<AcceptFields>(object)?.check()?;
    Ok(Request::Accept(Box::new(accept)))
}

/// Parses `TOKEN {json}`. A missing JSON object means `{}`.
fn parse_json<F: DeserializeOwned>(
    rest: &str,
    check: impl FnOnce(F) -> Result<Action, Refusal>,
) -> Result<Request, Refusal> {
    let rest = trim_end(rest);
    let (token, fields) = split_at_space(rest).unwrap_or((rest, ""));
    if token.is_empty() {
        return Err(Code::Usage.into());
    }
    in_session(token, || {
        let fields = if fields.is_empty() { "{}" } else { fields };
        if !fields.starts_with('{') {
            return Err(bad_argument("give one JSON object"));
        }
        check(read_arguments(fields)?)
    })
}

/// Parses the JSON object.
pub(super) fn read_arguments<F: DeserializeOwned>(fields: &str) -> Result<F, Refusal> {
    // Fast path: only a failed parse is repeated with the tracking of field names.
    serde_json::from_str(fields).or_else(|_| read_naming_the_field(fields))
}

/// Parses again, to name the field in the error.
fn read_naming_the_field<F: DeserializeOwned>(fields: &str) -> Result<F, Refusal> {
    let mut json = serde_json::Deserializer::from_str(fields);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        // At the top level there is no field; serde's own text names the missing or unknown one.
        if path == "." { bad_argument(error) } else { bad_argument(format!("{path}: {error}")) }
    })?;
    json.end().map_err(bad_argument)?;
    Ok(read)
}

/// The argument of a verb without arguments: `{}`.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

fn in_session(
    token: &str,
    action: impl FnOnce() -> Result<Action, Refusal>,
) -> Result<Request, Refusal> {
    let token = token.parse().map_err(|_| Code::NoSession)?;
    Ok(Request::InSession { token, action: action() })
}

/// The text before the first space, and the text after it.
fn split_at_space(text: &str) -> Option<(&str, &str)> {
    let at = memchr(b' ', text.as_bytes())?;
    Some((&text[..at], &text[at + 1..]))
}

/// Removes ASCII white space at both ends. Other white space, such as NBSP, belongs to the text.
fn trim(text: &str) -> &str {
    text.trim_ascii()
}

fn trim_end(text: &str) -> &str {
    text.trim_ascii_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        BODY_BYTES_MAX, CursorName, Details, Filter, History, LIFETIME_SECONDS_MAX, MessageId,
        Notify, Posting, Priority, Rights, Role, RoomName, ScheduledId, SessionId,
        TOKEN_SECONDS_MAX, Timestamp,
    };
    use crate::protocol::arguments::{
        CONVERSATIONS_MAX, DeadLetter, FETCH_MESSAGES_MAX, FetchFrom, Key, SCHEDULE_SECONDS_MAX,
        True, USERS_MAX, WatchFrom, When,
    };
    use crate::protocol::framing::LineDecoder;
    use crate::protocol::people::{READERS_MAX, WHO_MAX};
    use crate::protocol::rooms::{
        MEMBERS_MAX, MembersAfter, OfRoom, ROOMS_MAX, RoleOf, RoomArchive, RoomCreate, RoomInvite,
        RoomKick, RoomLeave, RoomSet, RoomsAfter,
    };
    use crate::protocol::scheduled::SCHEDULED_PAGE_MAX;
    use proptest::prelude::*;

    const TOKEN: &str = "7a592c0e-2cb5-4de6-866b-4e216b0caf15";

    fn code(line: &str) -> Code {
        match Request::parse(line) {
            Err(refusal) | Ok(Request::InSession { action: Err(refusal), .. }) => refusal.code,
            Ok(request) => panic!("{line:?} is {request:?}"),
        }
    }

    fn action(line: &str) -> Action {
        match Request::parse(line) {
            Ok(Request::InSession { action: Ok(action), .. }) => action,
            other => panic!("{line:?} is {other:?}"),
        }
    }

    fn sent(line: &str) -> (String, String) {
        match action(line) {
            Action::Send { to, body } => (to.to_string(), body.as_str().to_owned()),
            other => panic!("{line:?} is {other:?}"),
        }
    }

    #[test]
    fn dash_stands_for_the_token_that_came_beside_the_line() {
        let own: Token = "7a592c0e-2cb5-4de6-866b-4e216b0caf16".parse().unwrap();
        let parse = |line: &str| Request::parse_as(line, Some(own));
        for line in ["whoami", "whoami -", "whoami - ", "whoami - {}", "post - {}", "list - x"] {
            let other = line.replacen('-', TOKEN, 1);
            match (parse(line), Request::parse(&other)) {
                (
                    Ok(Request::InSession { token, action }),
                    Ok(Request::InSession { action: expected, .. }),
                ) => assert_eq!((token.hash(), action), (own.hash(), expected), "{line}"),
                (parsed, expected) => assert_eq!(parsed, expected, "{line}"),
            }
        }
        let Ok(Request::InSession { token, .. }) = parse("send - neko - hai") else { panic!() };
        assert_eq!(token.hash(), own.hash());
        let line = format!("send {TOKEN} - hai");
        assert_eq!(parse(&line), Request::parse(&line), "a name is no token");
        assert_eq!(parse("auth - cytus"), Request::parse("auth - cytus"));
        assert_eq!(code("whoami -"), Code::NoSession);
    }

    #[test]
    fn lines_of_the_seed_client_are_parsed() {
        assert_eq!(
            Request::parse("auth paff cytus ").unwrap(),
            Request::Auth { user: "paff".parse().unwrap(), password: "cytus".parse().unwrap() }
        );
        let line = format!("send {TOKEN} neko  hai neko ");
        assert_eq!(sent(&line), ("neko".to_owned(), "hai neko".to_owned()));
        assert_eq!(action(&format!("inbox {TOKEN} ")), Action::Inbox);
        assert_eq!(action(&format!("list {TOKEN} ")), Action::List);
        assert_eq!(action(&format!("logout {TOKEN} ")), Action::Logout);
    }

    #[test]
    fn double_spaces_inside_the_text_are_kept() {
        assert_eq!(sent(&format!("send {TOKEN} neko a  b\tc ")).1, "a  b\tc");
    }

    #[test]
    fn missing_fields_are_usage_errors() {
        for line in [
            "auth paff",
            "auth paff ",
            "auth  cytus",
            "send",
            "inbox",
            "inbox ",
            "list  ",
            "logout",
            "post",
            "post ",
            &format!("send {TOKEN}"),
            &format!("send {TOKEN} "),
            &format!("send {TOKEN} neko"),
            &format!("list {TOKEN} more"),
            "hello world",
        ] {
            assert_eq!(code(line), Code::Usage, "{line:?}");
        }
    }

    #[test]
    fn auth_without_fields_is_a_login_by_the_kernel() {
        for line in ["auth", "auth ", "auth  "] {
            assert_eq!(Request::parse(line).unwrap(), Request::AuthPeer, "{line:?}");
        }
        assert_eq!(Request::parse(Request::AuthPeer.encode().trim_end()), Ok(Request::AuthPeer));
    }

    #[test]
    fn unknown_verb_and_empty_line_are_refused() {
        for line in [
            "AUTH paff cytus",
            "foo",
            "\u{feff}auth paff cytus",
            " auth paff cytus",
            "auth\u{a0}paff cytus",
            "auth\tpaff cytus",
        ] {
            assert_eq!(code(line), Code::UnknownCommand, "{line:?}");
        }
        for line in ["", " ", "   ", "\t"] {
            assert_eq!(code(line), Code::BadRequest, "{line:?}");
        }
    }

    #[test]
    fn http_request_is_refused_as_wrong_protocol() {
        for line in ["GET / HTTP/1.1", "POST /a b HTTP/1.0", "PRI * HTTP/2.0"] {
            assert_eq!(code(line), Code::WrongProtocol, "{line:?}");
        }
        assert_eq!(code("PROXY TCP4 192.0.2.7 192.0.2.1 56324 8889"), Code::WrongProtocol);
    }

    #[test]
    fn inexact_token_is_no_session() {
        for token in [&TOKEN[1..], &format!("{TOKEN}0"), &TOKEN.to_uppercase(), "x"] {
            assert_eq!(code(&format!("list {token} ")), Code::NoSession);
            assert_eq!(code(&format!("send {token} neko hai")), Code::NoSession);
        }
    }

    #[test]
    fn texts_and_names_out_of_bounds_are_refused() {
        assert_eq!(code(&format!("send {TOKEN} neko  ")), Code::EmptyMessage);
        assert_eq!(code(&format!("send {TOKEN} ' OR 1=1--")), Code::UnknownRecipient);
        let long = "x".repeat(BODY_BYTES_MAX + 1);
        assert_eq!(code(&format!("send {TOKEN} neko {long}")), Code::TooLong);
        assert_eq!(code(&format!("auth paff {}", &long[..129])), Code::TooLong);
        assert_eq!(code("auth ' OR"), Code::UnknownUser);
    }

    #[test]
    fn error_names_the_unknown_json_field() {
        let line = format!(r#"ack {TOKEN} {{"upto": 1, "uppto": 2}}"#);
        let Ok(Request::InSession { action: Err(refusal), .. }) = Request::parse(&line) else {
            panic!("{line} is accepted");
        };
        assert_eq!(refusal.code, Code::BadArgument);
        assert!(refusal.message.contains("uppto"), "{}", refusal.message);
    }

    #[test]
    fn error_names_the_wrong_json_field() {
        for (line, field) in [
            (r#"ack {"upto": -1}"#, "upto"),
            (r#"ack {"upto": "x"}"#, "upto"),
            (r#"ack {"upto": 1, "rewind": 1}"#, "rewind"),
            (r#"post {"to": ["a", 7], "body": "x"}"#, "to[1]"),
            (r#"post {"to": ["a"]}"#, "body"),
            (r#"fetch {"since": "yesterday"}"#, "since"),
            (r#"watch {"from": "old"}"#, "from"),
            (r#"passwd {"old": "x", "new": ""}"#, "new"),
        ] {
            let (verb, fields) = line.split_once(' ').unwrap();
            let line = format!("{verb} {TOKEN} {fields}");
            let Ok(Request::InSession { action: Err(refusal), .. }) = Request::parse(&line) else {
                panic!("{line} is accepted");
            };
            assert!(refusal.message.contains(field), "{line}: {}", refusal.message);
        }
    }

    #[test]
    fn json_arguments_out_of_bounds_are_refused() {
        for fields in [
            r#"post {"to": [], "body": "x"}"#,
            r#"post {"to": "neko", "body": "x"}"#,
            r#"post {"to": ["neko"], "body": "x", "key": ""}"#,
            r#"post {"to": ["neko"], "body": "x", "key": "a b"}"#,
            "post {",
            "post []",
            "post {} x",
            r#"post {"to": ["neko"]}"#,
            r#"fetch {"limit": 0}"#,
            r#"fetch {"limit": 1001}"#,
            r#"users {"limit": 0}"#,
            r#"users {"limit": 1001}"#,
            r#"users {"after": "No"}"#,
            r#"fetch {"after": 1, "before": 2}"#,
            r#"fetch {"since": "yesterday"}"#,
            r#"fetch {"cursor": "A"}"#,
            r#"ack {"upto": -1}"#,
            r#"watch {"from": "old"}"#,
            r#"watch {"from": -1}"#,
            "revoke {}",
            r#"revoke {"others": false}"#,
            r#"passwd {"old": "x"}"#,
            r#"passwd {"old": "x", "new": ""}"#,
            r#"whoami {"x": 1}"#,
            "ack",
            r#"ack {"upto": 1.5}"#,
        ] {
            let (verb, fields) = fields.split_once(' ').unwrap_or((fields, ""));
            let line = format!("{verb} {TOKEN} {fields}");
            assert_eq!(code(&line), Code::BadArgument, "{line}");
        }
        let line = format!(r#"post {TOKEN} {{"to": ["neko", "No", "x y"], "body": "x"}}"#);
        let Ok(Request::InSession { action: Err(refusal), .. }) = Request::parse(&line) else {
            panic!("{line} is accepted");
        };
        assert_eq!((refusal.code, refusal.users.len()), (Code::UnknownRecipient, 2));
    }

    fn name() -> impl Strategy<Value = UserName> {
        "[a-z0-9_-]{1,32}".prop_map(|text| text.parse().unwrap())
    }

    fn body() -> impl Strategy<Value = Body> {
        any::<String>().prop_filter_map("bodies are not empty", |text| text.parse().ok())
    }

    fn cursor() -> impl Strategy<Value = CursorName> {
        "[a-z0-9_.-]{1,64}".prop_map(|text| text.parse().unwrap())
    }

    fn details() -> impl Strategy<Value = Option<Box<Details>>> {
        let title = prop::option::of("\\PC{1,60}");
        let tags = prop::collection::vec("[!-+\\--~]{1,32}", 0..3);
        let click = prop::option::of("https?://[a-z0-9.]{1,9}[!-~]{0,60}");
        (title, 0..5_usize, tags, click, prop::option::of(id()), expiry()).prop_map(
            |(title, priority, tags, click, reply_to, expiry)| {
                let tags: Vec<_> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
                let details = Details {
                    title: title.map(|title| title.parse().unwrap()),
                    priority: Priority::ALL[priority],
                    tags: tags.try_into().unwrap(),
                    click: click.map(|click| click.parse().unwrap()),
                    reply_to,
                    expires: expiry.and_then(Result::ok).map(Timestamp),
                    expires_in: expiry.and_then(Result::err),
                    ..Details::default()
                };
                details.if_any()
            },
        )
    }

    /// A time, or so many seconds.
    fn expiry() -> impl Strategy<Value = Option<Result<i64, u64>>> {
        prop::option::of(prop_oneof![
            (4_000_000_000_000i64..5_000_000_000_000).prop_map(Ok),
            (1..=LIFETIME_SECONDS_MAX).prop_map(Err),
        ])
    }

    fn when() -> impl Strategy<Value = Option<When>> {
        prop::option::of(prop_oneof![
            (0..4_000_000_000_000i64).prop_map(|at| When::At(Timestamp(at))),
            (1..=SCHEDULE_SECONDS_MAX).prop_map(When::In),
        ])
    }

    fn filter() -> impl Strategy<Value = Box<Filter>> {
        let tags = prop::collection::vec("[!-+\\--~]{1,32}", 0..3);
        let priority = prop::option::of(0..5_usize);
        let room = prop::option::of("#[a-z0-9_-]{1,32}");
        let all = (priority, tags, prop::option::of(name()), room);
        all.prop_map(|(priority, tags, sender, room)| {
            let tags: Vec<_> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
            let min_priority = priority.map(|priority| Priority::ALL[priority]);
            let room = room.map(|room| room.parse().unwrap());
            Box::new(Filter { min_priority, tags: tags.try_into().unwrap(), sender, room })
        })
    }

    fn id() -> impl Strategy<Value = MessageId> {
        (0..=i64::MAX).prop_map(MessageId)
    }

    fn room() -> impl Strategy<Value = RoomName> {
        name().prop_map(|name| format!("#{name}").parse().unwrap())
    }

    fn room_action() -> impl Strategy<Value = RoomAction> {
        let topic = || "[ -~é🐱]{0,60}".prop_map(|text| text.parse().unwrap());
        let posting = || prop::sample::select(Posting::ALL.to_vec());
        let history = || prop::sample::select(History::ALL.to_vec());
        let set = (
            prop::option::of(topic()),
            prop::option::of(any::<bool>()),
            prop::option::of(posting()),
            prop::option::of(history()),
            prop::option::of((name(), prop::sample::select(Role::ALL.to_vec()))),
            prop::sample::select(Notify::ALL.to_vec()),
        );
        prop_oneof![
            (prop::option::of(room()), 1..=ROOMS_MAX, any::<bool>()).prop_map(
                |(after, limit, mine)| RoomAction::List(RoomsAfter { after, limit, mine })
            ),
            room().prop_map(|room| RoomAction::Show(OfRoom { room })),
            room().prop_map(|room| RoomAction::Join(OfRoom { room })),
            (room(), topic(), any::<bool>(), posting(), history()).prop_map(
                |(room, topic, private, posting, history)| {
                    RoomAction::Create(RoomCreate { room, topic, private, posting, history })
                }
            ),
            (room(), prop::option::of(name()))
                .prop_map(|(room, owner)| RoomAction::Leave(RoomLeave { room, owner })),
            (room(), prop::collection::vec(name(), 1..4))
                .prop_map(|(room, users)| RoomAction::Invite(RoomInvite { room, users })),
            (room(), name()).prop_map(|(room, user)| RoomAction::Kick(RoomKick { room, user })),
            (room(), prop::option::of(name()), 1..=MEMBERS_MAX).prop_map(|(room, after, limit)| {
                RoomAction::Members(MembersAfter { room, after, limit })
            }),
            (room(), set).prop_map(|(room, (topic, private, posting, history, role, notify))| {
                let role = role.map(|(user, role)| RoleOf { user, role });
                let notify = Some(notify);
                RoomAction::Set(RoomSet { room, topic, private, posting, history, role, notify })
            }),
            (room(), any::<bool>())
                .prop_map(|(room, archived)| RoomAction::Archive(RoomArchive { room, archived })),
        ]
    }

    fn any_action() -> impl Strategy<Value = Action> {
        let line_body = "[^\0\r\n]{0,100}".prop_filter_map("no white space at the ends", |text| {
            (text == text.trim_ascii()).then(|| text.parse().ok()).flatten()
        });
        let key = prop::option::of("[!-~]{1,64}".prop_map(|text| text.parse::<Key>().unwrap()));
        let to = prop::collection::hash_set(name().prop_map(|name| name.to_string()), 1..5)
            .prop_map(|names| names.iter().map(|name| name.parse().unwrap()).collect());
        let from = prop_oneof![
            id().prop_map(FetchFrom::After),
            id().prop_map(FetchFrom::Before),
            cursor().prop_map(FetchFrom::Cursor),
            id().prop_map(FetchFrom::Incoming),
            id().prop_map(FetchFrom::Unread),
            (cursor(), id()).prop_map(|(cursor, after)| FetchFrom::Dead(cursor, after)),
        ];
        let dead = prop::option::of(prop_oneof![Just(DeadLetter::Add), Just(DeadLetter::Clear)]);
        let watch_from = prop_oneof![
            Just(WatchFrom::Unread),
            Just(WatchFrom::New),
            Just(WatchFrom::All),
            id().prop_map(WatchFrom::After),
        ];
        let limit = 1..=FETCH_MESSAGES_MAX;
        let since = prop::option::of((0..4_000_000_000_000i64).prop_map(Timestamp));
        prop_oneof![
            Just(Action::Inbox),
            Just(Action::List),
            Just(Action::Logout),
            (name(), line_body).prop_map(|(to, body)| Action::Send { to: to.into(), body }),
            (to, body(), key, details(), when()).prop_map(|(to, body, key, details, when)| {
                Action::Post(Post { to, or_room: false, body, key, details, when })
            }),
            (0..9_i64, 1..=SCHEDULED_PAGE_MAX).prop_map(|(after, limit)| {
                Action::Scheduled(ListScheduled { after: ScheduledId(after), limit })
            }),
            any::<i64>().prop_map(|id| Action::Cancel(Cancel { id: ScheduledId(id) })),
            (id(), body(), prop::option::of("[!-~]{1,64}")).prop_map(|(id, body, key)| {
                let key = key.map(|text| text.parse().unwrap());
                Action::Edit(Edit { id, body, key })
            }),
            id().prop_map(|id| Action::Delete(Delete { id })),
            (from, prop::option::of(name()), prop::option::of(id()), since, filter(), limit)
                .prop_map(|(from, with, thread, since, filter, limit)| {
                    let is_by_id = matches!(from, FetchFrom::After(_) | FetchFrom::Before(_));
                    let can_have_thread = is_by_id && with.is_none() && filter.is_empty();
                    let thread = thread.filter(|_| can_have_thread);
                    let with = with.filter(|_| !matches!(from, FetchFrom::Dead(..)));
                    let with = with.map(MailboxName::User);
                    let from = match from {
                        FetchFrom::Before(id)
                            if id.0 % 2 == 0 && thread.is_none() && since.is_none() =>
                        {
                            FetchFrom::RawBefore(id)
                        }
                        from => from,
                    };
                    Action::Fetch(Fetch { from, with, thread, since, filter, limit })
                }),
            (prop::option::of(id()), 1..=CONVERSATIONS_MAX).prop_map(|(before, limit)| {
                Action::Conversations(ListConversations { before, limit })
            }),
            (prop::option::of(name()), 1..=USERS_MAX)
                .prop_map(|(after, limit)| Action::Users(Users { after, limit })),
            (cursor(), id(), any::<bool>(), dead).prop_map(|(cursor, upto, rewind, dead)| {
                Action::Ack(Ack { cursor, upto, rewind, dead })
            }),
            (
                prop_oneof![name().prop_map(MailboxName::User), room().prop_map(MailboxName::Room)],
                id()
            )
                .prop_map(|(with, upto)| Action::Mark(Mark { with, upto })),
            (
                (prop::option::of(cursor()), watch_from),
                any::<[bool; 4]>(),
                prop::collection::vec(id(), 0..4),
                filter()
            )
                .prop_map(
                    |((cursor, from), [sent, read, muted, changes], receipts, filter)| {
                        let watch =
                            Watch { cursor, from, sent, read, receipts, muted, changes, filter };
                        Action::Watch(watch)
                    }
                ),
            (id(), prop::option::of(name()), 1..=READERS_MAX).prop_map(|(id, after, limit)| {
                Action::Receipts(ListReceipts { id, after, limit })
            }),
            (
                prop::option::of(any::<bool>()),
                prop::option::of("[ -~é🐱]{0,60}".prop_map(|text| text.parse().unwrap())),
                prop::option::of(any::<bool>())
            )
                .prop_map(|(receipts, status_text, invisible)| {
                    let change = ChangeSettings { receipts, status_text, invisible };
                    Action::Settings(Box::new(change))
                }),
            (prop::option::of(name()), 1..=WHO_MAX)
                .prop_map(|(after, limit)| Action::Who(Who { after, limit })),
            name().prop_map(|user| Action::Block(OtherUser { user })),
            name().prop_map(|user| Action::Unblock(OtherUser { user })),
            Just(Action::Blocks),
            account_action(),
            room_action().prop_map(|action| Action::Room(Box::new(action))),
        ]
    }

    fn account_action() -> impl Strategy<Value = Action> {
        let old = "[^\0]{1,30}".prop_map(|text| Password::shown(&text).unwrap());
        let new = "[^\0\r\n]{1,30}".prop_filter_map("can be set", |text| text.parse().ok());
        prop_oneof![
            Just(Action::Unread),
            Just(Action::Whoami),
            Just(Action::Sessions),
            Just(Action::Tokens),
            Just(Action::TokenRevoke(TokenRevoke::All)),
            "[a-z0-9_.-]{1,32}"
                .prop_map(|name| Action::TokenRevoke(TokenRevoke::Named(name.parse().unwrap()))),
            token_create(),
            Just(Action::Revoke(Revoke::Others(True))),
            any::<i64>().prop_map(|id| Action::Revoke(Revoke::Session(SessionId(id)))),
            (old, new).prop_map(|(old, new)| Action::Passwd(Passwd { old, new })),
        ]
    }

    fn token_create() -> impl Strategy<Value = Action> {
        let to = prop::option::of(prop::collection::btree_set(name(), 1..4));
        let rights = prop::sample::select(Rights::ALL.to_vec());
        let life = prop::option::of(1..=TOKEN_SECONDS_MAX);
        ("[a-z0-9_.-]{1,32}", rights, to, life).prop_map(|(name, can, to, expires_in)| {
            let to = to.map(|names| names.into_iter().map(MailboxName::User).collect());
            let to = match can {
                Rights::Send => to,
                Rights::Hook => Some(vec!["#ops".parse().unwrap()]),
                Rights::Read | Rights::All => None,
            };
            let name = name.parse().unwrap();
            Action::TokenCreate(Box::new(TokenCreate { name, can, to, expires_in }))
        })
    }

    proptest! {
        #[test]
        fn password_that_can_be_set_logs_in_with_the_plain_line(
            text in r"[ \t\r\n\x00\x0b\x0c\u{a0}\u{2003}ax]{1,6}|\PC{1,40}|.{1,40}",
        ) {
            let Ok(password) = text.parse::<Password>() else { return Ok(()) };
            let mut decoder = LineDecoder::default();
            decoder.feed(format!("auth paff {text}\r\n").as_bytes());
            let line = decoder.next_line().unwrap().unwrap();
            let auth = Request::Auth { user: "paff".parse().unwrap(), password };
            prop_assert_eq!(Request::parse(line), Ok(auth));
        }

        #[test]
        fn encoded_requests_parse_to_the_same_requests(action in any_action()) {
            let request = Request::InSession { token: TOKEN.parse().unwrap(), action: Ok(action) };
            let line = request.encode();
            let line = line.strip_suffix("\r\n").unwrap();
            prop_assert!(!line.contains(['\r', '\n', '\0']));
            prop_assert_eq!(Request::parse(line).unwrap(), request);
        }

        #[test]
        fn encoded_acceptances_parse_to_the_same(
            user in prop::option::of(name()),
            display_name in prop::option::of("[ -~é🐱]{1,30}"),
            password in "[!-~é🐱]{1,30}",
        ) {
            let invitation = InvitationSecret::generate();
            let display_name = display_name.map(|name| name.parse().unwrap());
            let password = password.parse().unwrap();
            let accept = Accept { invitation, user, display_name, password };
            for request in [Request::Accept(Box::new(accept)), Request::Invitation(invitation)] {
                let line = request.encode();
                prop_assert_eq!(Request::parse(line.strip_suffix("\r\n").unwrap()), Ok(request));
            }
        }

        #[test]
        fn parsing_any_line_never_panics(line: String) {
            let _ = Request::parse(&line);
        }

        #[test]
        fn parsing_any_arguments_never_panics(
            verb in prop::sample::select(vec![
                "auth", "send", "list", "users", "post", "edit", "delete", "fetch", "ack", "unread", "watch",
                "whoami", "sessions", "revoke", "passwd",
            ]),
            rest in r#"[ {}":,a-z0-9\\-]{0,60}"#,
        ) {
            let _ = Request::parse(&format!("{verb} {rest}"));
            let _ = Request::parse(&format!("{verb} {TOKEN} {rest}"));
        }
    }
}
