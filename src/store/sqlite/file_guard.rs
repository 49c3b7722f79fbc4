//! Which files were opened, and whether what is committed is to be found in them.
//!
//! Each is asked for nothing but what is needed. Since Linux 6.13 whoever is told when a file was last
//! changed has its next change noted to the nanosecond (`fs/inode.c`, multigrain timestamps), and the
//! next fsync writes that down as well: it takes 1.5 times as long.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
use rustix::io::Errno;

/// What stands in the log before its pages, and before each of them (the `SQLite` file format, section 4.1).
pub(in crate::store) const LOG_HEADER_BYTES: usize = 32;
pub(in crate::store) const LOG_FRAME_HEADER_BYTES: u64 = 24;
/// How much of the index of the log is made at the start: enough for 32,734 pages, 32 KiB for 4,096 of them
/// (the format of the WAL-index); see `store::writer` for how many there may be.
const INDEX_BYTES_RESERVED: u64 = 256 * 1024;

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
    /// Open for as long as SQLite has it open, because closing it would end SQLite's locks of this process.
    _index: File,
}

impl Identity {
    /// Of the database, its log and the index of that, as SQLite has them open now.
    pub(in crate::store) fn open(names: [PathBuf; 3], page_bytes: u64) -> io::Result<Self> {
        let [database, log, index] = names.map(|name| FileId::of(&name).map(|file| (name, file)));
        let files = [database?, log?, index?];
        let log = File::open(&files[1].0)?;
        let index = OpenOptions::new().write(true).open(&files[2].0)?;
        // Where there is no room for it there is none for the log either.
        let _ = index.metadata().and_then(|there| reserve_index(&index, there.len()));
        let frame_bytes = LOG_FRAME_HEADER_BYTES + page_bytes;
        let header = [0; LOG_HEADER_BYTES];
        Ok(Self { files, log, frame_bytes, written: 0, header, found: 0, _index: index })
    }

    /// Looks at the log before something is committed, when nobody else can write.
    pub(in crate::store) fn look(&mut self) {
        self.found = length(&self.log).unwrap_or(0);
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
    pub(in crate::store) fn check(&mut self, pages: Option<u64>) -> Result<bool, &'static str> {
        let is_there =
            |(name, found): &(PathBuf, FileId)| FileId::of(name).is_ok_and(|file| file == *found);
        if !self.files.iter().all(is_there) {
            return Err("the database file was renamed or removed while the server was running");
        }
        let mut header = [0; LOG_HEADER_BYTES];
        let is_whole = self.log.read_exact_at(&mut header, 0).is_ok();
        // Somebody at a shell may have folded the log in and emptied it: then it was begun anew.
        // With another salt, and with its checksum, which is last.
        let is_another =
            is_whole && header[16..20] != self.header[16..20] && header[24..] != [0; 8];
        let is_short = self.found < self.written;
        if is_short && !is_another && (self.found > 0 || pages.is_some()) {
            return Err("the log of the database was cut while the server was running");
        }
        let is_new = pages.is_some() && header[16..24] != self.header[16..24];
        if let Some(pages) = pages {
            self.header = header;
            self.written = LOG_HEADER_BYTES as u64 + pages * self.frame_bytes;
        }
        Ok(is_new)
    }
}

/// Which file it is that has a name: its device and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    number: u64,
}

impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        match statx(CWD, path, AtFlags::empty(), StatxFlags::INO) {
            Ok(found) => {
                let device = makedev(found.stx_dev_major, found.stx_dev_minor);
                Ok(Self { device, number: found.stx_ino })
            }
            Err(error) if is_no_call(error) => {
                let found = fs::metadata(path)?;
                Ok(Self { device: found.dev(), number: found.ino() })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// How long a file is.
fn length(file: &File) -> io::Result<u64> {
    match statx(file.as_fd(), "", AtFlags::EMPTY_PATH, StatxFlags::SIZE) {
        Ok(found) => Ok(found.stx_size),
        Err(error) if is_no_call(error) => Ok(file.metadata()?.len()),
        Err(error) => Err(error.into()),
    }
}

/// Some kernels and sandboxes do not have `statx`.
fn is_no_call(error: Errno) -> bool {
    matches!(error, Errno::NOSYS | Errno::PERM)
}

/// Makes the index as long as a log needs that nobody keeps from being folded in. SQLite lets it grow when a
/// commit is in the log already: without room for it then, nobody could say whether that was done.
fn reserve_index(index: &File, length: u64) -> io::Result<()> {
    let missing = INDEX_BYTES_RESERVED.saturating_sub(length);
    // Not a hole: what is written to one by memory finds no room too late.
    index.write_all_at(&vec![0; missing as usize], length)
}
