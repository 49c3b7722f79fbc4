//! Replies and events: every one that the server can produce is one frame of printable ASCII, and
//! the client decodes its meaning.

use std::fmt::Debug;

use chat::client::frames::FrameDecoder;
use chat::model::MailboxName;
use chat::protocol::event::Event;
use chat::protocol::refusal::{Code, Refusal};
use chat::protocol::reply::{
    Acked, Active, DecodedReply, Ended, Identity, Inbox, InboxEntry, Page, Posted, REPLY_END,
    Reply, SentTo, SessionInfo, Sessions, Unread, UnreadFrom, UnreadIn, Watching, decode_fields,
    decode_messages, decode_token,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::choices::Choices;

/// See the module.
pub fn reply_reads_back_as_it_was_written(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    match choices.below(14) {
        0 => {
            let token = choices.token();
            assert_eq!(decode_token(&done(&Reply::Authenticated(token))).ok(), Some(token));
        }
        1 => check_inbox(&mut choices),
        2 => check_active(&mut choices),
        3 => {
            let sent =
                |choices: &mut Choices<'_>| SentTo { to: choices.mailbox(), id: choices.id() };
            let posted = Posted {
                id: choices.id(),
                at: choices.moment(),
                duplicate: choices.flag(),
                sent: choices.many(5, sent).into(),
            };
            check(Reply::Posted(posted.clone()), &posted);
        }
        4 => {
            let messages = choices.many(5, Choices::message);
            let upto = choices.flag().then(|| choices.id());
            let changes = choices.many(3, Choices::change);
            let (more, more_before) = (choices.flag(), choices.flag());
            let page = Page { messages, changes, more, more_before, upto };
            check(Reply::Page(page.clone()), &page);
        }
        5 => {
            let acked = Acked { cursor: choices.cursor(), upto: choices.id() };
            check(Reply::Acked(acked.clone()), &acked);
        }
        6 => {
            let from = |choices: &mut Choices<'_>| UnreadFrom {
                from: choices.name(),
                count: choices.number() as usize,
                newest: choices.id(),
            };
            let room = |choices: &mut Choices<'_>| UnreadIn {
                room: format!("#{}", choices.name()).parse().expect("a room"),
                count: choices.number() as usize,
                newest: choices.id(),
                more: choices.flag(),
            };
            let unread = Unread {
                unread: choices.number() as usize,
                senders: choices.many(5, from),
                rooms: choices.many(5, room),
            };
            check(Reply::Unread(unread.clone()), &unread);
        }
        7 => {
            let watching = Watching { watching: choices.name(), after: choices.id() };
            check(Reply::Watching(watching.clone()), &watching);
        }
        8 => {
            let identity = Identity {
                user: choices.name(),
                display_name: choices.text(),
                session: choices.flag().then(|| choices.session()),
                token: None,
                can: None,
            };
            check(Reply::Identity(identity.clone()), &identity);
        }
        9 => {
            let session = |choices: &mut Choices<'_>| SessionInfo {
                id: choices.session(),
                current: choices.flag(),
                created_at: choices.moment(),
                last_seen_at: choices.moment(),
                expires_at: choices.moment(),
            };
            let sessions = Sessions { sessions: choices.many(5, session) };
            check(Reply::Sessions(sessions.clone()), &sessions);
        }
        10 => {
            let ended = Ended { ended: choices.number() as usize };
            check(Reply::Ended(ended.clone()), &ended);
        }
        11 => {
            done(&Reply::Sent);
            done(&Reply::LoggedOut);
        }
        12 => check_refusal(&mut choices),
        _ => {
            let event = match choices.below(5) {
                0 => Event::Message(choices.message()),
                1 => Event::CaughtUp { upto: choices.id() },
                2 => Event::Sent { id: choices.id(), to: choices.message().to },
                3 => choices.change().into(),
                _ => Event::Heartbeat,
            };
            let mut out = Vec::new();
            event.encode(&mut out);
            let DecodedReply::Done(fields) = read(out) else { panic!("an event is no refusal") };
            assert_eq!(decode_fields::<Event>(fields).ok(), Some(event));
        }
    }
}

