//! Searching messages, and reading the messages around one.

use std::collections::BTreeSet;

use crate::model::{
    Details, MailboxId, MailboxName, Message, MessageId, RoomId, RoomName, Timestamp, UserId,
    UserName,
};
use crate::search::{self, Matches, Place, Query, Term, Text, Wanted};
use crate::store::operation::{Party, Read};
use crate::store::types::blocks::Blocks;
use crate::store::types::messages::{Page, PageBounds};
use crate::store::types::rooms::{Membership, RoomPart, Unreadable, Wanted as Part, may_read};

/// The most messages whose texts a page of a search compares with the query.
pub const SEARCHED_TEXTS_MAX: usize = if cfg!(test) { 8 } else { 2_048 };
/// The most messages that a page of a search looks at in the message log itself, because the index
/// does not have them yet; and the most that the index proposes for it.
pub const SEARCHED_ROWS_MAX: usize = if cfg!(test) { 16 } else { 16_384 };
/// A beginning of a word with fewer characters is not looked up in the index: it would be most
/// words.
const PREFIX_CHARS_MIN: usize = 3;
/// A reader of more mailboxes than this is not looked up in the index, if there is anything else to
/// look up: each proposed message would be compared with all of them.
const MAILBOXES_MAX: usize = if cfg!(test) { 3 } else { 256 };
/// What a hit adds to the measure of its message.
const HIT_BYTES: usize = 64;
/// What a place adds to it.
const PLACE_BYTES: usize = 16;

/// Finds the messages that meet a query, the newest first, among those that the reader may read. It
/// finds every message that was acknowledged before it began.
pub struct Search {
    /// The reader.
    pub reader: UserId,
    /// The query.
    pub query: Query,
    /// Only messages before this one.
    pub before: MessageId,
    /// Where the page ends.
    pub bounds: PageBounds,
}

impl Read for Search {
    type Answer = Searched;

    fn party(&self) -> Party {
        Some(self.reader)
    }
}

/// The answer to [`Search`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Searched {
    /// Some messages.
    Page(SearchPage),
    /// No users have these names.
    UnknownUsers(Vec<UserName>),
    /// The reader may not read this room.
    UnreadableRoom(RoomName, Unreadable),
}

/// The messages that were found, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchPage {
    /// Each message, and where the query's words are in it.
    pub hits: Vec<(Message, Matches)>,
    /// There are more before `upto`, or there may be.
    pub more: bool,
    /// The oldest message that was looked at. With `more` the next page begins before it.
    pub upto: Option<MessageId>,
}

impl SearchPage {
    /// Adds a message that was found. `size` is the measure of the page so far. Returns whether it
    /// fitted; if not, the page ends here.
    pub(in crate::store) fn take(
        &mut self,
        bounds: &PageBounds,
        size: &mut usize,
        (message, matches): (Message, Matches),
    ) -> bool {
        let places = matches.body.len() + matches.title.len();
        *size += (bounds.measure)(&message) + HIT_BYTES + PLACE_BYTES * places;
        let is_full = self.hits.len() >= bounds.messages || *size > bounds.size;
        if is_full && !self.hits.is_empty() {
            self.more = true;
            return false;
        }
        self.upto = Some(message.id);
        self.hits.push((message, matches));
        true
    }
}

/// What a reader may read. The one place of a search that decides it.
#[derive(Debug, Clone)]
pub(in crate::store) struct Readable {
    reader: UserId,
    /// Sorted by room.
    rooms: Vec<RoomPart>,
    blocks: Blocks,
}

impl Readable {
    /// What the reader has sent or received, and what all their memberships let them read, without
    /// what they block.
    pub(in crate::store) fn by(reader: UserId, memberships: &[Membership], blocks: Blocks) -> Self {
        Self { reader, rooms: may_read(memberships, Part::All), blocks }
    }

    /// The mailboxes of the rooms.
    pub(in crate::store) fn rooms(&self) -> impl Iterator<Item = MailboxId> {
        self.rooms.iter().map(|part| part.room.into())
    }

