//! Restores a backup as a server's database.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::model::{MessageId, Timestamp};
use crate::store::error::OpenError;
use crate::store::sqlite::copy::{Copy, Draft, OnProgress};
use crate::store::sqlite::file::DatabaseFile;
use crate::store::sqlite::message_log;
use crate::store::sqlite::path;
use crate::store::sqlite::tools::offline::OfflineDatabase;

/// The minimum gap between a backup's newest id and the next one: more ids than the server can have
/// assigned since the backup. So an id that a reader has noted never becomes another message.
pub const RESTORE_IDS_SKIPPED_MIN: i64 = 1_000_000_000;

/// The random part of the gap is below this number. See [`floor`].
const RANDOM_IDS: i64 = 1 << 40;

/// The start of the clock in ids: 2026-01-01T00:00:00Z.
const EPOCH: Timestamp = Timestamp(1_767_225_600_000);

/// What happens to the sessions in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldSessions {
    /// They end, because a session that has ended since the backup must not come back.
    End,
    /// They continue, with the same tokens.
    Keep,
}

/// Creates `db` from a backup, or from any other database, served or not. `db` must not exist, and
/// no server may be creating it. The ids of new messages continue after a gap that no earlier
/// restore of the same backup has used: see `floor`. The name `db` appears once the file is
/// complete and synced.
///
/// # Errors
/// See [`OpenError`]; it names the backup or `db`.
pub fn restore(
    backup: &Path,
    db: &Path,
    sessions: OldSessions,
    on_progress: OnProgress<'_>,
) -> Result<Copy, OpenError> {
    // Checked before a lock file is created beside it.
    path::check_free(db)?;
    let source = OfflineDatabase::open(backup)?;
    let place = DatabaseFile::reserve(db)?;
    let draft = Draft::begin(place.path())?;
    draft.fill(&source.connection, on_progress)?;
    source.verify_unchanged()?;
    amend(draft.path(), sessions).map_err(|error| OpenError::from_sqlite(draft.path(), &error))?;
    draft.publish()
}

/// The id after which new messages are numbered. All restores of one backup continue from the same
/// newest id, so the gap must keep their ids apart.
///
/// - The clock separates restores that are 13 days or more apart. The floor rises by one id each
///   microsecond, faster than a server assigns ids. After 13 days this exceeds the random part.
/// - The random part separates the others, also if the clock was set back or stands still. If n
///   messages were sent after the earlier restore, the probability of a collision is at most n in
///   2^39: one in 500,000 for a million messages.
///
/// Ids stay below 2^53, as JSON readers need: the clock uses 2^52 ids in 140 years, and each
/// restore of a restored database at most 2^40 more.
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

    /// 2^53: larger numbers in JSON are not exact.
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
