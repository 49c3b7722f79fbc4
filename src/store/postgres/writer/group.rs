//! The operations of a batch that one commit executes.

use crate::model::UserId;
use crate::store::error::StoreError;
use crate::store::postgres::append::{self, Appending, BatchId, Plan, Stored};
use crate::store::postgres::error::Result;
use crate::store::postgres::moving;
use crate::store::postgres::names::Names;
use crate::store::postgres::operation::{Change, CursorMove, Grouped, PartAnswer, WriteContext};
use crate::store::postgres::session::Session;
use crate::store::postgres::writer::operation::BoxedOperation;
use crate::store::types::messages::Append;

/// Operations that one commit executes.
pub(in crate::store) struct Group {
    pub(in crate::store) kind: Kind,
    pub(in crate::store) operations: Vec<BoxedOperation>,
    pub(in crate::store) id: BatchId,
    /// What was to be stored, if these are messages.
    plan: Option<Plan>,
    /// The connection broke while it was executed, so it may be done.
    pub(in crate::store) in_doubt: bool,
    /// The connection broke at some time.
    was_in_doubt: bool,
}

/// How a group is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    /// By `append`.
    Messages,
    /// By `move_cursors_once`.
    Cursors,
    /// One operation, by one call or in a transaction of its own.
    Alone,
}

/// What a commit did, beside the answers.
#[derive(Default)]
pub(in crate::store) struct Effects {
    /// The messages that were stored.
    pub(in crate::store) stored: Option<Stored>,
    /// The newest change, if the operation changed what nodes remember.
    pub(in crate::store) change: Option<Change>,
    /// The users whose memberships have changed, or whose names, for mentions.
    pub(in crate::store) touched: Vec<UserId>,
}

impl Group {
    pub(in crate::store) fn new(kind: Kind, operations: Vec<BoxedOperation>, id: BatchId) -> Self {
        Self { kind, operations, id, plan: None, in_doubt: false, was_in_doubt: false }
    }

    /// Executes the operations, or finds out that this was done before the connection broke. The
    /// answers are with the operations.
    pub(in crate::store) fn execute(
        &mut self,
        session: &mut Session,
        names: &mut Names,
        inbox_unread_max: usize,
    ) -> Result<Effects> {
        match self.kind {
            Kind::Messages => self.append(session, names, inbox_unread_max),
            Kind::Cursors => self.move_cursors(session),
            Kind::Alone => self.execute_alone(session),
        }
    }

    /// Whether an earlier call may be the reason why rows are there already.
    pub(in crate::store) fn may_be_repeated(&self) -> bool {
        self.kind == Kind::Messages && self.was_in_doubt && !self.in_doubt
    }

    /// Why the operations were not executed.
    pub(in crate::store) fn fail(&mut self, error: &StoreError) {
        self.operations.iter_mut().for_each(|operation| operation.set_error(error.clone()));
    }

    fn append(
        &mut self,
        session: &mut Session,
        names: &mut Names,
        inbox_unread_max: usize,
    ) -> Result<Effects> {
        let messages = self.operations.iter().filter_map(|operation| match operation.grouped() {
            Grouped::Append(message) => Some(message),
            _ => None,
        });
        let messages: Vec<&Append> = messages.collect();
        let mut appending = Appending::new(self.id, messages, &mut self.plan);
        self.was_in_doubt |= self.in_doubt;
        let found = if self.in_doubt { appending.find(session)? } else { None };
        self.in_doubt = false;
        let stored = match found {
            Some(stored) => stored,
            None => appending.store(session, names, inbox_unread_max)?,
        };
        for (operation, answer) in self.operations.iter_mut().zip(&stored.answers) {
            match answer {
                Some(answer) => operation.set_answer(PartAnswer::Appended(answer.clone())),
                None => operation.set_error(StoreError::Statement("no such sender".to_owned())),
            }
        }
        Ok(Effects { stored: Some(stored), ..Effects::default() })
    }

    fn move_cursors(&mut self, session: &mut Session) -> Result<Effects> {
        let moves = self.operations.iter().filter_map(|operation| match operation.grouped() {
            Grouped::Cursor(cursor) => Some(cursor),
            _ => None,
        });
        let moves: Vec<CursorMove<'_>> = moves.collect();
        let places = moving::move_cursors_once(session, self.id, &moves)?;
        drop(moves);
        for (operation, place) in self.operations.iter_mut().zip(places) {
            operation.set_answer(PartAnswer::Cursor(place));
        }
        Ok(Effects::default())
    }

    fn execute_alone(&mut self, session: &mut Session) -> Result<Effects> {
        let node = self.id.node;
        let Some(operation) = self.operations.first_mut() else { return Ok(Effects::default()) };
        if let Some(called) = operation.call(&mut WriteContext { session, node }) {
            let change = called?;
            session.check_replicated()?;
            return Ok(Effects { change, ..Effects::default() });
        }
        session.transaction(|session| {
            let row = session.query_one("SELECT chat.begin_change($1)", &[&append::LANE])?;
            let before: i64 = row.get(0);
            operation.apply(&mut WriteContext { session, node })?;
            let row = session.query_one(
                "SELECT newest, of_users, others FROM chat.changed_since($1, $2, $3)",
                &[&append::LANE, &before, &node],
            )?;
            let number: i64 = row.get(0);
            if number == before {
                return Ok(Effects::default());
            }
            let change =
                Change { number, is_of_users: row.get(1), has_others: row.get::<_, i64>(2) > 0 };
            let touched = touched_since(session, before)?;
            Ok(Effects { change: Some(change), touched, ..Effects::default() })
        })
    }
}

/// The users whose memberships, or names, have changed after this change.
fn touched_since(session: &mut Session, before: i64) -> Result<Vec<UserId>> {
    let rows = session.query(
        "SELECT DISTINCT user_id FROM chat.changes
          WHERE id > $1 AND kind IN ('room', 'user') AND user_id IS NOT NULL",
        &[&before],
    )?;
    Ok(rows.iter().map(|row| UserId(row.get(0))).collect())
}
