//! The files that `init` created. They are removed again unless they are kept.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::catalogue::configuration;
use crate::operate::failure::{Exit, Failure};

/// The files beside an open database, and its lock, which stays.
const BESIDE_DATABASE: [&str; 4] = ["", "-wal", "-shm", ".lock"];

/// The files that did not exist before.
#[derive(Debug, Default)]
pub(super) struct Made {
    files: Vec<PathBuf>,
    /// The new configuration beside the file that it will replace.
    draft: Option<PathBuf>,
}

impl Made {
    /// The path to create the configuration at: `path` itself, or one beside the file that it will
    /// replace.
    pub(super) fn configuration(&mut self, path: &Path, is_replacing: bool) -> PathBuf {
        let file = if is_replacing {
            let draft = beside(path, &format!(".{}", std::process::id()));
            self.draft = Some(draft.clone());
            draft
        } else {
            path.to_owned()
        };
        self.files.push(file.clone());
        file
    }

    /// Records the files of a database that is created next.
    pub(super) fn database(&mut self, path: &Path) {
        let files = BESIDE_DATABASE.iter().map(|suffix| beside(path, suffix));
        self.files.extend(files.filter(|file| fs::symlink_metadata(file).is_err()));
    }

    /// Excludes a file that `init` did not create.
    pub(super) fn leave(&mut self, file: &Path) {
        self.files.retain(|made| made != file);
    }

    /// Puts the configuration in its place, and keeps all files.
    pub(super) fn keep(mut self, config: &Path) -> Result<(), Failure> {
        if let Some(draft) = &self.draft {
            fs::rename(draft, config).map_err(|error| {
                Failure::new(Exit::Io, configuration::cannot_write(config.display(), error))
            })?;
        }
        self.files.clear();
        Ok(())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
