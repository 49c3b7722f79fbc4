//! Configuration files: TOML, read with the place of everything in it, so that what is wrong can be
//! told with file and line. Which keys there are, and what they mean, is the business of whoever
//! reads the file.

pub mod setting;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::catalogue::configuration as texts;

/// The longest file that is read; a configuration has a few hundred bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// How much a word has to be like another one to be taken for it, from 0 to 1.
const LIKENESS: f64 = 0.75;

/// A file that was read.
#[derive(Debug)]
pub struct Document {
    /// Where it stands.
    pub path: PathBuf,
    /// What stands at its top, and the tables below.
    pub root: Table,
}

/// A table of a file.
#[derive(Debug)]
pub struct Table {
    /// What it is called in the table that it stands in; nothing for the file itself.
    pub name: String,
    /// Where it begins, counted from 1.
    pub line: usize,
    /// What stands in it, in the order of the file.
    pub entries: Vec<Entry>,
    /// The tables in it, in the order of the file.
    pub tables: Vec<Table>,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What is set.
    pub key: String,
    /// Where it stands, counted from 1.
    pub line: usize,
    /// What it is set to.
    pub value: Value,
}

/// What a key can be set to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A text in quotes.
    Text(String),
    /// A whole number.
    Number(i64),
    /// `true` or `false`.
    Switch(bool),
    /// Texts in brackets.
    List(Vec<String>),
    /// What no key is set to: the name of its kind.
    Other(&'static str),
}

/// What a key has to be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text in quotes.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Switch,
    /// Texts in brackets, or one text.
    List,
}

/// What is wrong with a file.
#[derive(Debug)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// Where in it, counted from 1; nothing where it could not be read at all.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Document {
    /// Reads a file; `None` where there is none.
    ///
    /// # Errors
    /// Where it cannot be read, is longer than a configuration is, or is not TOML.
    pub fn read(path: &Path) -> Result<Option<Self>, Problem> {
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Problem::of(path, None, texts::cannot_be_read(error)));
            }
        };
        Self::parse(path, &text).map(Some)
    }

    /// Understands the text of a file.
    ///
    /// # Errors
    /// Where it is not TOML.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Problem> {
        let table = DeTable::parse(text).map_err(|error| {
            let line = error.span().map(|span| line_of(text, span.start));
            Problem::of(path, line, texts::is_not_toml(error.message()))
        })?;
        Ok(Self { path: path.to_owned(), root: Table::of(text, "", 1, table.get_ref()) })
    }

    /// That something is wrong at a line.
    pub fn problem(&self, line: usize, what: impl Into<String>) -> Problem {
        Problem::of(&self.path, Some(line), what.into())
    }

    /// That no setting is called `name`, with those that there are.
    pub fn unknown(&self, line: usize, name: &str, known: &[&str]) -> Problem {
        self.problem(line, texts::no_setting(name)).hint(suggestion(name, known))
    }
}

impl Table {
    fn of(text: &str, name: &str, line: usize, table: &DeTable<'_>) -> Self {
        let mut found =
            Self { name: name.to_owned(), line, entries: Vec::new(), tables: Vec::new() };
        for (key, value) in table {
            let (line, name) = (line_of(text, key.span().start), key.get_ref());
            match value.get_ref() {
                DeValue::Table(table) => found.tables.push(Self::of(text, name, line, table)),
                value => found.entries.push(Entry {
                    key: name.to_string(),
                    line,
                    value: Value::of(value),
                }),
            }
        }
        found.entries.sort_by_key(|entry| entry.line);
        found.tables.sort_by_key(|table| table.line);
        found
    }
}

impl Value {
    fn of(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Boolean(switch) => Self::Switch(*switch),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Self::Number(number),
                    Err(_) => Self::Other("a number that is too large"),
                }
            }
            DeValue::Array(values) => {
                let text =
                    |value: &Spanned<DeValue<'_>>| value.get_ref().as_str().map(String::from);
                match values.iter().map(text).collect() {
                    Some(texts) => Self::List(texts),
                    None => Self::Other("a list of something else than texts"),
                }
            }
            DeValue::Float(_) => Self::Other("a number with a fraction"),
            DeValue::Datetime(_) => Self::Other("a date or time"),
            DeValue::Table(_) => Self::Other("a table"),
        }
    }
}

/// As it is written in a file.
impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(&quoted(text)),
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Switch(switch) => write!(formatter, "{switch}"),
            Self::List(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                write!(formatter, "[{}]", texts.join(", "))
            }
            Self::Other(name) => formatter.write_str(name),
        }
    }
}

