//! The notices to be shown above the line being typed, and what was shown of them. The thread that
//! watches and the prompt that paints share it. Knows neither the terminal nor the server.

mod unread;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::model::{AT_ALL, Change, MailboxName, Message, MessageId, RoomName, UserName};
use crate::protocol::event::ReadUpto;
use crate::protocol::reply;
use unread::{Counted, Unread};

/// How many notices may wait, while a command runs or the terminal blocks. Further messages are
/// counted as unread and left to `inbox`.
const WAITING_MESSAGES_MAX: usize = 1000;
/// How many messages that were sent here are remembered. One message to a hundred users counts as a
/// hundred.
const SENT_MESSAGES_MAX: usize = 400;
/// How many of the user's own messages are remembered for completion.
pub const OWN_MESSAGES_MAX: usize = 20;
/// How many names are remembered for completion.
const NAMES_MAX: usize = 1000;

/// A notice above the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A received message.
    Message(Message),
    /// A message that the user sent from elsewhere.
    Sent(Message),
    /// Any other text, safe to print on a terminal and without a line ending.
    Text(String),
}

/// Identifies the watch that may post. Notices of an earlier watch are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchId(u64);

/// The state of a watch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    /// There is no watch, or its state is not known yet.
    #[default]
    Unknown,
    /// The server is connected.
    Connected,
    /// The server is away.
    Away,
    /// The session has ended.
    Ended,
}

/// The notice board. Only [`wait_for_progress`](Self::wait_for_progress) blocks.
#[derive(Default)]
pub struct NoticeBoard {
    state: Mutex<State>,
    progressed: Condvar,
    /// Makes the prompt paint while a line is being typed.
    wake: Mutex<Option<Box<dyn FnMut() + Send>>>,
    is_bell_on: AtomicBool,
}

#[derive(Default)]
struct State {
    watch: u64,
    progress: Progress,
    notices: VecDeque<Notice>,
    unread: Unread,
    /// The newest message that was shown, here or by `inbox`, and where its answer goes.
    last: Option<(MessageId, MailboxName)>,
    /// Where the answer to that message went when the user began to type `reply`.
    replying: Option<MailboxName>,
    /// The newest messages that were sent here.
    sent: VecDeque<MessageId>,
    /// The user's own newest messages, with their text.
    own: BTreeMap<MessageId, String>,
    /// The known users and rooms.
    names: BTreeSet<MailboxName>,
}

impl NoticeBoard {
    /// Sets the function to call when there is something to show. Any thread may call it, and it
    /// may block that thread.
    pub fn set_wake(&self, wake: impl FnMut() + Send + 'static) {
        *lock(&self.wake) = Some(Box::new(wake));
    }

    /// Clears the board, and returns the id of the only watch that may post.
    pub fn begin_watch(&self) -> WatchId {
        let mut state = self.lock();
        let (watch, names) = (state.watch + 1, std::mem::take(&mut state.names));
        *state = State { watch, names, ..State::default() };
        WatchId(watch)
    }

    /// Clears the board. No watch may post.
    pub fn end_watch(&self) {
        self.begin_watch();
    }

    /// Whether this watch may still post.
    pub fn is_current(&self, watch: WatchId) -> bool {
        self.lock().watch == watch.0
    }

    /// Posts a notice, to be shown above the line being typed or before the next prompt.
    pub fn post(&self, watch: WatchId, notice: Notice) {
        let is_first = {
            let mut state = self.lock();
            if state.watch != watch.0 {
                return;
            }
            if let Notice::Sent(message) = &notice {
                state.add_own(message.id, message.body.as_str());
            }
            if let Notice::Sent(message) = &notice
                && (state.sent.contains(&message.id) || state.notices.len() >= WAITING_MESSAGES_MAX)
            {
                return;
            }
            if let Notice::Message(message) = &notice {
                state.add_name(message.from.clone().into());
                state.add_name(message.to.clone());
                let is_shown = state.notices.len() < WAITING_MESSAGES_MAX;
                state.unread.arrived(&message.conversation(), message.id, is_shown);
                if !is_shown {
                    return;
                }
            }
            state.notices.push_back(notice);
            state.notices.len() == 1
        };
        // All waiting notices are painted together, so one call is enough.
        if is_first && let Some(wake) = &mut *lock(&self.wake) {
            wake();
        }
    }

