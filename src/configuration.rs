//! Reads TOML configuration files. Every key keeps its line number, so an error can name file and
//! line. This module does not know which keys exist; the caller defines them.

pub mod setting;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::catalogue::configuration as texts;

/// The largest file that is read, in bytes. A real configuration has a few hundred.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// The least Jaro–Winkler similarity, from 0 to 1, at which a known word is suggested.
const SIMILARITY_MIN: f64 = 0.75;

/// A parsed file.
#[derive(Debug)]
pub struct Document {
    /// The path of the file.
    pub path: PathBuf,
    /// The top-level entries and tables.
    pub root: Table,
}

/// A table of the file.
#[derive(Debug)]
pub struct Table {
    /// Its key in the enclosing table; empty for the file itself.
    pub name: String,
    /// The line of its header, counted from 1.
    pub line: usize,
    /// Its entries, in the order of the file.
    pub entries: Vec<Entry>,
    /// Its tables, in the order of the file.
    pub tables: Vec<Table>,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its line, counted from 1.
    pub line: usize,
    /// The value.
    pub value: Value,
}

/// A value in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A quoted string.
    Text(String),
    /// An integer.
    Number(i64),
    /// `true` or `false`.
    Switch(bool),
    /// An array of strings.
    List(Vec<String>),
    /// The name of a type that no setting accepts.
    Other(&'static str),
}

/// The type that a setting expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A quoted string.
    Text,
    /// An integer.
    Number,
    /// `true` or `false`.
    Switch,
    /// An array of strings, or a single string.
    List,
}

/// A problem with a configuration file.
#[derive(Debug)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1. `None` if the whole file could not be read.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Document {
    /// Reads and parses a file. `None` if it does not exist.
    ///
    /// # Errors
    /// The file cannot be read, is too large, or is not TOML.
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

    /// Parses the text of a file. `path` only appears in errors.
    ///
    /// # Errors
    /// The text is not TOML.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Problem> {
        let table = DeTable::parse(text).map_err(|error| {
            let line = error.span().map(|span| line_of(text, span.start));
            Problem::of(path, line, texts::is_not_toml(error.message()))
        })?;
        Ok(Self { path: path.to_owned(), root: Table::of(text, "", 1, table.get_ref()) })
    }

    /// A problem at `line`.
    pub fn problem(&self, line: usize, what: impl Into<String>) -> Problem {
        Problem::of(&self.path, Some(line), what.into())
    }

    /// The problem that no setting is called `name`. Its hint suggests one of `known`.
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

/// The value in TOML syntax.
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
    /// The value as command-line words. `None` if it has another type.
    pub fn words(self, value: &Value) -> Option<Vec<String>> {
        match (self, value) {
            (Self::Text | Self::List, Value::Text(text)) => Some(vec![text.clone()]),
            (Self::Number, Value::Number(number)) => Some(vec![number.to_string()]),
            (Self::Switch, Value::Switch(switch)) => Some(vec![switch.to_string()]),
            (Self::List, Value::List(texts)) => Some(texts.clone()),
            _ => None,
        }
    }

    /// The reverse of [`Self::words`]. Words of the wrong type become a text.
    pub fn value(self, words: &[String]) -> Value {
        let text = || words.join(",");
        match self {
            Self::Text => Value::Text(text()),
            Self::Number => text().parse().map_or_else(|_| Value::Text(text()), Value::Number),
            Self::Switch => text().parse().map_or_else(|_| Value::Text(text()), Value::Switch),
            Self::List => Value::List(words.to_vec()),
        }
    }

    /// A description of the accepted values, for people.
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

    /// Adds a hint: what the user can do about the problem.
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

/// A hint for a user who gave an unknown name: the most similar known name, or all of them.
pub fn suggestion(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => texts::did_you_mean(near),
        None => texts::there_are(known.join(", ")),
    }
}

/// The known name that is most similar to `name`, if any is similar enough.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.replace('-', "_").to_lowercase();
    let similarity = |known: &str| strsim::jaro_winkler(&name, known);
    let near = known.iter().copied().filter(|known| similarity(known) >= SIMILARITY_MIN);
    near.max_by(|one, other| similarity(one).total_cmp(&similarity(other)))
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

/// The text as a TOML string.
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
    fn entries_and_tables_keep_their_lines() {
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
    fn invalid_toml_is_reported_with_its_line() {
        let problem = parse("a = 1\nb = \n").unwrap_err();
        assert!(problem.starts_with("x.toml:2: is not TOML: "), "{problem}");
        let problem = parse("a = 1\nb = 2\na = 3\n").unwrap_err();
        assert!(problem.starts_with("x.toml:3: is not TOML: "), "{problem}");
    }

    #[test]
    fn misspelled_key_suggests_the_similar_one() {
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
    fn unsupported_types_become_other() {
        let document =
            parse("a = 1.5\nb = [1]\nc = 99999999999999999999\nd = 1979-05-27\n").unwrap();
        for entry in &document.root.entries {
            assert!(matches!(entry.value, Value::Other(_)), "{entry:?}");
        }
    }

    #[test]
    fn missing_file_is_none_and_oversized_file_is_refused() {
        assert!(Document::read(Path::new("/nonexistent/x.toml")).unwrap().is_none());
        let problem = Document::read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(problem.contains("more than"), "{problem}");
        let problem = Document::read(Path::new("/")).unwrap_err().to_string();
        assert!(problem.starts_with("/: cannot be read: "), "{problem}");
    }

    proptest! {
        #[test]
        fn displayed_text_parses_to_the_same_text(text: String) {
            let value = Value::Text(text);
            let document = parse(&format!("key = {value}\n")).unwrap();
            prop_assert_eq!(&document.root.entries[0].value, &value);
        }

        #[test]
        fn parsing_any_text_never_panics(text: String) {
            let _ = parse(&text);
        }
    }
}
