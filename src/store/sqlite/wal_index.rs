//! The index of the WAL (`-shm`): its room is on the disk before SQLite maps it.
//!
//! SQLite writes to the index as to memory. Where a page of it has no room on the disk, that write
//! ends the process with SIGBUS. SQLite makes room with one byte for each 4 KiB, which is not
//! enough where the blocks of a file system are smaller; and the first connection cuts the file to
//! nothing before. So this makes the whole file first, and holds the lock that says that it is in
//! use: SQLite takes it as it is, finds an index without anything in it, and makes it anew from the
//! WAL.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use rustix::fs::OFlags;

use crate::store::sqlite::path::with_suffix;
use crate::system::{self, ByteLock};

/// A part of the index has 32 KiB, and is for so many frames (the format of the WAL-index, section
/// 2).
const PART_BYTES: u64 = 32 * 1024;
const PART_FRAMES: u64 = 4_096;
/// The header takes the room of so many frames.
const HEADER_FRAMES: u64 = 34;
/// What is made at least: enough for 32,734 frames. See `store::sqlite::writer` for how many there
/// are.
const BYTES_MIN: u64 = 8 * PART_BYTES;
/// How many frames more than there are already: more than a transaction writes, but for those that
/// write the whole file.
pub(in crate::store) const FRAMES_AHEAD: u64 = 16 * 1024;
/// The byte that each process has a lock on that uses the index (`UNIX_SHM_DMS`, the dead man's
/// switch).
const IN_USE_AT: i32 = 128;

/// The open index. It stays open for as long as SQLite has it open, because closing it would end
/// SQLite's locks of this process.
pub(in crate::store) struct WalIndex {
    file: File,
}

impl WalIndex {
    /// Makes the index of a database that no connection of this process has open, with room for so
    /// many frames and what a transaction writes. An index that another process uses is not
    /// changed, but for room that it lacks. Tells whether the file is new.
    ///
    /// # Errors
    /// There is no room. The index is as it was, and one that was made is removed.
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
        // What a process has left that was killed: room enough, and of no use.
        self.file.write_all_at(&vec![0; wanted as usize], 0)?;
        self.file.set_len(wanted)?;
        self.lock(ByteLock::Shared);
        Ok(())
    }

    /// Lets go of the lock. A connection has opened the index and has its own; the last one to
    /// close would take this one for another process, and leave the WAL.
    pub(in crate::store) fn hand_over(&self) {
        self.lock(ByteLock::None);
    }

    /// Makes room for so many frames in the index that is in use. Only inside of a transaction that
    /// may write: no other connection makes the file longer then.
    ///
    /// # Errors
    /// There is no room. The index is as it was.
    pub(in crate::store) fn reserve(&self, frames: u64) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        self.fill(length, bytes_for(frames)).inspect_err(|_| drop(self.file.set_len(length)))
    }

    /// Gives each byte of the file room on the disk, up to `end` at least. Changes none of them.
    fn fill(&self, length: u64, end: u64) -> io::Result<()> {
        if system::fill(&self.file, end.max(length))? {
            return Ok(());
        }
        // Not a hole, at the end at least.
        self.file.write_all_at(&vec![0; end.saturating_sub(length) as usize], length)
    }

    /// Takes the lock for the open file, which unlike a lock of the process is one that SQLite in
    /// this process sees. `false` where another process has it, or the system does not know such
    /// locks.
    fn lock(&self, kind: ByteLock) -> bool {
        system::lock_byte(&self.file, IN_USE_AT, kind)
    }
}

/// How many frames an index has room for that was made for so many.
pub(in crate::store) fn capacity(frames: u64) -> u64 {
    bytes_for(frames) / PART_BYTES * PART_FRAMES - HEADER_FRAMES
}

fn bytes_for(frames: u64) -> u64 {
    ((frames + HEADER_FRAMES).div_ceil(PART_FRAMES) * PART_BYTES).max(BYTES_MIN)
}

/// Opens the index, or makes one with the owner and the mode of the database, as SQLite does.
fn open(path: &Path, database: &Path) -> io::Result<(File, bool)> {
    let of = fs::metadata(database)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    match options.clone().create_new(true).mode(of.mode() & 0o777).open(path) {
        Ok(file) => {
            if rustix::process::geteuid().is_root() {
                // Where root may not give away, it is root's.
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
    fn index_has_room_for_as_many_frames_as_its_format_says() {
        assert_eq!((bytes_for(0), capacity(0)), (BYTES_MIN, 32_734));
        assert_eq!((bytes_for(32_734), capacity(32_734)), (BYTES_MIN, 32_734));
        assert_eq!(bytes_for(32_735), BYTES_MIN + PART_BYTES);
        assert_eq!(capacity(32_735), 32_734 + PART_FRAMES);
    }

    #[test]
    fn sqlite_takes_the_index_as_it_is_and_makes_it_anew_from_the_wal() {
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
        assert_eq!(file.len(), bytes_for(40_000 + FRAMES_AHEAD), "it was not cut");
        assert!(file.blocks() * 512 >= file.len(), "there is no hole in it");
        index.hand_over();
        drop(connection);
        assert!(!with_suffix(&copy, "-shm").exists(), "it is removed by who closes it last");
        drop(writer);
    }
}