    /// A message was edited or deleted. Returns whether it still waits to be shown: then it is shown
    /// with its new text, or not at all.
    pub fn amend(&self, watch: WatchId, change: &Change) -> bool {
        let mut state = self.lock();
        if state.watch != watch.0 {
            return true;
        }
        if change.body.is_none() {
            // The server counts anew.
            state.unread.forget();
        }
        let is_meant = |notice: &Notice| match notice {
            Notice::Message(message) | Notice::Sent(message) => message.id == change.id,
            Notice::Text(_) => false,
        };
        let Some(place) = state.notices.iter().position(is_meant) else { return false };
        match (&change.body, &mut state.notices[place]) {
            (Some(body), Notice::Message(message) | Notice::Sent(message)) => {
                message.body = body.clone();
            }
            _ => drop(state.notices.remove(place)),
        }
        true
    }

    /// Sets the state of the watch.
    pub fn set_progress(&self, watch: WatchId, progress: Progress) {
        let mut state = self.lock();
        if state.watch == watch.0 {
            state.progress = progress;
            self.progressed.notify_all();
        }
    }

    /// The state of the watch.
    pub fn progress(&self) -> Progress {
        self.lock().progress
    }

    /// Waits until the state of the watch is known, or until `deadline`.
    pub fn wait_for_progress(&self, deadline: Instant) -> Progress {
        let remaining = deadline.saturating_duration_since(Instant::now());
        let state = self
            .progressed
            .wait_timeout_while(self.lock(), remaining, |state| state.progress == Progress::Unknown)
            .unwrap_or_else(PoisonError::into_inner);
        state.0.progress
    }

    /// Takes the notices to be shown now. They count as shown.
    pub fn take_notices(&self) -> Vec<Notice> {
        let mut state = self.lock();
        let notices: Vec<Notice> = state.notices.drain(..).collect();
        for notice in &notices {
            if let Notice::Message(message) = notice {
                state.unread.show(&message.conversation(), message.id);
                state.last = Some((message.id, message.conversation()));
            }
        }
        notices
    }

    /// The newest shown message that may be acknowledged. `None` if none was shown, or if an older
    /// message is unread: an acknowledgement covers everything up to an id.
    pub fn readable(&self) -> Option<MessageId> {
        self.lock().unread.whole_upto()
    }

    /// The conversations that may be marked as read, up to the newest shown message of each.
    pub fn readable_conversations(&self) -> Vec<(MailboxName, MessageId)> {
        self.lock().unread.whole_conversations()
    }

    /// This server knows no marks of conversations.
    pub fn keep_one_place(&self) {
        self.lock().unread.keep_one_place();
    }

    /// The conversation counts as read up to this id.
    pub fn mark_conversation_read(&self, name: &MailboxName, upto: MessageId) {
        self.lock().unread.read_conversation(name, upto);
    }

    /// The user has read messages, here or elsewhere. The count in the prompt follows at once.
    pub fn note_read(&self, watch: WatchId, read: &ReadUpto) {
        let has_changed = {
            let mut state = self.lock();
            let before = state.unread.count();
            if state.watch == watch.0 {
                state.unread.was_read(read);
            }
            state.unread.count() != before
        };
        if has_changed && let Some(wake) = &mut *lock(&self.wake) {
            wake();
        }
    }

    /// Everything up to this id counts as read, so its notices are dropped.
    pub fn mark_read(&self, upto: MessageId) {
        let mut state = self.lock();
        state.unread.read(upto);
        let State { notices, last, .. } = &mut *state;
        notices.retain(|notice| match notice {
            Notice::Message(message) if message.id <= upto => {
                *last = Some((message.id, message.conversation()));
                false
            }
            _ => true,
        });
    }

