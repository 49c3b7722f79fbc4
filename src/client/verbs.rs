//! The server's verbs as functions: typed arguments in, the fields of the reply out.

use std::time::Instant;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::connection::reason;
use super::exit::Exit;
use super::failure::{Failure, NoAnswer, Refused};
use super::link::Link;
use super::session::Session;
use crate::catalogue::client;
use crate::model::{
    Body, CursorName, InvitationSecret, MailboxName, Message, Password, RoomName, ScheduledId,
    Token, UserName,
};
use crate::protocol::arguments::{
    Ack, Delete, Edit, Fetch, FetchFrom, ListConversations, Mark, Passwd, Post, Revoke, Search,
    USERS_MAX, Users,
};
use crate::protocol::command::{Action, Request};
use crate::protocol::expectation::{Expect, Expectations, Expected, Report};
use crate::protocol::invitations::{Accept, Accepted, InvitationInfo};
use crate::protocol::people::{
    BlockList, BlockState, BlockedUser, ChangeSettings, Connected, ConnectedUser, ListReceipts,
    OtherUser, ReceiptList, SettingsInfo, WHO_MAX, Who,
};
use crate::protocol::refusal::Code;
use crate::protocol::reply::{
    Acked, Changed, Conversations, Ended, Found, Identity, Marked, Page, PostReply, Posted,
    Sessions, Unread, UserInfo, UserList, decode_fields, decode_messages, decode_named_token,
    decode_token,
};
use crate::protocol::rooms::{
    MEMBERS_MAX, MemberInfo, MemberList, MembersAfter, ROOMS_MAX, RoomAction, RoomInfo, RoomList,
    RoomsAfter,
};
use crate::protocol::scheduled::{
    Cancel, CancelReply, ListScheduled, SCHEDULED_PAGE_MAX, ScheduledList, ScheduledMessage,
};
use crate::protocol::tokens::{TokenCreate, TokenCreated, TokenRevoke, Tokens};

/// Logs in and returns the new session's token. A password that contains a line ending is refused
/// here, because the rest of it would become a second request.
pub fn auth(link: &mut Link, user: &UserName, password: &Password) -> Result<Token, Failure> {
    if password.reveal().contains(['\r', '\n', '\0']) {
        return Err(Code::BadLine.into());
    }
    let (user, password) = (user.clone(), password.clone());
    let fields = link.call(&Request::Auth { user, password })?;
    decode_token(&fields).map_err(|error| link.not_understood(reason(&error)))
}

/// What an invitation invites to.
pub fn invitation(link: &mut Link, secret: InvitationSecret) -> Result<InvitationInfo, Failure> {
    let fields = link.call(&Request::Invitation(secret))?;
    read(link, fields)
}

/// Makes the account of an invitation. It can be repeated.
pub fn accept(link: &mut Link, accept: Accept) -> Result<Accepted, Failure> {
    let fields = link.call(&Request::Accept(Box::new(accept)))?;
    read(link, fields)
}

/// Logs in as the user whom the kernel names to the server. Blocks until `deadline` at the longest.
pub fn auth_by_kernel(link: &mut Link, deadline: Instant) -> Result<Session, Failure> {
    let fields = link.call_until(&Request::AuthPeer, deadline)?;
    match decode_named_token(&fields) {
        Ok((token, user)) => Ok(Session { user, token }),
        Err(error) => Err(link.not_understood(reason(&error))),
    }
}

/// Sends with the seed's `send`, which has no key. So the outcome is unknown ([`Exit::TryAgain`])
/// after a broken connection or an answer to another request. A text that contains a line ending is
/// refused here, as in [`auth`].
pub fn send(link: &mut Link, token: Token, to: MailboxName, body: Body) -> Result<(), Failure> {
    if body.as_str().contains(['\r', '\n', '\0']) {
        return Err(Code::BadLine.into());
    }
    let answer = link.call(&in_session(token, Action::Send { to, body })).and_then(|fields| {
        match fields.get("message").is_some_and(Value::is_string) {
            true => Ok(()),
            false => Err(link.not_understood(client::reply_lacks("message"))),
        }
    });
    answer.map_err(|failure| match failure {
        Failure::NoAnswer(NoAnswer::NotUnderstood { address, reason }) => {
            Failure::new(Exit::TryAgain, client::outcome_unknown_after(address, reason))
        }
        failure => failure,
    })
}

