//! Moving cursors: all moves of a batch are one call of one function.

use crate::model::MessageId;
use crate::store::postgres::append::{BatchId, LANE};
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::operation::{CursorMove, MoveKind, Place};
use crate::store::postgres::session::Session;
use crate::store::types::cursors::CURSORS_MAX;

/// Moves cursors in one commit, in the order of the moves. After a broken connection it may be
/// called again: a batch is executed once, and its answer is kept.
pub(in crate::store) fn move_cursors_once(
    session: &mut Session,
    id: BatchId,
    moves: &[CursorMove<'_>],
) -> Result<Vec<Place>> {
    call(session, "SELECT chat.move_cursors_once($1, $2, $3, $4, $5, $6, $7, $8, $9)", id, moves)
}

/// Moves cursors in the open transaction, in the order of the moves.
pub(in crate::store) fn move_cursors(
    session: &mut Session,
    moves: &[CursorMove<'_>],
) -> Result<Vec<Place>> {
    // There is no node 0, and no batch 0.
    let id = BatchId { node: 0, batch: 0 };
    call(session, "SELECT chat.move_cursors($1, $2, $3, $4, $5, $6, $7, $8, $9)", id, moves)
}

fn call(
    session: &mut Session,
    function: &'static str,
    id: BatchId,
    moves: &[CursorMove<'_>],
) -> Result<Vec<Place>> {
    let users: Vec<i64> = moves.iter().map(|cursor| cursor.user.0).collect();
    let names: Vec<&str> = moves.iter().map(|cursor| cursor.cursor).collect();
    let kinds: Vec<i16> = moves.iter().map(|cursor| number(cursor.kind)).collect();
    let seen: Vec<i64> = moves.iter().map(|cursor| seen(cursor.kind)).collect();
    let upto: Vec<i64> = moves.iter().map(|cursor| cursor.upto.0).collect();
    let max = i32::try_from(CURSORS_MAX).unwrap_or(i32::MAX);
    let row = session.query_one(
        function,
        &[&LANE, &id.node, &id.batch, &max, &users, &names, &kinds, &seen, &upto],
    )?;
    session.check_replicated()?;
    places(&row.get::<_, Vec<i64>>(0), moves.len())
}

fn number(kind: MoveKind) -> i16 {
    match kind {
        MoveKind::From(_) => 0,
        MoveKind::Forward => 1,
        MoveKind::Anywhere => 2,
    }
}

fn seen(kind: MoveKind) -> i64 {
    match kind {
        MoveKind::From(seen) => seen.0,
        MoveKind::Forward | MoveKind::Anywhere => 0,
    }
}

/// The outcomes, from the numbers of `move_cursors`: two for each move.
fn places(numbers: &[i64], count: usize) -> Result<Vec<Place>> {
    let place = |pair: &[i64]| match pair {
        [0 | 1, at] => Ok(Place::At(MessageId(*at))),
        [2, _] => Ok(Place::Beyond),
        [3, _] => Ok(Place::Elsewhere),
        [4, _] => Ok(Place::TooMany),
        _ => Err(Error::Unexpected("a cursor has an unknown outcome")),
    };
    let places: Vec<Place> = numbers.chunks(2).map(place).collect::<Result<_>>()?;
    if places.len() == count {
        Ok(places)
    } else {
        Err(Error::Unexpected("cursors were moved that nobody asked for"))
    }
}