    /// Notes the line being typed. `reply` answers the last sender at the time when its verb was
    /// typed: a message that arrives later does not change that.
    pub fn note_draft(&self, line: &str) {
        let mut state = self.lock();
        if !line.trim_start().starts_with("reply ") {
            state.replying = None;
        } else if state.replying.is_none() {
            state.replying = state.last.as_ref().map(|(_, to)| to.clone());
        }
    }

    /// The recipient of a reply; `None` if no message was shown yet.
    pub fn reply_to(&self) -> Option<MailboxName> {
        let mut state = self.lock();
        let last = |state: &State| state.last.as_ref().map(|(_, to)| to.clone());
        state.replying.take().or_else(|| last(&state))
    }

    /// Records messages that were sent here. Their notices are not shown, whether posted before or
    /// later.
    pub fn record_sent(&self, ids: impl IntoIterator<Item = MessageId>) {
        let mut state = self.lock();
        let State { sent, notices, .. } = &mut *state;
        sent.extend(ids);
        sent.drain(..sent.len().saturating_sub(SENT_MESSAGES_MAX));
        notices.retain(|notice| match notice {
            Notice::Sent(message) => !sent.contains(&message.id),
            _ => true,
        });
    }

    /// Whether this message is recorded as sent here.
    pub fn was_sent_here(&self, id: MessageId) -> bool {
        self.lock().sent.contains(&id)
    }

    /// Remembers a message of the user for completion, or its new text.
    pub fn add_own(&self, id: MessageId, text: &str) {
        self.lock().add_own(id, text);
    }

    /// A message of the user was deleted.
    pub fn remove_own(&self, id: MessageId) {
        self.lock().own.remove(&id);
    }

    /// The user's own newest messages whose ids begin so, the newest first, each with its text.
    pub fn own_messages(&self, begin: &str) -> Vec<(MessageId, String)> {
        let state = self.lock();
        let own = state.own.iter().rev().filter(|(id, _)| id.0.to_string().starts_with(begin));
        own.map(|(id, text)| (*id, text.clone())).collect()
    }

    /// Whether messages ring from now on.
    pub fn set_bell(&self, is_on: bool) {
        self.is_bell_on.store(is_on, Ordering::Relaxed);
    }

    /// Whether messages ring.
    pub fn is_bell_on(&self) -> bool {
        self.is_bell_on.load(Ordering::Relaxed)
    }

    /// Takes the server's counts of unread messages.
    pub fn set_unread(&self, counts: &reply::Unread) {
        let mut state = self.lock();
        let State { notices, unread, .. } = &mut *state;
        let waiting: Vec<(MailboxName, MessageId)> = notices
            .iter()
            .filter_map(|notice| match notice {
                Notice::Message(message) => Some((message.conversation(), message.id)),
                Notice::Sent(_) | Notice::Text(_) => None,
            })
            .collect();
        let of_users = counts.senders.iter().map(|of| {
            let counted = Counted { count: of.count, newest: of.newest, more: false };
            (MailboxName::User(of.from.clone()), counted)
        });
        let of_rooms = counts.rooms.iter().map(|of| {
            let counted = Counted { count: of.count, newest: of.newest, more: of.more };
            (MailboxName::Room(of.room.clone()), counted)
        });
        unread.set(of_users.chain(of_rooms), waiting.iter().map(|(name, id)| (name, *id)));
    }

    /// Whether to ask the server for the unread count.
    pub fn needs_unread_count(&self) -> bool {
        let state = self.lock();
        !state.unread.is_known() && state.progress == Progress::Connected
    }

    /// Discards the unread count, which is no longer correct.
    pub fn clear_unread_count(&self) {
        self.lock().unread.forget();
    }

    /// The number of unread messages for `inbox`. It includes messages that were shown here only if
    /// an older unread message keeps them from being acknowledged.
    pub fn unread(&self) -> usize {
        self.lock().unread.count()
    }

