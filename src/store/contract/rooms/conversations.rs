//! The list of conversations, in the model: a look at each message.

use super::*;
use crate::store::{CONVERSATION_MESSAGES_MAX, Conversations, ListConversations};

/// What is compared of a conversation: the newest message, the name, and how far it is read. Also the
/// unread messages, whether there may be more, and the mentions.
type Listed = ((i64, String, i64), (usize, bool, usize));

impl Model {
    pub(super) fn compare_list(&self, engine: &Engine, user: usize) {
        let mut expected = Vec::new();
        for other in 0..USERS.len() {
            let got = self.ids(|sent| (sent.from, sent.to) == (other, user));
            let Some(&last) = got.last() else { continue };
            expected.push((last, self.names[other].clone(), self.read_upto(user, other)));
        }
        for &room in self.rooms.keys() {
            let to = USERS.len() + room;
            let seen = self.ids(|sent| sent.to == to && self.reads(sent, user));
            let Some(&last) = seen.last() else { continue };
            expected.push((last, ROOMS[room].to_owned(), self.read_upto(user, to)));
        }
        expected.sort();
        expected.reverse();
        let far: Vec<&str> = self.rooms_with_a_far_end(user);
        expected.retain(|(_, name, _)| !far.contains(&name.as_str()));
        for limit in [1, 2, 50] {
            let listed = listed(engine, user, limit).into_iter();
            let is_near = |((_, name, _), _): &Listed| !far.contains(&name.as_str());
            let (found, figures): (Vec<_>, Vec<_>) = listed.filter(is_near).unzip();
            assert_eq!(found, expected, "conversations of {user}");
            for ((_, name, _), figures) in found.iter().zip(figures) {
                self.check_figures(user, name, figures);
            }
        }
    }

    /// The rooms whose newest messages are all hidden from the user. They may be left out.
    fn rooms_with_a_far_end(&self, user: usize) -> Vec<&'static str> {
        let is_far = |&&room: &&usize| {
            let to = USERS.len() + room;
            let of_room = |sent: &&Sent| sent.to == to && sent.readers.contains(&user);
            let newest = self.sent.iter().rev().filter(of_room).take(CONVERSATION_MESSAGES_MAX);
            let hidden = newest.filter(|sent| self.is_hidden(sent, user)).count();
            hidden >= CONVERSATION_MESSAGES_MAX
        };
        self.rooms.keys().filter(is_far).map(|&room| ROOMS[room]).collect()
    }

    fn check_figures(
        &self,
        user: usize,
        name: &str,
        (unread, more, mentions): (usize, bool, usize),
    ) {
        if let Some(room) = ROOMS.iter().position(|room| *room == name) {
            let counted = self.check_count(user, room, (unread, more));
            let reader = self.user_name(user);
            let is_mention = |sent: &Sent| {
                counted.contains(&sent.id) && crate::model::mentions(&sent.text, &reader)
            };
            return assert_eq!(mentions, self.ids(is_mention).len(), "{name} of {user}");
        }
        let is_unread = |sent: &Sent| {
            self.names[sent.from] == name
                && sent.to == user
                && self.is_after_marks(sent, user)
                && !sent.has_expired
        };
        assert_eq!(
            (unread, more, mentions),
            (self.ids(is_unread).len(), false, 0),
            "{name} of {user}"
        );
    }
}

/// All pages. A conversation counts where it comes first.
fn listed(engine: &Engine, user: usize, limit: usize) -> Vec<Listed> {
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    let mut before = MessageId(i64::MAX);
    for _ in 0..1_000 {
        let bounds = PageBounds { messages: limit, size: usize::MAX, measure: |_| 1 };
        let list = ListConversations { reader: number(user), before, bounds };
        let Conversations { conversations, next, .. } = engine.read(list);
        assert!(conversations.len() <= limit);
        for of in conversations {
            assert_eq!(of.with, of.last.conversation());
            let name = of.with.to_string();
            if known.insert(name.clone()) {
                found.push(((of.last.id.0, name, of.upto.0), (of.unread, of.more, of.mentions)));
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
