//! The tailer: a thread that reads what any node has written, and passes it on.
//!
//! PostgreSQL wakes it (`NOTIFY`). It also looks by itself, because a broken connection loses
//! notifications silently. Its heartbeat is the lease of the node.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgres::Row;
use postgres::fallible_iterator::FallibleIterator;

use crate::model::{MailboxId, MessageId, Timestamp, UserId};
use crate::store::cache::live_messages::LiveMessage;
use crate::store::events::Event;
use crate::store::operation::Write;
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::folding::folded;
use crate::store::postgres::link::Link;
use crate::store::postgres::notices;
use crate::store::postgres::operation::{Apply, Called, WriteContext, only_called};
use crate::store::postgres::operations::pages;
use crate::store::postgres::operations::tokens::token_hash;
use crate::store::postgres::schema;
use crate::store::postgres::session::Session;
use crate::store::postgres::shared::Shared;
use crate::system::since_boot;

/// How often the tailer looks without being woken.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How often a node is heard.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
/// How often old rows are removed.
const CLEANING_INTERVAL: Duration = Duration::from_secs(60);
/// A time of the database that may be wrong by more than this is not used.
const CLOCK_DOUBT_MAX: Duration = Duration::from_millis(250);
/// The most messages that one look reads.
const MESSAGES_MAX: i64 = 1_024;

/// Records that this node knows of all changes up to this one. It is executed after the operations
/// that were submitted before the node knew of them.
pub(in crate::store) struct NoteSeen(pub(in crate::store) i64);

impl Write for NoteSeen {
    type Answer = ();
}

impl Apply for NoteSeen {
    /// Without the log's lock: the order of the writer is enough.
    fn call(&self, context: &mut WriteContext<'_>) -> Option<Result<Called<()>>> {
        let noted = context.session.query_one(
            "WITH noted AS (UPDATE chat.nodes SET seen_changes = greatest(seen_changes, $2)
                             WHERE id = $1)
             SELECT pg_notify('chat', 'seen')",
            &[&context.node, &self.0],
        );
        Some(noted.map(|_| ((), None)))
    }

    fn apply(&self, _: &mut WriteContext<'_>) -> Result<()> {
        only_called()
    }
}

/// Messages that a look has found.
struct NewMessages {
    /// When it looked.
    asked: Instant,
    /// How far it looked.
    upto: MessageId,
    /// The messages, and the edits and deletions of others in the same mailbox.
    committed: Vec<(MailboxId, MessageId)>,
    /// The messages that somebody watches. One that is missing is read from the database.
    texts: Vec<LiveMessage>,
    /// There are more.
    has_more: bool,
}

/// The tailer. [`Self::run`] is its thread.
pub(in crate::store) struct Tailer {
    link: Link,
    shared: Arc<Shared>,
    /// Submits [`NoteSeen`].
    note_seen: Box<dyn Fn(NoteSeen) + Send>,
    /// The newest change that was passed on.
    seen: i64,
    is_listening: bool,
    heard: Instant,
    cleaned: Instant,
    looked_at_cursors: Instant,
}

impl Tailer {
    pub(in crate::store) fn new(
        link: Link,
        shared: Arc<Shared>,
        seen: i64,
        note_seen: Box<dyn Fn(NoteSeen) + Send>,
    ) -> Self {
        let now = Instant::now();
        Self {
            link,
            shared,
            note_seen,
            seen,
            is_listening: false,
            heard: now,
            cleaned: now,
            looked_at_cursors: now,
        }
    }

    /// Works until the store closes. Then it signs the node off.
    pub(in crate::store) fn run(mut self) {
        while !self.shared.is_closing() {
            if let Err(error) = self.look_and_wait() {
                self.link.drop_session(&error);
                self.is_listening = false;
                match error {
                    Error::Outdated => std::thread::sleep(HEARTBEAT_INTERVAL),
                    error if error.is_lost() => {}
                    _ => std::thread::sleep(POLL_INTERVAL),
                }
            }
        }
        let node = self.shared.node;
        let left = self
            .link
            .session()
            .and_then(|session| session.execute("DELETE FROM chat.nodes WHERE id = $1", &[&node]));
        if let Err(error) = left {
            tracing::warn!(%error, "the server did not sign off; its lease ends by itself");
        }
    }

    fn look_and_wait(&mut self) -> Result<()> {
        if !self.link.is_open() {
            self.is_listening = false;
        }
        if !self.is_listening {
            self.link.session()?.client.batch_execute("LISTEN chat")?;
            self.is_listening = true;
        }
        self.beat()?;
        let has_more = self.pass_on()?;
        self.answer_changes()?;
        self.look_at_cursors()?;
        self.clean()?;
        if has_more || self.shared.is_closing() {
            return Ok(());
        }
        let (node, session) = (self.shared.node, self.link.session()?);
        let mut notifications = session.client.notifications();
        let mut next = notifications.timeout_iter(POLL_INTERVAL).next()?;
        // One look is enough for all that have come.
        while let Some(notification) = next {
            if let Some(event) = notices::heard(&notification, node) {
                if let Event::Read(user, None, upto) = event {
                    self.shared.followed.note(user, upto);
                }
                self.shared.tell(event);
            }
            next = notifications.iter().next()?;
        }
        Ok(())
    }

