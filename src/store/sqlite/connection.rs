//! The settings of every connection to the file.

use std::time::Duration;

/// How long a statement waits for another process's lock, such as that of a `sqlite3` shell. Then
/// it fails with [`StoreError::Busy`](crate::store::StoreError::Busy).
pub(in crate::store) const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The settings of the writer and the readers. They must precede every other statement. `fullfsync`
/// has an effect only on macOS, where fsync does not reach the disk.
pub(in crate::store) const PRAGMAS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA mmap_size = 0;
    PRAGMA temp_store = MEMORY;
    PRAGMA wal_autocheckpoint = 0;
";

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn every_connection_asks_for_full_syncs() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(PRAGMAS).unwrap();
        for name in ["fullfsync", "checkpoint_fullfsync"] {
            let is_on: bool = connection.pragma_query_value(None, name, |row| row.get(0)).unwrap();
            assert!(is_on, "{name}");
        }
    }
}
