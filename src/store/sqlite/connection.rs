//! The settings of every connection to the file.

use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// How long a statement waits for another process's lock, such as that of a `sqlite3` shell. Then
/// it fails with [`StoreError::Busy`](crate::store::StoreError::Busy).
pub(in crate::store) const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Makes the settings of the writer and the readers. They must precede every other statement.
pub(in crate::store) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    // Otherwise SQLite plans a statement with `LIMIT ?` anew each time that it runs.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(PRAGMAS)
}

/// `fullfsync` has an effect only on macOS, where fsync does not reach the disk.
const PRAGMAS: &str = "
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
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn every_connection_asks_for_full_syncs() {
        let connection = Connection::open_in_memory().unwrap();
        configure(&connection).unwrap();
        for name in ["fullfsync", "checkpoint_fullfsync"] {
            let is_on: bool = connection.pragma_query_value(None, name, |row| row.get(0)).unwrap();
            assert!(is_on, "{name}");
        }
    }

    #[test]
    fn statement_with_a_limit_is_planned_once() {
        let connection = Connection::open_in_memory().unwrap();
        configure(&connection).unwrap();
        connection.execute_batch("CREATE TABLE numbers (number INTEGER PRIMARY KEY)").unwrap();
        let sql = "SELECT number FROM numbers WHERE number > ?1 ORDER BY number LIMIT ?2";
        let mut statement = connection.prepare(sql).unwrap();
        for limit in 1..4 {
            assert!(!statement.exists([0, limit]).unwrap());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