    /// Is heard once a second, with a write that waits for the standbys.
    fn beat(&mut self) -> Result<()> {
        if self.heard.elapsed() < HEARTBEAT_INTERVAL && self.shared.has_lease() {
            return Ok(());
        }
        let asked = since_boot();
        let (shared, seen) = (&self.shared, self.seen);
        let session = self.link.session()?;
        // A node that was silent for an hour was removed. One that the schema no longer supports
        // gets no lease.
        let heard = session.query_opt(
            "INSERT INTO chat.nodes AS n (id, name, started_at, heard_at, seen_changes)
             SELECT $1, '', t.now, t.now, $2 FROM (SELECT chat.now_ms() AS now) AS t
              WHERE $3 >= (SELECT value::bigint FROM chat.meta WHERE name = 'oldest_server')
                 ON CONFLICT (id) DO UPDATE SET heard_at = excluded.heard_at
             RETURNING n.id",
            &[&shared.node, &seen, &(schema::newest() as i64)],
        )?;
        session.check_replicated()?;
        if heard.is_none() {
            return Err(Error::Outdated);
        }
        // After a gap the node may have missed changes. It may answer again once it knows them.
        if !self.shared.has_lease() {
            self.pass_on()?;
        }
        self.shared.renew_lease(asked);
        self.heard = Instant::now();
        self.read_clock()
    }

    /// Reads the clock of the database.
    fn read_clock(&mut self) -> Result<()> {
        let (time, read, doubt) = self.link.session()?.time()?;
        if doubt < CLOCK_DOUBT_MAX {
            self.shared.set_time(read, time);
        }
        Ok(())
    }

    /// Passes on what others have written. Returns whether there is more.
    ///
    /// The changes are read after the messages, but a stream forgets the rooms that its user has left
    /// before it gets the messages: so none that came after the user had left. The memory of messages
    /// is cleared after they were added, because they may have been read before the change.
    fn pass_on(&mut self) -> Result<bool> {
        let log = self.read_log()?;
        let changes = self.read_changes()?;
        self.change_memberships(&changes);
        let mut has_more = self.pass_messages_on(log);
        has_more |= self.pass_changes_on(&changes)?;
        Ok(has_more)
    }

    /// Reads the messages that this node does not know of.
    fn read_log(&mut self) -> Result<NewMessages> {
        let (tail, asked) = (self.shared.tail(), Instant::now());
        let session = self.link.session()?;
        let head = session.query_one("SELECT chat.head($1)", &[&LANE])?.get::<_, i64>(0);
        self.shared.lag.note_head(head);
        let mut new = NewMessages {
            asked,
            upto: tail,
            committed: Vec::new(),
            texts: Vec::new(),
            has_more: false,
        };
        if head <= tail.0 {
            return Ok(new);
        }
        let rows = session.query(
            "SELECT id, mailbox_id FROM chat.messages WHERE id > $1 AND id <= $2
              UNION ALL
             SELECT id, mailbox_id FROM chat.message_changes WHERE id > $1 AND id <= $2
              ORDER BY id LIMIT $3",
            &[&tail.0, &head, &MESSAGES_MAX],
        )?;
        let copy = |row: &Row| (MailboxId(row.get(1)), MessageId(row.get(0)));
        new.committed = rows.iter().map(copy).collect();
        // An inbox that is watched only from now on reads these from the database.
        let live = &self.shared.live;
        let watched = new.committed.iter().filter(|(mailbox, _)| live.is_watched(*mailbox));
        let watched: Vec<i64> = watched.map(|(_, id)| id.0).collect();
        new.texts = texts(session, &watched, self.shared.time())?;
        new.has_more = is_full(&rows);
        new.upto = match new.committed.last() {
            Some(&(_, last)) if new.has_more => last,
            _ => MessageId(head),
        };
        Ok(new)
    }

    /// Passes messages on that others have stored. Returns whether there are more.
    fn pass_messages_on(&mut self, new: NewMessages) -> bool {
        self.shared.extend_from_log(new.upto, &new.committed, new.texts);
        let mut told = HashSet::new();
        for (mailbox, _) in new.committed {
            if told.insert(mailbox) {
                self.shared.tell(Event::Messages(mailbox));
            }
        }
        if !new.has_more {
            self.shared.lag.note_caught_up(new.asked);
        }
        new.has_more
    }