impl Kind {
    /// The value as words of a command line would say it, if it is of this kind.
    pub fn words(self, value: &Value) -> Option<Vec<String>> {
        match (self, value) {
            (Self::Text | Self::List, Value::Text(text)) => Some(vec![text.clone()]),
            (Self::Number, Value::Number(number)) => Some(vec![number.to_string()]),
            (Self::Switch, Value::Switch(switch)) => Some(vec![switch.to_string()]),
            (Self::List, Value::List(texts)) => Some(texts.clone()),
            _ => None,
        }
    }

    /// The other way round.
    pub fn value(self, words: &[String]) -> Value {
        let text = || words.join(",");
        match self {
            Self::Text => Value::Text(text()),
            Self::Number => text().parse().map_or_else(|_| Value::Text(text()), Value::Number),
            Self::Switch => text().parse().map_or_else(|_| Value::Text(text()), Value::Switch),
            Self::List => Value::List(words.to_vec()),
        }
    }

    /// What is accepted, for people.
    pub fn described(self) -> &'static str {
        match self {
            Self::Text => texts::kind_text(),
            Self::Number => texts::kind_number(),
            Self::Switch => texts::kind_switch(),
            Self::List => texts::kind_list(),
        }
    }
}

impl Problem {
    fn of(path: &Path, line: Option<usize>, what: String) -> Self {
        Self { path: path.to_owned(), line, what, hint: None }
    }

    /// Says what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// `FILE:LINE: what is wrong`
impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        write!(formatter, ": {}", self.what)
    }
}

/// What to say to somebody who named what there is not.
pub fn suggestion(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => texts::did_you_mean(near),
        None => texts::there_are(known.join(", ")),
    }
}

/// The one of `known` that `name` was most likely meant to be.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.replace('-', "_").to_lowercase();
    let likeness = |known: &str| strsim::jaro_winkler(&name, known);
    let near = known.iter().copied().filter(|known| likeness(known) >= LIKENESS);
    near.max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(texts::has_too_many_bytes(FILE_BYTES_MAX)));
    }
    Ok(text)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            character if character.is_control() => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Document, String> {
        Document::parse(Path::new("x.toml"), text).map_err(|problem| problem.to_string())
    }

    #[test]
    fn everything_is_told_with_its_line() {
        let text =
            "# c\na = 1\n\nb = [\"x\",\n  \"y\"]\n[profile.work]\nserver = \"s\"\non = true\n";
        let root = parse(text).unwrap().root;
        let told: Vec<_> = root.entries.iter().map(|e| (e.key.as_str(), e.line)).collect();
        assert_eq!(told, [("a", 2), ("b", 4)]);
        let work = &root.tables[0].tables[0];
        assert_eq!((work.name.as_str(), work.line), ("work", 6));
        assert_eq!(work.entries[1].value, Value::Switch(true));
        assert_eq!(work.entries[1].line, 8);
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        let problem = parse("a = 1\nb = \n").unwrap_err();
        assert!(problem.starts_with("x.toml:2: is not TOML: "), "{problem}");
        let problem = parse("a = 1\nb = 2\na = 3\n").unwrap_err();
        assert!(problem.starts_with("x.toml:3: is not TOML: "), "{problem}");
    }

    #[test]
    fn slip_of_the_finger_finds_the_key_that_was_meant() {
        let known = ["listen", "log", "log_format", "connections_max", "heartbeat"];
        for (given, meant) in [
            ("lisen", Some("listen")),
            ("connections-max", Some("connections_max")),
            ("conection_max", Some("connections_max")),
            ("Heartbeat", Some("heartbeat")),
            ("logformat", Some("log_format")),
            ("quux", None),
        ] {
            assert_eq!(nearest(given, &known), meant, "{given}");
        }
    }

    #[test]
    fn values_that_no_key_has_are_named() {
        let document =
            parse("a = 1.5\nb = [1]\nc = 99999999999999999999\nd = 1979-05-27\n").unwrap();
        for entry in &document.root.entries {
            assert!(matches!(entry.value, Value::Other(_)), "{entry:?}");
        }
    }

    #[test]
    fn what_is_no_file_and_what_is_too_long_are_refused() {
        assert!(Document::read(Path::new("/nonexistent/x.toml")).unwrap().is_none());
        let problem = Document::read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(problem.contains("more than"), "{problem}");
        let problem = Document::read(Path::new("/")).unwrap_err().to_string();
        assert!(problem.starts_with("/: cannot be read: "), "{problem}");
    }

    proptest! {
        #[test]
        fn text_reads_back_as_it_was_written(text: String) {
            let value = Value::Text(text);
            let document = parse(&format!("key = {value}\n")).unwrap();
            prop_assert_eq!(&document.root.entries[0].value, &value);
        }

        #[test]
        fn any_text_is_understood_or_refused(text: String) {
            let _ = parse(&text);
        }
    }
}
