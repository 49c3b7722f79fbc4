//! Splits standard input into lines of limited length. Knows no JSON.

use std::io::{self, BufRead};

/// The longest line. A message of 32 KiB whose every character is escaped has 192 KiB.
pub const LINE_BYTES_MAX: usize = 512 * 1024;

/// A line of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its ending.
    Whole(Vec<u8>),
    /// A line that was too long. It was skipped.
    TooLong,
}

/// The next line; `None` at the end. Blocks. The last line may lack its ending.
pub fn next(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut is_too_long = false;
    loop {
        let piece = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            piece => piece?,
        };
        if piece.is_empty() {
            return Ok((is_too_long || !line.is_empty()).then(|| ended(line, is_too_long)));
        }
        let end = memchr::memchr(b'\n', piece);
        let text = &piece[..end.unwrap_or(piece.len())];
        is_too_long |= line.len() + text.len() > LINE_BYTES_MAX;
        if is_too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(text);
        }
        let read = end.map_or(piece.len(), |end| end + 1);
        input.consume(read);
        if end.is_some() {
            return Ok(Some(ended(line, is_too_long)));
        }
    }
}

fn ended(line: Vec<u8>, is_too_long: bool) -> Line {
    if is_too_long { Line::TooLong } else { Line::Whole(line) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    #[test]
    fn lines_in_any_pieces_are_found_and_long_ones_are_skipped() {
        let longest = vec![b'x'; LINE_BYTES_MAX];
        let input = [&b"a\n\n"[..], &longest, b"\n", &longest, b"x\nb"].concat();
        for size in [1, 7, 8192, input.len()] {
            let mut reader = BufReader::with_capacity(size, input.as_slice());
            let mut found = Vec::new();
            while let Some(line) = next(&mut reader).unwrap() {
                found.push(line);
            }
            let whole = |text: &[u8]| Line::Whole(text.to_vec());
            let expected = [whole(b"a"), whole(b""), whole(&longest), Line::TooLong, whole(b"b")];
            assert!(found == expected, "pieces of {size}");
        }
    }
}
