//! A connection's stream, without socket and store. It decides when to read, what to send, and when
//! to send a heartbeat.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{Change, MailboxName, Message, MessageId};
use crate::protocol::event::{self, Event, ReadUpto};

/// How long to wait before the next read if the store was busy.
const BUSY_WAIT: Duration = Duration::from_millis(50);

/// The state of a stream: see the module.
pub(super) struct Stream {
    /// The request that started it. A page read for another stream is ignored.
    pub(super) sequence: u32,
    /// All messages up to and including this id were sent.
    after: MessageId,
    /// There may be newer messages.
    hinted: bool,
    /// A read is in progress.
    reading: bool,
    /// The `caught_up` event was sent.
    caught_up: bool,
    /// The time of the next read, if the store was busy.
    read_at: Option<Instant>,
    heartbeat: Duration,
    heartbeat_at: Instant,
}

impl Stream {
    /// Creates a stream that continues after `after` and reads at once.
    pub(super) fn new(sequence: u32, after: MessageId, heartbeat: Duration, now: Instant) -> Self {
        Self {
            sequence,
            after,
            hinted: true,
            reading: false,
            caught_up: false,
            read_at: None,
            heartbeat,
            heartbeat_at: now + heartbeat,
        }
    }

    /// Records that there may be newer messages.
    pub(super) fn hint(&mut self) {
        self.hinted = true;
    }

    /// The id to read after, if a read is due. The read counts as started.
    pub(super) fn next_read(&mut self, now: Instant) -> Option<MessageId> {
        if self.reading || !self.hinted || self.read_at.is_some_and(|at| at > now) {
            return None;
        }
        (self.hinted, self.reading, self.read_at) = (false, true, None);
        Some(self.after)
    }

    /// Appends the messages of a read to `out`. The read looked at the messages up to and including
    /// `upto`, and `more` says that there are more after that.
    pub(super) fn push_events(
        &mut self,
        (messages, changes, upto): (&[Arc<Message>], Vec<Change>, Option<MessageId>),
        more: bool,
        now: Instant,
        out: &mut Vec<u8>,
    ) {
        self.reading = false;
        self.hinted |= more;
        let begin = out.len();
        let mut changes = changes.into_iter().peekable();
        for message in messages {
            while let Some(change) = changes.next_if(|change| change.change < message.id) {
                self.push_change(change, out);
            }
            // Ids only rise. A message that was read twice is sent once.
            if message.id > self.after {
                self.after = message.id;
                event::encode_message(message, out);
            }
        }
        changes.for_each(|change| self.push_change(change, out));
        self.after = self.after.max(upto.unwrap_or(self.after));
        if !more && !std::mem::replace(&mut self.caught_up, true) {
            Event::CaughtUp { upto: self.after }.encode(out);
        }
        if out.len() > begin {
            self.heartbeat_at = now + self.heartbeat;
        }
    }

    fn push_change(&mut self, change: Change, out: &mut Vec<u8>) {
        if change.change > self.after {
            self.after = change.change;
            Event::from(change).encode(out);
        }
    }

    /// Appends the event of a message that the user sent.
    pub(super) fn push_sent(id: MessageId, to: MailboxName, out: &mut Vec<u8>) {
        Event::Sent { id, to }.encode(out);
    }

    /// Appends the event that the user has read something.
    pub(super) fn push_read(read: ReadUpto, out: &mut Vec<u8>) {
        Event::Read(read).encode(out);
    }

    /// Appends the event that a message of the user was edited or deleted.
    pub(super) fn push_changed(id: MessageId, to: MailboxName, out: &mut Vec<u8>) {
        Event::Changed { id, to }.encode(out);
    }

    /// Appends the event that somebody has read a message of the user.
    pub(super) fn push_receipt(id: MessageId, out: &mut Vec<u8>) {
        Event::Receipt { id }.encode(out);
    }

    /// Ends a read that failed because the store was busy. The next is due a little later.
    pub(super) fn put_off(&mut self, now: Instant) {
        (self.reading, self.hinted, self.read_at) = (false, true, Some(now + BUSY_WAIT));
    }

    /// Appends a heartbeat to `out` if one is due. It also makes a read due, which checks the
    /// session.
    pub(super) fn beat(&mut self, now: Instant, out: &mut Vec<u8>) {
        if self.heartbeat_at <= now {
            self.heartbeat_at = now + self.heartbeat;
            self.hinted = true;
            Event::Heartbeat.encode(out);
        }
    }

    /// Makes the next heartbeat due at once. It shows whether the client still reads.
    pub(super) fn probe(&mut self, now: Instant) {
        self.heartbeat_at = now;
    }

