//! Read state by conversation, in the model: a map of marks beside the cursor `inbox`.

use super::*;
use crate::store::{FLOOR_MESSAGES_MAX, MARKS_MAX, Marked, MoveMark};

impl Model {
    /// How far a user has read a conversation: a user, or a room plus the number of users.
    pub(super) fn read_upto(&self, user: usize, conversation: usize) -> i64 {
        let floor = self.cursors.get(&user).copied().unwrap_or(0);
        floor.max(self.marks.get(&(user, conversation)).copied().unwrap_or(0))
    }

    /// Whether an incoming message comes after the cursor `inbox` and after the mark.
    pub(super) fn is_after_marks(&self, sent: &Sent, user: usize) -> bool {
        let conversation = if sent.to >= USERS.len() { sent.to } else { sent.from };
        sent.id > self.read_upto(user, conversation)
    }

    fn conversation_name(&self, conversation: usize) -> MailboxName {
        match conversation.checked_sub(USERS.len()) {
            None => self.user_name(conversation).into(),
            Some(room) => room_name(room).into(),
        }
    }

    pub(super) fn mark(
        &mut self,
        engine: &Engine,
        (user, conversation): (usize, usize),
        upto: i64,
    ) {
        let with = self.conversation_name(conversation);
        let marked = engine.write(MoveMark { user: number(user), with, upto: MessageId(upto) });
        if let Some(room) = conversation.checked_sub(USERS.len()) {
            let of = self.rooms.get(&room);
            if !of.is_some_and(|of| of.notify.contains_key(&user)) {
                let sees = of.is_some_and(|of| of.sees(user));
                let refused = if sees { Unreadable::NotAMember } else { Unreadable::Unknown };
                return assert_eq!(marked, Ok(Marked::Unreadable(refused)));
            }
        }
        if upto > self.newest {
            return assert_eq!(marked, Ok(Marked::BeyondTheLog));
        }
        let read = self.read_upto(user, conversation).max(upto);
        assert_eq!(marked, Ok(Marked::At(MessageId(read))));
        if read == upto && upto > self.read_upto(user, conversation) {
            self.marks.insert((user, conversation), upto);
            self.raise_floor(user);
        }
    }

    /// The cursor rises to the last message before the oldest unread one.
    fn raise_floor(&mut self, user: usize) {
        let floor = self.cursors.get(&user).copied().unwrap_or(0);
        let arrived = |sent: &&Sent| match sent.to.checked_sub(USERS.len()) {
            None => sent.to == user,
            Some(room) => {
                let notify = self.rooms[&room].notify.get(&user);
                sent.receivers.contains(&user) && notify.is_some_and(|it| *it != Notify::None)
            }
        };
        let after_floor = self.sent.iter().filter(|sent| sent.id > floor).filter(arrived);
        let is_read =
            |sent: &&Sent| !self.is_incoming(sent, user) || !self.is_after_marks(sent, user);
        let read = after_floor.take(FLOOR_MESSAGES_MAX).take_while(is_read);
        if let Some(id) = read.last().map(|sent| sent.id) {
            self.cursors.insert(user, id);
        }
    }

    /// What a page of a conversation has from the cursor `inbox` on.
    pub(super) fn compare_conversations(&self, engine: &Engine, user: usize) {
        for conversation in 0..USERS.len() + ROOMS.len() {
            let with = Some(self.conversation_name(conversation));
            let start = PageStart::Cursor(CursorName::inbox());
            let Ok(found) = pages(engine, user, INCOMING, start, with) else { continue };
            let upto = self.read_upto(user, conversation);
            let is_of = |sent: &Sent| match conversation.checked_sub(USERS.len()) {
                None => {
                    let pair = (sent.from, sent.to);
                    pair == (user, conversation) || pair == (conversation, user)
                }
                Some(_) => {
                    sent.to == conversation
                        && sent.from != user
                        && sent.receivers.contains(&user)
                        && !self.is_hidden(sent, user)
                }
            };
            let expected = self.ids(|sent| sent.id > upto && is_of(sent) && !sent.has_expired);
            assert_eq!(found, expected, "{conversation} of {user}");
        }
    }
}

