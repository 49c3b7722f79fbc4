//! The header of a database file (the SQLite file format, section 1.3).

/// The application id in the header of our files: `CHAT` in ASCII.
pub(in crate::store) const APPLICATION_ID: u32 = 0x4348_4154;

/// The size of our pages.
pub(in crate::store) const PAGE_BYTES: u64 = 4_096;

/// The first bytes of every SQLite 3 file, and the positions of the fields that we read.
pub(in crate::store) const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";
pub(in crate::store) const HEADER_BYTES: usize = 100;
pub(in crate::store) const PAGE_SIZE_AT: usize = 16;
pub(in crate::store) const READ_VERSION_AT: usize = 19;
pub(in crate::store) const CHANGES_AT: usize = 24;
pub(in crate::store) const USER_VERSION_AT: usize = 60;
pub(in crate::store) const APPLICATION_ID_AT: usize = 68;
/// The read version of a file that uses a WAL.
pub(in crate::store) const WAL: u8 = 2;

/// The header of a database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Header(pub(in crate::store) [u8; HEADER_BYTES]);

impl Header {
    /// The header at the beginning of page 1.
    pub(in crate::store) fn of(page: &[u8]) -> Option<Self> {
        page.first_chunk().copied().map(Self)
    }

    pub(in crate::store) fn word(&self, at: usize) -> u32 {
        u32::from_be_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    /// SQLite's counter of changes.
    pub(in crate::store) fn changes(&self) -> u32 {
        self.word(CHANGES_AT)
    }

    /// The size of a page. The field has 1 for 65,536, which does not fit into it.
    pub(in crate::store) fn page_bytes(&self) -> usize {
        match u16::from_be_bytes([self.0[PAGE_SIZE_AT], self.0[PAGE_SIZE_AT + 1]]) {
            1 => 65_536,
            bytes => usize::from(bytes),
        }
    }
}
