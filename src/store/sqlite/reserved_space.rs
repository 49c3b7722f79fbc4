//! Disk space that is reserved for the database file.
//!
//! A commit is in the WAL first and must fit into the file later. On a full disk it would not fit.
//! Then the WAL could not be checkpointed, so it could begin no new generation, and nothing could
//! be written, not even a purge. So a transaction that makes the database longer first reserves the
//! space, and is refused if there is none. Every commit can be checkpointed then, and the WAL's own
//! space remains for deletions.

use std::fs::File;
use std::io;
use std::sync::Arc;

use rustix::fs::fstatvfs;

use crate::store::sqlite::header::PAGE_BYTES;
use crate::system;

/// The number of pages reserved in advance: 6 MiB, less than [`SCARCE_BYTES`].
const PAGES_AHEAD: u64 = 1_536;
/// More pages than a batch of sends adds. With so many in reserve, a batch needs no check.
const BATCH_PAGES: u64 = 1_280;
/// With less free space, the disk could be full before the next checkpoint.
const SCARCE_BYTES: u64 = 8 * 1024 * 1024;

/// The space reserved for one file: see the module.
pub(in crate::store) struct ReservedSpace {
    file: Option<Arc<File>>,
    /// The number of pages for which the file has space.
    pages: u64,
    /// The minimum number of unused pages among them.
    left: u64,
}

impl ReservedSpace {
    /// Starts without any reserved space.
    pub(in crate::store) fn new(file: Option<Arc<File>>) -> Self {
        Self { file, pages: 0, left: 0 }
    }

    /// Whether the next transaction must [`Self::reserve`], because a batch of sends may not fit.
    pub(in crate::store) fn is_short(&self) -> bool {
        self.left < BATCH_PAGES
    }

    /// Notes a commit that has written so many pages to the WAL. It added at most as many to the
    /// database.
    pub(in crate::store) fn note_written(&mut self, pages: u64) {
        self.left = self.left.saturating_sub(pages);
    }

    /// Whether the disk is nearly full, so that the WAL must not grow.
    pub(in crate::store) fn is_scarce(&self) -> bool {
        let found = self.file.as_ref().and_then(|file| fstatvfs(file).ok());
        found.is_some_and(|found| found.f_bavail.saturating_mul(found.f_frsize) < SCARCE_BYTES)
    }

    /// Forgets the reservation, because another process may have truncated the file.
    pub(in crate::store) fn forget(&mut self) {
        (self.pages, self.left) = (0, 0);
    }

    /// Reserves space for a database of so many pages, and some in advance if the disk has enough.
    ///
    /// # Errors
    /// The disk has no space.
    pub(in crate::store) fn reserve(&mut self, pages: u64) -> io::Result<()> {
        if self.pages < pages + BATCH_PAGES {
            // The WAL may need the last space of the disk.
            let wanted = if self.is_scarce() { pages } else { pages + PAGES_AHEAD };
            if wanted > self.pages {
                // Some file systems cannot reserve. There a full disk stays full.
                self.pages = if self.allocate(wanted)? { wanted } else { u64::MAX };
            }
        }
        self.left = self.pages - pages;
        Ok(())
    }

    /// Reserves without changing the length of the file, because SQLite relies on it.
    fn allocate(&self, pages: u64) -> io::Result<bool> {
        let Some(file) = &self.file else { return Ok(false) };
        system::reserve(file, pages * PAGE_BYTES)
    }

    /// Returns the unused space to the disk. Call it only after the last write.
    pub(in crate::store) fn release(&self) {
        if let Some(file) = &self.file {
            // Setting the same length frees the space after it.
            let _ = file.metadata().and_then(|found| file.set_len(found.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn space_is_reserved_after_the_end_and_released() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let mut space = ReservedSpace::new(Some(Arc::clone(&file)));
        assert!(space.is_short());
        space.reserve(10).unwrap();
        if space.pages == u64::MAX {
            return;
        }
        assert!(!space.is_short());
        let found = file.metadata().unwrap();
        assert_eq!(found.len(), 0);
        assert!(found.blocks() * 512 >= (10 + PAGES_AHEAD) * PAGE_BYTES);
        space.note_written(PAGES_AHEAD);
        assert!(space.is_short());
        space.release();
        assert!(file.metadata().unwrap().blocks() * 512 < PAGES_AHEAD * PAGE_BYTES);
    }

    #[test]
    fn file_without_reservations_is_not_refused() {
        let mut space = ReservedSpace::new(None);
        space.reserve(1 << 40).unwrap();
        assert!(!space.is_short());
    }
}
