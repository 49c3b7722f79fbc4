//! What the server answers: one JSON object a request, `status` first, ASCII only, then
//! `\r\n\r\n`, which occurs nowhere else. The structs here are written by the server and read by
//! the client, so that the two cannot drift apart.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use smallvec::SmallVec;

use super::json;
use super::refusal::{Code, Refusal};
use crate::model::{Body, CursorName, Message, MessageId, SessionId, Timestamp, Token, UserName};

/// What ends a reply. The JSON before it has no line ends: they are escaped.
pub const REPLY_END: &[u8] = b"\r\n\r\n";

/// The largest page of messages or names in one reply, in bytes as encoded; what does not fit is
/// told by `more`.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// The largest reply a client has to expect: a page, and room for what stands around it.
pub const REPLY_BYTES_MAX: usize = PAGE_BYTES_MAX + 64 * 1024;

/// The reply to `send`.
const SENT: &[u8] = br#"{"status": "OK", "message": "Message Sent"}"#;
/// How long the reply to `post` is without its copies, and a copy in it, at most, in bytes; with what
/// [`json::encode`] wants to have left.
const POSTED_BYTES: usize = 128 + json::SHORT_BYTES;
const SENT_TO_BYTES: usize = 72;

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To `auth`. The only time that the token is told.
    Authenticated(Token),
    /// To `send`.
    Sent,
    /// To `inbox`.
    Inbox(Inbox),
    /// To `list`.
    Active(Active),
    /// To `logout`.
    LoggedOut,
    /// To `hello`.
    Hello(Hello),
    /// To `help`.
    Help(Help),
    /// To `post`.
    Posted(Posted),
    /// To `fetch`.
    Page(Page),
    /// To `ack`.
    Acked(Acked),
    /// To `unread`.
    Unread(Unread),
    /// To `watch`: events follow.
    Watching(Watching),
    /// To `whoami`.
    Identity(Identity),
    /// To `sessions`.
    Sessions(Sessions),
    /// To `revoke` and `passwd`.
    Ended(Ended),
    /// To any request that was not done.
    Refused(Refusal),
}

/// What was unread, grouped by sender in the order of each one's first message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inbox {
    /// The senders, and the texts of each in the order of the log.
    pub senders: Vec<(UserName, Vec<Body>)>,
    /// There is more to read than fitted into this reply.
    pub more: bool,
}

/// Who is logged in, in the order of their logging in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Active {
    /// Each once.
    pub users: Vec<UserName>,
    /// There are more than fitted into this reply.
    pub more: bool,
}

/// Who the server is and what it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The server's name.
    pub server: Cow<'static, str>,
    /// The server's version.
    pub version: Cow<'static, str>,
    /// See [`PROTOCOL_VERSION`](super::PROTOCOL_VERSION).
    pub protocol: u32,
    /// The verbs it knows.
    pub features: Vec<Cow<'static, str>>,
    /// The limits, by name, in the unit that the name ends in.
    pub limits: Limits,
}

/// The limits that a client has to keep to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The longest request line, without its ending.
    pub line_bytes: usize,
    /// The longest text of a message.
    pub body_bytes: usize,
    /// The longest key of a `post`.
    pub key_bytes: usize,
    /// The most recipients of a `post`.
    pub recipients: usize,
    /// The most messages of a `fetch`.
    pub fetch_messages: usize,
}

/// How to use the server from `nc`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Help {
    /// One line a verb.
    pub help: Vec<Cow<'static, str>>,
}

/// A message was stored, now or by an earlier request with the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The id of the first recipient's copy.
    pub id: MessageId,
    /// When the server took it.
    pub at: Timestamp,
    /// It was there already: the key had been used for it.
    pub duplicate: bool,
    /// Each recipient's copy, in the order in which they were named.
    pub sent: SmallVec<[SentTo; 1]>,
}

/// One recipient's copy of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentTo {
    /// Whose.
    pub to: UserName,
    /// Its place in the log.
    pub id: MessageId,
}

