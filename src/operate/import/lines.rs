//! The lines of an import, with their numbers for errors.

use std::fmt::Display;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use crate::catalogue::{client, server};
use crate::operate::failure::{Exit, Failure};
use crate::transfer::LINE_BYTES_MAX;

/// Lines, counted from 1.
pub(super) struct Lines {
    file: PathBuf,
    input: Box<dyn BufRead>,
    number: usize,
    bytes: usize,
    bytes_read: u64,
}

impl Lines {
    pub(super) fn new(file: &Path, input: Box<dyn BufRead>) -> Self {
        Self { file: file.to_owned(), input, number: 0, bytes: 0, bytes_read: 0 }
    }

    /// The next line without its LF. The last line may lack it.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut line = Vec::new();
        let room = LINE_BYTES_MAX as u64 + 1;
        let read = self.input.by_ref().take(room).read_until(b'\n', &mut line);
        read.map_err(|error| {
            Failure::new(Exit::Io, client::file_not_read(self.file.display(), error))
        })?;
        if line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        self.bytes = line.len();
        self.bytes_read += line.len() as u64;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() > LINE_BYTES_MAX {
            return Err(self.wrong(server::line_too_long(LINE_BYTES_MAX)));
        }
        Ok(Some(line))
    }

    /// The number of the last line read.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// The length of the last line read.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The total length of the lines read.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The failure for the last line read.
    pub(super) fn wrong(&self, problem: impl Display) -> Failure {
        self.wrong_at(self.number.max(1), problem)
    }

    /// The failure for a line.
    pub(super) fn wrong_at(&self, number: usize, problem: impl Display) -> Failure {
        let file = self.file.display();
        Failure::new(Exit::Data, server::line_wrong(file, number, problem))
            .hint(server::mend_line())
    }
}
