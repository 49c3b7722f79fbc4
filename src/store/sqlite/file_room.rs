//! The room on the disk that the database file will need.
//!
//! What is committed is in the WAL first, and has to fit into the file later. On a full disk it
//! would not: the WAL could not be checkpointed, so it could not begin anew, and nothing could be
//! written any more, not even a purge. So a transaction that makes the database longer first takes
//! the room for that, and is refused where there is none. Then every commit can be checkpointed,
//! and the room that the WAL has already is there for those who delete.

use std::fs::File;
use std::io;
use std::sync::Arc;

use rustix::fs::fstatvfs;

use crate::store::sqlite::header::PAGE_BYTES;
use crate::system;

/// How many pages are taken ahead: 6 MiB, less than [`SCARCE_BYTES`].
const PAGES_AHEAD: u64 = 1_536;
/// More pages than a batch of sends adds. With so many left nobody has to look.
const BATCH_PAGES: u64 = 1_280;
/// Less than this may be gone before the WAL is checkpointed again.
const SCARCE_BYTES: u64 = 8 * 1024 * 1024;

/// See the module.
pub(in crate::store) struct FileRoom {
    file: Option<Arc<File>>,
    /// How many pages the file has room for.
    pages: u64,
    /// How many of them are not in use, at least.
    left: u64,
}

impl FileRoom {
    /// Of a file that nobody is known to have made room for.
    pub(in crate::store) fn new(file: Option<Arc<File>>) -> Self {
        Self { file, pages: 0, left: 0 }
    }

    /// Whether the next transaction has to [`Self::reserve`]: there may be too little for a batch
    /// of sends.
    pub(in crate::store) fn is_short(&self) -> bool {
        self.left < BATCH_PAGES
    }

    /// A commit has written so many pages to the WAL, and has added no more to the database.
    pub(in crate::store) fn note_written(&mut self, pages: u64) {
        self.left = self.left.saturating_sub(pages);
    }

    /// Whether the disk has so little room that the WAL may not become longer.
    pub(in crate::store) fn is_scarce(&self) -> bool {
        let found = self.file.as_ref().and_then(|file| fstatvfs(file).ok());
        found.is_some_and(|found| found.f_bavail.saturating_mul(found.f_frsize) < SCARCE_BYTES)
    }

    /// Another process may have cut the file.
    pub(in crate::store) fn forget(&mut self) {
        (self.pages, self.left) = (0, 0);
    }

    /// Takes room for a database of so many pages, and some more where there is any.
    ///
    /// # Errors
    /// There is no room.
    pub(in crate::store) fn reserve(&mut self, pages: u64) -> io::Result<()> {
        if self.pages < pages + BATCH_PAGES {
            // Not the last room on the disk: the WAL may need it.
            let wanted = if self.is_scarce() { pages } else { pages + PAGES_AHEAD };
            if wanted > self.pages {
                // Some file systems cannot; there a full disk stays full.
                self.pages = if self.take(wanted)? { wanted } else { u64::MAX };
            }
        }
        self.left = self.pages - pages;
        Ok(())
    }

    /// The file keeps its length: SQLite goes by it.
    fn take(&self, pages: u64) -> io::Result<bool> {
        let Some(file) = &self.file else { return Ok(false) };
        system::reserve(file, pages * PAGE_BYTES)
    }

    /// Gives back what was taken ahead. Only after the last write.
    pub(in crate::store) fn give_back(&self) {
        if let Some(file) = &self.file {
            // The same length: what lies behind it goes.
            let _ = file.metadata().and_then(|found| file.set_len(found.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn room_is_taken_ahead_behind_the_end_and_given_back() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let mut room = FileRoom::new(Some(Arc::clone(&file)));
        assert!(room.is_short());
        room.reserve(10).unwrap();
        if room.pages == u64::MAX {
            return;
        }
        assert!(!room.is_short());
        let found = file.metadata().unwrap();
        assert_eq!(found.len(), 0);
        assert!(found.blocks() * 512 >= (10 + PAGES_AHEAD) * PAGE_BYTES);
        room.note_written(PAGES_AHEAD);
        assert!(room.is_short());
        room.give_back();
        assert!(file.metadata().unwrap().blocks() * 512 < PAGES_AHEAD * PAGE_BYTES);
    }

    #[test]
    fn file_that_cannot_be_given_room_is_not_refused() {
        let mut room = FileRoom::new(None);
        room.reserve(1 << 40).unwrap();
        assert!(!room.is_short());
    }
}
