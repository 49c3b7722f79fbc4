//! Receipts, in the model: a look at each message.

use super::*;
use crate::store::{
    AWAITED_READERS_MAX, ChangeSettings, FindRead, FindSettings, FoundRead, ListReceipts, Receipts,
    ReceiptsRefused, Settings,
};

impl Model {
    pub(super) fn turn_receipts(&mut self, engine: &Engine, user: usize, is_on: bool) {
        let change = ChangeSettings { receipts: Some(is_on), ..ChangeSettings::of(number(user)) };
        let settings = Settings { receipts: is_on, ..Settings::default() };
        assert_eq!(engine.write(change).unwrap(), Some(settings.clone()));
        assert_eq!(engine.read(FindSettings(number(user))), Some(settings));
        if is_on {
            self.without_receipts.remove(&user);
        } else {
            self.without_receipts.insert(user);
        }
    }

    /// Compares the receipts of the newest messages, and of one that is not there yet.
    pub(super) fn compare_receipts(&self, engine: &Engine, asker: usize, messages: usize) {
        let ids = self.sent.iter().rev().take(messages).map(|sent| sent.id);
        for id in ids.chain([self.newest + 1]) {
            let (after, of) = (None, MessageId(id));
            let list = ListReceipts { asker: number(asker), of, after, max: USERS.len() };
            assert_eq!(engine.read(list), self.receipts(asker, id), "{id} for {asker}");
        }
    }

    fn receipts(&self, asker: usize, id: i64) -> Result<Receipts, ReceiptsRefused> {
        if self.without_receipts.contains(&asker) {
            return Err(ReceiptsRefused::Off);
        }
        let sent = self.sent.iter().find(|sent| sent.id == id).ok_or(ReceiptsRefused::Unknown)?;
        if sent.from != asker {
            let is_readable = sent.to == asker || self.reads(sent, asker);
            return Err(match is_readable {
                true => ReceiptsRefused::OfAnother,
                false => ReceiptsRefused::Unknown,
            });
        }
        let is_recipient = |user: &usize| match sent.to.checked_sub(USERS.len()) {
            None => sent.to == *user,
            Some(_) => sent.from != *user && sent.receivers.contains(user),
        };
        let recipients: Vec<usize> = (0..USERS.len()).filter(is_recipient).collect();
        let has_read = |user: &&usize| {
            !self.without_receipts.contains(user)
                && self.has_arrived(sent, **user)
                && !self.is_blocked_for_good(sent, **user)
                && !self.is_after_marks(sent, **user)
        };
        let readers = recipients.iter().filter(has_read).map(|&user| self.user_name(user));
        let mut readers: Vec<_> = readers.collect();
        readers.sort();
        Ok(Receipts { readers, more: false, recipients: recipients.len() })
    }
}

pub(in crate::store::contract) fn receipts_come_in_pages_and_a_stream_waits_for_few(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let user = |number: usize| format!("user-{number:02}");
    let new = |number| NewUser {
        name: user(number).parse().unwrap(),
        display_name: String::new(),
        password_hash: String::new(),
        password_is_published: false,
    };
    let count = AWAITED_READERS_MAX + 1;
    assert_eq!(engine.write(AddUsers((0..count).map(new).collect())).unwrap(), []);
    let numbers: Vec<UserId> = (0..count).map(|place| UserId(place as i64 + 4)).collect();
    let room: RoomName = "#build".parse().unwrap();
    let (actor, settings) = (Actor::User(PAFF), RoomSettings::default());
    done(engine.write(CreateRoom { actor, name: room.clone(), settings })).unwrap();
    let join = |user| {
        let joining = Joining::Oneself(user);
        done(engine.write(JoinRoom { room: room.clone(), joining })).unwrap();
    };
    numbers[1..].iter().for_each(|&user| join(user));
    let few = ids(&engine.append(message(PAFF, &["#build"], "to few", None)))[0];
    join(numbers[0]);
    let many = ids(&engine.append(message(PAFF, &["#build"], "to many", None)))[0];
    let find = |messages: &[i64]| {
        let messages = messages.iter().copied().map(MessageId).collect();
        engine.read(FindRead { asker: PAFF, messages })
    };
    let awaited = FoundRead { awaited: numbers[1..].to_vec(), ..FoundRead::default() };
    assert_eq!(find(&[few]), awaited);
    assert_eq!(find(&[few, many]).refused, Some(ReceiptsRefused::TooMany));
    for &user in &numbers {
        let (cursor, upto) = (CursorName::inbox(), MessageId(many));
        engine.write(Acknowledge { user, cursor, upto, rewind: false }).unwrap();
    }
    let read = FoundRead { read: vec![MessageId(few), MessageId(many)], ..FoundRead::default() };
    assert_eq!(find(&[few, many]), read);
    let page = |after: Option<usize>| {
        let after = after.map(|place| user(place).parse().unwrap());
        let list = ListReceipts { asker: PAFF, of: MessageId(many), after, max: 2 };
        let Receipts { readers, more, recipients } = engine.read(list).unwrap();
        assert_eq!(recipients, count);
        (readers.iter().map(ToString::to_string).collect::<Vec<_>>(), more)
    };
    assert_eq!(page(None), (vec![user(0), user(1)], true));
    assert_eq!(page(Some(1)), (vec![user(2), user(3)], false));
    assert_eq!(page(Some(3)), (vec![], false));
    // Nobody else learns of them.
    let other = FindRead { asker: NEKO, messages: vec![MessageId(few)] };
    let refused = FoundRead { refused: Some(ReceiptsRefused::Unknown), ..FoundRead::default() };
    assert_eq!(engine.read(other), refused);
}
