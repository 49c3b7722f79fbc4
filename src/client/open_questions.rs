//! Finds the open questions, and the answers to one, in the messages of the last day.

use super::exit::Exit;
use super::failure::{Failure, Refused};
use super::link::Link;
use super::question::{OPEN_MAX, answers_in_room, is_question, may_answer, open_before};
use super::verbs;
use crate::catalogue::client;
use crate::model::{
    MailboxName, Message, MessageId, Notify, Posting, Role, RoomName, Timestamp, Token, UserName,
    mentions,
};
use crate::protocol::arguments::{FETCH_MESSAGES_MAX, Fetch, FetchFrom};
use crate::protocol::refusal::Code;
use crate::protocol::rooms::{OfRoom, RoomAction, RoomInfo};

/// The messages between the user and another one that decide about `message`: those of a day before
/// it, the newest [`FETCH_MESSAGES_MAX`] at most.
pub fn conversation(
    link: &mut Link,
    token: Token,
    with: &UserName,
    message: &Message,
) -> Result<Vec<Message>, Failure> {
    let since = message.at.minus(OPEN_MAX);
    let with = Some(with.clone().into());
    Ok(verbs::fetch(link, token, newest(FetchFrom::Before(message.id), with, since))?.messages)
}

fn newest(from: FetchFrom, with: Option<MailboxName>, since: Timestamp) -> Fetch {
    let (thread, filter, limit) = (None, Box::default(), FETCH_MESSAGES_MAX);
    Fetch { from, with, thread, since: Some(since), filter, limit }
}

/// The newest messages of a day: those with this user or room, or all.
fn of_today(
    link: &mut Link,
    token: Token,
    with: Option<MailboxName>,
) -> Result<Vec<Message>, Failure> {
    let since = Timestamp::now().minus(OPEN_MAX);
    let from = FetchFrom::Before(MessageId(i64::MAX));
    Ok(verbs::fetch(link, token, newest(from, with, since))?.messages)
}

/// The questions that `user` can answer now: the newest messages of a day tell. Of those in rooms,
/// the ones that the user is told of.
pub fn to_user(link: &mut Link, token: Token, user: &UserName) -> Result<Vec<Message>, Failure> {
    let newest = of_today(link, token, None)?;
    let questions = || newest.iter().filter(|message| is_question(message));
    let mut askers: Vec<&UserName> = Vec::new();
    for question in questions().filter(|question| question.to == *user) {
        if !askers.contains(&&question.from) {
            askers.push(&question.from);
        }
    }
    let mut found = Vec::new();
    for asker in askers {
        found.extend(of_asker(link, token, (asker, user))?);
    }
    // A reply comes after its question, so it is among the newest messages, too.
    let is_open = |question: &&Message| {
        question.to.room().is_some()
            && may_answer(question, user)
            && !newest.iter().any(|message| answers_in_room(question, message))
    };
    let in_rooms: Vec<&Message> = questions().filter(is_open).collect();
    if !in_rooms.is_empty() {
        let rooms = own_rooms(link, token)?;
        let in_rooms = in_rooms.into_iter().filter(|question| is_told(&rooms, question, user));
        found.extend(in_rooms.cloned());
    }
    found.sort_by_key(|question| question.id);
    Ok(found)
}

/// The open questions of `asker` to `user`.
fn of_asker(
    link: &mut Link,
    token: Token,
    (asker, user): (&UserName, &UserName),
) -> Result<Vec<Message>, Failure> {
    let mut messages = of_today(link, token, Some(asker.clone().into()))?;
    // A message that comes after all of them.
    let Some(last) = messages.last() else { return Ok(messages) };
    let next = Message { id: MessageId(last.id.0.saturating_add(1)), ..last.clone() };
    let open = open_before(&messages, &next, (asker, user));
    messages.retain(|message| open.contains(&message.id));
    Ok(messages)
}

fn own_rooms(link: &mut Link, token: Token) -> Result<Vec<RoomInfo>, Failure> {
    let mut rooms = Vec::new();
    verbs::all_rooms(link, token, true, |page| {
        rooms.extend(page);
        Ok(())
    })?;
    Ok(rooms)
}

/// Whether the user may post in the room of the question, and is told of the question.
fn is_told(rooms: &[RoomInfo], question: &Message, user: &UserName) -> bool {
    let is_place = |room: &&RoomInfo| question.to.room() == Some(&room.room);
    let Some(room) = rooms.iter().find(is_place) else { return false };
    let may_post = match room.posting {
        Posting::Members => room.role.is_some(),
        Posting::Moderators => room.role >= Some(Role::Moderator),
    };
    let is_told = match room.notify {
        Some(Notify::Mentions) => mentions(question.body.as_str(), user),
        notify => notify == Some(Notify::All),
    };
    may_post && is_told && room.archived.is_none()
}

/// Whether `user` can answer this question now.
pub fn is_open(
    link: &mut Link,
    token: Token,
    user: &UserName,
    question: &Message,
) -> Result<bool, Failure> {
    if question.to == *user {
        let open = of_asker(link, token, (&question.from, user))?;
        return Ok(open.iter().any(|other| other.id == question.id));
    }
    let is_recent = question.at >= Timestamp::now().minus(OPEN_MAX);
    Ok(is_recent && may_answer(question, user) && answer_in_room(link, token, question)?.is_none())
}

/// The stored answer to a question in a room.
fn answer_in_room(
    link: &mut Link,
    token: Token,
    question: &Message,
) -> Result<Option<Message>, Failure> {
    let mut after = question.id;
    loop {
        let fetch = Fetch {
            from: FetchFrom::After(after),
            with: None,
            thread: Some(question.id),
            since: None,
            filter: Box::default(),
            limit: FETCH_MESSAGES_MAX,
        };
        let page = verbs::fetch(link, token, fetch)?;
        let last = page.messages.last().map(|last| last.id);
        let mut messages = page.messages.into_iter();
        if let Some(answer) = messages.find(|message| answers_in_room(question, message)) {
            return Ok(Some(answer));
        }
        match last {
            Some(last) if page.more => after = last,
            _ => return Ok(None),
        }
    }
}

/// The answer to a question of the user that its room got before it took no more. `None` if the room
/// takes answers.
///
/// # Errors
/// It takes no more, and there is none.
pub fn last_answer(
    link: &mut Link,
    token: Token,
    question: &Message,
) -> Result<Option<Message>, Failure> {
    let Some(room) = question.to.room() else { return Ok(None) };
    let Some(why) = why_closed(link, token, room)? else { return Ok(None) };
    answer_in_room(link, token, question)?.map(Some).ok_or(why)
}

/// Why nobody can answer a question of the user in this room: the user has left it and would not
/// read the answer, or it is archived.
fn why_closed(link: &mut Link, token: Token, room: &RoomName) -> Result<Option<Failure>, Failure> {
    let show = RoomAction::Show(OfRoom { room: room.clone() });
    let info = match verbs::room::<RoomInfo>(link, token, show) {
        Err(Failure::Refused(Refused { code: Some(Code::UnknownRoom), .. })) => None,
        info => Some(info?),
    };
    let closed = |why: String| Some(Failure::new(Exit::RoomRefused, why));
    Ok(match info {
        Some(RoomInfo { archived: Some(_), .. }) => closed(client::question_in_archived(room)),
        Some(RoomInfo { role: Some(_), .. }) => None,
        _ => closed(client::question_in_left(room)),
    })
}
