//! Searching: the newest messages in the message log itself, and all others by the index of words.

use postgres::Row;

use crate::model::{CursorName, MailboxId, MessageId, RoomId, RoomName, UserId, UserName};
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::folding::folded;
use crate::store::postgres::operation::Query;
use crate::store::postgres::operations::{pages, users};
use crate::store::postgres::places::find_place;
use crate::store::postgres::reading::Reading;
use crate::store::postgres::session::Session;
use crate::store::postgres::words;
use crate::store::types::messages::{Changes, PageBounds, PageStart, ReadPage};
use crate::store::types::rooms::{Actor, Membership, Unreadable, Wanted, readable};
use crate::store::types::search::{
    Envelope, Names, Plan, ReadAround, Readable, SEARCHED_ROWS_MAX, SEARCHED_TEXTS_MAX, Search,
    SearchPage, Searched, Token, Wants,
};

/// How many messages of the message log one statement looks at.
const PART_ROWS_MAX: i64 = 256;
/// How many of the newest indexed messages are compared with the query one by one. A query that many
/// messages meet ends there; any other asks the index for all that it proposes.
const NEWEST_ROWS: i64 = 2_048;
/// How many proposed messages one statement returns.
const PROPOSED_MAX: i64 = 256;

/// The messages between two ids, the newest first, that the reader has sent, or that are in one of
/// the mailboxes. It looks at a number of messages, whoever may read them.
const LOG: &str = concat!(
    "
    WITH part AS MATERIALIZED (
        SELECT * FROM ",
    folded!(),
    " AS m WHERE id > $1 AND id < $2 ORDER BY id DESC LIMIT $4)
    SELECT m.id, m.sent_at, s.name, coalesce(r.name, x.name), m.body, m.details,
           m.sender_id, m.mailbox_id
      FROM part m
      JOIN chat.users s ON s.id = m.sender_id
      LEFT JOIN chat.users r ON r.id = m.mailbox_id
      LEFT JOIN chat.rooms x ON x.id = -m.mailbox_id
     WHERE m.sender_id = $3 OR m.mailbox_id = ANY ($5)
     ORDER BY m.id DESC"
);

/// How many messages [`LOG`] looks at, and the oldest of them.
const LOG_END: &str = concat!(
    "
    SELECT count(*), min(id) FROM (
        SELECT id FROM ",
    folded!(),
    " AS m WHERE id > $1 AND id < $2 ORDER BY id DESC LIMIT $3) AS part"
);

/// The newest indexed messages between two ids that the index proposes.
const NEWEST: &str = concat!(
    "
    SELECT m.id, m.sent_at, s.name, coalesce(r.name, x.name), m.body, m.details,
           m.sender_id, m.mailbox_id
      FROM (SELECT i.message_id
              FROM (SELECT * FROM chat.search WHERE message_id > $1 AND message_id < $2
                     ORDER BY message_id DESC LIMIT $5) AS i
             WHERE i.words @@ $3::text::tsquery ORDER BY i.message_id DESC LIMIT $4) AS i
      JOIN ",
    folded!(),
    " m ON m.id = i.message_id
      JOIN chat.users s ON s.id = m.sender_id
      LEFT JOIN chat.users r ON r.id = m.mailbox_id
      LEFT JOIN chat.rooms x ON x.id = -m.mailbox_id
     ORDER BY m.id DESC"
);

/// Where the messages end that [`NEWEST`] looks at.
const NEWEST_END: &str = "
    SELECT message_id FROM chat.search WHERE message_id > $1 AND message_id < $2
     ORDER BY message_id DESC LIMIT 1 OFFSET $3";

/// All that the index proposes between two ids, the newest first. The materialized part keeps the
/// planner from reading all messages in their order in the hope of an early end.
const PROPOSED: &str = concat!(
    "
    WITH i AS MATERIALIZED (
        SELECT message_id FROM chat.search WHERE words @@ $3::text::tsquery)
    SELECT m.id, m.sent_at, s.name, coalesce(r.name, x.name), m.body, m.details,
           m.sender_id, m.mailbox_id
      FROM (SELECT message_id FROM i WHERE message_id > $1 AND message_id < $2
             ORDER BY message_id DESC LIMIT $4) AS i
      JOIN ",
    folded!(),
    " m ON m.id = i.message_id
      JOIN chat.users s ON s.id = m.sender_id
      LEFT JOIN chat.users r ON r.id = m.mailbox_id
      LEFT JOIN chat.rooms x ON x.id = -m.mailbox_id
     ORDER BY m.id DESC"
);

impl Query for Search {
    fn query(&self, session: &mut Session) -> Result<Searched> {
        // What came after this moment is not looked at: a membership may have ended before it.
        let reading = Reading::find(session, self.reader, &CursorName::inbox())?;
        let readable = Readable::by(self.reader, &reading.memberships, reading.blocks.clone());
        let rooms = readable.rooms().map(|mailbox| mailbox.0);
        let mailboxes = Vec::from_iter(rooms.chain([self.reader.0]));
        let finder = Finder {
            reader: self.reader,
            memberships: &reading.memberships,
            session: &mut *session,
        };
        let plan = Plan::make(&self.query, readable, finder)?;
        let plan = match plan {
            Ok(plan) => plan,
            Err(answer) => return Ok(answer),
        };
        let indexed = words::upto(session)?.unwrap_or(MessageId::ZERO);
        let next = MessageId(reading.head.0.saturating_add(1));
        let (after, before) = plan.range(self.before.min(next));
        let found = SearchPage::default();
        let mut page = Page { search: self, plan: &plan, mailboxes, texts: 0, size: 0, found };
        let is_open = page.search_log(session, (indexed.max(after), before))?;
        if is_open && after < indexed {
            let before = before.min(MessageId(indexed.0.saturating_add(1)));
            page.search_index(session, (after, before))?;
        }
        Ok(Searched::Page(page.found))
    }
}

/// Finds what a query names.
struct Finder<'a> {
    session: &'a mut Session,
    reader: UserId,
    memberships: &'a [Membership],
}

impl Names for Finder<'_> {
    type Error = Error;

    fn user(&mut self, name: &UserName) -> Result<Option<UserId>> {
        users::id_of(self.session, name)
    }

    fn room(&mut self, name: &RoomName) -> Result<std::result::Result<RoomId, Unreadable>> {
        let found = find_place(self.session, Actor::User(self.reader), name)?;
        Ok(readable(found, self.memberships))
    }
}