    /// Reads the changes that make memory untrue.
    fn read_changes(&mut self) -> Result<Vec<Row>> {
        self.link.session()?.query(
            "SELECT id, kind, user_id, token_hash FROM chat.changes
              WHERE id > $1 ORDER BY id LIMIT $2",
            &[&self.seen, &MESSAGES_MAX],
        )
    }

    /// Whether no change is missing before these, or among them.
    fn are_complete(&self, changes: &[Row]) -> bool {
        changes.first().is_none_or(|row| row.get::<_, i64>(0) == self.seen + 1)
    }

    /// What streams follow is out of date once memberships have changed.
    fn change_memberships(&self, changes: &[Row]) {
        let live = &self.shared.live;
        if !self.are_complete(changes) || is_full(changes) {
            return live.change_memberships(None);
        }
        // A stream also looks for mentions of its reader's name.
        let of_streams = changes.iter().filter(|row| matches!(row.get(1), "room" | "user"));
        let users = of_streams.filter_map(|row| row.get::<_, Option<i64>>(2));
        let users: Vec<UserId> = users.map(UserId).collect();
        live.change_memberships(Some(&users));
    }

    /// Passes changes on. Returns whether there are more.
    fn pass_changes_on(&mut self, changes: &[Row]) -> Result<bool> {
        let Some(last) = changes.last() else { return Ok(false) };
        let newest: i64 = last.get(0);
        let is_complete = self.are_complete(changes);
        let is_of_messages = |row: &Row| !matches!(row.get(1), "session" | "room");
        if changes.iter().any(is_of_messages) || !is_complete {
            self.shared.live.clear();
        }
        if !is_complete {
            // After more than an hour, changes are gone that this node has never seen.
            self.shared.tell(Event::Everything);
        }
        for row in changes {
            let user = row.get::<_, Option<i64>>(2).map(UserId);
            match (row.get::<_, &str>(1), user) {
                ("session", Some(user)) => {
                    self.shared.tell(Event::SessionEnded(user, token_hash(row, 3)?));
                }
                ("user", Some(user)) => {
                    self.shared.tell(Event::UserChanged(user));
                    self.shared.tell(Event::Messages(user.into()));
                }
                (_, Some(user)) => self.shared.tell(Event::Messages(user.into())),
                _ => {}
            }
        }
        self.seen = newest;
        (self.note_seen)(NoteSeen(newest));
        Ok(is_full(changes))
    }

    /// Gives the answers that every node may know now.
    fn answer_changes(&mut self) -> Result<()> {
        if !self.shared.has_waiting() {
            return Ok(());
        }
        let node = self.shared.node;
        let session = self.link.session()?;
        let row = session.query_one("SELECT chat.seen_everywhere($1, $2)", &[&LANE, &node])?;
        self.shared.answer_upto(row.get(0));
        Ok(())
    }

    /// Looks at the cursors that are followed, a few times a second.
    fn look_at_cursors(&mut self) -> Result<()> {
        if self.looked_at_cursors.elapsed() < POLL_INTERVAL {
            return Ok(());
        }
        self.looked_at_cursors = Instant::now();
        let (session, shared) = (self.link.session()?, &self.shared);
        shared.followed.look(session, |event| shared.tell(event))
    }

    /// Removes rows that nobody needs any more: of commits, changes and nodes of an hour ago.
    fn clean(&mut self) -> Result<()> {
        if self.cleaned.elapsed() < CLEANING_INTERVAL {
            return Ok(());
        }
        self.cleaned = Instant::now();
        let session: &mut Session = self.link.session()?;
        session.query_one("SELECT chat.clean($1), chat.clean_moves($1)", &[&LANE]).map(drop)
    }
}

/// Whether there may be more rows than these.
fn is_full(rows: &[Row]) -> bool {
    i64::try_from(rows.len()).is_ok_and(|count| count >= MESSAGES_MAX)
}

/// The messages with these ids. It is `now` by the clock of the database.
fn texts(session: &mut Session, ids: &[i64], now: Timestamp) -> Result<Vec<LiveMessage>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = session.query(
        concat!(
            "SELECT m.id, m.sent_at, s.name, coalesce(r.name, x.name), m.body, m.details,
                    m.sender_id
               FROM ",
            folded!(),
            " m
           JOIN chat.users s ON s.id = m.sender_id
           LEFT JOIN chat.users r ON r.id = m.mailbox_id
           LEFT JOIN chat.rooms x ON x.id = -m.mailbox_id
          WHERE m.id = ANY ($1) ORDER BY m.id"
        ),
        &[&ids],
    )?;
    let text = |row: &Row| {
        let (sender, message) = (UserId(row.get(6)), pages::message(row)?);
        Ok(LiveMessage::new(sender, message, now, since_boot()))
    };
    rows.iter().map(text).collect()
}