    /// The time of the next heartbeat or delayed read.
    pub(super) fn deadline(&self) -> Instant {
        self.read_at.map_or(self.heartbeat_at, |at| at.min(self.heartbeat_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    const HEARTBEAT: Duration = Duration::from_secs(30);

    fn stream() -> (Stream, Instant) {
        let now = Instant::now();
        (Stream::new(0, MessageId(10), HEARTBEAT, now), now)
    }

    type Page = (Vec<Arc<Message>>, bool);

    fn page(ids: impl IntoIterator<Item = i64>, more: bool) -> Page {
        let message = |id| Message {
            id: MessageId(id),
            at: Timestamp(0),
            from: "paff".parse().unwrap(),
            to: "neko".parse().unwrap(),
            body: "hai".parse().unwrap(),
            details: None,
        };
        (ids.into_iter().map(message).map(Arc::new).collect(), more)
    }

    fn events(stream: &mut Stream, (messages, more): Page, now: Instant) -> Vec<String> {
        let mut out = Vec::new();
        stream.push_events((&messages, Vec::new(), None), more, now, &mut out);
        let text = String::from_utf8(out).unwrap();
        text.split_terminator("\r\n\r\n")
            .map(|frame| {
                let frame: serde_json::Value = serde_json::from_str(frame).unwrap();
                let number = if frame["id"].is_null() { &frame["upto"] } else { &frame["id"] };
                format!("{} {number}", frame["event"].as_str().unwrap())
            })
            .collect()
    }

    #[test]
    fn reads_one_page_at_a_time_and_again_after_a_hint() {
        let (mut stream, now) = stream();
        assert_eq!(stream.next_read(now), Some(MessageId(10)));
        stream.hint();
        assert_eq!(stream.next_read(now), None);
        assert_eq!(events(&mut stream, page([11], false), now), ["message 11", "caught_up 11"]);
        assert_eq!(stream.next_read(now), Some(MessageId(11)));
        assert!(events(&mut stream, page([], false), now).is_empty());
        assert_eq!(stream.next_read(now), None);
    }

    #[test]
    fn caught_up_is_sent_once_after_the_last_page_of_the_backlog() {
        let (mut stream, now) = stream();
        stream.next_read(now);
        assert_eq!(events(&mut stream, page([11, 12], true), now), ["message 11", "message 12"]);
        assert_eq!(stream.next_read(now), Some(MessageId(12)));
        assert_eq!(events(&mut stream, page([13], false), now), ["message 13", "caught_up 13"]);
        stream.hint();
        stream.next_read(now);
        assert_eq!(events(&mut stream, page([14], false), now), ["message 14"]);
    }

    #[test]
    fn message_that_is_read_twice_is_sent_once() {
        let (mut stream, now) = stream();
        stream.next_read(now);
        assert_eq!(
            events(&mut stream, page([9, 10, 11, 11], false), now),
            ["message 11", "caught_up 11"]
        );
    }

    #[test]
    fn messages_that_a_filter_left_out_are_not_read_again() {
        let (mut stream, now) = stream();
        let mut out = Vec::new();
        stream.next_read(now);
        let (messages, _) = page([11], true);
        stream.push_events((&messages, Vec::new(), Some(MessageId(40))), true, now, &mut out);
        assert_eq!(stream.next_read(now), Some(MessageId(40)));
        assert_eq!(events(&mut stream, page([], false), now), ["caught_up 40"]);
    }

    #[test]
    fn busy_store_is_read_a_little_later() {
        let (mut stream, now) = stream();
        stream.next_read(now);
        stream.put_off(now);
        assert_eq!(stream.next_read(now), None);
        assert_eq!(stream.deadline(), now + BUSY_WAIT);
        assert_eq!(stream.next_read(now + BUSY_WAIT), Some(MessageId(10)));
    }

    #[test]
    fn heartbeat_comes_when_nothing_else_has_for_its_interval() {
        let (mut stream, now) = stream();
        let mut out = Vec::new();
        stream.next_read(now);
        let later = now + HEARTBEAT / 2;
        events(&mut stream, page([11], false), later);
        stream.beat(now + HEARTBEAT, &mut out);
        assert!(out.is_empty());
        stream.beat(later + HEARTBEAT, &mut out);
        assert!(out.starts_with(b"{\"status\": \"OK\", \"event\": \"heartbeat\"}"));
        assert_eq!(stream.next_read(later + HEARTBEAT), Some(MessageId(11)));
    }

    #[test]
    fn probe_is_a_heartbeat_at_once_and_the_next_comes_after_the_interval() {
        let (mut stream, now) = stream();
        let mut out = Vec::new();
        stream.probe(now);
        stream.beat(now, &mut out);
        assert_eq!(String::from_utf8(out).unwrap().matches("heartbeat").count(), 1);
        assert_eq!(stream.deadline(), now + HEARTBEAT);
    }
}
