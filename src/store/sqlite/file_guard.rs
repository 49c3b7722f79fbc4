//! Checks after each commit that the open files are still those at their paths.
//!
//! It asks the system for file numbers and lengths only. Since Linux 6.13, a query of the
//! modification time makes the kernel record the next change to the nanosecond (`fs/inode.c`,
//! multigrain timestamps). The next fsync then writes that time too, and takes 1.5 times as long.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::error::Fatal;
use crate::store::sqlite::wal_index::{FRAMES_AHEAD, WalIndex, capacity};
use crate::system::{file_id, file_length};

/// The sizes of the WAL's header and of the header of each frame (the SQLite file format, section
/// 4.1).
pub(in crate::store) const WAL_HEADER_BYTES: usize = 32;
pub(in crate::store) const WAL_FRAME_HEADER_BYTES: u64 = 24;

/// The open files, and how far the WAL is written. Writes to an open file that was renamed or
/// removed succeed, but the next process that opens the path does not find them. Writes to a
/// truncated WAL leave a gap, where every reader stops.
pub(in crate::store) struct FileGuard {
    /// The database, its WAL and the WAL index.
    files: [(PathBuf, FileId); 3],
    wal: File,
    frame_bytes: u64,
    /// The minimum length of the WAL after the last commit.
    written: u64,
    /// The header of the WAL after the last commit. It differs in each generation.
    header: [u8; WAL_HEADER_BYTES],
    /// The length of the WAL before this commit.
    found: u64,
    index: Arc<WalIndex>,
    /// The number of WAL pages for which the index has space.
    index_pages: u64,
}

impl FileGuard {
    /// Creates a guard of the database, its WAL and the WAL index, which SQLite has open.
    pub(in crate::store) fn open(
        names: [PathBuf; 3],
        index: Arc<WalIndex>,
        page_bytes: u64,
    ) -> io::Result<Self> {
        let [database, wal, shm] = names.map(|name| FileId::of(&name).map(|file| (name, file)));
        let files = [database?, wal?, shm?];
        let wal = File::open(&files[1].0)?;
        index.reserve(0)?;
        index.hand_over();
        let frame_bytes = WAL_FRAME_HEADER_BYTES + page_bytes;
        let header = [0; WAL_HEADER_BYTES];
        Ok(Self {
            files,
            wal,
            frame_bytes,
            written: 0,
            header,
            found: 0,
            index,
            index_pages: capacity(0),
        })
    }

    /// The path of the WAL.
    pub(in crate::store) fn wal_path(&self) -> &Path {
        &self.files[1].0
    }

    /// Reserves space in the WAL index for a batch and `more` pages, after the `pages` of the WAL.
    /// SQLite extends the index after a commit is already in the WAL. Without space at that moment
    /// the process would end, with the outcome of the commit unknown. Call it only inside a
    /// transaction that may write.
    ///
    /// # Errors
    /// The disk has no space.
    pub(in crate::store) fn reserve_index(&mut self, pages: u64, more: u64) -> io::Result<()> {
        if pages + FRAMES_AHEAD + more <= self.index_pages {
            return Ok(());
        }
        let wanted = pages + 2 * FRAMES_AHEAD + more;
        self.index.reserve(wanted)?;
        self.index_pages = capacity(wanted);
        Ok(())
    }

    /// Notes the length of the WAL before a commit, when no other process can write.
    pub(in crate::store) fn note_length(&mut self) {
        self.found = file_length(&self.wal).unwrap_or(0);
    }

    /// Forgets the length of the WAL, because a checkpoint has truncated it.
    pub(in crate::store) fn forget_length(&mut self) {
        self.written = 0;
    }

    /// Checks the files after a commit. `pages` is the length of the WAL now, or `None` if the
    /// commit wrote nothing. Then an empty WAL may be one that a shell has checkpointed. Returns
    /// whether the commit began a new generation of the WAL.
    ///
    /// # Errors
    /// The files at the paths do not have the commit.
    pub(in crate::store) fn check(&mut self, pages: Option<u64>) -> Result<bool, Fatal> {
        let is_there =
            |(name, found): &(PathBuf, FileId)| FileId::of(name).is_ok_and(|file| file == *found);
        if !self.files.iter().all(is_there) {
            return Err(Fatal::FileGone);
        }
        let mut header = [0; WAL_HEADER_BYTES];
        let is_whole = self.wal.read_exact_at(&mut header, 0).is_ok();
        // If a shell has checkpointed and truncated the WAL, the commit began a new generation. Its
        // header has another salt, and a checksum, which SQLite writes last.
        let is_another =
            is_whole && header[16..20] != self.header[16..20] && header[24..] != [0; 8];
        let is_short = self.found < self.written;
        if is_short && !is_another && (self.found > 0 || pages.is_some()) {
            return Err(Fatal::WalCut);
        }
        let is_new = pages.is_some() && header[16..24] != self.header[16..24];
        if let Some(pages) = pages {
            self.header = header;
            self.written = WAL_HEADER_BYTES as u64 + pages * self.frame_bytes;
        }
        Ok(is_new)
    }
}

/// The device of a file and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64);

impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        let (device, number) = file_id(path)?;
        Ok(Self(device, number))
    }
}
