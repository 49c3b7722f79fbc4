//! The errors of the store, by what a caller can do about them.

use std::path::PathBuf;

use crate::catalogue::storage;

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
    Fatal(String),
}

/// Why a database was not opened, copied or created. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path cannot name a file: it is empty, `:memory:`, or a `file:` URI.
    #[error("{}", storage::not_a_file_name(format_args!("{:?}", .0)))]
    NotAFileName(PathBuf),
    /// The path names a folder or a device, or the file and its folder do not exist.
    #[error("{path} {problem}", path = .path.display())]
    NoInput {
        /// The given path.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The file is not a database of this program, or it is damaged.
    #[error("{path} {problem}", path = .path.display())]
    NotOurs {
        /// The given path.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The WAL beside the database continues another state of the file than the file has.
    #[error("{}", storage::foreign_log(.log.display(), .path.display()))]
    ForeignLog {
        /// The given path.
        path: PathBuf,
        /// The WAL.
        log: PathBuf,
    },
    /// The database is missing or empty, but a WAL of a database lies beside its path.
    #[error("{}", storage::orphan_log(.log.display(), .path.display()))]
    Orphan {
        /// The given path.
        path: PathBuf,
        /// The WAL.
        log: PathBuf,
    },
    /// Another process wrote to the database while it was read without a lock.
    #[error("{}", storage::changed(.path.display()))]
    Changed {
        /// The given path.
        path: PathBuf,
    },
    /// The database has the schema of a newer program.
    #[error("{}", storage::is_newer(.path.display(), .version))]
    Newer {
        /// The given path.
        path: PathBuf,
        /// The schema of the file.
        version: usize,
        /// The newest copy that an upgrade made of it and that this program can open.
        copy: Option<PathBuf>,
    },
    /// The database has an older schema, and an operation that only reads does not upgrade it.
    #[error("{}", storage::is_older(.path.display(), .version))]
    Older {
        /// The given path.
        path: PathBuf,
        /// The schema of the file.
        version: usize,
    },
    /// The path of a new file is taken.
    #[error("{}", storage::exists(.path.display()))]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// The caller stopped the copy.
    #[error("{}", storage::broken_off(.path.display()))]
    Stopped {
        /// The path of the copy.
        path: PathBuf,
    },
    /// The database needs an upgrade, but the copy before the upgrade failed.
    #[error("{}", storage::not_upgraded(.path.display(), .problem))]
    NoCopy {
        /// The given path.
        path: PathBuf,
        /// Why there is no copy.
        problem: String,
    },
    /// Another process uses the database.
    #[error("{}", storage::in_use(.path.display(), .holder))]
    InUse {
        /// The given path.
        path: PathBuf,
        /// That process, as far as it is known.
        holder: String,
    },
    /// The system refused to read or write the file.
    #[error("{}", storage::cannot_be_opened(.path.display(), .source))]
    Io {
        /// The given path, or the path of a file beside it.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// SQLite refused to read or write the file.
    #[error("{}", storage::cannot_be_opened(.path.display(), .problem))]
    Sqlite {
        /// The given path.
        path: PathBuf,
        /// SQLite's error.
        problem: String,
    },
}