/// Sends a message. Blocks until `deadline` at the longest.
pub fn post(
    link: &mut Link,
    token: Token,
    post: Post,
    deadline: Instant,
) -> Result<Posted, Failure> {
    let fields = link.call_until(&in_session(token, Action::Post(post)), deadline)?;
    read(link, fields)
}

/// Schedules a message. Blocks until `deadline` at the longest.
pub fn schedule(
    link: &mut Link,
    token: Token,
    post: Post,
    deadline: Instant,
) -> Result<PostReply, Failure> {
    let fields = link.call_until(&in_session(token, Action::Post(post)), deadline)?;
    read(link, fields)
}

/// Passes all scheduled messages of the user to `each`, page by page, by number.
pub fn scheduled(
    link: &mut Link,
    token: Token,
    mut each: impl FnMut(ScheduledMessage),
) -> Result<(), Failure> {
    let mut after = ScheduledId(0);
    loop {
        let list = ListScheduled { after, limit: SCHEDULED_PAGE_MAX };
        let fields = link.call(&in_session(token, Action::Scheduled(list)))?;
        let ScheduledList { scheduled, more } = read(link, fields)?;
        let Some(last) = scheduled.last() else { return Ok(()) };
        after = last.id;
        scheduled.into_iter().for_each(&mut each);
        if !more {
            return Ok(());
        }
    }
}

/// Cancels a scheduled message.
pub fn cancel(link: &mut Link, token: Token, id: ScheduledId) -> Result<CancelReply, Failure> {
    let fields = link.call(&in_session(token, Action::Cancel(Cancel { id })))?;
    read(link, fields)
}

/// Gives a message of the user another text.
pub fn edit(link: &mut Link, token: Token, edit: Edit) -> Result<Changed, Failure> {
    let fields = link.call(&in_session(token, Action::Edit(edit)))?;
    read(link, fields)
}

/// Deletes a message.
pub fn delete(link: &mut Link, token: Token, delete: Delete) -> Result<Changed, Failure> {
    let fields = link.call(&in_session(token, Action::Delete(delete)))?;
    read(link, fields)
}

/// Takes the unread messages with the seed's `inbox`, which marks them as read. The result is a map
/// of senders.
pub fn inbox(link: &mut Link, token: Token) -> Result<Value, Failure> {
    messages(link, token, Action::Inbox)
}

/// The users who are logged in, as the seed's text.
pub fn list(link: &mut Link, token: Token) -> Result<Value, Failure> {
    messages(link, token, Action::List)
}

/// The names in the result of [`list`]; `None` if it is not a list of users.
pub fn parse_list(text: &Value) -> Option<impl Iterator<Item = &str>> {
    let names = text.as_str()?.strip_prefix("List user: ")?;
    Some(names.split(',').filter(|name| !name.is_empty()))
}

/// A page of users, ordered by name, beginning after the name `after`.
pub fn users(link: &mut Link, token: Token, after: Option<UserName>) -> Result<UserList, Failure> {
    let users = Users { after, limit: USERS_MAX };
    let fields = link.call(&in_session(token, Action::Users(users)))?;
    read(link, fields)
}

/// Passes all users to `page`, page by page, ordered by name.
pub fn all_users(
    link: &mut Link,
    token: Token,
    mut page: impl FnMut(Vec<UserInfo>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let UserList { users, more } = self::users(link, token, after)?;
        after = users.last().map(|last| last.user.clone());
        page(users)?;
        if !more || after.is_none() {
            return Ok(());
        }
    }
}

/// A request about rooms. The type of the reply is the one of the verb.
pub fn room<T: DeserializeOwned>(
    link: &mut Link,
    token: Token,
    action: RoomAction,
) -> Result<T, Failure> {
    let fields = link.call(&in_session(token, Action::Room(Box::new(action))))?;
    read(link, fields)
}

/// Passes all rooms that the user can see to `page`, or only the user's own, page by page, ordered
/// by name. There is always a page, which may be empty.
pub fn all_rooms(
    link: &mut Link,
    token: Token,
    mine: bool,
    mut page: impl FnMut(Vec<RoomInfo>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let list = RoomAction::List(RoomsAfter { after, limit: ROOMS_MAX, mine });
        let RoomList { rooms, more } = room(link, token, list)?;
        after = rooms.last().map(|last| last.room.clone());
        page(rooms)?;
        if !more || after.is_none() {
            return Ok(());
        }
    }
}

