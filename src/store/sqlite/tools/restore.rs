//! Putting a backup where a server will look for its database.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::model::{MessageId, Timestamp};
use crate::store::error::OpenError;
use crate::store::sqlite::copy::{Copy, Draft, OnProgress};
use crate::store::sqlite::file::DatabaseFile;
use crate::store::sqlite::message_log;
use crate::store::sqlite::path;
use crate::store::sqlite::tools::offline::Reading;

/// At least so many ids are left out after a backup's newest: more than its server can have given
/// since the backup was made. A reader who noted one of them never finds another message under it.
pub const RESTORE_IDS_SKIPPED_MIN: i64 = 1_000_000_000;

/// So many more are left out at random, at most. See [`floor`].
const RANDOM_IDS: i64 = 1 << 40;

/// The clock is counted from here: 2026-01-01T00:00:00Z.
const EPOCH: Timestamp = Timestamp(1_767_225_600_000);

/// Whether those who were logged in when a backup was made are so again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldSessions {
    /// They have to log in: a session that was ended since must not come back.
    End,
    /// They are, with the tokens they had.
    Keep,
}

/// Makes `db` of a backup, or of any database that no one need be serving. There may be nothing at
/// `db`, and no server that is about to make it. The ids of new messages go on after a gap that no
/// earlier restore of the same backup has used: see `floor`.
/// Nothing is under the name of `db` before it is whole and on the disk.
///
/// # Errors
/// See [`OpenError`]; it names the backup or `db`.
pub fn restore(
    backup: &Path,
    db: &Path,
    sessions: OldSessions,
    on_progress: OnProgress<'_>,
) -> Result<Copy, OpenError> {
    // Before a lock file is put beside it, for nothing.
    path::check_free(db)?;
    let source = Reading::open(backup)?;
    let place = DatabaseFile::reserve(db)?;
    let draft = Draft::begin(place.path())?;
    draft.fill(&source.connection, on_progress)?;
    source.verify_unchanged()?;
    amend(draft.path(), sessions).map_err(|error| OpenError::from_sqlite(draft.path(), &error))?;
    draft.publish()
}

/// The id after which new messages are numbered. Each restore of one backup goes on from the same
/// newest id, so the gap has to keep the restores apart.
///
/// - The clock does: the floor rises by one id each microsecond, so a restore begins beyond all
///   ids that an earlier one gave, at up to a million messages a second. It is sure of that from
///   13 days on, when the clock has gone further than chance can take back.
/// - Chance does it before that, and where the clock was set back or stands still. An earlier
///   restore after which n messages were sent is met with a probability of n in 2^39 at most: one
///   in 500,000 for a million messages.
///
/// Ids stay below 2^53, which JSON readers need: the clock takes 2^52 of them in 140 years, and a
/// restore of what was restored before takes 2^40 more at most.
fn floor(newest: MessageId, now: Timestamp, random: i64) -> MessageId {
    let microseconds = (now.0 - EPOCH.0).saturating_mul(1_000);
    let begin = newest.0.max(microseconds);
    MessageId(begin.saturating_add(RESTORE_IDS_SKIPPED_MIN + random))
}

fn amend(path: &Path, sessions: OldSessions) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch("PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;")?;
    let transaction = connection.transaction()?;
    let newest = message_log::newest_given(&transaction)?;
    if newest > MessageId::ZERO {
        let random = transaction
            .query_row("SELECT abs(random() % ?1)", [RANDOM_IDS], |row| row.get::<_, i64>(0))?;
        message_log::raise_floor(&transaction, floor(newest, Timestamp::now(), random))?;
    }
    if sessions == OldSessions::End {
        transaction.execute("DELETE FROM sessions", [])?;
    }
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2^53: from here on a number in JSON is not exact.
    const JSON_END: i64 = 1 << 53;
    const CENTURY: i64 = 100 * 365 * 24 * 3_600 * 1_000;
    const DAY: i64 = 24 * 3_600 * 1_000;

    #[test]
    fn ids_of_thousands_of_chained_restores_fit_json() {
        let mut newest = MessageId(1);
        for restore in 0..3_000 {
            let now = Timestamp(EPOCH.0 + CENTURY / 3_000 * restore);
            newest = floor(newest, now, RANDOM_IDS - 1);
        }
        assert!(newest.0 < JSON_END, "{newest:?}");
    }

    proptest! {
        #[test]
        fn later_restore_has_a_higher_floor(
            newest in 0..1_000_000_i64,
            at in 0..CENTURY,
            later in 13 * DAY..CENTURY,
            (first, second) in (0..RANDOM_IDS, 0..RANDOM_IDS),
        ) {
            let earlier = floor(MessageId(newest), Timestamp(EPOCH.0 + at), first);
            let later = floor(MessageId(newest), Timestamp(EPOCH.0 + at + later), second);
            prop_assert!(later > earlier);
        }

        #[test]
        fn floor_keeps_the_minimum_gap_at_any_clock(
            newest in 1..1_i64 << 52,
            now in prop_oneof![Just(0), Just(i64::MIN / 2), 0..2 * CENTURY],
            random in 0..RANDOM_IDS,
        ) {
            let floor = floor(MessageId(newest), Timestamp(now), random);
            prop_assert!(floor.0 >= newest + RESTORE_IDS_SKIPPED_MIN);
            prop_assert!(floor.0 < JSON_END);
        }
    }
}
