//! Searching: the newest messages in the message log itself, and all others by the index of words.

use std::collections::HashMap;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use crate::model::{
    Body, Details, MailboxId, MailboxName, Message, MessageId, RoomId, RoomName, Timestamp, UserId,
    UserName,
};
use crate::search::Matches;
use crate::store::sqlite::changed::FindMessage;
use crate::store::sqlite::operation::{Query, ReadContext};
use crate::store::sqlite::operations::{blocks, users};
use crate::store::sqlite::projection::words;
use crate::store::sqlite::rooms;
use crate::store::sqlite::row;
use crate::store::types::messages::{Changes, PageStart, ReadPage};
use crate::store::types::rooms::{Actor, Membership, Unreadable, Wanted, readable};
use crate::store::types::search::{
    Envelope, Names, Plan, ReadAround, Readable, SEARCHED_ROWS_MAX, SEARCHED_TEXTS_MAX, Search,
    SearchPage, Searched, Token, Wants,
};

const ONE: [&str; 2] = [
    "SELECT id, sent_at, sender_id, recipient_id, body, details FROM messages WHERE id = ?1",
    "SELECT id, sent_at, sender_id, recipient_id, body, details FROM folded_messages WHERE id = ?1",
];

impl Query for Search {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Searched> {
        let connection = context.connection;
        let memberships = rooms::memberships_of(connection, self.reader)?;
        let blocks = blocks::of(connection, self.reader)?;
        let readable = Readable::by(self.reader, &memberships, blocks);
        let names = Finder { connection, reader: self.reader, memberships: &memberships };
        let plan = Plan::make(&self.query, readable, names)?;
        let plan = match plan {
            Ok(plan) => plan,
            Err(answer) => return Ok(answer),
        };
        let indexed = words::upto(connection)?.unwrap_or(MessageId::ZERO);
        let (after, before) = plan.range(self.before);
        let mut page = Page::new(connection, &self, &plan);
        let is_open = page.search_log((indexed.max(after), before))?;
        if is_open && after < indexed {
            page.search_index((after, before.min(MessageId(indexed.0.saturating_add(1)))))?;
        }
        Ok(Searched::Page(page.found))
    }
}

/// Finds what a query names.
struct Finder<'a> {
    connection: &'a Connection,
    reader: UserId,
    memberships: &'a [Membership],
}

impl Names for Finder<'_> {
    type Error = rusqlite::Error;

    fn user(&mut self, name: &UserName) -> rusqlite::Result<Option<UserId>> {
        users::id_of(self.connection, name)
    }

    fn room(&mut self, name: &RoomName) -> rusqlite::Result<Result<RoomId, Unreadable>> {
        let found = rooms::place(self.connection, Actor::User(self.reader), name)?;
        Ok(readable(found, self.memberships))
    }
}

impl Query for ReadAround {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Self::Answer> {
        let Self { reader, around, bounds: (upto, after), with } = self;
        let read = |start, with, bounds| {
            let (wanted, since, filter) = (Wanted::All, None, Default::default());
            let changes = Changes::Folded;
            ReadPage { reader, start, with, wanted, since, filter, changes, bounds }.query(context)
        };
        let next = MessageId(around.0.saturating_add(1));
        let upto = match read(PageStart::Before(next), with.clone(), upto)? {
            Ok(upto) => upto,
            Err(unreadable) => return Ok(Err(unreadable)),
        };
        let after = read(PageStart::After(around), with, after)?;
        Ok(after.map(|after| (upto, after)))
    }
}

/// Words with the same beginning that occur more often are not looked up by their beginning.
const BEGINNING_ROWS_MAX: i64 = if cfg!(test) { 4 } else { 16_384 };

/// A page under construction.
struct Page<'a> {
    connection: &'a Connection,
    search: &'a Search,
    plan: &'a Plan<'a>,
    senders: HashMap<UserId, Option<UserName>>,
    mailboxes: HashMap<MailboxId, Option<MailboxName>>,
    /// How many texts were compared.
    texts: usize,
    size: usize,
    found: SearchPage,
}

impl<'a> Page<'a> {
    fn new(connection: &'a Connection, search: &'a Search, plan: &'a Plan<'a>) -> Self {
        let (senders, mailboxes) = (HashMap::new(), HashMap::new());
        let found = SearchPage::default();
        Self { connection, search, plan, senders, mailboxes, texts: 0, size: 0, found }
    }

