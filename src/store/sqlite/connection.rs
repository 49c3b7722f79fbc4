//! How every connection to the file is set up.

use std::time::Duration;

/// How long a statement waits for another process's lock on the file (a person at the `sqlite3`
/// shell) before it fails as busy.
pub(in crate::store) const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The settings of writers and readers alike, made before any other statement.
pub(in crate::store) const PRAGMAS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA mmap_size = 0;
    PRAGMA temp_store = MEMORY;
    PRAGMA wal_autocheckpoint = 0;
";
