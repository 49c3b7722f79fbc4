//! Expectations: somebody will report, or a user is told.

use std::time::Duration;

use crate::model::{Body, ExpectationName, Timestamp, UserId, UserName};
use crate::store::operation::{Party, Read, Write};

/// The maximum number of expectations of one user.
pub const EXPECTATIONS_MAX: usize = 1_000;

/// Declares an expectation, or changes it. Its first deadline, or its next one, counts from now.
/// What was late before is forgotten. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct PutExpectation {
    /// Who will report.
    pub owner: UserId,
    /// Its name, unique for the owner.
    pub name: ExpectationName,
    /// How often a report comes.
    pub every: Duration,
    /// How much later it may come.
    pub grace: Duration,
    /// Who is told.
    pub tell: UserName,
    /// The time now.
    pub now: Timestamp,
}

impl Write for PutExpectation {
    type Answer = Put;
}

/// The result of [`PutExpectation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is due then.
    DueAt(Timestamp),
    /// There is no user with that name to tell.
    UnknownUser,
    /// The user blocks the owner.
    NotAllowed,
    /// The owner has [`EXPECTATIONS_MAX`] of them.
    TooMany,
}

/// Removes an expectation. The answer is whether there was one.
#[derive(Debug, Clone)]
pub struct RemoveExpectation {
    /// Whose it is.
    pub owner: UserId,
    /// Which one.
    pub name: ExpectationName,
}

impl Write for RemoveExpectation {
    type Answer = bool;
}

/// The expectations of a user, by name.
pub struct ListExpectations {
    /// The user.
    pub owner: UserId,
}

impl Read for ListExpectations {
    type Answer = Vec<Expectation>;

    fn party(&self) -> Party {
        Some(self.owner)
    }
}

/// An expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// Its name.
    pub name: ExpectationName,
    /// Who is told.
    pub tell: UserName,
    /// How often a report comes.
    pub every: Duration,
    /// How much later it may come.
    pub grace: Duration,
    /// The next deadline. It has passed if the expectation is late.
    pub due_at: Timestamp,
    /// When a run was reported to have started that has not ended yet.
    pub started_at: Option<Timestamp>,
    /// The last report, and its exit code.
    pub last: Option<(Timestamp, u8)>,
    /// Since when it is late or failing.
    pub late_since: Option<Timestamp>,
}

/// A report. The answer is the next deadline; `None` if there is no such expectation. Durable when
/// the answer comes.
#[derive(Debug, Clone)]
pub struct ReportExpectation {
    /// Whose it is.
    pub owner: UserId,
    /// Which one.
    pub name: ExpectationName,
    /// What is reported.
    pub report: Report,
    /// What is said about it. It is told with a failure that begins a period.
    pub text: Option<Body>,
    /// The time now.
    pub now: Timestamp,
}

impl Write for ReportExpectation {
    type Answer = Option<Timestamp>;
}

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// It has started. That is no report that it is done.
    Started,
    /// It has ended with this code. Not 0 is a failure, of which is told at once, unless it is late
    /// or failing already. A return ends that, also if it was not told yet: the message about it may
    /// be stored. So a failure after a return begins a new period, which starts after the last one.
    Ended(u8),
}

/// Marks the expectations of enabled users whose deadline has passed as late. With `is_start`, it
/// first shortens deadlines that the clock, set back while no server ran, has moved too far away.
#[derive(Debug, Clone)]
pub struct MarkLate {
    /// The time now.
    pub now: Timestamp,
    /// Whether the server has just started.
    pub is_start: bool,
}

impl Write for MarkLate {
    type Answer = usize;
}

/// Finds what is to be told of, in the order of `late_since`, owner and name. Disabled users tell
/// nothing.
pub struct FindUntold {
    /// The time now.
    pub now: Timestamp,
    /// Only what comes after this one, which may be told of by now.
    pub after: Option<Untold>,
    /// The maximum number.
    pub max: usize,
}

impl Read for FindUntold {
    type Answer = FoundUntold;
}

/// The answer to [`FindUntold`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundUntold {
    /// What is to be told of.
    pub untold: Vec<Untold>,
    /// Whether a deadline has passed that [`MarkLate`] has not seen.
    pub is_due: bool,
    /// The next deadline after now.
    pub next: Option<Timestamp>,
}

/// Something to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// Who tells: the owner.
    pub owner: UserId,
    /// The expectation's name.
    pub name: ExpectationName,
    /// Who is told.
    pub tell: UserName,
    /// Since when it is late or failing.
    pub late_since: Timestamp,
    /// What is told.
    pub what: Told,
    /// What was reported with a failure.
    pub text: Option<Body>,
}

impl FindUntold {
    /// The place after which it looks: since when, the owner, and the name.
    pub(in crate::store) fn place(&self) -> (i64, i64, &str) {
        let place = |untold: &'_ Untold| (untold.late_since.0, untold.owner.0);
        let (since, owner) = self.after.as_ref().map_or((i64::MIN, 0), place);
        // No name is before the empty one.
        (since, owner, self.after.as_ref().map_or("", |untold| untold.name.as_str()))
    }
}

/// What is told of an expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// There was no report; the last one before came then.
    Missing {
        /// The last report.
        last_at: Option<Timestamp>,
    },
    /// It was reported to have failed with this code.
    Failed(u8),
    /// A report came again, then.
    Back(Timestamp),
}

/// Records that the message about this is stored. The answer is whether that was not recorded yet.
#[derive(Debug, Clone)]
pub struct SettleTold(pub Untold);

impl Write for SettleTold {
    type Answer = bool;
}
