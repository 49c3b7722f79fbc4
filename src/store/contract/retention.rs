//! Retention: what is too old is removed, by the rules of today, and by a time that can be trusted.

use std::sync::Arc;
use std::time::Duration;

use super::rooms::done;
use super::{Engine, NEKO, Open, PAFF, ids, message};
use crate::model::{MessageId, Retention, RoomId, RoomName, Timestamp};
use crate::store::{
    Actor, BeginRemoval, CreateRoom, FindExpired, FindRoom, FindRules, ListRetention,
    RemoveExpired, RoomRefused, RoomRetention, RoomSettings, Rules, SetRetention, SetRoom,
};

const DAY: i64 = 24 * 60 * 60 * 1000;

pub(super) fn days(days: u64) -> Retention {
    (days * 86_400).try_into().unwrap()
}

fn room_name(room: usize) -> RoomName {
    ["#build", "#legal", "#ops"][room].parse().unwrap()
}

/// So many days after now.
fn in_days(days: i64) -> Timestamp {
    Timestamp(Timestamp::now().0 + days * DAY)
}

impl Engine {
    pub(super) fn set_retention(&self, room: Option<&str>, kept: Option<Retention>) {
        let room = room.map(|room| room.parse().unwrap());
        self.write(SetRetention { room, kept, now: Timestamp::now() }).unwrap().unwrap();
    }

    fn set_by_owner(&self, room: usize, kept: Retention) -> Result<(), RoomRefused> {
        done(self.write(SetRoom {
            actor: Actor::User(NEKO),
            room: room_name(room),
            topic: None,
            is_private: None,
            posting: None,
            history: None,
            role: None,
            notify: None,
            retention: Some(kept),
        }))
    }

    pub(super) fn begin_removal(&self, now: Timestamp) -> Option<(Arc<Rules>, Timestamp)> {
        self.write(BeginRemoval { now, passed: Duration::ZERO }).unwrap()
    }

    /// The messages that are too old at this time.
    pub(super) fn expired(&self, rules: &Arc<Rules>, now: Timestamp) -> Vec<MessageId> {
        let (mut after, mut since) = (MessageId::ZERO, Timestamp(i64::MIN));
        let mut all = Vec::new();
        loop {
            let (rules, upto) = (Arc::clone(rules), MessageId(i64::MAX));
            let found = self.read(FindExpired { rules, now, after, upto, since });
            all.extend(found.parts.into_iter().flatten());
            (after, since) = (found.upto, found.since);
            if !found.more {
                return all;
            }
        }
    }

    pub(super) fn remove_expired(&self, rules: &Rules, ids: Vec<MessageId>) -> Option<usize> {
        self.write(RemoveExpired { version: rules.version, ids }).unwrap()
    }

    /// Removes what is too old after so many days, as a server does whose clock is trusted.
    fn remove_after(&self, days: i64) -> Vec<i64> {
        let (rules, _) = self.begin_removal(Timestamp::now()).unwrap();
        let ids = self.expired(&rules, in_days(days));
        assert_eq!(self.remove_expired(&rules, ids.clone()), Some(ids.len()));
        ids.into_iter().map(|id| id.0).collect()
    }

    /// How long the messages of a room are kept, as its members see it.
    fn kept(&self, room: usize) -> Retention {
        let find = FindRoom { actor: Actor::User(NEKO), name: room_name(room) };
        self.read(find).unwrap().retention
    }
}

fn create_room(engine: &Engine, room: usize) {
    let (actor, name) = (Actor::User(NEKO), room_name(room));
    done(engine.write(CreateRoom { actor, name, settings: RoomSettings::default() })).unwrap();
}

fn send(engine: &Engine, to: &str) -> i64 {
    ids(&engine.append(message(NEKO, &[to], "text", None)))[0]
}

pub fn messages_are_removed_by_the_time_of_their_conversation(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    assert!(!engine.read(FindRules).remove_any(), "messages are kept for ever");
    for room in 0..3 {
        create_room(&engine, room);
    }
    let rooms = [0, 1, 2].map(|room| room_name(room).to_string());
    engine.set_retention(None, Some(days(30)));
    engine.set_retention(Some(&rooms[1]), Some(days(90)));
    engine.set_retention(Some(&rooms[2]), Some(Retention::FOREVER));
    assert!(engine.read(FindRules).remove_any());
    let sent = || ["paff", &rooms[0], &rooms[1], &rooms[2]].map(|to| send(&engine, to));
    let (first, second) = (sent(), sent());
    assert_eq!(engine.remove_after(29), [0; 0]);
    assert_eq!(engine.remove_after(31), [first[0], first[1], second[0], second[1]]);
    assert_eq!(engine.remove_after(31), [0; 0], "again");
    engine.reopen();
    assert_eq!(engine.remove_after(91), [first[2], second[2]]);
    assert_eq!(engine.remove_after(3_000), [0; 0]);
    let done = engine.read(ListRetention { after: None, max: 10 }).done;
    assert_eq!(done.removed, 6);
    // They are gone for everybody, and no id comes back.
    assert_eq!(engine.inbox(PAFF), []);
    assert!(send(&engine, "paff") > second[3]);
}

