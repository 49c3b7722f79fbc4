//! Expectations: each is told of once when it is late and once when it is back, however often the
//! store is opened again in between.

use std::time::Duration;

use super::{Engine, NEKO, Open, PAFF, message};
use crate::model::{Timestamp, UserId};
use crate::store::{
    Appended, Change, ChangeUser, EXPECTATIONS_MAX, Expectation, FindUntold, FoundUntold,
    ListExpectations, MarkLate, Put, PutExpectation, RemoveExpectation, Report, ReportExpectation,
    SettleTold, Told, Untold,
};

const HOUR: i64 = 3_600_000;

impl Engine {
    pub(super) fn expect(&self, owner: UserId, name: &str, hours: u64, now: i64) -> Put {
        let every = Duration::from_secs(3_600 * hours);
        let put = PutExpectation {
            owner,
            name: name.parse().unwrap(),
            every,
            grace: Duration::from_secs(3_600),
            tell: "neko".parse().unwrap(),
            now: Timestamp(now),
        };
        self.write(put).unwrap()
    }

    pub(super) fn report(&self, name: &str, report: Report, now: i64) -> Option<i64> {
        let name = name.parse().unwrap();
        let now = Timestamp(now);
        let report = ReportExpectation { owner: PAFF, name, report, text: None, now };
        self.write(report).unwrap().map(|due_at| due_at.0)
    }

    fn mark(&self, now: i64, is_start: bool) -> usize {
        self.write(MarkLate { now: Timestamp(now), is_start }).unwrap()
    }

    pub(super) fn untold(&self, now: i64) -> FoundUntold {
        self.read(FindUntold { now: Timestamp(now), after: None, max: 100 })
    }

    fn expectations(&self) -> Vec<Expectation> {
        self.read(ListExpectations { owner: PAFF })
    }

    /// Stores the message about it under a key like the service's. Returns whether it is new.
    pub(super) fn post(&self, untold: &Untold) -> bool {
        let state = if matches!(untold.what, Told::Back(_)) { "back" } else { "late" };
        let key = format!("expect-{state}-{}-{}", untold.late_since.0, untold.name.as_str());
        match self.append(message(untold.owner, &[untold.tell.as_str()], state, Some(&key))) {
            Appended::Stored { duplicate, .. } => !duplicate,
            other => panic!("{other:?}"),
        }
    }

    /// Tells what is to be told, as the service does. Returns what.
    fn tell(&self, now: i64) -> Vec<Told> {
        let untold = self.untold(now).untold;
        let told = untold.iter().map(|untold| untold.what).collect();
        for untold in untold {
            assert_eq!(self.write(SettleTold(untold.clone())), Ok(true));
            assert_eq!(self.write(SettleTold(untold)), Ok(false), "only once");
        }
        told
    }
}

pub fn expectation_is_told_of_once_when_late_and_once_when_back(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    assert_eq!(engine.expect(PAFF, "backup", 1, 0), Put::DueAt(Timestamp(2 * HOUR)));
    assert_eq!(engine.report("backup", Report::Ended(0), HOUR), Some(3 * HOUR));
    assert_eq!(engine.mark(3 * HOUR - 1, false), 0);
    let waits = engine.untold(2 * HOUR);
    assert_eq!((waits.untold.len(), waits.is_due), (0, false));
    assert_eq!(waits.next, Some(Timestamp(3 * HOUR)));
    assert!(engine.untold(3 * HOUR).is_due);
    assert_eq!(engine.mark(3 * HOUR, false), 1);
    assert_eq!(engine.mark(4 * HOUR, false), 0, "it is late already");
    engine.reopen();
    let missing = Told::Missing { last_at: Some(Timestamp(HOUR)) };
    let untold = engine.untold(4 * HOUR).untold;
    assert_eq!(untold.len(), 1);
    assert_eq!((untold[0].late_since, untold[0].what), (Timestamp(3 * HOUR), missing));
    // A report before it was told: both are told, in their order.
    assert_eq!(engine.report("backup", Report::Ended(0), 5 * HOUR), Some(7 * HOUR));
    let late = Told::Missing { last_at: Some(Timestamp(5 * HOUR)) };
    assert_eq!(engine.tell(5 * HOUR), [late]);
    engine.reopen();
    assert_eq!(engine.report("backup", Report::Ended(0), 6 * HOUR), Some(8 * HOUR));
    assert_eq!(engine.tell(6 * HOUR), [Told::Back(Timestamp(5 * HOUR))]);
    assert_eq!(engine.tell(6 * HOUR), []);
    assert_eq!(engine.expectations()[0].late_since, None);
    // The next time.
    assert_eq!(engine.mark(9 * HOUR, false), 1);
    assert_eq!(engine.tell(9 * HOUR).len(), 1);
}