    /// Adds a user name for completion.
    pub fn add_user(&self, user: &UserName) {
        self.add_name(user.clone().into());
    }

    /// Adds the name of a user or a room for completion.
    pub fn add_name(&self, name: MailboxName) {
        self.lock().add_name(name);
    }

    /// The known user names with this prefix, sorted.
    pub fn users(&self, begin: &str) -> Vec<UserName> {
        self.names(begin).iter().filter_map(MailboxName::user).cloned().collect()
    }

    /// The known names with this prefix: users and then rooms, both sorted. `@all` is another name of
    /// the room of everybody.
    pub fn names(&self, begin: &str) -> Vec<MailboxName> {
        let begins = |name: &MailboxName| {
            let is_of_everybody = name.room().is_some_and(RoomName::is_of_everybody);
            name.as_str().starts_with(begin) || is_of_everybody && AT_ALL.starts_with(begin)
        };
        self.lock().names.iter().filter(|&name| begins(name)).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn add_own(&mut self, id: MessageId, text: &str) {
        self.own.insert(id, text.to_owned());
        while self.own.len() > OWN_MESSAGES_MAX {
            self.own.pop_first();
        }
    }

    fn add_name(&mut self, name: MailboxName) {
        if self.names.len() < NAMES_MAX {
            self.names.insert(name);
        }
    }
}

impl fmt::Debug for NoticeBoard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NoticeBoard").finish_non_exhaustive()
    }
}