/// Passes all members of a room to `page`, page by page, ordered by name.
pub fn all_members(
    link: &mut Link,
    token: Token,
    of: &RoomName,
    mut page: impl FnMut(Vec<MemberInfo>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let list = MembersAfter { room: of.clone(), after, limit: MEMBERS_MAX };
        let MemberList { members, more } = room(link, token, RoomAction::Members(list))?;
        after = members.last().map(|last| last.user.clone());
        page(members)?;
        if !more || after.is_none() {
            return Ok(());
        }
    }
}

/// Ends the session. The result is the seed's text.
pub fn logout(link: &mut Link, token: Token) -> Result<Value, Failure> {
    messages(link, token, Action::Logout)
}

/// Like [`logout`], but gives up at `deadline`.
pub fn logout_until(link: &mut Link, token: Token, deadline: Instant) -> Result<(), Failure> {
    link.call_until(&in_session(token, Action::Logout), deadline).map(drop)
}

/// Reads messages. Changes nothing on the server.
pub fn fetch(link: &mut Link, token: Token, fetch: Fetch) -> Result<Page, Failure> {
    let fields = link.call(&in_session(token, Action::Fetch(fetch)))?;
    read(link, fields)
}

/// [`fetch`] of incoming messages. A server that knows no marks has no other unread messages, and one
/// that knows no rooms knows no other messages.
pub fn fetch_incoming(link: &mut Link, token: Token, fetch: Fetch) -> Result<Page, Failure> {
    let older = match fetch.from {
        FetchFrom::Unread(id) => FetchFrom::Incoming(id),
        FetchFrom::Incoming(id) => FetchFrom::After(id),
        _ => return self::fetch(link, token, fetch),
    };
    match self::fetch(link, token, fetch.clone()) {
        Err(Failure::Refused(Refused { code: Some(Code::BadArgument), .. })) => {
            fetch_incoming(link, token, Fetch { from: older, ..fetch })
        }
        page => page,
    }
}

/// The oldest unread message.
pub fn first_unread(link: &mut Link, token: Token) -> Result<Option<Message>, Failure> {
    let mut from = FetchFrom::Cursor(CursorName::inbox());
    loop {
        let (with, thread, since, filter) = (None, None, None, Box::default());
        let fetch = Fetch { from, with, thread, since, filter, limit: 1 };
        let page = fetch_incoming(link, token, fetch)?;
        match (page.messages.into_iter().next(), page.upto) {
            // The messages so far are the user's own, in rooms, or a mark says that they were read.
            (None, Some(upto)) if page.more => from = FetchFrom::Unread(upto),
            (first, _) => return Ok(first),
        }
    }
}

/// Finds messages. Changes nothing on the server.
pub fn search(link: &mut Link, token: Token, search: Search) -> Result<Found, Failure> {
    let fields = link.call(&in_session(token, Action::Search(search)))?;
    read(link, fields)
}

/// Moves a cursor.
pub fn ack(link: &mut Link, token: Token, ack: Ack) -> Result<Acked, Failure> {
    let fields = link.call(&in_session(token, Action::Ack(ack)))?;
    read(link, fields)
}

/// Moves the mark of a conversation.
pub fn mark(link: &mut Link, token: Token, mark: Mark) -> Result<Marked, Failure> {
    let fields = link.call(&in_session(token, Action::Mark(mark)))?;
    read(link, fields)
}

/// [`mark`] for messages that were shown. A server that knows no marks leaves them unread; then the
/// answer is `false`.
pub fn mark_shown(link: &mut Link, token: Token, mark: Mark) -> Result<bool, Failure> {
    match self::mark(link, token, mark) {
        Err(Failure::Refused(Refused {
            code: Some(Code::BadArgument | Code::UnknownRecipient | Code::UnknownRoom),
            ..
        })) => Ok(false),
        marked => marked.map(|_| true),
    }
}

/// A page of the conversations.
pub fn conversations(
    link: &mut Link,
    token: Token,
    list: ListConversations,
) -> Result<Conversations, Failure> {
    let fields = link.call(&in_session(token, Action::Conversations(list)))?;
    read(link, fields)
}

/// The number of unread messages.
pub fn unread(link: &mut Link, token: Token) -> Result<Unread, Failure> {
    let fields = link.call(&in_session(token, Action::Unread))?;
    read(link, fields)
}

/// A page of those who have read a message.
pub fn receipts(link: &mut Link, token: Token, list: ListReceipts) -> Result<ReceiptList, Failure> {
    let fields = link.call(&in_session(token, Action::Receipts(list)))?;
    read(link, fields)
}

