//! The errors of the store, by what a caller can do about them.

use std::path::PathBuf;

/// Why an operation was not executed, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was done: the queue is full, or another process holds the file's lock. A later try
    /// can succeed.
    #[error("the store is busy")]
    Busy,
    /// Nothing was done: the disk is full.
    #[error("the disk is full")]
    Full,
    /// Nothing was done: the store is closing.
    #[error("the store is closing")]
    Closed,
    /// Nothing was done: a statement failed. This is a bug.
    #[error("a statement failed: {0}")]
    Statement(String),
    /// The store can no longer guarantee its answers.
    #[error("{0}")]
    Fatal(Fatal),
}

/// Why the store can no longer guarantee its answers. `operate::store_error` words it for people;
/// the server log has it in English.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    /// The name of the database or of its WAL leads to another file, or to none.
    #[error("the database file was renamed or removed while the server was running")]
    FileGone,
    /// Another program shortened the WAL.
    #[error("the WAL of the database was cut while the server was running")]
    WalCut,
    /// The system did not sync the database file, for this reason.
    #[error("the file could not be synced: {0}")]
    NotSynced(String),
    /// A bug: the writer panicked.
    #[error("the writer panicked")]
    Panicked,
    /// The engine failed, for this reason.
    #[error("{0}")]
    Engine(String),
}

/// Why a database was not opened, copied or created. The file is as it was.
/// `operate::store_error` words it.
#[derive(Debug)]
pub enum OpenError {
    /// The path cannot name a file: it is empty, `:memory:`, or a `file:` URI.
    NotAFileName(PathBuf),
    /// The path names a folder or a device, or the file and its folder do not exist.
    NoInput {
        /// The given path.
        path: PathBuf,
        /// What is wrong with it.
        problem: NoInput,
    },
    /// The file is not a database of this program, or it is damaged.
    NotOurs {
        /// The given path.
        path: PathBuf,
        /// What is wrong with it.
        problem: NotOurs,
    },
    /// The WAL beside the database continues another state of the file than the file has.
    ForeignWal {
        /// The given path.
        path: PathBuf,
        /// The WAL.
        wal: PathBuf,
    },
    /// The database is missing or empty, but a WAL of a database lies beside its path.
    OrphanWal {
        /// The given path.
        path: PathBuf,
        /// The WAL.
        wal: PathBuf,
    },
    /// Another process wrote to the database while it was read without a lock.
    Changed {
        /// The given path.
        path: PathBuf,
    },
    /// The database has the schema of a newer program.
    Newer {
        /// The given path.
        path: PathBuf,
        /// The schema of the file.
        version: usize,
        /// The newest copy that an upgrade made of it and that this program can open.
        copy: Option<PathBuf>,
    },
    /// The database has an older schema, and an operation that only reads does not upgrade it.
    Older {
        /// The given path.
        path: PathBuf,
        /// The schema of the file.
        version: usize,
    },
    /// The path of a new file is taken.
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// The caller stopped the copy.
    Stopped {
        /// The path of the copy.
        path: PathBuf,
    },
    /// The database needs an upgrade, but the copy before the upgrade failed.
    NoCopy {
        /// The given path.
        path: PathBuf,
        /// Why there is no copy.
        problem: Box<OpenError>,
    },
    /// Another process uses the database.
    InUse {
        /// The given path.
        path: PathBuf,
        /// The id of that process, if the lock file names it.
        process: Option<u32>,
    },
    /// The system refused to read or write the file.
    Io {
        /// The given path, or the path of a file beside it.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The database server cannot be reached, or refuses.
    Server {
        /// The address of the database.
        path: PathBuf,
        /// The error of the server or of the connection.
        problem: String,
    },
    /// SQLite refused to read or write the file.
    Sqlite {
        /// The given path.
        path: PathBuf,
        /// SQLite's error.
        problem: String,
    },
}

impl std::error::Error for OpenError {}

/// Why a path names no database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoInput {
    /// It is a folder.
    Folder,
    /// It is a device, a pipe or a socket.
    Device,
    /// One of its folders is a file.
    BelowFile,
    /// It is a symbolic link whose target does not exist.
    DeadLink,
    /// Its folder does not exist.
    NoFolder,
    /// It does not exist.
    Missing,
    /// It is an empty file, which has no WAL beside it.
    Empty,
    /// The server of the database keeps a file of its own there.
    Reserved,
}

/// Why a file is not a database that this program can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotOurs {
    /// It has no header of SQLite.
    NotSqlite,
    /// It has the application id of another program.
    OtherProgram,
    /// SQLite finds it damaged, for this reason.
    Damaged(String),
    /// It has rows that refer to missing rows.
    DanglingRows,
}