/// The state is consistent after every statement, so a panic elsewhere does not damage it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn message(id: i64) -> Notice {
        Notice::Message(Message {
            id: MessageId(id),
            at: Timestamp(0),
            from: "paff".parse().unwrap(),
            to: "neko".parse().unwrap(),
            body: "hai".parse().unwrap(),
            details: None,
        })
    }

    /// The server's count of messages from paff.
    fn counts(count: usize, newest: i64) -> reply::Unread {
        let (from, newest) = ("paff".parse().unwrap(), MessageId(newest));
        let senders = vec![reply::UnreadFrom { from, count, newest }];
        reply::Unread { unread: count, senders, rooms: Vec::new() }
    }

    #[test]
    fn shown_messages_may_be_acknowledged_only_when_nothing_older_is_unread() {
        let board = NoticeBoard::default();
        let watch = board.begin_watch();
        board.set_unread(&counts(0, 0));
        board.post(watch, message(4));
        assert_eq!(board.readable(), None, "it was not shown yet");
        assert_eq!(board.take_notices().len(), 1);
        assert_eq!((board.readable(), board.unread()), (Some(MessageId(4)), 0));
        board.mark_read(MessageId(4));
        assert_eq!(board.readable(), None);

        board.set_unread(&counts(2, 6));
        board.post(watch, message(7));
        board.take_notices();
        assert_eq!((board.readable(), board.unread()), (None, 3));
    }

    #[test]
    fn message_that_the_server_counted_and_that_arrives_is_counted_once() {
        let board = NoticeBoard::default();
        let watch = board.begin_watch();
        board.post(watch, message(5));
        // The server counts two: this one, and one that arrives next.
        board.set_unread(&counts(2, 6));
        board.post(watch, message(6));
        assert_eq!(board.take_notices().len(), 2);
        assert_eq!(board.readable(), Some(MessageId(6)));
    }

    #[test]
    fn messages_that_inbox_has_shown_are_not_shown_again() {
        let board = NoticeBoard::default();
        let watch = board.begin_watch();
        board.post(watch, message(5));
        board.post(watch, message(6));
        board.mark_read(MessageId(5));
        assert_eq!(board.take_notices(), [message(6)]);
    }

    #[test]
    fn message_that_was_sent_here_is_not_shown_whenever_its_event_arrives() {
        let sent = |id| match message(id) {
            Notice::Message(message) => Notice::Sent(message),
            notice => notice,
        };
        let board = NoticeBoard::default();
        let watch = board.begin_watch();
        board.post(watch, sent(5));
        board.post(watch, sent(6));
        board.record_sent([MessageId(5), MessageId(7)]);
        board.post(watch, sent(7));
        assert_eq!(board.take_notices(), [sent(6)]);
        assert_eq!((board.readable(), board.reply_to()), (None, None));
    }

    #[test]
    fn answer_goes_to_the_last_sender_of_when_its_verb_was_typed() {
        let from = |id: i64, from: &str| match message(id) {
            Notice::Message(message) => {
                Notice::Message(Message { from: from.parse().unwrap(), ..message })
            }
            notice => notice,
        };
        let replies_to = |board: &NoticeBoard| board.reply_to().map(|to| to.to_string());
        let board = NoticeBoard::default();
        let watch = board.begin_watch();
        assert_eq!(replies_to(&board), None);
        board.post(watch, from(4, "paff"));
        assert_eq!(replies_to(&board), None, "it was not shown yet");
        board.take_notices();
        board.note_draft("reply ha");
        board.post(watch, from(5, "ivy"));
        board.take_notices();
        board.note_draft("reply hai");
        assert_eq!(replies_to(&board).as_deref(), Some("paff"));
        board.note_draft("");
        assert_eq!(replies_to(&board).as_deref(), Some("ivy"));
        // `inbox` has shown it.
        board.post(watch, from(6, "robo"));
        board.mark_read(MessageId(6));
        assert_eq!(replies_to(&board).as_deref(), Some("robo"));
        // A message to a room.
        let to_room = match message(7) {
            Notice::Message(message) => {
                Notice::Message(Message { to: "#build".parse().unwrap(), ..message })
            }
            notice => notice,
        };
        board.post(watch, to_room);
        board.take_notices();
        assert_eq!(replies_to(&board).as_deref(), Some("#build"));
        assert_eq!(board.names("#").len(), 1);
        assert!(board.users("").iter().all(|user| user.as_str() != "#build"));
    }

    #[test]
    fn own_newest_messages_are_remembered_wherever_they_were_sent() {
        let board = NoticeBoard::default();
        let watch = board.begin_watch();
        board.add_own(MessageId(3), "one");
        if let Notice::Message(sent) = message(12) {
            board.post(watch, Notice::Sent(sent));
        }
        board.add_own(MessageId(14), "three");
        let offered = |begin: &str| -> Vec<String> {
            let own = board.own_messages(begin).into_iter();
            own.map(|(id, text)| format!("{} {text}", id.0)).collect()
        };
        assert_eq!(offered(""), ["14 three", "12 hai", "3 one"]);
        board.remove_own(MessageId(14));
        board.add_own(MessageId(12), "edited");
        assert_eq!(offered("1"), ["12 edited"]);
        (20..60).for_each(|id| board.add_own(MessageId(id), "x"));
        assert_eq!(offered("").len(), OWN_MESSAGES_MAX);
        assert_eq!(offered("")[0], "59 x");
    }

    #[test]
    fn earlier_watch_posts_no_more() {
        let board = NoticeBoard::default();
        let earlier = board.begin_watch();
        board.post(earlier, message(1));
        let watch = board.begin_watch();
        board.post(earlier, message(2));
        board.post(watch, message(3));
        assert_eq!(board.take_notices(), [message(3)]);
        assert!(board.is_current(watch) && !board.is_current(earlier));
    }

    #[test]
    fn messages_that_do_not_fit_are_left_to_inbox() {
        let board = NoticeBoard::default();
        let watch = board.begin_watch();
        board.set_unread(&counts(0, 0));
        for id in 1..=WAITING_MESSAGES_MAX as i64 + 5 {
            board.post(watch, message(id));
        }
        assert_eq!(board.take_notices().len(), WAITING_MESSAGES_MAX);
        assert_eq!(board.readable(), None);
        assert_eq!(board.unread(), WAITING_MESSAGES_MAX + 5);
    }
}