pub fn failure_is_told_of_at_once_and_a_start_is_no_report(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    engine.expect(PAFF, "backup", 1, 0);
    assert_eq!(engine.report("backup", Report::Started, 10), Some(2 * HOUR));
    assert_eq!(engine.expectations()[0].started_at, Some(Timestamp(10)));
    assert_eq!(engine.report("backup", Report::Ended(3), 20), Some(2 * HOUR + 20));
    assert_eq!(engine.tell(20), [Told::Failed(3)]);
    let failed = engine.expectations().remove(0);
    assert_eq!((failed.started_at, failed.last), (None, Some((Timestamp(20), 3))));
    assert_eq!(failed.late_since, Some(Timestamp(20)));
    // It fails again: that is not told again. It does not become late either.
    assert_eq!(engine.report("backup", Report::Ended(4), 30), Some(2 * HOUR + 30));
    assert_eq!((engine.tell(30), engine.mark(9 * HOUR, false)), (vec![], 0));
    assert!(engine.report("backup", Report::Ended(0), 40).is_some());
    // It fails before the end of the failure was told of. That message may be stored already.
    assert!(engine.report("backup", Report::Ended(5), 50).is_some());
    assert_eq!(engine.tell(50), [Told::Failed(5)]);
    assert!(engine.report("backup", Report::Ended(0), 60).is_some());
    assert_eq!(engine.tell(60), [Told::Back(Timestamp(60))]);
    assert_eq!(engine.report("other", Report::Ended(0), 60), None);
}

/// The message that a return is told with is stored, and a failure comes before that is recorded.
pub fn failure_after_a_return_begins_a_new_period(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    engine.expect(PAFF, "backup", 1, 0);
    engine.report("backup", Report::Ended(3), 20);
    assert_eq!(engine.tell(20), [Told::Failed(3)]);
    engine.report("backup", Report::Ended(0), 40);
    let back = engine.untold(40).untold.remove(0);
    assert_eq!((back.what, engine.post(&back)), (Told::Back(Timestamp(40)), true));
    // The clock was set back to when the first failure came.
    engine.report("backup", Report::Ended(5), 20);
    assert_eq!(engine.write(SettleTold(back.clone())), Ok(false), "it is another period");
    let failed = engine.untold(40).untold.remove(0);
    assert_eq!((failed.what, failed.late_since), (Told::Failed(5), Timestamp(21)));
    assert!(engine.post(&failed), "its key is a new one");
    assert_eq!(engine.write(SettleTold(failed)), Ok(true));
    assert_eq!(engine.untold(40).untold, []);
    // A failure that repeats is part of the period.
    engine.report("backup", Report::Ended(6), 50);
    assert_eq!(engine.untold(50).untold, []);
    engine.report("backup", Report::Ended(0), 60);
    let next = engine.untold(60).untold.remove(0);
    assert_eq!(next.what, Told::Back(Timestamp(60)));
    assert!(engine.post(&next) && !engine.post(&back), "its key is a new one");
    assert_eq!(engine.write(SettleTold(next)), Ok(true));
    assert_eq!(engine.expectations()[0].late_since, None);
}

/// What cannot be told, because an inbox is full, stays untold. The pages go on after it.
pub fn pages_of_what_is_to_be_told_go_past_what_cannot_be_told(open: Open) {
    const COUNT: usize = 25;
    let Some(engine) = Engine::new(open) else { return };
    let name = |number: usize| format!("e{number:02}");
    for number in 0..COUNT {
        engine.expect(PAFF, &name(number), 1, 0);
        // Several fail at the same time.
        engine.report(&name(number), Report::Ended(1), (number / 4) as i64);
    }
    engine.expect(NEKO, "backup", 1, 0);
    let failed = Report::Ended(7);
    let (owner, backup) = (NEKO, "backup".parse().unwrap());
    let now = Timestamp((COUNT / 4) as i64);
    let report = ReportExpectation { owner, name: backup, report: failed, text: None, now };
    engine.write(report).unwrap();
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = engine.read(FindUntold { now, after, max: 10 }).untold;
        after = page.last().cloned();
        found.extend(
            page.into_iter().map(|untold| (untold.late_since.0, untold.owner, untold.name)),
        );
        if after.is_none() {
            break;
        }
    }
    let of_paff = (0..COUNT).map(|number| ((number / 4) as i64, PAFF, name(number)));
    let mut expected: Vec<_> = of_paff.chain([(now.0, NEKO, "backup".to_owned())]).collect();
    expected.sort();
    let found: Vec<_> =
        found.into_iter().map(|(at, owner, name)| (at, owner, name.as_str().to_owned())).collect();
    assert_eq!(found, expected);
}

