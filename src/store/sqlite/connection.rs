//! The settings of every connection to the file.

use std::time::Duration;

/// How long a statement waits for another process's lock, such as that of a `sqlite3` shell. Then
/// it fails with [`StoreError::Busy`](crate::store::StoreError::Busy).
pub(in crate::store) const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The settings of the writer and the readers. They must precede every other statement.
pub(in crate::store) const PRAGMAS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA mmap_size = 0;
    PRAGMA temp_store = MEMORY;
    PRAGMA wal_autocheckpoint = 0;
";
