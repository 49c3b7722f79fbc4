//! An author who edits and deletes messages while the server is killed.

use std::net::SocketAddr;

use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::json;

use super::requests::Requests;
use crate::load::{Client, name, text};
use crate::support::Wire;

/// To whom the author writes.
pub const TO: &[&str] = &["neko"];
/// How many messages are read again over the wire: the newest ones.
const READ_AGAIN: usize = 20;

/// What was acknowledged of the author's messages.
pub struct Author {
    token: String,
    reader: String,
    messages: Vec<Written>,
    /// A change without an answer: which of the messages, and whether it is a deletion.
    doubt: Option<(usize, bool)>,
}

struct Written {
    id: i64,
    /// Its name, as that of each message of the load.
    name: String,
    edits: usize,
    is_deleted: bool,
}

impl Written {
    /// Its text after so many edits.
    fn text(&self, edits: usize) -> String {
        match edits {
            0 => text(&self.name),
            _ => text(&format!("{}-edit-{edits}", self.name)),
        }
    }
}

impl Author {
    pub fn begin(wire: &mut Wire, token: &str) -> Self {
        let (token, reader) = (token.to_owned(), wire.log_in(TO[0]));
        Self { token, reader, messages: Vec::new(), doubt: None }
    }

    /// Writes, edits and deletes until the connection breaks, or an answer does not count any more.
    pub fn change_messages(
        &mut self,
        poster: &mut Client,
        address: SocketAddr,
        counts: &impl Fn() -> bool,
    ) {
        poster.unanswered.splice(0..0, poster.unheard.drain(..));
        let Some(mut server) = Requests::to(address, counts) else { return };
        while let Some(&message) = poster.unanswered.first() {
            if self.post(poster, message, &mut server).is_none() {
                return;
            }
        }
        // The same request again: it is done once.
        if self.doubt.is_some() && self.settle(&mut server).is_none() {
            return;
        }
        while self.write_once(poster, &mut server).is_some() {}
    }

    /// `None` if an answer does not come or does not count.
    fn write_once(
        &mut self,
        poster: &mut Client,
        server: &mut Requests<impl Fn() -> bool>,
    ) -> Option<()> {
        let message = poster.make();
        self.post(poster, message, server)?;
        let newest = self.messages.len() - 1;
        for place in [newest, newest, newest / 2] {
            if !self.messages[place].is_deleted {
                self.doubt = Some((place, false));
                self.settle(server)?;
            }
        }
        if newest.is_multiple_of(3) {
            self.doubt = Some((newest, true));
            self.settle(server)?;
        }
        Some(())
    }

    fn post(
        &mut self,
        poster: &mut Client,
        message: usize,
        server: &mut Requests<impl Fn() -> bool>,
    ) -> Option<()> {
        let id = server.post(poster, &self.token, message)?;
        let name = name(poster.number, message);
        self.messages.push(Written { id, name, edits: 0, is_deleted: false });
        Some(())
    }

    /// Asks for the change, and notes its answer.
    fn settle(&mut self, server: &mut Requests<impl Fn() -> bool>) -> Option<()> {
        let (place, is_deletion) = self.doubt?;
        let message = &mut self.messages[place];
        if is_deletion {
            server.done(&format!("delete {} {}", self.token, json!({"id": message.id})))?;
            message.is_deleted = true;
        } else {
            let number = message.edits + 1;
            let key = format!("{}-edit-{number}", message.name);
            let edit = json!({"id": message.id, "key": key, "body": message.text(number)});
            server.done(&format!("edit {} {edit}", self.token))?;
            message.edits = number;
        }
        self.doubt = None;
        Some(())
    }

    /// Each message is as its acknowledged changes have made it. The one without an answer was made,
    /// or not.
    pub fn check(&self, address: SocketAddr, database: &Connection) {
        let mut shown = database.prepare("SELECT body FROM v2_messages WHERE id = ?1").unwrap();
        let mut count = database.prepare(COUNT).unwrap();
        let mut all = 0;
        for (place, message) in self.messages.iter().enumerate() {
            let found: Option<String> =
                shown.query_row([message.id], |row| row.get(0)).optional().unwrap();
            let (edits, deletions) = count
                .query_row([message.id], |row| Ok((number(row, 0)?, number(row, 1)?)))
                .unwrap();
            let done = (message.edits, usize::from(message.is_deleted));
            let perhaps = match self.doubt {
                Some((of, true)) if of == place => (done.0, 1),
                Some((of, false)) if of == place => (done.0 + 1, done.1),
                _ => done,
            };
            let name = &message.name;
            assert!([done, perhaps].contains(&(edits, deletions)), "{name}: {edits}, {deletions}");
            let expected = (deletions == 0).then(|| message.text(edits));
            assert_eq!(found, expected, "{name}");
            all += edits + deletions;
        }
        let stored = database
            .query_row("SELECT count(*) FROM v2_changes", [], |row| number(row, 0))
            .unwrap();
        assert_eq!(stored, all, "nobody else has changed anything");
        self.read_again(address, &mut shown);
    }

    /// The reader finds the newest messages as the database has them.
    fn read_again(&self, address: SocketAddr, shown: &mut rusqlite::Statement<'_>) {
        let mut wire = Wire::connect(address);
        for message in self.messages.iter().rev().take(READ_AGAIN) {
            let fields = json!({"with": "paff", "after": message.id - 1, "limit": 1});
            let page = wire.done(format!("fetch {} {fields}", self.reader));
            let first = page["messages"].get(0).filter(|first| first["id"] == message.id);
            let read = first.map(|first| first["body"].as_str().unwrap().to_owned());
            let stored: Option<String> =
                shown.query_row([message.id], |row| row.get(0)).optional().unwrap();
            assert_eq!(read, stored, "{}", message.name);
        }
    }
}

fn number(row: &Row<'_>, index: usize) -> rusqlite::Result<usize> {
    Ok(row.get::<_, u32>(index)? as usize)
}

/// The edits and deletions of a message.
const COUNT: &str = "
    SELECT count(*) FILTER (WHERE kind = 'edit'), count(*) FILTER (WHERE kind = 'deletion')
      FROM v2_changes WHERE message = ?1";
