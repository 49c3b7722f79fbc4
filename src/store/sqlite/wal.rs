//! The WAL as bytes: which of its frames SQLite would apply, and what they show about their
//! database (the SQLite file format, section 4). Only reads.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

use crate::store::sqlite::file_guard::{WAL_FRAME_HEADER_BYTES, WAL_HEADER_BYTES};
use crate::store::sqlite::header::{HEADER_BYTES, Header};
use crate::store::sqlite::stamp::{self, META_PAGE};

/// The first word of the header. Its lowest bit is the byte order of the checksums.
const MAGIC: u32 = 0x377f_0682;
const FORMAT: u32 = 3_007_000;
const FRAME_HEADER_BYTES: usize = WAL_FRAME_HEADER_BYTES as usize;
const READ_AHEAD_BYTES: usize = 256 * 1024;

/// What the committed frames of a WAL show.
#[derive(Debug, Default, Clone)]
pub(in crate::store) struct Evidence {
    /// The size of their pages, in bytes.
    pub(in crate::store) page_bytes: usize,
    /// The headers of the first and the last page 1, if there is any.
    pub(in crate::store) first_header: Option<Header>,
    pub(in crate::store) last_header: Option<Header>,
    /// Whether a page 1 has the same header as the file.
    pub(in crate::store) has_header: bool,
    /// The stamp of the first page of `meta`, if there is any.
    pub(in crate::store) first_stamp: Option<stamp::Found>,
    /// Whether a page of `meta` has the same stamp as the file.
    pub(in crate::store) has_stamp: bool,
}

/// The header of a WAL. It differs in each generation.
pub(in crate::store) type WalHeader = [u8; WAL_HEADER_BYTES];

/// Reads the header only. `None` if there is no WAL, or a shorter one.
pub(in crate::store) fn header(path: &Path) -> io::Result<Option<WalHeader>> {
    match File::open(path) {
        Ok(mut file) => read_whole(&mut file),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a WAL up to its last commit, beside a file with this header and this stamp. `None` if
/// SQLite would apply no frame of it: it is missing or damaged, or has no commit.
pub(in crate::store) fn read(
    path: &Path,
    file_header: Option<&Header>,
    file_stamp: stamp::Found,
) -> io::Result<Option<Evidence>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::with_capacity(READ_AHEAD_BYTES, file);
    let Some(header) = read_whole::<WAL_HEADER_BYTES>(&mut reader)? else { return Ok(None) };
    let Some(mut frames) = Frames::of(&header) else { return Ok(None) };
    let mut evidence = Evidence { page_bytes: frames.page.len(), ..Evidence::default() };
    let mut committed = None;
    while let Some(frame) = frames.next(&mut reader)? {
        match frame.page {
            1 => {
                let header = Header::of(&frames.page);
                evidence.has_header |= header.is_some() && header.as_ref() == file_header;
                evidence.first_header = evidence.first_header.or(header);
                evidence.last_header = header.or(evidence.last_header);
            }
            META_PAGE => {
                let found = stamp::find(&frames.page);
                if let (stamp::Found::Stamped(here), stamp::Found::Stamped(there)) =
                    (&found, &file_stamp)
                {
                    evidence.has_stamp |= here.is_same_generation(there);
                }
                evidence.first_stamp.get_or_insert(found);
            }
            _ => {}
        }
        if frame.is_commit {
            committed = Some(evidence.clone());
        }
    }
    Ok(committed)
}

/// The frames of a WAL, one after another.
struct Frames {
    is_big_endian: bool,
    salt: [u8; 8],
    checksum: [u32; 2],
    /// The page of the last frame that was read.
    page: Vec<u8>,
}

struct Frame {
    page: u32,
    is_commit: bool,
}

impl Frames {
    /// `None` if the header is not that of a WAL.
    fn of(header: &WalHeader) -> Option<Self> {
        let page_bytes = word(header, 8) as usize;
        if word(header, 0) & !1 != MAGIC
            || word(header, 4) != FORMAT
            || !page_bytes.is_power_of_two()
            || !(512..=65_536).contains(&page_bytes)
        {
            return None;
        }
        let mut salt = [0; 8];
        salt.copy_from_slice(&header[16..24]);
        let is_big_endian = word(header, 0) & 1 == 1;
        let mut frames = Self { is_big_endian, salt, checksum: [0; 2], page: vec![0; page_bytes] };
        frames.checksum = add(frames.is_big_endian, frames.checksum, &header[..24]);
        (frames.checksum == [word(header, 24), word(header, 28)]).then_some(frames)
    }

    /// The next frame. `None` where SQLite would stop.
    fn next(&mut self, reader: &mut impl Read) -> io::Result<Option<Frame>> {
        let Some(header) = read_whole::<FRAME_HEADER_BYTES>(reader)? else { return Ok(None) };
        match reader.read_exact(&mut self.page) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let (page, pages_after_commit) = (word(&header, 0), word(&header, 4));
        if header[8..16] != self.salt || page == 0 {
            return Ok(None);
        }
        self.checksum = add(self.is_big_endian, self.checksum, &header[..8]);
        self.checksum = add(self.is_big_endian, self.checksum, &self.page);
        if self.checksum != [word(&header, 16), word(&header, 20)] {
            return Ok(None);
        }
        Ok(Some(Frame { page, is_commit: pages_after_commit != 0 }))
    }
}

/// Adds bytes to a checksum (section 4.2).
fn add(is_big_endian: bool, checksum: [u32; 2], bytes: &[u8]) -> [u32; 2] {
    let [mut first, mut second] = checksum;
    for pair in bytes.chunks_exact(8) {
        let number = |at: usize| {
            let bytes = [pair[at], pair[at + 1], pair[at + 2], pair[at + 3]];
            if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
        };
        first = first.wrapping_add(number(0)).wrapping_add(second);
        second = second.wrapping_add(number(4)).wrapping_add(first);
    }
    [first, second]
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Reads exactly `COUNT` bytes. `None` if there are fewer.
fn read_whole<const COUNT: usize>(reader: &mut impl Read) -> io::Result<Option<[u8; COUNT]>> {
    let mut bytes = [0; COUNT];
    match reader.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Only the header of page 1 is compared, so it must fit into the smallest page.
const _: () = assert!(HEADER_BYTES <= 512);
