//! The stamp: which generation of the WAL a database was last written through.
//!
//! A row of `meta` has two random numbers: the previous generation and the current one. The writer
//! renews it in the first transaction of each WAL generation. So the WAL names the state of the
//! file that it continues, and `store::sqlite::opening` can compare the file with it.
//!
//! A copy gets a stamp of its own, so no WAL of the original fits it.

use rusqlite::Connection;

/// The page of `meta`, the first table of each of our databases, before and after a `VACUUM`. If
/// another page is there, it has no stamp.
pub(in crate::store) const META_PAGE: u32 = 2;
/// The names of the rows that identify `meta`.
const ROW: &[u8] = b"wal_generation";
const OPENED_BY_ROW: &[u8] = b"opened_by";
/// The previous generation of the first one.
const NONE: &[u8; DIGITS] = b"0000000000000000";
/// The length of a number, in hexadecimal digits.
const DIGITS: usize = 16;
/// The type of a leaf page of an index (the SQLite file format, section 1.6).
const LEAF_OF_INDEX: u8 = 0x0a;
const LEAF_HEADER_BYTES: usize = 8;

/// The row's two generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Stamp {
    previous: [u8; DIGITS],
    current: [u8; DIGITS],
}

/// What a page of a file or of a WAL shows about the stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Found {
    /// The page belongs to another table, or is damaged.
    Nothing,
    /// A page of `meta` without a stamp: an older program wrote it.
    Unstamped,
    /// A page of `meta` with this stamp.
    Stamped(Stamp),
}

impl Stamp {
    /// Whether a WAL whose first stamp is this one can continue a database with the stamp `file`.
    pub(in crate::store) fn follows(&self, file: Option<&Self>) -> bool {
        match file {
            Some(file) => [self.previous, self.current].contains(&file.current),
            None => self.previous == *NONE,
        }
    }

    /// Whether both have the same current generation.
    pub(in crate::store) fn is_same_generation(&self, other: &Self) -> bool {
        self.current == other.current
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let (previous, rest) = value.split_first_chunk::<DIGITS>()?;
        let (separator, current) = rest.split_first()?;
        let current = <[u8; DIGITS]>::try_from(current).ok()?;
        (*separator == b' ').then_some(Self { previous: *previous, current })
    }
}

/// Begins a generation in the open transaction. It writes page 1 too, so that the WAL has a header
/// to compare.
pub(in crate::store) fn renew(connection: &Connection) -> rusqlite::Result<()> {
    let schema: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    connection.pragma_update(None, "user_version", schema)?;
    let mut number = [0; DIGITS / 2];
    // Never fails for so few bytes on a running system. A repeated number would only be weaker.
    let _ = crate::system::fill_random(&mut number);
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES ('wal_generation', '0000000000000000 ' || ?1)
             ON CONFLICT (name) DO UPDATE SET value = substr(value, 18) || ' ' || ?1",
        )?
        .execute([format!("{:016x}", u64::from_be_bytes(number))])?;
    Ok(())
}

/// Finds the stamp in the bytes of a page.
pub(in crate::store) fn find(page: &[u8]) -> Found {
    let Some(rows) = rows(page) else { return Found::Nothing };
    let stamp = rows.iter().find(|(name, _)| *name == ROW);
    match stamp.map(|(_, value)| Stamp::parse(value)) {
        Some(Some(stamp)) => Found::Stamped(stamp),
        Some(None) => Found::Nothing,
        None if rows.iter().any(|(name, _)| *name == OPENED_BY_ROW) => Found::Unstamped,
        None => Found::Nothing,
    }
}

/// A name and a value.
type Row<'a> = (&'a [u8], &'a [u8]);

/// The rows of a page with two text columns. `None` if it is another page.
fn rows(page: &[u8]) -> Option<Vec<Row<'_>>> {
    if *page.first()? != LEAF_OF_INDEX {
        return None;
    }
    let count = usize::from(u16::from_be_bytes([*page.get(3)?, *page.get(4)?]));
    let pointers = page.get(LEAF_HEADER_BYTES..LEAF_HEADER_BYTES + 2 * count)?;
    pointers
        .chunks_exact(2)
        .map(|at| row(page.get(usize::from(u16::from_be_bytes([at[0], at[1]]))..)?))
        .collect()
}

/// The row of a cell (section 1.6) and the record in it (section 2.1).
fn row(cell: &[u8]) -> Option<Row<'_>> {
    let (payload_bytes, payload) = varint(cell)?;
    let payload = payload.get(..payload_bytes)?;
    let (header_bytes, types) = varint(payload)?;
    let (name_type, types) = varint(types)?;
    let (value_type, _) = varint(types)?;
    let content = payload.get(header_bytes..)?;
    let name = content.get(..text_bytes(name_type)?)?;
    Some((name, content.get(name.len()..name.len() + text_bytes(value_type)?)?))
}

/// The length of a text with this serial type.
fn text_bytes(serial_type: usize) -> Option<usize> {
    (serial_type >= 13 && serial_type % 2 == 1).then(|| (serial_type - 13) / 2)
}

/// Reads a number of at most two bytes, which is enough in a page of 4 KiB. Returns the number and
/// the rest.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [low, rest @ ..] if *low < 0x80 => Some((usize::from(*low), rest)),
        [high, low, rest @ ..] if *low < 0x80 => {
            Some((usize::from(*high & 0x7f) << 7 | usize::from(*low), rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::schema;

    fn page_of(connection: &Connection) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy");
        connection.execute("VACUUM INTO ?1", [path.to_str().unwrap()]).unwrap();
        std::fs::read(path).unwrap()[4_096..8_192].to_vec()
    }

    #[test]
    fn stamp_is_found_on_the_page_of_meta_in_each_schema() {
        for schema in 1..=schema::newest() {
            let connection = schema::empty(schema).unwrap().unwrap();
            let root: u32 = connection
                .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'meta'", [], |row| {
                    row.get(0)
                })
                .unwrap();
            assert_eq!(root, META_PAGE);
            let opened = "INSERT INTO meta (name, value) VALUES ('opened_by', 'a test')";
            connection.execute(opened, []).unwrap();
            assert_eq!(find(&page_of(&connection)), Found::Unstamped);
            let stamps: Vec<Stamp> = (0..3)
                .map(|_| {
                    renew(&connection).unwrap();
                    match find(&page_of(&connection)) {
                        Found::Stamped(stamp) => stamp,
                        other => panic!("{other:?}"),
                    }
                })
                .collect();
            assert!(stamps[0].follows(None) && !stamps[1].follows(None));
            for (file, first) in [(0, 0), (0, 1), (1, 2), (2, 2)] {
                assert!(stamps[first].follows(Some(&stamps[file])), "{file} before {first}");
            }
            for (file, first) in [(0, 2), (1, 0), (2, 0), (2, 1)] {
                assert!(!stamps[first].follows(Some(&stamps[file])), "{file} before {first}");
            }
        }
    }

    #[test]
    fn damaged_page_is_read_without_a_panic() {
        let connection = schema::empty(1).unwrap().unwrap();
        renew(&connection).unwrap();
        let page = page_of(&connection);
        for at in 0..page.len() {
            let mut damaged = page.clone();
            damaged[at] ^= 0xff;
            find(&damaged);
            find(&damaged[..at]);
        }
    }
}
