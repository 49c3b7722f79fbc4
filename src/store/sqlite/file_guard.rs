//! Which files were opened, and whether what is committed is to be found in them.
//!
//! Each is asked for nothing but what is needed. Since Linux 6.13 whoever is told when a file was last
//! changed has its next change noted to the nanosecond (`fs/inode.c`, multigrain timestamps), and the
//! next fsync writes that down as well: it takes 1.5 times as long.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::error::Fatal;
use crate::store::sqlite::wal_index::{FRAMES_AHEAD, WalIndex, capacity};
use crate::system::{file_id, file_length};

/// What stands in the log before its pages, and before each of them (the `SQLite` file format, section 4.1).
pub(in crate::store) const LOG_HEADER_BYTES: usize = 32;
pub(in crate::store) const LOG_FRAME_HEADER_BYTES: u64 = 24;
/// Which files were opened, and how far the log was written. An open file that was renamed or removed
/// takes writes as if nothing had happened, and whoever opens the name finds none of them; a log that
/// was cut is written on behind the gap, and whoever reads it ends there.
pub(in crate::store) struct Identity {
    /// The database, its log and the index of that.
    files: [(PathBuf, FileId); 3],
    log: File,
    frame_bytes: u64,
    /// How long the log was after the last commit at least.
    written: u64,
    /// How it began then. Other bytes for each time that the log is begun anew.
    header: [u8; LOG_HEADER_BYTES],
    /// How long it was before this commit.
    found: u64,
    index: Arc<WalIndex>,
    /// How many pages of the log the index has room for.
    index_pages: u64,
}

impl Identity {
    /// Of the database, its log and the index of that, as SQLite has them open now.
    pub(in crate::store) fn open(
        names: [PathBuf; 3],
        index: Arc<WalIndex>,
        page_bytes: u64,
    ) -> io::Result<Self> {
        let [database, log, shm] = names.map(|name| FileId::of(&name).map(|file| (name, file)));
        let files = [database?, log?, shm?];
        let log = File::open(&files[1].0)?;
        index.reserve(0)?;
        index.hand_over();
        let frame_bytes = LOG_FRAME_HEADER_BYTES + page_bytes;
        let header = [0; LOG_HEADER_BYTES];
        Ok(Self {
            files,
            log,
            frame_bytes,
            written: 0,
            header,
            found: 0,
            index,
            index_pages: capacity(0),
        })
    }

    /// Where the log lies.
    pub(in crate::store) fn log_path(&self) -> &Path {
        &self.files[1].0
    }

    /// Has the index of the log room for what a batch writes, and so many pages more, behind the pages
    /// that the log has. SQLite makes it longer when a commit is in the log already: without room for it
    /// then, the process would end, and nobody could say whether that was done. Only inside of a
    /// transaction that may write.
    ///
    /// # Errors
    /// There is no room.
    pub(in crate::store) fn reserve_index(&mut self, pages: u64, more: u64) -> io::Result<()> {
        if pages + FRAMES_AHEAD + more <= self.index_pages {
            return Ok(());
        }
        let wanted = pages + 2 * FRAMES_AHEAD + more;
        self.index.reserve(wanted)?;
        self.index_pages = capacity(wanted);
        Ok(())
    }

    /// Looks at the log before something is committed, when nobody else can write.
    pub(in crate::store) fn look(&mut self) {
        self.found = file_length(&self.log).unwrap_or(0);
    }

    /// The log was folded in, and its file is as long as it may be.
    pub(in crate::store) fn forget_length(&mut self) {
        self.written = 0;
    }

    /// After a commit, since [`Self::look`]; the log has so many pages now. `None` where nothing was
    /// written; then a log that is empty may be one that a shell has folded in. Tells whether the
    /// commit has begun the log anew.
    ///
    /// # Errors
    /// What was committed is not, or not to be found, where the names lead to.
    pub(in crate::store) fn check(&mut self, pages: Option<u64>) -> Result<bool, Fatal> {
        let is_there =
            |(name, found): &(PathBuf, FileId)| FileId::of(name).is_ok_and(|file| file == *found);
        if !self.files.iter().all(is_there) {
            return Err(Fatal::FileGone);
        }
        let mut header = [0; LOG_HEADER_BYTES];
        let is_whole = self.log.read_exact_at(&mut header, 0).is_ok();
        // Somebody at a shell may have folded the log in and emptied it: then it was begun anew.
        // With another salt, and with its checksum, which is last.
        let is_another =
            is_whole && header[16..20] != self.header[16..20] && header[24..] != [0; 8];
        let is_short = self.found < self.written;
        if is_short && !is_another && (self.found > 0 || pages.is_some()) {
            return Err(Fatal::WalCut);
        }
        let is_new = pages.is_some() && header[16..24] != self.header[16..24];
        if let Some(pages) = pages {
            self.header = header;
            self.written = LOG_HEADER_BYTES as u64 + pages * self.frame_bytes;
        }
        Ok(is_new)
    }
}

/// Which file has a name: its device and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64);

impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        let (device, number) = file_id(path)?;
        Ok(Self(device, number))
    }
}