pub(in crate::store::contract) fn floor_rises_step_by_step_and_a_rewound_cursor_wins(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    let inbox = |engine: &Engine| {
        let start = PageStart::Cursor(CursorName::inbox());
        let page = engine.read(page(NEKO, start)).unwrap();
        (page.start.0, page.messages.iter().map(|message| message.id.0).collect::<Vec<_>>())
    };
    let mark = |engine: &Engine, with: &str, upto| {
        engine.write(MoveMark { user: NEKO, with: with.parse().unwrap(), upto: MessageId(upto) })
    };
    let old = ids(&engine.append(message(UserId(3), &["neko"], "old", None)))[0];
    let count = 3 * FLOOR_MESSAGES_MAX as i64;
    for number in 0..count {
        engine.append(message(PAFF, &["neko"], &format!("{number}"), None));
    }
    assert_eq!((old, count), (1, 24));
    assert_eq!(mark(&engine, "paff", 25), Ok(Marked::At(MessageId(25))));
    assert_eq!(inbox(&engine), (0, vec![old]), "robo's message holds the floor");
    engine.reopen();
    assert_eq!(inbox(&engine), (0, vec![old]));
    // Each move of a mark looks at a few messages.
    assert_eq!(mark(&engine, "robo", 1), Ok(Marked::At(MessageId(1))));
    assert_eq!(inbox(&engine), (8, vec![]));
    assert_eq!(mark(&engine, "robo", 9), Ok(Marked::At(MessageId(9))));
    assert_eq!(inbox(&engine), (16, vec![]));
    assert_eq!(mark(&engine, "paff", 3), Ok(Marked::At(MessageId(25))), "it never moves back");
    assert_eq!(mark(&engine, "paff", 26), Ok(Marked::BeyondTheLog));
    let nobody = Ok(Marked::Unreadable(Unreadable::Unknown));
    assert_eq!(mark(&engine, "nobody", 1), nobody);
    assert_eq!(mark(&engine, "#nowhere", 1), nobody);
    let (cursor, upto) = (CursorName::inbox(), MessageId(14));
    let back = Acknowledge { user: NEKO, cursor, upto, rewind: true };
    assert_eq!(engine.write(back), Ok(Acked::At(upto)));
    assert_eq!(inbox(&engine), (14, (15..=25).collect()), "all after the cursor is unread again");
    assert!(!engine.store().inbox_is_known_to_be_empty(NEKO));
}

pub(in crate::store::contract) fn marks_are_limited_and_end_with_the_cursor(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let actor = Actor::User(NEKO);
    let room = |number: usize| -> RoomName { format!("#room-{number}").parse().unwrap() };
    for number in 0..=MARKS_MAX {
        let (name, settings) = (room(number), RoomSettings::default());
        done(engine.write(CreateRoom { actor, name: name.clone(), settings })).unwrap();
    }
    // An unread message holds the floor.
    engine.append(message(PAFF, &["neko"], "old", None));
    engine.append(message(PAFF, &["robo"], "not for neko", None));
    let mark = |number: usize| {
        engine.write(MoveMark { user: NEKO, with: room(number).into(), upto: MessageId(2) })
    };
    for number in 0..MARKS_MAX {
        assert_eq!(mark(number), Ok(Marked::At(MessageId(2))));
    }
    assert_eq!(mark(MARKS_MAX), Ok(Marked::TooMany));
    assert_eq!(mark(0), Ok(Marked::At(MessageId(2))));
    let (cursor, upto) = (CursorName::inbox(), MessageId(2));
    engine.write(Acknowledge { user: NEKO, cursor, upto, rewind: false }).unwrap();
    assert_eq!(mark(MARKS_MAX), Ok(Marked::At(MessageId(2))));
}