fn check<T: DeserializeOwned + PartialEq + Debug>(reply: Reply, meant: &T) {
    let read: T = decode_fields(done(&reply)).expect("the fields are understood");
    assert_eq!(&read, meant);
}

fn check_inbox(choices: &mut Choices<'_>) {
    let group = |choices: &mut Choices<'_>| {
        let name = choices.name();
        let is_room = choices.flag();
        let entry = |choices: &mut Choices<'_>| InboxEntry {
            msg: choices.body(),
            from: is_room.then(|| choices.name()),
        };
        let entries = choices.many(3, entry);
        let mailbox = if is_room { format!("#{name}").parse() } else { name.as_str().parse() };
        (mailbox.expect("a mailbox"), entries)
    };
    let mut groups: Vec<(MailboxName, Vec<InboxEntry>)> = choices.many(5, group);
    // Each sender and each room appears once.
    groups.sort_by(|one, other| one.0.as_str().cmp(other.0.as_str()));
    groups.dedup_by(|one, other| one.0 == other.0);
    let fields = done(&Reply::Inbox(Inbox { groups: groups.clone(), more: choices.flag() }));
    let told = decode_messages(&fields).ok().and_then(Value::as_object).expect("a map of senders");
    assert_eq!(told.len(), groups.len());
    for ((name, told), (mailbox, entries)) in told.iter().zip(&groups) {
        assert_eq!(name, mailbox.as_str());
        let read = |entry: &Value| (entry["msg"].clone(), entry.get("from").cloned());
        let told = told.as_array().into_iter().flatten().map(read);
        let meant = |entry: &InboxEntry| {
            let from = entry.from.as_ref().map(|from| Value::from(from.as_str()));
            (Value::from(entry.msg.as_str()), from)
        };
        assert!(told.eq(entries.iter().map(meant)));
    }
}

fn check_active(choices: &mut Choices<'_>) {
    let users = choices.many(5, Choices::name);
    let names: Vec<&str> = users.iter().map(|user| user.as_str()).collect();
    let expected = format!("List user: {}", names.join(","));
    let fields = done(&Reply::Active(Active { users: users.clone(), more: choices.flag() }));
    assert_eq!(decode_messages(&fields).ok().and_then(Value::as_str), Some(expected.as_str()));
}

fn check_refusal(choices: &mut Choices<'_>) {
    let code = Code::ALL[choices.below(Code::ALL.len())];
    let (message, users) = (choices.text(), choices.many(3, Choices::text));
    let retry_after = choices.flag().then(|| choices.below(1_000) as u32);
    let refusal = Refusal { retry_after, ..Refusal::new(code, message.clone()) };
    let refusal = refusal.about(users.clone());
    let expected =
        DecodedReply::Refused { code: Some(code), unknown_code: None, message, users, retry_after };
    let mut out = Vec::new();
    refusal.encode_end(&mut out);
    assert_eq!(read(out), expected);
    assert_eq!(encode(&refusal.into()), expected);
}

fn done(reply: &Reply) -> Value {
    match encode(reply) {
        DecodedReply::Done(fields) => fields,
        refused => panic!("{reply:?} is read as {refused:?}"),
    }
}

fn encode(reply: &Reply) -> DecodedReply {
    let mut out = Vec::new();
    reply.encode(&mut out);
    read(out)
}

/// The client's result for the server's output: one frame, and printable.
fn read(out: Vec<u8>) -> DecodedReply {
    let json = out.strip_suffix(REPLY_END).expect("a frame ends");
    assert!(json.iter().all(|byte| matches!(byte, b' '..=b'~')), "{}", json.escape_ascii());
    let mut frames = FrameDecoder::default();
    frames.buffer().extend_from_slice(&out);
    let frame = frames.next_frame().expect("not too long").expect("one frame");
    let answer = DecodedReply::decode(frame).expect("it is understood");
    assert_eq!(frames.next_frame(), Ok(None), "there is another frame");
    answer
}