impl Posted {
    /// As `serde` would, in a quarter of the time: next to `send` no reply is told as often. What stands
    /// in it needs no escaping.
    fn encode(&self, out: &mut Vec<u8>) -> bool {
        let Self { id, at, duplicate, sent } = self;
        out.reserve(POSTED_BYTES + sent.len() * SENT_TO_BYTES);
        out.extend_from_slice(br#"{"status": "OK", "id": "#);
        let mut encoded = json::encode(id, out);
        out.extend_from_slice(br#", "at": ""#);
        out.extend_from_slice(at.text().as_bytes());
        out.extend_from_slice(br#"", "duplicate": "#);
        out.extend_from_slice(if *duplicate { b"true" } else { b"false" });
        out.extend_from_slice(br#", "sent": ["#);
        for (index, SentTo { to, id }) in sent.iter().enumerate() {
            out.extend_from_slice(if index == 0 { br#"{"to": ""# } else { br#", {"to": ""# });
            out.extend_from_slice(to.as_str().as_bytes());
            out.extend_from_slice(br#"", "id": "#);
            encoded &= json::encode(id, out);
            out.extend_from_slice(b"}");
        }
        out.extend_from_slice(b"]}");
        encoded
    }
}

/// Messages in the order of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The oldest first.
    pub messages: Vec<Message>,
    /// There are more in the direction that was asked for: newer ones for `after`, `unread` and
    /// `cursor`, older ones for `before`.
    pub more: bool,
}

/// Where a cursor stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acked {
    /// Which cursor.
    pub cursor: CursorName,
    /// Everything up to and with this id counts as read.
    pub upto: MessageId,
}

/// How much is unread.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// In all.
    pub unread: usize,
    /// From whom, in the order of each one's first unread message.
    pub senders: Vec<UnreadFrom>,
}

/// How much is unread from one sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadFrom {
    /// Who.
    pub from: UserName,
    /// How many messages.
    pub count: usize,
    /// The newest of them.
    pub newest: MessageId,
}

/// The connection is a stream now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// Whose messages.
    pub watching: UserName,
    /// The stream begins after this id.
    pub after: MessageId,
}

/// Who the holder of the session is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The name.
    pub user: UserName,
    /// What people call the user.
    pub display_name: String,
    /// The session that asked.
    pub session: SessionId,
}

/// The sessions of the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// The oldest first.
    pub sessions: Vec<SessionInfo>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Its number, for `revoke`.
    pub id: SessionId,
    /// It is the one that asked.
    pub current: bool,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, give or take a minute.
    pub last_seen_at: Timestamp,
    /// When it ends whatever its holder does.
    pub expires_at: Timestamp,
}

/// How many sessions were ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// So many.
    pub ended: usize,
}

impl Reply {
    /// Appends the reply as it goes over the wire.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        let encoded = match self {
            // The reply of most requests by far, ready made.
            Self::Sent => {
                out.reserve(SENT.len() + REPLY_END.len());
                out.extend_from_slice(SENT);
                true
            }
            Self::Authenticated(token) => {
                json::encode(&Done::new(Authenticated { tokenid: token.reveal().into() }), out)
            }
            Self::Inbox(inbox) => json::encode(
                &Done::new(InboxFields { messages: Senders(&inbox.senders), more: inbox.more }),
                out,
            ),
            Self::Active(active) => {
                let names: Vec<&str> = active.users.iter().map(UserName::as_str).collect();
                let messages = format!("List user: {}", names.join(",")).into();
                json::encode(&Done::new(TextFields { messages, more: active.more }), out)
            }
            Self::LoggedOut => json::encode(
                &Done::new(TextFields { messages: "Logout berhasil".into(), more: false }),
                out,
            ),
            Self::Hello(fields) => json::encode(&Done::new(fields), out),
            Self::Help(fields) => json::encode(&Done::new(fields), out),
            Self::Posted(posted) => posted.encode(out),
            Self::Page(fields) => json::encode(&Done::new(fields), out),
            Self::Acked(fields) => json::encode(&Done::new(fields), out),
            Self::Unread(fields) => json::encode(&Done::new(fields), out),
            Self::Watching(fields) => json::encode(&Done::new(fields), out),
            Self::Identity(fields) => json::encode(&Done::new(fields), out),
            Self::Sessions(fields) => json::encode(&Done::new(fields), out),
            Self::Ended(fields) => json::encode(&Done::new(fields), out),
            Self::Refused(refusal) => json::encode(&refusal.fields(), out),
        };
        if !encoded {
            out.truncate(begin);
            let code = Code::Internal;
            json::encode(&Refusal::from(code).fields(), out);
        }
        out.extend_from_slice(REPLY_END);
    }

    /// Whether the connection ends after this reply.
    pub fn closes(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.code.closes())
    }

    /// Whether what was asked for was done.
    pub fn is_ok(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Code> for Reply {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}

/// Puts `status` before the fields of a reply.
#[derive(Serialize)]
struct Done<T> {
    status: &'static str,
    #[serde(flatten)]
    fields: T,
}

impl<T> Done<T> {
    fn new(fields: T) -> Self {
        Self { status: "OK", fields }
    }
}

#[derive(Serialize, Deserialize)]
struct Authenticated {
    tokenid: Box<str>,
}

/// `list` and `logout` answer with a text for people.
#[derive(Serialize)]
struct TextFields {
    messages: Cow<'static, str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

#[derive(Serialize)]
struct InboxFields<'a> {
    messages: Senders<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

struct Senders<'a>(&'a [(UserName, Vec<Body>)]);

impl Serialize for Senders<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Entry<'a> {
            msg: &'a Body,
        }
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (sender, bodies) in self.0 {
            let entries: Vec<Entry<'_>> = bodies.iter().map(|msg| Entry { msg }).collect();
            map.serialize_entry(sender.as_str(), &entries)?;
        }
        map.end()
    }
}