    /// Searches the messages between two ids, the newest first. Returns whether the page goes on.
    fn search_log(&mut self, (after, before): (MessageId, MessageId)) -> rusqlite::Result<bool> {
        let connection = self.connection;
        let mut select = connection.prepare_cached(
            "SELECT id, sent_at, sender_id, recipient_id, body, details FROM folded_messages
              WHERE id > ?1 AND id < ?2 ORDER BY id DESC",
        )?;
        let mut rows = select.query([after.0, before.0])?;
        let mut looked_at = 0;
        while let Some(row) = rows.next()? {
            if looked_at >= SEARCHED_ROWS_MAX {
                self.found.more = true;
                return Ok(false);
            }
            looked_at += 1;
            if !self.take(row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Searches the indexed messages between two ids, the newest first.
    fn search_index(&mut self, (after, before): (MessageId, MessageId)) -> rusqlite::Result<()> {
        let connection = self.connection;
        let mut propose = connection.prepare_cached(
            "SELECT rowid FROM search WHERE search MATCH ?1 AND rowid > ?2 AND rowid < ?3
              ORDER BY rowid DESC",
        )?;
        let mut find = FindMessage::prepare(connection, ONE)?;
        let mut wants = self.plan.wants();
        let mut is_asked = Vec::with_capacity(wants.one_of.len());
        for tokens in &wants.one_of {
            is_asked.push(!has_frequent_beginning(connection, tokens)?);
        }
        let mut is_asked = is_asked.into_iter();
        wants.one_of.retain(|_| is_asked.next().unwrap_or(true));
        let expression = expression(&wants);
        let mut proposed = propose.query((expression, after.0, before.0))?;
        let mut looked_at = 0;
        while let Some(row) = proposed.next()? {
            if looked_at >= SEARCHED_ROWS_MAX {
                self.found.more = true;
                break;
            }
            looked_at += 1;
            let id = MessageId(row.get(0)?);
            let mut rows = find.of(id)?.query([id.0])?;
            if let Some(row) = rows.next()?
                && !self.take(row)?
            {
                break;
            }
        }
        Ok(())
    }

    /// Looks at a message. Returns whether the page goes on.
    fn take(&mut self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let envelope = Envelope {
            id: MessageId(row.get(0)?),
            at: Timestamp(row.get(1)?),
            sender: UserId(row.get(2)?),
            mailbox: MailboxId(row.get(3)?),
        };
        if self.plan.allows(envelope) {
            if self.texts >= SEARCHED_TEXTS_MAX {
                self.found.more = true;
                return Ok(false);
            }
            self.texts += 1;
            // Most messages have no details.
            let details = match row.get_ref(5)? {
                ValueRef::Null => None,
                _ => row::details(row, 5)?,
            };
            let body = row.get_ref(4)?.as_str()?;
            if let Some(matches) = self.plan.find_in(body, details.as_deref())
                && let Some(message) = self.message(envelope, body, details)?
            {
                let hit: (Message, Matches) = (message, matches);
                if !self.found.take(&self.search.bounds, &mut self.size, hit) {
                    return Ok(false);
                }
            }
        }
        self.found.upto = Some(envelope.id);
        Ok(true)
    }

    /// The message. `None` if its sender or its mailbox does not exist.
    fn message(
        &mut self,
        envelope: Envelope,
        body: &str,
        details: Option<Box<Details>>,
    ) -> rusqlite::Result<Option<Message>> {
        let Envelope { id, at, sender, mailbox } = envelope;
        let (Some(from), Some(to)) = (self.sender(sender)?, self.mailbox(mailbox)?) else {
            return Ok(None);
        };
        let body = Body::try_from(Box::<str>::from(body));
        let body = body.map_err(|error| row::not_a_value(4, error))?;
        let details = details.map(|details| details.of_sent(at));
        Ok(Some(Message { id, at, from, to, body, details }))
    }

    fn sender(&mut self, user: UserId) -> rusqlite::Result<Option<UserName>> {
        if let Some(name) = self.senders.get(&user) {
            return Ok(name.clone());
        }
        let name = users::name_of(self.connection, user)?;
        self.senders.insert(user, name.clone());
        Ok(name)
    }

    fn mailbox(&mut self, mailbox: MailboxId) -> rusqlite::Result<Option<MailboxName>> {
        if let Some(name) = self.mailboxes.get(&mailbox) {
            return Ok(name.clone());
        }
        let name = match mailbox.room() {
            Some(room) => rooms::name_of(self.connection, room)?.map(MailboxName::from),
            None => users::name_of(self.connection, UserId(mailbox.0))?.map(MailboxName::from),
        };
        self.mailboxes.insert(mailbox, name.clone());
        Ok(name)
    }
}

/// Whether one of the tokens is the beginning of words that occur often. FTS5 would collect all their
/// messages before it proposes the first one. Without it, most messages that are compared have one.
fn has_frequent_beginning(connection: &Connection, tokens: &[Token]) -> rusqlite::Result<bool> {
    let mut count = connection.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM search_tokens WHERE term >= ?1 AND term <= ?2 LIMIT ?3)",
    )?;
    for token in tokens {
        if let Token::Beginning(text) = token {
            let last = format!("{text}\u{10ffff}");
            let found: i64 = count.query_row((text, last, BEGINNING_ROWS_MAX), |row| row.get(0))?;
            if found >= BEGINNING_ROWS_MAX {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// What FTS5 is asked for. A token has no quotation mark.
fn expression(wants: &Wants) -> String {
    let quoted = |token: &Token| match token {
        Token::Whole(text) => format!("\"{text}\""),
        Token::Beginning(text) => format!("\"{text}\" *"),
    };
    let any = |tokens: Vec<String>| format!("({})", tokens.join(" OR "));
    let all: Vec<_> = wants.groups().map(|it| any(it.iter().map(quoted).collect())).collect();
    let all = all.join(" AND ");
    match wants.none_of.is_empty() {
        true => all,
        false => format!("({all}) NOT {}", any(wants.none_of.iter().map(quoted).collect())),
    }
}
