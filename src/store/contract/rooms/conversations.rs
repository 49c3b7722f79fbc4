//! The list of conversations, in the model: a look at each message.

use super::*;
use crate::store::{Conversations, ListConversations};

/// What is compared of a conversation: the newest message, the name, the unread messages and whether
/// there may be more, the mentions, and how far it is read.
type Listed = (i64, String, usize, bool, usize, i64);

impl Model {
    pub(super) fn compare_list(&self, engine: &Engine, user: usize) {
        let mut expected: Vec<Listed> = Vec::new();
        for other in 0..USERS.len() {
            let got = self.ids(|sent| (sent.from, sent.to) == (other, user));
            let Some(&last) = got.last() else { continue };
            let is_unread = |sent: &Sent| {
                (sent.from, sent.to) == (other, user) && self.is_after_marks(sent, user)
            };
            let (unread, upto) = (self.ids(is_unread).len(), self.read_upto(user, other));
            expected.push((last, self.names[other].clone(), unread, false, 0, upto));
        }
        for (&room, of) in &self.rooms {
            let to = USERS.len() + room;
            let seen = self.ids(|sent| sent.to == to && sent.readers.contains(&user));
            let Some(&last) = seen.last() else { continue };
            let got = |sent: &&Sent| {
                self.is_after_marks(sent, user) && sent.to == to && sent.receivers.contains(&user)
            };
            let got: Vec<&Sent> = self.sent.iter().filter(got).collect();
            let looked_at = &got[..got.len().min(ROOM_UNREAD_MAX)];
            let is_muted = of.notify.get(&user).is_none_or(|notify| *notify == Notify::None);
            let is_counted = |sent: &&&Sent| !is_muted && self.is_incoming(sent, user);
            let counted: Vec<&&Sent> = looked_at.iter().filter(is_counted).collect();
            let name = self.user_name(user);
            let is_mention = |sent: &&&&Sent| crate::model::mentions(&sent.text, &name);
            let mentions = counted.iter().filter(is_mention).count();
            let more = got.len() > ROOM_UNREAD_MAX && !counted.is_empty();
            let upto = self.read_upto(user, to);
            expected.push((last, ROOMS[room].to_owned(), counted.len(), more, mentions, upto));
        }
        expected.sort();
        expected.reverse();
        for limit in [1, 2, 50] {
            assert_eq!(listed(engine, user, limit), expected, "conversations of {user}");
        }
    }
}

/// All pages. A conversation counts where it comes first.
fn listed(engine: &Engine, user: usize, limit: usize) -> Vec<Listed> {
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    let mut before = MessageId(i64::MAX);
    for _ in 0..1_000 {
        let bounds = PageBounds { messages: limit, size: usize::MAX, measure: |_| 1 };
        let list = ListConversations { reader: number(user), before, bounds };
        let Conversations { conversations, next } = engine.read(list);
        assert!(conversations.len() <= limit);
        for of in conversations {
            assert_eq!(of.with, of.last.conversation());
            let name = of.with.to_string();
            if known.insert(name.clone()) {
                found.push((of.last.id.0, name, of.unread, of.more, of.mentions, of.upto.0));
            }
        }
        let Some(next) = next else { return found };
        assert!(next < before, "the pages go back");
        before = next;
    }
    panic!("the pages do not end");
}

/// A page is cut where its messages are too large.
pub(in crate::store::contract) fn list_goes_on_after_large_messages(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    engine.append(message(PAFF, &["neko"], "first", None));
    engine.append(message(UserId(3), &["neko"], "second", None));
    let list = |before| {
        let bounds = PageBounds { messages: 10, size: 3, measure: |_| 2 };
        let found = engine.read(ListConversations { reader: NEKO, before, bounds });
        let names = found.conversations.iter().map(|of| of.with.to_string());
        (names.collect::<Vec<_>>(), found.next)
    };
    let (names, next) = list(MessageId(i64::MAX));
    assert_eq!((names, next), (vec!["robo".to_owned()], Some(MessageId(2))));
    assert_eq!(list(MessageId(2)), (vec!["paff".to_owned()], None));
    assert_eq!(list(MessageId(1)), (vec![], None));
}
