//! A setting in the output of `config show`: its value and the source of the value.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::Value;
use crate::catalogue::configuration as texts;

/// A setting's value and the source of the value. As JSON it has `key`, `value` (`null` if not set)
/// and `source`. Further fields identify the source.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The key in the configuration file.
    pub key: String,
    /// The value. `None` if it is not set and has no default.
    pub value: Option<Value>,
    /// The source of the value.
    pub source: Source,
}

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// This command-line option.
    Option(String),
    /// This environment variable.
    Environment(String),
    /// The configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The profile, if the value is in one.
        profile: Option<String>,
    },
    /// No source sets it.
    Default,
}

/// The settings as lines of an equivalent configuration file. A comment on each line names the
/// source.
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

/// The text for people.
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