    fn allows(&self, Envelope { id, sender, mailbox, .. }: Envelope) -> bool {
        let is_in_room = |room: RoomId| {
            let place = self.rooms.binary_search_by_key(&room, |part| part.room);
            place.is_ok_and(|place| self.rooms[place].has(id)) && !self.blocks.hide(sender, mailbox)
        };
        sender == self.reader
            || mailbox == self.reader.into()
            || mailbox.room().is_some_and(is_in_room)
    }

    /// The tokens of what the reader has received alone, and of what they have sent.
    fn own_tokens(&self) -> [Token; 2] {
        let own = [search::mailbox_token(self.reader.into()), search::sender_token(self.reader)];
        own.map(Token::Whole)
    }

    /// Every message that is allowed has one of these tokens.
    fn tokens(&self) -> Vec<Token> {
        let rooms = self.rooms().map(search::mailbox_token).map(Token::Whole);
        self.own_tokens().into_iter().chain(rooms).collect()
    }
}

/// Finds what a query names.
pub(in crate::store) trait Names {
    type Error;

    /// The number of a user.
    fn user(&mut self, name: &UserName) -> Result<Option<UserId>, Self::Error>;

    /// The number of a room that the reader may read.
    fn room(&mut self, name: &RoomName) -> Result<Result<RoomId, Unreadable>, Self::Error>;
}

/// A token to look up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) enum Token {
    /// This one.
    Whole(String),
    /// Each one that begins so.
    Beginning(String),
}

/// What the index is asked for. The index may answer with more messages than the query finds, and
/// never with fewer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct Wants {
    /// A message has one of these tokens: those of what the reader may read.
    pub(in crate::store) readable: Vec<Token>,
    /// Of each of these, a message has one token or more.
    pub(in crate::store) one_of: Vec<Vec<Token>>,
    /// A message has none of these tokens.
    pub(in crate::store) none_of: BTreeSet<Token>,
}

impl Wants {
    /// Of each of these, a message has one token or more. There is always one.
    pub(in crate::store) fn groups(&self) -> impl Iterator<Item = &[Token]> {
        let asks_who = self.one_of.is_empty() || self.readable.len() <= MAILBOXES_MAX;
        let readable = asks_who.then_some(&self.readable);
        readable.into_iter().chain(&self.one_of).map(Vec::as_slice)
    }
}

/// A query with the numbers of users and rooms in place of their names, for one reader.
pub(in crate::store) struct Plan<'a> {
    query: &'a Query,
    readable: Readable,
    conditions: Vec<(bool, Condition)>,
}

/// A condition that needs no text.
#[derive(Debug, Clone, Copy)]
enum Condition {
    From(UserId),
    With(UserId),
    In(MailboxId),
    Before(Place),
    After(Place),
}

/// What is known of a message without its text.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Envelope {
    pub(in crate::store) id: MessageId,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) sender: UserId,
    pub(in crate::store) mailbox: MailboxId,
}

impl<'a> Plan<'a> {
    /// The inner error is the answer to the search.
    pub(in crate::store) fn make<N: Names>(
        query: &'a Query,
        readable: Readable,
        mut names: N,
    ) -> Result<Result<Self, Searched>, N::Error> {
        let (mut conditions, mut unknown) = (Vec::new(), Vec::new());
        for Term { is_excluded, wanted } in &query.terms {
            let condition = match wanted {
                Wanted::From(name) | Wanted::With(name) => match names.user(name)? {
                    Some(user) if matches!(wanted, Wanted::From(_)) => Condition::From(user),
                    Some(user) => Condition::With(user),
                    None => {
                        unknown.push(name.clone());
                        continue;
                    }
                },
                Wanted::Before(place) => Condition::Before(*place),
                Wanted::After(place) => Condition::After(*place),
                Wanted::In(name) => match names.room(name)? {
                    Ok(room) => Condition::In(room.into()),
                    Err(why) => return Ok(Err(Searched::UnreadableRoom(name.clone(), why))),
                },
                Wanted::Text(_) | Wanted::Tag(_) => continue,
            };
            conditions.push((*is_excluded, condition));
        }
        Ok(match unknown.is_empty() {
            true => Ok(Self { query, readable, conditions }),
            false => Err(Searched::UnknownUsers(unknown)),
        })
    }