/// A reply as the client received it.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// `status` is `OK`; these are its fields.
    Done(Value),
    /// `status` is `ERROR`.
    Refused {
        /// The stable word; `None` for one that this client does not know, and for a server that
        /// sends none.
        code: Option<Code>,
        /// The text for people.
        message: String,
        /// The names the refusal is about.
        users: Vec<String>,
        /// In how many seconds the same may be tried again, where the server says so.
        retry_after: Option<u32>,
    },
}

/// What arrived is not a reply.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It is not JSON, or not the JSON of a reply.
    #[error("the reply is not understood: {0}")]
    Json(#[from] serde_json::Error),
    /// `status` is neither `OK` nor `ERROR`.
    #[error("the reply has no status")]
    Status,
    /// A field that the reply has to have is missing, or not as it must be.
    #[error("the reply lacks {0}")]
    Field(&'static str),
}

impl Answer {
    /// Reads one reply, without or with the line ends after it.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let value: Value = serde_json::from_slice(bytes)?;
        match value.get("status").and_then(Value::as_str) {
            Some("OK") => Ok(Self::Done(value)),
            Some("ERROR") => {
                // A server without codes (the seed's own) is understood too.
                let message = value.get("message").and_then(Value::as_str);
                let message = message.ok_or(DecodeError::Field("message"))?.to_owned();
                let code = value.get("code").and_then(Value::as_str).and_then(Code::from_word);
                let users = value.get("users").cloned().map(serde_json::from_value);
                let users = users.transpose()?.unwrap_or_default();
                // One that is no number of seconds is as good as none.
                let retry_after = value.get("retry_after").and_then(Value::as_u64);
                let retry_after = retry_after.and_then(|seconds| seconds.try_into().ok());
                Ok(Self::Refused { code, message, users, retry_after })
            }
            _ => Err(DecodeError::Status),
        }
    }
}

/// Reads the fields of a reply to one of the newer verbs.
pub fn decode_fields<T: DeserializeOwned>(fields: Value) -> Result<T, DecodeError> {
    Ok(serde_json::from_value(fields)?)
}

/// Reads the token out of the reply to `auth`.
pub fn decode_token(fields: &Value) -> Result<Token, DecodeError> {
    let token = fields.get("tokenid").and_then(Value::as_str).and_then(|text| text.parse().ok());
    token.ok_or(DecodeError::Field("tokenid"))
}