/// The settings of the user, after this change.
pub fn settings(
    link: &mut Link,
    token: Token,
    change: ChangeSettings,
) -> Result<SettingsInfo, Failure> {
    let fields = link.call(&in_session(token, Action::Settings(Box::new(change))))?;
    read(link, fields)
}

/// Blocks a user.
pub fn block(link: &mut Link, token: Token, user: UserName) -> Result<BlockState, Failure> {
    let fields = link.call(&in_session(token, Action::Block(OtherUser { user })))?;
    read(link, fields)
}

/// Ends a block.
pub fn unblock(link: &mut Link, token: Token, user: UserName) -> Result<BlockState, Failure> {
    let fields = link.call(&in_session(token, Action::Unblock(OtherUser { user })))?;
    read(link, fields)
}

/// The users whom the user blocks, by name.
pub fn blocks(link: &mut Link, token: Token) -> Result<Vec<BlockedUser>, Failure> {
    let fields = link.call(&in_session(token, Action::Blocks))?;
    let BlockList { blocked } = read(link, fields)?;
    Ok(blocked)
}

/// Passes all users who are connected to `show`, page by page.
pub fn all_connected(
    link: &mut Link,
    token: Token,
    mut show: impl FnMut(Vec<ConnectedUser>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let who = Who { after, limit: WHO_MAX };
        let fields = link.call(&in_session(token, Action::Who(who)))?;
        let Connected { users, more } = read(link, fields)?;
        after = users.last().map(|of| of.user.clone());
        show(users)?;
        if !more || after.is_none() {
            return Ok(());
        }
    }
}

/// The user of the session.
pub fn whoami(link: &mut Link, token: Token) -> Result<Identity, Failure> {
    let fields = link.call(&in_session(token, Action::Whoami))?;
    read(link, fields)
}

/// The sessions of the user.
pub fn sessions(link: &mut Link, token: Token) -> Result<Sessions, Failure> {
    let fields = link.call(&in_session(token, Action::Sessions))?;
    read(link, fields)
}

/// Ends sessions of the user.
pub fn revoke(link: &mut Link, token: Token, revoke: Revoke) -> Result<Ended, Failure> {
    let fields = link.call(&in_session(token, Action::Revoke(revoke)))?;
    read(link, fields)
}

/// Declares or removes an expectation.
pub fn expect(link: &mut Link, token: Token, expect: Expect) -> Result<Expected, Failure> {
    let fields = link.call(&in_session(token, Action::Expect(expect)))?;
    read(link, fields)
}

/// The expectations of the user.
pub fn expectations(link: &mut Link, token: Token) -> Result<Expectations, Failure> {
    let fields = link.call(&in_session(token, Action::Expectations))?;
    read(link, fields)
}

/// Reports what was expected.
pub fn report(
    link: &mut Link,
    token: Token,
    report: Report,
    deadline: Instant,
) -> Result<Expected, Failure> {
    let fields = link.call_until(&in_session(token, Action::Report(report)), deadline)?;
    read(link, fields)
}

/// Makes an access token.
pub fn token_create(
    link: &mut Link,
    token: Token,
    create: TokenCreate,
) -> Result<TokenCreated, Failure> {
    let fields = link.call(&in_session(token, Action::TokenCreate(Box::new(create))))?;
    read(link, fields)
}

/// The access tokens of the user.
pub fn tokens(link: &mut Link, token: Token) -> Result<Tokens, Failure> {
    let fields = link.call(&in_session(token, Action::Tokens))?;
    read(link, fields)
}

/// Revokes access tokens of the user.
pub fn token_revoke(link: &mut Link, token: Token, revoke: TokenRevoke) -> Result<Ended, Failure> {
    let fields = link.call(&in_session(token, Action::TokenRevoke(revoke)))?;
    read(link, fields)
}

/// Changes the password.
pub fn passwd(link: &mut Link, token: Token, passwd: Passwd) -> Result<Ended, Failure> {
    let fields = link.call(&in_session(token, Action::Passwd(passwd)))?;
    read(link, fields)
}

fn in_session(token: Token, action: Action) -> Request {
    Request::InSession { token, action: Ok(action) }
}

fn messages(link: &mut Link, token: Token, action: Action) -> Result<Value, Failure> {
    let fields = link.call(&in_session(token, action))?;
    match decode_messages(&fields) {
        Ok(messages) => Ok(messages.clone()),
        Err(error) => Err(link.not_understood(reason(&error))),
    }
}

fn read<T: DeserializeOwned>(link: &mut Link, fields: Value) -> Result<T, Failure> {
    decode_fields(fields).map_err(|error| link.not_understood(reason(&error)))
}
