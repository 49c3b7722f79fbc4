//! What can go wrong with the store, in the words of those who can do something about it.

use std::path::PathBuf;

use crate::catalogue::storage;

/// Why something was not done, or is not known to be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was done: too much is waiting, or somebody else holds the file. Later it will go.
    #[error("the store is busy")]
    Busy,
    /// Nothing was done: there is no room on the disk.
    #[error("the disk is full")]
    Full,
    /// Nothing was done: the store is closing.
    #[error("the store is closing")]
    Closed,
    /// Nothing was done: a statement failed. A bug.
    #[error("a statement failed: {0}")]
    Statement(String),
    /// The store can no longer vouch for what it says.
    #[error("{0}")]
    Fatal(String),
}

/// Why a database was not opened, copied or made. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The name is none of a file: empty, `:memory:`, or a `file:` URI.
    #[error("{}", storage::not_a_file_name(format_args!("{:?}", .0)))]
    NotAFileName(PathBuf),
    /// It is not there, and neither is the folder to create it in; or it is a folder.
    #[error("{path} {problem}", path = .path.display())]
    NoInput {
        /// What was asked for.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It is a file, and not one of ours.
    #[error("{path} {problem}", path = .path.display())]
    NotOurs {
        /// What was asked for.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// It is ours, and the WAL beside it goes on from another state than the file has.
    #[error("{}", storage::foreign_log(.log.display(), .path.display()))]
    ForeignLog {
        /// What was asked for.
        path: PathBuf,
        /// The WAL.
        log: PathBuf,
    },
    /// It is missing or empty, and a WAL of a database lies there.
    #[error("{}", storage::orphan_log(.log.display(), .path.display()))]
    Orphan {
        /// What was asked for.
        path: PathBuf,
        /// The WAL.
        log: PathBuf,
    },
    /// Somebody has written to it while it was read without a lock.
    #[error("{}", storage::changed(.path.display()))]
    Changed {
        /// What was asked for.
        path: PathBuf,
    },
    /// It is ours, and of a newer program.
    #[error("{}", storage::is_newer(.path.display(), .version))]
    Newer {
        /// What was asked for.
        path: PathBuf,
        /// The schema it has.
        version: usize,
        /// The newest copy that an upgrade made of it and that this program can open.
        copy: Option<PathBuf>,
    },
    /// It is ours, and of an older program; what only reads does not upgrade it.
    #[error("{}", storage::is_older(.path.display(), .version))]
    Older {
        /// What was asked for.
        path: PathBuf,
        /// The schema it has.
        version: usize,
    },
    /// There is something already where something new was to be made.
    #[error("{}", storage::exists(.path.display()))]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// Whoever asked for it wants it no more.
    #[error("{}", storage::broken_off(.path.display()))]
    Stopped {
        /// What was to be made.
        path: PathBuf,
    },
    /// It would have to be upgraded, and the copy that is to be kept of it could not be made.
    #[error("{}", storage::not_upgraded(.path.display(), .problem))]
    NoCopy {
        /// What was asked for.
        path: PathBuf,
        /// Why there is no copy.
        problem: String,
    },
    /// Another process serves it.
    #[error("{}", storage::in_use(.path.display(), .holder))]
    InUse {
        /// What was asked for.
        path: PathBuf,
        /// Who has it.
        holder: String,
    },
    /// The system does not let us read or write it.
    #[error("{}", storage::cannot_be_opened(.path.display(), .source))]
    Io {
        /// What was asked for, or what lies beside it.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// SQLite does not let us read or write it.
    #[error("{}", storage::cannot_be_opened(.path.display(), .problem))]
    Sqlite {
        /// What was asked for.
        path: PathBuf,
        /// What SQLite says.
        problem: String,
    },
}