pub fn owner_may_only_shorten_what_an_operator_says(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    create_room(&engine, 0);
    let name = room_name(0).to_string();
    assert_eq!(engine.kept(0), Retention::FOREVER);
    // Without an operator's word there is no limit.
    assert_eq!(engine.set_by_owner(0, days(100)), Ok(()));
    assert_eq!(engine.kept(0), days(100));
    engine.set_retention(None, Some(days(30)));
    assert_eq!(engine.kept(0), days(30), "the shorter one counts");
    assert_eq!(engine.set_by_owner(0, days(31)), Err(RoomRefused::KeptTooLong(days(30))));
    assert_eq!(engine.set_by_owner(0, days(7)), Ok(()));
    assert_eq!(engine.kept(0), days(7));
    engine.set_retention(Some(&name), Some(days(2)));
    assert_eq!(engine.kept(0), days(2));
    engine.set_retention(Some(&name), Some(Retention::FOREVER));
    assert_eq!(engine.kept(0), days(7));
    let page = engine.read(ListRetention { after: None, max: 10 });
    let set = RoomRetention { operator: Some(Retention::FOREVER), owner: Some(days(7)) };
    assert_eq!((page.default, page.rooms, page.more), (days(30), vec![(room_name(0), set)], false));
    assert_eq!(engine.set_by_owner(0, Retention::FOREVER), Ok(()));
    assert_eq!(engine.kept(0), Retention::FOREVER);
    engine.set_retention(Some(&name), None);
    assert_eq!(engine.kept(0), days(30));
    assert_eq!(engine.read(ListRetention { after: None, max: 10 }).rooms, []);
    // A member who is no owner may not, and an operator names a room that there is.
    let nobody = SetRetention {
        room: Some("#nowhere".parse::<RoomName>().unwrap()),
        kept: None,
        now: Timestamp(0),
    };
    assert_eq!(engine.write(nobody).unwrap(), Err(RoomRefused::Unknown));
}

pub fn changed_rule_stops_a_removal_that_is_under_way(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    create_room(&engine, 0);
    engine.set_retention(None, Some(days(1)));
    let id = send(&engine, room_name(0).as_str());
    let changes: [&dyn Fn(); 3] = [
        &|| engine.set_retention(Some(room_name(0).as_str()), Some(Retention::FOREVER)),
        &|| engine.set_retention(None, Some(days(1))),
        &|| engine.set_by_owner(0, days(5)).unwrap(),
    ];
    for change in changes {
        let (rules, _) = engine.begin_removal(Timestamp::now()).unwrap();
        change();
        assert_eq!(engine.remove_expired(&rules, vec![MessageId(id)]), None);
    }
    let (rules, _) = engine.begin_removal(Timestamp::now()).unwrap();
    assert_eq!(rules.rooms.get(&RoomId(1)), Some(&days(5).time()));
    assert_eq!(engine.remove_expired(&rules, vec![MessageId(id)]), Some(1));
}

pub fn clock_that_has_jumped_ahead_is_not_trusted_at_once(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    engine.set_retention(None, Some(days(1)));
    let begin = |engine: &Engine, now, seconds| {
        let passed = Duration::from_secs(seconds);
        engine.write(BeginRemoval { now, passed }).unwrap().unwrap().1
    };
    let now = Timestamp::now();
    let first = begin(&engine, now, 0);
    assert!(first <= now && first.0 > now.0 - DAY, "an operator has just said so");
    // A start after a clock was set a day ahead.
    engine.reopen();
    let ahead = Timestamp(now.0 + DAY);
    assert_eq!(begin(&engine, ahead, 0), first);
    assert_eq!(begin(&engine, ahead, 60), first.plus(Duration::from_secs(240)));
    // It is set back.
    assert_eq!(begin(&engine, now, 60), now);
    let done = engine.read(ListRetention { after: None, max: 1 }).done;
    assert_eq!((done.looked_at, done.trusted_at), (Some(now), Some(now)));
    // It is ten years behind for a minute.
    let behind = Timestamp(now.0 - 3_650 * DAY);
    assert_eq!(begin(&engine, behind, 60), behind);
    assert_eq!(begin(&engine, now, 60), now);
    // An operator vouches for it.
    engine.write(SetRetention { room: None, kept: Some(days(1)), now: ahead }).unwrap().unwrap();
    assert_eq!(begin(&engine, ahead, 0), ahead);
}
