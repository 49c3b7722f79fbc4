//! The output of commands: objects for programs, tables for people, otherwise tab-separated lines.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::path::Path;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::failure::Failure;
use crate::catalogue::{self, server};
use crate::model::Timestamp;
use crate::protocol::json;
use crate::terminal::{self, relative, text};

/// The space between two columns.
const GAP_COLUMNS: u16 = 2;

/// Standard output and its format. [`Output::finish`] flushes it.
pub(super) struct Output {
    out: BufWriter<StdoutLock<'static>>,
    /// One JSON object a line.
    pub(super) is_json: bool,
    /// It is a terminal.
    pub(super) is_shown: bool,
}

impl Output {
    pub(super) fn new(is_json: bool) -> Self {
        let out = BufWriter::new(io::stdout().lock());
        Self { out, is_json, is_shown: terminal::is_shown() }
    }

    /// An object, for `--json`.
    pub(super) fn object(&mut self, fields: &impl Serialize) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{}", json::versioned(fields))?)
    }

    /// A line of text, which may contain text from other users.
    pub(super) fn line(&mut self, line: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{}", text::visible(line))?)
    }

    /// A line that reports an action. With `--json` the object reports it.
    pub(super) fn did(&mut self, what: &str) -> Result<(), Failure> {
        if self.is_json { Ok(()) } else { self.line(what) }
    }

    /// [`Self::did`] for commands whose standard output is the result alone. Prints on standard
    /// error, if that is a terminal.
    pub(super) fn did_beside(&mut self, what: &str) -> Result<(), Failure> {
        if !self.is_json && io::stderr().is_terminal() { self.aside(what) } else { Ok(()) }
    }

    /// Reports a new database on standard error. With `--json` the object reports it.
    pub(super) fn new_database(&mut self, made: Option<&Path>) -> Result<(), Failure> {
        match made {
            Some(path) if !self.is_json => self.aside(&server::new_database(path.display())),
            _ => Ok(()),
        }
    }

    /// A line on standard error. Flushes standard output first.
    fn aside(&mut self, line: &str) -> Result<(), Failure> {
        self.out.flush()?;
        // A closed standard error is no failure.
        let _ = writeln!(io::stderr(), "{}", text::visible(line));
        Ok(())
    }

    /// A text of this program, unchanged.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// Rows: columns with titles on a terminal, otherwise separated by tabs and without titles.
    /// Text from other users is made safe in both cases.
    pub(super) fn table<const N: usize>(
        &mut self,
        titles: [&str; N],
        rows: &[[String; N]],
    ) -> Result<(), Failure> {
        let titles = self.is_shown.then(|| titles.map(str::to_owned));
        let rows = rows.iter().map(|row| row.each_ref().map(|cell| text::visible(cell)));
        self.rows(titles.into_iter().chain(rows).collect())
    }

    /// Rows that are safe to print.
    fn rows<const N: usize>(&mut self, rows: Vec<[String; N]>) -> Result<(), Failure> {
        if !self.is_shown {
            for row in rows {
                writeln!(self.out, "{}", row.join("\t"))?;
            }
            return Ok(());
        }
        for line in laid_out(rows, terminal::columns()) {
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    /// One title and its value a line.
    pub(super) fn pairs(&mut self, rows: &[[String; 2]]) -> Result<(), Failure> {
        self.rows(rows.iter().map(|row| row.each_ref().map(|cell| text::visible(cell))).collect())
    }

    /// Words in a table: in the user's language on a terminal, otherwise in English for programs.
    pub(super) fn words<T>(&self, say: impl FnOnce() -> T) -> T {
        if self.is_shown { say() } else { catalogue::in_english(say) }
    }

    /// A time: its age for people, RFC 3339 for programs. `-` stands for none.
    pub(super) fn moment(&self, moment: Option<Timestamp>) -> String {
        match moment {
            None => "-".to_owned(),
            Some(moment) if self.is_shown => relative::ago(moment, Timestamp::now()),
            Some(moment) => moment.to_rfc3339(),
        }
    }

    /// Flushes the output.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

/// The lines of a table without borders. A cell that is too long for the terminal is broken inside
/// its column. A terminal without two columns for each cell breaks the lines itself.
fn laid_out<const N: usize>(rows: Vec<[String; N]>, columns: usize) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(columns.try_into().unwrap_or(u16::MAX)).add_rows(rows);
    for (column, number) in table.column_iter_mut().zip(1..) {
        column.set_padding((0, if number < N { GAP_COLUMNS } else { 0 }));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn wide_characters_keep_the_columns() {
        let rows = || vec![["name", "shown", "x"], ["neko", "猫猫", "1"], ["e\u{301}", "", "22"]];
        let rows = || rows().into_iter().map(|row| row.map(str::to_owned)).collect();
        assert_eq!(
            laid_out(rows(), 80),
            ["name  shown  x", "neko  猫猫   1", "e\u{301}            22"]
        );
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(
            cells in proptest::collection::vec("([ -~猫é]|e\u{301}|❤\u{fe0f}){0,40}", 6),
            columns in 40usize..=200,
        ) {
            let rows = vec![<[String; 6]>::try_from(cells).unwrap()];
            for line in laid_out(rows, columns) {
                prop_assert!(line.width() <= columns, "{columns} {line:?}");
            }
        }
    }
}
