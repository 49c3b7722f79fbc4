//! Makes values out of bytes, so that a changed byte changes a value. After the last byte every
//! value is 0, empty or the first choice.

use chat::model::{
    Body, Change, CursorName, Details, Key, MailboxName, Message, MessageId, Priority, SessionId,
    Tag, Tags, Timestamp, Token, UserName,
};

/// The remaining bytes.
pub struct Choices<'a>(pub &'a [u8]);

impl<'a> Choices<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub fn below(&mut self, end: usize) -> usize {
        let number = if end > 256 { self.number() as usize } else { self.byte().into() };
        number % end
    }

    pub fn number(&mut self) -> u64 {
        // Most numbers are small, and all are possible.
        let length = self.byte() % 9;
        (0..length).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    /// Up to 255 bytes.
    pub fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }

    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub fn many<T>(&mut self, max: usize, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(max + 1)).map(|_| item(self)).collect()
    }

    fn of_alphabet(&mut self, alphabet: &[u8], max: usize) -> String {
        let letters = self.bytes().iter().take(max);
        let mut text: String =
            letters.map(|&byte| char::from(alphabet[usize::from(byte) % alphabet.len()])).collect();
        if text.is_empty() {
            text.push(char::from(alphabet[0]));
        }
        text
    }

    pub fn name(&mut self) -> UserName {
        self.of_alphabet(b"abcdefghijklmnopqrstuvwxyz0123456789_-", 32).parse().expect("a name")
    }

    pub fn cursor(&mut self) -> CursorName {
        self.of_alphabet(b"abcdefghijklmnopqrstuvwxyz0123456789_-.", 64).parse().expect("a cursor")
    }

    pub fn key(&mut self) -> Key {
        let printable: Vec<u8> = (b'!'..=b'~').collect();
        self.of_alphabet(&printable, 64).parse().expect("a key")
    }

    pub fn body(&mut self) -> Body {
        let text = self.text();
        if text.is_empty() { "x".parse() } else { text.parse() }.expect("a body")
    }

    pub fn id(&mut self) -> MessageId {
        MessageId((self.number() >> 1) as i64)
    }

    pub fn session(&mut self) -> SessionId {
        SessionId(self.number() as i64)
    }

    /// A valid moment of the calendar.
    pub fn moment(&mut self) -> Timestamp {
        Timestamp(Timestamp(self.number() as i64).to_calendar().as_millisecond())
    }

    pub fn token(&mut self) -> Token {
        let number = u128::from(self.number()) << 64 | u128::from(self.number());
        uuid::Uuid::from_u128(number).to_string().parse().expect("a token")
    }

    /// A user's name, or a room's.
    pub fn mailbox(&mut self) -> MailboxName {
        let name = self.name();
        match self.flag() {
            true => MailboxName::User(name),
            false => format!("#{name}").parse().expect("a room"),
        }
    }

    pub fn message(&mut self) -> Message {
        Message {
            id: self.id(),
            at: self.moment(),
            from: self.name(),
            to: self.mailbox(),
            body: self.body(),
            details: self.details(),
        }
    }

    pub fn change(&mut self) -> Change {
        let change = Change {
            change: self.id(),
            id: self.id(),
            at: self.moment(),
            by: self.flag().then(|| self.name()),
            to: None,
            room: None,
            body: self.flag().then(|| self.body()),
        };
        change.in_mailbox(self.mailbox())
    }

    pub fn details(&mut self) -> Option<Box<Details>> {
        let priority = Priority::ALL[(self.below(5) + 2) % 5];
        let printable: Vec<u8> = (b'!'..=b'~').filter(|&byte| byte != b',').collect();
        let tag = |choices: &mut Self| -> Tag {
            choices.of_alphabet(&printable, 32).parse().expect("a tag")
        };
        let tags = Tags::try_from(self.many(3, tag)).expect("few tags");
        let title = self.flag().then(|| self.text().replace(char::is_control, "-"));
        let title = title.and_then(|title| title.parse().ok());
        let click = self.flag().then(|| format!("https://{}", self.of_alphabet(&printable, 99)));
        let click = click.and_then(|click| click.parse().ok());
        let reply_to = self.flag().then(|| self.id());
        let edited = self.flag().then(|| self.moment());
        let expires = self.flag().then(|| self.moment()).filter(|at| at.0 >= 0);
        let expires_in = (expires.is_none() && self.flag()).then(|| 1 + self.below(99) as u64);
        let details = Details { title, priority, tags, click, reply_to, ..Details::default() };
        Details { expires, expires_in, edited, ..details }.if_any()
    }
}
