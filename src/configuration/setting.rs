//! A setting as `config show` tells it: its value, and where that comes from.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::Value;
use crate::catalogue::configuration as texts;

/// What something is set to, and where that comes from. As an object it has `key`, `value` (`null`
/// where it is not set) and `source`, and what tells the source more exactly.
#[derive(Debug, Clone)]
pub struct Setting {
    /// What it is called in the file.
    pub key: String,
    /// What it is set to; nothing where it is not set, and has no default.
    pub value: Option<Value>,
    /// Where that comes from.
    pub source: Source,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The command line: this option.
    Option(String),
    /// The environment: this variable.
    Environment(String),
    /// The configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// Where in it, counted from 1.
        line: usize,
        /// In which profile, if it is in one.
        profile: Option<String>,
    },
    /// Nothing was said.
    Default,
}

/// The settings as lines of a configuration file that sets just this, with the sources behind.
pub fn lines(settings: &[Setting]) -> Vec<String> {
    let said: Vec<String> = settings
        .iter()
        .map(|setting| match &setting.value {
            Some(value) => format!("{} = {value}", setting.key),
            None => format!("# {} is not set", setting.key),
        })
        .collect();
    let columns = said.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let lines = said.iter().zip(settings);
    lines.map(|(line, setting)| format!("{line:columns$}  # {}", setting.source)).collect()
}

/// For people.
impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(name) | Self::Environment(name) => formatter.write_str(name),
            Self::File { path, line, profile } => {
                write!(formatter, "{}:{line}", path.display())?;
                match profile {
                    Some(profile) => write!(formatter, " ({})", texts::profile_of(profile)),
                    None => Ok(()),
                }
            }
            Self::Default => formatter.write_str("default"),
        }
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("key", &self.key)?;
        map.serialize_entry("value", &self.value)?;
        match &self.source {
            Source::Option(name) => {
                map.serialize_entry("source", "option")?;
                map.serialize_entry("option", name)?;
            }
            Source::Environment(name) => {
                map.serialize_entry("source", "environment")?;
                map.serialize_entry("variable", name)?;
            }
            Source::File { path, line, profile } => {
                map.serialize_entry("source", "file")?;
                map.serialize_entry("file", &path.to_string_lossy())?;
                map.serialize_entry("line", line)?;
                if let Some(profile) = profile {
                    map.serialize_entry("profile", profile)?;
                }
            }
            Source::Default => map.serialize_entry("source", "default")?,
        }
        map.end()
    }
}