/// Reads `messages` of a reply to `inbox`, `list` or `logout`: a map of senders, or a text.
pub fn decode_messages(fields: &Value) -> Result<&Value, DecodeError> {
    fields.get("messages").ok_or(DecodeError::Field("messages"))
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;
    use proptest::prelude::*;

    fn encode(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    fn body(text: &str) -> Body {
        text.parse().unwrap()
    }

    fn done(reply: &Reply) -> Value {
        match Answer::decode(encode(reply).as_bytes()).unwrap() {
            Answer::Done(fields) => fields,
            refused => panic!("{refused:?}"),
        }
    }

    #[test]
    fn replies_to_the_seed_verbs_are_the_seeds_to_the_byte() {
        let token: Token = "7a592c0e-2cb5-4de6-866b-4e216b0caf15".parse().unwrap();
        let senders = vec![(name("paff"), vec![body("hai neko"), body("🐱")])];
        let users = vec![name("paff"), name("neko")];
        for (reply, expected) in [
            (
                Reply::Authenticated(token),
                r#"{"status": "OK", "tokenid": "7a592c0e-2cb5-4de6-866b-4e216b0caf15"}"#,
            ),
            (Reply::Sent, r#"{"status": "OK", "message": "Message Sent"}"#),
            (
                Reply::Inbox(Inbox { senders, more: false }),
                r#"{"status": "OK", "messages": {"paff": [{"msg": "hai neko"}, {"msg": "\ud83d\udc31"}]}}"#,
            ),
            (
                Reply::Active(Active { users, more: false }),
                r#"{"status": "OK", "messages": "List user: paff,neko"}"#,
            ),
            (Reply::LoggedOut, r#"{"status": "OK", "messages": "Logout berhasil"}"#),
            (
                Code::NoSession.into(),
                r#"{"status": "ERROR", "code": "no_session", "message": "Session Tidak Ditemukan"}"#,
            ),
        ] {
            assert_eq!(encode(&reply), format!("{expected}\r\n\r\n"));
        }
    }

    #[test]
    fn posted_is_written_as_its_fields_are() {
        let to = |name: &str, id| SentTo { to: name.parse().unwrap(), id: MessageId(id) };
        for sent in [smallvec![], smallvec![to("neko", 7)], smallvec![to("neko", 7), to("ivy", 8)]]
        {
            let posted =
                Posted { id: MessageId(7), at: Timestamp(1), duplicate: sent.len() > 1, sent };
            let expected = json::to_string(&Done::new(&posted));
            assert_eq!(encode(&Reply::Posted(posted)), format!("{expected}\r\n\r\n"));
        }
    }

    #[test]
    fn more_is_told_where_there_is_more() {
        let reply = Reply::Inbox(Inbox { senders: Vec::new(), more: true });
        assert_eq!(
            encode(&reply),
            "{\"status\": \"OK\", \"messages\": {}, \"more\": true}\r\n\r\n"
        );
    }

    #[test]
    fn refusal_reads_back_with_code_text_and_names() {
        let refusal = Refusal::from(Code::UnknownRecipient).about(["conner".to_owned()]);
        let answer = Answer::decode(encode(&refusal.into()).as_bytes()).unwrap();
        let code = Some(Code::UnknownRecipient);
        let message = "User Tidak Ditemukan".to_owned();
        assert_eq!(
            answer,
            Answer::Refused { code, message, users: vec!["conner".to_owned()], retry_after: None }
        );
    }

    #[test]
    fn refusal_of_a_server_without_codes_is_understood() {
        let answer =
            Answer::decode(br#"{"status": "ERROR", "message": "Password Salah"}"#).unwrap();
        let message = "Password Salah".to_owned();
        assert_eq!(
            answer,
            Answer::Refused { code: None, message, users: Vec::new(), retry_after: None }
        );
    }

    #[test]
    fn what_is_no_reply_is_not_decoded() {
        for bytes in ["", "x", "[]", "{}", r#"{"status": "MAYBE"}"#, r#"{"status": "ERROR"}"#] {
            assert!(Answer::decode(bytes.as_bytes()).is_err(), "{bytes:?} is a reply");
        }
    }

    proptest! {
        #[test]
        fn any_page_reads_back_as_it_was_written(
            texts in prop::collection::vec(any::<String>(), 0..5),
            more: bool,
        ) {
            let bodies = texts.iter().filter_map(|text| text.parse::<Body>().ok());
            let messages = bodies.enumerate().map(|(index, body)| Message {
                id: MessageId(index as i64 + 1),
                at: Timestamp(1_000 * index as i64),
                from: name("paff"),
                to: name("neko"),
                body,
            });
            let page = Page { messages: messages.collect(), more };
            prop_assert_eq!(decode_fields::<Page>(done(&Reply::Page(page.clone()))).unwrap(), page);
        }

        #[test]
        fn any_body_stays_inside_its_frame(text: String, end in "(\r\n\r\n\\{\"status\": \"OK\"\\})?") {
            let text = format!("x{text}{end}");
            let senders = vec![(name("paff"), vec![body(&text)])];
            let reply = Reply::Inbox(Inbox { senders, more: false });
            let encoded = encode(&reply);
            prop_assert!(encoded.is_ascii());
            prop_assert_eq!(encoded.find("\r\n"), Some(encoded.len() - REPLY_END.len()));
            let fields = done(&reply);
            prop_assert_eq!(&decode_messages(&fields).unwrap()["paff"][0]["msg"], &text);
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
            let _ = Answer::decode(&bytes);
        }
    }
}