    /// The ids between which messages can be found: after the first, before the second.
    pub(in crate::store) fn range(&self, before: MessageId) -> (MessageId, MessageId) {
        let mut range = (MessageId::ZERO, before);
        for condition in &self.conditions {
            match condition {
                (false, Condition::After(Place::Id(id))) => range.0 = range.0.max(*id),
                (false, Condition::Before(Place::Id(id))) => range.1 = range.1.min(*id),
                _ => {}
            }
        }
        range
    }

    /// What to ask the index for.
    pub(in crate::store) fn wants(&self) -> Wants {
        let mut wants = Wants { readable: self.readable.tokens(), ..Wants::default() };
        for (is_excluded, condition) in &self.conditions {
            match condition {
                Condition::From(user) if !is_excluded => {
                    wants.one_of.push(vec![Token::Whole(search::sender_token(*user))]);
                }
                Condition::With(user) if !is_excluded && *user == self.readable.reader => {
                    wants.one_of.extend(self.readable.own_tokens().map(|token| vec![token]));
                }
                Condition::With(user) if !is_excluded => {
                    let mailbox = search::mailbox_token((*user).into());
                    let sender = search::sender_token(*user);
                    wants.one_of.push(vec![Token::Whole(mailbox), Token::Whole(sender)]);
                }
                Condition::In(mailbox) => {
                    let token = Token::Whole(search::mailbox_token(*mailbox));
                    match is_excluded {
                        true => drop(wants.none_of.insert(token)),
                        false => wants.one_of.push(vec![token]),
                    }
                }
                _ => {}
            }
        }
        for Term { is_excluded, wanted } in &self.query.terms {
            match wanted {
                Wanted::Tag(tag) if *is_excluded => {
                    wants.none_of.insert(Token::Whole(search::tag_token(tag)));
                }
                Wanted::Tag(tag) => {
                    wants.one_of.push(vec![Token::Whole(search::tag_token(tag))]);
                }
                Wanted::Text(text) if *is_excluded => wants.none_of.extend(text_if_exact(text)),
                Wanted::Text(text) => wants.one_of.extend(text_tokens(text)),
                _ => {}
            }
        }
        wants.one_of.sort();
        wants.one_of.dedup();
        wants
    }

    /// Whether the reader may read the message, and it meets the conditions that need no text.
    pub(in crate::store) fn allows(&self, message: Envelope) -> bool {
        let Envelope { id, at, sender, mailbox } = message;
        let reader = self.readable.reader;
        self.readable.allows(message)
            && self.conditions.iter().all(|(is_excluded, condition)| {
                let is_met = match *condition {
                    Condition::From(user) => sender == user,
                    Condition::With(user) => {
                        (sender == user && mailbox == reader.into())
                            || (sender == reader && mailbox == user.into())
                    }
                    Condition::In(room) => mailbox == room,
                    Condition::Before(Place::Id(other)) => id < other,
                    Condition::Before(Place::At(time)) => at < time,
                    Condition::After(Place::Id(other)) => id > other,
                    Condition::After(Place::At(time)) => at >= time,
                };
                is_met != *is_excluded
            })
    }

    /// See [`Query::find_in`].
    pub(in crate::store) fn find_in(
        &self,
        body: &str,
        details: Option<&Details>,
    ) -> Option<Matches> {
        self.query.find_in(body, details)
    }
}

/// The tokens of each message that has the text.
fn text_tokens(Text { units, is_prefix }: &Text) -> Vec<Vec<Token>> {
    let whole = units.needed_tokens(*is_prefix).into_iter().map(Token::Whole);
    let beginning = units
        .prefix()
        .filter(|_| *is_prefix)
        .filter(|beginning| beginning.chars().count() >= PREFIX_CHARS_MIN);
    let beginning = beginning.map(|beginning| Token::Beginning(beginning.to_owned()));
    whole.chain(beginning).map(|token| vec![token]).collect()
}

