//! The WAL index (`-shm`): its disk space is allocated before SQLite maps it.
//!
//! SQLite maps the index into memory. A write to a page without disk space ends the process with
//! SIGBUS. SQLite allocates by writing one byte for each 4 KiB, which is not enough if the file
//! system's blocks are smaller. Also, the first connection truncates the file. So this creates the
//! whole file first and holds the lock that marks it as in use. Then SQLite does not truncate it,
//! finds an empty index, and rebuilds it from the WAL.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use rustix::fs::OFlags;

use crate::store::sqlite::path::with_suffix;
use crate::system::{self, ByteLock};

/// A part of the index has 32 KiB, for so many frames (the WAL-index format, section 2).
const PART_BYTES: u64 = 32 * 1024;
const PART_FRAMES: u64 = 4_096;
/// The header takes the space of so many frames.
const HEADER_FRAMES: u64 = 34;
/// The minimum size: enough for 32,734 frames. `store::sqlite::writer` limits their number.
const BYTES_MIN: u64 = 8 * PART_BYTES;
/// The number of frames reserved in advance. A transaction writes fewer, unless it writes the whole
/// file.
pub(in crate::store) const FRAMES_AHEAD: u64 = 16 * 1024;
/// The byte that each user of the index locks (`UNIX_SHM_DMS`, the dead man's switch).
const IN_USE_AT: i32 = 128;

/// The open index. Keep it open as long as SQLite has it open, because closing it would release
/// SQLite's locks of this process.
pub(in crate::store) struct WalIndex {
    file: File,
}

impl WalIndex {
    /// Creates the index of a database that no connection of this process has open. It has space
    /// for so many frames and for a transaction. An index that another process uses only gets the
    /// missing space. Returns whether the file is new.
    ///
    /// # Errors
    /// The disk has no space. The index is unchanged; a new one is removed.
    pub(in crate::store) fn prepare(database: &Path, frames: u64) -> io::Result<(Self, bool)> {
        let path = with_suffix(database, "-shm");
        let (file, is_new) = open(&path, database)?;
        let index = Self { file };
        let made = index.make(frames + FRAMES_AHEAD);
        if is_new && made.is_err() {
            let _ = fs::remove_file(&path);
        }
        made.map(|()| (index, is_new))
    }

    fn make(&self, frames: u64) -> io::Result<()> {
        let (length, wanted) = (self.file.metadata()?.len(), bytes_for(frames));
        let made = self.fill(length, wanted);
        if made.is_err() {
            let _ = self.file.set_len(length);
            return made;
        }
        if !self.lock(ByteLock::Exclusive) {
            return Ok(());
        }
        // A killed process left this index: it has enough space, but its content is useless.
        self.file.write_all_at(&vec![0; wanted as usize], 0)?;
        self.file.set_len(wanted)?;
        self.lock(ByteLock::Shared);
        Ok(())
    }

    /// Releases the lock, once a connection has its own. Otherwise the last connection to close
    /// would see another process here, and leave the WAL.
    pub(in crate::store) fn hand_over(&self) {
        self.lock(ByteLock::None);
    }

    /// Reserves space for so many frames while the index is in use. Call it only inside a
    /// transaction that may write: no other connection extends the file then.
    ///
    /// # Errors
    /// The disk has no space. The index is unchanged.
    pub(in crate::store) fn reserve(&self, frames: u64) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        self.fill(length, bytes_for(frames)).inspect_err(|_| drop(self.file.set_len(length)))
    }

    /// Allocates disk space for each byte of the file, at least up to `end`. Changes no byte.
    fn fill(&self, length: u64, end: u64) -> io::Result<()> {
        if system::fill(&self.file, end.max(length))? {
            return Ok(());
        }
        // Zeros at the end, instead of a hole.
        self.file.write_all_at(&vec![0; end.saturating_sub(length) as usize], length)
    }

    /// Takes the lock for the open file. Unlike a lock of the process, SQLite in this process
    /// respects it. `false` if another process has it, or the system has no such locks.
    fn lock(&self, kind: ByteLock) -> bool {
        system::lock_byte(&self.file, IN_USE_AT, kind)
    }
}

/// The number of frames that fit into an index that was created for so many.
pub(in crate::store) fn capacity(frames: u64) -> u64 {
    bytes_for(frames) / PART_BYTES * PART_FRAMES - HEADER_FRAMES
}

fn bytes_for(frames: u64) -> u64 {
    ((frames + HEADER_FRAMES).div_ceil(PART_FRAMES) * PART_BYTES).max(BYTES_MIN)
}

/// Opens the index, or creates it with the owner and the mode of the database, like SQLite.
fn open(path: &Path, database: &Path) -> io::Result<(File, bool)> {
    let of = fs::metadata(database)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    match options.clone().create_new(true).mode(of.mode() & 0o777).open(path) {
        Ok(file) => {
            if rustix::process::geteuid().is_root() {
                // If root may not change the owner, root stays the owner.
                let _ = fchown(&file, Some(of.uid()), Some(of.gid()));
            }
            Ok((file, true))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            options.open(path).map(|file| (file, false))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn index_has_space_for_the_frames_of_its_format() {
        assert_eq!((bytes_for(0), capacity(0)), (BYTES_MIN, 32_734));
        assert_eq!((bytes_for(32_734), capacity(32_734)), (BYTES_MIN, 32_734));
        assert_eq!(bytes_for(32_735), BYTES_MIN + PART_BYTES);
        assert_eq!(capacity(32_735), 32_734 + PART_FRAMES);
    }

    #[test]
    fn sqlite_keeps_the_index_and_rebuilds_it_from_the_wal() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x");
        let make = "PRAGMA journal_mode = wal; CREATE TABLE x (y); INSERT INTO x VALUES (1)";
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch(make).unwrap();
        let copy = folder.path().join("copy");
        for suffix in ["", "-wal", "-shm"] {
            fs::copy(with_suffix(&path, suffix), with_suffix(&copy, suffix)).unwrap();
        }
        let (index, is_new) = WalIndex::prepare(&copy, 40_000).unwrap();
        assert!(!is_new);
        let connection = Connection::open(&copy).unwrap();
        let found: i64 = connection.query_row("SELECT y FROM x", [], |row| row.get(0)).unwrap();
        assert_eq!(found, 1);
        let file = fs::metadata(with_suffix(&copy, "-shm")).unwrap();
        assert_eq!(file.len(), bytes_for(40_000 + FRAMES_AHEAD), "it was not truncated");
        assert!(file.blocks() * 512 >= file.len(), "there is no hole in it");
        index.hand_over();
        drop(connection);
        assert!(!with_suffix(&copy, "-shm").exists(), "the last connection removes it");
        drop(writer);
    }
}