impl Query for ReadAround {
    fn query(&self, session: &mut Session) -> Result<Self::Answer> {
        let mut read = |start, bounds: &PageBounds| {
            let (reader, with) = (self.reader, self.with.clone());
            let bounds = PageBounds { ..*bounds };
            let (wanted, since, filter) = (Wanted::All, None, Default::default());
            let changes = Changes::Folded;
            ReadPage { reader, start, with, wanted, since, filter, changes, bounds }.query(session)
        };
        let next = MessageId(self.around.0.saturating_add(1));
        let upto = match read(PageStart::Before(next), &self.bounds.0)? {
            Ok(upto) => upto,
            Err(unreadable) => return Ok(Err(unreadable)),
        };
        let after = read(PageStart::After(self.around), &self.bounds.1)?;
        Ok(after.map(|after| (upto, after)))
    }
}

/// A page under construction.
struct Page<'a> {
    search: &'a Search,
    plan: &'a Plan<'a>,
    /// The reader's own mailbox and those of rooms.
    mailboxes: Vec<i64>,
    /// How many texts were compared.
    texts: usize,
    size: usize,
    found: SearchPage,
}

impl Page<'_> {
    /// Searches the messages between two ids, the newest first. Returns whether the page goes on.
    fn search_log(
        &mut self,
        session: &mut Session,
        (after, mut before): (MessageId, MessageId),
    ) -> Result<bool> {
        let (reader, mut looked_at) = (self.search.reader.0, 0_usize);
        while after < before {
            if looked_at >= SEARCHED_ROWS_MAX {
                self.found.more = true;
                return Ok(false);
            }
            // The end comes first: a message that is purged in between is not missed but gone.
            let end = session.query_one(LOG_END, &[&after.0, &before.0, &PART_ROWS_MAX])?;
            let (count, oldest): (i64, Option<i64>) = (end.get(0), end.get(1));
            let Some(oldest) = oldest.map(MessageId) else { return Ok(true) };
            let from = MessageId(oldest.0 - 1);
            let mailboxes = &self.mailboxes;
            let rows =
                session.query(LOG, &[&from.0, &before.0, &reader, &PART_ROWS_MAX, mailboxes])?;
            for row in &rows {
                if !self.take(row)? {
                    return Ok(false);
                }
            }
            self.found.upto = Some(oldest);
            looked_at += usize::try_from(count).unwrap_or(0);
            before = oldest;
        }
        Ok(true)
    }

    /// Searches the indexed messages between two ids, the newest first.
    fn search_index(
        &mut self,
        session: &mut Session,
        (after, before): (MessageId, MessageId),
    ) -> Result<()> {
        let wanted = expression(&self.plan.wants());
        let end = session.query_opt(NEWEST_END, &[&after.0, &before.0, &(NEWEST_ROWS - 1)])?;
        // Where the newest messages end, the others begin.
        let end = end.map_or(after, |row| MessageId(row.get::<_, i64>(0) - 1));
        if self.propose(session, NEWEST, (end, before), &wanted)? && after < end {
            let before = MessageId(end.0.saturating_add(1));
            self.propose(session, PROPOSED, (after, before), &wanted)?;
        }
        Ok(())
    }

    /// Looks at the messages that a statement proposes. Returns whether the page goes on.
    fn propose(
        &mut self,
        session: &mut Session,
        sql: &'static str,
        (after, mut before): (MessageId, MessageId),
        wanted: &str,
    ) -> Result<bool> {
        let mut looked_at = 0;
        loop {
            if looked_at >= SEARCHED_ROWS_MAX {
                self.found.more = true;
                return Ok(false);
            }
            let rows = if sql == NEWEST {
                session.query(sql, &[&after.0, &before.0, &wanted, &PROPOSED_MAX, &NEWEST_ROWS])?
            } else {
                session.query(sql, &[&after.0, &before.0, &wanted, &PROPOSED_MAX])?
            };
            for row in &rows {
                before = MessageId(row.get(0));
                if !self.take(row)? {
                    return Ok(false);
                }
            }
            looked_at += rows.len();
            if i64::try_from(rows.len()).is_ok_and(|count| count < PROPOSED_MAX) {
                return Ok(true);
            }
        }
    }

    /// Looks at a message. Returns whether the page goes on.
    fn take(&mut self, row: &Row) -> Result<bool> {
        let message = pages::message(row)?;
        let (sender, mailbox) = (UserId(row.get(6)), MailboxId(row.get(7)));
        let envelope = Envelope { id: message.id, at: message.at, sender, mailbox };
        if self.plan.allows(envelope) {
            if self.texts >= SEARCHED_TEXTS_MAX {
                self.found.more = true;
                return Ok(false);
            }
            self.texts += 1;
            let details = message.details.as_deref();
            if let Some(matches) = self.plan.find_in(message.body.as_str(), details)
                && !self.found.take(&self.search.bounds, &mut self.size, (message, matches))
            {
                return Ok(false);
            }
        }
        self.found.upto = Some(envelope.id);
        Ok(true)
    }
}

/// The query for `tsvector`. A token has neither a quotation mark nor a backslash.
fn expression(wants: &Wants) -> String {
    let quoted = |token: &Token| match token {
        Token::Whole(text) => format!("'{text}'"),
        Token::Beginning(text) => format!("'{text}':*"),
    };
    let all = wants.groups().map(|tokens| {
        let tokens: Vec<_> = tokens.iter().map(quoted).collect();
        format!("({})", tokens.join(" | "))
    });
    let none = wants.none_of.iter().map(|token| format!("!{}", quoted(token)));
    Vec::from_iter(all.chain(none)).join(" & ")
}