/// The token that a message has if, and only if, it has the text.
fn text_if_exact(Text { units, is_prefix }: &Text) -> Option<Token> {
    let tokens = units.needed_tokens(*is_prefix);
    tokens.into_iter().next().filter(|_| units.is_one_token()).map(Token::Whole)
}

/// Reads the messages around an id: some before it, the message itself, and some after it. They are
/// of one snapshot as far as the engine can tell: the message log only grows at its end.
pub struct ReadAround {
    /// The reader.
    pub reader: UserId,
    /// The id. The reader need not be able to read the message.
    pub around: MessageId,
    /// The bounds of the part up to the message, and of the part after it.
    pub bounds: (PageBounds, PageBounds),
    /// As in [`super::messages::ReadPage`].
    pub with: Option<MailboxName>,
}

impl Read for ReadAround {
    /// The part up to the message, and the part after it, each in the order of the message log.
    type Answer = Result<(Page, Page), Unreadable>;

    fn party(&self) -> Party {
        Some(self.reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each user is number 2, and each room number 7.
    struct Same;

    impl Names for Same {
        type Error = ();

        fn user(&mut self, _: &UserName) -> Result<Option<UserId>, ()> {
            Ok(Some(UserId(2)))
        }

        fn room(&mut self, _: &RoomName) -> Result<Result<RoomId, Unreadable>, ()> {
            Ok(Ok(RoomId(7)))
        }
    }

    fn wants_of(query: &str, rooms: std::ops::Range<i64>) -> Wants {
        let query = Query::parse(query).unwrap();
        let membership = |room| Membership {
            room: RoomId(room),
            joined_after: MessageId(3),
            sees_after: MessageId(3),
            left_upto: None,
            notify: crate::model::Notify::All,
        };
        let memberships: Vec<_> = rooms.map(membership).collect();
        let plan =
            Plan::make(&query, Readable::by(UserId(1), &memberships, Blocks::default()), Same);
        plan.unwrap().unwrap().wants()
    }

    fn wants(query: &str) -> Wants {
        wants_of(query, 0..0)
    }

    #[test]
    fn index_is_asked_for_what_every_found_message_has() {
        let whole = |token: &str| Token::Whole(token.to_owned());
        let one_of = |query: &str| wants(query).one_of;
        assert_eq!(wants("a").readable, [whole("to:1"), whole("from:1")]);
        assert_eq!(wants_of("a", 7..8).readable[2..], [whole("in:7")]);
        assert_eq!(one_of("Café"), [[whole("cafe")]]);
        assert_eq!(
            one_of("\"a b\" 東京都"),
            [[whole("a")], [whole("b")], [whole("京都")], [whole("東京")]]
        );
        assert_eq!(one_of("depl*"), [[Token::Beginning("depl".to_owned())]]);
        assert_eq!(one_of("de*"), Vec::<Vec<Token>>::new());
        assert_eq!(one_of("from:neko tag:ci"), [[whole("from:2")], [whole("tag:6369")]]);
        assert_eq!(one_of("with:neko"), [[whole("to:2"), whole("from:2")]]);
        assert_eq!(one_of("in:#x"), [[whole("in:7")]]);
        let none_of = |query: &str| Vec::from_iter(wants(query).none_of);
        assert_eq!(none_of("-a -tag:ci -\"a b\" -c* -from:neko"), [whole("a"), whole("tag:6369")]);
        assert_eq!(none_of(&format!("-{}", "a".repeat(70))), []);
        assert_eq!(none_of("-in:#x"), [whole("in:7")]);
    }

    #[test]
    fn index_is_not_asked_who_reads_if_that_is_many_mailboxes() {
        let count = |query: &str, rooms: i64| wants_of(query, 1..1 + rooms).groups().count();
        assert_eq!((count("a", 1), count("a", 2)), (2, 1));
        assert_eq!((count("-a", 1), count("-a", 2)), (1, 1));
    }
}