pub fn expectations_are_limited_listed_changed_and_removed(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let unknown = PutExpectation {
        owner: PAFF,
        name: "a".parse().unwrap(),
        every: Duration::from_secs(1),
        grace: Duration::ZERO,
        tell: "nobody".parse().unwrap(),
        now: Timestamp(0),
    };
    assert_eq!(engine.write(unknown), Ok(Put::UnknownUser));
    for number in 0..EXPECTATIONS_MAX {
        assert!(matches!(engine.expect(PAFF, &format!("e{number:04}"), 1, 0), Put::DueAt(_)));
    }
    assert_eq!(engine.expect(PAFF, "surplus", 1, 0), Put::TooMany);
    assert!(matches!(engine.expect(NEKO, "surplus", 1, 0), Put::DueAt(_)), "each user has his own");
    // A change forgets that it was late.
    assert_eq!(engine.mark(2 * HOUR, false), EXPECTATIONS_MAX + 1);
    assert_eq!(engine.expect(PAFF, "e0000", 5, 2 * HOUR), Put::DueAt(Timestamp(8 * HOUR)));
    let listed = engine.expectations();
    assert_eq!(listed.len(), EXPECTATIONS_MAX);
    assert_eq!((listed[0].name.as_str(), listed[0].late_since), ("e0000", None));
    assert_eq!(listed[0].every, Duration::from_secs(5 * 3_600));
    assert!(listed[1].late_since.is_some() && listed[1].tell.as_str() == "neko");
    let remove = RemoveExpectation { owner: PAFF, name: "e0001".parse().unwrap() };
    assert_eq!(engine.write(remove.clone()), Ok(true));
    assert_eq!(engine.write(remove), Ok(false));
    assert_eq!(engine.expectations().len(), EXPECTATIONS_MAX - 1);
}

pub fn disabled_user_tells_nothing_and_a_clock_set_back_moves_no_deadline_away(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let change = |change| {
        let name = "paff".parse().unwrap();
        engine.write(ChangeUser { name, change }).unwrap();
    };
    engine.expect(PAFF, "backup", 1, 100 * HOUR);
    change(Change::Disable);
    let found = engine.untold(200 * HOUR);
    assert!(!found.is_due && found.next.is_none());
    assert_eq!(engine.mark(200 * HOUR, false), 0);
    change(Change::Enable);
    // The clock was set back by days while no server ran.
    assert_eq!(engine.mark(10 * HOUR, true), 0);
    assert_eq!(engine.expectations()[0].due_at, Timestamp(12 * HOUR));
    assert_eq!(engine.mark(12 * HOUR, false), 1);
    change(Change::Disable);
    assert_eq!(engine.untold(12 * HOUR).untold, []);
    change(Change::Enable);
    assert_eq!(engine.untold(12 * HOUR).untold.len(), 1);
    change(Change::Delete);
    assert_eq!((engine.untold(12 * HOUR).untold, engine.expectations()), (vec![], vec![]));
}

/// The text of the failure that began the period is told, whatever is reported meanwhile.
pub fn text_of_the_first_failure_is_told(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    let report = |engine: &Engine, report, text: &str, now| {
        let text = Some(text.parse().unwrap());
        let name = "backup".parse().unwrap();
        let now = Timestamp(now);
        engine.write(ReportExpectation { owner: PAFF, name, report, text, now }).unwrap().unwrap();
    };
    let told = |engine: &Engine| -> Vec<Option<String>> {
        let untold = engine.untold(100).untold;
        untold.into_iter().map(|of| of.text.map(|text| text.as_str().to_owned())).collect()
    };
    engine.expect(PAFF, "backup", 1, 0);
    report(&engine, Report::Ended(0), "all is well", 10);
    assert_eq!(told(&engine), []);
    report(&engine, Report::Ended(3), "no\0 space\n", 20);
    report(&engine, Report::Ended(4), "still none", 30);
    engine.reopen();
    assert_eq!(told(&engine), [Some("no\0 space\n".to_owned())]);
    engine.tell(30);
    report(&engine, Report::Ended(0), "space again", 40);
    engine.tell(40);
    report(&engine, Report::Ended(5), "another", 50);
    assert_eq!(told(&engine), [Some("another".to_owned())]);
    // A change of the expectation forgets it.
    engine.expect(PAFF, "backup", 1, 60);
    assert_eq!((engine.mark(4 * HOUR, false), told(&engine).len()), (1, 1));
    let missing = engine.untold(4 * HOUR).untold.remove(0);
    assert_eq!(missing.text, None);
}
