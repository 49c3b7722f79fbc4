//! Replies and events: every one that the server can produce is one frame of printable ASCII, and
//! the client decodes its meaning.

use std::fmt::Debug;

use chat::client::frames::FrameDecoder;
use chat::protocol::event::Event;
use chat::protocol::refusal::{Code, Refusal};
use chat::protocol::reply::{
    Acked, Active, DecodedReply, Ended, Identity, Inbox, Page, Posted, REPLY_END, Reply, SentTo,
    SessionInfo, Sessions, Unread, UnreadFrom, Watching, decode_fields, decode_messages,
    decode_token,
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
            let page = Page { messages, more: choices.flag(), upto };
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
            let unread =
                Unread { unread: choices.number() as usize, senders: choices.many(5, from) };
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
                session: choices.session(),
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
            let event = match choices.below(4) {
                0 => Event::Message(choices.message()),
                1 => Event::CaughtUp { upto: choices.id() },
                2 => Event::Sent { id: choices.id(), to: choices.message().to },
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
    let sender = |choices: &mut Choices<'_>| (choices.name(), choices.many(3, Choices::body));
    let mut senders = choices.many(5, sender);
    // Each sender appears once.
    senders.sort();
    senders.dedup_by(|one, other| one.0 == other.0);
    let fields = done(&Reply::Inbox(Inbox { senders: senders.clone(), more: choices.flag() }));
    let told = decode_messages(&fields).ok().and_then(Value::as_object).expect("a map of senders");
    assert_eq!(told.len(), senders.len());
    for ((name, told), (sender, bodies)) in told.iter().zip(&senders) {
        assert_eq!(name, sender.as_str());
        let texts = told.as_array().into_iter().flatten().map(|entry| entry["msg"].as_str());
        assert!(texts.eq(bodies.iter().map(|body| Some(body.as_str()))));
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
